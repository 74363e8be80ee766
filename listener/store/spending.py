"""What each source spent, by UTC day: charged before a request is made, and so never behind."""

from __future__ import annotations

from datetime import datetime

from listener import budget
from listener.mention import epoch
from listener.store.base import Base


class Spending(Base):
    """Reads and writes of the ``spending`` table."""

    def charge(
        self, source: str, limits: budget.Limits, now: datetime, requests: int, usd: float
    ) -> None:
        """Check the budget and charge the request, in one transaction.

        Raises BudgetError, and charges nothing, when a limit would be crossed. A negative ``usd``
        gives back what a request did not cost.
        """
        day = epoch(budget.day_of(now))
        with self.write() as db:
            budget.check(
                source,
                limits,
                now,
                self.spent_since(source, day),
                self.spent_since(source, epoch(budget.month_of(now))),
                requests,
                usd,
            )
            db.execute(
                "INSERT INTO spending (source, day, requests, usd) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (source, day) DO UPDATE SET "
                "requests = spending.requests + excluded.requests, "
                "usd = spending.usd + excluded.usd",
                (source, day, requests, usd),
            )

    def spent_since(self, source: str, since: int) -> budget.Spent:
        """Requests and dollars of a source since the start of a UTC day."""
        row = self.one(
            "SELECT COALESCE(SUM(requests), 0) AS requests, COALESCE(SUM(usd), 0) AS usd "
            "FROM spending WHERE source = ? AND day >= ?",
            (source, since),
        )
        return budget.Spent(int(row["requests"]), float(row["usd"])) if row else budget.Spent()
