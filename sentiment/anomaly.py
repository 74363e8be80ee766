"""One series of numbers in, a score of surprise for each row out, as ``groundswell detect`` prints.

Online: the score of a row uses that row and earlier ones only.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scored:
    """One row judged. ``score`` is in 0..1 and ``spike`` is whether it reaches 0.5."""

    timestamp: Hashable
    value: float
    expected: float
    score: float
    spike: bool


def score_series(timestamps: Iterable[Hashable], values: Iterable[float]) -> Iterator[Scored]:
    """Judge each value against those before it, in one pass. Buckets are taken as evenly spaced."""
    mean = variance = None
    seen = since = 0
    for timestamp, value in zip(timestamps, values, strict=True):
        root = math.sqrt(max(value, 0.0) + 0.375)
        seen += 1
        since += 1
        if mean is None or variance is None:
            mean, variance = root, 1.0
            yield Scored(timestamp, value, value, 0.0, False)
            continue
        expected = max(mean**2 - 0.375, 0.0)
        deviation = (root - mean) / math.sqrt(variance)
        score = 0.0
        if seen > 300:
            score = 1 - 0.5 ** (max(deviation, 0.0) / 6)
            if score >= 0.5 and since < 288:
                score = 0.49  # one alarm a day
        if score >= 0.5:
            since = 0
        step = max(-3.0, min(3.0, deviation))
        variance += (min(step**2, 9.0) * variance - variance) / 576
        mean += step * math.sqrt(variance) / 288
        yield Scored(timestamp, value, expected, score, score >= 0.5)
