"""Bluesky by its API (atproto), with a login: search, own notifications, own posts, threads,
replies.

A login is kept for the life of the process, since only 300 a day are allowed. Search is sorted by
a date that authors' programs set, so ten minutes are read again in every walk, and who needs every
post of the network takes `jetstream` instead.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from listener.collectors import Cursor, Deletion, Options, Page, Secret
from listener.collectors.bluesky_payloads import to_post
from listener.collectors.http import CONNECT_TIMEOUT, Guard
from listener.collectors.packing import Grammar, search_queries
from listener.collectors.reading import items, mapping, maybe_when
from listener.collectors.walk import NetCollector, Walk, WalkOptions
from listener.config import Span
from listener.errors import AuthError, ConfigError, PlatformError
from listener.mention import Post, Query, epoch, moment

if TYPE_CHECKING:
    import httpx
    from atproto import Client

    from listener.matching import BrandTerms

HANDLE, PASSWORD = "BLUESKY_HANDLE", "BLUESKY_APP_PASSWORD"
SEARCH_CAP = 9_900  # results of one query after which Bluesky gives no more
LOGINS = ("com.atproto.server.createSession", "com.atproto.server.refreshSession")


class BlueskyOptions(WalkOptions):
    """What a ``bluesky`` source may say."""

    service: str = Field("https://bsky.social", description="The account's server.")
    search: bool = Field(True, description="Search for the brands.")
    mentions: bool = Field(True, description="Read the account's mentions, replies and quotes.")
    accounts: tuple[str, ...] = Field(
        (), description="Accounts whose posts are read, to see what the brand answered."
    )
    max_queries: int = Field(8, ge=1, description="Search queries; each is asked every time.")
    page_size: int = Field(100, ge=1, le=100, description="Posts a request.")
    overlap: Span = Field(600, description="How much of the last walk is read again.")


class Bluesky(NetCollector):
    """Posts on Bluesky."""

    platform = "bluesky"
    summary = "Posts on Bluesky: search, mentions, threads and replies; needs an app password."
    options: ClassVar[type[Options]] = BlueskyOptions
    secrets = (
        Secret(HANDLE, "the account, such as acme.bsky.social"),
        Secret(PASSWORD, "an app password (Settings, Privacy and security, App passwords)"),
    )
    auth_help = f"Check {HANDLE} and {PASSWORD}: an app password, not the account's own."
    grammar = Grammar(max_terms=1, max_queries=8, handle=None, exclude=None, groups=False)
    reads_threads = True
    to_post = staticmethod(to_post)

    @property
    def wants(self) -> BlueskyOptions:
        assert isinstance(self.context.options, BlueskyOptions)
        return self.context.options

    @classmethod
    def plan_queries(
        cls, brands: Sequence[BrandTerms], options: Options
    ) -> tuple[list[Query], list[str]]:
        """Own notifications and posts, then one search a term: Bluesky's search has no OR."""
        from dataclasses import replace

        assert isinstance(options, BlueskyOptions)
        names = tuple(b.brand for b in brands)
        words = tuple(n for b in brands for n in b.names)
        queries = [Query("mentions:own", names, words)] if options.mentions else []
        queries += [Query(f"account:{a.lstrip('@')}", names, words) for a in options.accounts]
        if not options.search:
            return queries, []
        found, left = search_queries(brands, replace(cls.grammar, max_queries=options.max_queries))
        return queries + found, left

    # the client -----------------------------------------------------------------------------------

    def make_guard(self) -> Guard:
        guard = super().make_guard()
        try:
            import httpx
        except ImportError:
            return guard  # ``client`` says what to install
        guard.transient = (httpx.TransportError,)
        return guard

    _sessions: ClassVar[dict[tuple[str, str], str]] = {}  # logins, for the life of the process

    @cached_property
    def client(self) -> Client:
        try:
            from atproto import Client, Request
        except ImportError:
            raise ConfigError("Bluesky needs atproto: pip install 'groundswell[bluesky]'") from None
        secrets = self.context.secrets
        handle, password = secrets.get(HANDLE), secrets.get(PASSWORD)
        if not handle or not password:
            raise AuthError(
                f"bluesky: set {HANDLE} and {PASSWORD}; its search answers no strangers"
            )
        transport = guarded_transport(self.guard)
        weakref.finalize(self, transport.close)  # a collector lives for one round of the schedule
        request = Request(
            transport=transport,
            timeout=_timeouts(self.wants.timeout),
            headers={"User-Agent": self.context.user_agent},
        )
        client = Client(base_url=self.wants.service, request=request)
        key = (self.wants.service, handle)

        def keep(event: Any, session: Any) -> None:
            self._sessions[key] = session.export()

        client.on_session_change(keep)
        if key in self._sessions:
            self._call(
                lambda: client.login(session_string=self._sessions[key], fetch_bsky_profile=False)
            )
        else:
            self._call(lambda: client.login(handle, password, fetch_bsky_profile=False))
        return client

    def _call(self, call: Callable[[], Any]) -> None:
        from listener.collectors.http import inner_error

        try:
            call()
        except Exception as error:
            ours = inner_error(error)
            raise ours or AuthError(f"bluesky refused the login. {self.auth_help}") from None

    def through(self, call: Callable[[], Any]) -> Any:
        """As everywhere; a login that has run out, or was revoked, is not used again: the next round
        logs in anew."""
        from listener.collectors.http import inner_error

        def asked() -> Any:
            try:
                return call()
            except Exception as error:
                said = getattr(getattr(error, "response", None), "content", None)
                if isinstance(inner_error(error), AuthError) or "Token" in str(
                    getattr(said, "error", "")
                ):
                    secrets = self.context.secrets
                    self._sessions.pop((self.wants.service, secrets.get(HANDLE, "")), None)
                raise

        return super().through(asked)

    # walking --------------------------------------------------------------------------------------

    def walk(self, query: Query, cursor: Cursor | None) -> Iterator[Page]:
        walk = Walk.of(cursor)
        if walk.lower is None:
            since = walk.bound or epoch(self.now()) - self.wants.lookback
            walk.lower = since - self.wants.overlap
        yield from self._back(query, walk)

    def backfill(self, query: Query, since: datetime, cursor: Cursor | None) -> Iterator[Page]:
        """Walk back to ``since`` by search."""
        walk = Walk.of(cursor)
        walk.lower = epoch(since)
        yield from self._guarded(self._back(query, walk), cursor)

    def _back(self, query: Query, walk: Walk) -> Iterator[Page]:
        """Bounds are seconds. ``walk.at`` is {"cursor", "until", "seen"}; beyond what one query
        gives, the next one begins where it ended (``until``)."""
        kind = query.name.partition(":")[0]
        at = walk.at or {"cursor": None, "until": None, "seen": 0}
        while True:
            found, token = self._ask(kind, query, walk.lower, at["cursor"], at["until"])
            times = [epoch(t) for p in found if (t := _sorted_by(p)) is not None]
            if walk.newest is None and times:
                walk.newest = max(times)
            at = {**at, "seen": at["seen"] + len(found), "cursor": token}
            below = bool(times) and max(times) < walk.lower
            capped = not token and at["seen"] >= SEARCH_CAP and bool(times)
            stuck = capped and at["until"] == min(times)
            if capped and not stuck:
                at = {"cursor": None, "until": min(times), "seen": 0}
            complete = below or stuck or (not capped and (not token or not found))
            walk.at = at
            yield self.page(
                [p for p in found if _is_wanted(kind, p)],
                walk.cursor(complete),
                where=query.name,
                asked=self.wants.page_size,
                complete=complete,
                truncated=stuck,
                hole=(walk.bound or walk.lower, min(times)) if stuck else None,
                window=(walk.lower if complete and not stuck else None, None),
            )
            if complete:
                return

    def _ask(
        self, kind: str, query: Query, lower: int, token: str | None, until: int | None
    ) -> tuple[list[dict[str, Any]], str | None]:
        feed, size = self.client.app.bsky.feed, self.wants.page_size
        if kind == "mentions":
            ask: Callable[[Any], Any] = self.client.app.bsky.notification.list_notifications
            params: dict[str, Any] = {"limit": size}
            key = "notifications"
        elif kind == "account":
            ask, key = feed.get_author_feed, "feed"
            actor = query.name.partition(":")[2]
            params = {"actor": actor, "filter": "posts_with_replies", "limit": size}
        else:
            ask, key = feed.search_posts, "posts"
            params = {"q": self.query_text(query), "sort": "latest", "limit": size}
            params["since"] = _iso(moment(lower))
            if until is not None:
                params["until"] = _iso(moment(until) + timedelta(seconds=1))
        if token:
            params["cursor"] = token
        body = self.through(lambda: ask(params))
        if body is None:
            raise PlatformError(f"bluesky refused {query.name} with status {self.guard.status}")
        answer = self.expect(body, dict, "the answer")
        found: list[dict[str, Any]] = self.expect(answer.get(key), list, key)
        after = answer.get("cursor")
        return found, after if isinstance(after, str) and after != token else None

    # threads, answers, deletions ------------------------------------------------------------------

    @property
    def rechecks_per_hour(self) -> int:
        return 2500

    def thread(self, post: Post) -> Page | None:
        """The posts above and below, as the network shows them to the account."""
        params = {"uri": post.native_id, "depth": 20, "parent_height": 20}
        body = self.through(lambda: self.client.app.bsky.feed.get_post_thread(params))
        if body is None:
            return None
        found = list(_posts_in(mapping(body).get("thread")))
        if not found:  # the post is gone, or blocks the account: the network shows a note instead
            return None
        return self.page(found, {}, where="getPostThread", complete=True, threads_read=True)

    def recheck(
        self, native_ids: Sequence[str], placed: Collection[str] = ()
    ) -> Sequence[Deletion]:
        """Posts that the network no longer shows, 25 a request."""
        gone: list[Deletion] = []
        for start in range(0, len(native_ids), 25):
            batch = list(native_ids[start : start + 25])
            params = {"uris": batch}
            body = self.through(
                lambda asked=params: self.client.app.bsky.feed.get_posts(asked)  # type: ignore[misc]
            )
            if isinstance(body, dict) and isinstance(body.get("posts"), list):
                there = {mapping(p).get("uri") for p in body["posts"]}
                gone += [Deletion(uri) for uri in batch if uri not in there]
        return gone

    def reply(self, post: Post, text: str) -> str:
        """Answer as the account; returns the reply's at:// address. Never tried twice."""
        from atproto import models

        cid = post.raw.get("cid") or mapping(post.raw.get("commit")).get("cid")
        if not isinstance(cid, str):
            raise PlatformError(
                "bluesky: the post's cid is not stored, so it cannot be answered here"
            )
        parent = models.ComAtprotoRepoStrongRef.Main(uri=post.native_id, cid=cid)
        record = mapping(post.raw.get("record") or mapping(post.raw.get("commit")).get("record"))
        top = mapping(mapping(record.get("reply")).get("root"))
        root = (
            models.ComAtprotoRepoStrongRef.Main(uri=top["uri"], cid=top["cid"])
            if top.get("uri") and top.get("cid")
            else parent
        )
        link = models.AppBskyFeedPost.ReplyRef(parent=parent, root=root)
        reply = models.AppBskyFeedPost.Record(
            text=text, reply=link, created_at=_iso(self.now()).replace(".000", "")
        )
        did = self.client._session.did if self.client._session else ""
        body = self.through(lambda: self.client.app.bsky.feed.post.create(did, reply))
        uri = mapping(body).get("uri")
        if not isinstance(uri, str):
            raise PlatformError(f"bluesky did not take the reply (status {self.guard.status})")
        return uri


