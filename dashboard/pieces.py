"""Pieces of a page as HTML. Rows in, text out; pure.

What others wrote is hostile here: every value goes through :func:`safe` before it is put into HTML, and
nothing is ever passed through markdown. A post names no image, frame or script that a page would fetch;
its own address is offered as a link only over https, and opens elsewhere without a referrer.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from zoneinfo import ZoneInfo

from dashboard import figures
from dashboard.look import SIGNS, WORDS

Row = Mapping[str, Any]
SHOWN = 320  # characters of a post in a list; the mentions view shows all of it
UNIT = 9  # characters of a figure with its unit ("16.8 s", "under 1 %"), which stay in one line
MARKS = 4  # combining marks in a row that a letter keeps: more only paint over other lines


def calm(text: str) -> str:
    """A text without what breaks the page around it: control characters and towers of marks.

    Direction overrides are taken out (each post stands in an isolated element of its own direction,
    so right-to-left scripts read as they should without them).
    """
    out: list[str] = []
    marks = 0
    for letter in text:
        category = unicodedata.category(letter)
        if category in ("Mn", "Me"):
            marks += 1
            if marks > MARKS:
                continue
        else:
            marks = 0
        if category == "Cs" or letter in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069":
            continue
        if category == "Cc" and letter not in "\n\t":
            continue
        out.append(letter)
    return "".join(out)


def safe(value: object) -> str:
    """Any value as HTML text: nothing in it is markup any more."""
    return escape(calm(str(value)), quote=True)


def cut(text: str, most: int = SHOWN) -> str:
    """At most so many characters, with "…" where some are left out."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def outside(url: str | None) -> str:
    """A link to the post on its platform, or nothing when its address is not plain https."""
    try:
        parts = urlsplit(url or "")
        host = parts.hostname
    except ValueError:
        return ""
    if parts.scheme != "https" or not host or parts.username or parts.password or not url:
        return ""
    return (
        f'<a class="gs-out" href="{escape(url, quote=True)}" target="_blank" '
        f'rel="noopener noreferrer nofollow" title="opens {safe(host)}">{safe(host)} ↗</a>'
    )


class Made(str):
    """HTML of ours, made safe already: what a table takes as it is."""

    __slots__ = ()


def inside(page: str, words: str, /, **query: object) -> Made:
    """A link to another view of ours with its filter; ``words`` must be safe already."""
    pairs = [
        (key, str(one))
        for key, value in query.items()
        for one in (value if isinstance(value, list | tuple) else (value,))
        if one not in (None, "")
    ]
    target = f"/{quote(page)}" + (f"?{urlencode(pairs)}" if pairs else "")
    return Made(f'<a class="gs-in" href="{escape(target, quote=True)}" target="_self">{words}</a>')


def label(name: str | None, *, word: bool = True) -> str:
    """A judgement as its sign and word; the class gives the colour."""
    key = name or ""
    kind = key or "unjudged"
    text = f" {safe(WORDS.get(key, key))}" if word else ""
    title = safe(WORDS.get(key, key))
    sign = SIGNS.get(key, "●")
    return f'<span class="gs-label gs-{safe(kind)}" title="{title}">{sign}{text}</span>'


def tile(
    name: str, value: str, under: str, *, kind: str = "", bars: Sequence[float | None] = (),
    unit: str = "",
) -> str:  # fmt: skip
    """A figure to be read from across the room. ``value`` and ``under`` must be safe already."""
    strip = ""
    known = [b for b in bars if b is not None]
    if known:
        top = max(known) or 1
        strip = (
            '<div class="gs-bars" aria-hidden="true">'
            + "".join(
                '<i class="gs-hole"></i>'
                if b is None
                else f'<i style="height:{max(2, round(100 * b / top))}%"></i>'
                for b in bars
            )
            + "</div>"
        )
    unit = f"<small>{safe(unit)}</small>" if unit else ""
    return (
        f'<div class="gs-tile gs-{safe(kind or "plain")}"><div class="gs-name">{safe(name)}</div>'
        f'<div class="gs-value">{value}{unit}</div><div class="gs-under">{under}</div>{strip}</div>'
    )


