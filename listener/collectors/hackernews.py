"""Hacker News by Algolia's search: no account, no key, 10,000 requests an hour for an address.

A query gives at most 1,000 hits, so pages go by time: each asks for what is as old as the oldest
hit so far, or older. The last two hours are read again in every walk, because comments can be
edited that long and enter the index late.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field

from listener.collectors import Cursor, Deletion, Options, Page
from listener.collectors.hackernews_payloads import to_post
from listener.collectors.packing import Grammar
from listener.collectors.reading import count, items, mapping
from listener.collectors.walk import NetCollector, Walk, WalkOptions
from listener.config import Span
from listener.mention import Post, Query, epoch

MOST_HITS = 1000  # that Algolia gives of one query


class HackerNewsOptions(WalkOptions):
    """What a ``hackernews`` source may say."""

    kinds: tuple[str, ...] = Field(
        ("story", "comment", "poll"), description="Which items to look for."
    )
    overlap: Span = Field(7200, description="How much of the last walk is read again.")
    page_size: int = Field(100, ge=1, le=1000, description="Hits a request.")
    base_url: str = Field("https://hn.algolia.com/api/v1", description="Where Algolia answers.")


class HackerNews(NetCollector):
    """Stories and comments of Hacker News."""

    platform = "hackernews"
    summary = "Stories and comments of Hacker News; no account."
    options: ClassVar[type[Options]] = HackerNewsOptions
    grammar = Grammar(
        max_length=512, max_terms=1, handle=None, hashtag=None, groups=False, always_quoted=True
    )
    reads_threads = True
    to_post = staticmethod(to_post)

    @property
    def wants(self) -> HackerNewsOptions:
        assert isinstance(self.context.options, HackerNewsOptions)
        return self.context.options

    def walk(self, query: Query, cursor: Cursor | None) -> Iterator[Page]:
        walk = Walk.of(cursor)
        if walk.lower is None:
            since = walk.bound or epoch(self.now()) - self.wants.lookback
            walk.lower = since - self.wants.overlap
        yield from self._back(query, walk)

    def backfill(self, query: Query, since: datetime, cursor: Cursor | None) -> Iterator[Page]:
        """Walk back to ``since``; Algolia keeps everything since 2006."""
        walk = Walk.of(cursor)
        walk.lower = epoch(since)
        yield from self._guarded(self._back(query, walk), cursor)

    def _back(self, query: Query, walk: Walk) -> Iterator[Page]:
        """``walk.at`` is [upper bound in seconds, page]: pages of one second share the bound."""
        size = self.wants.page_size
        upper, number = walk.at or (None, 0)
        while True:
            body = self._search(query, walk.lower, upper, number)
            hits = items(body.get("hits"))
            times = [t for h in hits if (t := count(mapping(h).get("created_at_i"))) is not None]
            if walk.newest is None and times:
                walk.newest = max(times)
            oldest = min(times, default=walk.lower)
            complete = len(hits) < size
            asked_upper, capped = upper, False
            if oldest != upper:
                upper, number = oldest, 0
            elif (number + 1) * size < MOST_HITS:
                number += 1
            else:  # more than a thousand in one second: the rest of it cannot be had
                upper, number, capped = upper - 1, 0, not complete
            walk.at = [upper, number]
            yield self.page(
                hits,
                walk.cursor(complete),
                where=f"search_by_date {query.name}",
                asked=size,
                complete=complete,
                truncated=capped,
                hole=(oldest, oldest + 1) if capped else None,
                window=(walk.lower if complete else oldest, asked_upper or epoch(self.now())),
            )
            if complete:
                return

    def _search(self, query: Query, lower: int, upper: int | None, number: int) -> dict[str, Any]:
        bounds = [f"created_at_i>={lower}", *([f"created_at_i<={upper}"] if upper else [])]
        found = self.get(
            f"{self.wants.base_url}/search_by_date",
            {
                "query": self.query_text(query),
                "tags": f"({','.join(self.wants.kinds)})",
                "numericFilters": ",".join(bounds),
                "hitsPerPage": self.wants.page_size,
                "page": number,
            },
        )
        answer: dict[str, Any] = self.expect(found, dict, "the search's answer")
        self.expect(answer.get("hits"), list, "the search's list of hits")
        return answer

    @property
    def rechecks_per_hour(self) -> int:
        return 60

    def thread(self, post: Post) -> Page | None:
        """All comments below the story, in one request; None where the item is refused."""
        story = post.conversation_id or post.native_id
        tree = self.get(f"{self.wants.base_url}/items/{story}")
        if not isinstance(tree, dict):
            return None
        found = list(_below(tree))
        return self.page(found, {}, where=f"items/{story}", complete=True, threads_read=True)

    def recheck(
        self, native_ids: Sequence[str], placed: Collection[str] = ()
    ) -> Sequence[Deletion]:
        """Items that Algolia no longer has: deleted by their author or by the site."""
        address = f"{self.wants.base_url}/items/"
        return [Deletion(i) for i in native_ids if self.is_gone(address + i)]


def _below(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if item.get("text") or item.get("title"):
        yield item
    for child in items(item.get("children")):
        if isinstance(child, dict):
            yield from _below(child)
