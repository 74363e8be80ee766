"""Mastodon's payloads: a status, a notification or an old version of a status as a Post. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from listener.collectors import reading as r
from listener.mention import Author, Post

SNOWFLAKE_SHIFT = 16  # a status id is milliseconds since 1970, shifted by 16 bits


def id_at(moment: datetime) -> int:
    """The smallest status id that could have been made at that moment."""
    return int(moment.timestamp() * 1000) << SNOWFLAKE_SHIFT


def statuses_in(body: Any) -> Iterator[Any]:
    """Every status in an answer: a list, a search, a thread's context, notifications, or one
    status."""
    if isinstance(body, list):
        for entry in body:
            yield from statuses_in(entry)
    elif isinstance(body, dict) and "content" in body and "id" in body:
        yield body
    elif isinstance(body, dict) and isinstance(body.get("status"), dict):
        yield body["status"]
    elif isinstance(body, dict):
        for key in ("statuses", "ancestors", "descendants"):
            yield from statuses_in(body.get(key) or [])


def to_post(payload: r.Payload) -> Post:
    """A status as a Post. Its key is its ``uri``, which is the same on every server that shows it.

    A server gives each status an id of its own, so two servers would store one status twice; the
    ``uri`` is the author's server's own name for it. A reply names its parent by the id on the
    server that was asked; the collector looks up that parent's uri and adds it as
    ``in_reply_to_uri``, and without it the server's id stays. A content warning is part of what
    was said, so it comes first. A boost shows the boosted status.
    """
    account = r.mapping(payload.get("account"))
    boosted = r.mapping(payload.get("reblog"))
    shown = boosted or payload
    text, links = r.plain(r.text_of(shown.get("content"), "content"))
    warning = r.maybe(shown.get("spoiler_text"))
    local_id = r.maybe(payload.get("id"))
    uri = r.maybe(payload.get("uri")) or local_id
    acct = r.maybe(account.get("acct"))
    return Post(
        platform="mastodon",
        native_id=r.ident(uri, "uri"),
        text=f"{warning}\n{text}" if warning else text,
        created_at=r.when(r.need(payload, "created_at"), "created_at"),
        author=Author(
            id=r.maybe(account.get("uri")) or r.maybe(account.get("url")),
            handle=full_handle(acct, r.maybe(account.get("url"))),
            name=r.maybe(account.get("display_name")),
            followers=r.count(account.get("followers_count")),
            location=_location(account),
        ),
        url=r.maybe(payload.get("url")) or (uri if uri and uri.startswith("http") else None),
        reply_to=r.maybe(payload.get("in_reply_to_uri")) or r.maybe(payload.get("in_reply_to_id")),
        repost_of=r.maybe(boosted.get("uri")),
        language_tag=r.maybe(shown.get("language")),
        likes=r.count(payload.get("favourites_count")),
        replies=r.count(payload.get("replies_count")),
        reposts=r.count(payload.get("reblogs_count")),
        links=links,
        edited_at=r.maybe_when(payload.get("edited_at")),
        raw=dict(payload),
    )


def full_handle(acct: str | None, url: str | None) -> str | None:
    """``name@host``: a server leaves its own host out of its users' handles."""
    if acct and "@" not in acct and url:
        host = urlsplit(url).hostname
        return f"{acct}@{host}" if host else acct
    return acct


def _location(account: r.Payload) -> str | None:
    """Profiles have free fields; people who tell where they are name the field so."""
    for entry in r.items(account.get("fields")):
        name = str(r.mapping(entry).get("name", "")).strip().lower()
        if name in {"location", "city", "country", "where", "ort", "ubicación", "lieu", "based in"}:
            return r.plain(str(r.mapping(entry).get("value", "")))[0] or None
    return None
