"""Which post each new post copies, remembered from round to round.

A ``Grouping`` knows the groups of a stretch of time or two and reads no stored text twice, so that a
round costs the posts that wait. Only where posts come from a time that it does not know (the first ones
after a start, an archive, a straggler) are the texts stored around it read, three days to either side.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from listener.duplicates import Grouper

AROUND = 3 * 86_400  # seconds before and after a post in which the posts that it may copy are known

Row = Mapping[str, Any]


@dataclass
class _Stretch:
    """The groups heard of from ``since`` to before ``until``."""

    since: int
    until: int
    grouper: Grouper = field(default_factory=Grouper)


class Grouping:
    """Groups posts as they come; nobody else may group posts of the same store meanwhile.

    ``heard(since, until)`` gives (key, text) of the stored groups that had a post in that time. Two
    stretches are known at a time, as a backfill goes on beside what is new.
    """

    def __init__(self, heard: Callable[[int, int], Iterable[tuple[str, str]]]) -> None:
        self._heard = heard
        self._stretches: list[_Stretch] = []  # that of the newest posts first

    def groups_of(self, rows: Sequence[Row]) -> list[tuple[str, str]]:
        """(key, group key) of each row: ``key, text, created_at, platform, repost_of, group_key``.

        The rows come oldest first. A post that has a group keeps it; a repost by button belongs to what
        it reposts.
        """
        found = []
        parts = _apart(rows)
        for part in reversed(parts):
            grouper = self._around(part[0], part[-1], newest=part is parts[-1])
            for row in part:
                told = f"{row['platform']}:{row['repost_of']}" if row["repost_of"] else None
                group = row["group_key"] or told or grouper.add(row["key"], row["text"])
                found.append((row["key"], group))
        return found

    def forget(self, keys: Collection[str]) -> None:
        """These posts were deleted: nothing that comes later is a copy of them."""
        for stretch in self._stretches:
            stretch.grouper.forget(keys)

    def _around(self, first: Row, last: Row, *, newest: bool) -> Grouper:
        """A grouper that knows the time around these posts; what it knows already is not read again."""
        since, until = first["created_at"] - AROUND, last["created_at"] + AROUND
        near = (s for s in self._stretches if s.since - AROUND <= since <= s.until)
        stretch = next(near, None) or _Stretch(since, since)
        if newest:
            others = [s for s in self._stretches if s is not stretch]
            self._stretches = [stretch, *others[:1]]
        elif stretch not in self._stretches:
            self._stretches = [*self._stretches[:1], stretch]
        if since < stretch.since:
            self._read(stretch, since, stretch.since)
            stretch.since = since
        if until > stretch.until:
            self._read(stretch, stretch.until, until)
            stretch.until = until
        return stretch.grouper

    def _read(self, stretch: _Stretch, since: int, until: int) -> None:
        for key, text in self._heard(since, until):
            stretch.grouper.add(key, text)


def _apart(rows: Sequence[Row]) -> list[Sequence[Row]]:
    """The rows in parts that lie so far apart that no time around them is shared."""
    gaps = [
        at
        for at in range(1, len(rows))
        if rows[at]["created_at"] - rows[at - 1]["created_at"] > 2 * AROUND
    ]
    return [rows[a:b] for a, b in zip([0, *gaps], [*gaps, len(rows)], strict=True)]
