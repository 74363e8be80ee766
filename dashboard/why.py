"""Why a spike was, as HTML: four plain answers first, then the evidence. Rows in, text out; pure.

Every name that comes from a post (a term, a link, an author, a copied text) goes through ``safe``;
every figure opens into its posts by the address ``?spike=ID&cause=KIND:NAME``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from dashboard import figures, pieces
from dashboard.figures import Usual
from dashboard.pieces import inside, safe
from sentiment.explain import Driver, Explanation

Row = Mapping[str, Any]
NAMED = 3  # terms that the answer to "why" names
FEW = 100  # earlier posts, below which an outage's words may all stand in them by chance
PLACE = 0.1  # a region answers "where" if its share grew by so much
TITLES = {
    "term": "Words", "theme": "Themes of complaint", "intent": "What people want",
    "region": "Regions", "platform": "Platforms", "link": "Links passed on",
    "author": "Widest reach", "copies": "Texts copied most",
}  # fmt: skip
# Of which posts a share is, where it is not of all.
OF = {
    "theme": " of those with a theme", "intent": " of those read for it",
    "region": " of those with a known place",
}  # fmt: skip
COUNTED = {"volume": "posts", "negative": "negative posts", "positive": "positive posts"}


@dataclass(frozen=True, slots=True)
class Recent:
    """The last ``hours`` of the series a spike is of, and what is usual then; None is not known."""

    hours: int
    value: float | None
    usual: Usual | None


def answers(
    spike: Row, found: Explanation, recent: Recent, names: Mapping[str, str], zone: ZoneInfo, now: int,
    query: Mapping[str, Any] | None = None,
) -> str:  # fmt: skip
    """Where, since when, why, and is it over? In plain words, each from figures that can be opened.

    ``query`` is the filter of the page, which every way on keeps.
    """
    spike = {**spike, "query": query or {}}
    parts = (
        ("Where?", *_where(spike, found, names)),
        ("Since when?", *_since(spike, found, zone, now)),
        ("Why?", *_why(spike, found)),
        ("Is it over?", *_over(spike, found, recent, zone, now)),
    )
    cells = "".join(
        f'<div class="gs-answer"><h3>{question}</h3><div class="gs-said">{said}</div>'
        f'<div class="gs-under">{under}</div></div>'
        for question, said, under in parts
    )
    return f'<div class="gs-answers">{cells}</div>'


def _where(spike: Row, found: Explanation, names: Mapping[str, str]) -> tuple[str, str]:
    lines = []
    if spike["region"] != "*":
        said = safe(pieces.region_name(spike["region"], names))
    elif not found.placed:
        said = "Not known"
        lines.append("none of these posts has a known place")
    elif grown := [d for d in found.of("region") if d.now - d.before >= PLACE]:
        said = safe(pieces.region_name(grown[0].name, names))
        lines.append(f"{_cause(spike, grown[0], _then(grown[0]))} of the posts with a known place")
    else:
        said = "No one place"
        most = safe(pieces.region_name(found.main_region or "", names))
        share = figures.percent(found.main_share)
        lines.append(f"most from {most}, much as before: {share} % of posts with a known place")
    if spike["region"] == "*" and found.placed and (unplaced := found.posts - found.placed):
        lines.append(f"{figures.percent(unplaced / found.posts)} % of posts have no known place")
    platforms = found.of("platform")
    if platforms:
        words = f"more than before on {safe(platforms[0].name)}"
        lines.append(f"{_cause(spike, platforms[0], words)}: {_then(platforms[0])}")
    elif found.posts:
        lines.append("on the same platforms as before")
    return said, "<br>".join(lines)


def _since(spike: Row, found: Explanation, zone: ZoneInfo, now: int) -> tuple[str, str]:
    lines = [f"{figures.ago(now - spike['start'])} ago"]
    if found.first is not None and found.first_at is not None:
        first = inside("mentions", "the first post", **{**spike["query"], "post": found.first})
        lines.append(f"{first} is of {safe(figures.clock(found.first_at, zone))}")
    if found.peak_at is not None:
        lines.append(f"most posts in the hour from {safe(figures.clock(found.peak_at, zone))}")
    return safe(figures.clock(spike["start"], zone)), "<br>".join(lines)


def _why(spike: Row, found: Explanation) -> tuple[str, str]:
    lines: list[str] = []
    if not found.posts:
        return "Not known", "the posts behind it are not here any more"
    terms = sorted(found.of("term"), key=lambda d: d.before - d.now)  # by how much more they are
    themes, copies = found.of("theme"), found.of("copies")
    if not found.before:
        said, lines = "Not known", ["there are no earlier posts to compare with"]
    elif themes:
        said = _cause(spike, themes[0], safe(themes[0].name))
        lines.append(f"{_posts(themes[0].posts)}: {_then(themes[0], OF['theme'])}")
        if others := [_cause(spike, d, safe(d.name)) for d in themes[1:NAMED]]:
            lines.append("also: " + "; ".join(others))
        if terms:
            lines.append("new in the words: " + ", ".join(_quoted(spike, d) for d in terms[:NAMED]))
    elif terms:
        said = ", ".join(_quoted(spike, d) for d in terms[:NAMED])
        lines.append(f"“{safe(terms[0].name)}” is in {_then(terms[0])}")
    elif found.before < FEW:
        said, lines = "Not known", ["there are too few earlier posts to compare the words with"]
    else:
        said = "More of the same"
        lines.append("no word and no theme is told more often than before")
    if copies and found.amplified_share:
        words = f"{_share(found.amplified_share)} of posts are copies of others"
        lines.append(_cause(spike, copies[0], words))
    elif found.unique == found.posts:
        lines.append("none of the posts is a copy")
    lines.append(f"compared: {_posts(found.posts)} with {_posts(found.before)} before")
    return said, "<br>".join(lines)


def _over(
    spike: Row, found: Explanation, recent: Recent, zone: ZoneInfo, now: int
) -> tuple[str, str]:
    lines = []
    if spike["end"] is not None:
        lines.append(f"back to usual at {safe(figures.clock(spike['end'], zone))}")
        lines.append(f"it lasted {figures.ago(spike['end'] - spike['start'])}")
        if found.turning_at is not None:
            lines.append(f"fewer posts from {safe(figures.clock(found.turning_at, zone))} on")
        return "Yes", "<br>".join(lines)
    if recent.value is None:
        return "Not known", "not all of the last hours was heard"
    what = COUNTED.get(spike["kind"])
    if what:
        figure = f"{figures.count(recent.value)} {what} in the last {recent.hours} h"
        if recent.usual:
            figure += f", {figures.count(recent.usual.middle)} are usual"
        lines.append(figure)
    if found.turning_at is None:
        return "No", "<br>".join(["the newest hour with posts is the busiest so far", *lines])
    past = f"past its peak: fewer posts from {safe(figures.clock(found.turning_at, zone))} on"
    return "Not yet", "<br>".join([past, *lines])


def evidence(
    spike: Row, found: Explanation, names: Mapping[str, str], texts: Mapping[str, str],
    query: Mapping[str, Any] | None = None,
) -> str:  # fmt: skip
    """What changed most, by kind; ``texts`` has the words of the first post of each copied group, and
    ``query`` is the filter of the page."""
    spike = {**spike, "query": query or {}}
    lists = []
    for kind, title in TITLES.items():
        drivers = found.of(kind)
        if drivers:
            rows = "".join(_line(spike, d, names, texts) for d in drivers)
            lists.append(f'<div class="gs-cause"><h4>{title}</h4>{rows}</div>')
    if not lists:
        return pieces.nothing("Nothing in these posts is more frequent than before.")
    return f'<div class="gs-causes">{"".join(lists)}</div>'


def title(driver: Driver, names: Mapping[str, str], texts: Mapping[str, str]) -> str:
    """What a driver is called in words; not safe yet."""
    if driver.kind == "region":
        return pieces.region_name(driver.name, names)
    if driver.kind == "copies":
        return texts.get(driver.keys[0]) or "a text that is not here any more"
    if driver.kind == "link":
        return driver.name.removeprefix("https://").removeprefix("http://")
    return driver.name


def _line(spike: Row, d: Driver, names: Mapping[str, str], texts: Mapping[str, str]) -> str:
    name = _cause(spike, d, safe(pieces.cut(title(d, names, texts), 90)))
    if d.kind == "author":
        figure = f"{figures.count(d.score)} followers · {_posts(d.posts)}"
    elif d.kind == "copies":
        figure = f"{_posts(d.posts)}"
    else:
        figure = f"{_posts(d.posts)} · {_then(d, OF.get(d.kind, ''))}"
    bar = ""
    if d.kind not in ("author", "copies"):
        bar = (
            f'<div class="gs-share" aria-hidden="true"><i style="width:{100 * d.now:.1f}%"></i>'
            f'<b style="left:{min(99.0, 100 * d.before):.1f}%"></b></div>'
        )
    return (
        f'<div class="gs-driver"><span class="gs-driver-name" dir="auto">{name}</span>'
        f"<small>{figure}</small>{bar}</div>"
    )


def _quoted(spike: Row, d: Driver) -> str:
    return _cause(spike, d, f"“{safe(d.name)}”")


def _cause(spike: Row, d: Driver, words: str) -> str:
    """A link to the posts of a driver; ``words`` must be safe already."""
    cause = {"spike": spike["id"], "cause": f"{d.kind}:{d.name}"}
    return inside("spikes", words, **{**spike["query"], **cause})


def _then(d: Driver, of: str = "") -> str:
    """``40 %, 3 % before``; ``of`` says of which posts."""
    return f"{_share(d.now)}{of}, {_share(d.before)} before"


def _share(value: float) -> str:
    return "under 1 %" if 0 < value < 0.01 else f"{figures.percent(value)} %"


def _posts(n: int) -> str:
    return f"{figures.count(n)} post{'' if n == 1 else 's'}"


def alert(row: Row, zone: ZoneInfo) -> str:
    """An alert that told of a spike: when, through what, and how it went."""
    when = row["sent_at"] or row["created_at"]
    state = "told" if row["sent_at"] is not None else f"not told yet ({row['state']})"
    said = f"{state} {figures.clock(when, zone)} · {row['channel']}"
    return (
        f'<div class="gs-line"><b>{safe(pieces.cut(row["title"], 160))}</b><br>{safe(said)}</div>'
    )


def precision(weeks: Sequence[Row]) -> str:
    """How many alerts of each week were worth it, as far as people said."""
    rows = [
        (
            w["week"], figures.count(w["sent"]), figures.count(w["useful"]),
            figures.count(w["noise"]), figures.count(w["sent"] - w["useful"] - w["noise"]),
            "–" if w["precision"] is None else f"{figures.percent(w['precision'])} %",
        )
        for w in reversed(weeks)
    ]  # fmt: skip
    heads = ("Week from", "told", "useful", "noise", "nobody said", "useful of those judged")
    return f'<div class="gs-wide">{pieces.plain_table(heads, rows)}</div>'


def asked(cause: str | None, drivers: Sequence[Driver]) -> Driver | None:
    """The driver that an address names, if the spike has it."""
    kind, _, name = (cause or "").partition(":")
    return next((d for d in drivers if (d.kind, d.name) == (kind, name)), None)
