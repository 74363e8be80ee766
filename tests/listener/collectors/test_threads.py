"""Whether a mention was answered is read from its thread, or told by the brand's own account."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fake import Reply, Request, SimClock, serving
from fake_mastodon import FakeMastodon
from fake_x import FakeX
from harness import collector, tick

from listener.collectors import Page
from listener.config import parse_config
from listener.errors import PlatformError
from listener.mention import Author, Post, moment
from listener.pipeline import Pipeline
from listener.store import Store

START = datetime(2026, 3, 1, tzinfo=UTC)
BRANDS = (
    "brands: [{name: Acme, names: [Acme], misspellings: [], hashtags: [acme], "
    "handles: {mastodon: acme@remote.example, x: user5}}]\n"
)


def states(line: Pipeline) -> dict[str, str]:
    line.tick()
    rows = line.store.rows("SELECT key, thread_state FROM cases")
    return {row["key"].rpartition("/")[2].rpartition(":")[2]: row["thread_state"] for row in rows}


def _line(
    store: Store, clock: SimClock, source: dict[str, Any], brands: str = BRANDS, **secrets: str
) -> Pipeline:
    config = parse_config(brands + "sources: " + json.dumps([source]))
    return Pipeline(
        store, config, clock=clock, sleep=clock.sleep, secrets=secrets, load_judge=_none
    )


def _none() -> Any:
    raise AssertionError("nothing is judged here")


def test_threads_of_mentions_are_read_until_the_brand_answers(tmp_path: Path) -> None:
    clock = SimClock(START)
    server = FakeMastodon(clock)
    asked = server.add(clock.now - 600, "my Acme kettle leaks #acme")
    other = server.add(clock.now - 500, "Acme again #acme")
    with serving(server) as url, Store(tmp_path / "t.db") as store:
        source = {"platform": "mastodon", "servers": [url], "search": False, "mentions": False}
        line = _line(store, clock, source)
        tick(line, clock, 60, 1)
        assert states(line) == {str(asked): "unknown", str(other): "unknown"}
        tick(line, clock, 300, 1)
        assert states(line) == {str(asked): "unanswered", str(other): "unanswered"}
        brand = {"id": "1", "acct": "acme@remote.example", "url": "http://remote.example/@acme"}
        server.add(clock.now + 60, "sorry!", in_reply_to_id=str(asked), account=brand)
        server.add(clock.now + 61, "unrelated", in_reply_to_id="77")
        tick(line, clock, 300, 1)
        assert states(line)[str(asked)] == "unanswered"  # read a moment ago: not again so soon
        tick(line, clock, 3600, 1)
        assert states(line) == {str(asked): "answered", str(other): "unanswered"}
        texts = {row["text"] for row in store.rows("SELECT text FROM posts")}
    assert texts == {"my Acme kettle leaks #acme", "Acme again #acme", "sorry!"}


def test_the_brands_own_account_tells_it_for_all_mentions_at_once(tmp_path: Path) -> None:
    clock = SimClock(START)
    server = FakeX(clock)
    one = server.add(clock.now - 600, "Acme broke", author=1)
    two = server.add(clock.now - 500, "Acme broke too", author=2)
    server.add(
        clock.now - 60, "sorry!", author=5, conversation_id=str(one),
        referenced_tweets=[{"type": "replied_to", "id": str(one)}],
    )  # fmt: skip
    with serving(server) as url, Store(tmp_path / "t.db") as store:
        source = {"platform": "x", "base_url": url, "accounts": ["5"]}
        line = _line(store, clock, source, X_BEARER_TOKEN="AAAA-token")
        tick(line, clock, 60, 1)
        assert states(line)[str(one)] == "answered"
        tick(line, clock, 900, 1)
        assert states(line) == {str(one): "answered", str(two): "unanswered"}


TWO_BRANDS = (
    "brands:\n"
    "  - {name: Acme, misspellings: [], handles: {x: user5}}\n"
    "  - {name: Globex, misspellings: [], handles: {x: [user6, user7]}}\n"
)


class HalfOfX(FakeX):
    """X that refuses to show what some accounts wrote."""

    down: frozenset[str] = frozenset()

    def answer(self, request: Request) -> Reply:
        if request.path.endswith("/tweets") and request.path.split("/")[3] in self.down:
            return Reply({"title": "Not Found"}, 404)
        return super().answer(request)


def test_an_account_tells_of_its_own_brand_once_all_that_brands_accounts_are_read(
    tmp_path: Path,
) -> None:
    clock = SimClock(START)
    server = HalfOfX(clock)
    server.down = frozenset({"7"})
    server.add(clock.now - 100, "hello", author=5)
    server.add(clock.now - 100, "hello", author=6, serial=1)
    acme = str(server.add(clock.now - 600, "Acme broke"))
    globex = str(server.add(clock.now - 500, "Globex broke"))
    both = str(server.add(clock.now - 400, "Acme and Globex both broke"))
    with serving(server) as url, Store(tmp_path / "t.db") as store:
        source = {"platform": "x", "base_url": url, "accounts": ["5", "6", "7"]}
        line = _line(store, clock, source, TWO_BRANDS, X_BEARER_TOKEN="AAAA-token")
        tick(line, clock, 60, 1)
        assert set(states(line).values()) == {"unknown"}
        tick(line, clock, 900, 1)
        assert set(states(line).values()) == {"unknown"}, "account 7 may be any brand's"
        server.add(clock.now, "hello", author=7)
        server.down = frozenset({"6"})
        tick(line, clock, 3600, 1)
        fine = str(server.add(clock.now + 30, "Acme broke again"))
        later = str(server.add(clock.now + 40, "Globex broke again"))
        mixed = str(server.add(clock.now + 50, "Acme and Globex both broke again"))
        tick(line, clock, 3600, 1)
        found = states(line)
        assert (found[acme], found[globex], found[both]) == ("unanswered",) * 3
        tick(line, clock, 3600, 1)
        found = states(line)
        assert (found[fine], found[later]) == ("unanswered", "unknown"), "6 was not read since"
        assert found[mixed] == "unknown", "half of it may be answered"
        server.down = frozenset()
        tick(line, clock, 3600, 1)
        assert set(states(line).values()) == {"unanswered"}


def test_of_posts_from_before_its_first_walk_an_account_tells_nothing(tmp_path: Path) -> None:
    clock = SimClock(START)
    server = FakeX(clock)
    server.add(clock.now - 60, "hello", author=5)
    with serving(server) as url, Store(tmp_path / "t.db") as store:
        source = {"platform": "x", "base_url": url, "accounts": ["5"], "lookback": "6h"}
        line = _line(store, clock, source, X_BEARER_TOKEN="AAAA-token")
        ages = {"old": 30 * 86_400, "before": 6 * 3600 + 60, "within": 6 * 3600 - 600}
        posts = [
            Post("x", name, "Acme broke", moment(clock.now - age), Author(id=name))
            for name, age in ages.items()
        ]
        line.keep(Page(posts, {}), source="import:a.csv", platform="x", query="export")
        tick(line, clock, 60, 1)
        line.tick()
        tick(line, clock, 900, 1)
        assert states(line) == {"old": "unknown", "before": "unknown", "within": "unanswered"}


def test_a_store_from_before_knows_only_since_when_accounts_were_walked(tmp_path: Path) -> None:
    clock = SimClock(START)
    server = FakeX(clock)
    server.add(clock.now - 60, "hello", author=5)
    with serving(server) as url, Store(tmp_path / "t.db") as store:
        source = {"platform": "x", "base_url": url, "accounts": ["5"]}
        line = _line(store, clock, source, X_BEARER_TOKEN="AAAA-token")
        tick(line, clock, 60, 2)
        first = store.value("SELECT MIN(at) FROM coverage WHERE query = 'account:5'")
        with store.write() as db:
            db.execute("DROP TABLE account_walks")
            db.execute("ALTER TABLE threads DROP COLUMN asked_at")
            db.execute("ALTER TABLE health DROP COLUMN held_by")
            db.execute("DELETE FROM _sqlite_migrations WHERE name LIKE 'm013%'")
    with Store(tmp_path / "t.db") as store:
        (walk,) = store.account_walks().values()
    assert (walk["since"], walk["upto"], walk["brand"]) == (first, None, None)


def test_an_account_that_never_wrote_has_been_read_from_its_first_walk_on(tmp_path: Path) -> None:
    with Store(tmp_path / "t.db") as store:

        def walked(since: int, upto: int) -> int:
            store.begin_account_walk("x", "account:5", since)
            store.end_account_walk("x", "account:5", None, upto)
            return int(store.account_walks()["x", "account:5"]["since"])

        assert walked(1_000, 5_000) == 1_000
        assert walked(4_000, 8_000) == 1_000, "each walk reaches back into the one before"
        assert walked(9_000, 13_000) == 9_000, "nobody listened between 8,000 and 9,000"


def test_a_thread_that_its_server_refuses_stays_unknown(tmp_path: Path) -> None:
    """A status that the second server showed has another id on the first."""
    clock = SimClock(START)
    one, two = FakeMastodon(clock), FakeMastodon(clock)
    one.add(clock.now - 9_000, "something else")
    asked = two.add(clock.now - 600, "my Acme kettle leaks #acme")
    gone = two.add(clock.now - 500, "Acme again #acme")
    with serving(one) as a, serving(two) as b, Store(tmp_path / "t.db") as store:
        servers = {"servers": [a, b], "search": False, "mentions": False}
        line = _line(store, clock, {"platform": "mastodon", **servers})
        tick(line, clock, 60, 1)
        assert set(states(line).values()) == {"unknown"}
        two.hidden.add(gone)
        tick(line, clock, 300, 1)
        assert states(line) == {str(asked): "unanswered", str(gone): "unknown"}
    contexts = [r.path for s in (one, two) for r in s.requests if r.path.endswith("/context")]
    assert [path.split("/")[4] for path in contexts] == [str(asked), str(gone)]
    assert not [r for r in one.requests if r.path.endswith("/context")]


def test_a_server_that_limits_threads_is_left_alone_and_the_others_threads_are_read(
    tmp_path: Path,
) -> None:
    clock = SimClock(START)
    one, two = FakeMastodon(clock), FakeMastodon(clock)
    one.host = "http://far.example"
    here = [one.add(clock.now - 900 + n, f"Acme broke, part {n} #acme") for n in range(3)]
    there = two.add(clock.now - 600, "my Acme kettle leaks #acme")
    plain = one.answer

    def limiting(request: Request) -> Reply:
        if request.path.endswith("/context"):
            return Reply({"error": "Too many requests"}, 429, {"Retry-After": "7200"})
        return plain(request)

    one.answer = limiting  # type: ignore[method-assign]
    with serving(one) as a, serving(two) as b, Store(tmp_path / "t.db") as store:
        servers = {"servers": [a, b], "search": False, "mentions": False}
        line = _line(store, clock, {"platform": "mastodon", **servers})
        tick(line, clock, 60, 1)
        states(line)
        tick(line, clock, 300, 1)
        expected = {str(n): "unknown" for n in here} | {str(there): "unanswered"}
        assert states(line) == expected
        later = two.add(clock.now + 200, "another Acme kettle leaks #acme")
        asked = len(one.requests)
        tick(line, clock, 300, 1)
        states(line)
        tick(line, clock, 3900, 1)
        assert states(line) == {**expected, str(later): "unanswered"}
        assert len(one.requests) == asked, "neither for statuses nor for threads"
        tick(line, clock, 3900, 1)
        assert len(one.requests) > asked


def test_a_status_is_not_answered_under_another_servers_id() -> None:
    clock = SimClock(START)
    raw = {"id": "77", "read_from": "two.example"}
    post = Post("mastodon", "https://far.example/notes/x", "Acme?", clock(), raw=raw)
    both = ["https://one.example", "https://two.example"]
    one = collector("mastodon", clock, {"MASTODON_ACCESS_TOKEN": "t"}, servers=both)
    with pytest.raises(PlatformError, match="not read from the server that would answer"):
        one.reply(post, "sorry")


@pytest.mark.parametrize(
    ("platform", "answer"),
    [
        ("bluesky", {"thread": {"$type": "app.bsky.feed.defs#notFoundPost", "notFound": True}}),
        ("bluesky", None),
        ("reddit", None),
        ("reddit", []),
    ],
)
def test_a_thread_of_which_nothing_is_shown_was_not_read(
    platform: str, answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimClock(START)
    keys = {"REDDIT_CLIENT_ID": "id", "REDDIT_CLIENT_SECRET": "secret"}
    one = collector(platform, clock, keys)
    monkeypatch.setattr(one, "through", lambda call: answer)
    assert one.thread(Post(platform, "t1_a", "Acme?", clock(), conversation_id="t3_a")) is None


def test_threads_that_are_gone_or_imported_hold_up_no_other(tmp_path: Path) -> None:
    """More of them than a round reads, all of them older than the one that can be read."""
    clock = SimClock(START)
    server = FakeMastodon(clock)
    server.hidden = {server.add(clock.now - 900 + n, "Acme broke #acme") for n in range(25)}
    asked = server.add(clock.now - 600, "my Acme kettle leaks #acme")
    exported = [
        Post("mastodon", f"export-{n}", "Acme broke", moment(clock.now - 950), raw={"row": n})
        for n in range(45)
    ]
    with serving(server) as url, Store(tmp_path / "t.db") as store:
        source = {"platform": "mastodon", "servers": [url], "search": False, "mentions": False}
        line = _line(store, clock, source)
        line.keep(Page(exported, {}), source="import:a.csv", platform="mastodon", query="export")
        tick(line, clock, 60, 1)
        line.tick()
        tick(line, clock, 300, 1)
        assert states(line)[str(asked)] == "unknown", "it has not had its turn yet"
        tick(line, clock, 300, 1)
        found = states(line)
        assert found.pop(str(asked)) == "unanswered"
        assert set(found.values()) == {"unknown"}
        before = len(server.requests)
        tick(line, clock, 300, 1)
        again = [r for r in server.requests[before:] if r.path.endswith("/context")]
        assert again == [], "each had its turn within the hour"
        tick(line, clock, 3600, 1)
        again = [r for r in server.requests[before:] if r.path.endswith("/context")]
        assert len(again) == 20, "and has it again an hour later"


class Stumbling(FakeMastodon):
    """A server that fails at one status' thread."""

    fails_at = 0

    def answer(self, request: Request) -> Reply:
        if request.path.endswith(f"/{self.fails_at}/context"):
            return Reply("<html>Internal Server Error</html>", 500, {}, "text/html")
        return super().answer(request)


def test_a_thread_at_which_the_platform_fails_does_not_come_first_again(tmp_path: Path) -> None:
    clock = SimClock(START)
    server = Stumbling(clock)
    broken = server.add(clock.now - 900, "Acme broke #acme")
    asked = server.add(clock.now - 600, "my Acme kettle leaks #acme")
    with serving(server) as url, Store(tmp_path / "t.db") as store:
        source = {"platform": "mastodon", "servers": [url], "search": False, "mentions": False}
        line = _line(store, clock, source)
        tick(line, clock, 60, 1)
        line.tick()
        server.fails_at = broken
        tick(line, clock, 300, 1)
        assert set(states(line).values()) == {"unknown"}
        tick(line, clock, 300, 1)
        assert states(line) == {str(broken): "unknown", str(asked): "unanswered"}