def tiles(parts: Sequence[str]) -> str:
    return f'<div class="gs-tiles">{"".join(parts)}</div>'


def notice(kind: str, words: str) -> str:
    """A line across the page; ``words`` must be safe already. Kinds: demo, age, gap, fault."""
    return f'<div class="gs-notice gs-{safe(kind)}" role="status">{words}</div>'


def heading(words: str, aside: str = "") -> str:
    """A small title over a part of a page; ``aside`` must be safe already."""
    more = f"<span>{aside}</span>" if aside else ""
    return f'<div class="gs-heading"><h3>{safe(words)}</h3>{more}</div>'


def nothing(words: str) -> str:
    return f'<div class="gs-nothing">{safe(words)}</div>'


def where_from(row: Row, names: Mapping[str, str]) -> str:
    """Country and basis in words; unknown is said."""
    code = row.get("country")
    if not code:
        return "place unknown" if row.get("basis") else "not placed yet"
    name = names.get(code, code)
    basis = row.get("basis")
    return f"{name} ({basis})" if basis else name


def why_gone(row: Row) -> str:
    """In place of the text of a post that is here no longer."""
    return (
        "kept no longer: past the time in retention"
        if row.get("gone") == "expired"
        else "deleted by its author"
    )


def post(
    row: Row, names: Mapping[str, str], now: int, *, full: bool = False,
    query: Mapping[str, Any] | None = None,
) -> str:  # fmt: skip
    """One mention: who, where, when, the judgement, and the text as text.

    With ``query``, the filter of the page, its age opens it whole.
    """
    gone = row.get("deleted_at")
    text = str(row.get("text") or "")
    shown = why_gone(row) if gone else text if full else cut(text)
    who = str(row.get("author_handle") or row.get("author_name") or "author unknown")
    age = f'<time title="published">{safe(figures.ago(now - row["created_at"]))} ago</time>'
    facts = [
        f"<b>{safe(cut(who, 40))}</b>",
        safe(row["platform"]),
        safe(where_from(row, names)),
        age if query is None else inside("mentions", age, **{**query, "post": row["key"]}),
    ]
    extra = []
    if row.get("copy"):
        extra.append('<span class="gs-tag">copy</span>')
    if row.get("wrong"):
        extra.append('<span class="gs-tag">not this brand</span>')
    if str(row.get("override") or "").startswith("human"):
        extra.append('<span class="gs-tag">set by a person</span>')
    if row.get("demo"):
        extra.append('<span class="gs-tag gs-made-up">demo</span>')
    return (
        f'<div class="gs-post{" gs-gone" if gone else ""}">'
        f'<div class="gs-side">{label(row.get("label"), word=False)}</div><div class="gs-body">'
        f'<div class="gs-facts">{" · ".join(facts)} · {safe(row["brand"])} {"".join(extra)}</div>'
        f'<div class="gs-text{"" if full else " gs-clamp"}" dir="auto">{safe(shown)}</div>'
        f"</div></div>"
    )


def posts(
    rows: Sequence[Row], names: Mapping[str, str], now: int, query: Mapping[str, Any] | None = None
) -> str:
    return (
        '<div class="gs-posts">'
        + "".join(post(row, names, now, query=query) for row in rows)
        + "</div>"
    )


def due(row: Row, now: int) -> str:
    """The age of an unanswered mention against its target, as a bar and in words."""
    published, target = int(row["created_at"]), row.get("due_at")
    age = now - published
    if target is None:
        return f'<div class="gs-due"><span>{safe(figures.ago(age))} old, no target</span></div>'
    allowed = max(1, int(target) - published)
    share = min(1.0, age / allowed)
    late = now - int(target)
    words = f"⚠ {figures.ago(late)} over target" if late > 0 else f"due in {figures.ago(-late)}"
    kind = "late" if late > 0 else "soon" if share > 0.5 else "fine"
    return (
        f'<div class="gs-due gs-{kind}"><span>{safe(words)}</span>'
        f'<div class="gs-track"><i style="width:{round(100 * share)}%"></i></div></div>'
    )


