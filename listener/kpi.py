"""Measures of the response: timestamps in, measures out. Pure; times are epoch seconds.

Business time is counted in the brand's own hours and time zone, across daylight saving changes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

Week = Sequence[Sequence[tuple[int, int]]]  # Monday first; (open, close) in minutes since midnight

ALWAYS: Week = tuple(((0, 1440),) for _ in range(7))
_HORIZON_DAYS = 370  # a target that does not fit in a year of business hours has no due time


def median(values: Sequence[float]) -> float | None:
    """The middle value, or the mean of the two middle ones; None of nothing."""
    return percentile(values, 0.5)


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value below which ``share`` (0..1) of the values lie, interpolated linearly; None of nothing.

    The same rule as pandas' and numpy's default ("linear", type 7 of Hyndman and Fan 1996).
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share is {share}; allowed is 0 to 1")
    if not values:
        return None
    ordered = sorted(values)
    at = share * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def _local(day: date, minute: int, zone: ZoneInfo) -> int:
    """Epoch seconds of a wall-clock minute of a day; 24:00 is the next day's midnight."""
    days, minute = divmod(minute, 1440)
    wall = datetime.combine(day + timedelta(days=days), time(minute // 60, minute % 60), zone)
    return int(wall.timestamp())


def open_spans(
    start: int, week: Week, zone: ZoneInfo, holidays: Collection[str] = ()
) -> Iterator[tuple[int, int]]:
    """Stretches of business time from ``start`` on, as (open, close) epoch seconds, for a year."""
    first = datetime.fromtimestamp(start, UTC).astimezone(zone).date()
    for offset in range(-1, _HORIZON_DAYS):
        day = first + timedelta(days=offset)
        if day.isoformat() in holidays:
            continue
        for opens, closes in week[day.weekday()]:
            a, b = _local(day, opens, zone), _local(day, closes, zone)
            if b > start:
                yield max(a, start), b


def due_at(
    published: int,
    target: int,
    week: Week = ALWAYS,
    zone: ZoneInfo | None = None,
    holidays: Collection[str] = (),
) -> int | None:
    """When ``target`` seconds of business time have passed since ``published``.

    None when the business is never open (within a year).
    """
    if week == ALWAYS and not holidays:
        return published + target
    left = target
    for opens, closes in open_spans(published, week, zone or ZoneInfo("UTC"), holidays):
        if closes - opens >= left:
            return opens + left
        left -= closes - opens
    return None


def business_seconds(
    start: int,
    end: int,
    week: Week = ALWAYS,
    zone: ZoneInfo | None = None,
    holidays: Collection[str] = (),
) -> int:
    """Seconds of business time between two moments; 0 when ``end`` is not after ``start``."""
    if end <= start:
        return 0
    if week == ALWAYS and not holidays:
        return end - start
    total = 0
    for opens, closes in open_spans(start, week, zone or ZoneInfo("UTC"), holidays):
        if opens >= end:
            break
        total += min(closes, end) - opens
    return total


def share(part: int, whole: int) -> float | None:
    """A fraction of 1, or None when there is nothing to take a share of."""
    return part / whole if whole else None


def wilson(part: int, whole: int, z: float = 1.96) -> tuple[float, float] | None:
    """The 95 % interval of a share (Wilson 1927), as fractions of 1; None of nothing."""
    if not whole:
        return None
    p, z2 = part / whole, z * z
    centre = (p + z2 / (2 * whole)) / (1 + z2 / whole)
    half = z * ((p * (1 - p) / whole + z2 / (4 * whole * whole)) ** 0.5) / (1 + z2 / whole)
    return max(0.0, centre - half), min(1.0, centre + half)
