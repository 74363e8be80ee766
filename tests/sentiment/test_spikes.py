"""The operational detector: what it finds, what it must not say, and that both ways in agree."""

from __future__ import annotations

import numpy as np
import pytest

from sentiment.errors import SentimentError
from sentiment.spikes import Bucket, Detector, find_many, find_spikes

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
