"""``queries``, ``coverage`` and ``backfill`` as people run them, and what the ledger tells."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from fake import Reply, Request, SimClock, serving
from fake_hackernews import FakeHackerNews
from fake_mastodon import FakeMastodon
from fake_x import FakeX

from listener.cli import cli
from listener.coverage import silences, summarise
from listener.errors import GroundswellError
from listener.pipeline import Tick

BRANDS = "brands: [{name: Acme, names: [Acme], misspellings: [akme], hashtags: []}]\n"
HOUR, DAY = 3600, 86_400


def run(folder: Path, sources: list[dict[str, Any]], *args: str, **more: Any) -> Result:
    config = folder / "keywords.yaml"
    config.write_text(BRANDS + "sources: " + json.dumps(sources), encoding="utf-8")
    root = ["--config", str(config), "--db", str(folder / "t.db")]
    return CliRunner().invoke(cli, [*root, *args], catch_exceptions=True, **more)


def test_queries_show_what_is_sent_what_it_covers_and_what_did_not_fit(tmp_path: Path) -> None:
    sources = [{"platform": "hackernews", "every": "10m"}, {"platform": "x", "max_queries": 1}]
    found = run(tmp_path, sources, "queries", "--json")
    assert found.exit_code == 0, found.output
    answer = json.loads(found.stdout)
    by_name = {(q["source"], q["name"]): q for q in answer["queries"]}
    assert by_name["hackernews", "search:akme"]["text"] == '"akme"'
    assert by_name["hackernews", "search:akme"]["requests_per_day"] == 144
    assert by_name["x", "search:Acme"]["text"] == "Acme OR akme"
    assert by_name["x", "search:Acme"]["covers"] == ["Acme", "akme"]
    table = run(tmp_path, sources, "queries", "--source", "x")
    assert "Acme OR akme" in table.output
    assert "hackernews" not in table.output
    wrong = run(tmp_path, sources, "queries", "--source", "y")
    assert "no source is called y; keywords.yaml has: hackernews, x" in str(wrong.exception)


def test_live_queries_ask_what_there_is_and_what_it_costs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("X_BEARER_TOKEN", "AAAA-token")
    clock = SimClock(datetime.now(UTC))
    server = FakeX(clock)
    for n in range(700):
        server.add(clock.now - n, "Acme")
    with serving(server) as url:
        sources = [{"platform": "x", "base_url": url, "every": "15m"}]
        answer = json.loads(run(tmp_path, sources, "queries", "--live", "--json").stdout)
    (query,) = answer["queries"]
    assert query["posts_per_day"] == 100
    assert query["usd_per_day"] == pytest.approx(1.5)


def test_backfill_is_resumable_and_says_where_it_stands(tmp_path: Path) -> None:
    clock = SimClock(datetime.now(UTC))
    server = FakeHackerNews(clock)
    for n in range(450):
        server.add(n, int(clock.now) - n * HOUR, f"Acme {n}")
    since = (clock() - timedelta(days=30)).strftime("%Y-%m-%d")
    with serving(server) as url:
        sources = [{"platform": "hackernews", "base_url": url, "budget": {"requests_per_day": 3}}]
        first = run(tmp_path, sources, "backfill", "--since", since, "--json")
        assert isinstance(first.exception, GroundswellError)
        assert "the same command goes on" in str(first.exception)
        state = json.loads(first.stdout)["backfilled"]
        assert "budget of 3 requests" in state[0]["state"]
        assert state[0]["new"] == 298  # each page begins with the last hit of the one before
        sources[0]["budget"] = {"requests_per_day": 20}
        second = run(tmp_path, sources, "backfill", "--since", since, "--json")
        assert second.exit_code == 0, second.output
        rows = json.loads(second.stdout)["backfilled"]
        assert [(r["query"], r["new"], r["state"]) for r in rows] == [
            ("search:acme", 152, "complete"),
            ("search:akme", 0, "complete"),
        ]
        before = len(server.requests)
        third = run(tmp_path, sources, "backfill", "--since", since)
        assert third.exit_code == 0
        assert "complete before" in third.output
        assert len(server.requests) == before


def test_backfill_asks_before_it_spends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X_BEARER_TOKEN", "AAAA-token")
    clock = SimClock(datetime.now(UTC))
    server = FakeX(clock)
    for n in range(70):
        server.add(clock.now - n * 600, "Acme")
    since = (clock() - timedelta(days=2)).strftime("%Y-%m-%d")
    with serving(server) as url:
        sources = [{"platform": "x", "base_url": url, "budget": {"usd_per_day": 5}}]
        no = run(tmp_path, sources, "backfill", "--since", since, input="n\n")
        assert "about 10 posts a day" in no.output
        assert "$0.015 a post; the budget allows $5.00 a day" in no.output
        assert [r.path for r in server.requests] == ["/2/tweets/counts/recent"]
        yes = run(tmp_path, sources, "backfill", "--since", since, "--yes", "--json")
        assert yes.exit_code == 0, yes.output
        assert json.loads(yes.stdout)["backfilled"][0]["new"] == 70


def test_backfill_of_a_platform_without_an_archive_says_so(tmp_path: Path) -> None:
    named = run(
        tmp_path, [{"platform": "rss"}], "backfill", "--since", "2026-01-01", "--source", "rss"
    )
    assert "rss has no backfill by date" in str(named.exception)
    ahead = run(tmp_path, [{"platform": "rss"}], "backfill", "--since", "2999-01-01")
    assert "lies ahead" in str(ahead.exception)


def test_backfill_leaves_a_host_alone_that_asks_to_wait_and_goes_on_with_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimClock(datetime.now(UTC))
    limits, fine = FakeMastodon(clock), FakeMastodon(clock)
    fine.add(clock.now - HOUR, "Acme #acme")

    def limiting(request: Request) -> Reply:
        return Reply({"error": "slow down"}, 429, {"Retry-After": "7200"})

    limits.answer = limiting  # type: ignore[method-assign]
    since = (clock() - timedelta(days=2)).strftime("%Y-%m-%d")
    with serving(limits) as a, serving(fine) as b:
        source = {"platform": "mastodon", "servers": [a, b], "search": False}
        args = ("backfill", "--since", since, "--json")
        first = run(tmp_path, [source], *args)
        assert "2 of 5 queries are not complete yet" in str(first.exception)
        rows = {r["query"]: r for r in json.loads(first.stdout)["backfilled"]}
        states = {query: row["state"] for query, row in rows.items()}
        host, other = a.removeprefix("http://"), b.removeprefix("http://")
        assert f"{host} answered 429" in states[f"tag:acme@{host}"]
        assert "answered 429" in states[f"tag:akme@{host}"]
        assert "; not asked again before " in states[f"tag:akme@{host}"]
        assert states[f"tag:acme@{other}"] == states[f"tag:akme@{other}"] == "complete"
        assert rows[f"tag:acme@{other}"]["new"] == 1
        assert states["mentions:own"] == "not asked", "there is no token"
        assert len(limits.requests) == 1
        run(tmp_path, [source], *args)
        monkeypatch.setattr("listener.pipeline.Pipeline.tick", lambda self: Tick({}, {}))
        listened = run(tmp_path, [source], "run", "--once")
        assert f"mastodon failed: mastodon: {host} answered 429" in str(listened.exception)
        assert len(limits.requests) == 1, "by whatever it would be asked"
        assert len(fine.requests) > 2


def test_coverage_tells_holes_limits_price_and_failures(tmp_path: Path) -> None:
    clock = SimClock(datetime.now(UTC))
    server = FakeHackerNews(clock)
    for n in range(150):
        server.add(n, int(clock.now) - n * 60, "Acme")
    with serving(server) as url:
        sources = [{"platform": "hackernews", "base_url": url}]
        since = (clock() - timedelta(days=2)).strftime("%Y-%m-%d")
        run(tmp_path, sources, "backfill", "--since", since)
        answer = json.loads(run(tmp_path, sources, "coverage", "--json").stdout)
    rows = {r["query"].rpartition(":")[2]: r for r in answer["sources"]}
    assert rows["acme"]["new"] == 150
    assert rows["acme"]["requests"] == 2
    assert rows["acme"]["failed"] == 0
    assert answer["quiet"] == []
    assert "hackernews" in run(tmp_path, sources, "coverage", "--since", "1d").output
    assert "--since 'x'" in str(run(tmp_path, sources, "coverage", "--since", "x").exception)


def row(at: int, new: int = 0, **more: Any) -> dict[str, Any]:
    base = {
        "at": at, "source": "x", "query": "search:Acme", "requests": 1, "asked": 100,
        "returned": new, "new": new, "matched": new, "rejected": 0, "truncated": 0, "limited": 0,
        "failed": None, "cost_usd": 0.0, "lag_seconds": None,
    }  # fmt: skip
    return base | more


def test_a_summary_counts_and_prices() -> None:
    rows = [
        row(10, 4, cost_usd=0.02, lag_seconds=30),
        row(20, 1, truncated=1, cost_usd=0.005, lag_seconds=90),
        row(30, 0, failed="x answered 503", limited=0),
        row(40, 0, query="mentions:acme"),
    ]
    mentions, search = summarise(rows)
    assert mentions.usd_per_new is None
    assert (search.new, search.truncated, search.failed, search.requests) == (5, 1, 1, 3)
    assert search.usd_per_new == pytest.approx(0.005)
    assert search.lag == 60
    assert search.last_ok == 20
    assert search.last_failure == "x answered 503"


def _hourly(
    days: int, per_hour: int, until_hour: int, busy: range = range(24)
) -> list[dict[str, Any]]:
    """Polls every hour; posts come in the busy hours of the day, until the given hour."""
    return [
        row(h * HOUR, per_hour if h < until_hour and h % 24 in busy else 0)
        for h in range(days * 24)
    ]


def test_a_source_that_falls_silent_against_its_habit_is_told_once_it_is_sure() -> None:
    rows = _hourly(8, 2, until_hour=7 * 24)
    now = 8 * DAY
    (told,) = silences(rows, now)
    assert told.expected == pytest.approx(46, abs=4)
    assert "x: nothing new for 25 h" in str(told)
    soon = [r for r in rows if r["at"] <= 7 * DAY + HOUR]
    assert silences(soon, 7 * DAY + HOUR) == []  # two hours: four posts fewer can be chance


def test_nights_are_no_silence() -> None:
    rows = _hourly(8, 3, until_hour=7 * 24, busy=range(8, 20))
    night = [r for r in rows if r["at"] <= 7 * DAY + 6 * HOUR]
    assert silences(night, 7 * DAY + 6 * HOUR) == []
    assert len(silences(rows, 8 * DAY)) == 1


def test_failures_are_no_silence_and_the_first_days_say_nothing() -> None:
    rows = _hourly(8, 2, until_hour=7 * 24)
    failing = [r | {"failed": "503"} if r["at"] >= 7 * DAY else r for r in rows]
    assert silences(failing, 8 * DAY) == []
    assert silences([r for r in rows if r["at"] >= 5 * DAY], 8 * DAY) == []
    assert silences([], 8 * DAY) == []
