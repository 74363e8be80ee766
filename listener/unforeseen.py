"""Words that no pattern foresaw: which names they may be, judged once and remembered.

Names are found by the deletion neighbourhood of their first letters (SymSpell's way), by sound and by
skeleton, so that a word is compared with a handful of names, however many are watched.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from rapidfuzz.distance import OSA

from listener.channel import Channel, channel, skeleton, sound, unleet
from listener.confusables import latin_lookalike
from listener.folding import SPACELESS
from listener.misspellings import THRESHOLD, backing
from listener.terms import CONTEXT_HELP, Fuzzy

_TOO_COMMON = 4.6  # Zipf from which on a name inside a longer word says nothing
_RUN = re.compile(r"(.)\1+")


@dataclass
class Names:
    """The index of names for words that no pattern foresaw."""

    words: dict[str, list[tuple[int, str, str, str]]] = field(default_factory=dict)
    keys: dict[str, set[str]] = field(default_factory=dict)
    parts: bool = False  # whether there are names of several words

    def add(self, word: str, brand: int, keyword: str, before: str, after: str) -> None:
        if len(word) < 4 or len(word) > 30 or SPACELESS.search(word):
            return
        self.parts |= bool(before or after)
        owners = self.words.setdefault(word, [])
        owners.append((brand, keyword, before, after))
        if len(owners) == 1:
            for key in _keys(word):
                self.keys.setdefault(key, set()).add(word)

    def near(self, token: str) -> set[str]:
        found: set[str] = set()
        for key in _keys(token):
            found.update(self.keys.get(key, ()))
        for meant in unleet(token):
            found.update(self.keys.get(meant[:7], ()))
        return {w for w in found if w != token and _reachable(w, token)}


def _keys(word: str) -> set[str]:
    """Deletion neighbourhood of the first seven letters (SymSpell's way), sound and skeleton."""
    head = word[:7]
    keys = {head, "~" + sound(word)}
    once = {head[:i] + head[i + 1 :] for i in range(len(head))}
    keys |= once
    if len(word) > 5:
        keys |= {w[:i] + w[i + 1 :] for w in once for i in range(len(w))}
    bones = skeleton(word)
    if len(bones) > 3:
        keys.add("%" + bones)
    keys.add(_RUN.sub(r"\1", word)[:7])
    return keys


def _reachable(name: str, token: str) -> bool:
    limit = 1 if len(name) < 6 else 2
    if OSA.distance(name, token, score_cutoff=limit) <= limit or sound(name) == sound(token):
        return True
    if token.startswith(name) and token[len(name) :].isdecimal():
        return True
    return (
        (skeleton(name) == skeleton(token) and len(token) < len(name))
        or _RUN.sub(r"\1", name) == _RUN.sub(r"\1", token)
        or name in unleet(token)
    )


def decide(word: str, by_languages: dict[tuple[str, ...], Names]) -> tuple[Fuzzy, ...]:
    """The names that a word may be meant for, with their odds; a word can be near several."""
    out: list[Fuzzy] = []
    for languages, names in by_languages.items():
        model = channel(languages)
        zipf = model.words.zipf(word)
        if zipf >= (6.5 if names.parts else 3.4):
            continue  # too common a word to be anybody's misspelling
        near = names.near(word)
        out += compounds(word, names, model)
        if not word.isascii():
            meant = latin_lookalike(word)
            if meant and meant in names.words:
                for brand, keyword, before, after in names.words[meant]:
                    phrase = f"{before} {word} {after}".strip()
                    out.append(Fuzzy(brand, keyword, phrase, "look-alike", 3.0))
        for name in near:
            judged = model.score(name, word)
            if judged is None:
                continue
            odds, kind = judged
            for brand, keyword, before, after in names.words[name]:
                backed = backing(model, f"{before} {after}".strip())
                if odds + backed < THRESHOLD - CONTEXT_HELP:
                    continue
                phrase = f"{before} {word} {after}".strip()
                out.append(Fuzzy(brand, keyword, phrase, kind, odds + backed - THRESHOLD))
    return tuple(out)


def compounds(word: str, names: Names, model: Channel) -> list[Fuzzy]:
    """Names written together with an ordinary word: ``jetbluefail``, ``lovejetblue``."""
    out: list[Fuzzy] = []
    if len(word) < 8 or model.words.zipf(word) > 1.5:
        return out
    for cut in range(3, len(word) - 2):
        for name, rest, common in ((word[:cut], word[cut:], 3.5), (word[cut:], word[:cut], 4.0)):
            owners = names.words.get(name) if len(name) > 4 else None
            if owners and model.words.zipf(rest) >= common and model.words.zipf(name) < _TOO_COMMON:
                for brand, keyword, before, after in owners:
                    if not before and not after:
                        out.append(Fuzzy(brand, keyword, word, "compound", 1.0))
    return out
