"""What collectors of networked platforms share: the walk back in time, and the making of a page.

A platform answers newest first. A walk keeps the same lower bound through all its pages; only when
it is complete does the newest item of its *first* page become the next lower bound. Until then the
cursor is the walk's own state, so that one that was cut short goes on where it stood and leaves no
hole.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar

from pydantic import Field

from listener.collectors import Collector, Context, Coverage, Cursor, Deletion, Page, Reject
from listener.collectors.http import (
    Guard,
    GuardedSession,
    NetOptions,
    Tariff,
    Unreadable,
    inner_error,
)
from listener.collectors.reading import bounds, read
from listener.config import Span
from listener.errors import CollectorError, PlatformError
from listener.mention import Query, moment


class WalkOptions(NetOptions):
    """Sources that are walked back in time."""

    lookback: Span = Field(86_400, description="How far back the very first walk goes.")


@dataclass
class Walk:
    """Where a walk stands. ``bound``: the newest item of the last complete walk (an id, or
    seconds).

    ``lower``: this walk's lower bound; ``newest``: what becomes ``bound`` at its end; ``at``: how
    the next page is asked for. All are JSON.
    """

    bound: Any = None
    lower: Any = None
    newest: Any = None
    at: Any = None
    resumed: bool = False

    @classmethod
    def of(cls, cursor: Cursor | None) -> Walk:
        saved = cursor or {}
        state = saved.get("walk") or {}
        return cls(
            saved.get("bound"),
            state.get("lower"),
            state.get("newest"),
            state.get("at"),
            bool(state),
        )

    def cursor(self, complete: bool) -> Cursor:
        if complete:
            return {"bound": self.bound if self.newest is None else self.newest}
        state = {"lower": self.lower, "newest": self.newest, "at": self.at}
        return {"bound": self.bound, "walk": state}


class NetCollector(Collector):
    """A collector over HTTP: subclasses give ``walk`` and ``to_post``; limits and errors are
    here."""

    auth_help: ClassVar[str] = ""
    retried_posts: ClassVar[tuple[str, ...]] = ()

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.guard = self.make_guard()

    def make_guard(self) -> Guard:
        return Guard(
            self.context,
            self.platform,
            auth_help=self.auth_help,
            secret_names=tuple(s.name for s in self.secrets),
            tariff=self.tariff(),
            bucket=self.bucket,
        )

    def tariff(self) -> Tariff:
        return Tariff()

    @property
    def bucket(self) -> Callable[[str], str] | None:
        """Which requests share a rate limit; None: all of a host."""
        return None

    @cached_property
    def session(self) -> GuardedSession:
        return GuardedSession(self.guard, retried_posts=self.retried_posts)

    def now(self) -> datetime:
        return self.context.clock()

    @abstractmethod
    def walk(self, query: Query, cursor: Cursor | None) -> Iterator[Page]:
        """As ``fetch``; a CollectorError may leave it at any point."""

    def fetch(self, query: Query, cursor: Cursor | None) -> Iterator[Page]:
        """Yield pages until the walk is complete; see Collector.fetch.

        An answer that cannot be read is kept aside on a page of its own, whose cursor is the one
        before it: it is asked for again, and nothing behind it is lost.
        """
        yield from self._guarded(self.walk(query, cursor), cursor)

    def _guarded(self, pages: Iterator[Page], cursor: Cursor | None) -> Iterator[Page]:
        last = cursor
        try:
            for page in pages:
                last = page.cursor
                yield page
        except Unreadable as error:
            requests, cost = self.guard.take()
            yield Page(
                posts=(),
                cursor=last or {},
                coverage=Coverage(failed=str(error), requests=requests, cost_usd=cost),
                rejected=(error.reject,),
            )
            error.requests, error.cost_usd = 0, 0.0  # the page has counted them
            raise
        except CollectorError as error:
            error.requests, error.cost_usd = self.guard.take()
            raise

    def get(self, url: str, params: dict[str, Any] | None = None) -> Any:
        """The parsed JSON of a GET; None where the platform answered 400, 404 or another
        refusal."""
        answer = self.session.get(url, params=params)
        return self.guard.last if answer.status_code < 400 else None

    def through(self, call: Callable[[], Any]) -> Any:
        """What the platform answered to a library's call, as it came over the wire.

        Libraries change what they parse, and stumble over fields they do not know; the wire does
        not. None where the platform refused (400, 404 …); its status is in ``guard.status``.
        """
        self.guard.last, self.guard.status = None, 0
        try:
            call()
        except Exception as error:
            if (ours := inner_error(error)) is not None:
                raise ours from None
            if self.guard.status == 0:  # the library failed before any answer came
                kind = type(error).__name__
                raise PlatformError(f"{self.platform}: the request failed ({kind})") from None
        return self.guard.last

    def is_gone(self, url: str) -> bool:
        """Whether the platform says that it has no such thing (404 or 410), and nothing less."""
        return self.session.get(url).status_code in (404, 410)

    def expect(self, found: Any, kind: type, what: str) -> Any:
        """The answer, if it has the shape that everything else is read from."""
        if not isinstance(found, kind):
            name = type(found).__name__
            raise PlatformError(f"{self.platform}: {what} is {name}, not {kind.__name__}")
        return found

    def page(
        self,
        payloads: Iterable[Any],
        cursor: Cursor,
        *,
        where: str,
        asked: int | None = None,
        complete: bool = False,
        truncated: bool = False,
        window: tuple[float | None, float | None] = (None, None),
        hole: tuple[float, float] | None = None,
        deleted: Sequence[Deletion] = (),
        rejected: Sequence[Reject] = (),
        threads_read: bool = False,
    ) -> Page:
        """A page of what was read, with its coverage: window in epoch seconds, else its own
        posts'; and the hole that it leaves before it, if any."""
        given = list(payloads)
        posts, rejects = read(given, type(self).to_post, self.now(), self.guard.redact(where))
        oldest, newest = bounds(posts)
        start, end = (None if edge is None else moment(edge) for edge in window)
        left_out = hole if hole is not None and hole[0] < hole[1] else (None, None)
        hole_start, hole_end = (None if edge is None else moment(edge) for edge in left_out)
        requests, cost = self.guard.take()
        return Page(
            posts=posts,
            cursor=cursor,
            coverage=Coverage(
                asked=asked,
                returned=len(given),
                truncated=truncated,
                requests=requests,
                cost_usd=cost,
                window_start=start or oldest,
                window_end=end or newest,
                hole_start=hole_start,
                hole_end=hole_end,
            ),
            rejected=[*rejects, *rejected],
            deleted=deleted,
            complete=complete,
            threads_read=threads_read,
        )
