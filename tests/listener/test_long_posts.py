"""A long post, written to be slow to read, holds up no source and no stage."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.booleans import Query
from listener.evidence import best, inside_tag
from listener.matching import BrandTerms, Matcher
from listener.mention import Match
from listener.messages import harmless
from listener.terms import Candidate, Target

MATCHER = Matcher([BrandTerms("Acme", ("Acme",), auto=False)])
FAR = "acme " * 4000 + "x " * 20 + "refund"


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (Query("acme NEAR/5 refund").holds, "acme refund " * 4000),
        (Query("acme NEAR/999 acme NEAR/5 tea").holds, "acme refund " * 4000),
        (Query("acme NEAR/20 acme NEAR/5 refund").holds, FAR),
        (MATCHER.match, "acme " * 16_000),
        (MATCHER.match, "#" + "AcmeX" * 8000),
        (harmless, "a-" * 20_000),
    ],
)
def test_a_long_post_is_read_in_its_length(read: Callable[[str], Any], text: str) -> None:
    """Processor seconds, many times what it takes; read by pairs, it took from four to thousands."""
    start = time.process_time()
    read(text)
    assert time.process_time() - start < 2.5


def inside_by_definition(text: str, start: int, end: int) -> bool:
    first = start
    while first and (text[first - 1].isalnum() or text[first - 1] == "_"):
        first -= 1
    in_tag = first > 0 and text[first - 1] in "#＃"
    return in_tag and (first < start or text[end : end + 1].isalnum())


@given(st.text("aB_1 #＃-é日½$", max_size=14), st.integers(0, 14), st.integers(0, 5))
def test_a_piece_of_a_tag_stands_behind_its_sign(text: str, start: int, length: int) -> None:
    start = min(start, len(text))
    piece = Candidate(Target(0, "name", "a", "a", "name", 1.0), start, start + length, "name", 1.0)
    assert inside_tag(text, piece) is inside_by_definition(text, start, start + length)


MATCHES = st.builds(
    lambda kind, start, length, score: Match("Acme", "k", "v", kind, start, start + length, score),
    st.sampled_from(["name", "split", "compound", "link"]),
    st.integers(0, 10),
    st.sampled_from([0, 1, 2, 5]),
    st.sampled_from([0.5, 0.9]),
)


@given(st.lists(MATCHES, max_size=8))
def test_the_best_matches_leave_room_for_no_other(matches: list[Match]) -> None:
    """None overlaps another, each that was left out is overlapped, and empty ones are a last resort."""
    kept = best(list(matches))

    def overlap(a: Match, b: Match) -> bool:
        return a.start < b.end and b.start < a.end

    spans = [m for m in matches if m.end > m.start]
    if not spans:
        assert len(kept) == min(1, len(matches))
        return
    assert all(m.end > m.start for m in kept)
    assert not any(overlap(a, b) for i, a in enumerate(kept) for b in kept[:i])
    assert all(any(overlap(m, k) for k in kept) for m in spans)
    longest = max(
        (m for m in spans if m.kind != "compound"), default=None, key=lambda m: m.end - m.start
    )
    assert longest is None or any(k.end - k.start == longest.end - longest.start for k in kept)
