"""``retention``: what is past its time goes, what was counted stays, and nothing of it comes back."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from listener.collectors import Page, Reject
from listener.config import Config, parse_config
from listener.errors import ConfigError
from listener.mention import Author, Post, epoch
from listener.pipeline import EXPIRE_AT_MOST, Pipeline
from listener.store import Filter, Store

BEGIN = datetime(2026, 3, 20, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
STAGES = ("place", "flag", "group", "count")


class Clock:
    now = BEGIN

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "t.db") as opened:
        yield opened


@pytest.fixture
def clock() -> Clock:
    return Clock()


def config(retention: str = "{posts: 400d, payloads: 60d}") -> Config:
    return parse_config(
        f"brands: [{{name: Acme, handles: {{x: [acmehelp]}}}}]\nretention: {retention}"
    )


@pytest.fixture
def pipeline(store: Store, clock: Clock) -> Pipeline:
    return Pipeline(store, config(), clock=clock)


def post(n: int, text: str, handle: str = "ana", **more: Any) -> Post:
    fields: dict[str, Any] = {
        "author": Author(id=handle, handle=handle, location="Lyon, France"), "url": "https://x/1",
        "raw": {"id": n, "said": text}, **more,
    }  # fmt: skip
    return Post("x", str(n), text, BEGIN + timedelta(minutes=n), **fields)


def keep(pipeline: Pipeline, *posts: Post, rejected: tuple[Reject, ...] = ()) -> None:
    page = Page(posts, {}, threads_read=True, rejected=rejected)
    pipeline.keep(page, source="s", platform="x", query="all")


def expire(pipeline: Pipeline) -> int:
    tick = pipeline.tick(only=("expire",))
    assert tick.failed == {}
    return tick.done["expire"]


def test_payloads_go_after_their_time_and_the_posts_stay(
    pipeline: Pipeline, store: Store, clock: Clock
) -> None:
    keep(pipeline, post(1, "acme is late"), rejected=(Reject("no text", "row 7", "a@example.org"),))
    clock.now = BEGIN + 59 * DAY
    assert expire(pipeline) == 0
    keep(pipeline, post(2, "acme is late too"))
    clock.now = BEGIN + 61 * DAY
    assert expire(pipeline) == 2, "a payload, and a row that was refused"
    assert store.rows("SELECT key FROM payloads") == [{"key": "x:2"}]
    assert store.rows("SELECT reason, payload FROM rejects") == [
        {"reason": "no text", "payload": ""}
    ]
    assert {r["text"] for r in store.mentions(Filter())} == {"acme is late", "acme is late too"}
    assert store.status(epoch(clock.now))["counts"]["rejected"] == 1


def test_posts_past_their_time_lose_what_others_wrote_and_no_figure_changes(
    pipeline: Pipeline, store: Store, clock: Clock
) -> None:
    keep(
        pipeline,
        post(1, "acme lost the bag of Ana Silva"),
        post(2, "we look into it", handle="acmehelp", reply_to="1"),
        post(3, "acme is late"),
    )
    pipeline.tick(only=STAGES)
    counts = store.counts_by(["hour", "brand", "country"], Filter())
    times = store.response_times(Filter())
    assert len(times) == 1
    store.add_alert(
        subject="viral Acme|x:1|", channel="log", title="Acme", body='"the bag of Ana Silva"',
        rule="r", now=epoch(clock.now),
    )  # fmt: skip
    clock.now = BEGIN + 399 * DAY
    keep(pipeline, post(4, "acme again"))
    clock.now = BEGIN + 401 * DAY
    assert expire(pipeline) == 3 + 3, "three payloads and three posts"
    pipeline.tick(only=STAGES)
    with store.write() as db:  # every hour anew, as after a late import
        db.execute("INSERT OR IGNORE INTO touched_hours SELECT hour FROM mentions")
    pipeline.count()
    later = store.counts_by(["hour", "brand", "country"], Filter())
    assert sum(r["posts"] for r in later) == sum(r["posts"] for r in counts) + 1
    assert store.response_times(Filter()) == times
    whole = [
        "\n".join(map(str, row.values()))
        for table in ("posts", "payloads", "mentions", "alerts", "cases", "rejects")
        for row in store.rows(f"SELECT * FROM {table}")
    ]
    for told in ("Silva", "ana", "Lyon", "look into it", "https://x/1"):
        found = [row for row in whole if told in row and "x:4" not in row]
        assert found == [], told
    status = store.status(epoch(clock.now))
    counted = status["counts"]
    assert (counted["posts"], counted["deleted"]) == (4, 0)
    assert counted["expired"] == 3
    assert status["stages"]["expire"]["rows"] == 6
    assert {r["key"]: r["gone"] for r in store.mentions(Filter())} == {
        "x:1": "expired", "x:3": "expired", "x:4": None,
    }  # fmt: skip
    assert [r["gone"] for r in store.thread_posts("x:1")] == ["expired", "expired"]


def test_nobody_is_asked_to_answer_what_is_kept_no_longer(
    pipeline: Pipeline, store: Store, clock: Clock
) -> None:
    keep(pipeline, post(1, "acme is late"))
    pipeline.flag()
    assert len(store.unanswered(Filter())) == 1
    clock.now = BEGIN + 401 * DAY
    expire(pipeline)
    assert store.unanswered(Filter()) == []
    assert store.case_counts(Filter())[0]["thread_state"] == "unanswered", (
        "it stays in the measures"
    )


def test_what_a_platform_shows_again_after_its_time_stays_gone(
    pipeline: Pipeline, store: Store, clock: Clock
) -> None:
    keep(pipeline, post(1, "acme is late"))
    clock.now = BEGIN + 401 * DAY
    expire(pipeline)
    keep(pipeline, post(1, "acme is late"))
    assert store.rows("SELECT text, author_handle FROM posts") == [
        {"text": "", "author_handle": None}
    ]


def test_an_archive_imported_today_is_not_old(
    pipeline: Pipeline, store: Store, clock: Clock
) -> None:
    keep(pipeline, replace(post(1, "acme was late"), created_at=BEGIN - 4000 * DAY))
    clock.now = BEGIN + DAY
    assert expire(pipeline) == 0
    assert store.mentions(Filter())[0]["text"] == "acme was late"


def test_it_looks_once_a_day_in_parts_and_says_what_went(
    pipeline: Pipeline, store: Store, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    many = EXPIRE_AT_MOST + 1000
    keep(pipeline, *(post(n, "nobody named", author=Author()) for n in range(many)))
    clock.now = BEGIN + 61 * DAY
    with caplog.at_level(logging.INFO, "groundswell"):
        first = expire(pipeline)
        assert EXPIRE_AT_MOST <= first < many, "the other stages do not wait for all of it"
        assert "retention" not in caplog.text
        assert expire(pipeline) == many - first
    assert f"{many} payloads and the texts of 0 posts" in caplog.text
    with store.write() as db:
        db.execute("INSERT INTO payloads VALUES ('x:late', '{}', 0)")
    assert expire(pipeline) == 0, "today's round is done"
    clock.now += DAY
    assert expire(pipeline) == 1


def test_it_asks_by_indexes(store: Store) -> None:
    for sql in (
        "SELECT key FROM payloads WHERE stored_at < 5 ORDER BY stored_at LIMIT 9",
        "SELECT id FROM rejects WHERE payload <> '' AND at < 5 ORDER BY at LIMIT 9",
        "SELECT key FROM posts WHERE deleted_at IS NULL AND seen_at < 5 ORDER BY seen_at LIMIT 9",
    ):
        plan = " ".join(r["detail"] for r in store.rows("EXPLAIN QUERY PLAN " + sql))
        assert "SEARCH" in plan, plan
        assert "SCAN" not in plan, plan


def test_a_later_word_of_the_customer_has_a_case_of_its_own(
    pipeline: Pipeline, store: Store
) -> None:
    """Why an answered case is not opened again, and why a key that says when is refused."""
    keep(
        pipeline,
        post(1, "acme where is my bag"),
        post(2, "we look into it", handle="acmehelp", reply_to="1"),
        post(3, "and today?", reply_to="2"),
    )
    pipeline.flag()
    assert {r["key"]: r["thread_state"] for r in store.mentions(Filter())} == {
        "x:1": "answered", "x:3": "unanswered",
    }  # fmt: skip
    with pytest.raises(ConfigError) as caught:
        parse_config("brands: [{name: A}]\nresponse: {reopen_within: 7d}")
    assert "response.reopen_within is no known key" in caught.value.problems[0]
