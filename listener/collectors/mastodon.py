"""Mastodon servers: public hashtag timelines without an account; search, mentions and replies with
one.

Several servers may be named; each sees only what has reached it, and a status that two of them
show is one post. The access token belongs to the first server. Pages go by status id, newest
first; a server learns of remote statuses late, so the last half hour is read again in every walk.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from pydantic import Field

from listener.collectors import Cursor, Deletion, Options, Page, Secret
from listener.collectors.http import GuardedSession
from listener.collectors.mastodon_payloads import id_at, statuses_in, to_post
from listener.collectors.packing import Grammar, candidates, search_queries
from listener.collectors.reading import mapping, maybe_when
from listener.collectors.walk import NetCollector, Walk, WalkOptions
from listener.config import Span
from listener.errors import (
    AuthError,
    CollectorError,
    LimitError,
    PlatformError,
    UnreachableError,
)
from listener.mention import Post, Query

if TYPE_CHECKING:
    from mastodon import Mastodon as Client

    from listener.matching import BrandTerms

TOKEN = "MASTODON_ACCESS_TOKEN"  # noqa: S105 - the name of the variable, not its value
PAGE = 40  # statuses a request: the most that servers give
MOST_PARENTS = 20  # looked up a page, to know whom a reply answers


class MastodonOptions(WalkOptions):
    """What a ``mastodon`` source may say."""

    servers: tuple[str, ...] = Field(
        ("https://mastodon.social",), description="Servers to ask; the token belongs to the first."
    )
    hashtags: tuple[str, ...] = Field((), description="Hashtags beside those of the brands.")
    search: bool = Field(True, description="Search for the brands (needs a token).")
    mentions: bool = Field(True, description="Read the account's own mentions (needs a token).")
    accounts: tuple[str, ...] = Field(
        (), description="Accounts whose statuses are read, to see what the brand answered."
    )
    parents: bool = Field(True, description="Look up whom a reply answers.")
    overlap: Span = Field(1800, description="How much of the last walk is read again.")


class Mastodon(NetCollector):
    """Statuses of Mastodon and of what speaks as it does."""

    platform = "mastodon"
    summary = "Hashtags on Mastodon servers; with a token also search, mentions and replies."
    options: ClassVar[type[Options]] = MastodonOptions
    secrets = (Secret(TOKEN, "search, own mentions, replies (Preferences, Development)", True),)
    auth_help = (
        "Check MASTODON_ACCESS_TOKEN; search needs read:search, mentions read:notifications, "
        "replies write:statuses. Some servers show nothing to strangers: leave those out."
    )
    grammar = Grammar(max_terms=1, max_queries=8, handle=None, hashtag=None, groups=False)
    reads_threads = True
    to_post = staticmethod(to_post)

    @property
    def wants(self) -> MastodonOptions:
        assert isinstance(self.context.options, MastodonOptions)
        return self.context.options

    @property
    def token(self) -> str | None:
        return self.context.secrets.get(TOKEN) or None

    @classmethod
    def plan_queries(
        cls, brands: Sequence[BrandTerms], options: Options
    ) -> tuple[list[Query], list[str]]:
        """Hashtags on every server; search, mentions and accounts on the first."""
        assert isinstance(options, MastodonOptions)
        names = tuple(b.brand for b in brands)
        words = tuple(n for b in brands for n in b.names)
        queries = [Query("mentions:own", names, words)] if options.mentions else []
        queries += [Query(f"account:{a}", names, words) for a in options.accounts]
        found = [
            (c.text, c.brand) for c in candidates(brands, Grammar(handle=None)) if c.weight >= 0.9
        ]
        tags: dict[str, tuple[str, ...]] = {
            re.sub(r"[\W_]+", "", text).lower(): (brand,) for text, brand in found
        }
        tags |= {tag.lstrip("#").lower(): names for tag in options.hashtags}
        for server in options.servers:
            host = _host(server)
            queries += [
                Query(f"tag:{tag}@{host}", who, (), hashtags=(tag,))
                for tag, who in tags.items()
                if tag and not tag.isdigit()
            ]
        left: list[str] = []
        if options.search:
            searched, left = search_queries(brands, cls.grammar)
            queries += searched
        return queries, left

    @cached_property
    def session(self) -> GuardedSession:
        return GuardedSession(self.guard, wire_only=True)

    def client(self, server: str) -> Client:
        """Mastodon.py for a server, over the guarded session; only the first one gets the token."""
        from mastodon import Mastodon as Client

        address = server if "://" in server else f"https://{server}"
        client = Client(
            api_base_url=address,
            access_token=self.token if server == self.wants.servers[0] else None,
            session=self.session,
            ratelimit_method="throw",
            user_agent=self.context.user_agent,
        )
        # Before each page of a hashtag the library asks the server what it shows at all. That is a
        # second request for each, and a limit that it meets there is passed over.
        client.timeline_is_available = lambda *args, **kwargs: True  # type: ignore[method-assign]
        return client

    def host_of(self, query: Query) -> str:
        return _host(self.server_of(query))

    def server_of(self, query: Query) -> str:
        host = query.name.rpartition("@")[2] if query.name.startswith("tag:") else ""
        for server in self.wants.servers:
            if host and _host(server) == host:
                return server
        return self.wants.servers[0]

    # walking --------------------------------------------------------------------------------------

    def walk(self, query: Query, cursor: Cursor | None) -> Iterator[Page]:
        kind = query.name.partition(":")[0]
        if not self._may_ask(query):
            return  # nothing is asked, so nothing is known of it
        state, now = Walk.of(cursor), self.now().timestamp()
        # The ids of notifications tell no time, so the first walk through them goes by their dates.
        first = kind == "mentions" and state.bound is None
        yield from self._back(query, state, now, now - self.wants.lookback if first else None)

    def _may_ask(self, query: Query) -> bool:
        """Servers show own mentions and searches to those who have a token."""
        return bool(self.token) or query.name.partition(":")[0] not in ("mentions", "search")

    def backfill(self, query: Query, since: Any, cursor: Cursor | None) -> Iterator[Page]:
        """Walk back to ``since``, as far as the server remembers."""
        if not self._may_ask(query):
            return
        walk, now = Walk.of(cursor), self.now().timestamp()
        walk.lower = 0 if query.name.startswith("mentions:") else id_at(since)
        yield from self._guarded(self._back(query, walk, now, since.timestamp()), cursor)

    def _back(
        self, query: Query, walk: Walk, now: float, since: float | None = None
    ) -> Iterator[Page]:
        """``lower`` and ``newest`` are ids as numbers (``_number``); those of notifications are
        counters. ``at`` is an id. What is older than ``since`` ends the walk too."""
        kind, _, label = query.name.partition(":")
        server = self.server_of(query)
        client = self.client(server)
        account = self._account_id(client, label) if kind == "account" else None
        if walk.lower is None:
            walk.lower = self._lower(kind, walk.bound, now)
        before: int | None = None
        while True:
            found = self._ask(client, kind, query, account, walk.at)
            ids = {n: str(entry["id"]) for entry in found if (n := _number(entry)) is not None}
            if walk.newest is None and ids:
                walk.newest = max(ids)
            # A server that does not know ``max_id`` shows the same page again and again.
            stuck = bool(ids) and before is not None and min(ids) >= before
            complete = not ids or stuck or min(ids) <= walk.lower or _older(found, since)
            if ids:
                before = min(ids)
                walk.at = ids[before]
            statuses = [mapping(e).get("status") if kind == "mentions" else e for e in found]
            statuses = [_read_from(server, s) for s in statuses if s is not None]
            refused = None
            if self.wants.parents:
                statuses, refused = self._with_parents(client, statuses)
            left_out = stuck and kind != "mentions"  # the ids of notifications tell no time
            yield self.page(
                statuses,
                walk.cursor(complete),
                where=query.name,
                asked=PAGE,
                complete=complete,
                truncated=stuck,
                hole=(_seconds(walk.lower), _seconds(min(ids))) if left_out else None,
            )
            if refused is not None:
                raise refused
            if complete:
                return

    def _lower(self, kind: str, bound: int | None, now: float) -> int:
        if kind == "mentions":  # notification ids count up by one: twenty of them are read again
            return max(0, (bound or 0) - 20)
        since = (now - self.wants.lookback) * 1000 if bound is None else bound / 2**16
        return int(since - self.wants.overlap * 1000) << 16

    def _ask(
        self, client: Client, kind: str, query: Query, account: str | None, at: str | int | None
    ) -> list[Any]:
        """One page, newest first, of what is older than ``at``."""
        before = str(at) if at is not None else None
        if kind == "mentions":
            body = self.through(
                lambda: client.notifications(max_id=before, types=["mention"], limit=PAGE)
            )
        elif kind == "account":
            body = self.through(lambda: client.account_statuses(account, max_id=before, limit=PAGE))
        elif kind == "tag":
            body = self.through(
                lambda: client.timeline_hashtag(query.hashtags[0], max_id=before, limit=PAGE)
            )
        else:
            body = self.through(
                lambda: client.search_v2(
                    self.query_text(query),
                    resolve=False,
                    result_type="statuses",
                    max_id=before,
                    limit=PAGE,
                )
            )
            body = mapping(body).get("statuses")
        found: list[Any] = self.expect(body, list, f"the answer to {query.name}")
        return found

    def _account_id(self, client: Client, handle: str) -> str:
        body = self.through(lambda: client.account_lookup(handle.lstrip("@")))
        return str(self.expect(body, dict, f"the account {handle}").get("id"))

    def _with_parents(
        self, client: Client, statuses: list[Any]
    ) -> tuple[list[Any], CollectorError | None]:
        """Statuses with ``in_reply_to_uri``: a parent's id means something on this server only.

        Where the server does not show them, the statuses stay as they are: they are not lost for it.
        With them comes what the server said, where it asks to be left alone.
        """
        known = (mapping(status) for status in statuses)
        uris = {s["id"]: s.get("uri") for s in known if isinstance(s.get("id"), str)}
        out, looked_up = [], 0
        refused: CollectorError | None = None
        for status in statuses:
            parent = mapping(status).get("in_reply_to_id")
            if not isinstance(parent, str):
                out.append(status)
                continue
            if parent not in uris and looked_up < MOST_PARENTS:
                looked_up += 1
                try:
                    body = self.through(partial(client.status, parent))
                    uris[parent] = mapping(body).get("uri")
                except CollectorError as error:
                    looked_up = MOST_PARENTS
                    if isinstance(error, LimitError | UnreachableError) or error.resets_at:
                        refused = error
            out.append({**status, "in_reply_to_uri": uris.get(parent)})
        return out, refused

    # threads, answers, deletions ------------------------------------------------------------------

    @property
    def rechecks_per_hour(self) -> int:
        return 120

    @property
    def host_of_recheck(self) -> str:
        return _host(self.wants.servers[0])

    def host_of_thread(self, post: Post) -> str:
        server, _ = self._where(post)
        return "" if server is None else _host(server)

    def thread(self, post: Post) -> Page | None:
        """The statuses above and below, as far as the author's own server knows them where it is one
        of ours, else the one that showed us the status."""
        server, local = self._where(post)
        if server is None:
            return None
        client = self.client(server)
        body = self.through(lambda: client.status_context(local))
        if body is None:  # gone, or not for strangers: nothing was read
            return None
        found = [_read_from(server, status) for status in statuses_in(body)]
        if self._shown_by(post) == server:
            found.append(dict(post.raw))
        found, refused = self._with_parents(client, found)
        if refused is not None:
            raise refused
        return self.page(found, {}, where="context", complete=True, threads_read=True)

    def recheck(
        self, native_ids: Sequence[str], placed: Collection[str] = ()
    ) -> Sequence[Deletion]:
        """Statuses of the first server that it no longer has. Others are not asked for: a post must
        not decide to which host a request goes."""
        client = self.client(self.wants.servers[0])
        gone = []
        for uri in native_ids:
            local = _local_id(uri, self.wants.servers[0])
            if local is None:
                continue
            self.through(partial(client.status, local))
            if self.guard.status in (404, 410):
                gone.append(Deletion(uri))
        return gone

    def reply(self, post: Post, text: str) -> str:
        """Answer publicly, with the author's handle in front as the platform expects; its uri."""
        first = self.wants.servers[0]
        local = _local_id(post.native_id, first)
        if local is None and self._shown_by(post) == first:
            local = str(post.raw.get("id") or "")
        if not self.token:
            raise AuthError(f"mastodon: to reply, set {TOKEN} (permission write:statuses)")
        if not local:
            raise PlatformError(
                "mastodon: this post was not read from the server that would answer"
            )
        handle = mapping(post.raw.get("account")).get("acct")
        whole = text if not handle or f"@{handle}" in text else f"@{handle} {text}"
        visibility = post.raw.get("visibility") or "public"
        client = self.client(self.wants.servers[0])
        body = self.through(
            lambda: client.status_post(whole, in_reply_to_id=local, visibility=visibility)
        )
        if not isinstance(body, dict) or not body.get("uri"):
            raise PlatformError(f"mastodon did not take the reply (status {self.guard.status})")
        return str(body["uri"])

    def _shown_by(self, post: Post) -> str | None:
        """Which of our servers showed us a status: its payload's ids mean something there only.

        Payloads that do not say it are older than the note; with one server there is no question.
        """
        servers = self.wants.servers
        if len(servers) == 1 and "read_from" not in post.raw:
            return servers[0]
        return next((s for s in servers if _host(s) == post.raw.get("read_from")), None)

    def _where(self, post: Post) -> tuple[str | None, str]:
        """A server that can be asked about a status, and the id that the status has there."""
        for server in self.wants.servers:
            if local := _local_id(post.native_id, server):
                return server, local
        shown, local = self._shown_by(post), post.raw.get("id")
        return (shown, str(local)) if shown and local else (None, "")


def _host(server: str) -> str:
    return urlsplit(server).netloc or server


def _local_id(uri: str, server: str) -> str | None:
    """The id on a server that a uri of that server itself ends with."""
    found = re.search(r"/(\d+)$", uri) if urlsplit(uri).netloc == _host(server) else None
    return found.group(1) if found else None


def _read_from(server: str, status: Any) -> Any:
    """A status with the server that showed it: the ids in it mean nothing on others."""
    return {**status, "read_from": _host(server)} if isinstance(status, dict) else status


def _older(entries: Sequence[Any], since: float | None) -> bool:
    """Whether one of these was made before ``since``."""
    times = [t for e in entries if (t := maybe_when(mapping(e).get("created_at"))) is not None]
    return since is not None and any(t.timestamp() < since for t in times)


def _seconds(status: int) -> float:
    """When a status was made, by its id."""
    return status / 2**16 / 1000


def _number(entry: Any) -> int | None:
    """An id as a number that grows with time. Mastodon's own are such; other programs that speak as it
    does have letters in theirs, which stand for the time that the entry names."""
    value, made = mapping(entry).get("id"), maybe_when(mapping(entry).get("created_at"))
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    return id_at(made) if isinstance(value, str) and value and made is not None else None
