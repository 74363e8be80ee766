"""What fails waits by itself: a query, the host of several, or a source of which nothing answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from listener.collectors import Collector, Coverage, Cursor, Page
from listener.config import Config
from listener.errors import (
    AuthError,
    CollectorError,
    LimitError,
    NoAnswerError,
    PlatformError,
    UnreachableError,
)
from listener.mention import Post, Query, epoch
from listener.pipeline import Pipeline
from listener.schema import migrations
from listener.store import Filter, Store

START = datetime(2026, 3, 2, 11, 50, tzinfo=UTC)
HOUR, DAY = 3600, 86_400


class Feeds(Collector):
    """Queries named "query@host"; each brings a post a round, unless it is to fail."""

    platform = "feeds"
    asked: list[str]
    fails: dict[str, Exception]
    texts: dict[str, list[str]]

    def host_of(self, query: Query) -> str:
        return query.name.partition("@")[2]

    def fetch(self, query: Query, cursor: Cursor | None) -> Iterator[Page]:
        self.asked.append(query.name)
        if query.name in self.fails:
            raise self.fails[query.name]
        now = self.context.clock()
        at = epoch(now)
        posts = [
            Post(self.platform, f"{query.name}-{at}-{n}", text, now)
            for n, text in enumerate(self.texts.get(query.name, ["Acme"]))
        ]
        yield Page(posts, {"at": at}, Coverage(returned=len(posts)), complete=True)

    @staticmethod
    def to_post(payload: Mapping[str, Any]) -> Post:
        raise NotImplementedError


class Line:
    """A pipeline over Feeds, its clock, and which queries each round asked."""

    def __init__(self, store: Store, planned: dict[str, tuple[str, ...]]) -> None:
        self.store, self.planned, self.now = store, planned, START
        self.start()

    def start(self) -> None:
        """As a process does that is started anew on the same store."""
        config = Config.model_validate(
            {
                "brands": [{"name": "Acme"}, {"name": "Zenith"}],
                "sources": [{"platform": "feeds", "every": "10m"}],
            }
        )
        self.pipeline = Pipeline(self.store, config, clock=lambda: self.now)
        self.pipeline.__dict__["queries"] = lambda source: [
            Query(name, brands, brands) for name, brands in self.planned.items()
        ]

    def round(self, minutes: float = 10) -> list[str]:
        self.now += timedelta(minutes=minutes)
        Feeds.asked = []
        self.pipeline.collect(self.pipeline.config.sources[0])
        return Feeds.asked

    @property
    def why(self) -> str:
        return self.pipeline.failures.get("feeds", "")

    @property
    def status(self) -> dict[str, Any]:
        (found,) = self.store.status(epoch(self.now))["sources"]
        return dict(found)


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Line]]:
    Feeds.asked, Feeds.fails, Feeds.texts = [], {}, {}
    monkeypatch.setattr("listener.collectors.load", lambda name: Feeds)
    with Store(tmp_path / "t.db") as store:
        yield lambda *names: Line(store, dict.fromkeys(names, ("Acme", "Zenith")))


@pytest.mark.parametrize("bad", ["a@one", "b@one", "c@one"])
def test_a_query_that_fails_waits_longer_each_time_and_the_others_are_heard_at_every_turn(
    bad: str, line: Callable[..., Line]
) -> None:
    names = ["a@one", "b@one", "c@one"]
    others = [name for name in names if name != bad]
    it = line(*names)
    Feeds.fails = {bad: PlatformError(f"{bad} answered 404")}
    rounds = [it.round() for _ in range(48)]
    assert all([name for name in asked if name != bad] == others for asked in rounds)
    at = [n for n, asked in enumerate(rounds) if bad in asked]
    assert at[:4] == [0, 1, 2, 3], "pauses of 30 s to 4 min are over by the next turn"
    assert all(5 <= b - a <= 8 for a, b in pairwise(at[-3:])), "an hour at last"
    assert f"{bad} answered 404; not asked again before 2026-03-02" in it.why
    # The source is heard, whichever of its queries comes last.
    assert it.status["failures"] == 0
    assert it.status["open_until"] is None
    (told,) = it.status["failing_queries"]
    assert (told["query"], told["failures"]) == (bad, len(at))
    assert told["last_error"] == f"{bad} answered 404"
    Feeds.fails = {}
    it.round(80)
    assert it.why == ""
    assert it.status["failing_queries"] == []
    assert bad in it.round()


def test_a_wait_holds_through_a_restart_and_a_start_by_hand_asks_again(
    line: Callable[..., Line],
) -> None:
    it = line("a@one", "b@one")
    Feeds.fails = {"a@one": PlatformError("a answered 500")}
    for _ in range(9):
        it.round()
    it.start()
    it.pipeline.release(platforms=False)
    assert it.round(0) == ["b@one"]
    assert "a answered 500" in it.why
    before = it.status["failing_queries"][0]["failures"]
    it.pipeline.release(platforms=True)
    assert it.round(0) == ["a@one", "b@one"]
    assert it.status["failing_queries"][0]["failures"] == before + 1


def test_a_source_fails_where_nothing_that_it_asked_was_answered(
    line: Callable[..., Line],
) -> None:
    it = line("a@one", "b@one")
    it.round()
    heard = epoch(it.now)
    Feeds.fails = {name: PlatformError(f"{name} answered 500") for name in ("a@one", "b@one")}
    for failures in (1, 2):
        it.round()
        assert it.status["failures"] == failures
        assert it.status["last_ok_at"] == heard
    assert "b@one answered 500" in it.why
    assert "; 1 more of its hosts and queries fail or wait" in it.why
    waiting = it.round(0.1)
    assert waiting == [], "all of it waits"
    assert it.status["failures"] == 2
    del Feeds.fails["b@one"]
    it.round()
    assert it.status["failures"] == 0
    assert [q["query"] for q in it.status["failing_queries"]] == ["a@one"]
    assert it.status["failing_queries"][0]["heard_at"] == heard


def test_a_host_that_limits_waits_by_itself_and_its_source_is_no_failing_one(
    line: Callable[..., Line],
) -> None:
    it = line("a@one", "b@two", "c@two")
    it.round()
    heard = epoch(it.now)
    Feeds.fails = {"b@two": LimitError("two answered 429", resets_at=it.now.timestamp() + 3600)}
    assert it.round() == ["a@one", "b@two"]
    assert it.round() == ["a@one"]
    assert it.status["failures"] == 0
    (host,) = it.status["waiting_hosts"]
    assert (host["host"], host["heard_at"]) == ("two", heard)
    assert it.status["failing_queries"] == []
    # The host answers again, and one query of it does not.
    Feeds.fails = {"b@two": PlatformError("b answered 404")}
    assert it.round(50) == ["a@one", "b@two", "c@two"]
    assert it.status["waiting_hosts"] == []
    assert [q["query"] for q in it.status["failing_queries"]] == ["b@two"]


def test_what_a_host_answered_before_it_asked_to_wait_was_heard_until_then(
    line: Callable[..., Line],
) -> None:
    it = line("a@one", "b@two", "c@two", "d@two")
    it.round()
    before = epoch(it.now)
    Feeds.fails = {"c@two": LimitError("two answered 429", resets_at=it.now.timestamp() + 1500)}
    assert it.round() == ["a@one", "b@two", "c@two"]
    assert it.round() == ["a@one"], "its host waits as a whole"
    rows = {row["query"]: row["heard_at"] for row in it.store.query_holds("feeds")}
    assert rows == {"b@two": before + 600, "c@two": before, "d@two": before}
    Feeds.fails = {}
    assert it.round() == ["a@one", "b@two", "c@two", "d@two"]
    assert it.status["failing_queries"] == []


def test_one_refused_permission_is_a_querys_and_a_refused_login_is_told_after_two(
    line: Callable[..., Line],
) -> None:
    it = line("a@", "b@", "c@")
    Feeds.fails = {"a@": AuthError("403: the token lacks a permission")}
    assert it.round() == ["a@", "b@", "c@"]
    assert it.round() == ["a@", "b@", "c@"]
    assert it.store.holds() == {}
    Feeds.fails = {name: AuthError("401: the token is refused") for name in ("a@", "b@", "c@")}
    assert it.round() == ["a@", "b@"]
    assert it.store.holds()["feeds"]["held_by"] == "login"
    assert "401: the token is refused; not asked again" in it.why
    it.pipeline.release(platforms=False)
    Feeds.fails = {}
    assert it.round(0) == ["a@", "b@", "c@"], "the secret was mended before this start"
    assert it.why == ""


def test_a_host_that_does_not_answer_in_time_is_not_waited_for_once_a_query(
    line: Callable[..., Line],
) -> None:
    it = line("a@slow", "b@slow", "c@slow", "d@two")
    Feeds.fails = {
        name: NoAnswerError("no answer in time") for name in ("a@slow", "b@slow", "c@slow")
    }
    assert it.round() == ["a@slow", "b@slow", "d@two"]
    assert it.round(0.2) == ["d@two"]
    del Feeds.fails["a@slow"]
    assert it.round() == ["a@slow", "b@slow", "c@slow", "d@two"], "too much is asked by b and c"


def test_a_query_that_brings_a_page_before_it_fails_begins_with_short_pauses_again(
    line: Callable[..., Line], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Feeds.fetch

    def broken_off(self: Feeds, query: Query, cursor: Cursor | None) -> Iterator[Page]:
        yield from plain(self, query, cursor)
        if query.name == "a@one":
            raise PlatformError("a page answered 500")

    monkeypatch.setattr(Feeds, "fetch", broken_off)
    it = line("a@one", "b@one")
    assert all("a@one" in it.round() for _ in range(12))
    assert it.status["failures"] == 0


def test_an_answer_of_a_shape_that_nobody_thought_of_is_a_failure_of_its_query(
    line: Callable[..., Line], caplog: pytest.LogCaptureFixture
) -> None:
    it = line("a@one", "b@one")
    Feeds.fails = {"a@one": KeyError("items of https://one.example/?key=hunter22")}
    assert it.round() == ["a@one", "b@one"]
    assert it.why.startswith(
        "feeds: the answer to a@one could not be read (KeyError; the log has more)"
    )
    assert it.round(0.1) == ["b@one"], "it waits, as any query that fails"
    rows = it.store.rows("SELECT failed FROM coverage WHERE failed IS NOT NULL")
    assert len(rows) == 1
    assert "hunter22" not in rows[0]["failed"]
    assert "Traceback" in caplog.text


def test_what_is_asked_no_more_fails_no_more(line: Callable[..., Line]) -> None:
    it = line("a@one", "b@one")
    Feeds.fails = {"a@one": PlatformError("a answered 404")}
    it.round()
    del it.planned["a@one"]
    it.round()
    assert it.status["failing_queries"] == []
    assert it.why == ""


def test_a_host_is_left_alone_by_a_query_that_is_new_there(line: Callable[..., Line]) -> None:
    it = line("a@one", "b@two")
    Feeds.fails = {"b@two": UnreachableError("cannot reach two")}
    it.round()
    it.planned["c@two"] = ("Acme",)
    assert it.round(0.2) == ["a@one"]
    assert "cannot reach two" in it.why


def test_a_store_from_before_keeps_the_waits_of_its_hosts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Feeds.asked, Feeds.fails, Feeds.texts = [], {}, {}
    monkeypatch.setattr("listener.collectors.load", lambda name: Feeds)
    old = Database(tmp_path / "old.db")
    migrations.apply(old, stop_before="m017_queries_held_back")
    until = epoch(START) + HOUR
    old["host_holds"].insert(
        {"source": "feeds", "host": "two", "open_until": until, "held_by": "platform",
         "last_error": "two answered 429", "failures": 3}
    )  # fmt: skip
    old["health"].insert({"source": "feeds", "platform": "feeds", "last_ok_at": 1})
    old.close()
    with Store(tmp_path / "old.db") as store:
        it = Line(store, {"a@one": ("Acme",), "b@two": ("Acme",)})
        assert it.round() == ["a@one"]
        assert (
            f"two answered 429; not asked again before {START + timedelta(hours=1):%F %T}" in it.why
        )
        assert [h["host"] for h in it.status["waiting_hosts"]] == ["two"]
        assert it.round(60) == ["a@one", "b@two"]
        assert store.query_holds("feeds") == []


# what cannot be heard is not known ----------------------------------------------------------------


def known_habit(it: Line) -> None:
    """Two days: Acme's posts come by the tag in the main, Zenith's by the feed alone."""
    Feeds.texts = {
        "tag@one": ["Acme"] * 8,
        "feed@two": ["Acme", "Zenith", "Zenith", "Zenith"],
    }
    it.planned = {"tag@one": ("Acme",), "feed@two": ("Acme", "Zenith")}
    for _ in range(48):
        it.round(60)
    it.pipeline.count()


@pytest.mark.parametrize(
    "error", [PlatformError("tag answered 500"), LimitError("429", resets_at=4e9)]
)
def test_hours_are_not_known_while_the_query_that_brings_most_is_not_heard(
    error: CollectorError, line: Callable[..., Line]
) -> None:
    it = line()
    known_habit(it)
    heard, since = epoch(it.now), epoch(it.now) - 3 * DAY
    assert it.store.gaps(Filter(), heard) == []
    Feeds.fails = {"tag@one": error}
    for _ in range(4):
        it.round(60)
    it.pipeline.count()
    now = epoch(it.now)
    assert it.status["failures"] == 0, "the feed is heard"
    deaf = [(heard + 600, now - now % HOUR)]  # the hour in which it was heard is known
    # Of Acme's posts 8 in 9.
    assert it.store.gaps_by_brand(since, now) == {"Acme": deaf, "Zenith": []}
    assert it.store.gaps(Filter(brands=("Acme",)), now) == deaf
    assert it.store.gaps(Filter(brands=("Zenith",)), now) == []
    Feeds.fails = {}
    it.pipeline.release(platforms=True)
    it.round(0)
    assert it.store.gaps_by_brand(since, now) == {}


def test_hours_are_known_while_a_query_that_brings_little_is_not_heard(
    line: Callable[..., Line],
) -> None:
    it = line()
    known_habit(it)
    Feeds.texts = {"tag@one": ["Acme"] * 2, "feed@two": ["Acme"] * 4 + ["Zenith"] * 9}
    for _ in range(14 * 24):
        it.round(60)  # the habit of before is forgotten after two weeks
    it.pipeline.count()
    Feeds.fails = {"tag@one": PlatformError("tag answered 500")}
    for _ in range(4):
        it.round(60)
    it.pipeline.count()
    assert it.store.gaps(Filter(brands=("Acme",)), epoch(it.now)) == []


def test_a_query_of_a_small_brand_hides_it_beside_a_feed_of_a_large_one(
    line: Callable[..., Line],
) -> None:
    it = line()
    known_habit(it)
    Feeds.texts = {"tag@one": ["Acme"], "feed@two": ["Zenith"] * 30}
    for _ in range(14 * 24):
        it.round(60)
    it.pipeline.count()
    Feeds.fails = {"tag@one": PlatformError("tag answered 500")}
    for _ in range(4):
        it.round(60)
    it.pipeline.count()
    gaps = it.store.gaps_by_brand(epoch(it.now) - DAY, epoch(it.now))
    assert [end - start for start, end in gaps["Acme"]] == [3 * HOUR]
    assert gaps["Zenith"] == []


def test_a_spike_is_not_over_while_what_told_of_it_is_not_heard(line: Callable[..., Line]) -> None:
    it = line()
    known_habit(it)
    for _ in range(10 * 24):
        it.round(60)
    Feeds.texts["tag@one"] = ["Acme"] * 80
    for _ in range(2):
        it.round(60)

    def ends() -> set[int | None]:
        with it.store.write() as db:
            db.execute("UPDATE mentions SET judged_at = 1, label = 'negative' WHERE brand = 'Acme'")
        it.pipeline.count()
        it.pipeline.store.set_meta("counted_revision", str(it.store.revision()))
        it.pipeline.spike()
        rows = it.store.rows("SELECT end FROM spikes WHERE brand = 'Acme' AND kind = 'negative'")
        return {row["end"] for row in rows}

    assert ends() == {None}
    Feeds.fails = {"tag@one": PlatformError("tag answered 500")}
    for _ in range(5):
        it.round(60)
    assert ends() == {None}, "nobody knows"
    Feeds.fails = {}
    Feeds.texts["tag@one"] = ["Acme"] * 8
    it.pipeline.release(platforms=True)
    for _ in range(5):
        it.round(60)
    assert None not in ends()
