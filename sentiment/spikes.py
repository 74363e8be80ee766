"""Counts over time in, spikes out: the detector over a stored history, and what it finds there.

One detector, used in two ways that share all their arithmetic: online, a bucket at a time
(:class:`sentiment.detector.Detector`, which says how it judges), and over a stored history
(:func:`find_spikes`, :func:`find_many`).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sentiment.anomaly import Scored, score_series
from sentiment.detector import DEFAULT, KINDS, Bucket, Detector, Judgement, Settings, State
from sentiment.errors import SentimentError
from sentiment.tails import Array

__all__ = [
    "DEFAULT",
    "KINDS",
    "Bucket",
    "Detector",
    "Finding",
    "Judgement",
    "Scored",
    "Settings",
    "State",
    "find_in_arrays",
    "find_many",
    "find_spikes",
    "score_series",
]


@dataclass(frozen=True, slots=True)
class Finding:
    """A stretch of time above the usual, in epoch seconds; ``end`` is None while it lasts.

    ``expected`` and ``observed`` are posts from start to end; ``p_value`` is the least seen, for
    one tick of one series; ``severity`` is how many times the usual it is at least (the 95 % lower
    bound); ``found`` is the bucket at whose end it could first be told.
    """

    start: int
    peak: int
    end: int | None
    expected: float
    observed: float
    p_value: float
    severity: float
    kind: str
    found: int = 0


@dataclass
class _Open:
    """A spike being followed through a history."""

    start: int
    found: int
    peak: int = 0
    peak_excess: float = -np.inf
    end: int = 0
    expected: float = 0.0
    observed: float = 0.0
    p_value: float = 1.0
    severity: float = 0.0
    pending: tuple[float, float] = (0.0, 0.0)  # seen since the last bucket above the usual


def find_spikes(
    buckets: Sequence[Bucket],
    *,
    bucket_seconds: int,
    kind: str = "volume",
    settings: Settings = DEFAULT,
) -> list[Finding]:
    """All spikes of one series, in order of time. See :func:`find_many`."""
    found = find_many({0: buckets}, bucket_seconds=bucket_seconds, kind=kind, settings=settings)
    return found[0]


def find_many(
    series: Mapping[Hashable, Sequence[Bucket]],
    *,
    bucket_seconds: int,
    kind: str = "volume",
    settings: Settings = DEFAULT,
) -> dict[Hashable, list[Finding]]:
    """Spikes of many series over their history, with false discoveries controlled over all of them.

    Buckets need not be in order; a bucket that a series lacks between the first and the last of all
    is a gap for it. Starts must lie on multiples of ``bucket_seconds`` from one another.
    """
    if not series or not any(series.values()):
        return {key: [] for key in series}
    keys = list(series)
    first = min(b.start for buckets in series.values() for b in buckets)
    last = max(b.start for buckets in series.values() for b in buckets)
    ticks = (last - first) // bucket_seconds + 1
    counts = np.full((ticks, len(keys)), np.nan)
    exposure = np.full((ticks, len(keys)), np.nan)
    for row, key in enumerate(keys):
        for bucket in series[key]:
            tick, rest = divmod(bucket.start - first, bucket_seconds)
            if rest:
                raise SentimentError(
                    f"series {key!r} has a bucket at {bucket.start}, which is not a whole number of"
                    f" {bucket_seconds} s buckets after {first}"
                )
            if bucket.count is not None:
                counts[tick, row] = bucket.count
            if bucket.exposure is not None:
                exposure[tick, row] = bucket.exposure
    detector = Detector(bucket_seconds, kind, settings)
    found = find_in_arrays(detector, first, counts, exposure)
    return dict(zip(keys, found, strict=True))


def find_in_arrays(
    detector: Detector, first: int, counts: Array, exposure: Array | None = None
) -> list[list[Finding]]:
    """As :func:`find_many`, of arrays of shape (ticks, S); NaN is a gap."""
    ticks, series = counts.shape
    if exposure is None:
        exposure = np.full_like(counts, np.nan)
    state = detector.start(series)
    following: dict[int, _Open] = {}
    found: list[list[Finding]] = [[] for _ in range(series)]
    expected = np.full_like(counts, np.nan)
    for tick in range(ticks):
        now = first + tick * detector.bucket_seconds
        verdict, state = detector.step(state, now, counts[tick], exposure[tick])
        expected[tick] = state.usual[:, -1]
        for row in set(following) - set(np.nonzero(state.open)[0].tolist()):
            found[row].append(_finding(following.pop(row), detector.kind, closed=True))
        for row in np.nonzero(state.open)[0].tolist():
            if row not in following:
                begin = tick - int(verdict.window[row]) + 1
                while begin < tick and counts[begin, row] <= expected[begin, row]:
                    begin += 1
                following[row] = _Open(first + begin * detector.bucket_seconds, found=now)
                for earlier in range(begin, tick):
                    at = first + earlier * detector.bucket_seconds
                    _extend(
                        following[row],
                        at,
                        counts[earlier, row],
                        expected[earlier, row],
                        True,
                        detector,
                    )
            above = bool(verdict.spike[row] or verdict.single[row] <= detector.settings.release)
            _extend(following[row], now, counts[tick, row], expected[tick, row], above, detector)
            if verdict.spike[row]:
                following[row].p_value = min(following[row].p_value, float(verdict.p_value[row]))
                following[row].severity = max(following[row].severity, float(verdict.severity[row]))
    for row, spike in following.items():
        found[row].append(_finding(spike, detector.kind, closed=False))
    return found


def _extend(
    spike: _Open, start: int, count: float, expected: float, above: bool, detector: Detector
) -> None:
    if not np.isfinite(count):  # not known: neither more nor less than usual
        return
    waiting = (spike.pending[0] + count, spike.pending[1] + expected)
    if not above:
        spike.pending = waiting  # belongs to the spike only if it rises again
        return
    spike.observed += waiting[0]
    spike.expected += waiting[1]
    spike.pending = (0.0, 0.0)
    spike.end = start + detector.bucket_seconds
    if count - expected > spike.peak_excess:
        spike.peak_excess, spike.peak = count - expected, start


def _finding(spike: _Open, kind: str, *, closed: bool) -> Finding:
    return Finding(
        start=spike.start,
        peak=spike.peak,
        end=spike.end if closed else None,
        expected=float(spike.expected),
        observed=float(spike.observed),
        p_value=spike.p_value,
        severity=spike.severity,
        kind=kind,
        found=spike.found,
    )
