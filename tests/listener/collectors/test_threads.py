"""Whether a mention was answered is read from its thread, or told by the brand's own account."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fake import SimClock, serving
from fake_mastodon import FakeMastodon
from fake_x import FakeX
from harness import tick

from listener.config import parse_config
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


def _line(store: Store, clock: SimClock, source: dict[str, Any], **secrets: str) -> Pipeline:
    config = parse_config(BRANDS + "sources: " + json.dumps([source]))
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
