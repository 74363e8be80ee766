"""Volume and sentiment over time by brand, region, platform or language, with a table to take away."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import charts, data, figures, frame, pieces, themes
from dashboard.figures import HOUR, Tally
from dashboard.frame import Scope

LINES = 6
THEMES = 12
BY = ("brand", "country", "own region", "platform", "language")
WHAT = ("posts", "net sentiment", "negative share", "share of voice")


def show(stamp: str, at: Scope) -> None:
    by, what = _pick()
    names = charts.names()
    column = "country" if by == "own region" else by
    size = figures.bucket_hours(at.until - at.since)
    if what != "posts":  # shares need posts enough to stand on
        size = max(size, 24 if at.until - at.since > 3 * figures.DAY else 6)
    # The first point is drawn whole, from before this time; the table is of this time alone.
    begin = figures.floor(at.since, size, at.zone)
    shown = replace(at.where, since=begin)
    rows = data.counts(stamp, (column, "hour", "label"), shown)
    lines = _parts(rows, by, column)
    parts = _parts([r for r in rows if r["hour"] >= at.since], by, column)
    totals = {name: figures.tally(part) for name, part in parts.items()}
    order = sorted((n for n in totals if n), key=lambda n: -totals[n].posts)
    gaps = frame.unknown(stamp, shown)
    first = max(begin, data.first_hour(stamp, at.where.brands))

    def drawn(part: list[data.Row], gaps: list[tuple[int, int]]) -> list[dict[str, Any]]:
        return figures.trend(figures.hours(part, first, at.until, gaps), first, size, at.zone)

    def own(name: str) -> list[tuple[int, int]]:
        """A platform of its own line has its own silence, too, and a brand its own beginning."""
        if by == "platform":
            return frame.unknown(stamp, replace(shown, platforms=(name,)))
        began = data.first_hour(stamp, (name,)) if by == "brand" else first
        return [(first, began), *gaps] if began > first else gaps

    series = {n: drawn(lines[n], own(n)) for n in order[:LINES]}
    whole = drawn(rows, gaps)
    points = [
        {
            "at": p["at"],
            "end": p["end"],
            "value": value,
            "series": title(name, by, names),
            "run": run,
        }
        for name, line in series.items()
        for p, value, run in zip(line, _values(line, whole, what), charts.runs(line), strict=True)
    ]
    unit = {"posts": "posts", "net sentiment": "net sentiment, −100 to +100"}.get(what, "%")
    with frame.card("lines"):
        frame.html(
            pieces.heading(
                f"{what.capitalize()} by {by}", f"{unit}, per {figures.bucket_words(size)}"
            )
        )
        # A share needs no whole day to stand on; a count that is not over would be drawn as a fall.
        until = at.until if what == "posts" else None
        drawing = charts.shares(points, frame.colours(), at.zone, until=until)
        frame.draw(drawing, "trend-lines")
        if len(order) > LINES:
            frame.html(
                pieces.nothing(f"The {LINES} largest of {len(order)} are drawn; the table has all.")
            )
    _table(totals, by, names, at)
    _themes(stamp, at)
    _download(parts, by, at)


def _themes(stamp: str, at: Scope) -> None:
    """Themes of complaint in this time, the most frequent first; each opens into its posts."""
    first, last = (themes.day_of(t, at.zone) for t in (at.since, at.until - 1))
    clock = figures.offsets(at.since, at.until, at.zone)
    found = themes.lines(data.themes(stamp, at.where, clock), first, last)
    upto = data.themes_upto(stamp, at.where.brands)
    frame.html(pieces.heading("Themes of complaint", themes.upto_words(upto, at.zone)))
    if not found:
        frame.html(themes.empty(upto))
        return
    frame.html(themes.table(found[:THEMES], at.until - figures.DAY, at.zone, at.choice.query()))
    if len(found) > THEMES:
        frame.html(pieces.nothing(f"The {THEMES} largest of {len(found)}."))


def _pick() -> tuple[str, str]:
    """What to split by and what to draw, kept in the address bar."""

    def said() -> None:
        for key in ("by", "what"):
            value = st.session_state[f"t_{key}"]
            if value:
                st.query_params[key] = value

    by, what = st.query_params.get("by", BY[0]), st.query_params.get("what", WHAT[0])
    by, what = by if by in BY else BY[0], what if what in WHAT else WHAT[0]
    st.session_state["t_by"], st.session_state["t_what"] = by, what
    options = [b for b in BY if b != "own region" or data.settings().groups]
    with st.container(horizontal=True):
        st.segmented_control("By", options, key="t_by", on_change=said)
        st.segmented_control("Of", WHAT, key="t_what", on_change=said)
    return by, what


def _parts(rows: list[data.Row], by: str, column: str) -> dict[str, list[data.Row]]:
    parts: dict[str, list[data.Row]] = {}
    if by == "own region":
        groups = data.settings().groups
        for row in rows:
            homes = [g for g, codes in groups.items() if row[column] in codes]
            for home in homes or (["elsewhere"] if row[column] else [""]):
                parts.setdefault(home, []).append(row)
    else:
        for row in rows:
            parts.setdefault(str(row[column]), []).append(row)
    return parts


def _values(
    line: list[dict[str, Any]], whole: list[dict[str, Any]], what: str
) -> list[float | None]:
    """One value a point; None in gaps and where too few posts were judged."""
    out: list[float | None] = []
    for p, all_of in zip(line, whole, strict=True):
        if what == "posts":
            out.append(p["posts"])
        elif what == "share of voice":
            known = p["posts"] is not None and all_of["posts"]
            out.append(100 * p["posts"] / all_of["posts"] if known else None)
        elif p["judged"] < figures.MIN_JUDGED:
            out.append(None)
        elif what == "net sentiment":
            out.append(100 * (p["positive"] - p["negative"]) / p["judged"])
        else:
            out.append(100 * p["negative"] / p["judged"])
    return out


def title(name: str, by: str, names: dict[str, str]) -> str:
    if not name:
        return "unknown"
    return names.get(name, name) if by == "country" else name


def _table(totals: dict[str, Tally], by: str, names: dict[str, str], at: Scope) -> None:
    """Everything in figures, unknown included; each row opens into its posts."""
    whole = sum(totals.values(), Tally())
    key = {"own region": "region", "country": "region"}.get(by, by)
    groups = data.settings().groups
    rows = []
    for name, t in sorted(totals.items(), key=lambda item: -item[1].posts):
        value: str | tuple[str, ...] = name or frame.UNKNOWN
        if by == "own region" and name in groups:
            value = frame.group_value(name, groups[name], at.where.countries)
        words = pieces.safe(title(name, by, names))
        link = (
            words
            if name == "elsewhere"
            else pieces.inside("mentions", words, **{**at.choice.query(), key: value})
        )
        rows.append(
            (
                link,
                figures.count(t.posts),
                figures.count(t.copies),
                f"{figures.percent(t.posts / whole.posts)} %" if whole.posts else "–",
                figures.count(t.negative),
                figures.count(t.positive),
                figures.count(t.unsure),
                figures.count(t.unjudged),
                pieces.net_words(t),
            )
        )
    frame.html(pieces.heading("In this time", "net sentiment with its 95 % range"))
    frame.html(
        '<div class="gs-wide">'
        + pieces.plain_table(
            (
                by.capitalize(),
                "posts",
                "copies",
                "share",
                "negative",
                "positive",
                "unsure",
                "not judged",
                "net",
            ),
            rows,
            links=True,
        )
        + "</div>"
    )


def _download(parts: dict[str, list[data.Row]], by: str, at: Scope) -> None:
    """The hourly counts behind the page, as CSV."""
    flat = [
        {
            "hour": pd.Timestamp(row["hour"], unit="s", tz="UTC").isoformat(),
            by: name,
            "label": row["label"] or "not judged",
            "posts": row["posts"],
            "copies": row["copies"],
        }
        for name, part in parts.items()
        for row in part
    ]
    frame.csv_button(
        "Hourly counts as CSV", flat, f"groundswell-{by.replace(' ', '-')}-{at.since // HOUR}.csv"
    )


frame.open_page("Trends", show)