def waiting(
    rows: Sequence[Row], names: Mapping[str, str], now: int, query: Mapping[str, Any] | None = None
) -> str:
    """Unanswered mentions with their clocks."""
    parts = [
        f'<div class="gs-case">{due(row, now)}{post(row, names, now, query=query)}</div>'
        for row in rows
    ]
    return f'<div class="gs-cases">{"".join(parts)}</div>'


def region_name(region: str, names: Mapping[str, str]) -> str:
    """The name of a region code: "*" is everywhere, "" is unknown."""
    return {"*": "everywhere", "": "unknown"}.get(region) or names.get(region, region)


def tone_of(row: Row) -> str:
    """The sign of a spike's kind."""
    return {"negative": "▼", "negative share": "▼", "positive": "▲"}.get(row["kind"], "■")


def spike(
    row: Row, names: Mapping[str, str], zone: ZoneInfo, now: int,
    query: Mapping[str, Any] | None = None,
) -> str:  # fmt: skip
    """What left its usual range, where, since when and by how much; with ``query``, the filter of the
    page, the way to its posts."""
    over = row["end"] is not None
    sign = tone_of(row)
    word = {
        "negative": "more negative posts", "negative share": "a larger negative share",
        "volume": "more posts", "positive": "more positive posts",
    }.get(row["kind"], row["kind"])  # fmt: skip
    figure = f"{figures.count(row['observed'])} where {figures.usually(row['expected'])}"
    more = [k for k in row.get("also", ()) if not (k == "negative share" and tone_of(row) == "▼")]
    also = f" <small>also: {safe(', '.join(more))}</small>" if more else ""
    when = (
        f"{figures.clock(row['start'], zone)} to {figures.clock(row['end'], zone)}"
        if over
        else f"since {figures.clock(row['start'], zone)} ({figures.ago(now - row['start'])})"
    )
    kind = "over" if over else "open"
    tone = "negative" if sign == "▼" else "positive" if sign == "▲" else "plain"
    way = ""
    if query is not None:
        way = f" · {inside('spikes', 'why, and its posts', **{**query, 'spike': row['id']})}"
    return (
        f'<div class="gs-spike gs-{kind} gs-tone-{tone}"><div class="gs-what">'
        f'<span class="gs-sign">{sign}</span> <b>{safe(row["brand"])}</b>: {safe(word)}, '
        f"{safe(region_name(row['region'], names))}</div>"
        f'<div class="gs-figure">{safe(figure)}{also}</div>'
        f'<div class="gs-when">{safe(when)}{"" if over else " · still open"}{way}'
        f"</div></div>"
    )


def net_range(t: figures.Tally) -> str:
    """Net sentiment as a dot with its 95 % range on a line from −100 to +100; no colour of few."""
    net, interval = t.net, t.interval
    if net is None or interval is None:
        return '<span title="nothing judged">–</span>'
    low, high = interval
    tone = "" if not t.enough else "gs-negative" if high < 0 else "gs-positive" if low > 0 else ""
    words = (
        f"{figures.percent(net, True)} ({figures.percent(low, True)} to "
        f"{figures.percent(high, True)})" + ("" if t.enough else ", too few posts")
    )
    if not t.enough:
        return f'<span class="gs-few" title="{safe(words)}">too few</span>'
    left, right = 50 + 50 * low, 50 + 50 * high
    return (
        f'<span class="gs-range {tone}" title="{safe(words)}">'
        f'<i style="left:{left:.1f}%;width:{max(1.0, right - left):.1f}%"></i>'
        f'<b style="left:{50 + 50 * net:.1f}%"></b></span>'
    )


