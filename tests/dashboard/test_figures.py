"""Figures: what a page says of counts."""

from __future__ import annotations

import math
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from dashboard import figures
from dashboard.figures import HOUR, Tally

UTC = ZoneInfo("UTC")


def test_net_sentiment_leaves_out_unsure_and_unjudged() -> None:
    t = Tally(negative=30, neutral=40, positive=10, unsure=50, unjudged=70, copies=9)
    assert t.posts == 200
    assert t.unique == 191
    assert t.judged == 80
    assert t.net == pytest.approx(-0.25)


def test_nothing_judged_is_not_zero() -> None:
    assert Tally(unsure=5).net is None
    assert Tally(unsure=5).interval is None


@given(some.integers(0, 500), some.integers(0, 500), some.integers(0, 500))
def test_the_interval_holds_the_net_and_stays_in_bounds(n: int, u: int, p: int) -> None:
    t = Tally(negative=n, neutral=u, positive=p)
    if t.net is None or t.interval is None:
        assert not t.judged
        return
    low, high = t.interval
    assert -1 <= low <= t.net <= high <= 1
    assert high - low > 0, "even unanimous posts leave some doubt"


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    chance = np.random.default_rng(3)
    truth = 0.2 - 0.5
    inside = 0
    for n, _, p in chance.multinomial(60, (0.5, 0.3, 0.2), size=2000):
        low, high = figures.net_interval(int(p), int(n), 60) or (0, 0)
        inside += low <= truth <= high
    assert 0.93 <= inside / 2000 <= 0.98


def test_the_usual_needs_three_weeks_or_four_days() -> None:
    hour = [10.0] * 24 * 3 + [10.0]
    assert figures.usual(np.array(hour)) is None
    days = figures.usual(np.array([10.0] * 24 * 4 + [99.0]))
    assert days is not None
    assert days.middle == 10
    assert days.basis == "this hour of the day, 4 days"
    weeks = figures.usual(np.array([10.0] * 168 * 3 + [99.0]))
    assert weeks is not None
    assert weeks.basis == "this hour of the week, 3 weeks"


def test_the_usual_is_of_the_same_hour() -> None:
    values = np.zeros(24 * 10 + 1)
    values[::24] = 50  # only this hour of the day is busy
    found = figures.usual(values)
    assert found is not None
    assert found.middle == 50
    assert found.place(50) == 0
    assert found.place(80) == 1
    assert found.place(20) == -1


def test_hours_that_are_not_known_teach_nothing() -> None:
    values = np.full(24 * 6 + 1, 10.0)
    values[:-1][::24] = np.nan
    assert figures.usual(values) is None


@given(some.lists(some.one_of(some.none(), some.floats(0, 1000)), min_size=1, max_size=400))
def test_quantiles_agree_with_numpy(values: list[float | None]) -> None:
    array = np.array([np.nan if v is None else v for v in values])
    found = figures.usuals(array, per_day=2)
    for i, one in enumerate(found):
        weeks = [array[i - 14 * k] for k in range(1, 7) if i - 14 * k >= 0]
        days = [array[i - 2 * k] for k in range(1, 15) if i - 2 * k >= 0]
        weeks = [v for v in weeks if not math.isnan(v)]
        days = [v for v in days if not math.isnan(v)]
        kept = weeks if len(weeks) >= 3 else days if len(days) >= 4 else None
        assert (one is None) == (kept is None)
        if one is not None and kept is not None:
            expected = np.quantile(kept, (0.1, 0.5, 0.9))
            assert (one.low, one.middle, one.high) == pytest.approx(tuple(expected))


def test_an_hour_half_over_is_compared_with_half_an_hour() -> None:
    values = np.full(24 * 8, 10.0)
    values[-1] = 5  # half of the hour has passed
    value, expected = figures.now_and_usual(values, 3, 0.5)
    assert value == 25
    assert expected is not None
    assert expected.middle == pytest.approx(25)
    assert figures.times_usual(value, expected) == "as usual"


