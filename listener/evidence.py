"""What a post shows around a candidate: its boundaries, its sign, its link, its capitals. Pure text."""

from __future__ import annotations

import re
import unicodedata

from listener.mention import Match
from listener.terms import Candidate

APOSTROPHES = "'’‘ʼ`´＇"
_SPACE = re.compile(r"\s")
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


def inside_tag(text: str, c: Candidate) -> bool:
    """Whether a candidate is a piece of a longer #CamelCase tag."""
    first = c.start
    while first and (text[first - 1].isalnum() or text[first - 1] == "_"):
        first -= 1
    if not first or text[first - 1] not in "#＃":
        return False
    return first < c.start or text[c.end : c.end + 1].isalnum()


def in_link(text: str, start: int, end: int) -> str:
    """ "host", "path" or "" for a span inside a web address or outside of any."""
    first = start
    while first and not _SPACE.match(text[first - 1]):
        first -= 1
        if start - first > 300:
            return ""
    word = text[first:end].lower()
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
    kept: list[Match] = []
    for match in matches:
        empty = match.start == match.end
        if empty and (kept or any(m.end > m.start for m in matches)):
            continue
        if all(match.end <= k.start or match.start >= k.end for k in kept):
            kept.append(match)
    return kept
