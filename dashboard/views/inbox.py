"""Who waits for an answer, and how fast the others got theirs."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from dashboard import charts, data, figures, frame, pieces
from dashboard.frame import Scope

SHOWN = 30


def show(stamp: str, at: Scope) -> None:
    names = charts.names()
    summary = data.response(stamp, at.where)
    total = summary["conversations"]
    if not any(total[k] for k in ("answered", "unanswered", "unknown")):
        frame.html(pieces.nothing("No mention of this time has been looked at for an answer yet."))
        return
    frame.html(_tiles(total, summary["mentions"]))
    left, right = st.columns([1.5, 1])
    with left:
        rows = data.unanswered(stamp, at.where, SHOWN + 1)
        aside = f"the first {SHOWN}, first due first" if len(rows) > SHOWN else "first due first"
        frame.html(pieces.heading("Waiting for an answer", aside))
        if not rows:
            frame.html(pieces.nothing("Nobody is known to wait."))
        for row in rows[:SHOWN]:
            case(stamp, row, names, at)
    with right, frame.card("channels"):
        frame.html(pieces.heading("First response by channel", "conversations of this time"))
        frame.html(_channels(summary["by_platform"]))
        frame.html(
            pieces.nothing(
                "Counted from publication to the brand's first post in the thread, wherever that "
                "was written. A thread nobody could read is unknown, and in no share."
            )
        )
        _clocks(stamp, at)


def case(stamp: str, row: data.Row, names: Mapping[str, str], at: Scope) -> None:
    """A waiting mention with its clock; its conversation folds out."""
    frame.html(pieces.waiting([row], names, at.until) + pieces.post_links(row))
    if row["thread"] and row["reply_to"]:
        with st.expander("Conversation"):
            frame.html(pieces.conversation(data.thread(stamp, row["thread"]), row["key"], at.zone))


def _tiles(total: data.Row, mentions: data.Row) -> str:
    unanswered = figures.percent(total["share_unanswered"])
    known = total["answered"] + total["unanswered"]
    return pieces.tiles(
        [
            pieces.tile(
                "Unanswered",
                figures.count(total["unanswered"]),
                f"{unanswered} % of {figures.count(known)} conversations that could be read"
                f"<br><em>{figures.count(mentions['unanswered'])} mentions in them</em>",
                kind="negative" if total["unanswered"] else "",
            ),
            pieces.tile(
                "Answered", figures.count(total["answered"]), "<em>by an account of the brand</em>"
            ),
            pieces.tile(
                "Unknown",
                figures.count(total["unknown"]),
                "<em>the thread was not read: neither answered nor not</em>",
            ),
            pieces.tile(
                "First response",
                figures.minutes(total["median_first_response_minutes"]),
                "median<br><em>9 of 10 within "
                f"{figures.minutes(total['p90_first_response_minutes'])}</em>",
            ),
        ]
    )


def _channels(platforms: Mapping[str, data.Row]) -> str:
    rows = [
        (
            name,
            figures.count(p["answered"]),
            figures.count(p["unanswered"]),
            figures.count(p["unknown"]),
            figures.minutes(p["median_first_response_minutes"]),
            figures.minutes(p["p90_first_response_minutes"]),
        )
        for name, p in platforms.items()
    ]
    heads = ("Channel", "answered", "waiting", "unknown", "median", "p90")
    return pieces.plain_table(heads, rows)


def _clocks(stamp: str, at: Scope) -> None:
    """The second clock: from when we saw the mention, which says how fast the team itself is."""
    seen = [
        max(0, r["answered_at"] - r["collected_at"]) / 60
        for r in data.response_times(stamp, at.where)
        if r["opening"] and r["answered_at"] >= r["collected_at"]
    ]
    median = figures.median(seen)
    frame.html(
        pieces.nothing(
            f"From the moment we saw it: median {figures.minutes(median)} "
            f"({figures.count(len(seen))} conversations answered after that)."
        )
    )


frame.open_page("Inbox", show, living=False)
