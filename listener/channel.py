"""How likely a string is a name gone wrong, rather than a word of its own: a noisy channel.

``score`` is log10 of P(name) · P(string | name) over P(string as anything else), with

* P(name) from wordfreq, floored, since a brand that is watched is talked about;
* P(string | name) from the error counts in ``data/errors.json`` (source and script are named there),
  smoothed with neighbouring keys, plus whole-word ways of writing (sounds alike, vowels left out,
  look-alike characters, letters held down);
* P(string as anything else) from wordfreq in the languages listened to: the string as a word, the
  string as a slip for a more common word (``coast`` may be a slip for ``cost``, ``sprng`` more likely
  one for *spring* than for *Sprint*), and, for strings that no list holds, what is left for one
  unseen string of that length.

All strings here are folded (``folding.plain``) and hold no blanks. Frequencies are on the Zipf scale:
log10 of occurrences in a billion words.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from rapidfuzz.distance import OSA, Levenshtein

from listener.folding import SPACELESS, fold_words

BRAND_FLOOR = (
    3.5  # Zipf: what a watched name is taken to reach at least, new or foreign as it may be
)
NAME_ERROR = -1.7  # log10 of how often a name is misspelled at all, about one time in fifty
COMMON = 3.0  # Zipf from which on a word is common enough to be what somebody else misspelled
# Zipf of one unseen string, by its length: short ones are abbreviations, slang, other people's names.
_UNSEEN = {1: 5.0, 2: 3.5, 3: 2.2, 4: 1.0, 5: 0.2, 6: -0.5, 7: -1.0, 8: -1.5, 9: -2.0}

# The tail of the word lists holds many misspellings, of well-known names above all (*addidas*,
# *verison*): being listed there speaks against a string only as much
# as strings of its length are often words.
RARE = 2.3
_RELIEF = {1: 0.0, 2: 0.0, 3: 0.0, 4: 0.0, 5: 0.6, 6: 1.0}

_ROWS = {
    "qwerty": ("qwertyuiop", "asdfghjkl", "zxcvbnm"),
    "qwertz": ("qwertzuiopü", "asdfghjklöä", "yxcvbnm"),
    "azerty": ("azertyuiop", "qsdfghjklm", "wxcvbn"),
    "йцукен": ("йцукенгшщзхъ", "фывапролджэ", "ячсмитьбю"),
}
LAYOUTS = {"de": "qwertz", "at": "qwertz", "pl": "qwerty", "cs": "qwertz", "hu": "qwertz",
           "fr": "azerty", "ru": "йцукен", "uk": "йцукен"}  # fmt: skip
LEET = {"0": "o", "1": "il", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "9": "g", "6": "g"}
_VOWELS = frozenset("aeiouy")

# Spelling to sound, coarsely, over English, German, Romance and Indian English habits. Longest first.
_SOUNDS = (
    ("sch", "S"), ("tch", "C"), ("dge", "J"), ("ght", "t"), ("eau", "o"), ("que", "k"),
    ("ph", "f"), ("gh", "g"), ("ck", "k"), ("sh", "S"), ("ch", "C"), ("th", "t"), ("wh", "w"),
    ("qu", "k"), ("kn", "n"), ("wr", "r"), ("dj", "J"), ("ee", "i"), ("ea", "i"), ("ie", "i"),
    ("ei", "i"), ("ey", "i"), ("oo", "u"), ("ou", "u"), ("ai", "e"), ("ay", "e"), ("ae", "e"),
    ("ce", "se"), ("ci", "si"), ("cy", "si"), ("x", "ks"), ("c", "k"), ("q", "k"), ("z", "s"),
    ("y", "i"), ("w", "v"), ("j", "J"), ("h", ""),
)  # fmt: skip
# One spelling of a sound for another, as people swap them when they write by ear.
RESPELLINGS = (
    ("ph", "f"), ("ck", "k"), ("c", "k"), ("k", "c"), ("z", "s"), ("s", "z"), ("y", "i"), ("i", "y"),
    ("x", "cks"), ("x", "ks"), ("cks", "x"), ("ks", "x"), ("ee", "ea"), ("ea", "ee"), ("ie", "ei"),
    ("ei", "ie"), ("oo", "u"), ("ou", "u"), ("ou", "oo"), ("w", "v"), ("v", "w"), ("qu", "q"),
    ("q", "qu"), ("c", "s"), ("s", "c"), ("f", "ph"), ("th", "t"), ("wh", "w"), ("j", "g"), ("g", "j"),
    ("ch", "sh"), ("sh", "ch"), ("sch", "sh"), ("x", "z"), ("y", "ie"), ("ai", "ay"), ("u", "oo"),
)  # fmt: skip
_SOUND = re.compile("|".join(k for k, _ in _SOUNDS))
_SOUND_OF = dict(_SOUNDS)
_RUN = re.compile(r"(.)\1+")
_LONG_RUN = re.compile(r"(.)\1{2,}")


@lru_cache(maxsize=200_000)
def sound(word: str) -> str:
    """A coarse key of how a word sounds; equal keys may be said alike."""
    return _RUN.sub(r"\1", _SOUND.sub(lambda m: _SOUND_OF[m.group()], word))


@lru_cache(maxsize=200_000)
def skeleton(word: str) -> str:
    """The first letter and the consonants: what is left when vowels are left out."""
    return word[:1] + "".join(c for c in word[1:] if c not in _VOWELS)


def unleet(word: str) -> Iterator[str]:
    """The words meant where digits stand for letters (``g00gle``); nothing where there are none."""
    if word.isalpha() or not any(c in LEET for c in word):
        return
    one = "".join(LEET.get(c, c)[0] for c in word)
    yield one
    other = "".join(LEET.get(c, c)[-1] for c in word)
    if other != one:
        yield other


@dataclass(frozen=True, slots=True)
class Reading:
    """How a string may come from a name: log10 of the probability, and the kind of slip."""

    logp: float
    kind: str


class Errors:
    """Rates of single slips: log10 P(this slip | the word holds exactly one slip, word length 1)."""

    def __init__(self, layouts: Sequence[str] = ("qwerty",)) -> None:
        raw = json.loads((files("listener") / "data" / "errors.json").read_text("utf-8"))
        self._counts: dict[str, dict[str, int]] = {
            k: raw[k] for k in ("sub", "swap", "drop", "single", "double", "add")
        }
        self._letters: dict[str, int] = raw["letters"]
        self._pairs: dict[str, int] = raw["pairs"]
        self._twins: dict[str, int] = raw["twins"]
        total = sum(self._letters.values())
        slips = sum(sum(c.values()) for c in self._counts.values())
        self._rate = slips / total  # slips a letter, in words known to be wrong
        words = sum(raw["errors"].values())
        self.several = {int(k): math.log10(v / words) for k, v in raw["errors"].items()}
        self._slots: int = total + raw["words"]
        mean_length = total / raw["words"]
        self.first = {
            k: math.log10(max(raw["first"].get(k, 0), 5) * mean_length / sum(c.values()))
            for k, c in self._counts.items()
        }
        self.near = _neighbours(layouts)
        self._memo: dict[tuple[str, str], float] = {}
        self._confused: dict[str, str] = {}

    def confused(self, letter: str) -> str:
        """The six letters most often written for this one."""
        if letter not in self._confused:
            found = sorted(
                (-count, pair[1])
                for pair, count in self._counts["sub"].items()
                if pair[0] == letter
            )
            self._confused[letter] = "".join(other for _, other in found[:6])
        return self._confused[letter]

    def slip(self, kind: str, letters: str) -> float:
        """log10 of the rate of a slip; divide by the word's length (subtract its log10) for P."""
        key = (kind, letters)
        known = self._memo.get(key)
        if known is None:
            known = self._memo[key] = math.log10(self._slip(kind, letters) / self._rate)
        return known

    def _slip(self, kind: str, letters: str) -> float:
        seen: int = self._counts[kind].get(letters, 0)
        if kind == "swap":
            return (seen + 1.0) / (self._pairs.get(letters, 0) + 60)
        if kind == "add":
            return (seen + 20.0) / self._slots
        if kind == "single":
            return (seen + 6.0) / (self._twins.get(letters, 0) + 20)
        of = self._letters.get(letters[0], 0) + 500
        if kind == "sub":
            # The lists know better what sounds alike than what lies alike: fingers get a share of
            # their own, two letters in a thousand spread over the neighbours.
            return (seen + 1.0) / of + (
                0.0006 if letters[1] in self.near.get(letters[0], "") else 0
            )
        return (seen + 3.0) / of


