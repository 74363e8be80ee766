"""Feed entries: what feedparser read, first as plain JSON, then as a Post. Pure."""

from __future__ import annotations

from calendar import timegm
from typing import Any
from urllib.parse import urljoin, urlsplit

from listener.collectors import reading as r
from listener.mention import Author, Post, moment


def entry_payload(entry: Any, feed: Any, feed_url: str) -> dict[str, Any]:
    """One entry of feedparser as the plain payload that is kept and that ``to_post`` reads."""
    content = entry.get("content") or []
    html = content[0].get("value") if content else entry.get("summary")
    return {
        "entry_id": entry.get("id") or entry.get("link"),
        "title": entry.get("title"),
        "content": html,
        "link": _absolute(feed_url, entry.get("link")),
        "author": entry.get("author") or (entry.get("source") or {}).get("title"),
        "published": _time(entry, "published") or _time(entry, "updated"),
        "updated": _time(entry, "updated"),
        "language": (content[0].get("language") if content else None) or feed.get("language"),
        "tags": [t.get("term") for t in entry.get("tags") or []],
        "feed_title": feed.get("title"),
        "feed_url": feed_url,
    }


def _absolute(feed_url: str, link: Any) -> Any:
    """A link as people can open it: some feeds leave their own host out."""
    if not isinstance(link, str) or not link:
        return link
    try:
        base = urlsplit(feed_url)
        base = base._replace(netloc=base.netloc.rpartition("@")[2])  # its login opens no page
        return urljoin(base.geturl(), link)
    except ValueError:
        return link


def _time(entry: Any, field: str) -> Any:
    """The date as the feed writes it, or as feedparser reads it where that is no usual form."""
    stated, parsed = dict.get(entry, field), dict.get(entry, f"{field}_parsed")
    if parsed is None or r.maybe_when(stated) is not None:
        return stated
    return moment(timegm(parsed)).isoformat()


def to_post(payload: r.Payload) -> Post:
    """A feed entry as a Post: title, and below it the summary or content as a reader sees it.

    An entry's id is its feed's own and need not be unique elsewhere, so one that is no address goes
    under the feed's host. A summary that only repeats the title (as Google News has it) is dropped.
    """
    host = urlsplit(str(payload.get("feed_url") or "")).hostname or "feed"
    own = r.ident(payload.get("entry_id"), "id")
    title, _ = r.plain(r.text_of(payload.get("title") or "", "title"))
    body, links = r.plain(r.text_of(payload.get("content") or "", "content"))
    if not title and not body:
        raise ValueError("title and content are missing")
    if title and body.replace("\xa0", " ").startswith(title.rpartition(" - ")[0] or title):
        body = body if len(body) > 2 * len(title) else ""
    published = payload.get("published") or payload.get("updated")
    author = r.maybe(payload.get("author"))
    link = r.maybe(payload.get("link"))
    updated, created = r.maybe_when(payload.get("updated")), r.when(published, "published")
    return Post(
        platform="rss",
        native_id=own
        if own.startswith(("http://", "https://", "tag:", "urn:"))
        else f"{host}/{own}",
        text="\n".join(part for part in (title, body) if part),
        created_at=created,
        author=Author(id=None, handle=None, name=author or r.maybe(payload.get("feed_title"))),
        url=link if link and link.startswith(("http://", "https://")) else None,
        language_tag=r.maybe(payload.get("language")),
        links=r.unique(((link,) if link and link.startswith("http") else ()) + links),
        edited_at=updated if updated and updated > created else None,
        raw=dict(payload),
    )
