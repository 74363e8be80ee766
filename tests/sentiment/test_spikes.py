"""The operational detector: what it finds, what it must not say, and that both ways in agree."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from sentiment.errors import SentimentError
from sentiment.spikes import Bucket, Detector, find_in_arrays, find_many, find_spikes

HOUR = 3600


def usual(hours: int, rate: float = 8.0, seed: int = 5) -> np.ndarray:
    """Counts of a series with a daily rhythm and some over-dispersion."""
    rng = np.random.default_rng(seed)
    rhythm = np.exp(0.6 * np.sin(2 * np.pi * np.arange(hours) / 24))
    return rng.poisson(rate * rhythm * rng.gamma(10, 0.1, hours))


def buckets(counts: np.ndarray, first: int = 0) -> list[Bucket]:
    return [Bucket(first + i * HOUR, int(c)) for i, c in enumerate(counts)]


def test_a_surge_is_found_once_with_its_start_peak_and_end() -> None:
    counts = usual(14 * 24)
    counts[300:306] += [40, 60, 80, 60, 40, 30]
    (found,) = find_spikes(buckets(counts), bucket_seconds=HOUR, kind="volume")
    assert found.start == 300 * HOUR
    assert found.peak == 302 * HOUR
    assert found.end is not None
    assert found.found == 300 * HOUR
    assert 306 * HOUR <= found.end <= 311 * HOUR  # a lively hour just after may prolong it
    assert found.observed >= counts[300:306].sum()
    assert found.expected < found.observed / 3
    assert found.p_value < 1e-5
    assert found.severity > 2


def test_it_is_silent_while_warming_up() -> None:
    counts = usual(14 * 24)
    counts[60:63] += 200
    assert find_spikes(buckets(counts), bucket_seconds=HOUR, kind="volume") == []


def test_bytes_bring_the_state_back_and_scoring_does_not_change_it() -> None:
    detector = Detector(HOUR)
    state = detector.start()
    for bucket in buckets(usual(200)):
        state = detector.update(state, bucket)
    before = state.to_bytes()
    odd = Bucket(200 * HOUR, 90)
    first = detector.score(state, odd)
    assert bool(first.spike[0])
    assert state.to_bytes() == before
    again = detector.score(type(state).from_bytes(before), odd)
    assert again.p_value == pytest.approx(first.p_value)


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(SentimentError, match="volume, negative, negative share, positive"):
        find_many({"a": [Bucket(0, 1)]}, bucket_seconds=HOUR, kind="loud")


def test_a_late_start_of_collection_is_no_spike() -> None:
    """Four stray posts, then the collector is switched on: as American's posts of February 2015."""
    counts = np.zeros(14 * 24, dtype=int)
    counts[[30, 31, 60, 90]] = 1
    counts[6 * 24 :] = usual(8 * 24, rate=20)
    assert find_spikes(buckets(counts), bucket_seconds=HOUR, kind="volume") == []


def test_a_series_that_is_small_but_steady_still_speaks() -> None:
    counts = np.zeros(14 * 24, dtype=int)
    counts[::8] = 1
    counts[250] += 25
    (found,) = find_spikes(buckets(counts), bucket_seconds=HOUR, kind="volume")
    assert found.start == 250 * HOUR


def test_nothing_is_said_in_or_across_a_gap() -> None:
    counts = usual(14 * 24)
    counts[298:300] += 9  # two livelier hours before the gap, and one after it
    series = buckets(counts)
    for hour in range(300, 310):
        series[hour] = Bucket(hour * HOUR, None)
    assert find_spikes(series, bucket_seconds=HOUR, kind="volume") == []
    missing = [b for b in series if b.count is not None]
    assert find_spikes(missing, bucket_seconds=HOUR, kind="volume") == []


