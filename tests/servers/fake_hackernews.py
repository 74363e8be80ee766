"""Algolia's Hacker News search, in its recorded shapes: newest first, 1,000 hits a query at most."""

from __future__ import annotations

import re
from typing import Any

from fake import Platform, Reply, Request


class FakeHackerNews(Platform):
    window, limit = 3600.0, 10_000

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.items: dict[int, dict[str, Any]] = {}

    def add(self, number: int, created: int, text: str, story: int = 1) -> None:
        self.items[number] = {
            "created_at": "",
            "title": None,
            "url": None,
            "author": f"user{number % 97}",
            "points": None,
            "story_text": None,
            "comment_text": text,
            "num_comments": None,
            "story_id": story,
            "story_title": "Kettles",
            "story_url": "",
            "parent_id": story,
            "created_at_i": created,
            "_tags": ["comment", f"author_user{number % 97}", f"story_{story}"],
            "objectID": str(number),
            "_highlightResult": {"comment_text": {"value": text, "matchLevel": "none"}},
            "updated_at": "schema of next year",
        }

    def answer(self, request: Request) -> Reply:
        if request.path.startswith("/items/"):
            item = self.items.get(int(request.path.rsplit("/", 1)[1]))
            return Reply(_tree(item) if item else {"status": 404}, 200 if item else 404)
        lower, upper = 0, 10**12
        for rule in request.query.get("numericFilters", "").split(","):
            if found := re.fullmatch(r"created_at_i(>=|<=)(\d+)", rule):
                if found[1] == ">=":
                    lower = int(found[2])
                else:
                    upper = int(found[2])
        word = request.query["query"].strip('"').lower()
        hits = sorted(
            (
                item
                for item in self.items.values()
                if lower <= item["created_at_i"] <= min(upper, self.clock.now)
                and word in item["comment_text"].lower()
            ),
            key=lambda item: (-item["created_at_i"], -int(item["objectID"])),
        )
        size, page = int(request.query["hitsPerPage"]), int(request.query["page"])
        shown = hits[:1000][page * size : (page + 1) * size]
        return Reply(
            {
                "hits": shown,
                "nbHits": len(hits),
                "page": page,
                "nbPages": -(-min(len(hits), 1000) // size),
                "hitsPerPage": size,
                "processingTimeMS": 1,
                "query": request.query["query"],
                "params": "advancedSyntax=true",
            }
        )


def _tree(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": int(item["objectID"]),
        "created_at_i": item["created_at_i"],
        "type": "comment",
        "author": item["author"],
        "text": item["comment_text"],
        "parent_id": item["parent_id"],
        "story_id": item["story_id"],
        "children": [],
    }
