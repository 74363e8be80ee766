"""Deletion sync: the round goes by batches, follows what is gone, keeps proof but no content."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from fake import SimClock, serving
from fake_x import FakeX
from harness import pipeline, tick

from listener.errors import PlatformError

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
