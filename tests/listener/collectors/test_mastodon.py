"""Mastodon against servers that answer, limit and fail as Mastodon's do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest
from fake import Reply, Request, SimClock, serving
from fake_mastodon import FakeMastodon
from harness import collector, pipeline, stored, tick, walk

from listener.collectors.mastodon import Mastodon, MastodonOptions
from listener.errors import AuthError, LimitError
from listener.matching import BrandTerms
from listener.mention import Query

START = datetime(2026, 3, 1, tzinfo=UTC)
TOKEN = {"MASTODON_ACCESS_TOKEN": "mastodon-secret"}
TAG = Query("tag:acme", ("Acme",), (), hashtags=("acme",))


@pytest.mark.slow
def test_ten_thousand_statuses_over_days_with_faults_and_late_arrivals(tmp_path: Path) -> None:
    """Remote statuses reach the server up to 20 minutes late, under ids of when they were made."""
    clock = SimClock(START)
    server = FakeMastodon(clock, fault_rate=0.1)
    server.hang = 0.4
    every = 4 * 86_400 / 10_000
    for n in range(10_000):
        server.add(
            clock.now + 60 + n * every,
            f"kettle {n} of Acme #acme",
            late=1200 * (n % 5 == 0),
            serial=n,
        )
    with serving(server) as url:
        source = {
            "platform": "mastodon", "servers": [url], "timeout": 0.2, "search": False,
            "mentions": False, "budget": {"requests_per_day": 2000},
        }  # fmt: skip
        with pipeline(tmp_path, clock, source) as line:
            tick(line, clock, 7200, 4 * 12 + 8)
            found = stored(line, "native_id", "text")
    assert found == {
        (s["uri"], s["content"].removeprefix("<p>").removesuffix("</p>"))
        for s in server.statuses.values()
    }
    assert sum(server.faults.values()) >= 20
    assert server.over_limit == 0


def test_two_servers_that_show_one_status_make_one_post(tmp_path: Path) -> None:
    clock = SimClock(START)
    one, two = FakeMastodon(clock), FakeMastodon(clock)
    number = one.add(clock.now - 60, "Acme #acme")
    copy = two.add(clock.now - 30, "Acme #acme")
    two.statuses[copy]["uri"] = one.statuses[number]["uri"]
    with serving(one) as a, serving(two) as b:
        source = {"platform": "mastodon", "servers": [a, b], "search": False, "mentions": False}
        with pipeline(tmp_path, clock, source) as line:
            tick(line, clock, 60, 1)
            assert stored(line, "native_id") == {(one.statuses[number]["uri"],)}


def test_queries_are_hashtags_for_strangers_and_more_with_a_token() -> None:
    brand = BrandTerms("Acme", ("Acme Tea",), hashtags=("AcmeTea", "kettle"), auto=False)
    servers = ("https://a.example", "https://b.example")
    queries, _ = Mastodon.plan_queries([brand], MastodonOptions(servers=servers))
    assert [q.name for q in queries] == [
        "mentions:own",
        "tag:acmetea@a.example",
        "tag:kettle@a.example",
        "tag:acmetea@b.example",
        "tag:kettle@b.example",
        "search:acme tea",
    ]
    assert Mastodon.query_text(queries[-1]) == '"Acme Tea"'


def test_without_a_token_search_and_mentions_ask_for_nothing() -> None:
    clock = SimClock(START)
    server = FakeMastodon(clock)
    with serving(server) as url:
        one = collector("mastodon", clock, servers=[url])
        for name in ("search:acme", "mentions:own"):
            assert list(one.fetch(Query(name, ("Acme",), ("Acme",)), None)) == []
    assert server.requests == []


def test_mentions_are_read_back_to_the_last_one() -> None:
    clock = SimClock(START)
    server = FakeMastodon(clock)
    for n in range(1, 101):
        status = server.statuses[server.add(clock.now - n, f"@acme {n}", serial=n)]
        server.notices[n] = {"id": str(n), "type": "mention", "status": status}
    server.notices[101] = {"id": "101", "type": "mention", "status": None}
    with serving(server) as url:
        one = collector("mastodon", clock, TOKEN, servers=[url])
        query = Query("mentions:own", ("Acme",), ("Acme",))
        posts, last = walk(one, query)
        assert len(posts) == 100
        assert last.cursor == {"bound": 101}
        before = len(server.requests)
        walk(one, query, last.cursor)
        assert len(server.requests) == before + 1


def test_the_first_walk_through_mentions_goes_back_by_lookback_and_a_backfill_further() -> None:
    clock = SimClock(START)
    server = FakeMastodon(clock)

    def notice(n: int) -> None:
        """One an hour; the ids are counted."""
        at = START.timestamp() - (400 - n) * 3600
        status = server.statuses[server.add(at, f"@acme {n}", serial=n)]
        made = {"type": "mention", "status": status, "created_at": status["created_at"]}
        server.notices[n] = {"id": str(n), **made}

    for n in range(1, 401):
        notice(n)
    with serving(server) as url:
        one = collector("mastodon", clock, TOKEN, servers=[url], lookback="60h")
        query = Query("mentions:own", ("Acme",), ("Acme",))
        posts, last = walk(one, query)
        assert len(posts) == 80  # two pages of forty reach past sixty hours
        assert last.cursor == {"bound": 400}
        clock.now += 30 * 86_400  # however long ago the last walk was, the next goes back to it
        for n in range(401, 501):
            notice(n)
        later, _ = walk(one, query, last.cursor)
        assert {post.text for post in later} >= {f"@acme {n}" for n in range(401, 501)}
        filled = list(one.backfill(query, START - timedelta(hours=150), None))
    reached = min(post.created_at for page in filled for post in page.posts)
    assert START - timedelta(hours=190) <= reached <= START - timedelta(hours=150)
    assert filled[-1].complete


def test_a_reply_names_its_parent_by_the_name_that_all_servers_share() -> None:
    clock = SimClock(START)
    server = FakeMastodon(clock)
    parent = server.add(clock.now - 9_000, "my kettle of Acme")
    server.add(clock.now - 60, "same here #acme", in_reply_to_id=str(parent))
    with serving(server) as url:
        (post,), _ = walk(collector("mastodon", clock, servers=[url]), TAG)
    assert post.reply_to == server.statuses[parent]["uri"]


def test_a_reply_is_posted_with_the_handle_and_the_thread_shows_it() -> None:
    clock = SimClock(START)
    server = FakeMastodon(clock)
    server.add(clock.now - 60, "broken #acme")
    with serving(server) as url:
        (post,), _ = walk(collector("mastodon", clock, servers=[url]), TAG)
        with pytest.raises(AuthError, match="write:statuses"):
            collector("mastodon", clock, servers=[url]).reply(post, "sorry")
        one = collector("mastodon", clock, TOKEN, servers=[url])
        uri = one.reply(post, "We are sorry")
        page = one.thread(post)
    assert page is not None
    texts = {p.native_id: p.text for p in page.posts}
    assert texts[uri] == "@jo@remote.example We are sorry"
    assert {p.reply_to for p in page.posts if p.native_id == uri} == {post.native_id}


def test_only_our_own_server_is_asked_whether_a_status_is_gone() -> None:
    clock = SimClock(START)
    server = FakeMastodon(clock)
    with serving(server) as url:
        server.host = url
        kept, gone = server.add(clock.now - 1, "a"), server.add(clock.now - 2, "b")
        uris = [server.statuses[n]["uri"] for n in (kept, gone)]
        del server.statuses[gone]
        one = collector("mastodon", clock, servers=[url])
        elsewhere = "http://127.0.0.1:1/users/x/statuses/5"
        assert [d.native_id for d in one.recheck([*uris, elsewhere])] == [uris[1]]
    assert len(server.requests) == 2


def test_a_wrong_token_is_named_with_its_permissions() -> None:
    clock = SimClock(START)
    server = FakeMastodon(clock)
    with serving(server) as url:
        one = collector("mastodon", clock, {"MASTODON_ACCESS_TOKEN": "wrong-one"}, servers=[url])
        with pytest.raises(AuthError, match=r"MASTODON_ACCESS_TOKEN.*read:search") as refused:
            list(one.fetch(TAG, None))
    assert "wrong-one" not in str(refused.value)


def test_backfill_goes_back_to_the_date() -> None:
    clock = SimClock(START)
    server = FakeMastodon(clock)
    for n in range(100):
        server.add(clock.now - n * 3600, f"#acme {n}")
    with serving(server) as url:
        one = collector("mastodon", clock, servers=[url])
        since = clock() - timedelta(hours=50)
        pages = list(one.backfill(TAG, since, None))
    times = {p.created_at for page in pages for p in page.posts}
    assert since in times
    assert pages[-1].complete


@pytest.mark.parametrize("first", ["dead", "refusing"])
def test_a_server_that_fails_silences_no_other(first: str, tmp_path: Path) -> None:
    clock = SimClock(START)
    refusing, fine = FakeMastodon(clock), FakeMastodon(clock)
    refusing.answer = lambda request: Reply({"error": "not for strangers"}, 403)  # type: ignore[method-assign]
    fine.add(clock.now - 60, "Acme #acme")
    with serving(refusing) as a, serving(fine) as b:
        servers = [a if first == "refusing" else "http://127.0.0.1:9", b]
        source = {"platform": "mastodon", "servers": servers}
        with pipeline(tmp_path, clock, source) as line:
            tick(line, clock, 4000, 2)
            assert stored(line, "text") == {("Acme #acme",)}
            assert servers[0].removeprefix("http://") in line.failures["mastodon"]
    asked = [r for r in refusing.requests if "/timelines/" in r.path]
    assert len(asked) == (2 if first == "refusing" else 0)  # once a round


def test_a_query_that_nobody_was_asked_for_makes_no_source_heard(tmp_path: Path) -> None:
    """Without a token own mentions and searches ask nothing; the hashtags' server is down."""
    clock = SimClock(START)
    server = FakeMastodon(clock)
    server.add(clock.now - 60, "Acme #acme")
    with serving(server) as url:
        source = {"platform": "mastodon", "servers": [url]}
        with pipeline(tmp_path, clock, source) as line:
            tick(line, clock, 600, 1)
            heard = int(clock.now)
            server.answer = lambda request: Reply("", 429, {"Retry-After": "7000"})  # type: ignore[method-assign]
            tick(line, clock, 7200, 3)
            (found,) = line.store.status(int(clock.now))["sources"]
            asked = {row["query"] for row in line.store.coverage()}
    assert found["last_ok_at"] <= heard
    assert found["failures"] == 3
    assert {query.partition(":")[0] for query in asked} == {"tag"}


