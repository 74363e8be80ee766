"""A monitor that stopped, or a source that fails, is not known: it is no silence."""

from __future__ import annotations

import random
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dashboard import charts, listening
from listener.collectors import Page
from listener.mention import epoch
from listener.store import RunLock, Store
from tests.dashboard import seed
from tests.dashboard.conftest import Open, page_text

HOUR = 3600
NOW = epoch(seed.NOW)


def source(name: str, last: int | None, failures: int = 0) -> dict[str, Any]:
    return {"source": name, "platform": name, "last_ok_at": last, "failures": failures}


def every(seconds: int, name: str, until: int) -> list[dict[str, Any]]:
    """Ten rounds of three requests each."""
    return [{"source": name, "at": until - seconds * i + k} for i in range(10) for k in range(3)]


def test_a_monitor_that_stopped_is_silent_from_when_it_was_last_heard() -> None:
    last = NOW - 10 * HOUR
    sources, rounds = [source("bluesky", last), source("rss", last - 500)], every(120, "rss", last)
    found = listening.silence(sources, rounds, running=False, now=NOW)
    assert found == listening.Silence(since=last, unknown=last, stopped=True)
    assert listening.silence(sources, rounds, running=True, now=NOW) is None


def test_a_store_that_was_only_imported_into_is_never_silent() -> None:
    sources = [source("import:posts.csv", NOW - 90 * HOUR)]
    assert listening.silence(sources, [], running=False, now=NOW) is None
    assert listening.silence([], [], running=False, now=NOW) is None


def test_one_that_comes_by_the_clock_is_late_only_by_its_own_rhythm() -> None:
    for age, late in ((50 * 60, False), (3 * HOUR, True)):
        sources = [source("rss", NOW - age)]
        rounds = every(HOUR, "rss", NOW - age)
        found = listening.silence(sources, rounds, running=False, now=NOW)
        assert (found is not None) == late


def test_where_every_source_fails_nothing_is_known_and_where_one_does_the_rest_is() -> None:
    sources = [source("rss", NOW - 3 * HOUR, failures=4), source("mastodon", NOW - 60)]
    assert listening.silence(sources, [], running=True, now=NOW) is None
    only = listening.silence(sources, [], running=True, now=NOW, platforms=["rss"])
    assert only == listening.Silence(NOW - 3 * HOUR, NOW - 3 * HOUR, stopped=False)


def test_what_was_imported_after_the_monitor_stopped_is_known() -> None:
    sources = [source("rss", NOW - 9 * HOUR), source("import:a.csv", NOW - 2 * HOUR)]
    found = listening.silence(sources, [], running=False, now=NOW)
    assert found == listening.Silence(NOW - 9 * HOUR, NOW - 2 * HOUR, stopped=True)


@pytest.fixture
def stopped(filled: Path, tmp_path: Path) -> Path:
    """The filled store, whose newest posts are of minutes ago and whose monitor died five hours ago."""
    for file in filled.glob("seed.db*"):
        shutil.copy(file, tmp_path / file.name)
    with Store(tmp_path / "seed.db") as store, store.write() as db:
        db.execute("UPDATE health SET last_ok_at = ?, failures = 0", (NOW - 5 * HOUR,))
        db.execute("UPDATE coverage SET at = at - ?", (5 * HOUR,))
        db.execute("UPDATE spikes SET end = ? WHERE end IS NULL", (NOW - 6 * HOUR,))
    return tmp_path / "seed.db"


def test_every_view_says_that_nothing_is_collected_and_draws_no_zero(
    opened: Open, stopped: Path
) -> None:
    app = opened(db=stopped)
    assert not app.exception
    text = page_text(app)
    assert "Nothing is collected since 14 Mar 04:20" in text
    assert "not all of these hours was heard" in text
    assert "nothing outside its usual range" not in text
    assert ">–</a><small>in 3 h</small>" in text
    text = page_text(opened("spikes", db=stopped))
    assert "within its usual range now" not in text
    text = page_text(opened("coverage", db=stopped))
    assert "not asked any more" in text
    assert "<td>14 Mar 04:20</td>" in text


def test_while_it_runs_nothing_of_the_kind_is_said(opened: Open, stopped: Path) -> None:
    with RunLock(stopped):
        text = page_text(opened(db=stopped))
    assert "Nothing is collected" not in text
    assert "× usual" in text


@pytest.fixture
def failing(stopped: Path) -> Path:
    """The same, whose monitor hears of one platform and, for five hours, nothing of another."""
    with Store(stopped) as store:
        store.save_failure(
            source="mastodon", platform="mastodon", query="all", reason="503", now=NOW - 60
        )
        store.save_page(
            Page([], {}), source="bluesky", platform="bluesky", query="all", matches=[],
            from_brand=[], rules="r1", now=NOW - 60,
        )  # fmt: skip
    return stopped


def test_a_platform_of_which_every_source_fails_is_a_gap(opened: Open, failing: Path) -> None:
    with RunLock(failing):
        assert "× usual" in page_text(opened(db=failing))
        text = page_text(opened(db=failing, platform="mastodon"))
    assert "not all of these hours was heard" in text


def test_the_line_of_a_platform_that_fails_ends_where_it_was_last_heard(
    opened: Open, failing: Path, drawn: list[charts.Drawing]
) -> None:
    with RunLock(failing):
        assert not opened("trends", db=failing, by="platform").exception
    rows = drawn[-1].rows
    late = rows[(rows["at_s"] >= NOW - 4 * HOUR) & (rows["end_s"] <= NOW)]
    assert late[late["series"] == "mastodon"]["value"].isna().all()
    assert late[late["series"] == "bluesky"]["value"].notna().all()


@pytest.fixture
def loudest_down(tmp_path: Path) -> Path:
    """Nine posts of ten come by x, which has failed for ten hours; mastodon is heard."""
    chance = random.Random(1)
    last = seed.NOW - timedelta(hours=10)
    with Store(tmp_path / "loudest.db") as store:
        for platform, upto, n in (("x", last, 900), ("mastodon", seed.NOW, 100)):
            made = [
                seed.said(platform, str(i), upto - timedelta(hours=chance.random() * 480))
                for i in range(n)
            ]
            seed.put(store, made, epoch(upto) - 60)
        store.save_failure(source="x", platform="x", query="all", reason="503", now=NOW - 60)
    return tmp_path / "loudest.db"


def test_nothing_is_called_calm_while_the_loudest_source_is_down(
    opened: Open, loudest_down: Path
) -> None:
    with RunLock(loudest_down):
        wall = page_text(opened(db=loudest_down))
        spikes = page_text(opened("spikes", db=loudest_down))
        dated = {"from": "2026-03-05", "to": "2026-03-07"}
        past = page_text(opened(db=loudest_down, **dated))
    for words in ("nothing outside its usual range", "stayed within its usual range"):
        assert words not in wall
    assert "not known: the last hours were not heard in full" in wall
    assert "within its usual range now" not in spikes
    assert "None is known: the last hours were not heard in full." in spikes
    assert "stayed within its usual range" in past, "those days were heard"
