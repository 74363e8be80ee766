"""Jetstream against a websocket that streams the recorded shapes: resume, holes, deletions, junk."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fake import SimClock
from harness import collector, walk
from websockets.sync.server import ServerConnection, serve

from listener.collectors.jetstream import Jetstream, JetstreamOptions, Spellings
from listener.config import parse_config
from listener.errors import PlatformError
from listener.matching import BrandTerms
from listener.mention import Query
from listener.pipeline import Pipeline
from listener.store import Store

START = datetime(2026, 3, 1, tzinfo=UTC)
QUERY = Query("stream:all", ("Acme",), ("acme", "acmee"))


def event(seconds: float, text: str | None, number: int = 1, **commit: Any) -> dict[str, Any]:
    record = {"$type": "app.bsky.feed.post", "createdAt": "2026-03-01T00:00:00Z", "text": text}
    return {
        "did": f"did:plc:{number % 7}",
        "time_us": int(seconds * 1_000_000) + number,
        "kind": "commit",
        "commit": {
            "rev": "r",
            "operation": "create",
            "collection": "app.bsky.feed.post",
            "rkey": f"k{number}",
            "record": record,
            "cid": f"c{number}",
            **commit,
        },
    }


class Stream:
    """What the server has; ``cut`` breaks the connection off after so many events."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.keeps_from = 0
        self.cut: int | None = None
        self.asked: list[dict[str, list[str]]] = []

    def handle(self, socket: ServerConnection) -> None:
        assert socket.request
        asked = parse_qs(urlsplit(socket.request.path).query)
        self.asked.append(asked)
        start = max(int(asked["cursor"][0]), self.keeps_from)
        sent = 0
        for one in list(self.events):
            if isinstance(one, dict) and one["time_us"] < start:
                continue
            if self.cut is not None and sent >= self.cut:
                socket.close(1011, "cut")
                return
            socket.send(json.dumps(one) if isinstance(one, dict) else one)
            sent += 1
        socket.recv()  # nothing more until the client goes


