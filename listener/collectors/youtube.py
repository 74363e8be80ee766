"""YouTube by the Data API v3, with a key: videos found for the brands, and the comments below them.

A day has 10,000 quota units; a search takes 100 of them, a page of comments 1. Requests of this
source are therefore counted in units, in the budget as well (``requests_per_day: 9000``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from pydantic import Field

from listener.collectors import Cursor, Deletion, Options, Page, Readiness, Secret
from listener.collectors.http import Guard, Tariff
from listener.collectors.packing import Grammar, search_queries
from listener.collectors.reading import items, mapping, maybe_when
from listener.collectors.walk import NetCollector, Walk, WalkOptions
from listener.collectors.youtube_payloads import comments_in, to_post
from listener.config import Span
from listener.errors import ConfigError, LimitError, PlatformError
from listener.mention import Query, epoch, moment

if TYPE_CHECKING:
    from listener.matching import BrandTerms

KEY = "YOUTUBE_API_KEY"
SEARCH_UNITS = 100


class YouTubeOptions(WalkOptions):
    """What a ``youtube`` source may say."""

    channels: tuple[str, ...] = Field(
        (), description="Ids of channels; all their comments are read."
    )
    search: bool = Field(True, description="Search for videos that name the brands.")
    max_queries: int = Field(1, ge=1, description="Searches; each takes 100 of 10,000 units a day.")
    videos: int = Field(25, ge=0, description="Newest found videos whose comments are followed.")
    overlap: Span = Field(3600, description="How much of the last walk is read again.")
    base_url: str = Field("https://youtube.googleapis.com/", description="Where the API answers.")


class Units(Tariff):
    """Quota units in place of requests."""

    def reserve(self, method: str, url: str) -> tuple[int, float]:
        return SEARCH_UNITS if urlsplit(url).path.endswith("/search") else 1, 0.0


class YouTube(NetCollector):
    """Videos and comments on YouTube."""

    platform = "youtube"
    summary = "Videos that name a brand and the comments below them; needs an API key."
    options: ClassVar[type[Options]] = YouTubeOptions
    secrets = (Secret(KEY, "an API key with YouTube Data API v3 (console.cloud.google.com)"),)
    auth_help = f"Check {KEY}: the key must be allowed to use YouTube Data API v3."
    grammar = Grammar(
        max_length=400, max_queries=1, either="|", handle=None, hashtag=None, groups=False
    )
    to_post = staticmethod(to_post)

    @property
    def wants(self) -> YouTubeOptions:
        assert isinstance(self.context.options, YouTubeOptions)
        return self.context.options

    def tariff(self) -> Tariff:
        return Units()

    def make_guard(self) -> Guard:
        guard = super().make_guard()
        # Comments that are switched off, and those of a video that was made private.
        guard.harmless = ("commentsDisabled", "comment threads cannot be retrieved")
        return guard

    def check(self, queries: Sequence[Query], every_seconds: int) -> Readiness:
        """As the others', in quota units."""
        base = super().check(queries, every_seconds)
        polls = 86_400 / every_seconds
        searches = sum(q.name.startswith("search:") for q in queries)
        units = polls * (searches * (SEARCH_UNITS + self.wants.videos) + len(queries) - searches)
        detail = base.detail + (
            f"; about {units:,.0f} of 10,000 quota units a day: ask less often" * (units > 10_000)
        )
        return Readiness(base.ready, detail, base.missing, units if base.ready else 0.0)

    @classmethod
    def plan_queries(
        cls, brands: Sequence[BrandTerms], options: Options
    ) -> tuple[list[Query], list[str]]:
        from dataclasses import replace

        assert isinstance(options, YouTubeOptions)
        names = tuple(b.brand for b in brands)
        words = tuple(n for b in brands for n in b.names)
        queries = [Query(f"channel:{c}", names, words) for c in options.channels]
        if not options.search:
            return queries, []
        found, left = search_queries(brands, replace(cls.grammar, max_queries=options.max_queries))
        return queries + found, left

    @cached_property
    def api(self) -> Any:
        try:
            from googleapiclient.discovery import build
        except ImportError:
            raise ConfigError(
                "YouTube needs google-api-python-client: pip install 'groundswell[youtube]'"
            ) from None
        return build(
            "youtube",
            "v3",
            developerKey=self.context.secrets.get(KEY),
            http=_Http(self),
            static_discovery=True,
            cache_discovery=False,
            client_options={"api_endpoint": self.wants.base_url},
        )

    def ask(self, request: Any) -> Any:
        """The answer of a request of the client library, as it came over the wire."""
        try:
            return self.through(request.execute)
        except LimitError as error:
            if error.resets_at is None:  # the quota is renewed at midnight in California
                error.resets_at = next_quota_day(self.now().timestamp())
            raise

    # walking --------------------------------------------------------------------------------------

    def walk(self, query: Query, cursor: Cursor | None) -> Iterator[Page]:
        kind, _, label = query.name.partition(":")
        if kind == "channel":
            yield from self._comments({"allThreadsRelatedToChannelId": label}, query, cursor, {})
            return
        saved = dict(cursor or {})
        videos: dict[str, Any] = dict(saved.get("videos") or {})
        since = moment(saved.get("found") or epoch(self.now()) - self.wants.lookback)
        body = self.ask(
            self.api.search().list(
                part="snippet",
                q=self.query_text(query),
                type="video",
                order="date",
                maxResults=50,
                publishedAfter=(since - timedelta(seconds=self.wants.overlap)).strftime(
                    "%Y-%m-%dT%H:%M:%SZ"
                ),
            )
        )
        found = items(self.expect(body, dict, "the search's answer").get("items"))
        for video in reversed(found):
            video_id = mapping(mapping(video).get("id")).get("videoId")
            if isinstance(video_id, str):
                videos.setdefault(video_id, {})
        videos = dict(list(videos.items())[-self.wants.videos :]) if self.wants.videos else {}
        times = [epoch(t) for v in found if (t := _published(v)) is not None]
        state = {"found": max(times, default=epoch(since)), "videos": videos}
        # One page is all that is asked for. Where it reaches back to the last search, what is left
        # out was read then.
        oldest = min(times, default=epoch(since))
        short = bool(mapping(body).get("nextPageToken")) and oldest > epoch(since)
        yield self.page(
            found,
            state,
            where=query.name,
            asked=50,
            truncated=short,
            hole=(epoch(since), oldest) if short else None,
            complete=not videos,
        )
        refused: _Refused | None = None
        for number, video_id in enumerate(videos):
            last = number + 1 == len(videos) and refused is None
            about = {"videoId": video_id}
            try:
                for page in self._comments(about, query, videos[video_id], state, last):
                    videos[video_id] = page.cursor["videos"][video_id]
                    yield page
            except _Refused as error:  # the other videos' comments are there all the same
                refused = refused or error
        if refused is not None:
            raise refused

    def _comments(
        self,
        about: dict[str, str],
        query: Query,
        cursor: Cursor | None,
        around: dict[str, Any],
        last: bool = True,
    ) -> Iterator[Page]:
        """Threads of a video or channel, newest first, back to the last walk; replies come along.

        The cursor stands inside ``around`` (the search's own) under the video's id. A 400 in the
        middle ends no walk as complete: a page's token runs out, so a walk that was cut short begins
        once more at the top, down to the same bound.
        """
        walk = Walk.of(cursor)
        if walk.lower is None:
            walk.lower = (
                walk.bound or epoch(self.now()) - self.wants.lookback
            ) - self.wants.overlap
        read, restarted = False, False
        while True:
            asked = {"part": "snippet,replies", "order": "time", "maxResults": 100, **about}
            if walk.at:
                asked["pageToken"] = walk.at
            body = self.ask(self.api.commentThreads().list(**asked))
            if body is None and self.guard.status == 400 and (walk.at or walk.resumed):
                if walk.at and walk.resumed and not read and not restarted:
                    walk.at, restarted = None, True
                    continue
                raise _Refused(
                    f"youtube answered 400 in the middle of the comments of {query.name}; they are "
                    "read anew at the next walk"
                )
            read = True
            threads = items(mapping(body).get("items"))  # None: comments are switched off there
            times = [epoch(t) for x in threads if (t := _published(_first(x))) is not None]
            if walk.newest is None and times:
                walk.newest = max(times)
            walk.at = mapping(body).get("nextPageToken")
            complete = not walk.at or (bool(times) and min(times) <= walk.lower)
            state: Cursor = walk.cursor(complete)
            if "videoId" in about:
                state = {**around, "videos": {**around["videos"], about["videoId"]: state}}
            yield self.page(
                [c for thread in threads for c in comments_in(thread) if c is not None],
                state,
                where=query.name,
                asked=100,
                complete=complete and last,
            )
            if complete:
                return

    @property
    def rechecks_per_hour(self) -> int:
        return 500

    def recheck(
        self, native_ids: Sequence[str], placed: Collection[str] = ()
    ) -> Sequence[Deletion]:
        """Comments and videos that are gone, fifty a request."""
        gone: list[Deletion] = []
        comments = [i for i in native_ids if len(i) > 11]
        videos = [i for i in native_ids if len(i) <= 11]
        for ids, resource in ((comments, self.api.comments()), (videos, self.api.videos())):
            for start in range(0, len(ids), 50):
                batch = ids[start : start + 50]
                body = self.ask(resource.list(part="id", id=",".join(batch)))
                if isinstance(body, dict) and isinstance(body.get("items"), list):
                    there = {mapping(i).get("id") for i in body["items"]}
                    gone += [Deletion(i) for i in batch if i not in there]
        return gone