def test_a_gap_is_no_zero() -> None:
    rows = [{"hour": h * HOUR, "label": "neutral", "posts": 4, "copies": 1} for h in range(48)]
    h = figures.hours(rows, 0, 48 * HOUR, [(20 * HOUR + 60, 22 * HOUR - 60)])
    assert np.isnan(h.posts[20:22]).all()
    assert h.posts[19] == h.posts[22] == 4
    points = figures.trend(h, 0, 3, UTC)
    assert [p["posts"] for p in points[5:9]] == [12, None, None, 12]
    assert figures.now_and_usual(h.posts[:21], 3, 1.0)[0] is None


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo"])
def test_a_day_of_a_trend_is_a_day_of_the_zone(zone: str) -> None:
    place = ZoneInfo(zone)
    first = 1_772_000_000 - 1_772_000_000 % HOUR
    rows = [{"hour": first + h * HOUR, "label": "neutral", "posts": 1} for h in range(240)]
    rows = [{**r, "copies": 0} for r in rows]
    h = figures.hours(rows, first, first + 240 * HOUR)
    since = first + 77 * HOUR
    points = figures.trend(h, since, 24, place)
    for p in points:
        assert figures.clock(p["at"], place, day=False) == "00:00"
    assert points[0]["at"] <= since < points[0]["end"]
    assert [p["posts"] for p in points[:-1]] == [24.0] * (len(points) - 1), "the first is whole too"
    assert [p["end"] for p in points[:-1]] == [p["at"] for p in points[1:]]


@pytest.mark.parametrize(
    ("zone", "until", "hours"),
    [
        ("Europe/Berlin", (2026, 4, 3), {"29": 23}),
        ("Europe/Berlin", (2026, 10, 29), {"25": 25}),
        ("America/Havana", (2026, 11, 4), {"1": 25}),  # its midnight comes twice
        ("America/Santiago", (2026, 9, 9), {"6": 23}),  # and this one's never
        ("Asia/Kolkata", (2026, 4, 3), {}),
    ],
)
@pytest.mark.parametrize("size", [3, 6, 24, 48])
def test_points_keep_to_the_local_clock_over_its_changes(
    zone: str, until: tuple[int, int, int], hours: dict[str, int], size: int
) -> None:
    place = ZoneInfo(zone)
    last = int(datetime(*until, 12, tzinfo=place).timestamp())
    since = figures.floor(last - 8 * 24 * HOUR, size, place)
    first = since - 40 * 24 * HOUR
    rows = [
        {"hour": h, "label": "neutral", "posts": 1, "copies": 0}
        for h in range(first - first % HOUR, last, HOUR)
    ]
    points = figures.trend(figures.hours(rows, first, last), since, size, place)
    assert [p["end"] for p in points[:-1]] == [p["at"] for p in points[1:]]
    for p in points:
        assert p["at"] == figures.floor(p["at"], size, place)
        if size == 24 and p["end"] <= last:
            day = datetime.fromtimestamp(p["at"] + HOUR, place).day
            assert p["posts"] == hours.get(str(day), 24)
    if size == 24:
        assert len(points) == 9
        assert set(hours) <= {
            str(datetime.fromtimestamp(p["at"] + HOUR, place).day) for p in points
        }
    if size < 24:
        assert all(p["usual"] == size for p in points if p["end"] - p["at"] == size * HOUR)


def test_a_day_that_began_before_the_first_hour_has_a_feeling_and_no_number_of_posts() -> None:
    rows = [
        {"hour": (14 + h) * HOUR, "label": "positive", "posts": 4, "copies": 1} for h in range(34)
    ]
    first, second = figures.trend(figures.hours(rows, 14 * HOUR, 48 * HOUR), 0, 24, UTC)
    assert (first["at"], first["posts"], first["copies"]) == (0, None, None)
    assert (first["judged"], first["net"]) == (40, 1.0)
    assert (second["at"], second["posts"]) == (24 * HOUR, 96.0)


