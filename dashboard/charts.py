"""Charts: rows in, a Vega-Lite chart out. Pure.

A chart is a spec that stays the same and rows that change: Streamlit then moves new rows into the
picture that is there, and a page that refreshes every few seconds does not flicker. The specs are made
with Altair and name their data "rows". Shapes of countries come with the package; nothing is fetched.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import altair as alt
import pandas as pd

from dashboard import figures
from dashboard.figures import Tally
from dashboard.look import Palette

ROWS = "rows"
Row = Mapping[str, Any]
SHORT = 7 * 60  # seconds; the ticks of so short a time would name the same minute twice
STRIP = 6  # pixels
_MAP_FULL = 0.5  # a net of ±50 points has the full colour


@dataclass(frozen=True)
class Drawing:
    """A spec that names its data, the rows, and what the picture shows in words."""

    spec: dict[str, Any]
    rows: pd.DataFrame
    words: str

    def vega(self) -> dict[str, Any]:
        """The spec with its rows, as ``st.vega_lite_chart`` takes it."""
        return {**self.spec, "datasets": {**self.spec.get("datasets", {}), ROWS: self.rows}}


@lru_cache(maxsize=1)
def world() -> dict[str, Any]:
    """Shapes (TopoJSON), names and middles of countries by ISO alpha-2 code."""
    text = (Path(__file__).with_name("static") / "world.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def names() -> dict[str, str]:
    """English names of countries by ISO alpha-2 code."""
    return dict(world()["names"])


def _spec(chart: Any, height: int) -> dict[str, Any]:
    """The chart as a plain dictionary whose data is named, with our own plain look."""
    spec: dict[str, Any] = chart.to_dict(validate=False)
    spec.pop("datasets", None)
    for layer in spec.get("layer", ()):
        layer.pop("data", None)  # each layer draws the rows of the whole
    spec["data"] = {"name": ROWS}
    spec["height"] = height
    spec["background"] = "transparent"
    spec["padding"] = {"left": 4, "right": 10, "top": 4, "bottom": 2}
    return spec


def _axis(colours: Palette, **more: Any) -> alt.Axis:
    return alt.Axis(
        labelColor=colours.muted,
        labelFontSize=13,
        titleColor=colours.muted,
        gridColor=colours.line,
        domain=False,
        ticks=False,
        labelPadding=6,
        title=None,
        **more,
    )


def _time_axis(colours: Palette, days: int) -> alt.X:
    """The time along the bottom, in hours, weekdays or dates as the span asks for."""
    form = {0: "%H:%M:%S", 1: "%H:%M", 4: "%a %H:%M", 15: "%a %d", 400: "%d %b"}.get(days, "%b %Y")
    # A tick a day where days are named, or each would be named twice.
    ticks: object = {"interval": "day", "step": 1} if days == 15 else 7
    more = {"labelOverlap": True, "labelFlush": True, "tickCount": ticks}
    return alt.X(
        "at:T",
        scale=alt.Scale(type="utc"),
        axis=_axis(colours, grid=False, format=form, **more),
    )


def _days(rows: Sequence[Row]) -> int:
    """How many days the rows reach over, in steps, so that a spec is not made anew each hour."""
    if not rows:
        return 15
    reach = (max(r["at"] for r in rows) - min(r["at"] for r in rows)) / figures.DAY
    return next((step for step in (1, 4, 15, 400) if reach <= step + 0.1), 10_000)


def _stamp(rows: list[dict[str, Any]], zone: ZoneInfo) -> pd.DataFrame:
    """Rows with their times as the wall clock of the zone; the epoch seconds stay beside them."""
    frame = pd.DataFrame(rows)
    for column in _NUMBERS & set(frame):
        frame[column] = pd.to_numeric(frame[column])  # all-None columns keep a number's type
    for column in ("at", "end", "from"):
        if column in frame:
            frame[f"{column}_s"] = frame[column]
            frame[column] = pd.to_datetime(
                [figures.wall(int(v), zone) for v in frame[column]], unit="ms"
            )
    return frame


_NUMBERS = {"posts", "copies", "negative", "net", "usual", "low", "high", "run", "judged", "value"}
_TREND = (
    "kind", "at", "end", "posts", "copies", "negative", "net", "usual", "low", "high", "words",
    "tone", "run", "judged", "alone",
)  # fmt: skip


def volume(
    points: Sequence[Row], spikes: Sequence[Row], gaps: Sequence[tuple[int, int]],
    colours: Palette, zone: ZoneInfo, *, until: int | None = None, height: int = 178,
) -> Drawing:  # fmt: skip
    """Posts over time with their usual range, negative ones beneath, spikes marked, gaps as gaps.

    A point whose time is not over ``until`` is drawn apart: it is no fall, only not finished.
    """
    rows = [
        {
            **p,
            "kind": "unfinished" if until is not None and p["end"] > until else "point",
            "run": run,
        }
        for p, run in zip(points, runs(p["posts"] for p in points), strict=True)
    ]
    rows = _alone(rows, "posts")
    if points:
        first, last = points[0]["at"], points[-1]["end"]
        for a, b in gaps:
            if b > first and a < last:
                why = "not known: a source had more than it gave, or nothing was collected"
                rows.append({"kind": "gap", "at": max(a, first), "end": min(b, last), "words": why})
        for s in _worst_last(spikes):
            rows += _marks(s, points)
    frame = (
        _stamp([{**dict.fromkeys(_TREND), **r} for r in rows], zone)
        if rows
        else pd.DataFrame(columns=list(_TREND))
    )
    known = sum(1 for p in points if p["posts"] is not None)
    words = f"{len(points)} points, {known} of them known, {len(spikes)} spikes"
    return Drawing(_volume_spec(colours, height, _days(points)), frame, words)


def _worst_last(spikes: Sequence[Row]) -> list[Row]:
    """Spikes in the order in which they are drawn: several have one peak, and the last lies on top."""
    return sorted(spikes, key=lambda s: s["severity"])


def _marks(s: Row, points: Sequence[Row]) -> list[dict[str, Any]]:
    """A spike as a sign at its peak and a stretch along the top."""
    first, last = points[0]["at"], points[-1]["end"]
    at_peak = [p["posts"] for p in points if p["at"] <= s["peak"] < p["end"] and p["posts"]]
    height = at_peak[0] if at_peak else max((p["posts"] or 0 for p in points), default=0)
    tone = {"positive": "positive", "volume": "plain"}.get(s["kind"], "negative")
    words = f"{s['brand']}: {s['kind']} spike, {s['place']}"
    return [
        {"kind": "spike", "at": min(max(s["peak"], first), last), "end": last, "posts": height,
         "words": words, "tone": tone},
        {"kind": "stretch", "at": max(s["start"], first), "end": min(s["end"] or last, last),
         "words": words, "tone": tone},
    ]  # fmt: skip


@lru_cache(maxsize=8)
def _volume_spec(colours: Palette, height: int, days: int) -> dict[str, Any]:
    x = _time_axis(colours, days)
    y = alt.Y(
        "posts:Q",
        axis=_axis(colours, tickCount=4, format=",d"),
        scale=alt.Scale(zero=True, nice=True),
    )
    tooltip = [
        alt.Tooltip("at:T", title="from", format="%a %d %b %H:%M"),
        alt.Tooltip("posts:Q", title="posts", format=",.0f"),
        alt.Tooltip("copies:Q", title="of these copies", format=",.0f"),
        alt.Tooltip("negative:Q", title="negative", format=",.0f"),
        alt.Tooltip("usual:Q", title="usual", format=",.0f"),
    ]
    pick = alt.selection_point(
        name="pick", fields=["at_s", "end_s"], on="click", nearest=True, empty=False
    )
    tone = alt.Color("tone:N", scale=_tones(colours), legend=None)

    def only(test: str) -> Any:
        return alt.Chart().transform_filter(test)

    known = "datum.kind == 'point' && isValid(datum.posts)"
    chart = alt.layer(
        only("datum.kind == 'gap'")
        .mark_rect(color=colours.gap, opacity=0.45)
        .encode(x=x, x2="end:T", tooltip=["words:N"]),
        # Along the top: over the whole height, that of a rise in posts was as grey as a gap.
        only("datum.kind == 'stretch'")
        .mark_rect(opacity=0.7)
        .encode(
            x=x, x2="end:T", y=alt.value(0), y2=alt.value(STRIP), tooltip=["words:N"], color=tone
        ),
        only("datum.kind == 'point' && isValid(datum.low)")
        .mark_area(color=colours.usual, opacity=0.28, interpolate="monotone")
        .encode(x=x, y=alt.Y("low:Q"), y2="high:Q"),
        only(known)
        .mark_area(color=colours.negative, opacity=0.75)
        .encode(x=x, y=alt.Y("negative:Q"), detail="run:N"),
        only(known).mark_line(color=colours.text, strokeWidth=2.2).encode(x=x, y=y, detail="run:N"),
        only("datum.alone")
        .mark_point(color=colours.text, filled=True, size=34, opacity=1)
        .encode(x=x, y=y),
        only("datum.kind == 'unfinished' && isValid(datum.posts)")
        .mark_point(color=colours.text, filled=False, size=46, strokeWidth=2, opacity=1)
        .encode(x=x, y=y, tooltip=tooltip),
        only("(datum.kind == 'point' || datum.kind == 'unfinished') && isValid(datum.posts)")
        .mark_point(opacity=0, size=120)
        .encode(x=x, y=y, tooltip=tooltip)
        .add_params(pick),
        only("datum.kind == 'spike'")
        .mark_point(shape="triangle-down", size=150, filled=True, opacity=1, yOffset=-14)
        .encode(x=x, y=y, tooltip=["words:N"], color=tone),
    )
    return _spec(chart, height)


def net(
    points: Sequence[Row], colours: Palette, zone: ZoneInfo, *, since: int = 0, height: int = 72
) -> Drawing:  # fmt: skip
    """Net sentiment over time: above the line in blue, below in orange, nothing where too few.

    A point that began before ``since`` is drawn from there on, so that the time along the bottom is
    that of the picture above; its words name the whole of it.
    """
    rows = [
        {**dict.fromkeys(_TREND), **p, "kind": "point", "at": max(p["at"], since), "from": p["at"],
         "net": None if p["net"] is None else p["net"] * 100}
        for p in points
    ]  # fmt: skip
    frame = _stamp(rows, zone) if rows else pd.DataFrame(columns=list(_TREND))
    return Drawing(_net_spec(colours, height, _days(points)), frame, "net sentiment over time")


@lru_cache(maxsize=8)
def _net_spec(colours: Palette, height: int, days: int) -> dict[str, Any]:
    y = alt.Y(
        "net:Q",
        scale=alt.Scale(domain=[-100, 100]),
        axis=_axis(colours, values=[-100, 0, 100], format="+d"),
    )
    base = alt.Chart()
    x = _time_axis(colours, days)
    two = alt.condition("datum.net < 0", alt.value(colours.negative), alt.value(colours.positive))
    tooltip = [
        alt.Tooltip("from:T", title="from", format="%a %d %b %H:%M"),
        alt.Tooltip("net:Q", title="net sentiment", format="+.0f"),
        alt.Tooltip("judged:Q", title="posts judged", format=",.0f"),
    ]
    bars = (
        base.transform_filter("isValid(datum.net)")
        .mark_rect()
        .encode(x=x, x2="end:T", y=y, y2=alt.Y2Datum(0), color=two, tooltip=tooltip)
    )
    rule = base.mark_rule(color=colours.muted).encode(y=alt.YDatum(0))
    # Points without a net keep the time axis the same as the volume's above it.
    whole = base.mark_point(opacity=0).encode(x=x)
    return _spec(alt.layer(bars, rule, whole), height)


def _tones(colours: Palette) -> alt.Scale:
    return alt.Scale(
        domain=["negative", "plain", "positive"],
        range=[colours.negative, colours.text, colours.positive],
    )


def runs(values: Iterable[float | None]) -> list[int]:
    """A number for each unbroken run of known values: a line is drawn within one, not across."""
    out, run = [], 0
    for value in values:
        if value is None:
            run += 1
        out.append(run)
    return out


def _alone(rows: Sequence[dict[str, Any]], value: str) -> list[dict[str, Any]]:
    """The rows with ``alone`` where one is a whole run by itself: a line of one point is not seen."""
    known = [r["kind"] == "point" and r[value] is not None for r in rows]
    runs = [(r.get("series"), r["run"]) for r in rows]
    size = Counter(run for run, counts in zip(runs, known, strict=True) if counts)
    return [
        {**r, "alone": counts and size[run] == 1}
        for r, run, counts in zip(rows, runs, known, strict=True)
    ]


def world_map(
    countries: Mapping[str, Tally], spikes: Sequence[Row], colours: Palette, *, height: int = 215
) -> Drawing:
    """Net sentiment by country. Too few posts get a pattern of their own and no colour; unknown
    places are told beside the map. Open spikes are ringed."""
    atlas = world()
    opened = {s["region"]: s["kind"] for s in _worst_last(spikes) if s["end"] is None}
    rows = []
    for code, (lon, lat) in atlas["points"].items():
        t = countries.get(code, Tally())
        if not t.posts and code not in opened:
            continue
        low, high = t.interval or (None, None)
        rows.append(
            {
                "code": code,
                "name": atlas["names"][code],
                "lon": lon,
                "lat": lat,
                "posts": t.posts,
                "judged": t.judged,
                "net": None if t.net is None else round(t.net * 100),
                "range": "–"
                if low is None or high is None
                else f"{figures.percent(low, True)} to {figures.percent(high, True)}",
                "shade": t.net if t.net is not None and t.enough else None,
                "state": "enough" if t.enough else "few" if t.posts else "none",
                "small": code in atlas["small"],
                "spike": opened.get(code, ""),
            }
        )
    columns = [
        "code",
        "name",
        "lon",
        "lat",
        "posts",
        "judged",
        "net",
        "range",
        "shade",
        "state",
        "small",
        "spike",
    ]
    frame = pd.DataFrame(rows, columns=columns)
    return Drawing(_map_spec(colours, height), frame, f"net sentiment of {len(rows)} countries")


@lru_cache(maxsize=8)
def _map_spec(colours: Palette, height: int) -> dict[str, Any]:
    fields = ["code", "name", "posts", "judged", "net", "range", "shade", "state", "spike"]
    tooltip = [
        alt.Tooltip("name:N", title="country"),
        alt.Tooltip("posts:Q", title="posts", format=",.0f"),
        alt.Tooltip("net:Q", title="net sentiment", format="+.0f"),
        alt.Tooltip("range:N", title="95 % range"),
        alt.Tooltip("spike:N", title="open spike"),
    ]
    shade = alt.Color(
        "shade:Q",
        scale=alt.Scale(
            domain=[-_MAP_FULL, _MAP_FULL],
            range=list(colours.diverging),
            clamp=True,
            interpolate="lab",
        ),
        legend=None,
    )
    pick = alt.selection_point(name="pick", fields=["code"], on="click", empty=False)
    land = alt.InlineData(values=[])
    shapes = alt.Chart(land).mark_geoshape(stroke=colours.sea, strokeWidth=0.6)
    lookup = {
        "lookup": "properties.code",
        "from": {"data": {"name": ROWS}, "key": "code", "fields": fields},
    }
    ground = shapes.encode(color=alt.value(colours.land))
    few = shapes.encode(color=alt.value(colours.gap), tooltip=tooltip)
    full = shapes.encode(color=shade, tooltip=tooltip)
    spots = (
        alt.Chart()
        .transform_filter("datum.small && datum.state != 'none'")
        .mark_circle(size=70, stroke=colours.text, strokeWidth=0.7, opacity=1)
        .encode(
            longitude="lon:Q",
            latitude="lat:Q",
            tooltip=tooltip,
            color=alt.condition("isValid(datum.shade)", shade, alt.value(colours.gap)),
        )
    )
    rings = (
        alt.Chart()
        .transform_filter("datum.spike != ''")
        .mark_point(size=420, strokeWidth=3, color=colours.text, filled=False, opacity=1)
        .encode(longitude="lon:Q", latitude="lat:Q", tooltip=tooltip)
    )
    spec: dict[str, Any] = alt.layer(ground, few, full.add_params(pick), spots, rings).to_dict(
        validate=False
    )
    topology = world()["topology"]
    shared = {"name": "land", "format": {"type": "topojson", "feature": "countries"}}
    for index, state in ((0, None), (1, "few"), (2, "enough")):
        spec["layer"][index]["data"] = shared
        if state:
            spec["layer"][index]["transform"] = [lookup, {"filter": f"datum.state == '{state}'"}]
    for index in (3, 4):
        spec["layer"][index]["data"] = {"name": ROWS}
    spec["datasets"] = {"land": topology}
    spec["projection"] = {"type": "equalEarth", "rotate": [-11, 0, 0]}
    spec["height"] = height
    spec["background"] = "transparent"
    spec["padding"] = 0
    spec["view"] = {"stroke": None}
    return spec


def shares(
    rows: Sequence[Row], colours: Palette, zone: ZoneInfo, *, until: int | None = None,
    height: int = 300,
) -> Drawing:  # fmt: skip
    """Lines over time, one for each ``series`` (at most eight), of ``value``; gaps break a line.

    A point whose time is not over ``until`` is drawn apart, as in :func:`volume`; one that stands
    between two gaps is a dot. ``name`` is what a click gives of its series.
    """
    empty = pd.DataFrame(columns=["at", "end", "value", "series", "name", "run", "kind", "alone"])
    made = [
        {**r, "kind": "unfinished" if until is not None and r["end"] > until else "point"}
        for r in rows
    ]
    made = _alone(made, "value")
    frame = _stamp(made, zone) if made else empty
    words = f"{frame['series'].nunique()} lines over time"
    return Drawing(_shares_spec(colours, height, _days(rows)), frame, words)


@lru_cache(maxsize=8)
def _shares_spec(colours: Palette, height: int, days: int) -> dict[str, Any]:
    x = _time_axis(colours, days)
    base = alt.Chart().transform_filter("isValid(datum.value)")
    hues = [
        colours.positive, colours.negative, colours.text, "#2A9D8F", "#9B6BCE", "#C9A227",
        "#7A8CA3", "#D16BA5",
    ]  # fmt: skip
    legend = alt.Legend(
        orient="bottom", title=None, labelColor=colours.text, labelFontSize=13, columns=3,
        symbolType="stroke", symbolStrokeWidth=3,
    )  # fmt: skip
    hue = alt.Color("series:N", scale=alt.Scale(range=hues), legend=legend)
    y = alt.Y("value:Q", axis=_axis(colours, tickCount=5))
    line = (
        base.transform_filter("datum.kind == 'point'")
        .mark_line(strokeWidth=2)
        .encode(
            x=x,
            y=y,
            detail="run:N",
            color=hue,
            strokeDash=alt.StrokeDash("series:N", legend=None),
        )
    )
    unfinished = (
        base.transform_filter("datum.kind == 'unfinished'")
        .mark_point(filled=False, size=46, strokeWidth=2, opacity=1)
        .encode(x=x, y=y, color=hue)
    )
    tooltip = [
        alt.Tooltip("series:N"),
        alt.Tooltip("at:T", format="%a %d %b %H:%M", title="from"),
        alt.Tooltip("value:Q", format=",.1f"),
    ]
    alone = (
        base.transform_filter("datum.alone")
        .mark_point(filled=True, size=40, opacity=1)
        .encode(x=x, y=y, color=hue)
    )
    pick = alt.selection_point(
        name="pick", fields=["at_s", "end_s", "name"], on="click", nearest=True, empty=False
    )
    dots = base.mark_point(opacity=0, size=80).encode(x=x, y="value:Q", tooltip=tooltip)
    return _spec(alt.layer(line, unfinished, alone, dots.add_params(pick)), height)


OUTCOMES = ("complete", "truncated", "limited", "failed")


def outcome(row: Row) -> str:
    """How a request of the ledger went, in one of OUTCOMES."""
    if row["limited"]:
        return "limited"
    return "failed" if row["failed"] else "truncated" if row["truncated"] else "complete"


def ledger(rows: Sequence[Row], colours: Palette, zone: ZoneInfo, *, height: int = 240) -> Drawing:
    """What each source was asked and gave: a mark for each request, by how it went."""
    made = [
        {"at": r["at"], "source": r["source"], "returned": r["returned"], "new": r["new"],
         "outcome": outcome(r), "why": (r["failed"] or "")[:200]}
        for r in rows
    ]  # fmt: skip
    frame = _stamp(made, zone) if made else pd.DataFrame(columns=["at", "source", "outcome"])
    days = _days(rows)
    if rows and max(r["at"] for r in rows) - min(r["at"] for r in rows) < SHORT:
        days = 0
    return Drawing(_ledger_spec(colours, height, days), frame, f"{len(made)} requests over time")


@lru_cache(maxsize=8)
def _ledger_spec(colours: Palette, height: int, days: int) -> dict[str, Any]:
    hues = [colours.positive, colours.neutral, colours.usual, colours.negative]
    legend = alt.Legend(orient="bottom", title=None, labelColor=colours.text)
    known = list(OUTCOMES)
    shapes = alt.Scale(domain=known, range=["circle", "square", "diamond", "cross"])
    chart = (
        alt.Chart()
        .mark_point(filled=True, size=70, opacity=0.9)
        .encode(
            x=_time_axis(colours, days),
            y=alt.Y("source:N", axis=_axis(colours, labelLimit=110)),
            color=alt.Color("outcome:N", scale=alt.Scale(domain=known, range=hues), legend=legend),
            shape=alt.Shape("outcome:N", scale=shapes, legend=legend),
            tooltip=[
                alt.Tooltip("source:N"), alt.Tooltip("outcome:N"), alt.Tooltip("returned:Q"),
                alt.Tooltip("new:Q"), alt.Tooltip("why:N"),
                alt.Tooltip("at:T", format="%a %d %b %H:%M"),
            ],
        )
    )  # fmt: skip
    return _spec(chart, height)
