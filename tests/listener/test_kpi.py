"""Business time, due times and the small statistics, against hand-made calendars and numpy."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener import kpi

OFFICE = tuple(((540, 1080),) if day < 5 else () for day in range(7))  # Mon-Fri 09:00-18:00
BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, zone: ZoneInfo = BERLIN) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp())


def test_within_the_day() -> None:
    assert kpi.due_at(at("2026-03-10 10:00"), 3600, OFFICE, BERLIN) == at("2026-03-10 11:00")


def test_friday_evening_is_due_on_monday_morning() -> None:
    assert kpi.due_at(at("2026-03-13 17:30"), 3600, OFFICE, BERLIN) == at("2026-03-16 09:30")


def test_published_at_night_starts_at_opening() -> None:
    assert kpi.due_at(at("2026-03-10 03:00"), 1800, OFFICE, BERLIN) == at("2026-03-10 09:30")


def test_a_holiday_is_closed() -> None:
    due = kpi.due_at(at("2026-04-30 17:30"), 3600, OFFICE, BERLIN, {"2026-05-01"})
    assert due == at("2026-05-04 09:30")


def test_daylight_saving_moves_no_opening() -> None:
    # Clocks go forward on Sunday, 29 March 2026: Monday still opens at 09:00 on the wall.
    due = kpi.due_at(at("2026-03-27 17:59"), 120, OFFICE, BERLIN)
    assert due == at("2026-03-30 09:01")
    assert datetime.fromtimestamp(due or 0, UTC).hour == 7


def test_never_open_has_no_due_time() -> None:
    assert kpi.due_at(0, 60, tuple(() for _ in range(7))) is None


def test_business_seconds_over_a_night() -> None:
    spent = kpi.business_seconds(at("2026-03-10 17:00"), at("2026-03-11 10:00"), OFFICE, BERLIN)
    assert spent == 2 * 3600


def test_always_open_is_wall_clock() -> None:
    assert kpi.due_at(1000, 60) == 1060
    assert kpi.business_seconds(1000, 1600) == 600


@given(st.integers(1_700_000_000, 1_800_000_000), st.integers(1, 40 * 3600))
def test_due_time_and_business_time_are_inverse(start: int, target: int) -> None:
    due = kpi.due_at(start, target, OFFICE, BERLIN)
    assert due is not None
    assert kpi.business_seconds(start, due, OFFICE, BERLIN) == target


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.floats(0, 1))
def test_percentile_agrees_with_numpy(values: list[float], share: float) -> None:
    expected = float(np.quantile(values, share))
    assert kpi.percentile(values, share) == pytest.approx(expected, abs=1e-6)


def test_nothing_has_no_median_and_no_share() -> None:
    assert kpi.median([]) is None
    assert kpi.share(0, 0) is None
    assert kpi.wilson(0, 0) is None


def test_wilson_interval_of_one_in_ten() -> None:
    low, high = kpi.wilson(1, 10) or (0, 0)
    assert (round(low, 3), round(high, 3)) == (0.018, 0.404)
