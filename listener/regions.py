"""Where a post comes from: country, first-level division and the basis of the judgement.

The strongest sign wins: what the platform tagged, then coordinates, profile text, time zone and, as
the weakest, a language that one country dominates. "unknown" is an answer, and a common one: about
one profile text in eight names no place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files

from listener.gazetteer import gazetteer
from listener.mention import UNKNOWN_PLACE, Place, Post
from listener.profiles import locate_point, locate_profile

VERSION = "regions-1"

# Languages that one country dominates, by its share of the speakers who are online. Those that are
# written in many countries (en, es, pt, ar, fr, ru, zh, bn, sw ...) say nothing and are left out.
_LANGUAGES = {
    "JP": "ja",
    "KR": "ko",
    "TH": "th",
    "PL": "pl",
    "FI": "fi",
    "HU": "hu",
    "CZ": "cs",
    "SK": "sk",
    "SI": "sl",
    "BG": "bg",
    "LT": "lt",
    "LV": "lv",
    "EE": "et",
    "IS": "is",
    "GE": "ka",
    "AM": "hy",
    "UA": "uk",
    "IL": "he iw",
    "GR": "el",
    "TR": "tr",
    "SE": "sv",
    "NO": "no nb nn",
    "DK": "da",
    "IT": "it",
    "VN": "vi",
    "ID": "id in jv su ace ban bbc bjn bug mad min nij",
    "PH": "tl fil ceb",
    "IN": "hi te kn ml mr gu or as",
    "LK": "si",
    "NP": "ne",
    "KH": "km",
    "LA": "lo",
    "MM": "my",
    "MN": "mn",
    "KZ": "kk",
    "IR": "fa",
    "ET": "am ti om",
    "NG": "ha yo ig pcm",
    "ZA": "zu xh af",
    "RW": "rw",
}
LANGUAGES = {tag: country for country, tags in _LANGUAGES.items() for tag in tags.split()}
LANGUAGE_CONFIDENCE = 0.35
_OTHER_CODES = {"UK": "GB", "EL": "GR"}


@lru_cache(maxsize=1)
def _zones() -> dict[str, Place]:
    zones = {}
    text = (files("listener") / "data" / "regions_zones.tsv").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.startswith(("#", "zone\t")):
            continue
        zone, country, region, confidence = line.split("\t")
        zones[zone] = (
            Place(country, region or None, "time zone", float(confidence))
            if country
            else UNKNOWN_PLACE
        )
    return zones


def countries_by_code() -> Mapping[str, str]:
    """The English name of every country by its two letters."""
    return gazetteer().countries


def official_code(code: str) -> str:
    """A country's code in capitals, and as ISO has it where another is in use: ``uk`` is ``GB``."""
    code = code.upper()
    return _OTHER_CODES.get(code, code)


def _tagged(country: str | None, place_name: str | None) -> Place:
    """What the platform says: a code it knows, and the place's name for the region."""
    code = official_code((country or "").strip())
    if code not in gazetteer().countries:
        found = locate_profile(place_name) if place_name else UNKNOWN_PLACE
        if found.country is None:
            return UNKNOWN_PLACE
        return Place(found.country, found.region, "tagged", found.confidence)
    region = None
    if place_name:
        found = locate_profile(f"{place_name}, {country_name(code)}")
        region = found.region if found.country == code else None
    return Place(code, region, "tagged", 0.99)


def locate(
    location: str | None = None,
    *,
    coordinates: tuple[float, float] | None = None,
    country: str | None = None,
    place_name: str | None = None,
    time_zone: str | None = None,
    language: str | None = None,
) -> Place:
    """The place that the strongest sign speaks for, or a Place of basis "unknown".

    ``location`` is profile text; ``coordinates`` are (lat, lon) in degrees; ``country`` (ISO alpha-2)
    and ``place_name`` are what the platform tagged; ``time_zone`` is an IANA or a Rails name;
    ``language`` is a tag such as "ja". Pure: the same signs give the same place.
    """
    if country or place_name:
        place = _tagged(country, place_name)
        if place.country:
            if place.region is None and coordinates:
                spot = locate_point(*coordinates)
                if spot.country == place.country:
                    return Place(place.country, spot.region, "tagged", place.confidence)
            return place
    if coordinates:
        place = locate_point(*coordinates)
        if place.country:
            return place
    if location:
        place = locate_profile(location)
        if place.country:
            return place
    if time_zone:
        place = _zones().get(time_zone.strip(), UNKNOWN_PLACE)
        if place.country:
            return place
    if language:
        tag = language.replace("_", "-").split("-")[0].lower()
        if tag in LANGUAGES:
            return Place(LANGUAGES[tag], None, "language", LANGUAGE_CONFIDENCE)
    return UNKNOWN_PLACE


def locate_post(post: Post, language: str | None = None) -> Place:
    """Where ``post`` comes from; ``language`` is our own judgement of its text."""
    return locate(
        post.author.location,
        coordinates=post.coordinates,
        country=post.country,
        place_name=post.place_name,
        time_zone=post.author.time_zone,
        language=language,
    )


def country_name(code: str) -> str:
    """The English name of an ISO alpha-2 code; the code itself where it is not one."""
    return gazetteer().countries.get(code.upper(), code)


def groups_of(country: str | None, groups: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The user's region groups that hold ``country``, in the order in which they are written."""
    return tuple(name for name, codes in groups.items() if country and country in codes)
