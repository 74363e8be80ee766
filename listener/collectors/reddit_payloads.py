"""Reddit's payloads: a thing of the API or an entry of its feeds as a Post. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from listener.collectors import reading as r
from listener.mention import Author, Post

SITE = "https://www.reddit.com"
POSTS = {"t1", "t3"}  # comments and submissions; t4 are private messages and are never read
GONE = {"[deleted]", "[removed]", "[deleted by user]", "[ Removed by Reddit ]"}


def things_in(body: Any) -> Iterator[dict[str, Any]]:
    """Every comment and submission in an answer: listings, threads with replies,
    ``morechildren``."""
    if isinstance(body, list):
        for entry in body:
            yield from things_in(entry)
    elif isinstance(body, dict):
        data = body.get("data")
        if body.get("kind") in POSTS and isinstance(data, dict):
            yield body
            yield from things_in(data.get("replies"))
        elif isinstance(data, dict):
            yield from things_in(data.get("children") or data.get("things"))
        elif "json" in body:
            yield from things_in(body["json"])


def is_gone(data: r.Payload) -> bool:
    """Deleted by its author or removed by moderators: nothing of it may be kept.

    A removed submission keeps its author, a link has no text that could say it: the API says it by
    ``removed_by_category`` (moderator, deleted, reddit …), which is null while a submission stands.
    """
    if data.get("removed_by_category"):
        return True
    shown = data.get("body", data.get("selftext"))
    if not isinstance(shown, str):
        return False
    return shown in GONE and (data.get("author") in (None, "[deleted]") or "body" in data)


def to_post(payload: r.Payload) -> Post:
    """A comment (t1), a submission (t3) or a feed entry as a Post; ``native_id`` is the fullname.

    A submission's text is its title and, below it, its own text (Markdown, as its author wrote it).
    The text of something deleted or removed is the platform's placeholder; ``is_gone`` tells.
    """
    if "entry_id" in payload:
        return _from_feed(payload)
    data = r.mapping(payload.get("data")) or payload
    kind = payload.get("kind") or ("t1" if "body" in data else "t3")
    if kind not in POSTS:
        raise ValueError(f"kind is {kind!r}, neither a comment (t1) nor a submission (t3)")
    native_id = r.maybe(data.get("name")) or f"{kind}_{r.ident(r.need(data, 'id'), 'id')}"
    comment = kind == "t1"
    written = r.text_of(data.get("body" if comment else "selftext") or "", "body")
    title = None if comment else r.text_of(r.need(data, "title"), "title")
    parent = r.maybe(data.get("parent_id")) if comment else None
    edited = data.get("edited")
    target = data.get("url")
    external = [] if comment or data.get("is_self") or not isinstance(target, str) else [target]
    author = r.maybe(data.get("author"))
    return Post(
        platform="reddit",
        native_id=native_id,
        text="\n".join(part for part in (title, written) if part),
        created_at=r.when(r.need(data, "created_utc"), "created_utc"),
        author=Author(
            id=r.maybe(data.get("author_fullname")),
            handle=None if author == "[deleted]" else author,
        ),
        url=_link(data, native_id),
        conversation_id=_thread(data) if comment else native_id,
        reply_to=parent,
        repost_of=r.maybe(data.get("crosspost_parent")),
        likes=r.count(data.get("score")),
        replies=r.count(data.get("num_comments")) if not comment else None,
        links=r.unique((*external, *r.bare_links(written))),
        edited_at=r.maybe_when(edited) if edited not in (None, False, True) else None,
        raw=dict(payload),
    )


def _thread(data: r.Payload) -> str | None:
    """The submission a comment hangs under; an inbox entry names it only in its ``context``
    link."""
    link = r.maybe(data.get("link_id"))
    if link is None and (found := re.search(r"/comments/(\w+)/", str(data.get("context") or ""))):
        link = f"t3_{found.group(1)}"
    return link


def _link(data: r.Payload, native_id: str) -> str | None:
    path = r.maybe(data.get("permalink")) or r.maybe(data.get("context"))
    if path and path.startswith("/"):
        return SITE + path.partition("?")[0]
    thread, subreddit = _thread(data), r.maybe(data.get("subreddit"))
    if thread and subreddit and native_id.startswith("t1_"):
        return f"{SITE}/r/{subreddit}/comments/{thread[3:]}/_/{native_id[3:]}/"
    return None


def _from_feed(entry: r.Payload) -> Post:
    """An entry of ``search.rss`` or a subreddit's ``.rss``, as the collector hands it over."""
    native_id = r.ident(entry.get("entry_id"), "entry_id")
    if native_id[:3] not in {"t1_", "t3_"}:
        raise ValueError(f"entry_id is {native_id!r:.40}, neither a comment nor a submission")
    html = r.text_of(entry.get("content") or "", "content")
    html = re.sub(
        r"\s*submitted by\s.*$", "", html, flags=re.S
    )  # the feed's own footer, not theirs
    text, links = r.plain(html)
    author = (r.maybe(entry.get("author")) or "").removeprefix("/u/")
    title = r.maybe(entry.get("title")) if native_id.startswith("t3_") else None
    url = r.maybe(entry.get("link"))
    thread = re.search(r"/comments/(\w+)/", url or "")
    return Post(
        platform="reddit",
        native_id=native_id,
        text="\n".join(part for part in (title, text) if part),
        created_at=r.when(entry.get("published") or entry.get("updated"), "published"),
        author=Author(handle=author or None),
        url=url,
        conversation_id=f"t3_{thread.group(1)}" if thread else None,
        links=links,
        raw=dict(entry),
    )
