"""X by API v2 (tweepy): own mentions first, because they cost a fifth, then the search of seven
days.

X charges for each post that it returns, so every request reserves its worst case in the budget
before it is made, asks for less when less is left, and gives back what did not come. The same post
read twice on one UTC day is billed once; that is not counted on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from pydantic import Field

from listener.collectors import Cursor, Deletion, Options, Page, Readiness, Secret
from listener.collectors import x_payloads as p
from listener.collectors.http import GuardedSession, Tariff
from listener.collectors.packing import Grammar, search_queries
from listener.collectors.reading import bare_links, items, mapping
from listener.collectors.walk import NetCollector, Walk, WalkOptions
from listener.config import Span
from listener.errors import AuthError, BudgetError, PlatformError
from listener.mention import Post, Query

if TYPE_CHECKING:
    import tweepy

    from listener.matching import BrandTerms

FIXED_HOST = "https://api.twitter.com"  # tweepy's
USER_TOKENS = ("X_API_KEY", "X_API_SECRET", "X_ACCESS_TOKEN", "X_ACCESS_TOKEN_SECRET")
SEARCH_DAYS = 7
MOST_MENTIONS = 800  # that the mentions endpoint looks back on
SIZES = (100, 50, 25, 10)  # posts a request; the smaller ones when the budget nears its end

# Dollars, from X's price list (docs.x.com, read 2026-11).
POST_READ, OWNED_READ, COUNT_REQUEST = 0.005, 0.001, 0.005
USER_READ = 0.010
CREATE, CREATE_WITH_URL = 0.015, 0.200


class XOptions(WalkOptions):
    """What an ``x`` source may say."""

    accounts: tuple[str, ...] = Field(
        (), description="Your own accounts' handles: their mentions are read first."
    )
    replies: bool = Field(True, description="Read what these accounts post, to see their answers.")
    search: bool = Field(True, description="Search for the brands.")
    rechecks: int = Field(
        0, ge=0, description="Stored posts to recheck an hour; each is charged as a read."
    )
    archive: bool = Field(False, description="Backfill by the full archive instead of seven days.")
    max_queries: int = Field(2, ge=1, description="Search queries; each is asked every time.")
    author_price: float = Field(
        USER_READ,
        ge=0,
        description="Dollars counted for each author that comes with a post. X's price list "
        "charges for each user returned; set 0 if your console shows that these are not billed.",
    )
    lookback: Span = Field(21_600, description="How far back the very first walk goes.")
    overlap: Span = Field(30, description="How much of the last walk is read again.")
    base_url: str = Field("https://api.x.com", description="Where the API answers.")


class XTariff(Tariff):
    """Posts and authors by X's price list; ``owned`` tells which requests are owned reads."""

    def __init__(self, author_price: float, owned: Callable[[str], bool]) -> None:
        self.author_price = author_price
        self.owned = owned

    def reserve(self, method: str, url: str) -> tuple[int, float]:
        path = urlsplit(url).path
        if method != "GET":
            return 1, CREATE_WITH_URL
        if "/counts/" in path:
            return 1, COUNT_REQUEST
        if "/users/by/" in path:
            return 1, USER_READ
        asked = parse_qs(urlsplit(url).query)
        ids = asked.get("ids", [""])[0]
        size = ids.count(",") + 1 if ids else int(asked.get("max_results", ["10"])[0])
        return 1, size * (self._post(url) + (self.author_price if "expansions" in asked else 0))

    def actual(self, method: str, url: str, body: Any) -> float:
        path = urlsplit(url).path
        if method != "GET":
            text = str(mapping(mapping(body).get("data")).get("text") or "")
            return CREATE_WITH_URL if bare_links(text) else CREATE
        if "/counts/" in path:
            return COUNT_REQUEST
        if "/users/by/" in path:
            return USER_READ
        users = items(mapping(mapping(body).get("includes")).get("users"))
        return (
            len(items(mapping(body).get("data"))) * self._post(url) + len(users) * self.author_price
        )

    def _post(self, url: str) -> float:
        return OWNED_READ if self.owned(url) else POST_READ


