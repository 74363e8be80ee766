"""Reading what a platform sent, without trusting it: pure helpers that every ``to_post`` shares.

What is decided here, once, for all platforms:

* A payload that lacks its id, its text field or its time raises ValueError naming the field; the
  page
  goes on without it, and the payload is kept aside as a Reject.
* A text beyond TEXT_LIMIT characters is cut there, and the cut is told as a Reject.
* A time before 1995 or more than an hour after it was seen is absurd: the post is kept under the
  time
  it was seen, the payload keeps what the platform said, and the swap is told as a Reject.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime
from hashlib import blake2b
from html.parser import HTMLParser
from io import BytesIO
from typing import Any

from listener.collectors import Reject
from listener.collectors.dates import HOURS
from listener.mention import Post

Payload = Mapping[str, Any]

TEXT_LIMIT = 50_000  # characters; the longest post a platform here allows is Reddit's 40,000
PAYLOAD_LIMIT = 20_000  # characters of a rejected payload that are kept aside
EARLIEST = datetime(1995, 1, 1, tzinfo=UTC)
AHEAD = timedelta(hours=1)  # how far a platform's clock may run before ours

_BARE = re.compile(r"\bhttps?://[^\s<>()\[\]]+")
_SECRET_IN_URL = re.compile(
    r"(?i)\b(access_token|refresh_token|token|api_key|key|password|client_secret|code)=[^&\s'\"]+"
)
_LOGIN_IN_URL = re.compile(r"//[^/\s@'\"]+@")
_BLOCKS = {"p", "br", "div", "li", "blockquote", "pre", "h1", "h2", "h3", "h4", "tr", "ul", "ol"}
_SILENT = {"script", "style", "template"}


def need(payload: Payload, key: str) -> Any:
    """``payload[key]``; ValueError names the key when it is missing or null."""
    value = payload.get(key)
    if value is None:
        raise ValueError(f"{key} is missing")
    return value


def text_of(value: object, field: str) -> str:
    """A text as it is; ValueError when the platform sent something else."""
    if not isinstance(value, str):
        raise ValueError(f"{field} is {type(value).__name__}, not a text")
    return value


def ident(value: object, field: str) -> str:
    """An id as text: platforms send numbers as well; ValueError when it is empty or neither."""
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise ValueError(f"{field} is {value!r:.40}, not an id")
    return str(value)


def maybe(value: object) -> str | None:
    """A non-empty text, or None."""
    return value if isinstance(value, str) and value else None


def mapping(value: object) -> Payload:
    """The object as it is, or an empty one where the platform left it out or sent something
    else."""
    return value if isinstance(value, Mapping) else {}


def items(value: object) -> list[Any]:
    """The list as it is, or an empty one."""
    return value if isinstance(value, list) else []


def count(value: object) -> int | None:
    """A count that is a whole number of zero or more, or None: missing is not zero."""
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return None
    return value


def when(value: object, field: str) -> datetime:
    """An aware UTC time from ISO 8601, RFC 822 or epoch seconds; ValueError names the field."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d|\d{8}T\d{4}", value):
            found = datetime.fromisoformat(value)
        elif isinstance(value, str) and value:
            found = parsedate_to_datetime(value)
            if found.tzinfo is None:  # mail knows America's zones alone by name
                found = found.replace(tzinfo=_named_zone(value))
        else:
            raise ValueError
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, OSError) as error:
        raise ValueError(f"{field} is {value!r:.60}, not a time") from error


def _named_zone(text: str) -> tzinfo:
    """The zone that a date ends with; UTC where it names none, or one that may be several."""
    return timezone(timedelta(hours=HOURS.get(text.split()[-1].upper(), 0)))


def maybe_when(value: object) -> datetime | None:
    """A time, or None where there is none that can be read."""
    try:
        return when(value, "")
    except ValueError:
        return None


