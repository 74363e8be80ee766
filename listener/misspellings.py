"""A brand name in, the spellings that people really use for it out, best first.

Every candidate is made by a way in which people err or write differently (``kind``), and weighed by
the noisy channel of ``listener.channel``: how often such a slip is made, against how likely the string
is to be a word, a name or a slip of another word in the languages listened to. ``weight`` is the
probability that the string, met in a post, means the name; what falls under one half is left out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from listener import translit
from listener.channel import LEET, RESPELLINGS, Channel, channel, skeleton
from listener.folding import plain

THRESHOLD = (
    -1.0
)  # log10 odds from which on a spelling counts; chosen on half of tests' labelled pairs
SPLIT = -2.0  # log10 of how often a name is written in two words, a name in two in one
COLLOCATION = 2.5  # log10 of how much oftener words stand together than by chance, at most
_APOSTROPHES = re.compile("(?<=\\w)['’‘ʼ`´](?=\\w)")
_ADDED = "aehilnrsty"
_SUFFIXES = ("com", "app", "uk", "usa", "india", "online", "official")
_SYMBOLS = {"s": "$", "a": "@", "i": "!", "e": "€"}


@dataclass(frozen=True, slots=True)
class Variant:
    """One spelling of a name, the kind of slip that makes it, and the weight, 0..1."""

    variant: str
    kind: str
    weight: float


def weight(score: float) -> float:
    """The probability that goes with log10 odds, one half at the threshold."""
    return 1 / (1 + 10 ** -max(-12.0, min(12.0, score - THRESHOLD)))


def bare(name: str) -> str:
    """The folded name with the apostrophes inside its words closed up: mcdonalds, loreal."""
    return plain(_APOSTROPHES.sub("", name))


def backing(model: Channel, others: str) -> float:
    """log10 odds that a name's other words, standing beside it, add to a misspelled one: the rarer they
    are, the less can they be there by chance."""
    if not others:
        return 0.0
    rarest = min(model.words.zipf(word) for word in others.split())
    return min(4.0, max(1.5, 9 - COLLOCATION - max(rarest, 0.0)))


def usage(score: float, slip: float) -> float:
    """The weight to rank by: the probability, lowered by how rare the slip is."""
    return weight(score) * 10 ** (max(slip, -4.0) / 2)


def variants(name: str, *, languages: Sequence[str] = ("en",), limit: int = 50) -> list[Variant]:
    """The likeliest spellings of ``name`` other than itself, best first, at most ``limit``.

    ``languages`` are two-letter codes of the languages listened to: their words are not taken for
    misspellings, and their scripts and keyboards are used.
    """
    base = bare(name)
    if not base or limit < 1:
        return []
    model = channel(tuple(languages))
    found: dict[str, tuple[float, str]] = {}
    for score, slip, variant, kind in _candidates(name, base, model, languages):
        if score >= THRESHOLD and variant not in (name.lower(), name):
            weighed = usage(score, slip)
            known = found.get(variant)
            if known is None or known[0] < weighed:
                found[variant] = (weighed, kind)
    ranked = sorted(found.items(), key=lambda item: (-item[1][0], item[0]))
    return [Variant(v, kind, round(weighed, 4)) for v, (weighed, kind) in ranked[:limit]]


def phrases(
    name: str, *, languages: Sequence[str] = ("en",), limit: int = 50
) -> list[tuple[str, str, float]]:
    """(spelling, kind, score) of the ways of writing that single words do not show: split, joined,
    punctuated, with symbols, in another script. Matching looks for these beforehand; single words it
    judges as it meets them."""
    base = bare(name)
    if not base:
        return []
    model = channel(tuple(languages))
    found: dict[str, tuple[float, float, str]] = {}
    for score, slip, variant, kind in _phrases(name, base, model, languages):
        known = found.get(variant)
        if score >= THRESHOLD and (known is None or known[0] < usage(score, slip)):
            found[variant] = (usage(score, slip), score, kind)
    ranked = sorted(found.items(), key=lambda item: (-item[1][0], item[0]))[:limit]
    return [(v, kind, score) for v, (_, score, kind) in ranked]


_Candidates = Iterator[tuple[float, float, str, str]]  # score, slip (both log10), variant, kind


def _phrases(name: str, base: str, model: Channel, languages: Sequence[str]) -> _Candidates:
    yield from _written(name, base)
    yield from _parted(name, base, model)
    yield from _symbols(base, model)
    yield from _scripts(name, base, languages)


def _candidates(name: str, base: str, model: Channel, languages: Sequence[str]) -> _Candidates:
    yield from _phrases(name, base, model, languages)
    words = base.split()
    for i, word in enumerate(words):
        before, after = " ".join(words[:i]), " ".join(words[i + 1 :])
        if len(words) > 1 and len(word) < 4:
            continue
        for wrong in _slips(word, model):
            score, slip, kind = _judged(
                model, word, wrong, backing(model, f"{before} {after}".strip())
            )
            if kind == "plural" and after:
                continue
            yield score, slip, f"{before} {wrong} {after}".strip(), kind
    if 1 < len(words) <= 3:
        joined = "".join(words)
        for wrong in _slips(joined, model):
            score, slip, kind = _judged(model, joined, wrong, 0.0)
            yield score, slip - 0.7, wrong, kind


def _judged(model: Channel, word: str, wrong: str, backed: float) -> tuple[float, float, str]:
    judged = model.judge(word, wrong)
    return (judged[0] + backed, judged[1], judged[2]) if judged else (-99.0, -99.0, "")


def _slips(word: str, model: Channel) -> set[str]:
    """Strings that a slip makes of a word, likely ones only; not yet weighed."""
    found = set(_all_slips(word, model))
    found.discard(word)
    return {w for w in found if len(w) > 1}


def _all_slips(word: str, model: Channel) -> Iterator[str]:
    n = len(word)
    for i in range(n):
        yield word[:i] + word[i + 1 :]
        yield word[:i] + word[i] + word[i:]
        if i + 1 < n:
            yield word[:i] + word[i + 1] + word[i] + word[i + 2 :]
        for other in model.errors.near.get(word[i], ""):
            yield word[:i] + other + word[i + 1 :]
        for other in model.errors.confused(word[i]):
            yield word[:i] + other + word[i + 1 :]
        if i:
            for other in _ADDED:
                yield word[:i] + other + word[i:]
    for old, new in RESPELLINGS:
        at = word.find(old)
        while at >= 0:
            yield word[:at] + new + word[at + len(old) :]
            at = word.find(old, at + 1)
    bones = skeleton(word)
    if len(bones) >= 4:
        yield bones
    if n > 2:
        yield word + "s"
    for digit, letters in LEET.items():
        for letter in letters:
            if letter in word:
                yield word.replace(letter, digit)
                at = word.index(letter)
                yield word[:at] + digit + word[at + 1 :]


def _written(name: str, base: str) -> _Candidates:
    """The same letters, written with other marks: hyphens, apostrophes, accents, '&'."""
    low = name.lower()
    folded = "".join(c for c in unicodedata.normalize("NFD", low) if not unicodedata.combining(c))
    if folded != low:
        yield 2.0, -0.3, unicodedata.normalize("NFC", folded), "diacritics"
        german = low.replace("ä", "ae").replace("ö", "oe").replace("ü", "ue")
        if german != low:
            yield 1.0, -0.6, plain(german), "diacritics"
    if re.search(r"[^\w\s]", low) and not re.search(r"^[^\w\s]|[^\w\s!?.]$", low):
        open_, shut = re.sub(r"[^\w\s]+", " ", folded), re.sub(r"[^\w\s]+", "", folded)
        shut = " ".join(shut.split())
        if len(shut) > 2:
            yield 2.0, -0.3, shut, "punctuation"
        if min(map(len, open_.split() or [""])) > 1 or len(open_.split()) == 1:
            yield 1.5, -0.8, " ".join(open_.split()), "punctuation"
        if "&" in low:
            yield 1.5, -0.8, " ".join(folded.replace("&", " and ").split()), "punctuation"
            yield 1.0, -1.5, folded.replace("&", "n"), "punctuation"
    initials = next((w for w in name.split() if w.isupper() and 1 < len(w) < 5), "")
    if initials and len(base) > 2 and initials.isalpha():
        dotted = " ".join(base.replace(initials.lower(), " ".join(initials.lower()), 1).split())
        yield 1.5, -1.2, dotted, "punctuation"
    if " and " in f" {base} ":
        yield 1.0, -0.8, base.replace(" and ", " & "), "punctuation"
    if len(base) > 2 and base.replace(" ", "").isascii():
        yield 2.2, -0.4, f"{low}'s" if not low.endswith("s") else f"{low}'", "possessive"


def _parted(name: str, base: str, model: Channel) -> _Candidates:
    """Split and joined words, hyphens, and the suffixes that names are written with."""
    words = base.split()
    zipf = model.words.zipf
    mine = model.name_zipf(base if len(words) == 1 else "".join(words))
    if len(words) > 1:
        joined = "".join(words)
        if len(joined) > 3:
            yield mine - 1.0 - max(zipf(joined) - 1.5, model.unseen(joined)), -0.5, joined, "joined"
        if len(words) > 2:
            for i in range(len(words) - 1):
                part = " ".join([*words[:i], words[i] + words[i + 1], *words[i + 2 :]])
                yield 1.0, -1.0, part, "joined"
        if "-" not in name and len(name.split()) == len(words) and min(map(len, words)) > 1:
            yield 2.0, -1.0, "-".join(words), "hyphen"
        return
    for i in range(1, len(base) - 1):
        left, right = base[:i], base[i:]
        if len(base) < 4 or len(right) < 2 or not (left.isalpha() and right.isalpha()):
            continue
        a, b = zipf(left), zipf(right)
        # Where neither half is a word of its own, nobody would put the blank there.
        known = (a >= 2.5) + (b >= 2.5)
        if len(base) < 6 and known < 2:
            continue
        slip = SPLIT if known == 2 else SPLIT - 1.2
        pair = max(a, 0.0) + max(b, 0.0) - 9 + 1.0
        score = mine + slip - max(pair, 0.0)
        yield score, slip + 0.8, f"{left} {right}", "split"
        if known:
            yield score + 0.5, slip, f"{left}-{right}", "hyphen"
    if len(base) > 3 and base.isalpha():
        for suffix in _SUFFIXES:
            whole = base + suffix
            yield mine - 2.5 - max(zipf(whole) - 1.0, model.unseen(whole)), -2.2, whole, "suffix"


def _symbols(base: str, model: Channel) -> _Candidates:
    """Look-alike symbols in place of a letter (``micro$oft``); never the whole of a short name."""
    if len(base) < 4 or " " in base:
        return
    for letter, symbol in _SYMBOLS.items():
        at = base.find(letter, 0)
        while at >= 0:
            edge = base[1:] if not at else base[:-1] if at == len(base) - 1 else ""
            if not edge or (symbol == "$" and model.words.zipf(edge) < 2):
                yield 0.5, -2.2, base[:at] + symbol + base[at + 1 :], "look-alike"
            at = base.find(letter, at + 1)


def _scripts(name: str, base: str, languages: Sequence[str]) -> _Candidates:
    """The name in the scripts of the languages listened to, and in Latin letters if it is in none."""
    for rank, written in enumerate(translit.into(base, languages)):
        yield 1.0, -0.5 - rank / 10, written, "transliteration"
    latin = translit.latin(name)
    if latin and latin != base and len(latin) > 3:
        yield 0.8, -0.5, latin, "transliteration"
