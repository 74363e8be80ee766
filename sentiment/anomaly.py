"""One series of numbers in, a score of surprise for each row out, as ``groundswell detect`` prints.

Online and in one pass: the score of a row uses that row and earlier ones only. What is judged is the
sum over the last three hours, because a burst of attention lasts hours while single buckets of a
brand's volume are so heavy-tailed that each day has its outlier. It is compared with the sum that is
usual at that time of day:

* usual = level x rhythm. Both are discounted means of clipped values, so that a burst teaches little;
  the rhythm's factors (24 a day) are shrunk towards 1 until days enough were seen.
* the deviation is measured on the scale on which a negative binomial has unit variance (Anscombe
  1948: asinh of the root), with the dispersion learned from the same three-hour sums. So a series
  that often bursts must burst higher.

A spike is a deviation above ``threshold`` that no spike preceded within ``cooldown_hours``: one alarm
an event. The settings were chosen once for all series; docs/measures.md shows what each one does.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Scored:
    """One row judged. ``score`` is in 0..1 and ``spike`` is whether it reaches 0.5."""

    timestamp: Hashable
    value: float
    expected: float
    score: float
    spike: bool


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """Lengths are in time, so that the same settings serve buckets of any size."""

    window_hours: float = 3.0
    threshold: float = 1.9  # standard deviations on the stabilised scale
    cooldown_hours: float = 18.0
    warmup_hours: float = 48.0
    warmup_buckets: int = 14  # where a bucket is so long that the hours are soon over
    level_half_life_days: float = 7.0
    rhythm_half_life_days: float = 14.0
    dispersion_half_life_days: float = 21.0
    rhythm_prior_days: float = 8.0  # days of no rhythm that the seen days must outweigh
    clip: float = 3.0  # deviations beyond which a value teaches no more
    window_clip: float = 4.0
    dispersion: float = 0.2  # of the window's sum, before anything is seen


class Watch:
    """The running state of one series with buckets of ``bucket_seconds``; ``push`` them in order."""

    def __init__(self, bucket_seconds: float, settings: WatchSettings | None = None) -> None:
        self.settings = s = settings or WatchSettings()
        self.bucket_seconds = bucket_seconds
        # A rhythm of hours in the day; of days in the week where a bucket is a day or longer.
        self._period, slots = (DAY, 24) if bucket_seconds < DAY else (7 * DAY, 7)
        self._slot_seconds = self._period / slots
        rows_a_day = DAY / bucket_seconds
        self._length = max(1, round(s.window_hours * 3600 / bucket_seconds))
        self._warm = max(s.warmup_hours * 3600 / bucket_seconds, s.warmup_buckets)
        self._prior = s.rhythm_prior_days * max(1.0, self._slot_seconds / bucket_seconds)
        self._keep_level = 0.5 ** (1 / (s.level_half_life_days * rows_a_day))
        self._keep_rhythm = 0.5 ** (1 / s.rhythm_half_life_days)
        self._keep_window = 0.5 ** (1 / (s.dispersion_half_life_days * rows_a_day))
        self._factors = [1.0] * slots
        self._sums = [0.0] * slots
        self._visits = [0.0] * slots  # the level, summed over the visits
        self._hits = self._base = 0.0
        self._seen = 0
        self._day = -1
        self._bucket_error, self._bucket_weight = 0.3 * 50, 50.0
        self._window_error, self._window_weight = s.dispersion * 200, 200.0
        self._window: deque[tuple[float, float]] = deque(maxlen=self._length)

    def gap(self) -> None:
        """Buckets are missing here: no window may reach across."""
        self._window.clear()

    def push(self, seconds: float, value: float) -> tuple[float, float]:
        """Judge the bucket that starts at ``seconds``, then learn from it.

        Returns what was expected and the deviation, 0 while nothing can be said.
        """
        value = max(value, 0.0)
        if self._seen == 0:
            self._hits, self._base = value + 0.5, 1.0
        self._new_day(seconds)
        level = self._hits / self._base
        slot, factor = self._factor(seconds)
        expected = level * factor
        self._window.append((value, expected))
        deviation = self._judge_window()
        if self._seen < self._warm or len(self._window) < self._length:
            deviation = 0.0
        self._learn(value, expected, level, slot, factor)
        self._seen += 1
        return expected, deviation

    def _factor(self, seconds: float) -> tuple[int, float]:
        """The rhythm at this time, straight lines between the middles of its slots."""
        place = (seconds % self._period) / self._slot_seconds
        slot = int(place)
        if self.bucket_seconds >= self._slot_seconds:
            return slot, self._factors[slot]
        side = place + self.bucket_seconds / 2 / self._slot_seconds - slot - 0.5
        other = (slot + (1 if side > 0 else -1)) % len(self._factors)
        share = abs(side)
        return slot, self._factors[slot] * (1 - share) + self._factors[other] * share

    def _judge_window(self) -> float:
        total = sum(value for value, _ in self._window)
        mean = max(sum(usual for _, usual in self._window), 1e-3)
        alpha = max(self._window_error / self._window_weight, 1e-3)
        root = math.sqrt(alpha)
        deviation = (
            2
            * (
                math.asinh(root * math.sqrt(total + 0.375))
                - math.asinh(root * math.sqrt(mean + 0.375))
            )
            / root
        )
        # The method of moments for the dispersion; an error estimates it with a variance of about
        # (1/mean + alpha)^2, so the sums of busy times count for more.
        reach = self.settings.window_clip * math.sqrt(mean + alpha * mean * mean)
        error = min(abs(total - mean), reach) ** 2
        worth = (1 / (1 / mean + 0.1)) ** 2 / 100
        self._window_error = (
            self._window_error * self._keep_window + worth * (error / mean - 1) / mean
        )
        self._window_weight = self._window_weight * self._keep_window + worth
        return deviation

    def _learn(self, value: float, expected: float, level: float, slot: int, factor: float) -> None:
        alpha = max(self._bucket_error / self._bucket_weight, 1e-3)
        spread = math.sqrt(expected + alpha * expected * expected)
        settled = self._seen * self.bucket_seconds > DAY
        taught = min(value, expected + self.settings.clip * spread + 1) if settled else value
        self._hits = self._hits * self._keep_level + taught
        self._base = self._base * self._keep_level + factor
        self._sums[slot] += taught
        self._visits[slot] += level
        if settled:
            error = min(abs(value - expected), 4 * spread) ** 2
            self._bucket_error = self._bucket_error * self._keep_level + error - expected
            self._bucket_weight = self._bucket_weight * self._keep_level + expected * expected

    def _new_day(self, seconds: float) -> None:
        day = int(seconds // DAY)
        if self._day >= 0 and day != self._day:
            keep = self._keep_rhythm ** max(1, day - self._day)
            level = self._hits / self._base
            prior = self._prior * level
            self._sums = [x * keep for x in self._sums]
            self._visits = [x * keep for x in self._visits]
            if prior > 0:
                factors = [
                    (total + prior) / (usual + prior)
                    for total, usual in zip(self._sums, self._visits, strict=True)
                ]
                mean = sum(factors) / len(factors)
                self._factors = [factor / mean for factor in factors]
        self._day = day


def score_series(
    timestamps: Iterable[Hashable],
    values: Iterable[float],
    settings: WatchSettings | None = None,
) -> Iterator[Scored]:
    """Judge each value against those before it, in one pass.

    Timestamps are epoch seconds, datetimes or ISO 8601 text; the first two give the bucket's length.
    Where they cannot be read, buckets of five minutes without gaps are assumed. A row that is more
    than a bucket and a half late comes after a gap, and no window reaches across it.
    """
    settings = settings or WatchSettings()
    rows = zip(timestamps, values, strict=True)
    head = next(rows, None)
    if head is None:
        return
    yield Scored(head[0], head[1], max(head[1], 0.0), 0.0, False)
    last = _seconds(head[0])
    watch: Watch | None = None
    quiet_until = -math.inf
    for timestamp, value in rows:
        at = _seconds(timestamp)
        if watch is None:
            step = at - last if at is not None and last is not None and at > last else 300.0
            watch = Watch(step, settings)
            last = last or 0.0
            watch.push(last, head[1])
        if at is None:
            at = (last or 0.0) + watch.bucket_seconds
        if at - (last or 0.0) > 1.5 * watch.bucket_seconds:
            watch.gap()
        last = at
        expected, deviation = watch.push(at, value)
        score = 1 - 0.5 ** (max(deviation, 0.0) / settings.threshold)
        spike = score >= 0.5 and at >= quiet_until
        if spike:
            quiet_until = at + settings.cooldown_hours * 3600
        elif score >= 0.5:
            score = 0.499  # part of the spike that was told of
        yield Scored(timestamp, value, expected, score, spike)


def _seconds(timestamp: Hashable) -> float | None:
    """Epoch seconds of a timestamp as given, None where it cannot be read. Naive times are UTC."""
    if isinstance(timestamp, bool) or timestamp is None:
        return None
    if isinstance(timestamp, int | float):
        return float(timestamp)
    moment: object = timestamp
    if isinstance(timestamp, str):
        try:
            return float(timestamp)
        except ValueError:
            pass
        try:
            moment = datetime.fromisoformat(timestamp.strip())
        except ValueError:
            return None
    if not isinstance(moment, datetime):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
