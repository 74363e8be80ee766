"""What each source spent, by UTC day: charged before a request is made, and so never behind."""

from __future__ import annotations

from datetime import datetime

from listener import budget
from listener.mention import epoch
from listener.store.base import Base, Row, marks


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

    def costs(self, now: datetime) -> Row:
        """What listening cost: ``usd``, ``usd_per_mention``, and ``sources`` with the same of each.

        Each source has its ``requests`` and ``usd``, those of the UTC day and month so far, and its
        ``mentions`` that count. ``usd_per_mention`` is None where there is no mention to share it. The
        mentions are counted only of sources that cost anything.
        """
        day, month = epoch(budget.day_of(now)), epoch(budget.month_of(now))
        names = [
            row["source"]
            for row in self.rows(
                "SELECT source FROM health UNION SELECT source FROM spending ORDER BY 1"
            )
        ]
        spent = {name: self.spent_since(name, 0) for name in names}
        paid = [name for name in names if spent[name].usd > 0]
        found = {
            row["source"]: int(row["mentions"])
            for row in self.rows(
                "SELECT p.source, COUNT(*) AS mentions FROM mentions m JOIN posts p ON p.key = m.key "
                f"WHERE m.wrong = 0 AND p.source IN ({marks(paid)}) GROUP BY p.source",
                paid,
            )
        }
        sources = []
        for name in names:
            today, this_month = self.spent_since(name, day), self.spent_since(name, month)
            mentions = found.get(name, 0) if name in paid else None
            sources.append(
                {
                    "source": name,
                    "requests": spent[name].requests, "usd": spent[name].usd,
                    "requests_today": today.requests, "usd_today": today.usd,
                    "requests_this_month": this_month.requests, "usd_this_month": this_month.usd,
                    "mentions": mentions,
                    "usd_per_mention": spent[name].usd / mentions if mentions else None,
                }
            )  # fmt: skip
        total, of = sum(s.usd for s in spent.values()), sum(found.values())
        return {"usd": total, "usd_per_mention": total / of if of else None, "sources": sources}