class X(NetCollector):
    """Posts on X."""

    platform = "x"
    summary = "Posts on X: own mentions and search; X charges for each post read."
    options: ClassVar[type[Options]] = XOptions
    secrets = (
        Secret("X_BEARER_TOKEN", "search and mentions (developer.x.com, Keys and tokens)"),
        Secret("X_API_KEY", "replies, and own mentions at the owned price", True),
        Secret("X_API_SECRET", "belongs to the API key", True),
        Secret("X_ACCESS_TOKEN", "the own account's token (Read and Write)", True),
        Secret("X_ACCESS_TOKEN_SECRET", "belongs to the access token", True),
    )
    auth_help = (
        "Check X_BEARER_TOKEN; mentions at the owned price and replies need X_API_KEY, X_API_SECRET, "
        "X_ACCESS_TOKEN and X_ACCESS_TOKEN_SECRET with the permission Read and Write. X allows a "
        "reply only to who mentioned or quoted the account."
    )
    max_query_length = 512
    grammar = Grammar(max_length=512, max_queries=2)
    to_post = staticmethod(p.to_post)

    @property
    def wants(self) -> XOptions:
        assert isinstance(self.context.options, XOptions)
        return self.context.options

    @property
    def as_user(self) -> bool:
        return all(self.context.secrets.get(name) for name in USER_TOKENS)

    def tariff(self) -> Tariff:
        return XTariff(self.wants.author_price, self._is_owned)

    def _is_owned(self, url: str) -> bool:
        return self.as_user and bool(
            re.search(r"/2/users/\d+/(mentions|tweets)$", urlsplit(url).path)
        )

    @property
    def bucket(self) -> Callable[[str], str]:
        """X limits each endpoint by itself; ids in the path do not make another one."""
        return lambda url: re.sub(r"/\d+", "/:id", urlsplit(url).path)

    @cached_property
    def session(self) -> GuardedSession:
        return GuardedSession(self.guard, instead=(FIXED_HOST, self.wants.base_url))

    @cached_property
    def client(self) -> tweepy.Client:
        import requests
        import tweepy

        secrets = self.context.secrets
        client = tweepy.Client(
            bearer_token=secrets.get("X_BEARER_TOKEN"),
            consumer_key=secrets.get("X_API_KEY"),
            consumer_secret=secrets.get("X_API_SECRET"),
            access_token=secrets.get("X_ACCESS_TOKEN"),
            access_token_secret=secrets.get("X_ACCESS_TOKEN_SECRET"),
            return_type=requests.Response,
            wait_on_rate_limit=False,
        )
        client.session = self.session
        return client

    @classmethod
    def plan_queries(
        cls, brands: Sequence[BrandTerms], options: Options
    ) -> tuple[list[Query], list[str]]:
        """Own mentions, own posts, then the search; what mentions bring is not searched again."""
        assert isinstance(options, XOptions)
        names = tuple(b.brand for b in brands)
        terms = tuple(n for b in brands for n in b.names)
        own = {a.lstrip("@").lower() for a in options.accounts}
        queries = [Query(f"mentions:{a}", names, terms, handles=(a,)) for a in sorted(own)]
        if options.replies:
            queries += [Query(f"account:{a}", names, terms, handles=(a,)) for a in sorted(own)]
        if not options.search:
            return queries, []
        from dataclasses import replace

        others = [
            replace(b, handles=tuple(h for h in b.handles if h.lstrip("@").lower() not in own))
            for b in brands
        ]
        grammar = replace(cls.grammar, max_queries=options.max_queries)
        found, left = search_queries(others, grammar)
        return queries + found, left

    def check(self, queries: Sequence[Query], every_seconds: int) -> Readiness:
        """As the others', with the price: what a day costs depends on how much is posted."""
        base = super().check(queries, every_seconds)
        if not base.ready:
            return base
        each = self.price_of_post
        detail = (
            f"ready; each post found is counted at ${each:.3f}, and `groundswell queries --live` "
            "asks X how many there are a day"
        )
        return Readiness(True, detail, (), base.requests_per_day)

    # walking --------------------------------------------------------------------------------------

    def walk(self, query: Query, cursor: Cursor | None) -> Iterator[Page]:
        yield from self._back(query, Walk.of(cursor), archive=False)

    def backfill(self, query: Query, since: datetime, cursor: Cursor | None) -> Iterator[Page]:
        """Walk back to ``since``: seven days by search, all of it with ``archive: true``."""
        walk = Walk.of(cursor)
        walk.lower = p.snowflake_at(since)
        yield from self._guarded(self._back(query, walk, archive=self.wants.archive), cursor)

    def _back(self, query: Query, walk: Walk, *, archive: bool) -> Iterator[Page]:
        """Bounds are post ids. ``walk.at`` is {"token", "until"}: a token may not outlive a break,
        so a walk that is resumed goes on below the oldest id it has seen."""
        kind = query.name.partition(":")[0]
        now = self.now()
        if walk.lower is None:
            since = now - timedelta(seconds=self.wants.lookback)
            if walk.bound is not None:
                since = p.snowflake_time(str(walk.bound)) or since
            walk.lower = p.snowflake_at(since - timedelta(seconds=self.wants.overlap))
        reach = p.snowflake_at(now - timedelta(days=SEARCH_DAYS, minutes=-5))
        lost = kind == "search" and not archive and walk.lower < reach and bool(walk.bound)
        lower = max(walk.lower, reach) if kind == "search" and not archive else walk.lower
        at = walk.at or {}
        token, until = (None if walk.resumed else at.get("token")), at.get("until")
        if until is not None and until <= lower:
            # The break was so long that search reaches nothing of the rest: X refuses to be asked.
            yield self.page(
                (),
                walk.cursor(True),
                where=query.name,
                complete=True,
                truncated=True,
                hole=(_seconds(walk.lower), _seconds(until)),
            )
            return
        seen = 0
        while True:
            body, size = self._ask(kind, query, lower, token, until, archive)
            meta = mapping(body.get("meta"))
            payloads = p.split(body)
            ids = [i for t in payloads if (i := _number(mapping(t["data"]).get("id")))]
            seen += len(payloads)
            if walk.newest is None and (ids or _number(meta.get("newest_id"))):
                walk.newest = max([*ids, _number(meta.get("newest_id"))])
            token = meta.get("next_token")
            until = min(ids, default=until)
            complete = not token
            capped = complete and kind == "mentions" and seen >= MOST_MENTIONS
            hole = None
            if complete and lost:
                hole = (walk.lower, reach)
            elif capped and until is not None:
                hole = (walk.lower, until)
            walk.at = {"token": token, "until": until}
            yield self.page(
                payloads,
                walk.cursor(complete),
                where=query.name,
                asked=size,
                complete=complete,
                truncated=complete and (lost or capped),
                hole=None if hole is None else (_seconds(hole[0]), _seconds(hole[1])),
            )
            if complete:
                return

    def _ask(
        self,
        kind: str,
        query: Query,
        lower: int,
        token: str | None,
        until: int | None,
        archive: bool,
    ) -> tuple[dict[str, Any], int]:
        """One page; as many posts as the budget allows, at least ten."""
        for size in SIZES:
            params: dict[str, Any] = {
                "max_results": size,
                "since_id": lower,
                "tweet_fields": p.TWEET_FIELDS,
                "user_fields": p.USER_FIELDS,
                "place_fields": p.PLACE_FIELDS,
                "expansions": p.EXPANSIONS,
            }
            if until is not None and not token:
                params["until_id"] = until
            try:
                body = self._call(kind, query, params, token, archive)
            except BudgetError:
                if size == SIZES[-1]:
                    raise
                continue
            if body is None and token and until is not None and self.guard.status == 400:
                return self._ask(kind, query, lower, None, until, archive)  # the token is stale
            if body is None:
                raise PlatformError(
                    f"x refused {query.name} with status {self.guard.status}; "
                    "`groundswell queries` shows the query as it was sent"
                )
            return dict(self.expect(body, dict, "the answer")), size
        raise AssertionError("unreachable")

    def _call(
        self, kind: str, query: Query, params: dict[str, Any], token: str | None, archive: bool
    ) -> Any:
        if kind in ("mentions", "account"):
            user = self._user_id(query.handles[0])
            ask = (
                self.client.get_users_mentions
                if kind == "mentions"
                else self.client.get_users_tweets
            )
            more = {"pagination_token": token} if token else {}
            return self.through(lambda: ask(user, user_auth=self.as_user, **params, **more))
        more = {"next_token": token} if token else {}
        text = self.query_text(query)
        if archive:
            return self.through(lambda: self.client.search_all_tweets(text, **params, **more))
        return self.through(lambda: self.client.search_recent_tweets(text, **params, **more))

    _user_ids: ClassVar[dict[str, str]] = {}  # handle → id, for the life of the process

    def _user_id(self, handle: str) -> str:
        if handle.isdecimal():
            return handle
        known = self._user_ids.get(handle.lower())
        if known is None:
            body = self.through(lambda: self.client.get_user(username=handle))
            found = mapping(mapping(body).get("data")).get("id")
            if not isinstance(found, str):
                raise PlatformError(
                    f"x knows no account @{handle}; check `accounts` of this source"
                )
            known = self._user_ids[handle.lower()] = found
        return known

    @property
    def price_of_post(self) -> float:
        """Dollars counted for a post of a search, with its author."""
        return POST_READ + self.wants.author_price

    def posts_per_day(self, query: Query) -> float | None:
        """How many posts a day the last week had (a counts request), to tell what a query will
        cost."""
        if query.name.partition(":")[0] != "search":
            return None
        text = self.query_text(query)
        body = self.through(lambda: self.client.get_recent_tweets_count(text, granularity="day"))
        total = mapping(mapping(body).get("meta")).get("total_tweet_count")
        return total / SEARCH_DAYS if isinstance(total, int) else None

    # threads, answers, deletions ------------------------------------------------------------------

    @property
    def rechecks_per_hour(self) -> int:
        return self.wants.rechecks

    def thread(self, post: Post) -> Page | None:
        """Posts of the same conversation in the last seven days, at the price of a search."""
        if not post.conversation_id:
            return None
        text = f"conversation_id:{post.conversation_id}"
        body = self.through(
            lambda: self.client.search_recent_tweets(
                text,
                max_results=100,
                tweet_fields=p.TWEET_FIELDS,
                user_fields=p.USER_FIELDS,
                expansions=p.EXPANSIONS,
            )
        )
        found = p.split(mapping(body))
        return self.page(found, {}, where=text, complete=True, threads_read=body is not None)

    def recheck(
        self, native_ids: Sequence[str], placed: Collection[str] = ()
    ) -> Sequence[Deletion]:
        """Posts that were deleted, belong to a protected account now, or lost their place."""
        gone: list[Deletion] = []
        for start in range(0, len(native_ids), 100):
            batch = list(native_ids[start : start + 100])
            wanted = {"ids": batch, "tweet_fields": ["geo", "author_id"]}
            body = self.through(partial(self.client.get_tweets, **wanted))
            if body is None:
                continue
            for error in items(mapping(body).get("errors")):
                about = mapping(error)
                native_id = str(about.get("resource_id") or about.get("value") or "")
                if native_id in batch:
                    protected = "authorization" in str(about.get("title", "")).lower()
                    gone.append(Deletion(native_id, "protected" if protected else "deleted"))
            gone += [
                Deletion(str(tweet["id"]), "geo_removed")
                for tweet in items(mapping(body).get("data"))
                if mapping(tweet).get("id") in placed and not mapping(tweet).get("geo")
            ]
        return gone

    def reply(self, post: Post, text: str) -> str:
        """Answer as the own account; returns the reply's id. Never tried twice."""
        if not self.as_user:
            missing = [n for n in USER_TOKENS if not self.context.secrets.get(n)]
            raise AuthError(f"x: to reply, set {', '.join(missing)} (permission Read and Write)")
        to = mapping(post.raw.get("data")).get("id") or post.native_id
        body = self.through(
            lambda: self.client.create_tweet(text=text, in_reply_to_tweet_id=to, user_auth=True)
        )
        found = mapping(mapping(body).get("data")).get("id")
        if not isinstance(found, str):
            raise PlatformError(f"x did not take the reply (status {self.guard.status})")
        return found


def _seconds(number: int) -> float:
    """When the post of this id was made."""
    made = p.snowflake_time(str(number))
    return 0.0 if made is None else made.timestamp()


def _number(value: object) -> int:
    return int(value) if isinstance(value, str) and value.isdecimal() else 0
