"""Reddit: by its API with keys (praw), by its feeds without.

Both give the newest first and at most about a thousand items, so a walk that meets the end of a
listing before its lower bound is told as truncated. Search finds submissions; comments come from
the listings of the subreddits that are named. The account's own mentions need a login.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from listener.collectors import Cursor, Deletion, Options, Page, Secret
from listener.collectors.packing import Grammar, search_queries
from listener.collectors.reading import feed_in, items, mapping, maybe_when
from listener.collectors.reddit_payloads import is_gone, things_in, to_post
from listener.collectors.walk import NetCollector, Walk, WalkOptions
from listener.config import Span
from listener.errors import AuthError, ConfigError, PlatformError
from listener.mention import Post, Query, epoch

if TYPE_CHECKING:
    from praw import Reddit as Praw

    from listener.matching import BrandTerms

KEYS = ("REDDIT_CLIENT_ID", "REDDIT_CLIENT_SECRET")
LOGIN = ("REDDIT_USERNAME", "REDDIT_PASSWORD")


class RedditOptions(WalkOptions):
    """What a ``reddit`` source may say."""

    subreddits: tuple[str, ...] = Field((), description="Read all new comments and posts of these.")
    search: bool = Field(True, description="Search all of Reddit for the brands.")
    mentions: bool = Field(True, description="Read the account's own mentions (needs a login).")
    overlap: Span = Field(600, description="How much of the last walk is read again.")
    page_size: int = Field(100, ge=1, le=100, description="Items a request.")
    reddit_url: str = Field("https://www.reddit.com", description="Feeds and logins.")
    oauth_url: str = Field("https://oauth.reddit.com", description="The API.")


class Reddit(NetCollector):
    """Submissions and comments of Reddit."""

    platform = "reddit"
    summary = "Submissions and comments of Reddit; by feeds without keys, by the API with them."
    options: ClassVar[type[Options]] = RedditOptions
    secrets = (
        Secret("REDDIT_CLIENT_ID", "the API instead of the feeds (reddit.com/prefs/apps)", True),
        Secret("REDDIT_CLIENT_SECRET", "belongs to the client id", True),
        Secret("REDDIT_USERNAME", "own mentions and replies (a script app)", True),
        Secret("REDDIT_PASSWORD", "belongs to the user name", True),
        Secret("REDDIT_REFRESH_TOKEN", "own mentions and replies (a web app)", True),
    )
    auth_help = (
        "Check REDDIT_CLIENT_ID and REDDIT_CLIENT_SECRET, and that the app was approved; mentions "
        "need the permission privatemessages, replies the permission submit."
    )
    grammar = Grammar(max_length=512, max_queries=6, handle="u/{}", hashtag=None)
    retried_posts = ("/api/v1/access_token",)
    reads_threads = True
    to_post = staticmethod(to_post)

    @property
    def wants(self) -> RedditOptions:
        assert isinstance(self.context.options, RedditOptions)
        return self.context.options

    @property
    def has_keys(self) -> bool:
        return all(self.context.secrets.get(name) for name in KEYS)

    @property
    def has_login(self) -> bool:
        secrets = self.context.secrets
        return self.has_keys and bool(
            secrets.get("REDDIT_REFRESH_TOKEN") or all(secrets.get(n) for n in LOGIN)
        )

    @classmethod
    def plan_queries(
        cls, brands: Sequence[BrandTerms], options: Options
    ) -> tuple[list[Query], list[str]]:
        assert isinstance(options, RedditOptions)
        names = tuple(b.brand for b in brands)
        terms = tuple(n for b in brands for n in b.names)
        queries = [Query("mentions:own", names, terms)] if options.mentions else []
        if options.subreddits:
            joined = "+".join(options.subreddits)
            queries.append(Query(f"comments:{joined}", names, terms))
            queries.append(Query(f"new:{joined}", names, terms))
        left: list[str] = []
        if options.search:
            found, left = search_queries(brands, cls.grammar)
            queries += found
        return queries, left

    @cached_property
    def praw(self) -> Praw:
        try:
            from praw import Reddit as Praw
        except ImportError:
            raise ConfigError(
                "Reddit's API needs praw: pip install 'groundswell[reddit]' "
                "(or remove the keys to read the feeds)"
            ) from None
        secrets = self.context.secrets
        client = Praw(
            client_id=secrets["REDDIT_CLIENT_ID"],
            client_secret=secrets["REDDIT_CLIENT_SECRET"],
            username=secrets.get("REDDIT_USERNAME"),
            password=secrets.get("REDDIT_PASSWORD"),
            refresh_token=secrets.get("REDDIT_REFRESH_TOKEN"),
            user_agent=self.context.user_agent,
            reddit_url=self.wants.reddit_url,
            oauth_url=self.wants.oauth_url,
            requestor_kwargs={"session": self.session},
            check_for_updates=False,
        )
        for core in (client._core, client._read_only_core):
            if core is not None:  # the guard waits instead, on its own clock
                core.rate_limiter.delay = lambda: None
        return client

    def api(self, path: str, params: dict[str, Any], method: str = "GET") -> Any:
        """What the API answered; the walk of praw ends at the wire, so that payloads stay whole."""
        kwargs = {"params": params} if method == "GET" else {"data": params}
        return self.through(lambda: self.praw.request(method=method, path=path, **kwargs))

    # walking --------------------------------------------------------------------------------------

    def walk(self, query: Query, cursor: Cursor | None) -> Iterator[Page]:
        kind, _, label = query.name.partition(":")
        if kind == "mentions" and not self.has_login:
            return  # nothing is asked, so nothing is known of it
        walk = Walk.of(cursor)
        if walk.lower is None:
            walk.lower = (
                walk.bound or epoch(self.now()) - self.wants.lookback
            ) - self.wants.overlap
        seen, restarted, oldest = 0, False, None
        while True:
            found, after = self._listing(kind, label, query, walk.at, seen)
            if not found and walk.at and walk.resumed and not seen and not restarted:
                walk.at, restarted = None, True  # what it stood at is gone: from the top again
                continue
            seen += len(found)
            times = [epoch(t) for p in found if (t := _time(p)) is not None]
            if walk.newest is None and times:
                walk.newest = max(times)
            oldest = min(times, default=oldest)
            reached = oldest is not None and oldest <= walk.lower
            complete = reached or not after or not found
            # A listing that ends before what the last walk saw has left something out.
            short = seen >= 900 or bool(walk.bound and oldest and oldest > walk.bound)
            short = short and complete and not reached
            walk.at = after
            yield self.page(
                [p for p in found if not is_gone(mapping(p.get("data")))],
                walk.cursor(complete),
                where=query.name,
                asked=self.wants.page_size,
                complete=complete,
                truncated=short,
                hole=(walk.bound or walk.lower, oldest) if short and oldest else None,
                window=(
                    walk.lower if complete and not short else oldest,
                    max(times, default=None),
                ),
                deleted=[
                    Deletion(str(mapping(p["data"]).get("name")))
                    for p in found
                    if is_gone(mapping(p.get("data")))
                ],
            )
            if complete:
                return

    def _listing(
        self, kind: str, label: str, query: Query, after: str | None, seen: int
    ) -> tuple[list[dict[str, Any]], str | None]:
        """One page of things, newest first, and the fullname after which the next one begins."""
        params: dict[str, Any] = {"limit": self.wants.page_size, "raw_json": 1, "count": seen}
        if after:
            params["after"] = after
        if kind == "search":
            path = "search"
            params.update(q=self.query_text(query), sort="new", t="all", type="link")
        elif kind == "mentions":
            path = "message/mentions"
        else:
            path = f"r/{label}/{kind}"
        if not self.has_keys:
            return self._feed(path, params)
        body = self.expect(self.api(path, params), dict, "a listing")
        listing = self.expect(body.get("data"), dict, "a listing's data")
        children = [c for c in items(listing.get("children")) if isinstance(c, dict)]
        things = [c for c in children if c.get("kind") in ("t1", "t3")]
        next_one = listing.get("after")
        return things, next_one if isinstance(next_one, str) else None

    def _feed(self, path: str, params: dict[str, Any]) -> tuple[list[dict[str, Any]], str | None]:
        """The same listing as a feed: without counts, and with the footer that to_post removes."""
        params.pop("raw_json")
        separator = "/" if path.startswith("r/") else ""
        url = f"{self.wants.reddit_url}/{path}{separator}.rss"
        self.guard.json_expected = False
        try:
            answer = self.session.get(url, params=params)
        finally:
            self.guard.json_expected = True
        feed = feed_in(answer.content)
        if answer.status_code >= 400 or (not feed.version and not feed.entries):
            raise PlatformError(
                f"reddit: its feed answered {answer.status_code} with no feed in it; "
                "reddit turns unknown readers away, and keys (REDDIT_CLIENT_ID) are the way in"
            )
        found = [
            {
                "entry_id": e.get("id"),
                "title": e.get("title"),
                "content": (e.get("content") or [{}])[0].get("value") or e.get("summary"),
                "link": e.get("link"),
                "author": e.get("author"),
                "published": dict.get(e, "published"),
                "updated": dict.get(e, "updated"),
            }
            for e in feed.entries
        ]
        last = found[-1]["entry_id"] if len(found) >= self.wants.page_size else None
        return found, last

    # threads, answers, deletions ------------------------------------------------------------------

    @property
    def rechecks_per_hour(self) -> int:
        return 2000 if self.has_keys else 0

    def thread(self, post: Post) -> Page | None:
        """The submission with its comments; None without keys, or where it cannot be seen."""
        if not self.has_keys or not (post.conversation_id or "").startswith("t3_"):
            return None
        body = self.api(
            f"comments/{(post.conversation_id or '')[3:]}", {"limit": 500, "raw_json": 1}
        )
        found = [t for t in things_in(body) if not is_gone(t["data"])]
        if not found:
            return None
        return self.page(found, {}, where="comments", complete=True, threads_read=True)

    def recheck(
        self, native_ids: Sequence[str], placed: Collection[str] = ()
    ) -> Sequence[Deletion]:
        """Posts that were deleted by their authors or removed, a hundred a request; needs keys."""
        if not self.has_keys:
            return ()
        gone: list[Deletion] = []
        for start in range(0, len(native_ids), 100):
            batch = [i for i in native_ids[start : start + 100] if i[:3] in ("t1_", "t3_")]
            body = self.expect(
                self.api("api/info", {"id": ",".join(batch), "raw_json": 1}), dict, "api/info"
            )
            found = {t["data"].get("name"): t["data"] for t in things_in(body)}
            gone += [Deletion(i) for i in batch if i not in found or is_gone(found[i])]
        return gone

    def reply(self, post: Post, text: str) -> str:
        """Answer as the account that is logged in; returns the comment's fullname."""
        if not self.has_login:
            raise AuthError(
                "reddit: to reply, set REDDIT_REFRESH_TOKEN, or REDDIT_USERNAME and REDDIT_PASSWORD "
                "(permission submit)"
            )
        body = self.api(
            "api/comment", {"thing_id": post.native_id, "text": text, "api_type": "json"}, "POST"
        )
        answer = mapping(mapping(body).get("json"))
        if answer.get("errors"):
            raise PlatformError(f"reddit did not take the reply: {answer['errors']!r:.200}")
        for thing in items(mapping(answer.get("data")).get("things")):
            return str(mapping(mapping(thing).get("data")).get("name"))
        raise PlatformError("reddit did not say which comment it made; look before trying again")


def _time(payload: dict[str, Any]) -> Any:
    data = mapping(payload.get("data"))
    return maybe_when(data.get("created_utc") or payload.get("published") or payload.get("updated"))