@contextmanager
def streaming(stream: Stream) -> Iterator[str]:
    with serve(stream.handle, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/subscribe"
        server.shutdown()
        thread.join(5)


def test_only_posts_in_a_brands_spellings_come_and_deletions_are_followed() -> None:
    clock, stream = SimClock(START), Stream()
    at = clock.now - 100
    stream.events = [
        event(at, "lovely weather", 1),
        event(at, "my ACMEE kettle", 2),
        event(at, None, 3),
        "this is no JSON",
        event(at, None, 4, operation="delete", record=None),
        {"did": "did:plc:x", "time_us": int(at * 1e6) + 5, "kind": "account",
         "account": {"active": False, "status": "deleted", "did": "did:plc:x"}},
        {"did": "did:plc:y", "time_us": int(at * 1e6) + 6, "kind": "identity", "identity": {}},
    ]  # fmt: skip
    with streaming(stream) as url:
        posts, last = walk(collector("jetstream", clock, url=url, timeout=0.3), QUERY)
    assert [(p.text, p.native_id) for p in posts] == [
        ("my ACMEE kettle", "at://did:plc:2/app.bsky.feed.post/k2")
    ]
    assert [(d.native_id, d.author_id) for d in last.deleted] == [
        ("at://did:plc:4/app.bsky.feed.post/k4", None), ("", "did:plc:x"),
    ]  # fmt: skip
    assert len(last.rejected) == 2  # what is no event, and a post without a text
    assert last.coverage.asked == 6
    assert last.cursor == {"time_us": int(at * 1e6) + 6}


def test_a_stream_that_breaks_off_is_resumed_without_a_hole() -> None:
    clock, stream = SimClock(START), Stream()
    stream.events = [event(clock.now - 300 + n, f"acme {n}", n) for n in range(200)]
    found: set[str] = set()
    cursor = None
    with streaming(stream) as url:
        stream.cut = 70
        for _ in range(3):
            one = collector("jetstream", clock, url=url, timeout=0.3, page_events=20)
            pages = one.fetch(QUERY, cursor)
            with pytest.raises(PlatformError, match="resumed"):  # noqa: PT012
                for page in pages:
                    found |= {p.native_id for p in page.posts}
                    cursor = page.cursor
        stream.cut = None
        posts, _ = walk(collector("jetstream", clock, url=url, timeout=0.3), QUERY, cursor)
    found |= {p.native_id for p in posts}
    assert len(found) == 200
    asked = [int(a["cursor"][0]) for a in stream.asked]
    assert asked == sorted(asked)
    assert stream.asked[0]["wantedCollections"] == ["app.bsky.feed.post"]


def test_a_moment_that_the_server_no_longer_keeps_is_told_as_a_hole() -> None:
    clock, stream = SimClock(START), Stream()
    start = clock.now  # a repeated request moves the clock on
    stream.events = [event(start - 600 + n, "acme", n) for n in range(10)]
    stream.keeps_from = stream.events[0]["time_us"]
    old = {"time_us": int((start - 90_000) * 1e6)}
    with streaming(stream) as url:
        _, told = walk(collector("jetstream", clock, url=url, timeout=0.3), QUERY, old)
        _, fine = walk(collector("jetstream", clock, url=url, timeout=0.3), QUERY, told.cursor)
    assert told.coverage.truncated
    assert told.coverage.window_start == datetime.fromtimestamp(start - 600, UTC)
    # What is missing lies before what came.
    assert told.coverage.hole_start == datetime.fromtimestamp(start - 90_005, UTC)
    assert told.coverage.hole_end == datetime.fromtimestamp(start - 600, UTC)
    assert not fine.coverage.truncated
    assert fine.coverage.hole_end is None


def test_links_are_read_where_the_text_is_shortened() -> None:
    clock, stream = SimClock(START), Stream()
    facets = [{"features": [{"uri": "https://acme.example/kettle"}], "index": {}}]
    one = event(clock.now - 5, "look: ac…", 1)
    one["commit"]["record"]["facets"] = facets
    stream.events = [one]
    with streaming(stream) as url:
        posts, _ = walk(collector("jetstream", clock, url=url, timeout=0.3), QUERY)
    assert posts[0].links == ("https://acme.example/kettle",)


def test_without_a_network_one_sentence_is_said() -> None:
    one = collector("jetstream", SimClock(START), url="ws://127.0.0.1:9/subscribe")
    with pytest.raises(
        PlatformError, match=r"cannot reach ws://127.0.0.1:9/subscribe; the network"
    ):
        next(one.fetch(QUERY, None))


def test_every_spelling_is_listened_for_in_one_stream() -> None:
    brand = BrandTerms("Lufthansa", ("Lufthansa",), hashtags=("fly",))
    (query,), left = Jetstream.plan_queries([brand], JetstreamOptions())
    assert {"Lufthansa", "luftansa", "fly"} <= set(query.terms)
    assert left == []


@pytest.mark.parametrize(
    "text",
    [
        "McDonald’s was terrible",
        "McDonald`s again",
        "Acme\nTea was bad",
        "acme\u00a0tea",
        "Coca‑Cola",
        "Häagen Dazs",
        "Ａｃｍｅ Ｔｅａ",
        "so tired of #AcmeTea",
        "c&a is closed",
        "Ｃ＆Ａ is closed",
        "at CocaCola",
    ],
)
def test_a_spelling_is_found_as_the_matcher_reads_it(text: str) -> None:
    terms = ("McDonald's", "Acme Tea", "AcmeTea", "Coca-Cola", "Häagen-Dazs", "C&A", "CocaCola")
    assert Spellings(terms).found_in(text)


@pytest.mark.parametrize("text", ["vitamin c and tea", "acm etea", "c is a letter", "ac me tea"])
def test_folding_lets_no_posts_in_that_hold_no_spelling(text: str) -> None:
    assert not Spellings(("Acme Tea", "C&A", "C++")).found_in(text)


def test_without_spellings_all_posts_are_kept() -> None:
    assert Spellings(()).found_in("anything")


def test_the_brands_own_posts_are_known_by_its_did(tmp_path: Path) -> None:
    clock = SimClock(START)
    config = parse_config(
        "brands: [{name: Acme, names: [Acme], misspellings: [], "
        "handles: {bluesky: [acme.bsky.social, 'did:plc:acme']}}]\nsources: [{platform: jetstream}]"
    )
    asked = event(clock.now - 60, "Acme is broken, help", 1)
    root = {"uri": "at://did:plc:1/app.bsky.feed.post/k1", "cid": "c"}
    answer = event(clock.now - 30, "Hi, Acme support here", 2)
    answer["did"] = "did:plc:acme"
    answer["commit"]["record"]["reply"] = {"root": root, "parent": root}
    with Store(tmp_path / "t.db") as store:
        line = Pipeline(store, config, clock=clock)
        (query,) = line.queries(config.sources[0])
        assert not any("did:" in term for term in query.terms)
        one = line.collector(config.sources[0])
        assert isinstance(one, Jetstream)
        page = one.page([asked, answer], {}, where="jetstream", complete=True)
        line.keep(page, source="jetstream", platform="jetstream", query=query.name)
        line.flag()
        rows = store.rows("SELECT native_id, from_brand FROM posts ORDER BY created_at")
        assert [row["from_brand"] for row in rows] == [None, "Acme"]
        (case,) = store.rows("SELECT key, answered_at FROM cases")
        assert case["key"].endswith("k1")
        assert case["answered_at"] is not None
        assert config.all_brands()[0].terms().handles == ("acme.bsky.social",)
