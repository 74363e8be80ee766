"""What the ledger says: what was asked and returned, where there are holes, who has gone quiet.
Pure.

Rows are those of the ``coverage`` table: one for each page or failed request. "No mentions" and
"we could not listen" are told apart here, so that nobody has to guess.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

HOUR, DAY = 3600, 86_400
Row = Mapping[str, Any]

LEARN_DAYS = 3  # days of listening before "unusually quiet" can be said at all
SURPRISE = 0.001  # probability of such a silence by chance, below which it is told
NOTHING = 1e-9  # a share below it is what sums of shares leave over
MISSING = 0.5  # share of the usual posts that may be missing in an hour that still counts as known


@dataclass(frozen=True, slots=True)
class Summary:
    """One source's query over a time. ``lag`` is the median of seconds from published to collected.

    ``usd_per_new`` is what a post that was not known yet cost; None where there was none.
    """

    source: str
    query: str
    requests: int
    asked: int
    returned: int
    new: int
    matched: int
    rejected: int
    truncated: int
    limited: int
    failed: int
    usd: float
    usd_per_new: float | None
    lag: float | None
    last_ok: int | None
    last_failure: str | None


@dataclass(frozen=True, slots=True)
class Hole:
    """A time of which a platform's posts are not all here, in epoch seconds, ``end`` exclusive.

    ``share`` is the part of the platform's posts that may be missing; ``shares``, where it is given,
    the same by brand: one query of several failed.
    """

    platform: str
    start: int
    end: int
    share: float = 1.0
    shares: Mapping[str, float] | None = None

    def of(self, posts: Mapping[str, int]) -> Hole:
        """The hole in what is said of these brands, by the posts that each has on the platform."""
        if self.shares is None:
            return self
        whole = sum(posts.values())
        lost = sum(self.shares.get(brand, 0.0) * n for brand, n in posts.items())
        return replace(self, share=lost / whole if whole else 0.0, shares=None)


@dataclass(frozen=True, slots=True)
class Silence:
    """A source that returns nothing new although its requests succeed."""

    source: str
    since: int
    expected: float
    requests: int
    hours: float

    def __str__(self) -> str:
        return (
            f"{self.source}: nothing new for {self.hours:.0f} h, where about {self.expected:.0f} "
            f"posts would be usual; {self.requests} requests succeeded in that time, so look at the "
            "source itself (a revoked permission, a changed search)"
        )


def unknown_hours(holes: Iterable[Hole], posts: Mapping[str, int]) -> list[tuple[int, int]]:
    """Stretches of whole hours in which too much may be missing to take the counts for known.

    ``posts`` is what each platform brought. A platform's hole hides as much of an hour as the
    platform usually brings, by how long the hole is: a feed that rolls over at each look hides little
    of a brand that lives elsewhere, and a stream that was down hides all of one that lives on it.
    """
    total = sum(posts.values())
    missing: dict[int, float] = defaultdict(float)
    edges: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for hole in holes:
        if posts.get(hole.platform):
            edges[hole.platform] += [(hole.start, hole.share), (hole.end, -hole.share)]
    for platform, found in edges.items():
        at, hidden = 0, 0.0
        for edge, change in sorted(found):
            # Several queries of a platform tell the same hole: no more than all can be missing.
            part = min(1.0, hidden)
            while part > NOTHING and at < edge:
                step = min(HOUR - at % HOUR, edge - at)
                missing[at - at % HOUR] += posts[platform] / total * part * step / HOUR
                at += step
            at, hidden = edge, hidden + change
    out: list[tuple[int, int]] = []
    for hour in sorted(hour for hour, share in missing.items() if share > MISSING):
        if out and out[-1][1] == hour:
            out[-1] = (out[-1][0], hour + HOUR)
        else:
            out.append((hour, hour + HOUR))
    return out


def summarise(rows: Iterable[Row]) -> list[Summary]:
    """One summary for each source and query, sources in order of their names."""
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["source"], row["query"]].append(row)
    return [_summary(*key, sorted(groups[key], key=lambda r: r["at"])) for key in sorted(groups)]


def _summary(source: str, query: str, rows: Sequence[Row]) -> Summary:
    def total(column: str) -> int:
        return sum(row[column] or 0 for row in rows)

    lags = [row["lag_seconds"] for row in rows if row["lag_seconds"] is not None]
    good = [row["at"] for row in rows if row["failed"] is None]
    bad = [row["failed"] for row in rows if row["failed"] is not None]
    usd, new = sum(row["cost_usd"] or 0.0 for row in rows), total("new")
    return Summary(
        source=source,
        query=query,
        requests=total("requests"),
        asked=total("asked"),
        returned=total("returned"),
        new=new,
        matched=total("matched"),
        rejected=total("rejected"),
        truncated=total("truncated"),
        limited=total("limited"),
        failed=len(bad),
        usd=usd,
        usd_per_new=usd / new if new else None,
        lag=median(lags) if lags else None,
        last_ok=max(good, default=None),
        last_failure=bad[-1] if bad else None,
    )


def silences(rows: Iterable[Row], now: int) -> list[Silence]:
    """Sources that have gone unusually quiet, by what the same hours of the day brought before.

    Posts are counted as a Poisson process whose rate goes by the hour of the day (UTC); hours in
    which every request failed teach nothing. Nothing is said before LEARN_DAYS days, nor of a
    source whose requests fail: that is told as a failure.
    """
    by_source: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_source[row["source"]].append(row)
    return [s for name in sorted(by_source) if (s := _silence(name, by_source[name], now))]


def _silence(source: str, rows: Sequence[Row], now: int) -> Silence | None:
    good = [row for row in rows if row["failed"] is None]
    with_new = [row["at"] for row in good if row["new"]]
    if not with_new or with_new[-1] is None:
        return None
    last, first = max(with_new), min(row["at"] for row in good)
    since_last = [row for row in good if row["at"] > last]
    if not since_last or last - first < LEARN_DAYS * DAY:
        return None
    counts: dict[int, float] = defaultdict(float)
    listened: dict[int, set[int]] = defaultdict(set)
    for row in good:
        if row["at"] <= last:
            hour = row["at"] // HOUR
            listened[hour % 24].add(hour)
            counts[hour % 24] += row["new"] or 0
    quiet_until = max(row["at"] for row in since_last)
    expected, at = 0.0, last
    while at < quiet_until:
        step = min(HOUR - at % HOUR, quiet_until - at)
        hour = at // HOUR % 24
        if listened[hour]:
            expected += counts[hour] / len(listened[hour]) * step / HOUR
        at += step
    if math.exp(-expected) >= SURPRISE:
        return None
    requests = sum(row["requests"] or 0 for row in since_last)
    return Silence(source, last, expected, requests, (now - last) / HOUR)
