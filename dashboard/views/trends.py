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
ROWS = 15  # of the table, before the others fold
HEADS = ("posts", "copies", "share", "negative", "positive", "unsure", "not judged", "net")
BY = ("brand", "country", "own region", "platform", "language")
WHAT = ("posts", "net sentiment", "negative share", "share of voice")
JUDGED = ("net sentiment", "negative share")
KEYS = {"own region": "region", "country": "region"}  # in an address, where it is not the name


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

    # A brand's share is of what is said about all brands, whichever of them are asked for.
    if by == "brand" and at.where.brands:
        around = data.counts(stamp, (column, "hour", "label"), replace(shown, brands=()))
    else:
        around = rows

    def own(name: str) -> list[tuple[int, int]]:
        """A platform of its own line has its own silence, too, and a brand its own beginning."""
        if by == "platform":
            return frame.unknown(stamp, replace(shown, platforms=(name,)))
        began = data.first_hour(stamp, (name,)) if by == "brand" else first
        return [(first, began), *gaps] if began > first else gaps

    whole = drawn(around, gaps)
    points, told = [], 0
    for name in order:
        if told == LINES:
            break
        line = drawn(lines[name], own(name))
        values = _values(line, whole, what)
        if any(value is not None for value in values):
            told += 1
            points += [
                {"at": p["at"], "end": p["end"], "value": value, "run": run, "name": name,
                 "series": title(name, by, names)}
                for p, value, run in zip(line, values, charts.runs(values), strict=True)
            ]  # fmt: skip
    unit = {"posts": "posts", "net sentiment": "net sentiment, −100 to +100"}.get(what, "%")
    if what == "share of voice":
        unit = f"% of the posts {'about all brands' if by == 'brand' else 'shown here'}"
    with frame.card("lines"):
        frame.html(
            pieces.heading(
                f"{what.capitalize()} by {by}", f"{unit}, per {figures.bucket_words(size)}"
            )
        )
        # A share needs no whole day to stand on; a count that is not over would be drawn as a fall.
        until = at.until if what == "posts" else None
        drawing = charts.shares(points, frame.colours(), at.zone, until=until)
        picked = frame.draw(drawing, "trend-lines", pick=True) if told else []
        frame.html(_drawn(told, len(order), what))
    _table(totals, figures.tally(r for r in around if r["hour"] >= at.since), by, names, at)
    _themes(stamp, at)
    _download(parts, by, at)
    if picked and (value := _filter(str(picked[0]["name"]), by, at)):
        frame.open_point(at, picked[0], **{KEYS.get(by, by): value})


def _drawn(told: int, of: int, what: str) -> str:
    """Which lines are drawn, where some are not."""
    if told == of:
        return ""
    if told < LINES:
        which = "The others have" if told else "Each has"
        few = f"{which} fewer than {figures.MIN_JUDGED} judged posts in each point"
        return pieces.nothing(f"{told} of {of} are drawn. {few}; the table has all.")
    enough = f" with {figures.MIN_JUDGED} judged posts in a point" if what in JUDGED else ""
    return pieces.nothing(f"The {LINES} largest of {of}{enough} are drawn; the table has all.")


def _filter(name: str, by: str, at: Scope) -> str | tuple[str, ...]:
    """What an address needs to open into the posts of a line or row; empty where none can."""
    groups = data.settings().groups
    if by == "own region" and name in groups:
        return frame.group_value(name, groups[name], at.where.countries)
    return "" if name == "elsewhere" else name or frame.UNKNOWN


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


def _table(
    totals: dict[str, Tally], whole: Tally, by: str, names: dict[str, str], at: Scope
) -> None:
    """Everything in figures, unknown included; each row and each judgement opens into its posts."""
    rows = []
    for name, t in sorted(totals.items(), key=lambda item: -item[1].posts):
        value = _filter(name, by, at)

        def posts(words: str, value: str | tuple[str, ...] = value, **more: str) -> str:
            """``words``, which must be safe already, as a link where an address names the row."""
            if not value:
                return pieces.Made(words)
            query = {**at.choice.query(), KEYS.get(by, by): value, **more}
            return pieces.inside("mentions", words, **query)

        rows.append(
            (
                posts(pieces.safe(title(name, by, names))),
                figures.count(t.posts),
                figures.count(t.copies),
                figures.share(t.posts, whole.posts),
                posts(figures.count(t.negative), label="negative"),
                posts(figures.count(t.positive), label="positive"),
                posts(figures.count(t.unsure), label="unsure"),
                posts(figures.count(t.unjudged), label="unjudged"),
                pieces.net_words(t),
            )
        )
    frame.html(pieces.heading("In this time", "net sentiment with its 95 % range"))
    heads = (by.capitalize(), *HEADS)
    frame.html(f'<div class="gs-wide">{pieces.plain_table(heads, rows[:ROWS])}</div>')
    if len(rows) > ROWS:  # seventy countries would push the themes off the screen
        with st.expander(f"{len(rows) - ROWS} more"):
            frame.html(f'<div class="gs-wide">{pieces.plain_table(heads, rows[ROWS:])}</div>')


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
