"""Hacker News against a server that answers as Algolia does."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from fake import SimClock, serving
from fake_hackernews import FakeHackerNews
from harness import collector, pipeline, stored, tick, until_complete, walk

from listener.mention import Query

START = datetime(2026, 3, 1, tzinfo=UTC)
QUERY = Query("search:acme", ("Acme",), ("Acme",))


@pytest.mark.slow
def test_ten_thousand_comments_over_days_with_faults_are_all_stored_once(tmp_path: Path) -> None:
    clock = SimClock(START)
    server = FakeHackerNews(clock, fault_rate=0.1)
    server.hang = 0.4
    every = 4 * 86_400 / 10_000
    for n in range(10_000):
        server.add(100 + n, int(clock.now + 60 + n * every), f"my Acme kettle, part {n}")
    with serving(server) as url:
        source = {
            "platform": "hackernews", "base_url": url, "timeout": 0.2, "overlap": 600,
            "budget": {"requests_per_day": 1500},
        }  # fmt: skip
        with pipeline(tmp_path, clock, source) as line:
            tick(line, clock, 7200, 4 * 12 + 8)
            found = stored(line, "native_id", "text", "created_at")
    assert found == {
        (i["objectID"], i["comment_text"], i["created_at_i"]) for i in server.items.values()
    }
    assert sum(server.faults.values()) >= 10
    assert server.over_limit == 0


def test_a_thousand_hits_are_not_the_end() -> None:
    """The platform gives 1,000 hits a query, many of them in the same second."""
    clock = SimClock(START)
    server = FakeHackerNews(clock)
    for n in range(2500):
        server.add(n, int(clock.now) - n // 240, "Acme")
    with serving(server) as url:
        one = collector("hackernews", clock, base_url=url, page_size=100)
        posts, last = walk(one, QUERY)
    assert {p.native_id for p in posts} == {str(n) for n in range(2500)}
    assert last.cursor == {"bound": int(clock.now)}


def test_more_than_a_thousand_in_one_second_is_told_as_truncated() -> None:
    clock = SimClock(START)
    server = FakeHackerNews(clock)
    for n in range(1300):
        server.add(n, int(clock.now) - 5, "Acme")
    server.add(5000, int(clock.now) - 60, "Acme before")
    with serving(server) as url:
        pages = list(collector("hackernews", clock, base_url=url).fetch(QUERY, None))
    (told,) = [p.coverage for p in pages if p.coverage.truncated]
    assert (told.hole_start, told.hole_end) == (
        datetime.fromtimestamp(int(clock.now) - 5, UTC),
        datetime.fromtimestamp(int(clock.now) - 4, UTC),
    )
    assert {p.native_id for page in pages for p in page.posts} >= {"5000"}
    assert pages[-1].complete


def test_a_walk_cut_anywhere_leaves_no_hole() -> None:
    clock = SimClock(START)
    server = FakeHackerNews(clock)
    for n in range(950):
        server.add(n, int(clock.now) - n * 60, "Acme")  # far beyond the overlap
    for cut in (1, 4, 8):
        with serving(server) as url:
            one = collector("hackernews", clock, base_url=url)
            pages = one.fetch(QUERY, None)
            got, cursor = [], None
            for _ in range(cut):
                page = next(pages)
                got += page.posts
                cursor = page.cursor
            server.add(9_000 + cut, int(clock.now), "Acme, new during the break")
            again = collector("hackernews", clock, base_url=url)
            rest, bound = until_complete(again, QUERY, cursor)
            later, _ = until_complete(again, QUERY, bound)
        found = {p.native_id for p in [*got, *rest, *later]}
        assert found == set(map(str, server.items)), f"cut after page {cut}"


def test_the_thread_and_deletions_are_read() -> None:
    clock = SimClock(START)
    server = FakeHackerNews(clock)
    server.add(1, int(clock.now), "Acme story")
    with serving(server) as url:
        one = collector("hackernews", clock, base_url=url)
        (post,), _ = walk(one, QUERY)
        page = one.thread(post)
        assert page is not None
        assert [p.text for p in page.posts] == ["Acme story"]
        assert page.threads_read
        assert [d.native_id for d in one.recheck(["1", "2"])] == ["2"]
        server.items.clear()
        assert one.thread(post) is None, "what is refused was not read"


def test_backfill_goes_back_to_the_date_and_no_further() -> None:
    clock = SimClock(START)
    server = FakeHackerNews(clock)
    for n in range(300):
        server.add(n, int(clock.now) - n * 86_400, "Acme")
    with serving(server) as url:
        one = collector("hackernews", clock, base_url=url)
        since = datetime(2025, 12, 1, tzinfo=UTC)
        pages = list(one.backfill(QUERY, since, None))
    times = [p.created_at for page in pages for p in page.posts]
    assert min(times) == since
    assert len(times) == 91


@pytest.mark.parametrize("fault", ["html", "garbage"])
def test_an_unreadable_page_is_kept_aside_and_asked_for_again(fault: str, tmp_path: Path) -> None:
    clock = SimClock(START)
    server = FakeHackerNews(clock)
    for n in range(250):
        server.add(n, int(clock.now) - n * 60, f"Acme {n}")
    server.script = ["", fault, fault, fault, fault]
    with (
        serving(server) as url,
        pipeline(tmp_path, clock, {"platform": "hackernews", "base_url": url}) as line,
    ):
        line.collect(line.config.sources[0])
        assert len(stored(line, "native_id")) == 100
        assert line.store.value("SELECT COUNT(*) FROM rejects") == 1
        tick(line, clock, 3600, 1)
        assert len(stored(line, "native_id")) == 250
