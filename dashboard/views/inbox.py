"""Who waits for an answer, and how fast the others got theirs."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from dashboard import charts, data, figures, frame, pieces
from dashboard.frame import Scope

SHOWN = 30
SOON = figures.HOUR
DUE = {"late": "over target", "soon": "within an hour", "later": "later"}


def show(stamp: str, at: Scope) -> None:
    names = charts.names()
    summary = data.response(stamp, at.where)
    total, mentions = summary["conversations"], summary["mentions"]
    # Who waits is told by mentions: a conversation that began before this time may go on in it.
    if not any(mentions[k] for k in ("answered", "unanswered", "unknown")):
        frame.html(pieces.nothing("No mention of this time has been looked at for an answer yet."))
        return
    frame.html(_tiles(total, mentions, at))
    left, right = st.columns([1.5, 1])
    with left:
        page = frame.page_number(st.query_params.get("page"))
        heading = st.container()
        due, many = _due(stamp, at)
        rows = data.unanswered(stamp, at.where, SHOWN + 1, page * SHOWN, due)
        aside = "first due first, copies left out"
        if page or len(rows) > SHOWN:
            first = page * SHOWN
            part = f"{first + 1} to {first + len(rows[:SHOWN])} of {figures.count(many)}"
            aside = f"{part}, {aside}"
        with heading:
            frame.html(pieces.heading("Waiting for an answer", aside if rows else ""))
        if not rows:
            words = "Nobody else is known to wait." if page else "Nobody is known to wait."
            if due != (None, None) and not page:
                words = "Nobody is known to wait whose answer is due then."
            frame.html(pieces.nothing(words))
        for row in rows[:SHOWN]:
            case(stamp, row, names, at)
        frame.pages(page, len(rows) > SHOWN, "Due sooner", "Due later")
    with right, frame.card("channels"):
        frame.html(pieces.heading("First response by channel", "conversations of this time"))
        frame.html(_channels(summary["by_platform"], at))
        frame.html(
            pieces.nothing(
                "Counted from publication to the brand's first post in the thread, wherever that "
                "was written. A thread nobody could read is unknown, and in no share."
            )
        )
        _clocks(stamp, at)


def _due(stamp: str, at: Scope) -> tuple[tuple[int | None, int | None], int]:
    """Which answers are asked for by when they are due, kept in the address, and how many they are."""

    def said() -> None:
        st.query_params.pop("page", None)
        if st.session_state["i_due"]:
            st.query_params["due"] = st.session_state["i_due"]
        else:
            st.query_params.pop("due", None)

    found = data.waiting(stamp, at.where, at.minute, SOON)
    asked = st.query_params.get("due")
    asked = asked if asked in DUE else None
    st.session_state["i_due"] = asked
    if sum(found.values()):
        st.pills(
            "Due", list(DUE), key="i_due", on_change=said, label_visibility="collapsed",
            format_func=lambda name: f"{DUE[name]}: {figures.count(found[name])}",
        )  # fmt: skip
    spans: dict[str | None, tuple[int | None, int | None]] = {
        "late": (None, at.minute),
        "soon": (at.minute, at.minute + SOON),
        "later": (at.minute + SOON, None),
    }
    return spans.get(asked, (None, None)), found[asked] if asked else sum(found.values())


def case(stamp: str, row: data.Row, names: Mapping[str, str], at: Scope) -> None:
    """A waiting mention with its clock; its conversation folds out."""
    frame.html(pieces.waiting([row], names, at.clock) + pieces.post_links(row, at.choice.query()))
    if row["thread"] and row["reply_to"]:
        with st.expander("Conversation"):
            posts, known = data.thread(stamp, row["thread"], row["key"])
            frame.html(pieces.nothing(pieces.known_of_it(len(posts), known)))
            frame.html(pieces.conversation(posts, row["key"], at.zone))


def _tiles(total: data.Row, mentions: data.Row, at: Scope) -> str:
    """Mentions that wait, as on the wall; then conversations, each told by its first mention."""
    known = total["answered"] + total["unanswered"]

    def posts(words: str, answer: str, first: str = "1") -> str:
        """A figure that opens into its posts; a conversation by its first mention."""
        query = {**at.choice.query(), "answer": answer, "first": first}
        return pieces.inside("mentions", words, **query)

    share = "no conversation that began in this time could be read"
    if known:
        first = posts(figures.count(total["unanswered"]), "unanswered")
        share = (
            f"{first} of {figures.count(known)} conversations that could be read "
            f"({figures.percent(total['share_unanswered'])} %), <em>by their first mention</em>"
        )
    unread = posts(f"{figures.count(mentions['unknown'])} mentions in them", "unknown", "")
    value = posts(figures.count(mentions["unanswered"]), "unanswered", "")
    if mentions["unknown"] and not mentions["unanswered"]:
        value = "?"  # as on the wall: not known, which is not nobody
    return pieces.tiles(
        [
            pieces.tile(
                "Unanswered",
                value,
                f"<em>mentions, copies among them</em><br>{share}"
                if value != "?"
                else f"none known<br>{share}",
                kind="negative" if mentions["unanswered"] else "",
            ),
            pieces.tile(
                "Answered",
                posts(figures.count(total["answered"]), "answered"),
                "<em>by an account of the brand</em>",
            ),
            pieces.tile(
                "Unknown",
                posts(figures.count(total["unknown"]), "unknown"),
                f"<em>the thread was not read: neither answered nor not</em><br><em>{unread}</em>",
            ),
            pieces.tile(
                "First response",
                posts(figures.minutes(total["median_first_response_minutes"]), "answered"),
                "median<br><em>9 of 10 within "
                f"{figures.minutes(total['p90_first_response_minutes'])}</em>",
            ),
        ]
    )


def _channels(platforms: Mapping[str, data.Row], at: Scope) -> str:
    def posts(platform: str, count: int, answer: str) -> str:
        query = {**at.choice.query(), "platform": platform, "answer": answer, "first": "1"}
        return pieces.inside("mentions", figures.count(count), **query)

    rows = [
        (
            name,
            *(posts(name, p[state], state) for state in ("answered", "unanswered", "unknown")),
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
