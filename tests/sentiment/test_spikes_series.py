"""``score_series``: what `groundswell detect` prints, a row at a time."""

from __future__ import annotations

import csv
import importlib.util
import math
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from sentiment.anomaly import Scored, score_series

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)


def volume(days: int, rate: float = 30.0, seed: int = 3, minutes: int = 5) -> np.ndarray:
    """Posts per bucket with a daily rhythm and over-dispersion."""
    rng = np.random.default_rng(seed)
    rows = days * 1440 // minutes
    hour = np.arange(rows) * minutes / 60
    return rng.poisson(
        rate * np.exp(0.5 * np.sin(hour * math.tau / 24)) * rng.gamma(8, 1 / 8, rows)
    )


def stamps(rows: int, minutes: int = 5) -> list[str]:
    return [(BEGIN + timedelta(minutes=minutes * i)).isoformat() for i in range(rows)]


def judged(values: np.ndarray, minutes: int = 5) -> list[Scored]:
    return list(score_series(stamps(len(values), minutes), values.tolist()))


def test_a_burst_is_told_of_once_and_soon() -> None:
    values = volume(8)
    values[1800:1836] *= 6
    rows = judged(values)
    assert len(rows) == len(values)
    spikes = [i for i, row in enumerate(rows) if row.spike]
    assert len(spikes) == 1
    assert 1800 <= spikes[0] <= 1824  # within two hours of five-minute buckets
    assert all(0 <= row.score <= 1 for row in rows)
    assert all(row.spike == (row.score >= 0.5) for row in rows)


def test_expected_follows_the_time_of_day() -> None:
    rows = judged(volume(14))
    last = rows[-288:]
    high = np.mean([row.expected for row in last[60:84]])  # the rhythm's height, 05:00 to 07:00
    low = np.mean([row.expected for row in last[204:228]])
    assert high > 1.5 * low  # the truth is 2.7; two weeks are half way there


def test_a_row_is_judged_by_what_came_before_it_alone() -> None:
    values = volume(6)
    changed = values.copy()
    changed[1500:] += 500
    assert judged(values)[:1500] == judged(changed)[:1500]


def test_nothing_is_said_in_the_first_two_days() -> None:
    values = volume(4)
    values[300:330] *= 20
    assert not any(row.spike for row in judged(values)[:576])


def test_no_window_reaches_across_a_gap() -> None:
    values = volume(8)
    at = stamps(len(values))
    values[1806:1830] *= 8
    # One hour of the burst, then half a day is missing: the hour alone fills no window again.
    kept = [*range(1818), *range(1974, len(values))]
    with_gap = list(score_series([at[i] for i in kept], [float(values[i]) for i in kept]))
    after = with_gap[1818 : 1818 + 35]
    assert [row.score for row in after] == [0.0] * 35


@pytest.mark.parametrize("minutes", [15, 60])
def test_the_same_settings_serve_other_buckets(minutes: int) -> None:
    values = volume(20, rate=60, minutes=minutes)
    start = 15 * 1440 // minutes
    values[start : start + 360 // minutes] *= 5
    spikes = [i for i, row in enumerate(judged(values, minutes)) if row.spike]
    assert len(spikes) == 1
    assert start <= spikes[0] <= start + 180 // minutes


def test_unreadable_times_are_taken_as_even_and_silence_is_no_error() -> None:
    rows = list(score_series([f"row {i}" for i in range(900)], [0.0] * 900))
    assert len(rows) == 900
    assert not any(row.spike for row in rows)
    assert list(score_series([], [])) == []
    assert len(list(score_series(["a"], [3.0]))) == 1


def _benchmark() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "nab.py"
    spec = importlib.util.spec_from_file_location("benchmarks_nab", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_benchmark_scores_the_null_and_the_perfect_detector_as_its_paper_says() -> None:
    nab = _benchmark()
    one = nab.Series("x", stamps(6000), [0.0] * 6000, [(2000, 2399), (4000, 4399)])
    nothing = [0.0] * 6000
    perfect = [1.0 if i in (2000, 4000) else 0.0 for i in range(6000)]
    standard = nab.PROFILES[0]
    assert nab.nab([nothing], [one], standard, 0.5) == 0
    assert nab.nab([perfect], [one], standard, 0.5) == pytest.approx(100)
    alarm = perfect.copy()
    alarm[1000] = 1.0  # far from any window: costs 0.11 of the 4 between null and perfect
    assert nab.nab([alarm], [one], standard, 0.5) == pytest.approx(100 - 100 * 0.11 / 4)
    early = perfect.copy()
    early[100] = 1.0  # within the first 15 %: costs nothing
    assert nab.nab([early], [one], standard, 0.5) == pytest.approx(100)


def test_the_bar_on_the_real_series(shared_data: Path) -> None:
    nab = _benchmark()
    series = nab.load(shared_data / "volume")
    scores = nab.judge(series, nab.WatchSettings())
    assert nab.nab(scores, series, nab.PROFILES[0], 0.5) >= 82
    assert nab.nab(scores, series, nab.PROFILES[1], 0.5) >= 74
    assert "same figures" in nab.agrees(scores, series)


def test_the_real_files_have_the_columns_that_detect_reads(shared_data: Path) -> None:
    with (shared_data / "volume" / "Twitter_volume_FB.csv").open(newline="") as handle:
        assert next(csv.reader(handle)) == ["timestamp", "value"]