def test_a_gap_does_not_hide_what_comes_after_it() -> None:
    counts = usual(14 * 24)
    counts[310:314] += 80
    series = [b for b in buckets(counts) if not 300 <= b.start // HOUR < 308]
    (found,) = find_spikes(series, bucket_seconds=HOUR, kind="volume")
    assert found.start == 310 * HOUR


def test_an_unknown_hour_ends_no_spike_and_a_known_calm_one_after_it_does() -> None:
    counts = usual(400)
    counts[380:386] += 140  # hours 380 to 385
    known = [Bucket(hour * HOUR, int(count)) for hour, count in enumerate(counts[:386])]
    unknown = [Bucket(hour * HOUR, None) for hour in range(386, 395)]
    going_on = find_spikes([*known, *unknown], bucket_seconds=HOUR)[-1]
    assert going_on.end is None
    assert going_on.observed == pytest.approx(float(counts[380:386].sum()))
    calm = [Bucket(395 * HOUR, int(counts[395]))]
    over = find_spikes([*known, *unknown, *calm], bucket_seconds=HOUR)[-1]
    assert over.end == 386 * HOUR


def test_a_surge_that_builds_up_slowly_does_not_make_itself_usual() -> None:
    counts = usual(14 * 24)
    counts[300:312] += np.linspace(4, 40, 12).astype(int)
    found = find_spikes(buckets(counts), bucket_seconds=HOUR, kind="volume")
    assert found
    assert found[0].start < 308 * HOUR


def test_a_spike_stays_out_of_its_baseline_until_it_is_the_new_usual() -> None:
    counts = usual(34 * 24)
    counts[480:] = usual(34 * 24, rate=32)[480:]
    found = find_spikes(buckets(counts), bucket_seconds=HOUR, kind="volume")
    end = found[0].end
    assert end is not None
    assert 2.9 * 24 * HOUR < end - found[0].start < 7 * 24 * HOUR
    assert found[-1].start < 27 * 24 * HOUR  # the last week is as usual


def test_more_negative_posts_and_a_more_negative_share_are_two_questions() -> None:
    rng = np.random.default_rng(2)
    total = usual(14 * 24, rate=30)
    negative = rng.binomial(total, 0.3)
    total[300:304] *= 4  # a campaign: more of everything
    negative[300:304] = rng.binomial(total[300:304], 0.3)
    negative[320:324] = rng.binomial(total[320:324], 0.8)  # no more posts, but angry ones
    series = [
        Bucket(i * HOUR, int(n), int(t))
        for i, (n, t) in enumerate(zip(negative, total, strict=True))
    ]
    counts = find_spikes(series, bucket_seconds=HOUR, kind="negative")
    shares = find_spikes(series, bucket_seconds=HOUR, kind="negative share")
    assert 300 * HOUR in [f.start for f in counts]
    assert [f.start for f in shares] == [320 * HOUR]


def test_a_panel_judges_each_series_as_if_it_were_alone() -> None:
    one, two = usual(12 * 24, seed=1), usual(12 * 24, rate=3, seed=2)
    one[200:203] += 70
    two[210:213] += 40
    together = find_many(
        {"one": buckets(one), "two": buckets(two)}, bucket_seconds=HOUR, kind="volume"
    )
    alone = find_spikes(buckets(one), bucket_seconds=HOUR, kind="volume")[0]
    assert replace(together["one"][0], p_value=0.0) == replace(alone, p_value=0.0)
    assert together["one"][0].p_value == pytest.approx(alone.p_value, rel=1e-6)
    assert together["two"][0].start == 210 * HOUR
    assert len(together["one"]) == len(together["two"]) == 1


def test_history_and_live_agree() -> None:
    counts = usual(12 * 24)
    counts[250:254] += 60
    detector = Detector(HOUR)
    state = detector.start()
    live = []
    for bucket in buckets(counts):
        if detector.score(state, bucket).spike[0]:
            live.append(bucket.start)
        state = detector.update(state, bucket)
    (found,) = find_spikes(buckets(counts), bucket_seconds=HOUR, kind="volume")
    assert live[0] == found.found


def test_false_alarms_over_many_series_stay_within_the_budget() -> None:
    rng = np.random.default_rng(8)
    hours, series = 20 * 24, 120
    rate = np.exp(rng.normal(1.5, 1.2, series))
    rhythm = np.exp(
        0.7 * np.sin(2 * np.pi * np.arange(hours)[:, None] / 24 + rng.uniform(0, 6, series))
    )
    counts = rng.poisson(rate * rhythm * rng.gamma(10, 0.1, (hours, series))).astype(float)
    found = find_in_arrays(Detector(HOUR), 0, counts)
    years = series * (hours - 96) / 8766
    assert sum(map(len, found)) / years <= 1.0


@pytest.mark.parametrize("kind", ["volume", "negative share"])
def test_silence_is_no_error_and_no_spike(kind: str) -> None:
    series = [Bucket(i * HOUR, 0, 0) for i in range(300)]
    assert find_spikes(series, bucket_seconds=HOUR, kind=kind) == []
    assert find_spikes([], bucket_seconds=HOUR, kind=kind) == []


def test_the_real_airlines(shared_data: Path) -> None:
    """US Airways' surge of 22 February shows; American's start of collection does not."""
    counts: dict[str, dict[int, int]] = {}
    with (shared_data / "airline" / "tweets.csv").open(newline="", encoding="utf-8") as handle:
        for row in csv.DictReader(handle):
            if row["airline_sentiment"] == "negative":
                at = datetime.fromisoformat(row["tweet_created"])
                hour = int(at.timestamp()) // HOUR * HOUR
                cell = counts.setdefault(row["airline"], {})
                cell[hour] = cell.get(hour, 0) + 1
    first = min(min(c) for c in counts.values())
    last = max(max(c) for c in counts.values())
    series = {
        airline: [Bucket(h, cell.get(h, 0)) for h in range(first, last + 1, HOUR)]
        for airline, cell in counts.items()
    }
    found = find_many(series, bucket_seconds=HOUR, kind="negative")
    assert found["American"] == []
    surge = datetime.fromtimestamp(found["US Airways"][0].start, UTC)
    assert surge.date().isoformat() == "2015-02-22"
    assert found["US Airways"][0].severity > 2
