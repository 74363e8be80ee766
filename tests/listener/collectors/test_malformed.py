"""One thing on a page that has a shape of its own loses no other."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from fake import Platform, Reply, Request, SimClock, serving
from fake_hackernews import FakeHackerNews
from fake_mastodon import FakeMastodon
from fake_reddit import FakeReddit
from fake_x import FakeX
from harness import collector

from listener.mention import Query

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRETS = {
    "X_BEARER_TOKEN": "AAAA-token", "REDDIT_CLIENT_ID": "id", "REDDIT_CLIENT_SECRET": "secret",
}  # fmt: skip
SEARCH = Query("search:acme", ("Acme",), ("acme",))
TAG = Query("tag:acme", ("Acme",), (), hashtags=("acme",))
Path = tuple[str | int, ...]


def hackernews(clock: SimClock) -> Platform:
    server = FakeHackerNews(clock)
    for n in range(1, 5):
        server.add(n, int(clock.now) - n * 60, "Acme kettle")
    return server


def mastodon(clock: SimClock) -> Platform:
    server = FakeMastodon(clock)
    for n in range(4):
        server.add(clock.now - n * 60 - 60, "#acme")
    return server


def reddit(clock: SimClock) -> Platform:
    server = FakeReddit(clock)
    for n in range(4):
        server.add(n + 1, clock.now - n * 60 - 60, "Acme")
    return server


def x(clock: SimClock) -> Platform:
    server = FakeX(clock)
    for n in range(4):
        server.add(clock.now - n * 60 - 60, "Acme")
    return server


@pytest.mark.parametrize(
    ("platform", "make", "options", "query", "path", "value"),
    [
        ("hackernews", hackernews, ["base_url"], SEARCH, ("hits", 1), "no hit"),
        ("hackernews", hackernews, ["base_url"], SEARCH, ("hits", 1), None),
        ("mastodon", mastodon, ["servers"], TAG, (1, "id"), ["no", "id"]),
        ("mastodon", mastodon, ["servers"], TAG, (1,), None),
        ("reddit", reddit, ["reddit_url", "oauth_url"], SEARCH,
         ("data", "children", 1, "data", "selftext"), {"no": "text"}),
        ("reddit", reddit, ["reddit_url", "oauth_url"], SEARCH, ("data", "children", 1), 5),
        ("x", x, ["base_url"], SEARCH, ("data", 1, "author_id"), {"no": "id"}),
        ("x", x, ["base_url"], SEARCH, ("includes", "users", 0, "id"), ["no id"]),
        ("x", x, ["base_url"], SEARCH, ("data", 1), []),
    ],
)  # fmt: skip
def test_one_thing_of_a_shape_of_its_own_loses_no_other(
    platform: str, make: Any, options: list[str], query: Query, path: Path, value: Any
) -> None:
    clock = SimClock(START)
    server = make(clock)
    plain, changed = server.answer, []

    def answer(request: Request) -> Reply:
        reply: Reply = plain(request)
        inside = reply.body
        try:
            for step in path[:-1]:
                inside = inside[step]
            inside[path[-1]] = value
            changed.append(request)
        except (KeyError, IndexError, TypeError):
            pass  # a login, or a later page
        return reply

    server.answer = answer
    with serving(server) as url:
        given: dict[str, Any] = {o: [url] if o == "servers" else url for o in options}
        pages = list(collector(platform, clock, SECRETS, **given).fetch(query, None))
    assert changed
    assert pages[-1].complete
    assert len({post.native_id for page in pages for post in page.posts}) >= 3
