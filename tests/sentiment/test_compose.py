"""Posts composed for training: whose label is whose."""

from __future__ import annotations

import random

import pytest

from sentiment.training import compose
from sentiment.training.templates import N, O, P

LATE = ("@user my flight is late.", (0, 5), N)
LOVELY = ("@user lovely crew", (0, 5), P)


@pytest.mark.parametrize(
    ("post", "clauses", "wanted"),
    [
        (LATE, {(N, P): ("next time {b}",)}, {N: "@user", P: "{b}"}),
        (LATE, {(N, O): ("rebooked with {b}",)}, {N: "@user", O: "{b}"}),
        (LOVELY, {(P, N): ("unlike {b}",)}, {P: "@user", N: "{b}"}),
    ],
)
def test_each_brand_of_a_composed_post_has_its_own_label(
    post: compose.Post, clauses: compose.Clauses, wanted: dict[int, str]
) -> None:
    rng = random.Random(1)
    seen = set()
    for _ in range(60):
        made = compose.compose(rng, post, clauses, {})
        assert made is not None
        text, (start, end), label = made
        seen.add(label)
        first = start == 0
        assert first == (wanted[label] == "@user")
        assert text.startswith(post[0].rstrip("."))
        if not first:  # the other brand stands where the clause has it
            clause = next(iter(clauses.values()))[0]
            before, after = clause.split("{b}")
            assert text[:start].lower().endswith(before)
            assert text[end:].startswith(after)
    assert seen == set(wanted)


def test_two_brands_spoken_to_at_once_share_the_label() -> None:
    rng = random.Random(2)
    for _ in range(80):
        made = compose._together(rng, LATE, "Acme")
        assert made is not None
        text, (start, end), label = made
        assert label == N
        assert text[start:end] in ("@user", "Acme")
        assert {"@user", "Acme"} <= {w.strip(":&") for w in text.split()}


def test_a_clause_leaves_no_blank_unfilled_and_every_span_is_a_name() -> None:
    posts = [LATE, LOVELY, ("@user what time", (0, 5), O)]
    others = {"english": posts, **dict.fromkeys(compose.OTHERS, posts)}
    for text, (start, end), label in compose.make(random.Random(3), posts, others, 3000):
        assert "{" not in text
        assert text[start:end] == "@user" or text[start:end] in compose.NAMES
        assert label in (N, O, P)
