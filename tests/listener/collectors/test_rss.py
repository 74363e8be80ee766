"""Feeds: conditional requests, feeds that rolled over, pages that are none, and no network."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fake import Platform, Reply, Request, SimClock, serving
from harness import collector, pipeline, stored, tick
from sqlite_utils import Database

from listener.collectors import Page
from listener.collectors.rss import Rss, RssOptions
from listener.errors import LimitError, PlatformError
from listener.matching import BrandTerms
from listener.mention import Query, epoch
from listener.schema import migrations

START = datetime(2026, 3, 1, tzinfo=UTC)


class FakeFeed(Platform):
    """A feed of the newest entries, with an ETag."""

    shown = 10

    def __init__(self, clock: SimClock) -> None:
        super().__init__(clock)
        self.entries: list[tuple[int, float, str]] = []

    def answer(self, request: Request) -> Reply:
        if request.path == "/loop":
            return Reply("", 302, {"Location": "/loop"})
        if request.path == "/forbidden":
            return Reply("<html>Access denied</html>", 403)
        if request.path == "/feedscheme":
            return Reply("", 301, {"Location": "feed://example.org/x"})
        newest = [e for e in self.entries if e[1] <= self.clock.now][-self.shown :]
        tag = f'"{newest[-1][0] if newest else 0}"'
        if request.headers.get("if-none-match") == tag:
            return Reply(b"", 304, {"ETag": tag})
        items = "".join(
            f"<item><title>{t}</title><guid>g{n}</guid><link>https://n.example/{n}</link>"
            f"<pubDate>{datetime.fromtimestamp(at, UTC):%a, %d %b %Y %H:%M:%S GMT}</pubDate></item>"
            for n, at, t in reversed(newest)
        )
        xml = f'<rss version="2.0"><channel><title>N</title>{items}</channel></rss>'
        return Reply(xml, 200, {"ETag": tag}, "application/rss+xml")


def test_a_feed_is_read_once_while_it_does_not_change(tmp_path: Path) -> None:
    clock = SimClock(START)
    server = FakeFeed(clock)
    server.entries = [(n, clock.now - 100 + n, f"Acme {n}") for n in range(5)]
    with serving(server) as url:
        source = {"platform": "rss", "feeds": [f"{url}/feed"], "google_news": False}
        with pipeline(tmp_path, clock, source) as line:
            tick(line, clock, 600, 3)
            assert len(stored(line, "native_id", "text")) == 5
            server.entries.append((9, clock.now, "Acme 9"))
            tick(line, clock, 600, 1)
            assert ("127.0.0.1/g9", "Acme 9") in stored(line, "native_id", "text")
            assert line.store.value("SELECT SUM(returned) FROM coverage") == 11
    assert [r.headers.get("if-none-match") for r in server.requests] == [None, '"4"', '"4"', '"4"']


def test_a_feed_that_rolled_over_tells_its_hole() -> None:
    clock = SimClock(START)
    start = clock.now  # a repeated request moves the clock on
    server = FakeFeed(clock)
    server.entries = [(n, start - 1000 + n, f"Acme {n}") for n in range(8)]
    with serving(server) as url:
        query = Query(f"feed:{url}/feed", ("Acme",), ("Acme",))
        one = collector("rss", clock)
        first = list(one.fetch(query, None))[-1]
        server.entries += [(100 + n, start - 50 + n, "Acme") for n in range(30)]
        second = list(one.fetch(query, first.cursor))[-1]
    assert not first.coverage.truncated
    assert second.coverage.truncated
    assert second.coverage.window_start == datetime.fromtimestamp(start - 50 + 20, UTC)
    # What is missing came after what was read last, and before what is there now.
    assert second.coverage.hole_start == datetime.fromtimestamp(start - 1000 + 7, UTC)
    assert second.coverage.hole_end == datetime.fromtimestamp(start - 50 + 20, UTC)
    assert first.coverage.hole_end is None


@pytest.mark.parametrize(
    ("path", "says"),
    [("/loop", "redirects in a loop"), ("/html", "is no feed"), ("/gone", "answered 404")],
)
def test_what_is_no_feed_is_told_in_a_sentence_and_kept_aside(path: str, says: str) -> None:
    clock = SimClock(START)
    server = FakeFeed(clock)
    if path == "/html":
        server.script = ["html"]
    if path == "/gone":
        server.answer = lambda request: Reply("gone", 404)  # type: ignore[method-assign]
    kept = []
    with serving(server) as url:
        query = Query(f"feed:{url}{path}", ("Acme",), ("Acme",))
        pages = collector("rss", clock).fetch(query, {"etag": "kept"})
        if path == "/html":
            kept.append(next(pages))
        with pytest.raises(PlatformError, match=says):
            next(pages)
    for page in kept:
        assert page.cursor == {"etag": "kept"}  # asked for again the next time
        assert "Please wait" in page.rejected[0].payload


def test_without_a_network_one_plain_sentence_is_said() -> None:
    clock = SimClock(START)
    one = collector("rss", clock, feeds=["http://127.0.0.1:9/feed"])
    with pytest.raises(PlatformError) as told:
        list(one.fetch(Query("feed:http://127.0.0.1:9/feed", ("Acme",), ()), None))
    assert str(told.value).startswith(
        "rss: cannot reach 127.0.0.1:9; the network or the host is down"
    )
    assert clock.slept > 3  # it backed off between its attempts


def test_news_queries_hold_all_brands_in_googles_grammar() -> None:
    brands = [
        BrandTerms("Acme", ("Acme Tea", "Acme"), exclude=("acme corp",), auto=False),
        BrandTerms("Kettle & Co", ("Kettle & Co",), auto=False),
    ]
    queries, left = Rss.plan_queries(brands, RssOptions(feeds=("https://n.example/feed",)))
    assert [q.name for q in queries] == [
        "feed:https://n.example/feed", "news:Acme", "news:Kettle & Co",
    ]  # fmt: skip
    assert Rss.query_text(queries[1]) == 'Acme -"acme corp"'  # "Acme Tea" holds Acme
    one = collector("rss", SimClock(START))
    assert isinstance(one, Rss)
    asked = parse_qs(urlsplit(one.address(queries[2])).query)
    assert asked["q"] == ['"Kettle & Co"']
    assert asked["ceid"] == ["US:en"]
    assert left == []


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("http://127.0.0.1:9/feed", "cannot reach 127.0.0.1:9"),
        ("{url}/forbidden", "{host} answered 403"),
        ("{url}/feedscheme?key=hunter22", "/feedscheme?key=*** is no address that can be asked"),
        ("example.org/feed", "example.org/feed is no address that can be asked"),
        ("http://[nowhere/feed", "is no address that can be asked"),
        ("http://me:hunter22@127.0.0.1:9/feed", "cannot reach 127.0.0.1:9"),
    ],
)
def test_a_feed_that_fails_silences_no_other(bad: str, says: str, tmp_path: Path) -> None:
    clock = SimClock(START)
    server = FakeFeed(clock)
    server.entries = [(1, clock.now - 100, "Acme")]
    with serving(server) as url:
        host = urlsplit(url).netloc
        feeds = [bad.format(url=url), f"{url}/good"]
        source = {"platform": "rss", "feeds": feeds, "google_news": False}
        with pipeline(tmp_path, clock, source) as line:
            tick(line, clock, 4000, 2)
            assert stored(line, "text") == {("Acme",)}
            (told,) = line.failures.values()
            ledger = line.store.rows("SELECT failed FROM coverage WHERE failed IS NOT NULL")
    assert says.format(host=host) in told
    assert len(ledger) == 2  # a round each
    assert "hunter22" not in told
    assert [r.path for r in server.requests].count("/good") == 2


def test_without_a_network_the_source_says_so_once_and_asks_every_host_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = SimClock(START)
    feeds = [f"http://127.0.0.1:{port}/{n}" for port in (9, 10, 11) for n in (1, 2)]
    source = {"platform": "rss", "feeds": feeds, "google_news": False}
    with pipeline(tmp_path, clock, source) as line:
        tick(line, clock, 600, 1)
        ledger = line.store.rows("SELECT query FROM coverage WHERE failed IS NOT NULL")
        assert [row["query"] for row in ledger] == [f"feed:{f}" for f in feeds if f.endswith("1")]
        assert "127.0.0.1:9" in line.failures["rss"]
    assert sum("cannot reach" in r.getMessage() for r in caplog.records) == 1


def test_a_hosts_wait_is_not_cut_short_by_what_the_next_one_answers(tmp_path: Path) -> None:
    clock = SimClock(START)
    limited, fine = FakeFeed(clock), FakeFeed(clock)
    limited.answer = lambda request: Reply("", 429, {"Retry-After": "7200"})  # type: ignore[method-assign]
    fine.entries = [(1, clock.now - 100, "Acme")]
    with serving(limited) as one, serving(fine) as two:
        feeds = [f"{one}/a", "http://127.0.0.1:9/feed", f"{two}/b"]
        source = {"platform": "rss", "feeds": feeds, "google_news": False}
        with pipeline(tmp_path, clock, source) as line:
            tick(line, clock, 600, 1)
            assert stored(line, "text") == {("Acme",)}
            held = {row["host"]: row["open_until"] for row in line.store.query_holds("rss")}
            assert held[urlsplit(one).netloc] >= clock.now + 7100 - 60
            assert held["127.0.0.1:9"] <= clock.now + 60
            assert line.store.holds() == {}


@pytest.mark.parametrize("status", [429, 503])
def test_a_host_that_wants_an_hour_gets_it_and_the_others_are_asked_at_each_turn(
    status: int, tmp_path: Path
) -> None:
    clock = SimClock(START)
    limited, fine = FakeFeed(clock), FakeFeed(clock)
    plain = limited.answer
    limited.entries = [(50 + n, clock.now + 600 * n, f"Acme there {n}") for n in range(10)]
    fine.entries = [(n, clock.now + 600 * n, f"Acme here {n}") for n in range(10)]
    refused: list[float] = []

    def answer(request: Request) -> Reply:
        if len(limited.requests) == 2:
            refused.append(clock.now)
            return Reply("", status, {"Retry-After": "3600"})
        return plain(request)

    limited.answer = answer  # type: ignore[method-assign]
    with serving(limited) as one, serving(fine) as two:
        host = urlsplit(one).netloc
        login = one.replace("://", "://me:hunter22@")
        source = {"platform": "rss", "feeds": [f"{login}/a", f"{one}/c", f"{two}/b"]}
        source["google_news"] = False
        with pipeline(tmp_path, clock, source) as line:
            tick(line, clock, 600, 1)  # /a and then /c, which is refused
            assert len(refused) == 1
            held = line.store.query_holds("rss")
            assert {row["host"] for row in held} == {host}, "and not the login"
            assert len(held) == 2, "its feeds, both of which wait"
            tick(line, clock, 600, 2)
            assert f"{host} answered {status}" in line.failures["rss"]
            assert "not asked again before 2026-03-01 01:10" in line.failures["rss"]
        with pipeline(tmp_path, clock, source) as line:  # a restart, as a cron job makes one
            line.release(platforms=False)
            tick(line, clock, 600, 3)
            assert len(limited.requests) == 2
            assert len(fine.requests) == 6
            assert not any("there 2" in text for (text,) in stored(line, "text"))
            assert ("Acme here 6",) in stored(line, "text")
            tick(line, clock, 600, 2)
            assert len(limited.requests) == 6, "both of its feeds, in two rounds"
            assert line.failures == {}
            assert line.store.query_holds("rss") == []
            told = {text for (text,) in stored(line, "text")}
            assert {f"Acme there {n}" for n in range(9)} <= told, "what came meanwhile"


def test_a_start_asks_a_held_host_again(tmp_path: Path) -> None:
    clock = SimClock(START)
    limited, fine = FakeFeed(clock), FakeFeed(clock)
    limited.answer = lambda request: Reply("", 429, {"Retry-After": "7200"})  # type: ignore[method-assign]
    with serving(limited) as one, serving(fine) as two:
        source = {"platform": "rss", "feeds": [f"{one}/a", f"{two}/b"], "google_news": False}
        with pipeline(tmp_path, clock, source) as line:
            tick(line, clock, 600, 2)
            line.release(platforms=False)
            tick(line, clock, 600, 1)
            assert len(limited.requests) == 1
            line.release(platforms=True)
            tick(line, clock, 600, 1)
    assert (len(limited.requests), len(fine.requests)) == (2, 4)


def test_the_only_host_of_a_source_holds_the_source(tmp_path: Path) -> None:
    clock = SimClock(START)
    limited = FakeFeed(clock)
    limited.answer = lambda request: Reply("", 503, {"Retry-After": "3600"})  # type: ignore[method-assign]
    with serving(limited) as one:
        source = {"platform": "rss", "feeds": [f"{one}/a", f"{one}/b"], "google_news": False}
        with pipeline(tmp_path, clock, source) as line:
            tick(line, clock, 600, 6)
            assert line.store.holds()["rss"]["open_until"] == int(START.timestamp()) + 600 + 3600
            assert len(limited.requests) == 1
            tick(line, clock, 600, 1)
            assert len(limited.requests) == 2


def test_a_used_up_budget_ends_the_round_for_all_hosts(tmp_path: Path) -> None:
    clock = SimClock(START)
    one, two = FakeFeed(clock), FakeFeed(clock)
    with serving(one) as a, serving(two) as b:
        source = {
            "platform": "rss", "feeds": [f"{a}/1", f"{a}/2", f"{b}/3"], "google_news": False,
            "budget": {"requests_per_day": 1},
        }  # fmt: skip
        with pipeline(tmp_path, clock, source) as line:
            tick(line, clock, 600, 1)
            assert line.store.value("SELECT COUNT(*) FROM coverage WHERE failed IS NOT NULL") == 1
    assert (len(one.requests), len(two.requests)) == (1, 0)


def entries(*dates: str, text: str = "Acme", head: str = "") -> str:
    items = "".join(
        f"<item><title>{text} {n}</title><guid>g{n}</guid><pubDate>{date}</pubDate></item>"
        for n, date in enumerate(dates)
    )
    return f'{head}<rss version="2.0"><channel><title>N</title>{items}</channel></rss>'


def read_feed(reply: Reply, cursor: dict[str, Any] | None = None) -> Page:
    clock = SimClock(START + timedelta(hours=12))
    server = FakeFeed(clock)
    server.answer = lambda request: reply  # type: ignore[method-assign]
    with serving(server) as url:
        one = collector("rss", clock)
        return list(one.fetch(Query(f"feed:{url}/feed", ("Acme",), ()), cursor))[-1]


@pytest.mark.parametrize(
    ("date", "hour"),
    [
        ("Sun, 01 Mar 2026 10:00:00 GMT", 10),
        ("Sun, 01 Mar 2026 10:00:00 EST", 15),
        ("Sun, 01 Mar 2026 10:00:00 CET", 9),
        ("Sun, 01 Mar 2026 10:00:00 CEST", 8),
        ("Sun, 01 Mar 2026 10:00:00 JST", 1),
        ("Sun, 01 Mar 2026 10:00:00 XYZ", 10),
        ("20260301T100000+0100", 9),
        ("Sun, 01 Mar 2026", 0),
    ],
)
def test_a_date_is_read_in_the_zone_that_it_names(date: str, hour: int) -> None:
    if hour > 12:  # the clock of these tests stands at noon
        date = date.replace("01 Mar", "28 Feb")
    page = read_feed(Reply(entries(date), 200, {}, "text/xml"))
    assert [(p.created_at.day, p.created_at.hour) for p in page.posts] == [
        (28 if hour > 12 else 1, hour)
    ]
    assert page.rejected == []


@pytest.mark.parametrize(
    ("named", "head", "written"),
    [
        ("text/xml; charset=windows-1251", "", "windows-1251"),
        # What the feed says of itself is nearer to it than what its server says of all its files.
        ("text/xml; charset=iso-8859-1", '<?xml version="1.0" encoding="utf-8"?>', "utf-8"),
        ("application/rss+xml", "", "utf-8"),
    ],
)
def test_a_feed_is_read_in_the_charset_that_is_named(named: str, head: str, written: str) -> None:
    text = entries("Sun, 01 Mar 2026 10:00:00 GMT", text="Привет Acme", head=head)
    page = read_feed(Reply(text.encode(written), 200, {}, named))
    assert [p.text for p in page.posts] == ["Привет Acme 0"]


def test_an_entry_dated_ahead_hides_no_feed_that_rolls_over() -> None:
    then, ahead = "Sun, 01 Mar 2026 {}:00:00 GMT", "Sun, 01 Mar 2099 10:00:00 GMT"
    first = read_feed(Reply(entries(ahead, then.format(10), then.format("09")), 200))
    assert first.cursor["newest"] == epoch(START) + 10 * 3600
    for cursor in (first.cursor, {"newest": epoch(START) + 10 * 3600}):
        second = read_feed(Reply(entries(ahead, then.format(11)), 200), cursor)
        assert second.coverage.truncated
        assert second.coverage.hole_start == START + timedelta(hours=10)
        assert second.coverage.hole_end == START + timedelta(hours=11)
    of_before = read_feed(Reply(entries(then.format(11)), 200), {"newest": 4_076_042_400})
    assert of_before.cursor["newest"] == epoch(START) + 11 * 3600


@pytest.mark.parametrize(
    ("retry", "until"),
    [
        ("3600", START + timedelta(hours=13)),
        ("1772373600000", START + timedelta(hours=14)),  # milliseconds
        ("99999999999999999999", START + timedelta(days=31, hours=12)),
        ("Fri, 31 Dec 9999 23:59:59 GMT", START + timedelta(days=31, hours=12)),
        ("inf", None),
        ("nan", None),
    ],
)
def test_no_header_names_a_time_that_is_none(retry: str, until: datetime | None) -> None:
    with pytest.raises(LimitError) as told:
        read_feed(Reply("", 429, {"Retry-After": retry}))
    assert told.value.resets_at == (None if until is None else until.timestamp())


def test_a_window_that_ends_in_milliseconds_ends_no_later_request() -> None:
    clock = SimClock(START)
    server = FakeFeed(clock)
    ends = str(int((clock.now + 60) * 1000))
    server.answer = lambda request: Reply(  # type: ignore[method-assign]
        entries("Sun, 01 Mar 2026 10:00:00 GMT"), 200,
        {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": ends},
    )  # fmt: skip
    with serving(server) as url:
        one = collector("rss", clock)
        for path in ("a", "b"):
            (page,) = one.fetch(Query(f"feed:{url}/{path}", ("Acme",), ()), None)
            assert len(page.posts) == 1
    assert clock.slept == pytest.approx(60)


@pytest.mark.parametrize(
    "leads", ["http://[::1", "http://" + "a" * 70 + ".example/", "http://n.example:99999/"]
)
def test_a_feed_that_leads_nowhere_is_told_in_a_sentence(leads: str) -> None:
    with pytest.raises(PlatformError, match="is no address that can be asked, or leads to none"):
        read_feed(Reply("", 301, {"Location": leads}))


def test_a_login_in_a_feeds_address_is_used_and_never_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "groundswell")
    clock = SimClock(START)
    server = FakeFeed(clock)
    server.entries = [(1, clock.now - 100, "Acme")]
    with serving(server) as url:
        login = url.replace("://", "://me:hunter22@")
        feeds = [f"{login}/a", f"{url}/b?key=hunter23", f"{url}/b?key=hunter24", f"{url}/c"]
        source = {"platform": "rss", "feeds": feeds, "google_news": False}
        with pipeline(tmp_path, clock, source) as line:
            tick(line, clock, 600, 1)
            server.script = ["500"] * 4
            tick(line, clock, 600, 2)
            names = {row["query"] for row in line.store.rows("SELECT query FROM cursors")}
    assert server.requests[0].headers["authorization"].startswith("Basic ")
    assert {r.query.get("key") for r in server.requests} == {None, "hunter23", "hunter24"}
    assert len(names) == 4
    assert f"feed:{url}/c" in names, "an address without a secret is its own name"
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"hunter" not in kept
    assert "hunter" not in caplog.text


def test_a_store_from_before_forgets_the_logins_of_its_feeds(tmp_path: Path) -> None:
    old = Database(tmp_path / "test.db")
    migrations.apply(old, stop_before="m018_feeds_without_their_logins")
    clock = SimClock(START)
    server = FakeFeed(clock)
    server.entries = [(1, clock.now - 100, "Acme")]
    with serving(server) as url:
        address = url.replace("://", "://me:hunter22@") + "/a"
        old["cursors"].insert(
            {
                "source": "rss",
                "query": f"feed:{address}",
                "cursor": '{"etag": "\\"1\\""}',
                "updated_at": 1,
            }
        )
        old["payloads"].insert_all(
            {
                "key": f"rss:{n}",
                "payload": json.dumps({"feed_url": feed, "title": "é"}),
                "stored_at": 1,
            }
            for n, feed in enumerate((address, "https://n.example/a"))
        )
        old.close()
        source = {"platform": "rss", "feeds": [address], "google_news": False}
        with pipeline(tmp_path, clock, source) as line:
            tick(line, clock, 600, 1)
            payloads = [
                json.loads(r["payload"]) for r in line.store.rows("SELECT payload FROM payloads")
            ]
    assert [r.headers.get("if-none-match") for r in server.requests] == ['"1"'], (
        "it goes on where it stood"
    )
    assert [p["feed_url"] for p in payloads] == [
        url.replace("://", "://***@") + "/a", "https://n.example/a",
    ]  # fmt: skip
    assert {p["title"] for p in payloads} == {"é"}


def test_a_body_that_names_a_file_here_opens_none(tmp_path: Path) -> None:
    """feedparser takes what it is given for the name of a file first."""
    file = tmp_path / "private.xml"
    file.write_text(entries("Sun, 01 Mar 2026 10:00:00 GMT", text="Acme private"))
    with pytest.raises(PlatformError, match="is no feed"):
        read_feed(Reply(str(file), 200, {}, "text/xml"))


def test_a_link_without_a_host_is_the_feeds_own_and_its_login_is_not_in_it() -> None:
    clock = SimClock(START)
    server = FakeFeed(clock)
    date = "<pubDate>Sat, 28 Feb 2026 10:00:00 GMT</pubDate>"
    item = f"<item><title>Acme</title><link>/news/1?a=b</link>{date}</item>"
    xml = f'<rss version="2.0"><channel><title>N</title>{item}</channel></rss>'
    server.answer = lambda request: Reply(xml, 200, {}, "text/xml")  # type: ignore[method-assign]
    with serving(server) as url:
        login = url.replace("://", "://me:hunter22@")
        one = collector("rss", clock, feeds=[f"{login}/feeds/all"])
        (page,) = one.fetch(
            one.plan_queries([BrandTerms("Acme", ("Acme",))], one.context.options)[0][0], None
        )
    (post,) = page.posts
    assert post.url == f"{url}/news/1?a=b"
    assert post.native_id == f"{urlsplit(url).hostname}//news/1?a=b", "its key stays as it was"


def test_an_answer_that_cannot_be_read_is_counted_once(tmp_path: Path) -> None:
    clock = SimClock(START)
    server = FakeFeed(clock)
    server.answer = lambda request: Reply("<html>a page</html>", 200)  # type: ignore[method-assign]
    with serving(server) as url:
        source = {"platform": "rss", "feeds": [f"{url}/a"], "google_news": False}
        with pipeline(tmp_path, clock, source) as line:
            tick(line, clock, 600, 3)
            assert line.store.spent("rss", 0)[0] == len(server.requests) == 3
            # The same answer at the same place, kept once however often it comes.
            assert line.store.value("SELECT COUNT(*) FROM rejects") == 1