class _Refused(PlatformError):
    """A page in the middle of a walk was refused: what lies behind it is still to be read."""


class _Http:
    """What the client library takes for httplib2: our guarded session."""

    def __init__(self, collector: YouTube) -> None:
        self.collector = collector

    def request(
        self,
        uri: str,
        method: str = "GET",
        body: Any = None,
        headers: Any = None,
        redirections: int = 5,
        connection_type: Any = None,
    ) -> tuple[Any, bytes]:
        import httplib2

        clean = {k: v for k, v in (headers or {}).items() if k.lower() != "accept-encoding"}
        answer = self.collector.session.request(method, uri, data=body, headers=clean)
        if answer.status_code >= 500:  # pragma: no cover - the guard has raised before
            raise PlatformError("youtube is down")
        return httplib2.Response({**answer.headers, "status": answer.status_code}), answer.content

    def close(self) -> None:
        self.collector.session.close()


def _first(thread: Any) -> Any:
    return mapping(mapping(thread).get("snippet")).get("topLevelComment")


def _published(payload: Any) -> Any:
    return maybe_when(mapping(mapping(payload).get("snippet")).get("publishedAt"))


def next_quota_day(now: float) -> float:
    """Midnight in California, when the quota is renewed, in epoch seconds."""
    from datetime import datetime
    from zoneinfo import ZoneInfo

    there = datetime.fromtimestamp(now, ZoneInfo("America/Los_Angeles"))
    midnight = there.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return midnight.timestamp()
