"""Bluesky for real: the network's own programs on loopback, a brand, its customers, our collector.

Skipped, with the reason, where Node, PostgreSQL or redis are not installed;
``python tests/servers/bluesky/bluesky_network.py install`` puts the first two in place.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "servers" / "bluesky"))
import bluesky_network

pytestmark = [pytest.mark.network, pytest.mark.slow, pytest.mark.timeout(600)]
POSTS = 500


@pytest.fixture(scope="module")
def network() -> Iterator[bluesky_network.Network]:
    pytest.importorskip("atproto", reason="needs the extra 'bluesky'")
    reason = bluesky_network.missing()
    if reason:
        pytest.skip(f"the real Bluesky network cannot be started: {reason}")
    with bluesky_network.running(["brand", "alice", "bob"]) as one:
        yield one


@contextmanager
def _client(network: bluesky_network.Network, name: str) -> Iterator[Any]:
    from atproto import Client

    client = Client(base_url=network.pds)
    client.login(f"{name}.test", f"{name}-password")
    yield client
    client.request.close()


def _collector(network: bluesky_network.Network, **options: Any) -> Any:
    from listener.collectors import Context
    from listener.collectors.bluesky import Bluesky, BlueskyOptions

    return Bluesky(
        Context(
            "bluesky",
            BlueskyOptions(service=network.pds, **options),
            {"BLUESKY_HANDLE": "brand.test", "BLUESKY_APP_PASSWORD": "brand-password"},
        )
    )


def test_the_collector_sees_a_real_network_whole(network: bluesky_network.Network) -> None:
    with _client(network, "alice") as alice, _client(network, "bob") as bob:
        _whole(network, alice, bob)


def _whole(network: bluesky_network.Network, alice: Any, bob: Any) -> None:
    from atproto import models

    from listener.mention import Query

    written: dict[str, str] = {}
    for n in range(POSTS):
        writer = (alice, bob)[n % 2]
        text = f"my Acme kettle leaks, report {n}"
        made = writer.com.atproto.repo.create_record(
            {
                "repo": writer._session.did,
                "collection": "app.bsky.feed.post",
                "record": {
                    "$type": "app.bsky.feed.post",
                    "text": text,
                    "createdAt": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
                },
            }
        )
        written[made.uri] = text
    network.index()

    # 500 posts in pages, with restarts in the middle: none missing, none twice
    query = Query("search:acme", ("Acme",), ("Acme",))
    found: list[str] = []
    cursor, chance, restarts = None, random.Random(5), 0
    for _ in range(60):
        one = _collector(network, page_size=25)
        for page in one.fetch(query, cursor):
            cursor = page.cursor
            found += [p.native_id for p in page.posts]
            if page.complete or chance.random() < 0.3:
                break
        if page.complete:
            break
        restarts += 1
    assert page.complete
    assert restarts >= 3
    assert len(found) == len(set(found)) == POSTS
    assert set(found) == set(written)

    # the collector answers a post; a second client reads the answer
    one = _collector(network)
    posts = {p.native_id: p for page in one.fetch(query, None) for p in page.posts}
    target = next(iter(posts.values()))
    reply_uri = one.reply(target, "We are sorry, and we will replace it.")
    network.index()
    thread = bob.app.bsky.feed.get_post_thread({"uri": target.native_id})
    seen = [r.post for r in thread.thread.replies]
    assert [(p.uri, p.record.text) for p in seen] == [
        (reply_uri, "We are sorry, and we will replace it.")
    ]
    assert seen[0].author.handle == "brand.test"

    # the brand's replies are seen, in its account's posts and in the thread
    account = [
        p for page in one.fetch(Query("account:brand.test", (), ()), None) for p in page.posts
    ]
    assert [(p.native_id, p.reply_to, p.author.handle) for p in account] == [
        (reply_uri, target.native_id, "brand.test")
    ]
    page = one.thread(target)
    assert page is not None
    assert {p.native_id for p in page.posts} == {target.native_id, reply_uri}
    assert page.threads_read

    # a customer answers the brand: a mention of its own
    strong = models.ComAtprotoRepoStrongRef.Main(uri=reply_uri, cid=seen[0].cid)
    root = models.ComAtprotoRepoStrongRef.Main(uri=target.native_id, cid=target.raw["cid"])
    link = models.AppBskyFeedPost.ReplyRef(parent=strong, root=root)
    answer = alice.send_post("thank you!", reply_to=link)
    network.index()
    own = [p for page in one.fetch(Query("mentions:own", (), ()), None) for p in page.posts]
    assert [(p.native_id, p.text, p.reply_to, p.conversation_id) for p in own] == [
        (answer.uri, "thank you!", reply_uri, target.native_id)
    ]

    # a deleted post is told
    alice.delete_post(answer.uri)
    network.index()
    assert [d.native_id for d in one.recheck([answer.uri, reply_uri])] == [answer.uri]


def test_a_wrong_password_is_named(network: bluesky_network.Network) -> None:
    from listener.errors import AuthError
    from listener.mention import Query

    one = _collector(network)
    one._sessions.clear()
    one.context.secrets["BLUESKY_APP_PASSWORD"] = "not-the-password"
    with pytest.raises(AuthError, match="BLUESKY_APP_PASSWORD") as refused:
        list(one.fetch(Query("search:acme", (), ("acme",)), None))
    assert "not-the-password" not in str(refused.value)
