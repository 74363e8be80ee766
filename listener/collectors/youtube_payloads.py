"""YouTube's payloads (Data API v3): a comment, a comment thread or a found video as a Post. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from html import unescape
from typing import Any

from listener.collectors import reading as r
from listener.mention import Author, Post

WATCH = "https://www.youtube.com/watch?v="


def comments_in(thread: Any) -> Iterator[Any]:
    """A thread's own comment and the replies that came with it (at most five do)."""
    snippet = r.mapping(r.mapping(thread).get("snippet"))
    yield snippet.get("topLevelComment")
    yield from r.items(r.mapping(r.mapping(thread).get("replies")).get("comments"))


def to_post(payload: r.Payload) -> Post:
    """A ``youtube#comment``, a ``#commentThread`` (its first comment) or a ``#searchResult`` video."""
    kind = payload.get("kind")
    if kind == "youtube#commentThread":
        payload = r.mapping(r.mapping(payload.get("snippet")).get("topLevelComment"))
    elif kind in ("youtube#searchResult", "youtube#video"):
        return _video(payload)
    snippet = r.mapping(payload.get("snippet"))
    native_id = r.ident(payload.get("id"), "id")
    original = snippet.get("textOriginal")
    text, links = (
        (r.text_of(original, "textOriginal"), r.unique(r.bare_links(str(original))))
        if original is not None
        else r.plain(r.text_of(snippet.get("textDisplay"), "textDisplay"))
    )
    created = r.when(snippet.get("publishedAt"), "publishedAt")
    edited = r.maybe_when(snippet.get("updatedAt"))
    video = r.maybe(snippet.get("videoId"))
    parent = r.maybe(snippet.get("parentId"))
    return Post(
        platform="youtube",
        native_id=native_id,
        text=text,
        created_at=created,
        author=Author(
            id=r.maybe(r.mapping(snippet.get("authorChannelId")).get("value")),
            handle=(r.maybe(snippet.get("authorDisplayName")) or "").removeprefix("@") or None,
        ),
        url=f"{WATCH}{video}&lc={native_id}" if video else None,
        conversation_id=video,
        reply_to=parent or video,
        likes=r.count(snippet.get("likeCount")),
        links=links,
        edited_at=edited if edited and edited > created else None,
        raw=dict(payload),
    )


def _video(payload: r.Payload) -> Post:
    snippet = r.mapping(payload.get("snippet"))
    given = payload.get("id")
    native_id = r.ident(given.get("videoId") if isinstance(given, dict) else given, "id.videoId")
    title = unescape(r.text_of(r.need(snippet, "title"), "title"))
    text = unescape(r.text_of(snippet.get("description") or "", "description"))
    counts = r.mapping(payload.get("statistics"))
    return Post(
        platform="youtube",
        native_id=native_id,
        text="\n".join(part for part in (title, text) if part),
        created_at=r.when(snippet.get("publishedAt"), "publishedAt"),
        author=Author(r.maybe(snippet.get("channelId")), name=r.maybe(snippet.get("channelTitle"))),
        url=WATCH + native_id,
        conversation_id=native_id,
        language_tag=r.maybe(snippet.get("defaultAudioLanguage")),
        likes=r.count(counts.get("likeCount")),
        replies=r.count(counts.get("commentCount")),
        views=r.count(counts.get("viewCount")),
        links=r.unique(r.bare_links(text)),
        raw=dict(payload),
    )
