"""What left its usual range: where, since when, why, is it over? And every post behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import streamlit as st

from dashboard import charts, data, figures, frame, pieces, themes, why
from dashboard.figures import DAY, HOUR
from dashboard.frame import Scope

PER_PAGE = 25
AROUND = 3 * DAY
COMPARED = 14 * DAY  # what the explanation compares with
NOW_HOURS = 3
WEEKS = 12  # of alerts, in the table of their precision


def show(stamp: str, at: Scope) -> None:
    names = charts.names()
    asked = st.query_params.get("spike")
    if asked and asked.isdecimal():
        one(stamp, int(asked), at, names)
        return
    spikes = data.spikes(stamp, at.where.brands, at.where.countries, at.since, at.until)
    spikes = figures.events(spikes)  # one for each brand, region and stretch of time
    opened = [s for s in spikes if s["end"] is None]
    over = sorted((s for s in spikes if s["end"] is not None), key=lambda s: -s["start"])
    frame.html(frame.spikes_of_all(at))
    aside = "those that began by the end of this time, the worst first"
    if at.past:
        frame.html(pieces.heading(f"{len(opened)} still open", aside))
    else:
        frame.html(pieces.heading(f"{len(opened)} open", "the worst first"))
    if not opened and at.past:
        frame.html(pieces.nothing("None of this time is still open."))
    elif not opened and frame.silence(stamp):
        frame.html(pieces.nothing("None is known. Nothing is collected: now is not known."))
    elif not opened and not frame.heard_now(stamp, at):
        frame.html(pieces.nothing("None is known: the last hours were not heard in full."))
    elif not opened:
        frame.html(pieces.nothing("Everything is within its usual range now."))
    query = at.choice.query()
    frame.html("".join(pieces.spike(s, names, at.zone, at.clock, query) for s in opened))
    frame.html(pieces.heading(f"{len(over)} over", "the latest first"))
    if not over:
        frame.html(pieces.nothing("None ended in this time."))
    frame.html("".join(pieces.spike(s, names, at.zone, at.clock, query) for s in over[:100]))
    _precision(stamp, at)


def _precision(stamp: str, at: Scope) -> None:
    """How many of the alerts were worth it, by week; they are judged on the page of their spike."""
    day = themes.begin_of(themes.day_of(at.clock, at.zone), at.zone)
    weeks, others = data.precision(stamp, day - WEEKS * figures.WEEK, at.zone.key)
    frame.html(
        pieces.heading(
            "Alerts of spikes, useful or noise", f"the last {WEEKS} weeks, Monday to Sunday"
        )
    )
    if weeks:
        frame.html(why.precision(weeks))
    else:
        frame.html(pieces.nothing("No alert of a spike was told in this time."))
    if others:
        told = "1 alert" if others == 1 else f"{figures.count(others)} alerts"
        what = "complaints that take off, answers about to be late, silent sources, digests"
        frame.html(pieces.nothing(f"{told} of other kinds ({what}) are not judged here."))


def one(stamp: str, spike_id: int, at: Scope, names: Mapping[str, str]) -> None:
    """A spike: the four answers, its series, what changed most, and its posts."""

    def closed() -> None:
        for key in ("spike", "cause"):
            st.query_params.pop(key, None)

    st.button("All spikes", icon=":material/arrow_back:", on_click=closed)
    spike = data.spike(stamp, spike_id)
    if spike is None:
        frame.html(pieces.nothing("There is no such spike here."))
        return
    # Whether it is over is a question about now, whatever days the filter shows.
    now = at.clock
    frame.html(pieces.spike(spike, names, at.zone, now))
    query = at.choice.query()
    rows, series, gaps = _counted(stamp, spike, now)
    compared = [r for r in rows if spike["start"] - COMPARED <= r["hour"] < (spike["end"] or now)]
    found = data.why(stamp, spike, compared)
    frame.html(why.answers(spike, found, _recent(spike, series, now), names, at.zone, now, query))
    firsts = tuple(d.keys[0] for d in found.of("copies"))
    texts = {r["key"]: r["text"] for r in data.posts_of(stamp, firsts, spike["brand"])}
    cause = why.asked(st.query_params.get("cause"), found.drivers)
    if cause is not None:
        rows = data.posts_of(stamp, cause.keys, spike["brand"])
        title = f"{len(rows)} posts: {pieces.cut(why.title(cause, names, texts), 60)}"
        everything = pieces.inside("spikes", "all posts", **{**query, "spike": spike_id})
        _posts(rows, title, everything, names, now, query)
    _alerts(stamp, spike, at)
    _series(spike, series, gaps, at, names, now)
    _tally(stamp, spike, now)
    frame.html(pieces.heading("What changed most", "share of posts; the mark is the share before"))
    frame.html(why.evidence(spike, found, names, texts, query))
    _themes(stamp, spike, at, now)
    if cause is None:
        where = data.spike_filter(spike)
        total = figures.tally(data.counts(stamp, ("label",), where)).posts
        rows = data.mentions(stamp, where, st.session_state.get("shown", PER_PAGE))
        title = f"{figures.count(total)} posts behind it"
        _posts(rows, title, "originals and copies, newest first", names, now, query, total)


def _themes(stamp: str, spike: data.Row, at: Scope, now: int) -> None:
    """The themes of complaint that grew most on its days, day by day from a week before."""
    if spike["kind"] == "positive":
        return
    end = spike["end"] or now
    since = max(spike["start"] - figures.WEEK, data.first_hour(stamp, (spike["brand"],)))
    where = replace(data.spike_filter(spike), labels=(), since=since, until=None)
    days = [themes.day_of(t, at.zone) for t in (since, spike["start"], end - 1)]
    last = themes.begin_of(days[2] + 1, at.zone)
    found = themes.lines(
        data.themes(stamp, where, figures.offsets(since, last, at.zone)), days[0], days[2]
    )
    found = themes.grown(found, days[2] - days[1] + 1)
    upto = data.themes_upto(stamp, (spike["brand"],))
    frame.html(pieces.heading("Complaints that grew most", themes.upto_words(upto, at.zone)))
    if not found:
        frame.html(themes.empty(upto))
        return
    # A row counts from a week before the spike to the end of its last day: so far it opens.
    hours = f"{since}-{last}"
    query = {"brand": spike["brand"], "span": "all", "at": hours}
    if spike["region"] != "*":
        query["region"] = spike["region"] or frame.UNKNOWN
    frame.html(themes.table(found, spike["start"], at.zone, query))


def _alerts(stamp: str, spike: data.Row, at: Scope) -> None:
    """The alerts that told of this spike, and whether they were worth it."""
    rows = [a for a in data.alerts(stamp, spike["found_at"]) if a["spike_id"] == spike["id"]]
    if not rows:
        return
    with frame.card("alerts"):
        frame.html("".join(why.alert(row, at.zone) for row in rows))
        trouble = st.session_state.pop("trouble", None)
        if trouble:
            frame.html(pieces.notice("fault", pieces.safe(trouble)))
        key = f"verdict:{spike['id']}"
        said = {row["verdict"] for row in rows}
        st.session_state[key] = said.pop() if len(said) == 1 else None

        def judged() -> None:
            problem = data.judge_alerts([row["id"] for row in rows], st.session_state[key])
            if problem:
                st.session_state["trouble"] = problem

        st.segmented_control(
            "Was this alert worth it?", ("useful", "noise"), key=key, on_change=judged
        )


def _posts(
    rows: list[data.Row], title: str, aside: str, names: Mapping[str, str], now: int,
    query: Mapping[str, str | list[str]], total: int | None = None,
) -> None:  # fmt: skip
    """Posts under a heading, the first of them at once and the others on demand."""
    frame.html(pieces.heading(title, aside))
    shown = st.session_state.get("shown", PER_PAGE)
    frame.html(pieces.posts(rows[:shown], names, now, query))
    total = len(rows) if total is None else total
    if total > shown and len(rows) >= shown:

        def more() -> None:
            st.session_state["shown"] = shown + 2 * PER_PAGE

        st.button(f"Show more of {total}", on_click=more)


def _counted(
    stamp: str, spike: data.Row, now: int
) -> tuple[list[data.Row], figures.Hours, list[tuple[int, int]]]:
    """The counts around a spike with the weeks before, as rows and as hours, and the gaps."""
    region = spike["region"]
    since = spike["start"] - AROUND - figures.HISTORY_WEEKS * figures.WEEK
    until = min(now, (spike["end"] or now) + DAY)
    where = data.Filter(
        brands=(spike["brand"],),
        countries=() if region == "*" else (region,),
        since=since,
        until=until,
    )
    first = max(since, data.first_hour(stamp, where.brands))
    gaps = frame.unknown(stamp, replace(where, until=None))
    rows = data.counts(stamp, ("hour", "label"), where)
    return rows, figures.hours(rows, first, until, gaps), gaps


def _recent(spike: data.Row, h: figures.Hours, now: int) -> why.Recent:
    """The last hours of what the spike counts, and the usual of those hours."""
    values = {"negative": h.negative, "positive": h.positive}.get(spike["kind"], h.posts)
    done = min(1.0, max(0.02, (now - (h.last - HOUR)) / HOUR))
    return why.Recent(NOW_HOURS, *figures.now_and_usual(values, NOW_HOURS, done))


def _series(
    spike: data.Row, series: figures.Hours, gaps: list[tuple[int, int]], at: Scope,
    names: Mapping[str, str], now: int,
) -> None:  # fmt: skip
    """The hours around the spike, drawn as on the wall."""
    since = max(spike["start"] - AROUND, series.first)
    until = min(now, (spike["end"] or now) + DAY)
    points = figures.trend(series, since, figures.bucket_hours(until - since), at.zone)
    marked = [{**spike, "place": pieces.region_name(spike["region"], names)}]
    with frame.card("series"):
        drawing = charts.volume(points, marked, gaps, frame.colours(), at.zone, until=until)
        frame.draw(drawing, "spike-volume")


def _tally(stamp: str, spike: data.Row, now: int) -> None:
    """All posts from its start to its end by feeling, and how sure the spike is."""
    region = spike["region"]
    where = data.Filter(
        brands=(spike["brand"],),
        countries=() if region == "*" else (region,),
        since=spike["start"],
        until=spike["end"] or now,
    )
    t = figures.tally(data.counts(stamp, ("label",), where))
    frame.html(
        pieces.nothing(
            f"From its start to {'its end' if spike['end'] else 'now'}: {figures.count(t.posts)} "
            f"posts, {figures.count(t.copies)} of them copies; {figures.count(t.negative)} negative, "
            f"{figures.count(t.positive)} positive, {figures.count(t.unsure)} unsure. "
            + pieces.spike_words(spike)
        )
    )


frame.open_page("Spikes", show)
