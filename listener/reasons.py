"""Why a stored spike was: its posts and those of the two weeks before, handed to the explanation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from listener import themes
from listener.store.reads import Filter
from sentiment.explain import HOUR, Explanation, Item, explain

BASELINE = 14 * 86400
MOST = 2000  # posts of each side; more change no share by a percent

Row = Mapping[str, Any]


def reasons(store: Any, spike: Row, brand_words: Sequence[str] = ()) -> Explanation:
    """The explanation of a row of ``store.spikes``. Reads the store, writes nothing.

    For ``negative`` and ``negative share`` negative posts are compared with negative ones, so that the
    causes are those of complaints; for volume all posts with all. Of a spike with more than ``MOST``
    posts the first and the last are read, half of each.
    """
    during = where(spike)
    posts = store.mentions(during, limit=MOST)
    if len(posts) == MOST:
        first = store.mentions(during, limit=MOST // 2, oldest_first=True)
        known = {row["key"] for row in first}
        posts = first + [row for row in posts[: MOST // 2] if row["key"] not in known]
    earlier = where(spike, since=spike["start"] - BASELINE, until=spike["start"])
    before = store.mentions(earlier, limit=MOST)
    named = themes.names_of(store, [row["key"] for row in (*posts, *before)], spike["brand"])
    hours = {row["hour"]: row["posts"] for row in store.counts_by(("hour",), during)}
    span = store.span()  # the hour of the newest post of all may still be filling
    return explain(
        _items(posts, named),
        _items(before, named),
        calm_at=spike["end"],
        brand_words=brand_words,
        hours=hours,
        complete_until=span[1] // HOUR * HOUR if span else None,
        new_themes=themes.begun_since(store, spike["brand"], spike["start"]),
    )


def where(spike: Row, since: int | None = None, until: int | None = None) -> Filter:
    """The mentions that a spike counts, from its start to its end unless other times are given."""
    label = {"negative share": "negative", "volume": None}.get(spike["kind"], spike["kind"])
    return Filter(
        brands=(spike["brand"],),
        countries=() if spike["region"] == "*" else (spike["region"],),
        labels=() if label is None else (label,),
        since=spike["start"] if since is None else since,
        until=spike["end"] if until is None else until,
    )


def _items(rows: Sequence[Row], named: Mapping[str, str]) -> list[Item]:
    """Posts as the explanation takes them; what its author took back explains nothing."""
    return [_item(row, named.get(row["key"])) for row in rows if not row["deleted_at"]]


def _item(row: Row, theme: str | None) -> Item:
    return Item(
        key=row["key"],
        text=row["text"] or "",
        created_at=row["created_at"],
        region=row["country"] or None,
        platform=row["platform"],
        author=row["author_handle"],
        followers=row["followers"],
        label=row["label"],
        group=row["group_key"],
        links=_links(row.get("links")),
        theme=theme,
        intent=row["intent"],
    )


def _links(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return ()
    return tuple(str(link) for link in value or ())
