"""Posts from CSV and JSON-lines exports of any tool and any size.

:func:`inspect` reads a file once and says how it will be understood; :class:`Files` then streams it.
``docs/importing.md`` tells users the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from listener.collectors import Collector, Coverage, Cursor, Page, Readiness, Reject
from listener.collectors.columns import FIELDS
from listener.collectors.dialect import opened
from listener.collectors.files_plan import (
    FilesOptions,
    Plan,
    as_read,
    glance,
    inspect,
    known_namespace,
    rows_of,
)
from listener.collectors.files_posts import Rules, build
from listener.collectors.rows import Damaged, cell
from listener.errors import EmptyInput, InputError, PlatformError
from listener.mention import Post, Query

__all__ = ["Files", "FilesOptions", "Plan", "inspect"]

AHEAD = timedelta(days=1)  # a clock may be wrong, and a time without a zone half a day off
# What rows are taken, by number: where it grows, a file that is followed is read once more from the
# top, as rows that were rejected may be posts now. 2: a title in place of an empty text; dates of
# digits alone; names of zones.
TAKES = 2
LONGEST_PAYLOAD = 100_000  # characters of a rejected row that are kept aside


class Files(Collector):
    """CSV and JSON lines. ``position`` is how many bytes of the file have been read."""

    platform = "files"
    summary = "CSV and JSON-lines exports of any tool"
    options = FilesOptions
    everything = True

    position: int = 0
    plan: Plan | None = None

    @property
    def _options(self) -> FilesOptions:
        options = self.context.options
        return (
            options
            if isinstance(options, FilesOptions)
            else FilesOptions(**options.model_dump(exclude_unset=True))
        )

    def check(self, queries: Sequence[Query], every_seconds: int) -> Readiness:
        """Ready when the file is there and its first rows are understood; nothing is asked of any
        platform and nothing costs."""
        path = self._options.path
        if not path:
            return Readiness(False, "no path: say which file to read, or use `groundswell import`")
        if not Path(path).is_file():
            return Readiness(False, f"{path} is not here")
        try:
            found = glance(Path(path), self._options)
        except EmptyInput:
            return Readiness(True, f"reads {path}, which holds no post yet")
        except InputError as error:
            return Readiness(False, str(error))
        text, created = found.mapping["text"], found.mapping["created"]
        return Readiness(True, f"reads {path}: texts in {text!r}, times in {created!r}")

    def fetch(self, query: Query, cursor: Cursor | None) -> Iterator[Page]:
        """All rows after the cursor's. A cursor of another file (or of none, or of rows that are not
        there any more) starts at the top; of the same file with other columns, from before more rows
        were taken, or from when its times were read in another way, too, under the keys that its rows
        have already. The times are put right then.

        Of a file that is followed, a last row that is not written to its end waits until two looks
        have found the file at the same size: whoever writes it is not done. An import takes it.
        """
        if self.context.source.startswith("import:"):
            yield from self._walk(cursor, follow=False)
            return
        try:
            yield from self._walk(cursor, follow=True)
        except EmptyInput:  # it is still to be written
            yield Page((), cursor or {}, complete=True)
        except InputError as error:
            # Into the ledger, so that status shows it and a silent source alerts; and no pause, as
            # nobody minds being asked.
            failed = PlatformError(str(error))
            failed.requests, failed.resets_at = 0, self.context.clock().timestamp()
            raise failed from error

    def _walk(self, cursor: Cursor | None, *, follow: bool) -> Iterator[Page]:
        options = self._options
        if not options.path:
            raise InputError("the files collector needs a path")
        plan = self.plan
        if plan is None or plan.path != Path(options.path):
            plan = self.plan = inspect(options.path, options)
        plan = replace(plan, namespace=known_namespace(plan, cursor))
        done, mark, size, retimed = 0, None, None, False
        if cursor and cursor.get("fingerprint") == plan.fingerprint:
            size = cursor.get("waits_at")
            # Cursors from before this was noted are of the same file: what differs is put right.
            retimed = cursor.get("read_as") != plan.read_as
            plan = plan.keyed_as(cursor.get("keyed_as", plan.read_as))
            if cursor.get("takes", 1) >= TAKES and not retimed:
                done, mark = int(cursor.get("row", 0)), cursor.get("mark")
        wait = follow and size != plan.bytes
        for known in (done, 0):
            try:
                for page in self._pages(plan, known, mark, options.batch, wait):
                    kept = page.cursor
                    if retimed and not page.complete:  # cut short, it begins at the top again
                        kept = {name: value for name, value in kept.items() if name != "read_as"}
                    yield replace(page, cursor=kept, retimed=retimed)
                return
            except _Rewritten:
                continue  # what stands there now is not what was read: all of it is new

    def _pages(
        self, plan: Plan, done: int, mark: str | None, batch: int, wait: bool
    ) -> Iterator[Page]:
        """The rows after the first ``done``, of which the last goes by ``mark``. ``wait``: a last row
        that is not written to its end is left for a later look. Raises _Rewritten, before any page."""
        cut, rules, columns = plan.cutter(), plan.rules, plan.columns
        width, now = len(columns), self.context.clock()
        posts: list[Post] = []
        rejects: list[Reject] = []
        number, row = 0, None
        with opened(plan.path) as source:
            rows = rows_of(source, plan.dialect, cut, wait=wait)
            for number, row in enumerate(rows, 1):
                if number <= done:
                    if number == done and mark is not None and _mark(row) != mark:
                        raise _Rewritten
                    continue
                try:
                    if isinstance(row, Damaged):
                        raise ValueError(row.reason)
                    if isinstance(row, dict):
                        raw = row
                    else:
                        raw = dict(zip(columns, row, strict=False))
                        if len(row) > width and any(row[width:]):
                            raise ValueError(f"{len(row)} cells where the heads have {width}")
                    posts.append(_not_ahead(build(cut(row), raw, rules), now))
                except (ValueError, OverflowError, RecursionError) as error:
                    rejects.append(Reject(str(error), f"row {number}", _payload(row)))
                if len(posts) + len(rejects) >= batch:
                    self.position = source.position()
                    yield self._page(plan, posts, rejects, number, _mark(row))
                    posts, rejects = [], []
        if number < done - rows.left:
            raise _Rewritten
        said = mark if mark is not None and number < done else _mark(row)
        self.position = plan.bytes
        yield self._page(
            plan, posts, rejects, max(number, done), said, complete=True,
            waits=rows.left and number >= done,
        )  # fmt: skip

    @staticmethod
    def _page(
        plan: Plan,
        posts: list[Post],
        rejects: list[Reject],
        row: int,
        mark: str,
        complete: bool = False,
        waits: bool = False,
    ) -> Page:
        times = [p.created_at for p in posts]
        cursor: Cursor = {"row": row, "fingerprint": plan.fingerprint, "takes": TAKES}
        cursor["mark"] = mark
        cursor["read_as"] = plan.read_as
        cursor["keyed_as"] = plan.read_as if plan.keyed is None else as_read(plan.keyed)
        if plan.namespace:
            cursor |= {"start": plan.start, "namespace": plan.namespace}
        if waits:
            cursor["waits_at"] = plan.bytes
        return Page(
            posts=posts,
            cursor=cursor,
            coverage=Coverage(
                asked=len(posts) + len(rejects),
                returned=len(posts),
                requests=0,
                window_start=min(times, default=None),
                window_end=max(times, default=None),
            ),
            rejected=rejects,
            complete=complete,
            threads_read=plan.threads_read,
        )

    @staticmethod
    def to_post(payload: Mapping[str, Any]) -> Post:
        """A row whose keys are the fields themselves (``text``, ``created``, ``author_handle`` …)."""
        cells = tuple(cell(payload.get(name)) for name in FIELDS)
        said = dict(zip(FIELDS, cells, strict=True))
        for name, value in (("text", said["text"] + said["title"]), ("created", said["created"])):
            if not value.strip():
                raise ValueError(f"the field {name!r} is missing or empty")
        return build(cells, dict(payload), Rules())


def _not_ahead(post: Post, now: datetime) -> Post:
    """ValueError for a post from the future: no view of the present would show it until it comes."""
    if post.created_at > now + AHEAD:
        raise ValueError(
            f"the time {post.created_at:%Y-%m-%d %H:%M} UTC lies ahead; if day and month changed "
            "places, say which stands first (--date-order)"
        )
    return post


class _Rewritten(Exception):
    """The rows that were read are not there any more: the file was not continued, but written anew."""


def _mark(row: Any) -> str:
    """What a row is known by at the next look; cells that are empty at its end do not count."""
    if isinstance(row, Damaged):
        said = row.payload
    elif isinstance(row, list):
        said = "\x1f".join(row).rstrip("\x1f")
    else:
        said = repr(row)
    return hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:16]


def _payload(row: Any) -> str:
    """What stood in a rejected row, as text, cut where it is absurdly long."""
    if isinstance(row, Damaged):
        return row.payload[:LONGEST_PAYLOAD]
    return cell(row)[:LONGEST_PAYLOAD]