def guarded_transport(guard: Guard) -> httpx.BaseTransport:
    """The guard under httpx; answers are read whole inside it, so that broken ones are tried
    again."""
    import httpx

    class Guarded(httpx.BaseTransport):
        def __init__(self) -> None:
            self.inner = httpx.HTTPTransport()

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            url = str(request.url)

            def send() -> httpx.Response:
                response = self.inner.handle_request(request)
                response.read()
                return response

            again = request.method == "GET" or url.endswith(LOGINS)
            return guard.run(send, request.method, url, attempts=4 if again else 1)

        def close(self) -> None:
            self.inner.close()

    return Guarded()


def _timeouts(seconds: float) -> httpx.Timeout:
    import httpx

    return httpx.Timeout(seconds, connect=CONNECT_TIMEOUT)


def _iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _sorted_by(payload: dict[str, Any]) -> datetime | None:
    """The time that the network sorts by: the earlier of what the author said and when it was
    seen."""
    view = mapping(payload.get("post")) or payload
    stated = maybe_when(mapping(view.get("record")).get("createdAt"))
    seen = maybe_when(view.get("indexedAt"))
    return min((t for t in (stated, seen) if t is not None), default=None)


def _is_wanted(kind: str, payload: dict[str, Any]) -> bool:
    if kind == "mentions":
        return payload.get("reason") in ("mention", "reply", "quote")
    return kind != "account" or not payload.get("reason")  # a reason there is a repost


def _posts_in(thread: Any) -> Iterator[dict[str, Any]]:
    """The post views of a thread, parents first."""
    view = mapping(thread)
    if view.get("parent"):
        yield from _posts_in(view["parent"])
    if isinstance(view.get("post"), dict):
        yield view["post"]
    for reply in items(view.get("replies")):
        yield from _posts_in(reply)
