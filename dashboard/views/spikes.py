"""What left its usual range: each spike with its figures and every post behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import streamlit as st

from dashboard import charts, data, figures, frame, pieces
from dashboard.figures import DAY
from dashboard.frame import Scope

PER_PAGE = 25
AROUND = 3 * DAY


def show(stamp: str, at: Scope) -> None:
    names = charts.names()
    asked = st.query_params.get("spike")
    if asked and asked.isdecimal():
        one(stamp, int(asked), at, names)
        return
    spikes = data.spikes(stamp, at.where.brands, at.where.countries, at.since, at.until + 1)
    opened = [s for s in spikes if s["end"] is None]
    over = sorted((s for s in spikes if s["end"] is not None), key=lambda s: -s["start"])
    frame.html(pieces.heading(f"{len(opened)} open", "the worst first"))
    if not opened:
        frame.html(pieces.nothing("Everything is within its usual range now."))
    frame.html("".join(pieces.spike(s, names, at.zone, at.until) for s in opened))
    frame.html(pieces.heading(f"{len(over)} over", "the latest first"))
    if not over:
        frame.html(pieces.nothing("None ended in this time."))
    frame.html("".join(pieces.spike(s, names, at.zone, at.until) for s in over[:100]))
    if at.where.platforms or at.where.languages:
        frame.html(
            pieces.notice(
                "gap",
                "Spikes are sought by brand and region: platform and language do not narrow this list.",
            )
        )


def one(stamp: str, spike_id: int, at: Scope, names: Mapping[str, str]) -> None:
    """A spike, its series around it, and its posts."""

    def closed() -> None:
        st.query_params.pop("spike", None)

    st.button("All spikes", icon=":material/arrow_back:", on_click=closed)
    spike = data.spike(stamp, spike_id)
    if spike is None:
        frame.html(pieces.nothing("There is no such spike here."))
        return
    frame.html(pieces.spike(spike, names, at.zone, at.until))
    frame.html(pieces.spike_words(spike))
    _series(stamp, spike, at, names)
    rows = data.spike_posts(stamp, spike_id, spike["brand"])
    frame.html(pieces.heading(f"{len(rows)} posts behind it", "originals and copies, newest first"))
    shown = st.session_state.get("spike_shown", PER_PAGE)
    frame.html(pieces.posts(rows[:shown], names, at.until if at.live else data.now()))
    if len(rows) > shown:

        def more() -> None:
            st.session_state["spike_shown"] = shown + 2 * PER_PAGE

        st.button(f"Show more of {len(rows)}", on_click=more)


def _series(stamp: str, spike: data.Row, at: Scope, names: Mapping[str, str]) -> None:
    """The hours around the spike, drawn as on the wall."""
    region = spike["region"]
    since = spike["start"] - AROUND
    until = min(at.until, (spike["end"] or at.until) + DAY)
    where = data.Filter(
        brands=(spike["brand"],),
        countries=() if region == "*" else (region,),
        since=since - figures.HISTORY_WEEKS * figures.WEEK,
        until=until,
    )
    reach = data.span(stamp)
    assert reach is not None
    gaps = data.gaps(stamp, where.since or 0)
    rows = data.counts(stamp, ("hour", "label"), where)
    series = figures.hours(rows, max(where.since or 0, reach[0]), until, gaps)
    since = max(since, series.first)
    points = figures.trend(series, since, figures.bucket_hours(until - since))
    marked = [{**spike, "place": pieces.region_name(region, names)}]
    with frame.card("series"):
        frame.draw(charts.volume(points, marked, gaps, frame.colours(), at.zone), "spike-volume")
    t = figures.tally(
        data.counts(
            stamp, ("label",), replace(where, since=spike["start"], until=spike["end"] or until)
        )
    )
    frame.html(
        pieces.nothing(
            f"From its start to {'its end' if spike['end'] else 'now'}: {figures.count(t.posts)} "
            f"posts, {figures.count(t.copies)} of them copies; {figures.count(t.negative)} negative, "
            f"{figures.count(t.positive)} positive, {figures.count(t.unsure)} unsure."
        )
    )


frame.open_page("Spikes", show)