def test_a_page_of_a_hashtag_is_one_request() -> None:
    clock = SimClock(START)
    server = FakeMastodon(clock)
    for n in range(100):
        server.add(clock.now - 60 - n, f"#acme {n}")
    with serving(server) as url:
        posts, last = walk(collector("mastodon", clock, servers=[url], parents=False), TAG)
        assert len(posts) == 100
        assert last.complete
        assert [r.path for r in server.requests] == ["/api/v1/timelines/tag/acme"] * 4
        server.requests.clear()
        server.answer = lambda request: Reply("", 429, {"Retry-After": "7200"})  # type: ignore[method-assign]
        with pytest.raises(LimitError):
            walk(collector("mastodon", clock, servers=[url]), TAG)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("reply", "waits"),
    [
        (Reply({"error": "This method requires an authenticated user"}, 401), False),
        (Reply({"error": "not for strangers"}, 403), False),
        (Reply("<html>oops</html>", 500), False),
        (Reply({"error": "slow down"}, 429, {"Retry-After": "7200"}), True),
    ],
)
def test_statuses_are_not_lost_where_their_parents_are_not_shown(
    reply: Reply, waits: bool, tmp_path: Path
) -> None:
    clock = SimClock(START)
    server = FakeMastodon(clock)
    for n in range(60):
        server.add(clock.now - 60 - n, f"#acme {n}", in_reply_to_id=str(100 + n))
    plain, looked_up = server.answer, []

    def answer(request: Request) -> Reply:
        if "/statuses/" not in request.path:
            return plain(request)
        looked_up.append(request.path)
        return reply

    server.answer = answer  # type: ignore[method-assign]
    with serving(server) as url:
        source = {"platform": "mastodon", "servers": [url], "search": False, "mentions": False}
        with pipeline(tmp_path, clock, source) as line:
            tick(line, clock, 60, 1)
            assert len(stored(line, "text")) == (40 if waits else 60), "a page is kept whole"
            assert bool(line.store.holds()) is waits
            assert len(set(looked_up)) == (1 if waits else 2), "one a page, not one a status"
            if waits:
                tick(line, clock, 3000, 2)
                assert len(looked_up) == 1
                reply.status = 404
                tick(line, clock, 3600, 1)
                assert len(stored(line, "text")) == 60


