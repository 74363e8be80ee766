"""Themes of complaint on a page: posts by theme and day in, a table with sparklines out. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dashboard import figures, pieces
from dashboard.figures import DAY
from dashboard.pieces import inside, safe

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """A theme in a span of days: posts of each day, the last of which may not be over."""

    id: int
    brand: str
    name: str
    first_at: int
    days: tuple[int, ...]

    @property
    def posts(self) -> int:
        return sum(self.days)


def lines(rows: Sequence[Row], first: int, last: int) -> list[Line]:
    """Rows of ``id, brand, name, first_at, day, posts`` over [first, last], most posts first."""
    found: dict[int, tuple[Row, list[int]]] = {}
    for row in rows:
        if first <= row["day"] <= last:
            _, days = found.setdefault(row["id"], (row, [0] * (last - first + 1)))
            days[row["day"] - first] += row["posts"]
    made = [
        Line(i, row["brand"], row["name"], row["first_at"], tuple(days))
        for i, (row, days) in found.items()
    ]
    return sorted(made, key=lambda line: (-line.posts, line.id))


def grown(found: Sequence[Line], days: int, most: int = 5) -> list[Line]:
    """The themes with most posts above their own average, in the last ``days`` days."""

    def above(line: Line) -> float:
        before = line.days[:-days]
        usual = sum(before) / len(before) if before else 0.0
        return sum(line.days[-days:]) - usual * days

    return [n for n in sorted(found, key=lambda n: (-above(n), n.id)) if above(n) > 0][:most]


def table(found: Sequence[Line], since: int, zone: ZoneInfo, query: Mapping[str, Any]) -> str:
    """Each theme with its posts, its days, and since when it is known; it opens into its posts.

    A theme whose first post is of ``since`` or later is marked as new.
    """
    brands = {line.brand for line in found}
    rows = []
    for line in found:
        name: str = inside("mentions", safe(line.name), **{**query, "theme": line.id})
        if len(brands) > 1:
            name += f" <small>{safe(line.brand)}</small>"
        known = figures.date(line.first_at, zone)
        new = ' <span class="gs-tag">new</span>' if line.first_at >= since else ""
        rows.append(
            f"<tr><td>{name}{new}</td><td>{figures.count(line.posts)}</td>"
            f"<td>{spark(line.days)}</td><td>{safe(known)}</td></tr>"
        )
    return (
        '<div class="gs-wide"><table class="gs-table"><thead><tr><th>Theme</th><th>posts</th>'
        "<th>day by day</th><th>since</th></tr></thead><tbody>"
        + "".join(rows)
        + "</tbody></table></div>"
    )


def spark(days: Sequence[int]) -> str:
    """A bar for each day; its figures are read out and shown on hover."""
    top = max(days, default=0) or 1
    words = "posts by day: " + ", ".join(str(n) for n in days)
    bars = "".join(f'<i style="height:{max(4, round(100 * n / top))}%"></i>' for n in days)
    return f'<span class="gs-spark" role="img" title="{words}" aria-label="{words}">{bars}</span>'


def upto_words(upto: int | None, zone: ZoneInfo) -> str:
    """How far the complaints were read, or why there are no themes."""
    if upto is None:
        return "no complaint was looked at for themes yet"
    return f"of complaints up to {figures.clock(upto, zone)}; copies count once"


def day_of(moment: int, zone: ZoneInfo) -> int:
    """The day of the zone's calendar that a moment is in, counted from 1 January 1970."""
    return (moment + figures.offset(moment, zone)) // DAY


def begin_of(day: int, zone: ZoneInfo) -> int:
    """The moment at which that day of the zone's calendar begins."""
    return int((datetime(1970, 1, 1, tzinfo=zone) + timedelta(days=day)).timestamp())


def empty(upto: int | None) -> str:
    if upto is None:
        return pieces.nothing("Themes are not known yet: no complaint was looked at.")
    return pieces.nothing("No complaints alike enough to make a theme in this time.")