def test_own_groups_overlap_and_leave_nobody_out() -> None:
    countries = {"DE": Tally(1), "FR": Tally(2), "US": Tally(4), "": Tally(8)}
    found = figures.by_group(countries, {"Europe": ["DE", "FR"], "DACH": ["DE", "AT"]})
    assert {k: t.posts for k, t in found.items()} == {
        "": 8, "elsewhere": 4, "Europe": 3, "DACH": 1,
    }  # fmt: skip


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York", "Pacific/Apia"])
@pytest.mark.parametrize("size", [1, 3, 6, 24])
def test_buckets_begin_on_whole_hours_not_after_the_moment(zone: str, size: int) -> None:
    for moment in range(1_772_000_000, 1_772_300_000, 7_777):
        begin = figures.floor(moment, size, ZoneInfo(zone))
        assert begin % HOUR == 0
        assert figures.floor(begin, size, ZoneInfo(zone)) == begin
        assert 0 <= moment - begin <= (size + 1) * HOUR


def test_words() -> None:
    assert figures.percent(-0.256, True) == "−26"
    assert figures.percent(None) == "–"
    assert figures.count(1234567) == "1\u202f234\u202f567"
    assert figures.ago(59) == "59 s"
    assert figures.ago(36 * 3600) == "36 h"
    assert figures.ago(50 * 3600) == "2 d"
    assert figures.minutes(90) == "90 min"
    assert figures.minutes(240) == "4.0 h"
    assert figures.times_usual(5, None) == "no usual yet"
    assert figures.wall(0, ZoneInfo("Asia/Tokyo")) == 9 * 3600 * 1000


def test_one_event_is_told_once() -> None:
    def spike(kind: str, start: int, end: int | None, region: str = "BR") -> dict[str, object]:
        return {
            "brand": "A",
            "region": region,
            "kind": kind,
            "start": start,
            "end": end,
            "severity": 1.0,
        }

    found = figures.events(
        [
            spike("volume", 100, None), spike("negative", 200, None), spike("negative", 10, 20),
            spike("negative share", 150, 180), spike("volume", 100, None, "*"),
        ]
    )  # fmt: skip
    assert [(s["region"], s["kind"], s["start"], s["end"], s["also"]) for s in found] == [
        ("BR", "negative", 200, None, ["negative share", "volume"]),
        ("*", "volume", 100, None, []),
        ("BR", "negative", 10, 20, []),
    ]


def test_an_event_has_the_feeling_the_figure_and_the_state_of_one_spike() -> None:
    def spike(i: int, kind: str, start: int, end: int | None, severity: float) -> dict[str, object]:
        return {
            "id": i, "brand": "A", "region": "*", "kind": kind, "start": start, "end": end,
            "severity": severity, "observed": 80.0 + i, "expected": 20.0,
        }  # fmt: skip

    over, more, praise = (
        spike(1, "negative", 0, 3, 9.0), spike(2, "volume", 2, 30, 5.0),
        spike(3, "positive", 29, None, 2.0),
    )  # fmt: skip
    found = figures.events([over, more, praise])
    assert [(s["id"], s["observed"], s["start"], s["end"], s["also"]) for s in found] == [
        (3, 83.0, 29, None, []),
        (1, 81.0, 0, 3, ["volume"]),
    ]
    (still,) = figures.events([over, {**more, "end": None}])
    assert (still["id"], still["start"], still["also"]) == (2, 2, ["negative"])
    assert still["severity"] == 5.0, "what is over makes what is open no worse"
    praised = figures.events([{**more, "end": None}, praise, spike(4, "negative", 31, None, 1.0)])
    assert [(s["id"], s["also"]) for s in praised] == [(2, ["positive"]), (4, [])]


def test_a_fraction_of_a_post_is_not_none_at_all() -> None:
    assert figures.usually(0.3) == "fewer than 1 is usual"
    assert figures.usually(1.2) == "1 is usual"
    assert figures.usually(1234.0) == "1\u202f234 are usual"
