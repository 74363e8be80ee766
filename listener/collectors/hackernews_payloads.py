"""Hacker News' payloads as Algolia answers them: a search hit or an item as a Post. Pure."""

from __future__ import annotations

from listener.collectors import reading as r
from listener.mention import Author, Post

SITE = "https://news.ycombinator.com"


def to_post(payload: r.Payload) -> Post:
    """A hit of ``search_by_date`` (``objectID``, ``_tags``) or an item (``id``, ``type``) as a
    Post.

    A story's text is its title and, below it, its own text; a comment's is the comment alone.
    Algolia says of a hit to which story it belongs only in some recordings; its ``story_<id>`` tag
    always does.
    """
    native_id = r.ident(payload.get("objectID", payload.get("id")), "objectID")
    title = r.maybe(payload.get("title"))
    body = payload.get("comment_text") or payload.get("story_text") or payload.get("text")
    if title is None and body is None:
        raise ValueError("title and comment_text are missing: the item is dead or deleted")
    text, links = r.plain(r.text_of(body or "", "comment_text"))
    story = payload.get("story_id") or _story_tag(payload)
    parent = payload.get("parent_id")
    author = r.maybe(payload.get("author"))
    return Post(
        platform="hackernews",
        native_id=native_id,
        text="\n".join(part for part in (title, text) if part),
        created_at=r.when(payload.get("created_at_i", payload.get("created_at")), "created_at_i"),
        author=Author(id=author, handle=author),
        url=f"{SITE}/item?id={native_id}",
        conversation_id=str(story) if story else native_id,
        reply_to=str(parent) if parent else None,
        likes=r.count(payload.get("points")),
        replies=r.count(payload.get("num_comments")),
        links=r.unique((payload.get("url"), *links, *(r.bare_links(text) if not links else ()))),
        raw={k: v for k, v in payload.items() if k not in ("_highlightResult", "children")},
    )


def _story_tag(payload: r.Payload) -> str | None:
    for tag in r.items(payload.get("_tags")):
        if isinstance(tag, str) and tag.startswith("story_") and tag[6:].isdecimal():
            return tag[6:]
    return None
