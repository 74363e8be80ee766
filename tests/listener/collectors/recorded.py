"""Finds the posts in the recorded answers of the real platforms (``../shared/data/payloads``)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from listener.collectors import (
    bluesky_payloads,
    hackernews_payloads,
    mastodon_payloads,
    reddit_payloads,
    x_payloads,
)
from listener.mention import Post

Found = Iterator[tuple[str, dict[str, Any]]]


def short(text: str | None) -> str:
    """A fingerprint, so that the reviewed sample can be compared without copying anybody's words."""
    return hashlib.sha256(text.encode()).hexdigest()[:16] if text else ""


def row(platform: str, post: Post) -> list[str]:
    """What the review looked at, field by field; words and names only as fingerprints."""
    values = (
        platform,
        post.native_id,
        short(post.text),
        post.created_at.isoformat(),
        short(post.author.handle),
        short(post.author.location),
        post.language_tag,
        post.country,
        post.reply_to,
        post.conversation_id,
        post.repost_of,
        post.likes,
        post.replies,
        post.reposts,
        post.edited_at.isoformat() if post.edited_at else None,
        short(" ".join(post.links)),
    )
    return ["" if value is None else str(value) for value in values]


def _is_x_post(payload: dict[str, Any]) -> bool:
    data = payload.get("data", payload)
    return isinstance(data, dict) and "text" in data


def x(folder: Path) -> Found:
    for file in sorted((folder / "x").glob("*.json")):
        for exchange in json.loads(file.read_text(encoding="utf-8")):
            body = exchange["body"]
            if isinstance(body, list):
                yield from ((file.name, status) for status in body)
            else:
                yield from ((file.name, p) for p in x_payloads.split(body) if _is_x_post(p))


def mastodon(folder: Path) -> Found:
    for file in sorted((folder / "mastodon").glob("*.json")):
        for exchange in json.loads(file.read_text(encoding="utf-8")):
            body = exchange["body"]
            if isinstance(body, str):  # a stream: one event a paragraph
                lines = [x.partition(":")[2] for x in body.splitlines() if x.startswith("data:")]
                body = [json.loads(x) for x in lines if x.strip().startswith("{")]
            for status in mastodon_payloads.statuses_in(body):
                yield file.name, status


def reddit(folder: Path) -> Found:
    for file in sorted((folder / "reddit").glob("*.json")):
        for exchange in json.loads(file.read_text(encoding="utf-8"))["interactions"]:
            text = exchange["response"]["body"].get("string", "")
            if text.startswith(("{", "[")):
                for thing in reddit_payloads.things_in(json.loads(text)):
                    yield file.name, thing


def hackernews(folder: Path) -> Found:
    for file in sorted((folder / "hackernews").glob("*.json")):
        for exchange in json.loads(file.read_text(encoding="utf-8")):
            reply = exchange["reply"]
            if "hits" in reply:
                yield from ((exchange["url"], hit) for hit in reply["hits"])
            elif reply.get("type") in ("comment", "story", "poll"):
                yield exchange["url"], reply


def bluesky(folder: Path) -> Found:
    for line in (folder / "bluesky/jetstream_expected_v1.jsonl").read_text("utf-8").splitlines():
        event = json.loads(line)
        commit = event.get("commit", {})
        if (
            commit.get("collection") == bluesky_payloads.POST
            and commit.get("operation") != "delete"
        ):
            yield "jetstream", event
    for file in sorted((folder / "bluesky").glob("sdk_*.json")):
        body = json.loads(file.read_text(encoding="utf-8"))
        if "thread" in body:
            yield file.name, body["thread"]
        elif "text" in body.get("value", {}):
            yield file.name, body


PLATFORMS = {
    "x": (x, x_payloads.to_post),
    "mastodon": (mastodon, mastodon_payloads.to_post),
    "reddit": (reddit, reddit_payloads.to_post),
    "bluesky": (bluesky, bluesky_payloads.to_post),
    "hackernews": (hackernews, hackernews_payloads.to_post),
}
