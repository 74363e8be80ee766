"""Bluesky's Jetstream: every public post of the network as it is made, without a login.

A websocket gives all posts; those that hold none of the brands' spellings are dropped here, before
they reach the store. Deletes and account deletes come as events and are followed. The stream can
be resumed from a moment, as far back as the server keeps (about a day): where it begins later than
asked, the page tells the hole (``truncated``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

from pydantic import Field

from listener.collectors import Cursor, Deletion, Options, Page, Reject
from listener.collectors.bluesky_payloads import POST, to_post, uri_of
from listener.collectors.http import CONNECT_TIMEOUT, MAX_BODY
from listener.collectors.packing import Grammar, candidates
from listener.collectors.reading import count, kept, mapping
from listener.collectors.walk import NetCollector, WalkOptions
from listener.config import Span
from listener.errors import PlatformError
from listener.folding import fold_with_tags, plain
from listener.mention import Query

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

    from listener.matching import BrandTerms

GAP = 60_000_000  # µs without any post of the whole network: what was there before is gone
PAGE_SECONDS = 5.0  # a page is kept at least so often, so that a stop loses and waits little
OVERLAP = 5_000_000  # µs that are read again, since events of one moment need not be in order


class JetstreamOptions(WalkOptions):
    """What a ``jetstream`` source may say."""

    url: str = Field(
        "wss://jetstream2.us-east.bsky.network/subscribe", description="The Jetstream server."
    )
    listen: Span = Field(60, description="How long to listen at most before the next round.")
    page_events: int = Field(20_000, ge=1, description="Events after which a page is kept.")
    lookback: Span = Field(3600, description="How far back the very first walk goes.")


class Jetstream(NetCollector):
    """Every public post on Bluesky."""

    platform = "jetstream"
    summary = "Every public post on Bluesky, filtered here; no account."
    options: ClassVar[type[Options]] = JetstreamOptions
    to_post = staticmethod(to_post)

    @property
    def wants(self) -> JetstreamOptions:
        assert isinstance(self.context.options, JetstreamOptions)
        return self.context.options

    @classmethod
    def plan_queries(
        cls, brands: Sequence[BrandTerms], options: Options
    ) -> tuple[list[Query], list[str]]:
        """One stream for all: every spelling there is, since none costs anything here."""
        terms = tuple(dict.fromkeys(c.text for c in candidates(brands, Grammar())))
        return [Query("stream:all", tuple(b.brand for b in brands), terms)], []

    def walk(self, query: Query, cursor: Cursor | None) -> Iterator[Page]:
        wanted = Spellings(query.terms)
        asked = (cursor or {}).get("time_us")
        start = int(self.now().timestamp() - self.wants.lookback) * 1_000_000
        position = start if asked is None else asked - OVERLAP
        self.context.spend(1, 0.0)
        self.guard.requests += 1
        ends = self.now().timestamp() + self.wants.listen
        batch, begun = _Batch(position, check_gap=asked is not None), self.now().timestamp()
        with self._connect(position) as socket:
            while True:
                event = self._next(socket, batch)
                if event is not None:
                    batch.add(event, wanted)
                caught_up = event is None or batch.at >= self.now().timestamp() * 1_000_000
                complete = caught_up or self.now().timestamp() >= ends
                full = batch.events >= self.wants.page_events
                if complete or full or self.now().timestamp() - begun >= PAGE_SECONDS:
                    yield self._page(batch, complete)
                    batch, begun = _Batch(batch.at, check_gap=False), self.now().timestamp()
                if complete:
                    return

    def _page(self, batch: _Batch, complete: bool) -> Page:
        return self.page(
            batch.posts,
            {"time_us": batch.at},
            where="jetstream",
            asked=batch.events,
            complete=complete,
            truncated=batch.gap,
            window=(batch.first / 1_000_000 if batch.first else None, batch.at / 1_000_000),
            hole=(batch.begun / 1_000_000, batch.first / 1_000_000) if batch.gap else None,
            deleted=batch.deleted,
            rejected=batch.rejected,
        )

    def _connect(self, position: int) -> ClientConnection:
        from websockets.exceptions import WebSocketException
        from websockets.sync.client import connect

        asked = urlencode({"wantedCollections": POST, "cursor": position})
        try:
            return connect(
                f"{self.wants.url}?{asked}",
                open_timeout=CONNECT_TIMEOUT,
                close_timeout=2,
                max_size=MAX_BODY,
                user_agent_header=self.context.user_agent,
            )
        except (OSError, WebSocketException, TimeoutError) as error:
            raise PlatformError(
                f"jetstream: cannot reach {self.wants.url.partition('?')[0]}; the network or the "
                f"server is down ({type(error).__name__})"
            ) from None

    def _next(self, socket: ClientConnection, batch: _Batch) -> dict[str, Any] | None:
        """The next event; None when none comes within the time-out: we have caught up."""
        from websockets.exceptions import WebSocketException

        while True:
            try:
                text = socket.recv(timeout=min(5.0, self.wants.timeout))
            except TimeoutError:
                return None
            except (OSError, WebSocketException) as error:
                raise PlatformError(
                    f"jetstream: the stream broke off ({type(error).__name__}); it is resumed "
                    "from the last page"
                ) from None
            try:
                event = json.loads(text)
                if not isinstance(event, dict) or count(event.get("time_us")) is None:
                    raise ValueError("time_us is missing")
            except (ValueError, RecursionError) as error:
                batch.rejected.append(Reject(f"no event: {error}", "jetstream", kept(str(text))))
                continue
            return event


class _Batch:
    """What came since the last page. ``begun``, ``first`` and ``at`` are in µs since 1970."""

    def __init__(self, position: int, *, check_gap: bool) -> None:
        self.begun = self.at = position
        self.first = 0
        self.events = 0
        self.gap = False
        self.posts: list[dict[str, Any]] = []
        self.deleted: list[Deletion] = []
        self.rejected: list[Reject] = []
        self._check_gap = check_gap

    def add(self, event: dict[str, Any], wanted: Spellings) -> None:
        time_us = int(event["time_us"])
        if not self.first:
            self.first = time_us
            self.gap = self._check_gap and time_us - self.at > GAP
        self.at = max(self.at, time_us)
        self.events += 1
        commit = mapping(event.get("commit"))
        if event.get("kind") == "account":
            account = mapping(event.get("account"))
            if account.get("active") is False and account.get("status") in ("deleted", "takendown"):
                gone = Deletion("", author_id=str(event.get("did")), platform="bluesky")
                self.deleted.append(gone)
        elif commit.get("collection") == POST and commit.get("operation") == "delete":
            self.deleted.append(Deletion(uri_of(event), platform="bluesky"))
        elif commit.get("collection") == POST:
            text = mapping(commit.get("record")).get("text")
            if not isinstance(text, str) or wanted.found_in(_with_links(text, commit)):
                self.posts.append(event)  # what has no text at all is told as a reject


def _with_links(text: str, commit: Any) -> str:
    """The text and, since links are shortened in it, where they lead."""
    record = json.dumps(mapping(commit.get("record")).get("facets") or "", ensure_ascii=False)
    return f"{text} {record}" if "uri" in record else text


class Spellings:
    """Any of the spellings, anywhere, as it stands or as the matcher folds it: what is kept here the
    matcher judges, so curly apostrophes, line breaks, other hyphens and full-width letters must not
    lose a post. No spellings: every text.

    Two passes of an automaton; a regular expression of 300 spellings takes half a millisecond a post.
    """

    def __init__(self, terms: Sequence[str]) -> None:
        import ahocorasick_rs

        raw = {t.lower() for t in terms if t.strip()}
        folded = {f for t in raw if (f := _folded(t))}
        self._raw = ahocorasick_rs.AhoCorasick(list(raw)) if raw else None
        self._folded = ahocorasick_rs.AhoCorasick(list(folded)) if folded else None

    def found_in(self, text: str) -> bool:
        if self._raw is None:
            return True
        if self._raw.find_matches_as_indexes(text.lower()):
            return True
        if self._folded is None:
            return False
        plain_text = " ".join(fold_with_tags(text)[0].split())
        return bool(self._folded.find_matches_as_indexes(f" {plain_text} "))


def _folded(term: str) -> str:
    """What to look for in folded texts, set off by blanks: "c a" of C&A is not in "vitamin c and"."""
    found = plain(term)
    if not found or len(found) == 1 < len(term):  # C++ would be every "c"
        return ""
    if not found.isascii():
        return found
    return f" {found}" if len(found) > 3 else f" {found} "