def _neighbours(layouts: Sequence[str]) -> dict[str, str]:
    near: dict[str, set[str]] = {}
    for layout in layouts:
        rows = _ROWS[layout]
        for r, row in enumerate(rows):
            for i, key in enumerate(row):
                around = {row[j] for j in (i - 1, i + 1) if 0 <= j < len(row)}
                if r + 1 < len(rows):
                    around |= {rows[r + 1][j] for j in (i - 1, i) if 0 <= j < len(rows[r + 1])}
                for other in around:
                    near.setdefault(key, set()).add(other)
                    near.setdefault(other, set()).add(key)
    return {k: "".join(sorted(v)) for k, v in near.items()}


class Words:
    """Ordinary words of the languages listened to, and which common word a string is a slip of."""

    def __init__(self, languages: Sequence[str]) -> None:
        import wordfreq  # its lists take a quarter of a second: only those who judge words pay

        lists: dict[str, dict[str, float]] = {}
        known = wordfreq.available_languages("best")
        for language in dict.fromkeys((*languages, "en")):
            code = language.split("-")[0].lower()
            if code in known:
                lists[code] = wordfreq.get_frequency_dict(code, wordlist="best")
        self._lists = list(lists.values())
        self._folded: list[dict[str, float]] = []
        for code, words in lists.items():
            # Words are looked up folded. English has next to none that folding changes.
            accented = [w for w in words if not w.isascii() and not SPACELESS.match(w)]
            if code != "en" and accented:
                folded = zip(fold_words(accented), accented, strict=True)
                self._folded.append({plain: words[w] for plain, w in folded})
        self._deletes: dict[str, list[str]] | None = None

    def _index(self) -> dict[str, list[str]]:
        """Common words by what is left when a letter is dropped; made when first needed."""
        index: dict[str, list[str]] = {}
        for words in self._lists:
            for word, f in words.items():
                if f < 10 ** (COMMON - 9):
                    break  # the lists are in order of frequency
                if len(word) > 2:
                    for key in {word, *(word[:i] + word[i + 1 :] for i in range(len(word)))}:
                        index.setdefault(key, []).append(word)
        return index

    def zipf(self, word: str) -> float:
        """The highest Zipf frequency over the languages; minus infinity for a word of none."""
        f = max((d.get(word, 0.0) for d in (*self._lists, *self._folded)), default=0.0)
        return math.log10(f) + 9 if f else -math.inf

    def near(self, word: str) -> set[str]:
        """Common words at one slip's distance (or two: one dropped, one added)."""
        if self._deletes is None:
            self._deletes = self._index()
        index = self._deletes
        out = set(index.get(word, ()))
        for i in range(len(word)):
            out.update(index.get(word[:i] + word[i + 1 :], ()))
        out.discard(word)
        return out