def region_table(
    table: Mapping[str, figures.Tally], names: Mapping[str, str],
    regions: Mapping[str, str | tuple[str, ...]], query: Mapping[str, Any], most: int,
) -> str:  # fmt: skip
    """Regions with posts, copies, net sentiment and its range; unknown places have a row of their own.

    ``regions`` gives the filter value behind a row, where there is one: its figure then opens.
    """
    known = [(name, t) for name, t in table.items() if name]
    shown = known[:most]
    rest = sum((t for _, t in known[most:]), figures.Tally())
    rows = []
    for name, t in shown:
        title = safe(names.get(name, name))
        if name in regions:
            title = inside("mentions", title, **{**query, "region": regions[name]})
        rows.append(_table_row(title, t))
    if rest.posts:
        rows.append(_table_row(f"{len(known) - most} more", rest))
    if "" in table:
        title = "unknown"
        if "" in regions:
            title = inside("mentions", title, **{**query, "region": regions[""]})
        rows.append(_table_row(title, table[""], "gs-unknown"))
    return (
        '<table class="gs-table"><thead><tr><th>Region</th><th>posts</th><th>copies</th>'
        "<th>net</th><th>−100 … 0 … +100</th></tr></thead><tbody>" + "".join(rows)
        + "</tbody></table>"
    )  # fmt: skip


def _table_row(title: str, t: figures.Tally, kind: str = "") -> str:
    net = figures.percent(t.net, True) if t.enough else "–"
    return (
        f'<tr class="{kind}"><td>{title}</td><td>{figures.count(t.posts)}</td>'
        f"<td>{figures.count(t.copies)}</td><td>{net}</td><td>{net_range(t)}</td></tr>"
    )


def post_links(row: Row, query: Mapping[str, Any]) -> str:
    """The ways on from a post in a list: all of it here, and where it was written. ``query`` is what
    the list shows, to which the way back leads."""
    here = inside("mentions", "whole post and conversation", **{**query, "post": row["key"]})
    return f'<div class="gs-links">{here} {outside(row.get("url"))}</div>'


def outside_line(row: Row) -> str:
    link = outside(row.get("url"))
    return f'<div class="gs-links">{link}</div>' if link else ""


def facts(row: Row, zone: ZoneInfo) -> str:
    """Why a post is here and how it was judged, for whoever wants to know."""
    text = str(row.get("text") or "")
    found = text[row["span_start"] : row["span_end"]]
    known = [
        ("published", f"{_dated(row['created_at'], zone)} ({zone.key})"),
        ("collected", _dated(row["seen_at"], zone)),
        ("matched", f"“{cut(found, 60)}” as {row['kind']} “{row['variant']}” of {row['keyword']}"),
        ("language", row.get("language") or "unknown"),
    ]
    if row.get("negative") is not None:
        shares = ", ".join(
            f"{name} {figures.percent(row[name])} %" for name in ("negative", "neutral", "positive")
        )
        known.append(("judged", f"{row['label']} ({shares}) by model {row['model']}"))
    else:
        known.append(("judged", "not yet"))
    if row.get("override"):
        known.append(("set by", str(row["override"])))
    if row.get("followers") is not None:
        known.append(("followers", figures.count(row["followers"])))
    state = row.get("thread_state")
    if state:
        known.append(("answer", {"unknown": "unknown: the thread was not read"}.get(state, state)))
    cells = "".join(f"<dt>{safe(name)}</dt><dd>{safe(value)}</dd>" for name, value in known)
    return f'<dl class="gs-known">{cells}</dl>'


def _dated(moment: int, zone: ZoneInfo) -> str:
    """A moment with its year: a post may be of any."""
    return f"{figures.date(moment, zone)} {figures.clock(moment, zone, day=False)}"


def known_of_it(shown: int, known: int) -> str:
    """How much of a conversation stands below; that of a long one is a part."""
    if shown < known:
        most = f"{figures.count(shown)} of {figures.count(known)} posts that are known of it"
        return f"{most}: those around this one, and the brand's own"
    return f"{figures.count(known)} posts are known of it"


