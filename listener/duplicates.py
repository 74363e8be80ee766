"""Posts that copy other posts: reposts by hand, share buttons, lightly edited spam.

Each post is sketched by MinHash (rensa, native) over its letter trigrams; bands of the sketch point
to the few earlier posts that may be alike, and the edit distance of the texts decides. Everything has
a fixed size: the bands are direct-mapped tables, the window holds the ``window`` groups last heard of.
A stream of any length runs in the same memory, and a group that falls silent for a whole window is
forgotten.

MinHash and banding: Broder 1997; Leskovec, Rajaraman, Ullman, *Mining of Massive Datasets*, ch. 3.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz.distance import Levenshtein
from rensa import RMinHash

from listener.folding import SPACELESS, plain

ROWS = 4  # values of the sketch in one band: how alike posts must be to meet in a band
BANDS = 32
# The share of letters that two posts have in common, in order, to be copies: of long texts, and of
# short ones. "Your customer service is crap" and "… terrible" are two people's own words.
ALIKE, ALIKE_SHORT = 0.77, 0.86
SHORT, LONG = 30, 70  # letters up to which a text is short, and from which on it is long
# Letters below which not even equal texts are copies: "thank you" and "just sent thanks" are said by
# many. Of 14,640 posts to airlines, equal texts below this were so by chance, longer ones were shared.
SHORTEST = 20
_LINK = re.compile(r"https?://|\bwww\.", re.I)
_DRESS = re.compile(
    r"https?://\S*|\bwww\.\S+|^\s*(?:rt\b\s*:?\s*)?(?:[@.]\w+[:,]?\s+)+|\bvia @\w+", re.I
)


class Grouper:
    """Puts posts into groups of near-copies, one by one, in the order in which they are added.

    ``earlier`` are (key, text) of groups to start from, oldest first: what ``groups()`` gave before, or
    what a store holds. The same posts in the same order always give the same groups.
    """

    def __init__(
        self,
        *,
        window: int = 100_000,
        earlier: Iterable[tuple[str, str]] = (),
        alike: float = ALIKE,
    ) -> None:
        if window < 1:
            raise ValueError(f"window is {window}: it must hold at least one post")
        self._alike = alike
        self._window = window
        slots = 1 << max(10, (window * 2 - 1).bit_length())
        self._mask = np.uint64(slots - 1)
        self._tables = np.full((BANDS, slots), -1, dtype=np.int64)
        self._bands = np.arange(BANDS)
        self._mix = (
            np.arange(1, ROWS + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        ) | np.uint64(1)
        self._groups: OrderedDict[int, tuple[str, str]] = OrderedDict()
        self._same: dict[str, int] = {}
        self._next = 0
        for key, text in earlier:
            self.add(key, text)

    def add(self, key: str, text: str) -> str:
        """The id of the post's group: the key of the first post that it is like, or its own."""
        words = core(text)
        length = letters(words)
        if length < SHORTEST:
            if not _LINK.search(text):
                return key
            words = " ".join(text.lower().split())  # a short text with the same link is a copy
        known = self._same.get(words)
        if known is not None:
            self._groups.move_to_end(known)
            return self._groups[known][0]
        if length < SHORTEST:
            self._remember(key, words)
            return key
        slots = self._slots(words)
        best = self._closest(words, slots)
        if best is None:
            best = self._remember(key, words)
            # Only a group's first post is looked for: what a restart reads back is the same.
            self._tables[self._bands, slots] = best
        else:
            self._groups.move_to_end(best)
        return self._groups[best][0]

    def forget(self, keys: Collection[str]) -> None:
        """Drop the groups of which these are the first post; cost: the groups of the window."""
        for number in [n for n, (key, _) in self._groups.items() if key in keys]:
            self._drop(number)

    def groups(self) -> Iterator[tuple[str, str]]:
        """(key, text) of the window's groups, those silent for longest first: the state to keep."""
        yield from self._groups.values()

    def __len__(self) -> int:
        return len(self._groups)

    def _slots(self, words: str) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
        sketch = RMinHash(BANDS * ROWS, 1)
        sketch.update([words[i : i + 3] for i in range(len(words) - 2)])
        digest = np.array(sketch.digest(), dtype=np.uint64).reshape(BANDS, ROWS)
        mixed = (digest * self._mix).sum(axis=1, dtype=np.uint64)
        mixed ^= mixed >> np.uint64(29)
        found: np.ndarray[tuple[int], np.dtype[np.uint64]] = mixed & self._mask
        return found

    def _closest(
        self, words: str, slots: np.ndarray[tuple[int], np.dtype[np.uint64]]
    ) -> int | None:
        best, most = None, max(self._alike, alike_at(letters(words)))
        for group in np.unique(self._tables[self._bands, slots]).tolist():
            if group not in self._groups:  # an empty slot, or a group that the window forgot
                continue
            other = self._groups[group][1]
            alike = Levenshtein.normalized_similarity(words, other, score_cutoff=most)
            if alike >= most and (best is None or alike > most):
                best, most = group, alike
        return best

    def _remember(self, key: str, words: str) -> int:
        number = self._next
        self._next += 1
        self._groups[number] = (key, words)
        self._same[words] = number
        if len(self._groups) > self._window:
            self._drop(next(iter(self._groups)))
        return number

    def _drop(self, number: int) -> None:
        _, text = self._groups.pop(number)
        if self._same.get(text) == number:
            del self._same[text]


def core(text: str) -> str:
    """What of a post is its own: folded, without links, leading handles and "RT"; may be nothing."""
    return plain(_DRESS.sub(" ", text))


def letters(words: str) -> int:
    """How much a folded text says, in letters; scripts without blanks say a word in two or three."""
    return len(words) if words.isascii() else len(words) + 2 * len(SPACELESS.findall(words))


def alike_at(length: int) -> float:
    """The share of letters that copies of a text of this length have in common at least."""
    part = min(1.0, max(0.0, (length - SHORT) / (LONG - SHORT)))
    return ALIKE_SHORT + part * (ALIKE - ALIKE_SHORT)


@dataclass(frozen=True, slots=True)
class Flood:
    """How a group of copies came: ``authors`` is None where no post says who wrote it."""

    copies: int
    authors: int | None
    per_minute: float  # copies in the busiest minute
    flood: bool
    reason: str


def flood(posts: Sequence[tuple[int, str | None]], *, fast: int = 10, each: float = 3.0) -> Flood:
    """Whether the copies of one group, (epoch seconds, author or None) each, look like machines' work.

    Marked: ``fast`` copies or more within one minute, or ten and more copies of which each author wrote
    ``each`` or more on average. People who press a share button are slower, and press it once.
    """
    times = sorted(t for t, _ in posts)
    busiest, first = 0, 0
    for last, moment in enumerate(times):
        while moment - times[first] >= 60:
            first += 1
        busiest = max(busiest, last - first + 1)
    known = {author for _, author in posts if author is not None}
    written = sum(author is not None for _, author in posts)
    authors = len(known) if known else None
    if busiest >= fast:
        return Flood(len(posts), authors, busiest, True, f"{busiest} copies within one minute")
    if authors and written >= 10 and written / authors >= each:
        reason = f"{written} copies by {authors} author{'s' if authors > 1 else ''}"
        return Flood(len(posts), authors, busiest, True, reason)
    return Flood(len(posts), authors, busiest, False, "")