class Channel:
    """The scores of strings against names, for one set of languages. Pure; everything is memoised."""

    def __init__(self, languages: Sequence[str] = ("en",)) -> None:
        layouts = dict.fromkeys(("qwerty", *(LAYOUTS.get(x, "qwerty") for x in languages)))
        self.errors = Errors(tuple(layouts))
        self.words = Words(languages)

    def unseen(self, token: str) -> float:
        """Zipf of one string of this length that no list holds."""
        return _UNSEEN.get(len(token), _UNSEEN[9])

    def name_zipf(self, name: str) -> float:
        """Zipf of a folded name; of names like mcdonalds, whichever way with or without apostrophe."""
        owned = self.words.zipf(name[:-1] + "'s") if name.endswith("s") else -math.inf
        return max(BRAND_FLOOR, self.words.zipf(name), owned)

    def edits(self, name: str, token: str) -> Reading | None:
        """The likeliest way from name to token by up to three slips of single letters."""
        n, m = len(name), len(token)
        if abs(n - m) > 3 or not n:
            return None
        single = self._single(name, token)
        if single:
            return single
        if n > 30 or m > 30:
            return None
        steps = Levenshtein.editops(name, token)
        if OSA.distance(name, token, score_cutoff=3) < len(steps):
            return self._swapped(name, token)
        if len(steps) > 3:
            return None
        e, scale, logp, how = self.errors, -math.log10(n), 0.0, ""
        for step in steps:
            i, j = step.src_pos, step.dest_pos
            if step.tag == "replace":
                how, letters = "sub", name[i] + token[j]
            elif step.tag == "delete":
                how, letters = ("single" if i and name[i] == name[i - 1] else "drop"), name[i]
            else:
                how, letters = ("double" if i and token[j] == name[i - 1] else "add"), token[j]
            logp += e.slip(how, letters) + scale + (e.first[how] if i == 0 else 0.0)
        return Reading(logp + e.several[len(steps)], _KINDS[how])

    def _swapped(self, name: str, token: str) -> Reading | None:
        """As ``edits`` for two letters swapped beside one other slip."""
        best: Reading | None = None
        scale = -math.log10(len(name)) + self.errors.several[2] - self.errors.several[1]
        for i in range(len(name) - 1):
            a, b = name[i], name[i + 1]
            rest = self._single(name[:i] + b + a + name[i + 2 :], token) if a != b else None
            if rest is not None:
                logp = rest.logp + self.errors.slip("swap", a + b) + scale
                logp += self.errors.first["swap"] if i == 0 else 0.0
                if best is None or logp > best.logp:
                    best = Reading(logp, "swapped letters")
        return best

    def _single(self, name: str, token: str) -> Reading | None:
        """As ``edits`` where one slip explains the token: no table is needed."""
        n, m = len(name), len(token)
        if abs(n - m) > 1 or name == token:
            return None
        i = 0
        while i < min(n, m) and name[i] == token[i]:
            i += 1
        e = self.errors
        if m == n and name[i + 1 :] == token[i + 1 :]:
            how, letters = "sub", name[i] + token[i]
        elif (
            m == n and name[i : i + 2] == token[i : i + 2][::-1] and name[i + 2 :] == token[i + 2 :]
        ):
            how, letters = "swap", name[i : i + 2]
        elif m == n - 1 and name[i + 1 :] == token[i:]:
            how, letters = ("single" if i and name[i] == name[i - 1] else "drop"), name[i]
        elif m == n + 1 and name[i:] == token[i + 1 :]:
            how, letters = ("double" if i and token[i] == token[i - 1] else "add"), token[i]
        else:
            return None
        logp = e.slip(how, letters) - math.log10(n) + (e.first[how] if i == 0 else 0.0)
        return Reading(logp + e.several[1], _KINDS[how])

    def reading(self, name: str, token: str) -> Reading | None:
        """The likeliest way from name to token, by letters or as a whole; None where there is none."""
        if token == name:
            return Reading(0.0, "name")
        found = [r for r in (self.edits(name, token), *self._whole(name, token)) if r]
        if not found:
            return None
        best = max(found, key=lambda r: r.logp)
        if best.kind == "wrong letter":
            pair = next((a, b) for a, b in zip(name, token, strict=False) if a != b)
            if pair[0] in _VOWELS and pair[1] in _VOWELS:
                return Reading(best.logp, "vowel")
            if pair[1] in self.errors.near.get(pair[0], ""):
                return Reading(best.logp, "neighbouring key")
        return best

    def _whole(self, name: str, token: str) -> Iterator[Reading]:
        if token == name + "s" and not name.endswith("s"):
            yield Reading(-0.5, "plural")
        if name.endswith("s") and token == name[:-1] and len(name) > 4:
            yield Reading(0.0, "plural")
        short = _LONG_RUN.sub(r"\1", token)
        if short != token and (short == name or _RUN.sub(r"\1", token) == _RUN.sub(r"\1", name)):
            yield Reading(-1.0, "doubled letter")
        if len(name) > 4 and sound(name) == sound(token):
            yield Reading(-1.9 if _respelled(name, token) else -3.2, "sounds alike")
        bones = skeleton(name)
        if token == bones and len(bones) >= 4:
            yield Reading(-1.5, "vowels left out")
        elif (
            skeleton(token) == bones
            and len(token) < len(name)
            and len(bones) >= 4
            and _within(token, name)
        ):
            yield Reading(-2.0, "vowels left out")
        model = token[len(name) :]
        if token.startswith(name) and model.isdecimal() and len(model) < 4 and len(name) > 3:
            yield Reading(-1.5, "suffix")
        if any(word == name for word in unleet(token)):
            yield Reading(-1.3, "look-alike")

    @lru_cache(maxsize=65536)  # noqa: B019  # channels are few and live as long as the process
    def _others(self, token: str, name: str) -> float:
        zipf = self.words.zipf(token)
        if zipf < RARE and zipf < self.name_zipf(name) - 1.3:
            zipf -= _RELIEF.get(len(token), 1.5)
        stem = token[:-1]
        if token.endswith("s") and stem != name and self.words.zipf(stem) >= COMMON:
            zipf = max(zipf, self.words.zipf(stem) - 0.7, self.words.zipf(stem + "'s"))
        mass = 10 ** max(zipf, self.unseen(token))
        for word in self.words.near(token):
            if word in (name, name + "s", name + "'s") or not word.isalpha():
                continue
            reading = self._single(word, token)
            if reading:
                mass += 10 ** (self.words.zipf(word) + NAME_ERROR + reading.logp)
        return math.log10(mass)

    def judge(self, name: str, token: str) -> tuple[float, float, str] | None:
        """(log10 of the odds that ``token`` is ``name`` misspelled, log10 of how often such a slip
        is made, its kind); None if out of reach."""
        reading = self.reading(name, token)
        if reading is None or reading.kind == "name":
            return None
        mine = self.name_zipf(name) + NAME_ERROR + reading.logp
        if mine < -4:
            return None
        return mine - self._others(token, name), reading.logp, reading.kind

    def score(self, name: str, token: str) -> tuple[float, str] | None:
        """As ``judge``, the odds and the kind alone."""
        judged = self.judge(name, token)
        return (judged[0], judged[2]) if judged else None


@lru_cache(maxsize=65536)
def _respelled(name: str, token: str) -> bool:
    """Whether one sound of the name, written as another spelling of it, gives the token."""
    for old, new in RESPELLINGS:
        at = name.find(old)
        while at >= 0:
            if name[:at] + new + name[at + len(old) :] == token:
                return True
            at = name.find(old, at + 1)
    return False


def _within(short: str, long: str) -> bool:
    letters = iter(long)
    return all(c in letters for c in short)


_KINDS = {
    "sub": "wrong letter", "swap": "swapped letters", "drop": "dropped letter",
    "single": "dropped letter", "double": "doubled letter", "add": "added letter",
}  # fmt: skip


@lru_cache(maxsize=16)
def channel(languages: tuple[str, ...] = ("en",)) -> Channel:
    """The channel of these languages, made once in a process."""
    return Channel(languages)
