"""What one part of a profile text may name: readings from the gazetteer and from our own lists.

A part is read as a whole name first, then as a name with its container ("dayton ohio"), then more
loosely: a known name inside a sentence, in a script without spaces, or with one letter wrong. Names
that are also words, codes that are also words and small places keep a score so low that only another
part can lift them.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

from listener.gazetteer import ALTERNATE, WORD, Hit, fold, gazetteer
from listener.profile_text import Part, camel_split


class Reading(NamedTuple):
    """A place that a part may name. ``score`` orders readings; it is roughly log10 of people.

    ``kind`` says how it was read: country, region, city, alias, code, tail or prose.
    """

    country: str
    region: str | None
    score: float
    kind: str
    word: bool = False


CONTAINERS = ("country", "region", "alias", "code", "tail")  # kinds that hold others
# Support that another part gives: its region, or only its country.
SAME_REGION, SAME_COUNTRY = 5.0, 4.0
# Where the same name is borne by several cities, platforms' readers are rather here (powers of ten).
BONUS = {"US": 0.5, "GB": 0.45, "CA": 0.3, "AU": 0.25, "IE": 0.4, "ES": 0.35, "IN": 0.2, "NZ": 0.1}
# Codes that are words when written small, and those that are words even when written large.
_SMALL = """in me or ok hi oh de la pa ma al id mi co mo ia no on to is it at be so my us an as ms per
par el ne nd mt ch se by do bd th ph ke man can ind mass ill miss del ore wash ark cal"""
_LARGE = "IN ME OR OK HI OH ID NO IS IT AT BE SO MY AN AS MAN CAN IND PER"
SMALL_WORDS = frozenset(_SMALL.split())
LARGE_WORDS = frozenset(_LARGE.split())

_REPEAT = re.compile(r"(.)\1{2,}")
_UNSPACED = re.compile("[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2,}")
_BEFORE = re.compile(
    r"^(?:somewhere|living|lives|live|based|born|raised|currently|residing|located|stuck|made|still|"
    r"in|from|near|nr|outside|just outside|around|at|of|the|a|greater|metro|metropolitan|downtown|"
    r"central|north|south|east|west|northern|southern|eastern|western|northeast|northwest|southeast|"
    r"southwest|n|s|e|w|ne|nw|se|sw|north east|north west|south east|south west|upper|lower|mid|"
    r"upstate|rural|suburban|suburbs|burbs|suburb|city|state|county|co|town|province|republic|"
    r"district|region|university|univ|uni|port|beautiful|sunny|rainy|lovely|good old|good ol|old|"
    r"my|our|native|proud|always|usually|mostly|planet|team|visit|hello|i love|i heart|love|pure|"
    r"en|de|aus|von|desde|em|no|na|w|di|dari|kota|ciudad de|cidade de|ville de|stadt|hansestadt|"
    r"citta di)\s+"
)
_AFTER = re.compile(
    r"\s+(?:area|metro|metro area|metropolitan area|region|city|county|suburbs|suburb|burbs|state|"
    r"based|born|native|bound|baby|bitch|y'?all|proper|for now|usually|mostly|sometimes|ish|town|"
    r"university|univ|college|airport|international airport|intl airport|downtown|surroundings|"
    r"district|province|island|islands|of course|somewhere|duh|now|currently|forever|til i die|"
    r"born and raised|born raised|and beyond|and surrounding areas|central|north|south|east|west|"
    r"the world|world|worldwide|earth|planet earth|europe|the universe|universe|state of mind|"
    r"\d{3,6})$"
)


@lru_cache(maxsize=1)
def nowhere() -> frozenset[str]:
    text = (files("listener") / "data" / "regions_nowhere.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return frozenset(fold(name) for line in lines for name in line.split(";") if name.strip())


@lru_cache(maxsize=1)
def _aliases() -> dict[str, tuple[tuple[str, Reading], ...]]:
    """Folded name → (use, reading): see the head of data/regions_aliases.tsv for the uses."""
    found: dict[str, list[tuple[str, Reading]]] = {}
    text = (files("listener") / "data" / "regions_aliases.tsv").read_text(encoding="utf-8")
    for line in text.splitlines():
        use, _, rest = line.partition("\t")
        if use not in ("any", "upper", "code"):
            continue
        country, region, names = rest.split("\t")
        score = 8.6
        if use == "code":
            score = {"US": 6.0, "CA": 5.9, "AU": 5.8}.get(country, 4.0) if region else 5.0
        kind = "code" if use == "code" else "alias" if region else "country"
        reading = Reading(country, region or None, score, kind)
        for name in names.split(";"):
            found.setdefault(fold(name), []).append((use, reading))
    for code in gazetteer().countries:  # "Casablanca, MA": any country's own code, as a container
        known = found.setdefault(code.lower(), [])
        if not any(r.country == code for _, r in known):
            known.append(("code", Reading(code, None, 1.0, "code")))
    return {name: tuple(readings) for name, readings in found.items()}


def _reading(hit: Hit) -> Reading:
    kind, country, region, people, flags = hit
    score = math.log10(max(people, 300.0))
    if kind == "country":
        score = 8.5
    elif kind == "region":
        score = max(score, 4.0) + 0.5
    else:
        score += BONUS.get(country, 0.0)
    if flags & ALTERNATE:
        score -= 0.7 if kind == "city" else 0.3
    return Reading(country, region, score, kind, bool(flags & WORD) and kind != "country")


@lru_cache(maxsize=32_768)
def named(folded: str) -> tuple[Reading, ...]:
    """Every reading of a name in any writing, best first: aliases for any use, then the gazetteer."""
    found = [_reading(hit) for hit in gazetteer().find(folded)]
    readings = []
    for use, alias in _aliases().get(folded, ()):
        if use != "any":
            continue
        if alias.region is None and not any(r.kind == "country" for r in found):
            # Our list names only the country of a city whose region the gazetteer knows.
            cities = [r for r in found if r.country == alias.country and r.score > 4.5]
            if cities:
                region = max(cities, key=lambda r: r.score).region
                alias = alias._replace(region=region, kind="alias")
        readings.append(alias)
    readings += found
    return tuple(sorted(readings, key=lambda r: -r.score))


def coded(text: str, folded: str, comma: bool) -> list[Reading]:
    """Readings of codes ("TX", "UAE") and of short names that need capitals ("LA").

    After a comma a code counts in any writing; elsewhere it must stand in capitals, or be one that is
    no word. A reading that is doubtful keeps a low score: only another part's support lifts it.
    """
    readings = []
    for use, reading in _aliases().get(folded, ()):
        if use == "any":
            continue
        local = reading.region is not None and reading.country in ("US", "CA", "AU")
        if use == "upper":
            reading, local = reading._replace(score=6.5, kind="alias"), True
        if comma:
            sure = text.isupper() or (local and (folded not in SMALL_WORDS or not text.islower()))
        elif text.isupper():
            sure = local and text not in LARGE_WORDS
        else:
            sure = local and folded not in SMALL_WORDS and len(folded) > 1
        if sure:
            readings.append(reading)
        elif comma:
            readings.append(reading._replace(score=1.0))
    return readings


def _trimmed(folded: str) -> str:
    """The folded text without words that only stand around a name ("downtown", "area")."""
    while True:
        shorter = _AFTER.sub("", _BEFORE.sub("", folded)).removesuffix("ish")
        if shorter == folded:
            return folded
        folded = shorter


def _gated(readings: tuple[Reading, ...], text: str) -> list[Reading]:
    """Readings of a whole part, doubtful ones with a low score.

    A city whose name is also a word, or written small, must be large to be believed alone.
    """
    small = text[:1].islower()
    gated = []
    for r in readings:
        doubtful = r.word and r.kind in ("city", "region") and (small or r.score < 5.4)
        if r.kind == "city" and small and r.score < 4.5:
            doubtful = True
        if r.kind == "city" and r.score < 6 and (len(text) <= 3 or text[:4].lower() == "the "):
            doubtful = True
        gated.append(r._replace(score=1.0) if doubtful else r)
    return gated


def _whole(part: Part) -> list[Reading]:
    """Readings of a part that is a name from end to end, perhaps with a few words around it."""
    folded = fold(part.text)
    readings = coded(part.text, folded, part.comma)
    if not folded or folded in nowhere():
        return readings
    readings += _gated(named(folded), part.text)
    if any(r.score > 1 for r in readings):
        return readings
    if (squashed := _REPEAT.sub(r"\1", folded)) != folded:
        readings += [r for r in named(squashed) if r.score > 5]
    core = _trimmed(folded)
    if core != folded and core not in nowhere():
        readings += [
            r._replace(score=r.score - 0.3, kind="tail" if r.kind != "city" else "city")
            for r in named(core)
            if r.score > (6 if r.kind == "region" else 4) and not r.word
        ]
        if core.upper() in part.text:
            readings += [r for r in coded(core.upper(), core, False) if r.score > 1]
    return readings


def _tailed(part: Part, deep: bool = True) -> list[Reading]:
    """Readings of "dayton ohio" and "Danville CA": a name, then what holds it, with no comma.

    ``deep`` allows one more such step in the name itself ("Boston MA USA").
    """
    words = part.text.split()
    found: list[Reading] = []
    for size in (3, 2, 1):
        if size >= len(words) or found:
            continue
        tail, head = " ".join(words[-size:]), " ".join(words[:-size])
        folded = fold(tail)
        if folded in nowhere():
            continue
        holders = [
            r
            for r in named(folded)
            if r.kind in CONTAINERS and not r.word and (r.kind != "region" or r.score > 5.5)
        ]
        codes = coded(tail, folded, True) if size == 1 else []
        holders += codes
        heads = _heads(head, deep) if holders else []
        for holder in holders:
            for reading in heads:
                gain = support(reading, holder)
                if gain:
                    found.append(reading._replace(score=reading.score + gain, kind="city"))
            if holder.kind == "code":
                local = holder.score >= 5.8 and (head[:1].isupper() or not head.isascii())
                written = tail.isupper() and tail not in LARGE_WORDS
                if local and (written or folded not in SMALL_WORDS):
                    found.append(holder._replace(score=5.3))
            elif tail[:1].isupper() or part.text.islower() or not tail.isascii():
                found.append(holder._replace(score=holder.score - 0.5, kind="tail"))
        if found and all(r.kind == "tail" for r in found):
            # "Shanghai Hongkong": no container after all, but two places; the first counts.
            held = {r.country for r in found}
            first = [
                r for r in named(fold(head)) if r.score > 6 and not r.word and r.country not in held
            ]
            found += [r._replace(score=r.score + 3, kind="prose") for r in first[:1]]
    return found


def _heads(head: str, deep: bool) -> list[Reading]:
    """Readings of the words before a container; the last one to three of them may be the name."""
    words = head.split()
    folded = fold(head)
    if readings := named(folded) or named(_trimmed(folded)):
        return list(readings)
    if deep and len(words) > 1 and (inner := _tailed(Part(head, False), deep=False)):
        return inner
    for size in (3, 2, 1):
        if size < len(words) and (readings := named(fold(" ".join(words[-size:])))):
            return list(readings)
    return []


def _prose(part: Part) -> list[Reading]:
    """Readings of well-known names inside a longer text, the longest and first of them.

    After "from", "in" or "near", and at the start before a small word, less known names count too.
    """
    words = part.text.replace("-", " ").split()[:16]
    lower = part.text.islower()
    if "in" in words[1:-1]:
        after = " ".join(words[words.index("in", 1) + 1 :])
        if inner := _prose(Part(after, False)):
            return inner
    for size in (4, 3, 2, 1):
        for at in range(len(words) - size + 1):
            text = " ".join(words[at : at + size])
            folded = fold(text)
            if folded in nowhere() or (len(folded) < 4 and not text.isupper()):
                continue
            cased = text[:1].isupper() or words[at + size - 1][:1].isupper() or not text.isascii()
            if not (lower or cased):
                continue
            led = at > 0 and words[at - 1].lower() in _LEADING
            starts = at == 0 and size < len(words) and words[size].islower()
            least = 6.3 if lower else 4.3 if led or (starts and size < 4) else 5.5
            readings = [r for r in named(folded) if _known(r, least)]
            if text.isupper() and (len(words) <= 3 or not part.text.isupper()):
                readings += [r for r in coded(text, folded, False) if r.score >= 5.8]
            if led and text.isupper():
                readings += [r for r in coded(text, folded, True) if r.score >= 5.8]
            if readings:
                return [r._replace(score=r.score - 1.0, kind="prose") for r in readings]
    return []


_LEADING = frozenset(("in", "from", "near", "of", "at", "around", "to", "outside", "for"))


def _known(reading: Reading, least: float) -> bool:
    if reading.word:
        return False
    return reading.kind in ("country", "alias") or reading.score >= least


@lru_cache(maxsize=1)
def _near_names() -> dict[str, set[str]]:
    """Well-known names of seven letters and more, by each way of leaving one letter out."""
    near: dict[str, set[str]] = {}
    known = [n for n, uses in _aliases().items() if any(use == "any" for use, _ in uses)]
    known += [fold(name) for name in gazetteer().countries.values()]
    for name in known:
        if len(name) >= 7 and name.replace(" ", "").isalpha():
            for shorter in _shortened(name):
                near.setdefault(shorter, set()).add(name)
    return near


def _shortened(name: str) -> set[str]:
    return {name, *(name[:n] + name[n + 1 :] for n in range(1, len(name)))}


def _misspelt(part: Part) -> list[Reading]:
    """Readings of a well-known name with one letter wrong, missing, added or swapped."""
    folded = fold(part.text)
    if not (7 - part.comma) < len(folded) < 25 or folded[:4] == "the ":
        return []
    if folded in _words() or folded in nowhere():
        return []
    near = _near_names()
    names = {name for shorter in _shortened(folded) for name in near.get(shorter, ())}
    close = {name for name in names if abs(len(name) - len(folded)) <= 1}
    if len(close) > 3:
        return []
    return [r._replace(score=6.0, kind="prose") for name in close for r in named(name)[:1]]


@lru_cache(maxsize=1)
def _words() -> frozenset[str]:
    text = (files("listener") / "data" / "regions_words.txt").read_text(encoding="utf-8")
    return frozenset(text.split())


def _unspaced(part: Part) -> list[Reading]:
    """Readings inside scripts that set no spaces: the longest known name, from the left."""
    for run in _UNSPACED.findall(part.text):
        for size in range(min(6, len(run)), 1, -1):
            for at in range(len(run) - size + 1):
                if _inside_katakana(run, at, at + size):
                    continue
                readings = [r for r in named(fold(run[at : at + size])) if r.score >= 5.5]
                if readings:
                    return [r._replace(score=r.score - 0.5, kind="prose") for r in readings]
    return []


def _inside_katakana(run: str, start: int, end: int) -> bool:
    """Whether a stretch begins or ends within a katakana word, as "Bath" does in "universe"."""
    left, right = run[max(0, start - 1) : start + 1], run[end - 1 : end + 1]
    return any(len(pair) == 2 and all("ァ" <= c <= "ー" for c in pair) for pair in (left, right))


def readings_of(part: Part) -> list[Reading]:
    """Every reading of a part: as a whole name, as name and container, then looser ways."""
    readings = _whole(part)
    if any(r.score > 1 for r in readings) or fold(part.text) in nowhere():
        return readings
    if " " in part.text:
        readings += _tailed(part)
    if not any(r.score > 1 for r in readings):
        readings += _prose(part) or _unspaced(part) or _misspelt(part)
    if not readings and (split := camel_split(part.text)) != part.text:
        readings = readings_of(Part(split, part.comma))
    return readings


def support(reading: Reading, holder: Reading) -> float:
    """What ``holder`` in another part says for ``reading``."""
    if reading.country != holder.country:
        return 0.0
    if holder.region is None:
        return SAME_COUNTRY
    if reading.region != holder.region:
        return 0.0
    # A little-known province often bears a city's name, and a short code stands for provinces in many
    # countries; neither must pull a city abroad.
    if (holder.kind == "region" and holder.score < 6.8) or (
        holder.kind == "code" and holder.score < 5
    ):
        return SAME_REGION / 2
    return SAME_REGION
