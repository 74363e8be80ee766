"""YouTube through its own client library, against a server that counts quota units."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from fake import Platform, Reply, Request, SimClock, serving
from harness import collector, walk

from listener.collectors.youtube import YouTube, YouTubeOptions, next_quota_day
from listener.errors import AuthError, LimitError, PlatformError
from listener.matching import BrandTerms
from listener.mention import Query

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = {"YOUTUBE_API_KEY": "AIza-our-key"}
SEARCH = Query("search:Acme", ("Acme",), ("Acme",))


PRIVATE = (
    "One or more of the requested comment threads cannot be retrieved due to insufficient "
    "permissions. The request might not be properly authorized."
)


def stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class FakeYouTube(Platform):
    def __init__(self, clock: SimClock) -> None:
        super().__init__(clock)
        self.videos: dict[str, float] = {}
        self.comments: dict[str, list[tuple[str, float, str]]] = {}
        self.failing: set[str] = set()  # videos and channels of which only the first page comes
        self.stale: set[str] = set()  # page tokens that have run out

    def limit_headers(self, remaining: int, resets: float) -> dict[str, str]:
        return {}

    def answer(self, request: Request) -> Reply:
        query = request.query
        if query.get("key") != KEY["YOUTUBE_API_KEY"]:
            error = {
                "code": 403,
                "message": "API key not valid",
                "errors": [{"reason": "forbidden"}],
            }
            return Reply({"error": error}, 403)
        if request.path.endswith("/search"):
            after = query["publishedAfter"]
            found = [(v, at) for v, at in self.videos.items() if stamp(at) > after]
            newest = sorted(found, key=lambda x: -x[1])
            more = {"nextPageToken": "50"} if len(newest) > 50 else {}
            return Reply({"items": [self._video(v, at) for v, at in newest[:50]], **more})
        if request.path.endswith("/commentThreads"):
            key = query.get("videoId") or query["allThreadsRelatedToChannelId"]
            if key == "closed":
                return Reply({"error": {"errors": [{"reason": "commentsDisabled"}]}}, 403)
            rows = sorted(self.comments.get(key, []), key=lambda c: -c[1])
            if key == "private":
                return Reply(
                    {"error": {"message": PRIVATE, "errors": [{"reason": "forbidden"}]}}, 403
                )
            token = query.get("pageToken", "0")
            if key in self.failing and token != "0":
                return Reply({"error": {"errors": [{"reason": "processingFailure"}]}}, 400)
            if token in self.stale:
                return Reply({"error": {"errors": [{"reason": "invalidPageToken"}]}}, 400)
            start = int(token)
            shown = rows[start : start + 100]
            body: dict[str, Any] = {"items": [_thread(key, *row) for row in shown]}
            if start + 100 < len(rows):
                body["nextPageToken"] = str(start + 100)
            return Reply(body)
        wanted = query["id"].split(",")
        known = {c[0] for rows in self.comments.values() for c in rows} | set(self.videos)
        return Reply({"items": [{"id": i} for i in wanted if i in known]})

    def _video(self, video: str, at: float) -> dict[str, Any]:
        snippet = {"publishedAt": stamp(at), "title": "Acme &amp; tea", "description": "a kettle"}
        return {"kind": "youtube#searchResult", "id": {"videoId": video}, "snippet": snippet}


def _thread(video: str, number: str, at: float, text: str) -> dict[str, Any]:
    snippet = {
        "videoId": video, "textOriginal": text, "authorDisplayName": "@lee",
        "publishedAt": stamp(at), "updatedAt": stamp(at), "likeCount": 0,
    }  # fmt: skip
    top = {"kind": "youtube#comment", "id": number, "snippet": snippet}
    return {"kind": "youtube#commentThread", "id": number, "snippet": {"topLevelComment": top}}


def test_found_videos_and_all_their_comments_come_and_later_only_the_new_ones() -> None:
    clock = SimClock(START)
    server = FakeYouTube(clock)
    server.videos = {"vid1": clock.now - 5000, "closed": clock.now - 6000}
    server.comments["vid1"] = [
        (f"Ugx-comment-{n}", clock.now - 4000 + n, "Acme") for n in range(250)
    ]
    with serving(server) as url:
        one = collector("youtube", clock, KEY, base_url=url + "/", overlap=60)
        posts, last = walk(one, SEARCH)
        assert len({p.native_id for p in posts}) == 252
        assert {p.text for p in posts if p.native_id == "vid1"} == {"Acme & tea\na kettle"}
        assert last.complete
        clock.now += 7200
        server.comments["vid1"].append(("Ugx-comment-new", clock.now - 10, "again"))
        before = len(server.requests)
        later, _ = walk(one, SEARCH, last.cursor)
        assert "Ugx-comment-new" in {p.native_id for p in later}
        assert len(server.requests) - before == 3  # the search, and one page for each video
        assert [d.native_id for d in one.recheck(["Ugx-comment-1", "Ugx-comment-999", "vid1"])] == [
            "Ugx-comment-999"
        ]


def test_more_videos_than_a_search_gives_are_a_hole_after_the_last_search() -> None:
    clock = SimClock(START)
    start = clock.now  # a repeated request moves the clock on
    server = FakeYouTube(clock)
    server.videos = {f"video{n}": start - 60 * n for n in range(120)}
    with serving(server) as url:
        one = collector("youtube", clock, KEY, base_url=url + "/", overlap=3600, videos=0)
        before = start - 6000
        _, told = walk(one, SEARCH, {"found": int(before)})
        # This search leaves out only what the last one had: there is no hole.
        _, fine = walk(one, SEARCH, {"found": int(start) - 49 * 60})
    assert told.coverage.truncated
    assert told.coverage.hole_start == datetime.fromtimestamp(before, UTC)
    assert told.coverage.hole_end == datetime.fromtimestamp(start - 49 * 60, UTC)
    assert (fine.coverage.truncated, fine.coverage.hole_end) == (False, None)


def test_a_channels_comments_are_walked_back() -> None:
    clock = SimClock(START)
    server = FakeYouTube(clock)
    server.comments["UC1"] = [(f"Ugx-comment-{n}", clock.now - n, "x") for n in range(230)]
    (query, _), left = YouTube.plan_queries(
        [BrandTerms("Acme", ("Acme", "Acme Tea"), misspellings=("akme",), auto=False)],
        YouTubeOptions(channels=("UC1",)),
    )
    assert query.name == "channel:UC1"
    assert left == []
    with serving(server) as url:
        posts, last = walk(collector("youtube", clock, KEY, base_url=url + "/"), query)
    assert len({p.native_id for p in posts}) == 230
    assert last.cursor == {"bound": int(clock.now)}


def test_a_page_that_is_refused_in_the_middle_is_read_at_the_next_walk() -> None:
    clock = SimClock(START)
    server = FakeYouTube(clock)
    server.comments["UC1"] = [(f"Ugx-comment-{n}", clock.now - 300 + n, "x") for n in range(250)]
    server.failing = {"UC1"}
    query = Query("channel:UC1", ("Acme",), ("Acme",))
    found: set[str] = set()
    with serving(server) as url:
        one = collector("youtube", clock, KEY, base_url=url + "/", overlap=60)
        cursor = None
        for _ in range(2):  # the second time it begins at the top, and is refused again
            with pytest.raises(PlatformError, match="read anew at the next walk"):  # noqa: PT012
                for page in one.fetch(query, cursor):
                    found |= {p.native_id for p in page.posts}
                    cursor = page.cursor
                    assert not page.complete
        assert len(found) == 100
        clock.now += 7200
        server.failing, server.stale = set(), {"100"}  # the token where it stood has run out
        server.comments["UC1"].append(("Ugx-comment-new", clock.now - 10, "again"))
        with pytest.raises(PlatformError):
            walk(one, query, cursor)
        server.stale = set()
        posts, last = walk(one, query, cursor)
    found |= {p.native_id for p in posts}
    assert len(found | {"Ugx-comment-new"}) == 251
    assert last.complete
    assert set(last.cursor) == {"bound"}


def test_a_video_whose_comments_are_refused_keeps_no_other_from_being_read() -> None:
    clock = SimClock(START)
    server = FakeYouTube(clock)
    server.videos = {"bad": clock.now - 5000, "private": clock.now - 5500, "good": clock.now - 4000}
    for video in ("bad", "good"):
        server.comments[video] = [(f"{video}-comment-{n}", clock.now - n, "x") for n in range(150)]
    server.failing = {"bad"}
    found: set[str] = set()
    with serving(server) as url:
        one = collector("youtube", clock, KEY, base_url=url + "/", overlap=60)
        cursor = None
        with pytest.raises(PlatformError, match="400"):  # noqa: PT012
            for page in one.fetch(SEARCH, cursor):
                found |= {p.native_id for p in page.posts}
                cursor = page.cursor
                assert not page.complete
        assert sum("good-" in i for i in found) == 150
        clock.now += 1800
        server.failing = set()
        posts, last = walk(one, SEARCH, cursor)
    found |= {p.native_id for p in posts}
    assert sum("bad-" in i for i in found) == 150
    assert last.complete


def test_a_used_up_quota_tells_when_it_renews_and_a_bad_key_is_named() -> None:
    clock = SimClock(START)
    server = FakeYouTube(clock)
    with serving(server) as url:
        one = collector("youtube", clock, {"YOUTUBE_API_KEY": "AIza-wrong"}, base_url=url + "/")
        with pytest.raises(AuthError, match="YOUTUBE_API_KEY") as refused:
            walk(one, SEARCH)
        assert "AIza-wrong" not in str(refused.value)
        quota = {"error": {"errors": [{"reason": "quotaExceeded"}], "message": "quota"}}
        server.answer = lambda request: Reply(quota, 403)  # type: ignore[method-assign]
        with pytest.raises(LimitError) as limited:
            walk(collector("youtube", clock, KEY, base_url=url + "/"), SEARCH)
    assert limited.value.resets_at == next_quota_day(clock.now)
    midnight = datetime.fromtimestamp(next_quota_day(START.timestamp()), UTC)
    assert midnight == datetime(2026, 3, 2, 8, tzinfo=UTC)


def test_a_search_counts_a_hundred_units() -> None:
    clock = SimClock(START)
    server = FakeYouTube(clock)
    spent: list[int] = []
    with serving(server) as url:
        one = collector("youtube", clock, KEY, base_url=url + "/")
        object.__setattr__(one.context, "spend", lambda requests, usd: spent.append(requests))
        walk(one, SEARCH)
    assert spent == [100]
    often = one.check([SEARCH], 300)
    assert "of 10,000 quota units a day: ask less often" in often.detail
