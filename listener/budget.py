"""What a source may spend, and when to leave it alone for a while: pure logic over given counters.

A request is charged its worst case *before* it is made, in the same transaction that checks the budget;
what it did not cost after all is given back. So a budget holds through retries, time-outs and kills.
Days and months are UTC, as X bills them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from listener.errors import BudgetError

FIRST_PAUSE = 30.0  # seconds after the first failure; doubled at each further one
LONGEST_PAUSE = 3600.0


class Limits(Protocol):
    """What a budget says; None is no limit. ``listener.config.Budget`` is one."""

    @property
    def requests_per_day(self) -> int | None: ...
    @property
    def requests_per_month(self) -> int | None: ...
    @property
    def usd_per_day(self) -> float | None: ...
    @property
    def usd_per_month(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Spent:
    """Requests and dollars of one source in one period."""

    requests: int = 0
    usd: float = 0.0


def day_of(now: datetime) -> datetime:
    """The start of the UTC day."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def month_of(now: datetime) -> datetime:
    """The start of the UTC month."""
    return day_of(now).replace(day=1)


def check(
    source: str,
    limits: Limits,
    now: datetime,
    today: Spent,
    this_month: Spent,
    requests: int,
    usd: float,
) -> None:
    """BudgetError when this request would cross a limit; what is given back never does."""
    if requests <= 0 and usd <= 0:
        return
    tomorrow = day_of(now) + timedelta(days=1)
    next_month = (month_of(now) + timedelta(days=32)).replace(day=1)
    for period, spent, most_requests, most_usd, renews in (
        ("a day", today, limits.requests_per_day, limits.usd_per_day, tomorrow),
        ("a month", this_month, limits.requests_per_month, limits.usd_per_month, next_month),
    ):
        at = f"it renews at {renews:%Y-%m-%d %H:%M} UTC"
        if most_requests is not None and spent.requests + requests > most_requests:
            raise BudgetError(
                f"{source}: the budget of {most_requests:,} requests {period} is used up; {at}",
                renews.timestamp(),
            )
        if most_usd is not None and spent.usd + usd > most_usd + 1e-9:
            raise BudgetError(
                f"{source}: the budget of ${most_usd:.2f} {period} would be crossed "
                f"(${spent.usd:.2f} spent, the next request may cost ${usd:.2f}); {at}",
                renews.timestamp(),
            )


@dataclass(frozen=True, slots=True)
class Breaker:
    """A source that fails is left alone, longer each time, so that it neither blocks nor hammers.

    ``failures`` in a row; ``open_until`` in epoch seconds: not before then.
    """

    failures: int = 0
    open_until: float = 0.0

    def is_open(self, now: float) -> bool:
        return now < self.open_until

    def failed(self, now: float, *, resets_at: float | None = None, chance: float = 0.5) -> Breaker:
        """After a failure. A named reset is kept to; otherwise 30 s, 1 min, … up to an hour.

        ``chance`` in 0..1 spreads the pauses by a quarter, so that sources do not return together.
        """
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self.failures, 20))
        until = resets_at if resets_at is not None else now + pause * (0.75 + 0.5 * chance)
        return Breaker(self.failures + 1, until)

    def succeeded(self) -> Breaker:
        return Breaker()
