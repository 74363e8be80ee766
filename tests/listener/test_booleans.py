"""Boolean queries: what they find, and where they say their faults are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.booleans import Node, Query, Span, _spans
from listener.errors import ConfigError
from listener.folding import fold_with_tags


@pytest.mark.parametrize(
    ("query", "text", "holds"),
    [
        ("delta", "Delta is late", True),
        ("delta", "deltas", False),
        ('"delta air lines"', "my Delta Air-Lines flight", True),
        ('"delta air lines"', "delta flight, air lines", False),
        ("delta flight", "the flight by delta", True),
        ("delta AND flight", "delta river", False),
        ("delta OR united", "United again", True),
        ("delta | united & late", "united is late", True),
        ("delta NOT river", "the delta river", False),
        ("delta -river", "delta flight", True),
        ("delta -(river OR force)", "delta force", False),
        ("deliver*", "they delivered it", True),
        ("deliver*", "undelivered", False),
        ("bag NEAR/3 lost", "they lost my blue bag", True),
        ("bag NEAR/3 lost", "lost in the rain without any bag", False),
        ("(bag OR luggage) NEAR/2 lost", "luggage lost", True),
        ("lost NEAR bag", "bag a b c d lost", True),
        ("@delta", "dear @Delta help", True),
        ("@delta", "dear delta help", False),
        ("#delta", "#delta", True),
        ("café", "the CAFE", True),
        ("ราคา", "ราคาแพง", True),
        ("delta NOT NOT flight", "delta flight", True),
    ],
)
def test_meaning(query: str, text: str, holds: bool) -> None:
    assert Query(query).holds(text) is holds


@pytest.mark.parametrize(
    ("query", "position"),
    [
        ("", 1),
        ("delta AND", 10),
        ("(delta OR united", 1),
        ("delta)", 6),
        ('say "delta', 5),
        ("delta OR OR united", 10),
        ("bag NEAR/x lost", 5),
        ("bag NEAR/0 lost", 5),
        ("delta !!!", 7),
        ("NEAR/3 bag", 1),
        ("bag NEAR/3 (lost NOT found)", 5),
    ],
)
def test_a_fault_is_told_with_its_position(query: str, position: int) -> None:
    with pytest.raises(ConfigError, match=f"at position {position}$"):
        Query(query)


def test_a_query_of_exclusions_alone_is_refused() -> None:
    with pytest.raises(ConfigError, match="every post"):
        Query("NOT delta")
    with pytest.raises(ConfigError, match="every post"):
        Query("delta OR NOT united")


def test_depth_is_limited_not_crashed_into() -> None:
    with pytest.raises(ConfigError, match="levels"):
        Query("(" * 5000 + "a" + ")" * 5000)


def test_spans_are_those_of_the_post() -> None:
    text = "Déjà vu: the DÉLTA!"
    found = Query("delta OR nothing").find(text)
    assert [text[a:b] for _, (a, b) in found] == ["DÉLTA"]


@given(st.text(alphabet='abc ()"-|&*@#NOTANDORNEAR/5 é', max_size=40), st.text(max_size=40))
def test_no_query_and_no_text_crashes(query: str, text: str) -> None:
    try:
        parsed = Query(query)
    except ConfigError:
        return
    found = parsed.find(text)
    assert all(0 <= a < b <= len(text) for _, (a, b) in found)


def near_by_definition(query: Query, node: Node, folded: str, text: str, offsets: Any) -> set[Span]:
    """Every pair of spans, the words between them counted."""
    if node.kind == "term":
        assert node.term is not None
        return set(_spans(node.term, folded, text, offsets))
    parts = [near_by_definition(query, part, folded, text, offsets) for part in node.parts]
    if node.kind == "or":
        return set().union(*parts)
    found = set()
    for a in parts[0]:
        for b in parts[1]:
            first, last = min(a, b), max(a, b)
            between = folded[first[1] : last[0]]
            if first[1] <= last[0] and len(between.split()) < node.gap:
                found.add((first[0], last[1]))
    return found


# 日本 ends inside of 日本語, and so a word is left over beside it.
WORDS = st.sampled_from(
    ["acme", "refund", "tea", "teas", "big", "ac-me", "日本", "日本語", "本acme", "x."]
)
NEAR = st.sampled_from(
    [
        "acme NEAR/{} refund",
        '"big tea" NEAR/{} acme',
        "(acme OR tea*) NEAR/{} refund NEAR/3 日本",
        "acme NEAR/{} acme",
        "日本 NEAR/{} 本",
        "(acme NEAR/{} tea*) NEAR/2 (refund NEAR/2 日本)",
    ]
)


@given(NEAR, st.integers(1, 4), st.lists(WORDS, max_size=14), st.sampled_from([" ", ""]))
def test_near_means_fewer_words_between_than_it_says(
    query: str, gap: int, words: list[str], blank: str
) -> None:
    parsed, text = Query(query.format(gap)), blank.join(words)
    folded, offsets = fold_with_tags(text)
    padded = f" {folded} "
    wanted = near_by_definition(parsed, parsed.root, padded, text, offsets)
    assert set(parsed._near(parsed.root, padded, text, offsets)) == wanted
    assert parsed.holds(text) is bool(wanted)
