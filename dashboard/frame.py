"""The frame of every view: which slice of the data is asked for, kept in the address bar.

A view's address names its filter (``?brand=…&region=DE&span=7d``), so that it can be sent to someone
and opens the same. Regions are ISO country codes, ``group:NAME`` for the user's own groups, and
``unknown``. A span is a length back from now (or from the newest post, when that is old), or two dates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import charts, data, figures, listening, look, pieces
from dashboard.data import Filter
from dashboard.figures import DAY, HOUR, WEEK

SPANS = {
    "24h": 24 * HOUR,
    "3d": 3 * DAY,
    "7d": WEEK,
    "14d": 14 * DAY,
    "30d": 30 * DAY,
    "90d": 90 * DAY,
}
SPAN_WORDS = {
    "24h": "24 hours", "3d": "3 days", "7d": "7 days", "14d": "14 days", "30d": "30 days",
    "90d": "90 days", "all": "everything", "dates": "dates …",
}  # fmt: skip
DEFAULT_SPAN = "7d"
REFRESH = 5  # seconds between looks at the store
OLD = DAY  # when nothing is newer than this, "now" is the end of the data
FIRST_DAY, LAST_DAY = date(1970, 1, 2), date(2999, 12, 31)  # in every zone after the epoch
KEYS = ("brand", "region", "platform", "language", "span", "from", "to")
UNKNOWN = "unknown"
GROUP = "group:"
# What an address names within a filter: another filter has other pages, hours, themes and spellings.
WITHIN = ("page", "at", "theme", "spelling", "kind")


@dataclass(frozen=True, slots=True)
class Choice:
    """The filter as the address bar says it."""

    brands: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    span: str = DEFAULT_SPAN
    first: str = ""
    last: str = ""

    def query(self) -> dict[str, str | list[str]]:
        """The address bar's parameters; what is at its default is left out, except the span."""
        found: dict[str, str | list[str]] = {}
        for key, values in (
            ("brand", self.brands), ("region", self.regions), ("platform", self.platforms),
            ("language", self.languages),
        ):  # fmt: skip
            if values:
                found[key] = list(values)
        if self.first and self.last:
            found |= {"from": self.first, "to": self.last}
        else:
            found["span"] = self.span
        return found

    @property
    def plain(self) -> bool:
        return not (self.brands or self.regions or self.platforms or self.languages)


@dataclass(frozen=True, slots=True)
class Scope:
    """A choice made definite: the times it stands for, and the store's filter for it.

    ``until`` is the end of the time shown; ``clock`` is now (of old data: its end), by which ages and
    what is due are told whatever days are shown.
    """

    choice: Choice
    where: Filter
    since: int
    until: int
    live: bool
    newest: int
    zone: ZoneInfo
    clock: int

    @property
    def minute(self) -> int:
        """The begin of the minute of ``clock``: what is due is asked for anew each minute, not at each
        look."""
        return self.clock - self.clock % 60

    @property
    def past(self) -> bool:
        """Whether the time shown was over before now: its end is not now, and is not called so."""
        return self.until < self.clock

    @property
    def history(self) -> Filter:
        """The same slice with the weeks before it, from which the usual is learnt."""
        return replace(self.where, since=self.since - figures.HISTORY_WEEKS * WEEK)


def _valid_day(value: str) -> str:
    """A day as an address names it, or ""; of one that no clock reaches the nearest that one does."""
    try:
        return min(max(date.fromisoformat(value), FIRST_DAY), LAST_DAY).isoformat()
    except ValueError:
        return ""


def read_choice(params: Mapping[str, Sequence[str]]) -> Choice:
    """The filter that an address asks for; what cannot be read falls back to its default."""

    def many(key: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(v for v in params.get(key, ()) if v))

    def one(key: str) -> str:
        values = params.get(key, ())
        return values[0] if values else ""

    first, last = _valid_day(one("from")), _valid_day(one("to"))
    if not (first and last):
        first = last = ""
    elif last < first:
        first, last = last, first
    span = one("span")
    return Choice(
        many("brand"), many("region"), many("platform"), many("language"),
        span if span in SPANS or span == "all" else DEFAULT_SPAN, first, last,
    )  # fmt: skip