def test_a_server_that_does_not_page_ends_the_walk_and_tells_what_it_left_out() -> None:
    clock = SimClock(START)
    server = FakeMastodon(clock)
    for n in range(90):
        server.add(clock.now - 60 - n, f"#acme {n}")
    plain = server.answer

    def answer(request: Request) -> Reply:
        request.query.pop("max_id", None)
        return plain(request)

    server.answer = answer  # type: ignore[method-assign]
    with serving(server) as url:
        one = collector("mastodon", clock, servers=[url], parents=False)
        pages = list(islice(one.fetch(TAG, None), 10))
    assert len(pages) == 2
    last = pages[-1].coverage
    assert pages[-1].complete
    assert last.truncated
    assert last.hole_end == START - timedelta(seconds=99), "the oldest of the forty that it shows"


def test_a_server_whose_ids_have_letters_is_walked_back_as_well(tmp_path: Path) -> None:
    """Pleroma and others speak as Mastodon does; their ids tell no time."""
    clock = SimClock(START)
    server = FakeMastodon(clock)

    def spelled(number: str) -> str:
        return "A" + number.translate(str.maketrans("0123456789", "ABCDEFGHIJ"))

    def answer(request: Request) -> Reply:
        if "max_id" in request.query:
            letters = request.query["max_id"].removeprefix("A")
            request.query["max_id"] = letters.translate(str.maketrans("ABCDEFGHIJ", "0123456789"))
        reply = plain(request)
        reply.body = [{**s, "id": spelled(s["id"])} for s in reply.body]
        return reply

    plain = server.answer
    server.answer = answer  # type: ignore[method-assign]
    with serving(server) as url:
        source = {"platform": "mastodon", "servers": [url], "search": False, "mentions": False}
        with pipeline(tmp_path, clock, source) as line:
            for n in range(100):
                server.add(clock.now - 60 - n * 60, f"#acme {n}")
            tick(line, clock, 60, 1)
            assert len(stored(line, "text")) == 100
            for n in range(100):
                server.add(clock.now + 100 + n, f"#acme later {n}")
            asked = len(server.requests)
            tick(line, clock, 3600, 1)
            assert len(stored(line, "text")) == 200
            assert len(server.requests) - asked == 4, (
                "into the last half hour of before, no further"
            )