def conversation(rows: Sequence[Row], key: str, zone: ZoneInfo) -> str:
    """A thread, oldest first. The brand's posts stand to the right; the one asked for is marked."""
    parts = []
    for row in rows:
        ours = row.get("from_brand")
        who = f"{ours} (the brand)" if ours else str(row.get("author_handle") or "author unknown")
        text = why_gone(row) if row.get("deleted_at") else cut(str(row["text"]), 4000)
        kind = "gs-ours" if ours else "gs-theirs"
        asked = " gs-asked" if row["key"] == key else ""
        parts.append(
            f'<div class="gs-turn {kind}{asked}"><div class="gs-facts"><b>{safe(cut(who, 60))}</b> · '
            f"{safe(_dated(row['created_at'], zone))}</div>"
            f'<div class="gs-text" dir="auto">{safe(text)}</div></div>'
        )
    return f'<div class="gs-thread">{"".join(parts)}</div>' if parts else ""


def plain_table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table whose first column is text and whose others are figures; cells are made safe here.

    A cell that is :class:`Made` is HTML of ours already.
    """
    head = "".join(f"<th>{safe(h)}</th>" for h in heads)
    body = "".join(f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in rows)
    table = f'<table class="gs-table"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="gs-scroll">{table}</div>'


def _cell(value: object) -> str:
    if isinstance(value, Made):
        return f"<td>{value}</td>"
    text = str(value)
    # A figure is not parted from its unit, however narrow the screen.
    kind = ' class="gs-num"' if " " in text and len(text) <= UNIT else ""
    return f"<td{kind}>{safe(text)}</td>"


def spike_words(row: Row) -> str:
    """How sure a spike is, in words that do not claim more than the test does."""
    chance = row["p_value"]
    if chance < 1e-6:
        said = "less than 1 in a million"
    else:
        digits = 10 ** max(0, len(str(round(1 / chance))) - 1)
        said = f"about 1 in {figures.count(round(1 / chance / digits) * digits)}"
    return (
        f"The chance of a count like this with nothing changed is {said}, compared with the same "
        "hours of the days and weeks before."
    )


def net_words(t: figures.Tally) -> str:
    """``+12 (+4 to +20)``, or why not."""
    if t.net is None or t.interval is None:
        return "nothing judged"
    if not t.enough:
        return "too few"
    low, high = t.interval
    return (
        f"{figures.percent(t.net, True)} ({figures.percent(low, True)} to "
        f"{figures.percent(high, True)})"
    )


def rejected_lines(rows: Sequence[Row], zone: ZoneInfo) -> str:
    """Rows that could not be read: when, of whom, where in it, why, and what they held."""
    parts = []
    for r in rows:
        held = cut(r["payload"], SHOWN) if r["payload"] else "kept no longer"
        parts.append(
            f'<div class="gs-line"><span class="gs-facts">{safe(figures.clock(r["at"], zone))} · '
            f"<b>{safe(r['source'])}</b> · {safe(cut(r['place'], 80))}</span>"
            f"<div>{safe(cut(r['reason'], 240))}</div>"
            f'<div class="gs-text gs-clamp" dir="auto">{safe(held)}</div></div>'
        )
    return "".join(parts)


def ledger_lines(rows: Sequence[Row], zone: ZoneInfo) -> str:
    """Requests that did not go as asked: when, of whom, and why."""
    parts = []
    for r in rows:
        why = r["failed"] or "the source had more than it gave"
        kind = "limited" if r["limited"] else "failed" if r["failed"] else "truncated"
        when = figures.clock(r["at"], zone)
        parts.append(fault_line(r["source"], f"{r['query']} · {kind}", str(why), when))
    return "".join(parts)


def fault_line(source: str, what: str, why: str, when: str = "") -> str:
    """Something that went wrong: of which source, what, and why."""
    before = f"{safe(when)} · " if when else ""
    return (
        f'<div class="gs-line"><span class="gs-facts">{before}<b>{safe(source)}</b> · {safe(what)}'
        f"</span><div>{safe(cut(why, 240))}</div></div>"
    )