def countries_of(regions: Sequence[str], groups: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The country codes that regions stand for; "" is unknown. A group nobody defined holds none."""
    found: list[str] = []
    for region in regions:
        if region == UNKNOWN:
            found.append("")
        elif region.startswith(GROUP):
            found += groups.get(region.removeprefix(GROUP), ())
        else:
            found.append(region)
    # A region that stands for no country must show nothing, not everything.
    return tuple(dict.fromkeys(found)) or (("-",) if regions else ())


def group_value(
    name: str, codes: Sequence[str], countries: Sequence[str]
) -> str | tuple[str, ...]:  # fmt: skip
    """What ``region`` an address needs to open a group's row under a filter of these countries.

    ``countries`` are those of the filter; none means all. Of a group that is only partly in it, the
    row counts that part alone. Empty where no country of the group is in it.
    """
    shared = tuple(code for code in codes if code in countries)
    return f"{GROUP}{name}" if not countries or len(shared) == len(codes) else shared


def scope(
    choice: Choice, span: tuple[int, int], now: int, groups: Mapping[str, Sequence[str]], zone: ZoneInfo
) -> Scope:  # fmt: skip
    """Make a choice definite. ``span`` is the first and the last hour that the store has."""
    newest = span[1] + HOUR
    live = newest >= now - OLD
    clock = end = now if live else newest
    if choice.first:
        start = datetime.combine(date.fromisoformat(choice.first), time(), zone)
        stop = datetime.combine(date.fromisoformat(choice.last) + timedelta(days=1), time(), zone)
        since, until = int(start.timestamp()), int(stop.timestamp())
        live = live and until >= now
        if (
            not live
        ):  # counts are of whole hours of UTC: where the days of a zone are not, both ends are
            until -= until % HOUR
        end = min(until, clock) if clock > since else until  # hours to come are no silence
    elif choice.span == "all":
        since = span[0]
    else:
        since = end - SPANS[choice.span]
    since = figures.floor(since, figures.bucket_hours(end - since), zone)
    where = Filter(
        brands=choice.brands, platforms=choice.platforms, languages=tuple(
            "" if code == UNKNOWN else code for code in choice.languages
        ),
        countries=countries_of(choice.regions, groups), since=since, until=None if live else end,
    )  # fmt: skip
    return Scope(choice, where, since, end, live, newest, zone, clock)


# the page's part ----------------------------------------------------------------------------------


def current() -> Choice:
    """The choice of this page: the address bar's, else the one made on the page before."""
    params = {key: st.query_params.get_all(key) for key in KEYS}
    if not any(params.values()):
        kept = st.session_state.get("choice")
        if isinstance(kept, Choice):
            st.query_params.from_dict({**_others(), **kept.query()})
            return kept
    choice = read_choice(params)
    st.session_state["choice"] = choice
    return choice


def _others() -> dict[str, list[str]]:
    """Parameters that belong to a view rather than to the filter."""
    return {k: st.query_params.get_all(k) for k in st.query_params if k not in KEYS}


def _chosen() -> None:
    """Write what the filter's widgets say into the address bar."""
    picked = st.session_state
    span = picked.get("f_span", DEFAULT_SPAN)
    first = last = ""
    if span == "dates":
        days = picked.get("f_days") or picked.get("last_week")
        if not isinstance(days, tuple) or len(days) != 2:
            return  # the first of two days is chosen: wait for the second
        first, last = days[0].isoformat(), days[1].isoformat()
    choice = Choice(
        tuple(picked.get("f_brand", ())), tuple(picked.get("f_region", ())),
        tuple(picked.get("f_platform", ())), tuple(picked.get("f_language", ())),
        DEFAULT_SPAN if span == "dates" else span, first, last,
    )  # fmt: skip
    picked["choice"] = choice
    kept = {key: value for key, value in _others().items() if key not in WITHIN}
    st.query_params.from_dict({**kept, **choice.query()})


def region_words(region: str, names: Mapping[str, str]) -> str:
    if region == UNKNOWN:
        return "unknown"
    if region.startswith(GROUP):
        return region.removeprefix(GROUP)
    return names.get(region, region)


def words(choice: Choice, names: Mapping[str, str]) -> str:
    """The filter in a line: ``Aurora Air · Germany, France · all platforms · 7 days``."""
    parts = [
        ", ".join(choice.brands) or "all brands",
        ", ".join(region_words(r, names) for r in choice.regions) or "worldwide",
    ]
    if choice.platforms:
        parts.append(", ".join(choice.platforms))
    if choice.languages:
        parts.append(", ".join(choice.languages))
    parts.append(f"{choice.first} to {choice.last}" if choice.first else SPAN_WORDS[choice.span])
    return " · ".join(parts)


def filters(choice: Choice, stamp: str, span: tuple[int, int]) -> None:
    """The filter behind one button; every change goes to the address bar at once."""
    found = {name: list(values) for name, values in data.choices(stamp).items()}
    names = charts.names()
    groups = data.settings().groups
    regions = [f"{GROUP}{name}" for name in groups]
    regions += sorted((c for c in found["country"] if c), key=lambda c: names.get(c, c))
    regions.append(UNKNOWN)
    languages = [code or UNKNOWN for code in data.unknown_first(found["language"])]
    state = st.session_state
    for key, chosen, options in (
        ("f_brand", choice.brands, found["brand"]),
        ("f_region", choice.regions, regions),
        ("f_platform", choice.platforms, found["platform"]),
        ("f_language", choice.languages, languages),
    ):
        # What is asked for and has no post is chosen all the same: the next change would drop it.
        options += [v for v in chosen if v not in options]
        state[key] = list(chosen)
    state["f_span"] = "dates" if choice.first else choice.span
    with st.popover("Filter", icon=":material/tune:", width="content"):
        st.multiselect("Brand", found["brand"], key="f_brand", on_change=_chosen, placeholder="all")
        st.multiselect(
            "Region", regions, key="f_region", on_change=_chosen, placeholder="worldwide",
            format_func=lambda r: region_words(r, names),
        )  # fmt: skip
        st.multiselect(
            "Platform", found["platform"], key="f_platform", on_change=_chosen, placeholder="all"
        )
        st.multiselect(
            "Language", languages, key="f_language", on_change=_chosen, placeholder="all"
        )
        st.selectbox(
            "Time",
            list(SPAN_WORDS),
            key="f_span",
            on_change=_chosen,
            format_func=lambda name: SPAN_WORDS[name],
        )
        zone = data.settings().response.zone()
        newest = datetime.fromtimestamp(span[1], UTC).astimezone(zone).date()
        state["last_week"] = (newest - timedelta(days=6), newest)
        if choice.first:
            state["f_days"] = (date.fromisoformat(choice.first), date.fromisoformat(choice.last))
            st.date_input("Days", key="f_days", on_change=_chosen)
        else:
            state.pop("f_days", None)


def colours() -> look.Palette:
    """The palette of the theme that this browser shows."""
    try:
        return look.palette(st.context.theme.type)
    except (AttributeError, KeyError):
        return look.LIGHT


def card(name: str) -> DeltaGenerator:
    """A framed part of a page, to draw in with ``with``."""
    return st.container(border=True, key=f"card-{name}")


def html(body: str) -> None:
    """Draw HTML made by :mod:`dashboard.pieces`; scripts in it never run."""
    if body:
        st.html(body)


def draw(drawing: charts.Drawing, key: str, *, pick: bool = False) -> list[dict[str, object]]:
    """Draw a chart; with ``pick``, return what was clicked in it."""
    vega = drawing.vega()
    if not pick:
        st.vega_lite_chart(spec=vega, width="stretch", theme=None, key=key, alt=drawing.words)
        return []
    event = st.vega_lite_chart(
        spec=vega, width="stretch", theme=None, key=key, on_select="rerun", selection_mode="pick",
        alt=drawing.words,
    )  # fmt: skip
    chosen = event.get("selection", {}).get("pick", []) if event else []
    return list(chosen)


def open_point(at: Scope, point: Mapping[str, object], **more: str | Sequence[str]) -> None:
    """Go to the mentions of a point that was clicked in a chart; ``more`` narrows the filter."""
    exact = f"{point['at_s']}-{point['end_s']}"
    query: dict[str, str | Sequence[str]] = {**at.choice.query(), **more, "at": exact}
    st.switch_page("views/mentions.py", query_params=query)


def stop_when_nothing(state: data.State) -> None:
    """Say in plain words why there is nothing to show, and the next step; else do nothing."""
    if state.problem is None and data.span(state.stamp) is not None:
        return
    if state.problem == "missing":
        st.subheader("Nothing is stored yet")
        st.text(f"There is no database at {state.detail}.")
        _steps()
    elif state.problem == "busy":
        st.subheader("The database is being written to")
        st.text("Another process holds it whole for the moment. This page tries again by itself.")
    elif state.problem == "broken":
        st.subheader("The database cannot be read")
        st.text(state.detail)
    else:
        counts = data.status(state.stamp)["counts"]
        if counts["posts"] and not counts["mentions"]:
            st.subheader("No post names your brands yet")
            st.text(
                f"{counts['posts']} posts are stored and none of them matches keywords.yaml. "
                "`groundswell match --brand NAME` shows what is looked for."
            )
        elif counts["mentions"]:
            st.subheader("Posts are stored and wait to be counted")
            st.text(
                f"{counts['mentions']} mentions are stored. `groundswell run --once` judges, "
                "places and counts them; `groundswell run` keeps doing so."
            )
        else:
            st.subheader("Nothing is stored yet")
            st.text("The database is there and holds no post.")
            _steps()
    _wait(state)
    st.stop()


def _steps() -> None:
    st.text("To fill it, one of:")
    st.code("groundswell demo\ngroundswell import FILE.csv\ngroundswell run", language=None)


@st.fragment(run_every=5)
def _wait(state: data.State) -> None:
    """Look again every few seconds, and show the page as soon as there is something on it."""
    seen = data.state()
    if (seen.problem, seen.stamp) != (state.problem, state.stamp):
        st.rerun(scope="app")


def silence(stamp: str, platforms: Sequence[str] = ()) -> listening.Silence | None:
    """Whether nothing is being collected (of these platforms), and since when."""
    return listening.silence(
        data.status(stamp)["sources"], data.rounds(stamp),
        running=data.running() is not None, now=data.now(), platforms=platforms,
    )  # fmt: skip


def unknown(stamp: str, where: Filter) -> list[tuple[int, int]]:
    """Stretches in which counts are not known: too much is missing, or nobody listened."""
    found = data.gaps(stamp, where)
    quiet = silence(stamp, where.platforms)
    if quiet is not None and quiet.unknown is not None:
        found = [*found, (quiet.unknown, data.now())]
    return found


def heard_now(stamp: str, at: Scope) -> bool:
    """Whether the last full hours of the time shown were heard well enough to call them calm.

    Spikes are sought over all platforms, and by hours that are over: a source that fails now leaves a
    gap up to the hour that is running, and what happens since then is not known either.
    """
    everywhere = Filter(brands=at.where.brands, since=at.history.since)
    running = at.until - at.until % HOUR
    return not any(a < at.until and b >= running for a, b in unknown(stamp, everywhere))


def notices(stamp: str, at: Scope | None) -> None:
    """What must be known before a figure is read: made-up data, old data, silence, faults."""
    parts = []
    if data.has_demo(stamp):
        parts.append(
            pieces.notice(
                "demo", "<b>Demo data.</b> The brand, the people and their posts are invented."
            )
        )
    settings = data.settings()
    now = data.now()
    if at is not None and at.newest < now - OLD:
        parts.append(
            pieces.notice(
                "age",
                f"The newest post is of <b>{pieces.safe(figures.date(at.newest - HOUR, at.zone))}</b> "
                f"({pieces.safe(figures.ago(now - at.newest))} ago): “now” on this page is then.",
            )
        )
    quiet = silence(stamp)
    if quiet is not None and quiet.stopped:
        said = figures.clock if now - quiet.since < 2 * DAY else figures.date
        since = said(quiet.since, settings.response.zone())
        parts.append(
            pieces.notice(
                "fault",
                f"<b>Nothing is collected since {pieces.safe(since)}</b> "
                f"({pieces.safe(figures.ago(now - quiet.since))} ago): <code>groundswell run</code> "
                "does not run. What was said after that is not known.",
            )
        )
    status = data.status(stamp)
    for source in status["sources"]:
        if source["failures"]:
            since = (
                f"not heard since {figures.clock(source['last_ok_at'], settings.response.zone())}"
                if source["last_ok_at"]
                else "never heard yet"
            )
            parts.append(
                pieces.notice(
                    "fault",
                    f"<b>{pieces.safe(source['source'])}</b> is {pieces.safe(since)}: "
                    f"{pieces.safe(pieces.cut(source['last_error'] or '', 160))}",
                )
            )
    if settings.problem:
        first = settings.problem.splitlines()[0]
        parts.append(pieces.notice("fault", f"keywords.yaml is not in use: {pieces.safe(first)}"))
    html("".join(parts))


def spikes_of_all(at: Scope) -> str:
    """A line beside spikes where a part of the filter does not reach them; else nothing."""
    if not (at.where.platforms or at.where.languages):
        return ""
    return pieces.notice(
        "gap",
        "Spikes are sought by brand and region: platform and language do not narrow them.",
    )


def open_page(
    title: str, body: Callable[[str, Scope], None], *, with_filter: bool = True,
    living: bool = True, by_brand: bool = False,
) -> None:  # fmt: skip
    """The common head of a view, then its body.

    ``by_brand``: of the filter only the brands reach the body, and the head says no more than that.

    A ``living`` body is drawn again within seconds of new data. Where people read and click, the
    body stands still instead, and a button says that there is something new.
    """
    state = data.state()
    stop_when_nothing(state)
    span = data.span(state.stamp)
    assert span is not None
    choice = current()
    told = Choice(choice.brands, span="all") if by_brand else choice
    with st.container(horizontal=True, vertical_alignment="center"):
        if with_filter:
            filters(choice, state.stamp, span)
        html(
            f'<div class="gs-bar"><h1>{pieces.safe(title)}</h1>'
            f'<span class="gs-scope">{pieces.safe(words(told, charts.names()))}</span></div>'
        )

    def draw_now() -> None:
        fresh = data.state()
        if fresh.problem is not None:
            unread = "The database cannot be read just now; the last figures stand."
            html(pieces.notice("fault", unread))
            fresh = state
        reach = data.span(fresh.stamp) or span
        settings = data.settings()
        at = scope(choice, reach, data.now(), settings.groups, settings.response.zone())
        notices(fresh.stamp, at)
        body(fresh.stamp, at)

    if living:
        st.fragment(draw_now, run_every=REFRESH)()
    else:
        _something_new(state.stamp)
        draw_now()


@st.fragment(run_every=REFRESH)
def _something_new(shown: str) -> None:
    """A button, once the store has changed since this page was drawn."""
    fresh = data.state()
    if (
        fresh.problem is None
        and fresh.stamp != shown
        and st.button("Something new has come in: show it", icon=":material/refresh:")
    ):
        st.rerun(scope="app")


def page_number(value: str | None) -> int:
    """A number that an address names, such as its page; 0 for none or nonsense."""
    return int(value) if value and value.isdecimal() and len(value) < 6 else 0


def pages(page: int, more: bool, back: str, on: str) -> None:
    """Buttons to the page before (``back``) and after (``on``), which the address bar keeps."""

    def turn(to: int) -> None:
        if to:
            st.query_params["page"] = str(to)
        else:
            st.query_params.pop("page", None)

    with st.container(horizontal=True):
        if page:
            st.button(back, icon=":material/chevron_left:", on_click=turn, args=(page - 1,))
        if more:
            st.button(on, icon=":material/chevron_right:", on_click=turn, args=(page + 1,))


def csv_bytes(rows: Sequence[Mapping[str, object]]) -> bytes:
    """Rows as CSV; a cell that a spreadsheet would run as a formula is quoted."""
    table = pd.DataFrame([dict(row) for row in rows])
    for column in table.columns:
        table[column] = [
            f"'{v}" if isinstance(v, str) and v[:1] in ("=", "+", "-", "@", "\t", "\r") and v else v
            for v in table[column]
        ]
    return table.to_csv(index=False).encode()


def csv_button(words: str, rows: Sequence[Mapping[str, object]], name: str) -> None:
    """A button that hands out rows as CSV; they are written only when it is pressed."""
    st.download_button(
        words, lambda: csv_bytes(rows), file_name=name, mime="text/csv", icon=":material/download:"
    )
