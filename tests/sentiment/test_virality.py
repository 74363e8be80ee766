"""A post that takes off is told before the counts rise; a loud author's ordinary post is not."""

from __future__ import annotations

from sentiment.virality import Engaged, taking_off

NOW = 1_000_000
HOUR = 3600


def ordinary(n: int = 40) -> list[Engaged]:
    return [Engaged(f"p{i}", f"a{i}", NOW - (i + 2) * HOUR, 2 + i % 4) for i in range(n)]


def test_a_complaint_that_takes_off_is_found() -> None:
    rising = Engaged("hot", "someone", NOW - HOUR, 120)
    (found,) = taking_off([*ordinary(), rising], NOW)
    assert found.key == "hot"
    assert found.velocity == 120
    assert found.score > 5
    assert found.usual < 10
    assert found.basis == "brand"


def test_what_is_usual_for_its_author_is_no_news() -> None:
    star = [Engaged(f"s{i}", "star", NOW - (30 + i) * HOUR, 900) for i in range(5)]
    young = Engaged("again", "star", NOW - 2 * HOUR, 200)
    assert taking_off([*ordinary(), *star, young], NOW) == []


def test_few_or_old_or_unknown_engagements_are_not_judged() -> None:
    few = Engaged("few", "b", NOW - 60, 10)
    old = Engaged("old", "b", NOW - 30 * HOUR, 5000)
    unknown = Engaged("unknown", "b", NOW - HOUR, 0, known=False)
    ahead = Engaged("clock", "b", NOW + HOUR, 500)
    assert taking_off([*ordinary(), few, old, unknown, ahead], NOW) == []
    assert taking_off([Engaged("alone", "b", NOW - HOUR, 500)], NOW) == []
