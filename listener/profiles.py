"""Profile text into a place: "NYC ✈ Mumbai", "Austin,TX", "Deutschland 🇩🇪", "somewhere only we know".

The text is cut into parts at commas, slashes, arrows and pictures. Each part gets readings: places
that it may name, from the gazetteer and from our own list of nicknames and codes. A reading gains
where another part names its country or region, so that "Paris, TX" is not in France. The first part
with a solid reading wins: of several places we take the first and say so with a lower confidence.
Words that are also villages count only when something else speaks for them.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from listener.gazetteer import fold, gazetteer
from listener.mention import UNKNOWN_PLACE, Place
from listener.profile_text import LONGEST, Part, take_apart
from listener.readings import CONTAINERS, Reading, named, nowhere, readings_of, support

SOLID = 5.2  # an unsupported city above this is believed at once (about 50,000 people in the US)


class Best(NamedTuple):
    """The best reading of a part and what speaks for it."""

    reading: Reading
    score: float
    support: float
    rival: float  # the best score of a reading in another country


def _best(at: int, table: list[list[Reading]]) -> Best | None:
    totals = []
    for reading in table[at]:
        gain = sum(
            max((support(reading, r) for r in other if r.kind in CONTAINERS), default=0.0)
            for n, other in enumerate(table)
            if n != at
        )
        totals.append((reading.score + gain, gain, reading))
    if not totals:
        return None
    score, gain, reading = max(totals, key=lambda t: t[0])
    rival = max((t[0] for t in totals if t[2].country != reading.country), default=0.0)
    return Best(reading, score, gain, rival)


def _solid(best: Best) -> bool:
    return best.score > 1 and (
        best.support > 0 or best.reading.kind != "city" or best.score >= SOLID
    )


def _choose(bests: list[Best | None], parts: tuple[Part, ...]) -> Best | None:
    """The first part that names a place firmly; a weak one gives way to the container behind it."""
    weak: Best | None = None
    for at, best in enumerate(bests):
        if best is None or best.score <= 1:
            continue
        if not _solid(best):
            weak = weak or best
            continue
        holder = None if best.support else _holder(at, bests, parts)
        if holder and holder.reading.country != best.reading.country:
            kind, region = best.reading.kind, holder.reading.region
            if kind in ("region", "prose", "tail") or (kind == "city" and best.score < 6.3):
                return holder
            local = region and holder.reading.country in ("US", "CA", "AU")
            if local and (kind == "country" or holder.reading.kind == "code"):
                return holder  # "Lebanon, PA", "Peru, Indiana", "West Berlin, NJ"
        return best
    return weak


def _holder(at: int, bests: list[Best | None], parts: tuple[Part, ...]) -> Best | None:
    """The last container that follows part ``at`` in the same comma list."""
    found = None
    for part, best in zip(parts[at + 1 :], bests[at + 1 :], strict=False):
        if not part.comma:
            break
        if best and _solid(best) and best.reading.kind in CONTAINERS:
            found = best
    return found


BASE = {"country": 0.95, "region": 0.93, "alias": 0.9, "code": 0.85, "tail": 0.85, "prose": 0.7}


def _confidence(best: Best, bests: list[Best | None]) -> float:
    """Our rough belief that the country is right; docs/regions.md has it against hand labels."""
    reading = best.reading
    if reading.kind == "city":
        if best.support or best.score > 9:
            belief = 0.95
        else:
            share = 1 / (1 + 10 ** (best.rival - best.score))
            belief = max(0.4, 0.9 * share) * (1.0 if best.score >= SOLID else 0.7)
    else:
        belief = BASE[reading.kind]
    if any(b and _solid(b) and b.reading.country != reading.country for b in bests):
        belief *= 0.75
    return round(belief, 3)


@lru_cache(maxsize=65_536)
def locate_profile(text: str) -> Place:
    """The place that a profile text names, of basis "profile" (or "coordinates"), or unknown."""
    taken = take_apart(text)
    if taken.coordinates and (spot := locate_point(*taken.coordinates)).country:
        return replace(spot, basis="profile")
    known = gazetteer().countries
    folded = fold(text[:LONGEST])
    if folded not in nowhere():
        for reading in named(folded)[:1]:
            if reading.kind in ("country", "alias"):
                return Place(reading.country, reading.region, "profile", BASE[reading.kind])
    flags = [
        Reading(code, region, 7.0, "alias" if region else "country")
        for code, region in taken.flags
        if code in known
    ]
    if (
        len(taken.parts) == 1
        and len(words := taken.parts[0].text.split()) > 1
        and all(word.isupper() and len(word) <= 3 for word in words)
    ):
        taken = taken._replace(parts=tuple(Part(word, False) for word in words))
    table = [readings_of(part) for part in taken.parts]
    if not any(table) and any("-" in part.text for part in taken.parts):
        pieces = [Part(t, False) for part in taken.parts for t in part.text.split("-") if t.strip()]
        taken = taken._replace(parts=tuple(pieces))
        table = [readings_of(part) for part in pieces]
    table += [[flag] for flag in flags]
    bests = [_best(at, table) for at in range(len(table))]
    best = _choose(bests, taken.parts)
    if best is None:
        return UNKNOWN_PLACE
    country, region = best.reading.country, best.reading.region
    if region is None:  # "Rocky Mountains, Colorado": another part may know the region
        named_too = [
            b.reading.region for b in bests if b and _solid(b) and b.reading.country == country
        ]
        region = next((name for name in named_too if name), None)
    return Place(country, region, "profile", _confidence(best, bests))


def locate_point(lat: float, lon: float) -> Place:
    """The country and region of a point, from the nearest town; unknown out at sea."""
    if not (abs(lat) <= 90 and abs(lon) <= 180):
        return UNKNOWN_PLACE
    found = gazetteer().nearest(lat, lon)
    if found is None:
        return UNKNOWN_PLACE
    hit, distance = found
    return Place(hit.country, hit.region, "coordinates", round(0.97 - 0.4 * distance / 100, 3))