class _Plain(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.links: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent += 1
        elif tag in _BLOCKS:
            self.parts.append("\n")
        elif tag == "a":
            given = dict(attrs)
            href, classes = given.get("href"), (given.get("class") or "").split()
            if href and href.startswith(("http://", "https://")) and "mention" not in classes:
                self.links.append(href)

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag == "p":
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(data)


def plain(html: str) -> tuple[str, tuple[str, ...]]:
    """The text a reader sees of HTML, paragraphs as lines, and the links that are no mentions."""
    if "<" not in html and "&" not in html:
        return html, ()
    reader = _Plain()
    reader.feed(html[: TEXT_LIMIT * 4])  # markup is longer than what is read of it
    reader.close()
    text = re.sub(r"[ \t]*\n[ \t]*", "\n", "".join(reader.parts))
    return re.sub(r"\n{2,}", "\n", text).strip(), unique(reader.links)


def unique(values: Iterable[object]) -> tuple[str, ...]:
    """The non-empty texts among the values, each once, in order."""
    return tuple(dict.fromkeys(v for v in values if isinstance(v, str) and v))


def bare_links(text: str) -> list[str]:
    """Addresses that stand in a text as they are, for payloads that do not list them."""
    return [found.rstrip(".,;:!?\"'") for found in _BARE.findall(text)]


def feed_in(content: bytes, headers: Mapping[str, str] | None = None) -> Any:
    """The feed in an answer, as feedparser reads it.

    It gets a stream: bytes it would take for the name of a file first, and open what a server names.
    """
    import feedparser

    return feedparser.parse(BytesIO(content), response_headers=dict(headers or {}))


def without_login(text: str) -> str:
    """The text without logins and what looks like a secret in the addresses that it holds."""
    return _SECRET_IN_URL.sub(r"\1=***", _LOGIN_IN_URL.sub("//***@", text))


def name_of_address(url: str) -> str:
    """What an address may be called in the store and on a page: it may hold a login. Addresses that
    differ in their secrets alone have names of their own."""
    name = without_login(url)
    return url if name == url else f"{name}#{blake2b(url.encode(), digest_size=3).hexdigest()}"


def kept(payload: object) -> str:
    """A payload as text to keep aside, cut at PAYLOAD_LIMIT characters."""
    text = payload if isinstance(payload, str) else json.dumps(payload, default=str)
    return text[:PAYLOAD_LIMIT].encode("utf-8", "replace").decode()


def encodable(payload: Any) -> Any:
    """The payload without half surrogates, which JSON can carry and no database can store."""
    try:
        json.dumps(payload, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        return _each_text(payload, lambda text: text.encode("utf-8", "replace").decode())
    return payload


def read(
    payloads: Iterable[Any], to_post: Callable[[Payload], Post], now: datetime, where: str
) -> tuple[list[Post], list[Reject]]:
    """All posts of a page, and what could not be read or was mended; never raises for bad
    content."""
    posts: list[Post] = []
    rejects: list[Reject] = []
    for payload in payloads:
        try:
            if not isinstance(payload, Mapping):
                raise ValueError(f"the payload is {type(payload).__name__}, not an object")
            post, mended = _mend(to_post(encodable(payload)), now)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            reason = (
                f"{error}" if isinstance(error, ValueError) else f"unknown shape: {error!r:.200}"
            )
            rejects.append(Reject(reason, where, kept(payload)))
            continue
        posts.append(post)
        rejects.extend(Reject(reason, where, kept(payload)) for reason in mended)
    return posts, rejects


def _mend(post: Post, now: datetime) -> tuple[Post, list[str]]:
    told: list[str] = []
    if not EARLIEST <= post.created_at <= now + AHEAD:
        told.append(f"absurd date {post.created_at.isoformat()}: kept under the time it was seen")
        post = replace(post, created_at=now)
    if len(post.text) > TEXT_LIMIT:
        told.append(f"a text of {len(post.text):,} characters: cut at {TEXT_LIMIT:,}")
        raw = _each_text(post.raw, lambda text: text[:TEXT_LIMIT])
        post = replace(post, text=post.text[:TEXT_LIMIT], raw=raw)
    return post, told


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    """The same payload with every text in it changed; keys stay."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {k: _each_text(v, change) for k, v in value.items()}
    return [_each_text(v, change) for v in value] if isinstance(value, list) else value


def bounds(posts: Sequence[Post]) -> tuple[datetime | None, datetime | None]:
    """The oldest and newest time on a page, for its coverage row."""
    times = [post.created_at for post in posts]
    return (min(times), max(times)) if times else (None, None)
