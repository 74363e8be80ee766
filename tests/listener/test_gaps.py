"""Which hours are not known: where a source left something out, or gives no answer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from listener.collectors import Coverage, Page
from listener.config import parse_config
from listener.coverage import Hole, unknown_hours
from listener.mention import epoch, moment
from listener.pipeline import Pipeline
from listener.store import Filter, Store

HOUR, DAY = 3600, 86_400
NOW = epoch(datetime(2026, 3, 20, 9, 20, tzinfo=UTC))
THIS_HOUR = NOW - NOW % HOUR


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "t.db") as opened:
        yield opened


def counted(store: Store, platform: str, posts: int, hour: int, brand: str = "Acme") -> None:
    with store.write() as db:
        db.execute(
            "INSERT INTO counts VALUES (?, ?, ?, '', '', '', 'negative', ?, 0)",
            (hour, brand, platform, posts),
        )


def heard(
    store: Store, platform: str, now: int, hole: tuple[int, int] | None = None, source: str = ""
) -> None:
    """A request that succeeded, with the hole that it left, if any."""
    start, end = (None, None) if hole is None else (moment(hole[0]), moment(hole[1]))
    seen = Coverage(
        truncated=hole is not None, hole_start=start, hole_end=end,
        window_start=end, window_end=moment(now),
    )  # fmt: skip
    store.save_page(
        Page((), {}, seen), source=source or platform, platform=platform, query="q", matches=(),
        from_brand=(), rules="r", now=now,
    )  # fmt: skip


def failed(store: Store, platform: str, now: int) -> None:
    store.save_failure(source=platform, platform=platform, query="q", reason="HTTP 503", now=now)


def test_an_hour_is_unknown_where_more_than_half_of_its_usual_posts_may_be_missing() -> None:
    posts = {"bluesky": 60, "rss": 30, "hackernews": 10}
    assert unknown_hours([Hole("bluesky", 2 * HOUR, 5 * HOUR)], posts) == [(2 * HOUR, 5 * HOUR)]
    assert unknown_hours([Hole("rss", 0, 9 * HOUR)], posts) == []
    assert unknown_hours([Hole("nothing ever came of it", 0, 9 * HOUR)], posts) == []
    # Two thirds of an hour of six tenths of the posts are four tenths.
    assert unknown_hours([Hole("bluesky", HOUR, HOUR + 2400)], posts) == []
    # Two platforms' holes add up; the same hole told by two queries does not.
    one, other = Hole("bluesky", HOUR, HOUR + 2400), Hole("rss", HOUR, 2 * HOUR)
    assert unknown_hours([one, other], posts) == [(HOUR, 2 * HOUR)]
    assert unknown_hours([one, one, Hole("bluesky", HOUR + 60, HOUR + 2400)], posts) == []
    assert unknown_hours([Hole("rss", 0, HOUR)], {}) == []


def test_the_hole_is_unknown_and_what_came_after_it_is_not(store: Store) -> None:
    hour = THIS_HOUR - 60 * HOUR
    counted(store, "bluesky", 9, hour - HOUR)
    heard(store, "jetstream", NOW, (hour, hour + 48 * HOUR))
    everything = Filter(since=hour - 90 * HOUR)
    assert store.gaps(everything, NOW) == [(hour, hour + 48 * HOUR)]
    assert store.gaps(Filter(since=hour + 50 * HOUR), NOW) == []


def test_a_gap_is_only_of_the_brands_and_platforms_that_it_feeds(store: Store) -> None:
    hour = THIS_HOUR - 5 * HOUR
    counted(store, "bluesky", 9, hour)
    counted(store, "rss", 9, hour, brand="Other")
    heard(store, "jetstream", NOW, (hour, hour + HOUR))
    assert store.gaps_by_brand(hour - DAY, NOW) == {"Acme": [(hour, hour + HOUR)], "Other": []}
    assert store.gaps(Filter(brands=("Other",)), NOW) == []
    assert store.gaps(Filter(platforms=("bluesky",)), NOW) == [(hour, hour + HOUR)]


def test_a_source_that_fails_leaves_a_gap_until_it_answers_again(store: Store) -> None:
    counted(store, "x", 9, THIS_HOUR - 10 * HOUR)
    heard(store, "x", THIS_HOUR - 4 * HOUR)
    for hours in (3, 2, 1, 0):
        failed(store, "x", THIS_HOUR - hours * HOUR)
    everything = Filter(since=THIS_HOUR - 20 * HOUR)
    # The hour that is running is judged by what has come.
    assert store.gaps(everything, NOW) == [(THIS_HOUR - 4 * HOUR, THIS_HOUR)]
    assert store.gaps_by_brand(THIS_HOUR - 20 * HOUR, NOW) == {
        "Acme": [(THIS_HOUR - 4 * HOUR, THIS_HOUR)]
    }
    heard(store, "x", NOW)  # it walks back to where it stood
    assert store.gaps(everything, NOW) == []


def test_a_source_that_fails_for_long_leaves_the_rest_to_the_others(store: Store) -> None:
    last = THIS_HOUR - 10 * DAY
    counted(store, "x", 9, last)
    heard(store, "x", last)
    failed(store, "x", NOW)
    failed(store, "rss", NOW)  # it never answered, so nothing was ever counted of it
    assert store.gaps(Filter(since=last - DAY), NOW) == [(last, last + 3 * DAY)]


def test_a_spike_is_told_although_a_small_source_never_keeps_up(store: Store) -> None:
    config = parse_config("brands: [{name: Acme}]\nsources: [{platform: hackernews}]\n")
    line = Pipeline(store, config, clock=lambda: datetime.fromtimestamp(NOW, UTC))
    first = THIS_HOUR - 12 * DAY
    for n in range(12 * 24 + 1):
        hour = first + n * HOUR
        counted(store, "hackernews", 100 if hour >= THIS_HOUR - HOUR else 18 + n % 5, hour)
        counted(store, "rss", 1, hour)
        heard(store, "rss", hour, (hour - HOUR, hour))  # rolled over at every look
    line.spike()
    (found,) = [s for s in store.spikes() if s["kind"] == "negative" and s["region"] == "*"]
    assert found["start"] == THIS_HOUR - HOUR
    assert found["end"] is None


def test_a_stream_that_was_down_teaches_nothing_of_that_time(store: Store) -> None:
    """Two days without posts are two unknown days: what is usual stays as it was before."""
    config = parse_config("brands: [{name: Acme}]\nsources: [{platform: jetstream}]\n")
    line = Pipeline(store, config, clock=lambda: datetime.fromtimestamp(NOW, UTC))
    first, back = THIS_HOUR - 12 * DAY, THIS_HOUR - 6 * HOUR
    for n in range(12 * 24 + 1):
        hour = first + n * HOUR
        if not back - 2 * DAY <= hour < back:
            counted(store, "bluesky", 100 if hour == THIS_HOUR else 18 + n % 5, hour)
    heard(store, "jetstream", back, (back - 2 * DAY, back))
    line.spike()
    (found,) = [s for s in store.spikes() if s["kind"] == "negative" and s["region"] == "*"]
    assert found["start"] == THIS_HOUR
    assert found["expected"] == pytest.approx(20, abs=1)


@pytest.mark.parametrize("silent", ["the network", "the people"])
def test_a_spike_is_over_when_people_are_silent_not_when_nothing_can_be_heard(
    store: Store, silent: str
) -> None:
    config = parse_config("brands: [{name: Acme}]\nsources: [{platform: hackernews}]\n")
    clock = [THIS_HOUR]
    line = Pipeline(store, config, clock=lambda: datetime.fromtimestamp(clock[0], UTC))
    for n in range(12 * 24 + 1):
        hour = THIS_HOUR - 12 * DAY + n * HOUR
        counted(store, "hackernews", 100 if hour >= THIS_HOUR - HOUR else 18 + n % 5, hour)
    heard(store, "hackernews", THIS_HOUR + HOUR - 60)

    def ends() -> set[int | None]:
        line.spike()
        return {s["end"] for s in store.spikes()}

    assert ends() == {None}
    for hours in range(1, 7):
        clock[0] = THIS_HOUR + hours * HOUR + 300
        if silent == "the network":
            failed(store, "hackernews", clock[0])
            assert ends() == {None}, hours
        else:
            heard(store, "hackernews", clock[0])
            assert ends() == {None if hours < 3 else THIS_HOUR + HOUR}, hours
    clock[0] += HOUR
    heard(store, "hackernews", clock[0])  # it answers again, and nobody has said anything since
    assert ends() == {THIS_HOUR + HOUR}


def test_a_hole_keeps_its_hours_in_the_ledger(store: Store) -> None:
    heard(store, "rss", NOW, (NOW - 500, NOW - 100))
    (row,) = store.coverage()
    assert (row["hole_start"], row["hole_end"]) == (NOW - 500, NOW - 100)
    assert moment(row["window_start"]) - moment(row["hole_end"]) == timedelta(0)
