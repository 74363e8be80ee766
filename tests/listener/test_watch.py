"""From counts to series: what is zero, what is not known, and where a collection began."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from listener.watch import EVERYWHERE, HOUR, build_series, collection_begins, find, last_hour

START = 1_770_000_000 - 1_770_000_000 % HOUR


def rows(counts: Sequence[tuple[int, int, int]], brand: str = "Acme") -> list[dict[str, Any]]:
    """(negative, neutral, positive) an hour as the store's rows; hours without posts have none."""
    return [
        {"hour": START + n * HOUR, "brand": brand, "country": "DE", "label": label, "posts": posts}
        for n, three in enumerate(counts)
        for label, posts in zip(("negative", "neutral", "positive"), three, strict=True)
        if posts
    ]


def build(counts: Sequence[tuple[int, int, int]], **more: Any) -> Any:
    until = START + (len(counts) - 1) * HOUR
    return build_series(rows(counts), since=START, until=until, **more)


def test_before_the_first_post_is_unknown_and_after_it_zero() -> None:
    first, series = build([(0, 0, 0), (0, 0, 0), (1, 0, 0), (0, 0, 0), (0, 2, 1)])
    assert first == START
    assert [s.region for s in series] == [EVERYWHERE, "DE"]
    np.testing.assert_array_equal(series[0].all, [np.nan, np.nan, 1, 0, 3])
    np.testing.assert_array_equal(series[0].negative, [np.nan, np.nan, 1, 0, 0])


def test_a_gap_is_unknown_in_every_series_of_its_brand() -> None:
    gap = (START + 2 * HOUR + 60, START + 3 * HOUR + 60)
    _, series = build_series(
        [*rows([(1, 1, 1)] * 6), *rows([(1, 1, 1)] * 6, brand="Other")],
        since=START, until=START + 5 * HOUR, gaps={"Acme": [gap]},
    )  # fmt: skip
    assert len(series) == 4
    for one in series:
        if one.brand == "Other":
            assert not np.isnan(one.all).any()
            continue
        np.testing.assert_array_equal(np.isnan(one.all), [0, 0, 1, 1, 0, 0])


def test_an_hour_that_is_not_judged_yet_has_a_volume_and_no_feelings() -> None:
    waiting = [
        {"hour": START + HOUR, "brand": "Acme", "country": "DE", "label": "", "posts": 7},
    ]
    _, series = build_series(
        [*rows([(2, 1, 1), (3, 0, 0), (4, 0, 0)]), *waiting], since=START, until=START + 2 * HOUR
    )
    np.testing.assert_array_equal(series[0].all, [4, 10, 4])
    np.testing.assert_array_equal(series[0].negative, [2, np.nan, 4])
    np.testing.assert_array_equal(series[0].positive, [1, np.nan, 0])


TRICKLE = [(1, 0, 0), (0, 1, 0), (0, 0, 0), (1, 1, 0), (0, 0, 1), (0, 0, 0)] * 20
BEGINNING = [(70, 18, 12)] * 48


def test_a_collection_that_begins_in_an_export_is_a_gap_and_no_spike() -> None:
    counts = TRICKLE + BEGINNING
    first, series = build(counts)
    assert np.isnan(series[0].all[: len(TRICKLE)]).all()
    assert series[0].all[len(TRICKLE)] == 100
    assert find(first, series, open_until=0) == []


def test_complaints_alone_are_a_crisis_not_a_beginning() -> None:
    counts = TRICKLE + [(70, 5, 0)] * 10
    first, series = build(counts)
    assert not np.isnan(series[0].all).any()
    found = find(first, series, open_until=0)
    assert "negative" in {s.kind for s in found}


def test_where_a_live_source_listens_nothing_is_taken_for_a_beginning() -> None:
    counts = TRICKLE + BEGINNING
    first, series = build(counts, listening_since=START + 10 * HOUR)
    assert not np.isnan(series[0].all).any()
    assert "volume" in {s.kind for s in find(first, series, open_until=0)}


def test_a_steady_series_has_no_beginning() -> None:
    steady = np.array([[9.0] * 100, [5.0] * 100, [2.0] * 100])
    assert collection_begins(steady) == 0


def test_americans_start_in_the_airline_posts_is_found(shared_data: Path) -> None:
    """With the human labels of the file: its own collection of American began on 22 February."""
    import pandas as pd

    table = pd.read_csv(shared_data / "airline" / "tweets.csv")
    table = table[table.text.str.contains(r"@(?:americanair)\b", case=False)]
    at = pd.to_datetime(table.tweet_created, utc=True)
    hours = at.map(lambda t: int(t.timestamp()) // HOUR * HOUR)
    counted = [
        {"hour": int(hour), "brand": "American", "country": "", "label": label, "posts": int(n)}
        for (hour, label), n in table.groupby([hours, "airline_sentiment"]).size().items()
    ]
    since, until = min(r["hour"] for r in counted), max(r["hour"] for r in counted)
    first, series = build_series(counted, since=since, until=until)
    known = first + int(np.argmax(~np.isnan(series[0].all))) * HOUR
    assert pd.Timestamp(known, unit="s", tz="UTC") == pd.Timestamp("2015-02-22 20:00", tz="UTC")
    assert find(first, series, open_until=0) == []


def test_the_counts_go_on_through_the_gap_behind_them() -> None:
    gaps = {"a": [(-9 * HOUR, -5 * HOUR), (2 * HOUR, 7 * HOUR)], "b": [(0, 3 * HOUR)]}
    assert last_hour(0, gaps) == 6 * HOUR
    assert last_hour(9 * HOUR, gaps) == 9 * HOUR
    assert last_hour(-30 * HOUR, {"a": [(2 * HOUR, 7 * HOUR)]}) == -30 * HOUR
    assert last_hour(0, {}) == 0
