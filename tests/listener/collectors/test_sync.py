"""Deletion sync: the round goes by batches, follows what is gone, keeps proof but no content."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from fake import Reply, Request, SimClock, serving
from fake_hackernews import FakeHackerNews
from fake_mastodon import FakeMastodon
from fake_x import FakeX
from harness import pipeline, tick

from listener.collectors import Context, Coverage, Page
from listener.collectors.files import Files, FilesOptions
from listener.errors import LimitError, PlatformError
from listener.mention import Post, Query
from listener.pipeline import Pipeline

START = datetime(2026, 3, 1, tzinfo=UTC)


def test_the_round_follows_deletions_protections_and_places(tmp_path: Path) -> None:
    clock = SimClock(START)
    server = FakeX(clock)
    ids = [server.add(clock.now - n, f"Acme {n}", geo={"place_id": "p"}) for n in range(25)]
    source = {"platform": "x", "rechecks": 10, "author_price": 0}
    with (
        serving(server) as url,
        pipeline(
            tmp_path, clock, source | {"base_url": url}, {"X_BEARER_TOKEN": "AAAA-token"}
        ) as line,
    ):
        one = line.config.sources[0]
        tick(line, clock, 60, 1)
        with line.store.write() as db:
            db.execute("UPDATE posts SET place_name = 'Rome', lat = 41.9, lon = 12.5")
        del server.tweets[ids[0]]
        server.protected.add(ids[12])
        del server.tweets[ids[20]]["geo"]
        before = line.store.spent_since("x", 0).usd
        server.script = ["500"] * 4
        with pytest.raises(PlatformError):
            line.recheck(one, 10)  # the round stays where it is
        assert [line.recheck(one, 10) for _ in range(4)].count(0) == 1
        proof = line.store.rows("SELECT * FROM deletions")
        posts = {r["native_id"]: r for r in line.store.rows("SELECT * FROM posts")}
        spent = line.store.spent_since("x", 0).usd - before
    assert {(r["key"], r["state"]) for r in proof} == {
        (f"x:{ids[0]}", "deleted"), (f"x:{ids[12]}", "protected"), (f"x:{ids[20]}", "geo_removed"),
    }  # fmt: skip
    assert set(proof[0]) == {"key", "state", "at"}
    assert posts[str(ids[0])]["text"] == ""
    assert posts[str(ids[0])]["author_id"] is None
    assert posts[str(ids[20])]["text"] == "Acme 20"
    assert posts[str(ids[20])]["lat"] is None
    assert posts[str(ids[1])]["lat"] == 41.9
    assert spent == pytest.approx(0.005 * (23 + 8), abs=0.06)


def import_export(line: Pipeline, folder: Path, *rows: tuple[str, str]) -> None:
    """An export of a tool that gives ids of its own, read as `groundswell import` reads it."""
    file = folder / "export.csv"
    lines = [f"{n},hackernews,2026-02-20 10:00:00,{text}" for n, text in rows]
    file.write_text("\n".join(["Resource Id,Page Type,Date,Full Text", *lines]))
    files = Files(Context("import:export.csv", FilesOptions(path=str(file), key="id")))
    for page in files.fetch(Query("all", (), ()), None):
        line.keep(page, source="import:export.csv", platform="hackernews", query="export")


def test_an_imported_post_is_never_taken_for_deleted(tmp_path: Path) -> None:
    """The platform does not know a tool's id; it says nothing of the post behind it."""
    clock = SimClock(START)
    server = FakeHackerNews(clock)
    with (
        serving(server) as url,
        pipeline(tmp_path, clock, {"platform": "hackernews", "base_url": url}) as line,
    ):
        one = line.config.sources[0]
        import_export(line, tmp_path, ("1528329203842", "Acme is slow"), ("77", "Acme imported"))
        server.add(5, int(clock.now) - 60, "Acme collected")
        server.add(77, int(clock.now) - 60, "Acme imported, then edited on the site")
        tick(line, clock, 60, 1)
        assert line.recheck(one, 100) == 0
        server.items.clear()
        assert line.recheck(one, 100) == 2, "what the site itself has shown is followed"
        texts = {r["key"]: r["text"] for r in line.store.rows("SELECT key, text FROM posts")}
    assert texts == {
        "hackernews:1528329203842": "Acme is slow", "hackernews:5": "", "hackernews:77": "",
    }  # fmt: skip


def test_what_a_files_source_brought_is_no_platforms_to_delete_either(tmp_path: Path) -> None:
    """Jetstream's posts are Bluesky's own; those of a watched file are not."""
    clock = SimClock(START)
    with pipeline(tmp_path, clock, {"platform": "bluesky"}) as line:
        for n, platform in enumerate(("bluesky", "jetstream", "files", "demo")):
            page = Page([Post("bluesky", str(n), "Acme", clock())], {}, Coverage())
            line.keep(page, source=f"my {platform}", platform=platform, query="q")
        rows = line.store.to_recheck("bluesky", "", 10)
    assert [row["native_id"] for row in rows] == ["0", "1"]


def test_a_platform_that_wants_to_be_left_alone_is_not_asked_about_deletions(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "groundswell")
    clock = SimClock(START)
    first, other = FakeMastodon(clock), FakeMastodon(clock)
    other.add(clock.now - 60, "Acme there #acme")
    plain, limits = first.answer, False

    def answer(request: Request) -> Reply:
        return Reply("", 429, {"Retry-After": "7200"}) if limits else plain(request)

    first.answer = answer  # type: ignore[method-assign]
    with serving(first) as a, serving(other) as b:
        first.host = a
        first.add(clock.now - 60, "Acme #acme")
        source = {"platform": "mastodon", "servers": [a, b], "search": False, "mentions": False}
        with pipeline(tmp_path, clock, source) as line:
            one = line.config.sources[0]
            tick(line, clock, 60, 1)
            limits = True
            with pytest.raises(LimitError):
                line.recheck(one, 10)
            asked = len(first.requests)
            assert line.recheck(one, 10) == 0
            assert "mastodon: deletions are not checked now: mastodon: 127.0.0.1" in caplog.text
            assert "not asked again before 2026-03-01 02:01:" in caplog.text
            tick(line, clock, 600, 1)
            assert len(first.requests) == asked, "nor for what is new"
            assert line.store.status(int(clock.now))["sources"][0]["failures"] == 0
            limits = False
            first.statuses.clear()
            clock.now += 7200
            assert line.recheck(one, 10) == 1


def test_a_post_at_which_the_platform_fails_ends_no_later_round(tmp_path: Path) -> None:
    clock = SimClock(START)
    server = FakeHackerNews(clock)
    for n in range(1, 10):
        server.add(n, int(clock.now) - 60, f"Acme {n}")
    plain = server.answer

    def answer(request: Request) -> Reply:
        broken = request.path == "/items/2"
        return Reply("<html>error</html>", 500) if broken else plain(request)

    with (
        serving(server) as url,
        pipeline(tmp_path, clock, {"platform": "hackernews", "base_url": url}) as line,
    ):
        one = line.config.sources[0]
        tick(line, clock, 60, 1)
        server.answer = answer  # type: ignore[method-assign]
        del server.items[8]
        for _ in range(2):
            with pytest.raises(PlatformError, match="500"):
                line.recheck(one, 3)
        assert [line.recheck(one, 3) for _ in range(2)] == [0, 1]
        line.recheck(one, 3)  # the round ends, and the next one begins where it failed
        with pytest.raises(PlatformError, match="500"):
            line.recheck(one, 3)
