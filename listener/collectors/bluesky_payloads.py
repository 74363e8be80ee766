"""Bluesky's payloads: a post in any of the shapes in which the network shows it. Pure."""

from __future__ import annotations

from typing import Any

from listener.collectors import reading as r
from listener.mention import Author, Post

POST = "app.bsky.feed.post"


def to_post(payload: r.Payload) -> Post:
    """A post view, a notification (``record``), a repository record (``value``) or a commit event.

    ``createdAt`` is set by the author's own program and can be absurd. As Bluesky's own sorting
    does, a date later than the time the network first saw the post counts as that time; both stay
    in ``raw``.
    """
    if "commit" in payload:
        return _from_jetstream(payload)
    if isinstance(payload.get("post"), dict):  # a thread or feed view wraps the post view
        payload = payload["post"]
    record = r.mapping(payload.get("record") or payload.get("value"))
    uri = r.ident(payload.get("uri"), "uri")
    author = r.mapping(payload.get("author"))
    handle = r.maybe(author.get("handle"))
    return _post(
        payload,
        record,
        uri,
        Author(
            id=r.maybe(author.get("did")) or did_of(uri),
            handle=None if handle == "handle.invalid" else handle,
            name=r.maybe(author.get("displayName")),
        ),
        payload.get("indexedAt"),
    )


def _from_jetstream(event: r.Payload) -> Post:
    commit = r.mapping(event.get("commit"))
    if commit.get("collection") != POST:
        raise ValueError(f"collection is {commit.get('collection')!r:.60}, not {POST}")
    did = r.ident(r.need(event, "did"), "did")
    seen = event.get("time_us")
    return _post(
        event,
        r.mapping(commit.get("record")),
        uri_of(event),
        Author(id=did),
        seen / 1_000_000 if isinstance(seen, int) else None,
    )


def uri_of(event: r.Payload) -> str:
    """The at:// address of what a Jetstream commit is about."""
    commit = r.mapping(event.get("commit"))
    rkey = r.ident(commit.get("rkey"), "rkey")
    return f"at://{event.get('did')}/{commit.get('collection')}/{rkey}"


def did_of(uri: str) -> str | None:
    """The account an at:// address belongs to."""
    parts = uri.split("/")
    return parts[2] if uri.startswith("at://did:") and len(parts) > 2 else None


def _post(payload: r.Payload, record: r.Payload, uri: str, author: Author, seen: object) -> Post:
    stated = r.maybe_when(record.get("createdAt"))
    noticed = r.maybe_when(seen)
    if stated is None and noticed is None:
        raise ValueError(f"createdAt is {record.get('createdAt')!r:.60}, not a time")
    created = min(t for t in (stated, noticed) if t is not None)
    reply = r.mapping(record.get("reply"))
    langs = r.items(record.get("langs"))
    return Post(
        platform="bluesky",
        native_id=uri,
        text=r.text_of(record.get("text"), "text"),
        created_at=created,
        author=author,
        url=web_address(uri, author.handle),
        conversation_id=r.maybe(r.mapping(reply.get("root")).get("uri")) or uri,
        reply_to=r.maybe(r.mapping(reply.get("parent")).get("uri")),
        language_tag=r.maybe(langs[0]) if langs else None,
        likes=r.count(payload.get("likeCount")),
        replies=r.count(payload.get("replyCount")),
        reposts=r.count(payload.get("repostCount")),
        links=_links(record),
        raw=dict(payload),
    )


def web_address(uri: str, handle: str | None) -> str | None:
    """Where people read the post."""
    parts = uri.removeprefix("at://").split("/")
    if len(parts) != 3:
        return None
    return f"https://bsky.app/profile/{handle or parts[0]}/post/{parts[2]}"


def _links(record: r.Payload) -> tuple[str, ...]:
    found: list[Any] = [
        r.mapping(feature).get("uri")
        for facet in r.items(record.get("facets"))
        for feature in r.items(r.mapping(facet).get("features"))
    ]
    embed = r.mapping(record.get("embed"))
    holders = (embed, r.mapping(embed.get("media")))
    found.extend(r.mapping(holder.get("external")).get("uri") for holder in holders)
    return r.unique(found)
