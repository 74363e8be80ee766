"""A spelling that people mark as wrong goes by itself, and comes back when a person says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from listener.cli import cli
from listener.collectors import Page
from listener.config import parse_config
from listener.mention import Author, Post, epoch
from listener.pipeline import Pipeline
from listener.store import Filter, Store

NOW = datetime(2026, 3, 20, 9, 0, tzinfo=UTC)
SLIP, NAME = "my spotfy is down", "spotify is down"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "t.db") as opened:
        yield opened


@pytest.fixture
def pipeline(store: Store) -> Pipeline:
    config = parse_config("brands: [{name: Spotify, handles: {x: [spotifycares]}}]")
    return Pipeline(store, config, clock=lambda: NOW)


def keep(pipeline: Pipeline, first: int, count: int, text: str = SLIP) -> list[str]:
    posts = [
        Post(
            "x", str(n), f"{text} {n}", NOW - timedelta(hours=2, seconds=n), Author(handle=f"u{n}")
        )
        for n in range(first, first + count)
    ]
    pipeline.keep(Page(posts, {}, threads_read=True), source="s", platform="x", query="q")
    return [post.key for post in posts]


def mark(store: Store, keys: list[str], wrong: bool = True) -> None:
    for key in keys:
        store.mark_wrong(key, "Spotify", wrong, "ana", epoch(NOW))


def shown(store: Store) -> set[str]:
    return {row["key"] for row in store.mentions(Filter(), limit=500)}


def counted(store: Store) -> int:
    return int(store.counts_by([], Filter())[0]["posts"] or 0)


def tick(pipeline: Pipeline) -> dict[str, int]:
    ran = pipeline.tick(only=("audit", "flag", "count"))
    assert ran.failed == {}
    return ran.done


def test_marks_suspend_a_spelling_and_what_it_found_counts_no_longer(
    pipeline: Pipeline, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    slips, names = keep(pipeline, 0, 12), keep(pipeline, 100, 3, NAME)
    tick(pipeline)
    assert counted(store) == 15
    mark(store, slips[:4])
    assert tick(pipeline)["audit"] == 0, "four marks are too few to know"
    mark(store, slips[4:5])
    store.correct(slips[11], "Spotify", "negative", "ana", epoch(NOW))  # so it means the brand
    mark(store, slips[5:7])
    mark(store, slips[10:11])
    mark(store, slips[10:11], wrong=False)
    assert tick(pipeline)["audit"] == 1
    assert store.suspended() == {"Spotify": frozenset({"spotfy"})}
    assert "the spelling 'spotfy' is looked for no longer: 7 of 8 reviewed posts" in caplog.text
    assert shown(store) == {*names, slips[10], slips[11]}, "people vouched for the last two"
    assert counted(store) == 5
    assert len(store.mentions_of(slips)) == 12, "kept, only not counted"
    keep(pipeline, 200, 2)
    assert shown(store) == {*names, slips[10], slips[11]}, "and no longer looked for"
    assert store.value("SELECT COUNT(*) FROM posts") == 17


def test_cases_of_a_suspended_spelling_wait_for_nobody(pipeline: Pipeline, store: Store) -> None:
    slips = keep(pipeline, 0, 8)
    tick(pipeline)
    assert len(store.unanswered(Filter())) == 8
    mark(store, slips[:6])
    tick(pipeline)
    assert store.unanswered(Filter()) == []
    assert store.case_counts(Filter()) == []


def test_what_a_person_brings_back_counts_again_and_stays(pipeline: Pipeline, store: Store) -> None:
    slips = keep(pipeline, 0, 12)
    mark(store, slips[:6])
    assert tick(pipeline)["audit"] == 1
    store.unsuspend("Spotify", "spotfy")
    tick(pipeline)
    assert shown(store) == set(slips[6:]), "only what a person marked stays out"
    assert counted(store) == 6
    assert keep(pipeline, 300, 1)[0] in shown(store), "the matcher looks for it again"
    mark(store, slips[6:10])
    assert tick(pipeline)["audit"] == 0, "not by itself any more"
    store.suspend("Spotify", "spotfy", "by ana", epoch(NOW))  # but a person may
    tick(pipeline)
    assert shown(store) == set()


def test_a_spelling_suspended_in_the_dashboard_is_taken_over_by_the_running_monitor(
    pipeline: Pipeline, store: Store
) -> None:
    keep(pipeline, 0, 1)
    with Store(store.path) as beside:
        beside.suspend("Spotify", "spotfy", "by ana", epoch(NOW))
    tick(pipeline)
    keep(pipeline, 1, 1)
    assert shown(store) == set()


def test_without_new_marks_nothing_is_read(
    pipeline: Pipeline, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark(store, keep(pipeline, 0, 1))
    tick(pipeline)
    monkeypatch.setattr(store, "variant_hits", lambda **_: pytest.fail("read for nothing"))
    assert tick(pipeline)["audit"] == 0


def test_an_edit_that_names_the_brand_properly_counts(pipeline: Pipeline, store: Store) -> None:
    slips = keep(pipeline, 0, 6)
    mark(store, slips[:5])
    tick(pipeline)
    assert shown(store) == set()
    keep(pipeline, 5, 1, NAME)
    assert shown(store) == {"x:5"}


def test_the_command_brings_it_back_for_good(
    pipeline: Pipeline, store: Store, tmp_path: Path
) -> None:
    mark(store, keep(pipeline, 0, 6))
    tick(pipeline)
    (tmp_path / "k.yaml").write_text("brands: [{name: Spotify}]")
    base = ["--db", str(store.path), "--config", str(tmp_path / "k.yaml"), "variants"]

    def said() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(CliRunner().invoke(cli, [*base, "--json"]).stdout)
        return found

    assert said()["suspended"]
    back = CliRunner().invoke(cli, [*base, "--resume", "Spotify", "spotfy"])
    assert back.exit_code == 0, back.output
    assert store.kept() == {"Spotify": frozenset({"spotfy"})}
    assert (said()["suspended"], said()["suspend"]) == (False, False)
