"""How long a source, one of its hosts or one of its queries is left alone after a failure, and what is
said of it.

A host that asks for a pause, refuses or cannot be reached waits by itself where its source has others;
a query that fails by itself waits by itself. The pauses are in the store, and hold through restarts.
"""

from __future__ import annotations

import logging
import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from listener.budget import Breaker
from listener.config import Source
from listener.errors import (
    AuthError,
    BudgetError,
    CollectorError,
    LimitError,
    NoAnswerError,
    PlatformError,
    UnreachableError,
)
from listener.mention import Query, moment
from listener.store import Store

log = logging.getLogger("groundswell")

THREADS = "threads"  # what the ledger calls the reading of conversations
# Of queries by name: what part of each brand's posts on its platform each of them brings, at most.
Shares = Callable[[Sequence[str]], Mapping[str, Mapping[str, float]]]


def told(held: Mapping[str, Any]) -> str:
    """Why something is left alone, and until when."""
    return f"{held['last_error']}; {_until(held['open_until'])}"


def why_not(store: Store, source: str, now: int, host: str = "", query: str = "") -> str | None:
    """Why this query of a source (none named: the source, or its host) may not be asked yet."""
    held = store.holds().get(source)
    if held is not None and held["open_until"] > now:
        return told(held)
    for row in store.query_holds(source):
        mine = row["host"] == host and (row["of_host"] or row["query"] == query)
        if mine and row["open_until"] > now:
            return told(row)
    return None


def asks_to_wait(error: CollectorError) -> bool:
    """Whether nothing else is to be asked of the host for now: it limits, names a time before which
    it is not to be asked, or cannot be reached."""
    return (
        isinstance(error, LimitError | UnreachableError)
        or error.resets_at is not None
        or not isinstance(error, PlatformError | AuthError)
    )


def release(store: Store, sources: Sequence[Source], now: int, *, platforms: bool) -> None:
    """At a start: what held a source back may have been mended meanwhile, so it is asked again.

    A raised budget is checked without a request, a new secret by one. ``platforms``: also those
    that a platform itself has asked to wait, or that failed.
    """
    for name, held in store.holds().items():
        if held["open_until"] > now and (platforms or held["held_by"] != "platform"):
            log.info("%s was held back (%s); it is asked again now", name, told(held))
            store.release(name)
    for source in sources:
        for row in store.query_holds(source.name):
            if row["open_until"] > now and (platforms or row["held_by"] != "platform"):
                what = row["host"] if row["of_host"] else row["query"]
                log.info(
                    "%s: %s was held back (%s); it is asked again now", source.name, what, told(row)
                )
                # What it is known to fail by, and since when, stays until it answers.
                store.end_wait(source.name, row["host"], row["query"], now)


