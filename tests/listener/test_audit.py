"""What is said of each spelling, and when one is switched off."""

from __future__ import annotations

from typing import Any

import pytest

from listener.audit import audit, to_suspend, wilson


def row(**changes: Any) -> dict[str, Any]:
    base = {"brand": "Sprint", "variant": "sprit", "kind": "dropped letter", "hits": 40}
    return base | changes


def test_wilson_interval() -> None:
    low, high = wilson(8, 10)
    assert (low, high) == pytest.approx((0.4902, 0.9433), abs=1e-3)
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(10, 10)[1] == pytest.approx(1.0)
    assert 0 <= wilson(0, 10)[0] < wilson(0, 10)[1] < 0.35


def test_a_spelling_that_is_mostly_wrong_is_suspended_and_said_so() -> None:
    found = audit([row(reviewed=10, wrong=10)])
    assert found[0].suspend
    assert "10 of 10 reviewed" in found[0].reason
    assert to_suspend(found)[0][:2] == ("Sprint", "sprit")


@pytest.mark.parametrize(
    "changes",
    [
        {"reviewed": 3, "wrong": 3},  # too few marks to know
        {"reviewed": 10, "wrong": 6},  # may well be right half of the time
        {"reviewed": 0, "wrong": 0},
        {"reviewed": 20, "wrong": 20, "kind": "name"},  # what the user asked for
    ],
)
def test_a_spelling_in_doubt_is_kept(changes: dict[str, Any]) -> None:
    assert not audit([row(**changes)])[0].suspend


def test_nothing_reviewed_is_not_known_rather_than_zero() -> None:
    found = audit([row()])[0]
    assert found.precision is None
    assert found.low is None
    assert found.only == found.hits == 40  # kept under its best match: no name was in those posts
    assert audit([row(kind="name")])[0].only is None
    assert audit([row(only=3)])[0].only == 3


def test_what_is_suspended_already_is_shown_and_not_suspended_again() -> None:
    found = audit([row(reviewed=10, wrong=10)], suspended={"Sprint": frozenset({"sprit"})})
    assert found[0].suspended
    assert not found[0].suspend


def test_what_a_person_brought_back_stays() -> None:
    found = audit([row(reviewed=10, wrong=10)], kept={"Sprint": frozenset({"sprit"})})
    assert not found[0].suspend


def test_harm_comes_first_then_hits() -> None:
    rows = [
        row(variant="a", hits=5),
        row(variant="b", hits=9),
        row(variant="c", reviewed=9, wrong=9),
    ]
    assert [a.variant for a in audit(rows)] == ["c", "b", "a"]
