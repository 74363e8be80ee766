"""A row of an export as a Post: its cells in the order of the fields, then the post itself. Pure."""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

from listener.collectors import columns as c
from listener.collectors.dates import Dates
from listener.collectors.rows import cell, dig
from listener.mention import Author, Post

LONGEST_TEXT = 100_000  # characters; nothing people post is longer, a broken export may be
NOBODY = Author()
TAG = re.compile(r"<[^<>]{1,2000}>")
BREAK = re.compile(r"<br\s*/?>|</p>\s*<p[^>]*>", re.I)
Cutter = Callable[[Any], tuple[str, ...]]


class Rules(NamedTuple):
    """All that turns cells into a post, settled once per file."""

    dates: Callable[[str], datetime] = Dates()
    platform: str = "file"
    namespace: str = ""
    by_content: bool = False
    markup: bool = False
    lon_first: bool = False
    keyed: Callable[[str], datetime] | None = (
        None  # how keys by content read the time, where not so
    )


def cutter(format: str, columns: Sequence[str], mapping: Mapping[str, str]) -> Cutter:
    """A function from one row ("csv": a list, "jsonl": an object) to its cells, in FIELDS order."""
    return _csv_cutter(columns, mapping) if format == "csv" else _json_cutter(columns, mapping)


def _csv_cutter(columns: Sequence[str], mapping: Mapping[str, str]) -> Cutter:
    """Fields without a column point at an empty cell that is put after the last one."""
    width = len(columns)
    position = {name: index for index, name in enumerate(columns)}
    indexes: list[int] = []
    joins: list[tuple[str, tuple[int, ...]]] = []
    for name in c.FIELDS:
        column = mapping.get(name)
        if column is None:
            indexes.append(width)
        elif column in position:
            indexes.append(position[column])
        else:
            joins.append((_joiner(name), tuple(position[part] for part in column.split("+"))))
            indexes.append(width + len(joins))
    pick = itemgetter(*indexes)

    def cut(row: list[str]) -> tuple[str, ...]:
        if len(row) < width:
            row += [""] * (width - len(row))
        cells = [*row[:width], ""]
        if joins:
            cells += [joiner.join([row[i] for i in join if row[i]]) for joiner, join in joins]
        found: tuple[str, ...] = pick(cells)
        return found

    return cut


def _json_cutter(columns: Sequence[str], mapping: Mapping[str, str]) -> Cutter:
    """Only mapped fields are looked up; the others are blank in every row."""
    single: list[tuple[int, str, tuple[str, ...]]] = []
    joined: list[tuple[int, str, list[str]]] = []
    for index, name in enumerate(c.FIELDS):
        column = mapping.get(name)
        if column is None:
            continue
        if column in columns or "+" not in column:
            single.append((index, column, tuple(column.split("."))))
        else:
            joined.append((index, _joiner(name), column.split("+")))
    blank = [""] * len(c.FIELDS)

    def cut(row: dict[str, Any]) -> tuple[str, ...]:
        cells = blank.copy()
        for index, column, path in single:
            value = row.get(column)  # a key that holds dots itself wins over the nested reading
            if value is None and len(path) > 1:
                value = dig(row, path)
            if value is not None:
                cells[index] = value if type(value) is str else cell(value)
        for index, joiner, parts in joined:
            values = (row.get(p) or dig(row, tuple(p.split("."))) for p in parts)
            cells[index] = joiner.join(filter(None, map(cell, values)))
        return tuple(cells)

    return cut


def _joiner(name: str) -> str:
    """What stands between two columns that are read as one: a title goes above its text."""
    return "\n" if name == "text" else " "


def build(cells: tuple[str, ...], raw: Mapping[str, Any], rules: Rules) -> Post:
    """One row as a Post. Pure. ValueError says which cell cannot be read, and what it held."""
    (
        id_, text, created, author_id, handle, name, followers, location, time_zone, url,
        conversation, reply_to, repost_of, language, country, coordinates, lat, lon, place,
        likes, replies, reposts, views, platform, inbound, title,
    ) = cells  # fmt: skip
    when = rules.dates(created)
    if not text or text.isspace():  # a link or a headline: its title is all that it says
        text = title
    if "\x00" in text:
        text = text.replace("\x00", "")
    if rules.markup and "<" in text:
        text = TAG.sub("", BREAK.sub("\n", text))
    if "&" in text:
        text = html.unescape(text)
    if not text or text.isspace():
        raise ValueError("the text is empty")
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"the text has {len(text):,} characters; a post has at most 100,000")
    # isdecimal() first, here and below: it spares the common case a call, and rows come in millions
    if author_id and not author_id.isdecimal():
        author_id = c.whole_id(author_id)
    if handle:
        handle = handle.strip().lstrip("@")
    elif author_id and not author_id.isdigit() and not author_id.startswith("did:"):
        handle = author_id
    native = id_ if id_.isdecimal() else c.whole_id(id_)
    prefix = rules.namespace
    if rules.by_content or not native or "E+" in native or "e+" in native:
        at = _keyed(created, when, rules)
        said = f"{author_id or handle or name}\x1f{int(at.timestamp())}\x1f{text}"
        native = "c" + hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:20]
    elif prefix:
        native = prefix + native
    link = None if rules.by_content else prefix
    where = None
    if coordinates:
        where = c.pair(coordinates, rules.lon_first or "Point" in coordinates)
    elif lat and lon:
        where = c.point(c.decimal(lat), c.decimal(lon))
    code = country.strip() if country else ""
    if code and not (len(code) == 2 and code.isascii() and code.isalpha()):
        place, code = (f"{place}, {code}" if place else code), ""
    return Post(
        c.platform_name(platform) if platform else rules.platform,
        native,
        text,
        when,
        Author(
            author_id or None,
            handle or None,
            name or None,
            int(followers) if followers.isdecimal() else c.count(followers),
            location or None,
            time_zone or None,
        )
        if author_id or handle or name
        else NOBODY,
        url or None,
        _linked(conversation, link) if conversation else None,
        _linked(reply_to, link) if reply_to else None,
        _linked(repost_of, link) if repost_of else None,
        c.language_tag(language) if language else None,
        code.upper() or None,
        where,
        place or None,
        int(likes) if likes.isdecimal() else c.count(likes),
        int(replies) if replies.isdecimal() else c.count(replies),
        int(reposts) if reposts.isdecimal() else c.count(reposts),
        int(views) if views.isdecimal() else c.count(views),
        (),
        None,
        c.flag(inbound) if inbound else None,
        False,
        raw,
    )


def _keyed(created: str, when: datetime, rules: Rules) -> datetime:
    """The time that a key by content is made of: as it was first read, so that a row keeps its key."""
    if rules.keyed is None:
        return when
    try:
        return rules.keyed(created)
    except ValueError:  # it was rejected then
        return when


def _linked(value: str, prefix: str | None) -> str | None:
    """The id of another row; None when the file's ids are not trusted and so lead nowhere."""
    found = c.whole_id(value)
    if prefix is None or not found or found in ("-1", "0"):
        return None
    return prefix + found
