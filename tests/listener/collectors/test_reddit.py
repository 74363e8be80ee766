"""Reddit against a server that answers, limits and fails as Reddit does, by API and by feed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fake import SimClock, serving
from fake_reddit import FakeReddit
from harness import collector, pipeline, stored, tick, walk

from listener.collectors.reddit import Reddit, RedditOptions
from listener.errors import AuthError, PlatformError
from listener.matching import BrandTerms
from listener.mention import Query

START = datetime(2026, 3, 1, tzinfo=UTC)
KEYS = {"REDDIT_CLIENT_ID": "an-id", "REDDIT_CLIENT_SECRET": "a-secret-of-ours"}
LOGIN = KEYS | {"REDDIT_USERNAME": "acme", "REDDIT_PASSWORD": "pass-word"}
QUERY = Query("search:Acme", ("Acme",), ("Acme",))


def options(url: str, **more: Any) -> dict[str, Any]:
    return {"reddit_url": url, "oauth_url": url, **more}


@pytest.mark.slow
@pytest.mark.parametrize("secrets", [KEYS, {}], ids=["api", "feeds"])
def test_ten_thousand_submissions_over_days_with_faults(
    tmp_path: Path, secrets: dict[str, str]
) -> None:
    clock = SimClock(START)
    server = FakeReddit(clock, fault_rate=0.1)
    server.hang = 0.4
    count = 10_000 if secrets else 1_000
    every = 4 * 86_400 / count
    for n in range(count):
        server.add(1000 + n, clock.now + 60 + n * every, f"kettle {n} by Acme")
    with serving(server) as url:
        source = {
            "platform": "reddit", "timeout": 0.2, "mentions": False,
            "budget": {"requests_per_day": 800}, **options(url),
        }  # fmt: skip
        with pipeline(tmp_path, clock, source, secrets) as line:
            tick(line, clock, 7200, 4 * 12 + 8)
            found = stored(line, "native_id", "text", "created_at")
            holes = line.store.value("SELECT COUNT(*) FROM coverage WHERE truncated = 1")
    assert found == {
        (name, t["data"]["title"], int(t["data"]["created_utc"]))
        for name, t in server.things.items()
    }
    assert sum(server.faults.values()) >= 3
    assert server.over_limit == 0
    assert holes == 0


def test_a_listing_that_ends_before_the_last_walk_tells_its_hole() -> None:
    clock = SimClock(START)
    start = clock.now  # a repeated request moves the clock on
    server = FakeReddit(clock)
    bound = int(start) - 4000
    server.cap = 300
    server.add(1, start - 4000, "Acme, seen at the last walk")
    for n in range(400):
        server.add(10 + n, start - n, "Acme")
    with serving(server) as url:
        one = collector("reddit", clock, KEYS, **options(url))
        pages = list(one.fetch(QUERY, {"bound": bound}))
    assert [p.coverage.truncated for p in pages] == [False, False, True]
    told = pages[-1].coverage
    assert told.hole_start == datetime.fromtimestamp(bound, UTC)
    assert told.hole_end == told.window_start == datetime.fromtimestamp(start - 299, UTC)


def test_a_walk_goes_on_from_the_top_when_what_it_stood_at_is_gone() -> None:
    clock = SimClock(START)
    server = FakeReddit(clock)
    for n in range(250):
        server.add(10 + n, clock.now - n, "Acme")
    with serving(server) as url:
        first = next(iter(collector("reddit", clock, KEYS, **options(url)).fetch(QUERY, None)))
        del server.things[first.cursor["walk"]["at"]]
        rest, last = walk(collector("reddit", clock, KEYS, **options(url)), QUERY, first.cursor)
    assert {p.native_id for p in [*first.posts, *rest]} >= set(server.things)
    assert last.complete


def test_deleted_and_removed_posts_are_followed() -> None:
    clock = SimClock(START)
    server = FakeReddit(clock)
    kept = server.add(1, clock.now - 1, "Acme")
    gone = server.add(2, clock.now - 2, "Acme", selftext="[deleted]", author="[deleted]")
    with serving(server) as url:
        one = collector("reddit", clock, KEYS, **options(url))
        posts, last = walk(one, QUERY)
        assert [p.native_id for p in posts] == [kept]
        assert [d.native_id for d in last.deleted] == [gone]
        assert [d.native_id for d in one.recheck([kept, gone, "t3_zzz"])] == [gone, "t3_zzz"]


def test_submissions_that_moderators_removed_and_deleted_links_are_followed() -> None:
    clock = SimClock(START)
    server = FakeReddit(clock)
    told = server.add(1, clock.now - 1, "Acme leaked my address", selftext="It is 5 Main St")
    link = server.add(2, clock.now - 2, "Acme link", is_self=False, url="https://a.example/x")
    orphan = server.add(3, clock.now - 3, "Acme, by an account that is gone", author="[deleted]")
    for name in (told, link, orphan):
        server.things[name]["data"].setdefault("removed_by_category", None)
    with serving(server) as url:
        one = collector("reddit", clock, KEYS, **options(url))
        assert len(walk(one, QUERY)[0]) == 3
        server.things[told]["data"] |= {
            "selftext": "[removed]", "removed_by_category": "moderator",
        }  # fmt: skip
        server.things[link]["data"] |= {"author": "[deleted]", "removed_by_category": "deleted"}
        posts, last = walk(one, QUERY)
        assert [p.native_id for p in posts] == [orphan]
        assert [d.native_id for d in last.deleted] == [told, link]
        assert [d.native_id for d in one.recheck([told, link, orphan])] == [told, link]


def test_subreddits_are_read_whole_and_mentions_only_with_a_login() -> None:
    brand = BrandTerms("Acme", ("Acme",), handles=("acme",), auto=False)
    queries, _ = Reddit.plan_queries([brand], RedditOptions(subreddits=("tea", "coffee")))
    assert [q.name for q in queries] == [
        "mentions:own", "comments:tea+coffee", "new:tea+coffee", "search:Acme",
    ]  # fmt: skip
    assert Reddit.query_text(queries[3]) == "Acme OR u/acme"
    clock = SimClock(START)
    server = FakeReddit(clock)
    name = server.add(5, clock.now - 5, "u/acme my kettle", "t1")
    with serving(server) as url:
        posts, _ = walk(collector("reddit", clock, KEYS, **options(url)), queries[1])
        assert [(p.native_id, p.conversation_id, p.reply_to) for p in posts] == [
            (name, "t3_a", "t3_a")
        ]
        before = len(server.requests)
        assert list(collector("reddit", clock, KEYS, **options(url)).fetch(queries[0], None)) == []
        assert len(server.requests) == before
        posts, _ = walk(collector("reddit", clock, LOGIN, **options(url)), queries[0])
        assert [p.text for p in posts] == ["u/acme my kettle"]


def test_one_login_serves_a_collector_and_a_reply_is_a_comment() -> None:
    clock = SimClock(START)
    server = FakeReddit(clock)
    server.add(1, clock.now - 1, "Acme?")
    with serving(server) as url:
        one = collector("reddit", clock, LOGIN, **options(url))
        (post,), _ = walk(one, QUERY)
        name = one.reply(post, "We are sorry")
        assert server.things[name]["data"]["parent_id"] == post.native_id
        thread = one.thread(post)
        assert thread is not None
        assert [p.text for p in thread.posts] == ["We are sorry"]
        assert server.logins == 1
        with pytest.raises(AuthError, match="REDDIT_REFRESH_TOKEN"):
            collector("reddit", clock, KEYS, **options(url)).reply(post, "x")


def test_a_feed_that_is_refused_says_how_to_get_in() -> None:
    clock = SimClock(START)
    server = FakeReddit(clock)
    server.script = ["html"]
    with serving(server) as url, pytest.raises(PlatformError, match="REDDIT_CLIENT_ID"):
        walk(collector("reddit", clock, **options(url)), QUERY)
