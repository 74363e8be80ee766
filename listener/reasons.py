"""Why a stored spike was: its posts and those of the two weeks before, handed to the explanation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from listener.store.reads import Filter
from sentiment.explain import Explanation, Item, explain

BASELINE = 14 * 86400
MOST = 2000  # posts of each side; more change no share by a percent

Row = Mapping[str, Any]


def reasons(store: Any, spike: Row, brand_words: Sequence[str] = ()) -> Explanation:
    """The explanation of a row of ``store.spikes``. Reads the store, writes nothing.

    For ``negative`` and ``negative share`` negative posts are compared with negative ones, so that the
    causes are those of complaints; for volume all posts with all.
    """
    label = {"negative share": "negative", "volume": None}.get(spike["kind"], spike["kind"])
    where = {
        "brands": (spike["brand"],),
        "countries": () if spike["region"] == "*" else (spike["region"],),
        "labels": () if label is None else (label,),
    }
    start, end = spike["start"], spike["end"]
    during = store.mentions(Filter(**where, since=start, until=end), limit=MOST)
    before = store.mentions(Filter(**where, since=start - BASELINE, until=start), limit=MOST)
    return explain(
        [_item(row) for row in during],
        [_item(row) for row in before],
        calm_at=end,
        brand_words=brand_words,
    )


def _item(row: Row) -> Item:
    links = row.get("links")
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
        links=_links(links),
        theme=row["intent"],
    )


def _links(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        import json

        try:
            value = json.loads(value)
        except ValueError:
            return ()
    return tuple(str(link) for link in value or ())