class Turn:
    """One round of a source: whom it may ask, who answered, and what is held back for having failed."""

    def __init__(
        self, store: Store, source: Source, asked: Sequence[tuple[Query, str]], now: int,
        shares: Shares,
    ) -> None:  # fmt: skip
        """``asked``: the queries of the source, each with its host ("": what fails for one fails for
        all)."""
        self.store = store
        self.source = source
        self.began = now
        self.stopped = False  # the source as a whole is not to be asked any more in this round
        self.reached = False  # something was answered
        self._shares = shares
        self._queries: dict[str, list[str]] = defaultdict(list)
        for query, host in asked:
            self._queries[host].append(query.name)
        self.several = len(self._queries) > 1
        self._answered: set[tuple[str, str]] = set()
        self._heard: set[tuple[str, str]] = set()  # to the end
        self._doubted: set[tuple[str, type[CollectorError]]] = set()  # hosts, and by what
        self._failed = ""  # the last failure of a query
        self._unreachable = False
        self._said: list[str] = []  # what fails in this round
        self._waits: dict[str, None] = {}  # why others are not asked, each once
        planned = {(host, name) for host, names in self._queries.items() for name in names}
        store.forget_holds(source.name, planned, now)

    def may_ask(self, host: str, query: str) -> bool:
        """Whether nothing holds this query back."""
        why = why_not(self.store, self.source.name, self.began, host, query)
        if why is not None:
            self._waits[why] = None
        return why is None

    @property
    def may_read_threads(self) -> bool:
        """Not where nothing answered, or nothing may be asked: conversations would fail as well."""
        return not self.stopped and (self.reached or not (self._failed or self._waits))

    def answered(self, host: str, query: str) -> None:
        """A page came."""
        self.reached = True
        self._answered.add((host, query))

    def ended(self, host: str, query: str) -> None:
        """The query's walk ended without a failure; where it was answered, nothing holds it back."""
        if (host, query) not in self._answered:
            return
        self._heard.add((host, query))
        if self.store.release_query(self.source.name, host, query):
            log.info("%s answers again (%s)", self.source.name, query)

    def failed(self, host: str, query: str, error: CollectorError, now: int) -> None:
        """Note a failure, and hold back what it is of: the query, its host, or the whole source."""
        self._failed = str(error)
        # Where there is no network at all, that is said once and not once a host.
        unreachable = isinstance(error, UnreachableError)
        quietly = unreachable and self._unreachable and not self.reached
        self._unreachable |= unreachable
        if not self._of_the_host(error, host):
            self._hold(host, [query], error, now, of_host=False)
        elif host and self.several and not isinstance(error, BudgetError):
            of_it = self._queries[host] or [query]
            self._hold(host, of_it, error, now, of_host=True, of=query, quietly=quietly)
        else:
            self._hold_source(query, error, now)

    def thread_failed(self, host: str, error: CollectorError, now: int) -> None:
        """A conversation could not be read. It keeps back whoever asks to wait, and else nobody: it
        may be of that one conversation."""
        if not asks_to_wait(error):
            self.store.save_failure(
                source=self.source.name, platform=self.source.platform, query=THREADS,
                reason=str(error), now=now, requests=error.requests, cost_usd=error.cost_usd,
                failing=False,
            )  # fmt: skip
            self._say(str(error))
        else:
            self.failed(host, THREADS, error, now)

    def end(self, now: int) -> str | None:
        """Close the round: a source of which nothing answered fails. Returns why less came than was
        asked for, or None."""
        if self._failed and not self.reached and not self.stopped:
            self.store.source_failed(self.source.name, self._failed, now)
        found = [*reversed(self._said), *(why for why in self._waits if why not in self._said)]
        if not found:
            return None
        more = len(found) - 1
        return found[0] + (f"; {more} more of its hosts and queries fail or wait" if more else "")

    def _of_the_host(self, error: CollectorError, host: str) -> bool:
        """Whether what failed would fail for the host's other queries too.

        One refusal may be of the query (a permission that a token lacks), as may one time-out; two,
        where nothing has been answered, are of the login, or of the host.
        """
        if not isinstance(error, AuthError | NoAnswerError):
            return asks_to_wait(error)
        again = (host, type(error)) in self._doubted
        self._doubted.add((host, type(error)))
        return again and not any(h == host for h, _ in self._answered)

    def _hold(
        self, host: str, queries: Sequence[str], error: CollectorError, now: int, *, of_host: bool,
        of: str = "", quietly: bool = False,
    ) -> None:  # fmt: skip
        """Hold back some queries of a host. ``of``: the one whose request failed; else the first."""
        rows = {(r["host"], r["query"]): r for r in self.store.query_holds(self.source.name)}
        held = [row for q in queries if (row := rows.get((host, q))) is not None]
        # A page that came shows that it is not down for good: the pauses begin anew.
        came = any(h == host and (of_host or q in queries) for h, q in self._answered)
        failures = 0 if came else max((row["failures"] for row in held), default=0)
        until = _pause(error, failures, now, [row["open_until"] for row in held])
        new = [q for q in queries if (host, q) not in rows]
        shares = self._shares(new) if new else {}
        self.store.hold_queries(
            source=self.source.name,
            platform=self.source.platform,
            query=of or queries[0],
            reason=str(error),
            now=now,
            limited=isinstance(error, LimitError),
            requests=error.requests,
            cost_usd=error.cost_usd,
            host=host,
            of_host=of_host,
            held={q: shares.get(q, {}) for q in queries},
            heard=[q for q in queries if (host, q) in self._heard],
            open_until=until,
            held_by=_held_by(error),
            failures=failures + 1,
            before=self.began,
        )
        if not quietly:
            self._say(f"{error}; {_until(until)}")

    def _hold_source(self, query: str, error: CollectorError, now: int) -> None:
        self.stopped = True
        row = self.store.one(
            "SELECT failures, open_until FROM health WHERE source = ?", (self.source.name,)
        )
        before = [row["open_until"]] if row and row["open_until"] is not None else []
        until = _pause(error, int(row["failures"]) if row else 0, now, before)
        self.store.save_failure(
            source=self.source.name,
            platform=self.source.platform,
            query=query,
            reason=str(error),
            now=now,
            limited=isinstance(error, LimitError),
            open_until=until,
            held_by=_held_by(error),
            requests=error.requests,
            cost_usd=error.cost_usd,
        )
        self._say(f"{error}; {_until(until)}")

    def _say(self, what: str) -> None:
        log.warning("%s: %s", self.source.name, what)
        self._said.append(what)


def _until(seconds: int) -> str:
    return f"not asked again before {moment(seconds):%Y-%m-%d %H:%M:%S} UTC"


def _pause(error: CollectorError, failures: int, now: int, before: Sequence[int]) -> int:
    """Until when to wait: for the reset that was named, else longer at each failure, with jitter. A
    wait that was asked for earlier is not cut short."""
    found = Breaker(failures).failed(now, resets_at=error.resets_at, chance=random.random())
    return int(max([found.open_until, *before]))


def _held_by(error: CollectorError) -> str:
    if isinstance(error, BudgetError):
        return "budget"
    return "login" if isinstance(error, AuthError) else "platform"
