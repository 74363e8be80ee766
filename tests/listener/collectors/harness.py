"""Runs a source through the real store and the real pipeline, in simulated time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fake import SimClock

from listener.collectors import Collector, Context, Cursor, Page, load
from listener.config import parse_config
from listener.errors import CollectorError
from listener.mention import Post, Query
from listener.pipeline import Pipeline
from listener.store import Store

BRANDS = "brands: [{name: Acme, names: [Acme], misspellings: [], hashtags: [acme]}]\n"


@contextmanager
def pipeline(
    folder: Path, clock: SimClock, source: dict[str, Any], secrets: dict[str, str] | None = None
) -> Iterator[Pipeline]:
    """A pipeline with one source, its store in ``folder``, and the simulated clock."""
    config = parse_config(BRANDS + "sources: " + json.dumps([source]))
    with Store(folder / "test.db") as store:
        yield Pipeline(store, config, clock=clock, sleep=clock.sleep, secrets=secrets or {})


def tick(line: Pipeline, clock: SimClock, seconds: float, times: int) -> None:
    """Collect, as the schedule would, every so many seconds."""
    for _ in range(times):
        clock.now += seconds
        line.collect(line.config.sources[0])


def stored(line: Pipeline, *columns: str) -> set[tuple[Any, ...]]:
    """What the store holds, one tuple a post; texts of deleted posts are null."""
    rows = line.store.rows(f"SELECT {', '.join(columns)} FROM posts")
    found = [tuple(row[c] for c in columns) for row in rows]
    assert len(found) == len(set(found)), "a post is stored twice"
    return set(found)


def collector(
    platform: str, clock: SimClock, secrets: dict[str, str] | None = None, **options: Any
) -> Collector:
    """A collector by itself, in simulated time."""
    found = load(platform)
    return found(
        Context(
            platform,
            found.options.model_validate(options),
            secrets or {},
            clock,
            clock.sleep,
        )
    )


def walk(one: Collector, query: Query, cursor: Cursor | None = None) -> tuple[list[Post], Page]:
    """All posts of a walk, and its last page."""
    pages = list(one.fetch(query, cursor))
    return [post for page in pages for post in page.posts], pages[-1]


def until_complete(
    one: Collector, query: Query, cursor: Cursor | None = None, tries: int = 50
) -> tuple[list[Post], Cursor]:
    """Walk again after each failure, from the last cursor that was given out."""
    posts: list[Post] = []
    for _ in range(tries):
        try:
            for page in one.fetch(query, cursor):
                posts += page.posts
                cursor = page.cursor
                if page.complete:
                    return posts, cursor
        except CollectorError:
            continue
    raise AssertionError("the walk never ended")
