"""The wall: what is happening now against the usual, where, what left its range, who waits."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import streamlit as st

from dashboard import charts, data, figures, frame, pieces
from dashboard.figures import HOUR, Tally
from dashboard.frame import Scope

NOW_HOURS = 3  # "now" is this hour so far and the two before it
DAY_HOURS = 24
REGIONS = 9
NEWEST = 6
WAITING = 3
SPIKES = 4


def show(stamp: str, at: Scope) -> None:
    names = charts.names()
    first = max(at.history.since or 0, data.first_hour(stamp, at.where.brands))
    rows = data.history(stamp, ("hour", "label"), at.history, at.since)
    gaps = frame.unknown(stamp, at.history)
    series = figures.hours(rows, first, at.until, gaps)
    by_country = figures.tallies(data.counts(stamp, ("country", "label"), at.where), "country")
    regions = at.where.countries
    spikes = data.spikes(stamp, at.where.brands, regions, at.since, at.until)
    spikes = figures.events(spikes)
    opened = [s for s in spikes if s["end"] is None]

    heard = frame.heard_now(stamp, at)
    # Marks on the lines of one platform or language would be of posts that are not drawn.
    whole = not frame.spikes_of_all(at)
    frame.html(_tiles(stamp, at, series, opened, heard))
    left, middle, right = st.columns([1.12, 1, 1])
    with left:
        with frame.card("trend"):
            picked = _trend(at, series, spikes if whole else [], gaps, names)
        with frame.card("spikes"):
            _open_spikes(spikes, opened, at, names, heard)
    with middle, frame.card("regions"):
        _regions(stamp, at, by_country, opened if whole else [], names)
    with right:
        with frame.card("waiting"):
            _unanswered(stamp, at, names)
        with frame.card("newest"):
            _newest(stamp, at, names)
    if picked:
        frame.open_point(at, picked[0])


def _trend(
    at: Scope, series: figures.Hours, spikes: list[data.Row], gaps: list[tuple[int, int]],
    names: Mapping[str, str],
) -> list[dict[str, object]]:  # fmt: skip
    """Volume with its usual range and spikes, net sentiment beneath; returns what was clicked."""
    palette = frame.colours()
    size = figures.bucket_hours(at.until - at.since)
    points = figures.trend(series, at.since, size, at.zone)
    frame.html(
        pieces.heading(
            f"Posts per {figures.bucket_words(size)}",
            '<span class="gs-key"><i class="gs-k-line"></i>all<i class="gs-k-neg"></i>negative'
            '<i class="gs-k-usual"></i>usual<i class="gs-k-gap"></i>not known'
            "<b>▼</b>spike</span>",
        )
    )
    marked = [{**s, "place": pieces.region_name(s["region"], names)} for s in spikes]
    picked = frame.draw(
        charts.volume(points, marked, gaps, palette, at.zone, until=at.until),
        "live-volume",
        pick=True,
    )
    coarse = figures.judged_size(points, size)
    frame.html(
        pieces.heading(
            f"Net sentiment per {figures.bucket_words(coarse)}",
            "positive less negative, of 100 judged",
        )
    )
    days = figures.trend(series, at.since, coarse, at.zone)
    frame.draw(charts.net(days, palette, at.zone, since=at.since), "live-net")
    return picked


def _tiles(
    stamp: str, at: Scope, h: figures.Hours, opened: list[data.Row], heard: bool
) -> str:  # fmt: skip
    return pieces.tiles(
        [
            _volume_tile(at, h),
            _net_tile(at, h),
            _inbox_tile(stamp, at),
            _spike_tile(at, opened, heard),
        ]
    )


def _volume_tile(at: Scope, h: figures.Hours) -> str:
    """Posts of the last hours beside the same hours before; unique ones beside copies."""
    done = 1.0 if not at.live else max(0.02, (at.until - (h.last - HOUR)) / HOUR)
    value, expected = figures.now_and_usual(h.posts, NOW_HOURS, done)
    day, day_usual = figures.now_and_usual(h.posts, DAY_HOURS, done)
    under = _against(value, expected)
    if value is not None:
        copies = float(h.copies[-NOW_HOURS:].sum())
        under += (
            f"<br><em>{figures.count(value - copies)} unique, {figures.count(copies)} copies</em>"
        )
    if day is not None:
        under += f"<br><em>{figures.count(day)} in 24 h, {figures.times_usual(day, day_usual)}</em>"
    bars = [None if np.isnan(v) else float(v) for v in h.posts[-DAY_HOURS:]]
    return pieces.tile(
        _ending("Posts", at), _last(at, h, NOW_HOURS, figures.count(value)), under,
        unit=f"in {NOW_HOURS} h", bars=bars,
    )  # fmt: skip


def _last(at: Scope, h: figures.Hours, hours: int, words: str) -> str:
    """A figure of the last hours, which opens into their posts."""
    exact = f"{h.last - hours * HOUR}-{h.last}"
    return pieces.inside("mentions", words, **at.choice.query(), at=exact)


def _inbox_tile(stamp: str, at: Scope) -> str:
    """Mentions of this time without an answer, and those whose thread nobody could read."""
    counts = data.case_counts(stamp, at.where)
    if not counts:
        under = "<em>no mention of this time has been looked at for an answer</em>"
        return pieces.tile("Unanswered", "–", under)
    states = {
        state: sum(r["cases"] for r in counts if r["thread_state"] == state)
        for state in ("unanswered", "unknown")
    }
    late = data.waiting(stamp, at.where, at.minute, HOUR)["late"]
    query = at.choice.query()
    waiting = f"{figures.count(late)} over target"
    unread = pieces.inside(
        "mentions", f"{figures.count(states['unknown'])} in threads not read",
        **query, answer="unknown",
    )  # fmt: skip
    under = (
        f"{'⚠ ' if late else ''}{pieces.inside('inbox', waiting, **query, due='late')}, "
        "copies left out"
        f"<br><em>{unread}: unknown</em>"
    )
    kind = "negative" if late else ""
    if states["unknown"] and not states["unanswered"]:
        under = f"none known<br><em>{unread}</em>"
        return pieces.tile("Unanswered", "?", under)  # not known, which is not nobody
    value = pieces.inside(
        "mentions", figures.count(states["unanswered"]), **query, answer="unanswered"
    )
    return pieces.tile("Unanswered", value, under, kind=kind)


def _spike_tile(at: Scope, opened: list[data.Row], heard: bool) -> str:
    title = "Spikes still open" if at.past else "Open spikes"
    if not opened and not heard:
        return pieces.tile(title, "?", "not known: the last hours were not heard in full")
    negative = sum(1 for s in opened if s["kind"].startswith("negative"))
    under = f"{negative} of them negative" if opened else _none_open(at)
    if opened:
        began = figures.ago(at.clock - min(s["start"] for s in opened))
        under += f"<br><em>the first began {began} ago</em>"
    if frame.spikes_of_all(at):
        under += "<br><em>of all platforms and languages</em>"
    kind = "negative" if negative else ""
    value = pieces.inside("spikes", figures.count(len(opened)), **at.choice.query())
    return pieces.tile(title, value, under, kind=kind)


def _none_open(at: Scope) -> str:
    return "none of this time" if at.past else "nothing outside its usual range"


def _ending(name: str, at: Scope) -> str:
    """``Posts now``, or of days that are over ``Posts at the end``."""
    return f"{name} at the end" if at.past else f"{name} now"


def _against(value: float | None, expected: figures.Usual | None) -> str:
    if value is None:
        return "not known: not all of these hours was heard"
    words = figures.times_usual(value, expected)
    if expected is None:
        return f"<em>{words}: too few earlier days</em>"
    sign = {-1: "▾ ", 0: "", 1: "▴ "}[expected.place(value)]
    return f"{sign}{words} <em>({figures.count(expected.low)}–{figures.count(expected.high)})</em>"


def _net_tile(at: Scope, h: figures.Hours) -> str:
    """Net sentiment of the last hours; of the last day where those hold too few posts."""
    window = NOW_HOURS
    now, before = figures.net_and_usual(h, window)
    if not now.enough:
        window = DAY_HOURS
        now, before = figures.net_and_usual(h, window)
    net, interval = now.net, now.interval
    if net is None or interval is None or not now.enough:
        return pieces.tile(
            _ending("Net sentiment", at), _last(at, h, window, "–"),
            f"<em>{figures.count(now.judged)} judged posts in 24 h: too few to say</em>",
        )  # fmt: skip
    low, high = interval
    if before is None:
        words_usual = "<em>no usual yet</em>"
    else:
        side = (
            "as usual"
            if low <= before <= high
            else "▾ below usual"
            if before > high
            else "▴ above usual"
        )
        words_usual = f"{side} <em>({figures.percent(before, True)})</em>"
    kind = "negative" if high < 0 else "positive" if low > 0 else ""
    return pieces.tile(
        _ending("Net sentiment", at), _last(at, h, window, figures.percent(net, True)),
        f"{words_usual}<br><em>95 % range {figures.percent(low, True)} to "
        f"{figures.percent(high, True)}, {figures.count(now.judged)} judged</em>",
        kind=kind, unit=f"in {window} h",
    )  # fmt: skip


def _regions(
    stamp: str, at: Scope, countries: Mapping[str, Tally], opened: list[data.Row],
    names: Mapping[str, str],
) -> None:  # fmt: skip
    total = sum((t for t in countries.values()), Tally())
    unknown = countries.get("", Tally()).posts
    share = figures.percent(unknown / total.posts if total.posts else None)
    frame.html(pieces.heading("Where from", f"{share} % of posts have no known place"))
    groups = data.settings().groups
    kinds = ["Map", "Countries"] + (["Own regions"] if groups else [])
    one = at.where.countries
    divided = len(one) == 1 and one[0]
    if divided:
        kinds.append("Divisions")
    picked = frame.draw(charts.world_map(countries, opened, frame.colours()), "live-map", pick=True)
    kind = st.segmented_control(
        "Table by", kinds[1:], default=kinds[1], key="live-table", label_visibility="collapsed"
    ) if len(kinds) > 2 else "Countries"  # fmt: skip
    label: dict[str, str | tuple[str, ...]] = {"": frame.UNKNOWN}
    if kind == "Own regions":
        table = figures.by_group(countries, groups)
        for name, codes in groups.items():
            if value := frame.group_value(name, codes, at.where.countries):
                label[name] = value
    elif kind == "Divisions" and divided:
        table = figures.tallies(data.counts(stamp, ("region", "label"), at.where), "region")
        label = {}  # no address names a division, or posts of the country that have none
    else:
        table = dict(countries)
        label |= {c: c for c in countries if c}
    frame.html(pieces.region_table(table, names, label, at.choice.query(), REGIONS))
    if picked and picked[0].get("code"):
        st.switch_page(
            "views/mentions.py",
            query_params={**at.choice.query(), "region": str(picked[0]["code"])},
        )


def _open_spikes(
    spikes: list[data.Row], opened: list[data.Row], at: Scope, names: Mapping[str, str],
    heard: bool,
) -> None:  # fmt: skip
    over = [s for s in spikes if s["end"] is not None]
    shown = (opened[:SPIKES] + sorted(over, key=lambda s: -s["end"]))[:SPIKES]
    more = len(spikes) - len(shown)
    aside = (
        pieces.inside("spikes", f"{more} more in this time", **at.choice.query())
        if more > 0
        else ""
    )
    frame.html(pieces.heading("Spikes", aside) + frame.spikes_of_all(at))
    if not shown and heard:
        frame.html(pieces.nothing("None in this time: everything stayed within its usual range."))
    elif not shown:
        frame.html(pieces.nothing("None is known: the last hours were not heard in full."))
    query = at.choice.query()
    frame.html("".join(pieces.spike(s, names, at.zone, at.clock, query) for s in shown))


def _unanswered(stamp: str, at: Scope, names: Mapping[str, str]) -> None:
    rows = data.unanswered(stamp, at.where, WAITING)
    frame.html(
        pieces.heading("Waiting for an answer", pieces.inside("inbox", "all", **at.choice.query()))
    )
    if not rows:
        frame.html(pieces.nothing("Nobody is known to wait for an answer."))
    frame.html(pieces.waiting(rows, names, at.clock, at.choice.query()))


def _newest(stamp: str, at: Scope, names: Mapping[str, str]) -> None:
    rows = data.mentions(stamp, at.where, NEWEST)
    frame.html(pieces.heading("Newest", pieces.inside("mentions", "all", **at.choice.query())))
    if not rows:
        frame.html(pieces.nothing("No post in this time fits the filter."))
    frame.html(pieces.posts(rows, names, at.clock, at.choice.query()))


frame.open_page("Live", show)
