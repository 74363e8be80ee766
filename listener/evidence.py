"""What a post shows around a candidate: its boundaries, its sign, its link, its capitals. Pure text."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from functools import lru_cache

from listener.mention import Match
from listener.terms import Candidate

APOSTROPHES = "'’‘ʼ`´＇"
_LONGEST_LINK = 300
_TAG = re.compile(r"[#＃](\w*)")
_LONGER_HANDLE = re.compile(
    # "@united-rebooked" names @united (X has no hyphen in a handle); "@acme-x.bsky.social" is another.
    r"@|[a-z0-9-]*(?:\.[a-z0-9-]+)*\.(?:social|com|net|org|app|io|dev|online|xyz)\b|-[\w-]+@"
)


def exact_reading(text: str) -> str:
    """Case and accents folded, blanks dropped, symbols kept."""
    low = unicodedata.normalize("NFKD", text.replace("&amp;", "&")).casefold()
    return "".join(c for c in low if not unicodedata.combining(c) and not c.isspace())


def reads(text: str, c: Candidate) -> bool:
    """Whether the original reads as the target's symbols say; edges may lie outside of the span."""
    wanted = c.target.exact
    if not wanted:
        return True
    margin = len(c.target.variant)
    return wanted in exact_reading(text[max(0, c.start - margin) : c.end + margin])


def widen(text: str, c: Candidate) -> None:
    """Takes symbols at the edges of the variant (``$potify``, ``Disney+``) into the span."""
    shown = c.target.variant
    if c.start and not shown[0].isalnum() and text[c.start - 1] == shown[0]:
        c.start -= 1
    if not shown[-1].isalnum() and text[c.end : c.end + 1] == shown[-1]:
        c.end += 1


def signed(text: str, c: Candidate) -> bool:
    return bool(c.start) and text[c.start - 1] in "@＠#＃" and whole(text, c)


def whole(text: str, c: Candidate) -> bool:
    """Whether a candidate is a handle of its own, not the start or the end of a longer one."""
    before = text[c.start - 1] if c.start else ""
    if before and before in "@＠":
        return not _LONGER_HANDLE.match(text, c.end) or bool(
            c.start > 1 and text[c.start - 2].isalnum()
        )
    if before and before in APOSTROPHES and c.start > 1 and text[c.start - 2].isalnum():
        # l'Oréal and d'Apple are elisions; "don't mobile" is not T-Mobile.
        return len(c.target.keyword.split("-")[0].split()[0]) > 2
    return True


@lru_cache(maxsize=1)  # a tag may hold thousands of candidates, and they come one after the other
def _tags(text: str) -> tuple[list[int], list[int]]:
    """Where the words of the #tags begin, and where they end."""
    spans = [found.span(1) for found in _TAG.finditer(text)]
    return [start for start, _ in spans], [end for _, end in spans]


def inside_tag(text: str, c: Candidate) -> bool:
    """Whether a candidate is a piece of a longer #CamelCase tag."""
    starts, ends = _tags(text)
    i = bisect_right(starts, c.start) - 1
    if i < 0 or ends[i] < c.start:
        return False
    return starts[i] < c.start or text[c.end : c.end + 1].isalnum()


def in_link(text: str, start: int, end: int) -> str:
    """ "host", "path" or "" for a span inside a web address or outside of any."""
    before = text[max(0, start - _LONGEST_LINK - 1) : start]
    lead = "" if before[-1:].isspace() or not before else before.split()[-1]
    if len(lead) > _LONGEST_LINK:
        return ""
    word = text[start - len(lead) : end].lower()
    at = word.find("://")
    if at < 0:
        if not word.startswith("www."):
            return ""
        at = 1
    return "path" if re.search(r"[/?#]", word[at + 3 :]) else "host"


def proper(text: str, c: Candidate) -> bool:
    """A capital that the place in the sentence does not explain."""
    word = text[c.start : c.end]
    if not word[:1].isupper() or text.isupper():
        return False
    before = text[: c.start].rstrip(" \"'“‘(@#")
    return bool(before) and before[-1] not in ".!?…\n:" and not (word.isupper() and len(word) > 4)


def best(matches: list[Match]) -> list[Match]:
    """One match for each place: the longest, then the best scored, wins over what overlaps it."""
    matches.sort(
        key=lambda m: (
            m.kind == "compound",
            m.start - m.end,
            -m.score,
            m.kind != "name",
            m.keyword,
            m.variant,
        )
    )
    if not any(m.end > m.start for m in matches):
        return matches[:1]
    kept: list[Match] = []
    starts: list[int] = []  # of what is kept, in the order of the text: no two of them overlap
    ends: list[int] = []
    for match in matches:
        i = bisect_left(starts, match.start)
        free = (i == 0 or ends[i - 1] <= match.start) and (
            i == len(starts) or match.end <= starts[i]
        )
        if free and match.end > match.start:
            kept.append(match)
            starts.insert(i, match.start)
            ends.insert(i, match.end)
    return kept
