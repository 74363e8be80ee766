"""Copies found from round to round: what it costs, and that a restart, a deletion or a failure changes
nothing in what is found."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from listener.collectors import Deletion, Page
from listener.config import Config, parse_config
from listener.errors import StoreError
from listener.mention import Author, Post
from listener.pipeline import Pipeline
from listener.schema import migrations
from listener.store import Store

NOW = datetime(2026, 3, 20, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
CHAIN = "acme please bring back the old app, sign here and pass this on to all of your friends"
OTHER = "acme giveaway: follow this account and win one of ten thousand phones, only today"


class Reading(Store):
    """A store that notes how many stored texts were read for grouping."""

    read = 0
    broken = False

    def heard_groups(self, since: int, until: int) -> Iterator[tuple[str, str]]:
        for found in super().heard_groups(since, until):
            self.read += 1
            yield found

    def save_groups(self, groups: Any, judge_flood: Any = None) -> None:
        super().save_groups([] if self.broken else groups, judge_flood)
        if self.broken:
            raise StoreError("the disk is full")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Reading]:
    with Reading(tmp_path / "t.db") as opened:
        yield opened


@pytest.fixture
def config() -> Config:
    return parse_config("brands: [{name: Acme}, {name: Globex}]")


@pytest.fixture
def pipeline(store: Reading, config: Config) -> Pipeline:
    return Pipeline(store, config, clock=lambda: NOW)


def own_words(n: int) -> str:
    return f"acme {blake2b(str(n).encode(), digest_size=30).hexdigest()}"


def keep(pipeline: Pipeline, *said: tuple[str, str, datetime]) -> None:
    posts = [Post("x", key, text, at, Author(handle=f"h{key}")) for key, text, at in said]
    pipeline.keep(Page(posts, {}), source="s", platform="x", query="all")


def group(pipeline: Pipeline) -> int:
    tick = pipeline.tick(only=("group",))
    assert tick.failed == {}
    return tick.done["group"]


def group_of(store: Store, key: str) -> str | None:
    found = store.value("SELECT group_key FROM posts WHERE key = ?", (f"x:{key}",))
    return None if found is None else str(found)


def test_a_round_reads_what_waits_and_never_again_what_is_stored(
    pipeline: Pipeline, store: Reading, config: Config
) -> None:
    keep(pipeline, *((f"{n}", own_words(n), NOW - DAY) for n in range(300)), ("a", CHAIN, NOW))
    assert group(pipeline) == 301
    later = Pipeline(store, config, clock=lambda: NOW)
    keep(later, ("b", CHAIN + "!", NOW))
    assert group(later) == 1
    assert store.read == 301, "after a start, the days around the first post, once"
    for n in range(5):
        keep(later, (f"c{n}", f"{CHAIN} {n}", NOW + n * timedelta(seconds=3)))
        assert group(later) == 1
    keep(later, ("late", f"{CHAIN} late", NOW - timedelta(hours=5)))
    assert group(later) == 1
    assert group(later) == 0
    assert store.read == 301
    assert {group_of(store, key) for key in ("b", "c0", "c4", "late")} == {"x:a"}


def test_a_straggler_costs_the_days_around_it_and_finds_what_it_copies(
    pipeline: Pipeline, store: Reading, config: Config
) -> None:
    year = NOW - 365 * DAY
    keep(
        pipeline,
        ("old", OTHER, year),
        *((f"m{n}", own_words(n), NOW - 200 * DAY) for n in range(300)),
        *((f"n{n}", own_words(500 + n), NOW - DAY) for n in range(50)),
    )
    group(pipeline)
    later = Pipeline(store, config, clock=lambda: NOW)
    keep(later, ("old copy", OTHER + "!", year - 2 * DAY), ("new", CHAIN, NOW))
    group(later)
    assert group_of(store, "old copy") == "x:old"
    assert store.read == 51
    keep(later, ("new copy", CHAIN + "!", NOW), ("older copy", OTHER + "!!", year - 4 * DAY))
    group(later)
    assert group_of(store, "new copy") == "x:new"
    assert group_of(store, "older copy") == "x:old"
    # That of the stretch before: its first two are in the three days that were not known yet.
    assert store.read <= 51 + 2


def test_what_is_copied_for_weeks_is_one_group_after_a_restart_too(
    pipeline: Pipeline, store: Reading, config: Config
) -> None:
    for day in range(10, 1, -2):
        keep(pipeline, (f"{day}", f"{CHAIN} {day}", NOW - day * DAY))
        group(pipeline)
    restarted = Pipeline(store, config, clock=lambda: NOW)
    keep(restarted, ("new", CHAIN, NOW))
    group(restarted)
    assert group_of(store, "new") == "x:10"


def test_nothing_is_a_copy_of_what_was_deleted(pipeline: Pipeline, store: Reading) -> None:
    keep(pipeline, ("a", CHAIN, NOW))
    group(pipeline)
    store.save_deletions("x", [Deletion("a")], int(NOW.timestamp()) - 5)
    keep(pipeline, ("b", CHAIN, NOW))
    group(pipeline)
    keep(pipeline, ("c", CHAIN, NOW))
    group(pipeline)
    assert (group_of(store, "b"), group_of(store, "c")) == ("x:b", "x:b")


def test_a_deleted_post_does_not_wait(pipeline: Pipeline, store: Reading) -> None:
    keep(pipeline, ("a", CHAIN, NOW))
    store.save_deletions("x", [Deletion("a")], int(NOW.timestamp()))
    assert group(pipeline) == 0


def test_a_round_that_failed_is_forgotten_and_done_again(
    pipeline: Pipeline, store: Reading
) -> None:
    keep(pipeline, ("a", OTHER, NOW))
    group(pipeline)
    keep(pipeline, ("b", CHAIN, NOW))
    store.broken = True
    assert "disk" in pipeline.tick(only=("group",)).failed["group"]
    store.broken = False
    store.save_deletions("x", [Deletion("b")], 0)  # so long ago that nobody asks about it
    keep(pipeline, ("c", CHAIN, NOW), ("d", OTHER, NOW))
    group(pipeline)
    assert group_of(store, "c") == "x:c", "b was never stored as a group"
    assert group_of(store, "d") == "x:a"


def test_a_copy_that_comes_to_name_a_second_brand_is_a_copy_for_it_too(
    pipeline: Pipeline, store: Reading
) -> None:
    keep(pipeline, ("a", CHAIN, NOW), ("b", CHAIN, NOW + timedelta(seconds=1)))
    group(pipeline)
    keep(pipeline, ("b", CHAIN + " globex", NOW + timedelta(seconds=1)))
    assert group(pipeline) == 1
    assert store.rows("SELECT brand, copy FROM mentions WHERE key = 'x:b' ORDER BY brand") == [
        {"brand": "Acme", "copy": 1}, {"brand": "Globex", "copy": 1},
    ]  # fmt: skip


def test_it_asks_by_indexes_of_what_waits(store: Reading) -> None:
    asked: list[str] = []
    rows = store.rows

    def noted(sql: str, parameters: Any = ()) -> Any:
        asked.extend(r["detail"] for r in rows("EXPLAIN QUERY PLAN " + sql, parameters))
        return rows(sql, parameters)

    store.rows = noted  # type: ignore[method-assign]
    store.ungrouped(10)
    list(store.heard_groups(0, 5))
    store.deleted_since(5)
    said = "\n".join(asked)
    for index in ("mentions_ungrouped", "posts_grouped", "deletions_at"):
        assert f"INDEX {index}" in said, said
    for table in ("posts", "p", "o", "deletions", "mentions"):
        assert f"SCAN {table}\n" not in said + "\n", said


def test_in_an_older_database_only_what_has_no_group_waits(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    old = Database(sqlite3.connect(path, isolation_level=None))
    migrations.apply(old, stop_before="m010_ungrouped")
    for key, grouped in (("x:1", "x:1"), ("x:2", None), ("x:3", None)):
        old.execute(
            "INSERT INTO posts (key, platform, native_id, source, text, created_at, seen_at, "
            "group_key, digest) VALUES (?, 'x', ?, 's', 'acme', 1, 1, ?, x'00')",
            (key, key[2:], grouped),
        )
        if key != "x:3":
            old.execute(
                "INSERT INTO mentions (key, brand, platform, created_at, hour, seen_at, keyword, "
                "variant, kind, span_start, span_end, match_score, rules) VALUES (?, 'Acme', 'x', 1, "
                "0, 1, 'acme', 'acme', 'name', 0, 4, 1.0, 'r')",
                (key,),
            )
    old.conn.close()
    with Store(path) as store:
        assert [r["key"] for r in store.ungrouped(10)] == ["x:2"]
