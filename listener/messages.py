"""What an alert says: a spike, a complaint that takes off, an answer about to be late, a silent source.

Pure: rows in, a notice out. The posts in a message are hostile text: they travel as plain text, on one
line, without working links and without words that a chat server would take for a call to everybody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from listener.mention import moment

if TYPE_CHECKING:
    from listener.coverage import Silence

Row = Mapping[str, Any]

EVERYWHERE = "*"
EXAMPLES, EXAMPLE_LENGTH = 3, 200
WHAT = {
    "negative": "negative posts",
    "negative share": "negative posts among all",
    "volume": "posts",
    "positive": "positive posts",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a rule may tell. ``place`` is what its cooldown is counted for.

    ``kind`` is a kind of spike, "viral", "due" or "silent"; ``over_at`` is when it ended, None while
    it lasts; ``found_at`` is when we came to know. ``subject`` is the same for the same event, so
    that nobody is told twice.
    """

    subject: str
    place: str
    kind: str
    brand: str | None
    region: str | None
    posts: float
    severity: float
    started_at: int
    over_at: int | None
    title: str
    body: str
    found_at: int
    spike_id: int | None = None


def harmless(text: str, length: int = EXAMPLE_LENGTH) -> str:
    """A stranger's text for a chat message: one line, no working link, no call to a whole room."""
    text = re.sub(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]+", " ", text)
    # Only what may be shown is read on: a post of a hundred pages costs no more than one of a page.
    text = re.sub(r"\s+", " ", text).strip()[: 4 * length]
    text = text.replace("://", "[:]//")
    # A domain's last dot has two letters behind it (of any script), whatever comes then: "evil.com."
    text = re.sub(r"(?<=[^\s.])\.(?=[^\W\d_](?:[^\W\d_]|[^\x00-\x7f]))", "[.]", text)
    text = text.replace("@", "@\u2060").replace("<!", "<\u2060!").replace("<@", "<\u2060@")
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def of_spike(row: Row, examples: Sequence[Row], dashboard_url: str) -> Notice:
    """The message for a stored spike: what, where, how sure, since when, three posts, a link."""
    region = row["region"]
    where = "all regions" if region == EVERYWHERE else region
    what = WHAT.get(row["kind"], row["kind"])
    times = row["observed"] / max(row["expected"], 0.5)
    open_ = row["end"] is None
    usual = f"{row['expected']:.0f} are" if round(row["expected"]) >= 1 else "fewer than 1 is"
    lines = [
        f"What: {row['observed']:.0f} {what}, {usual} usual"
        f" ({times:.1f} times the usual; at least {row['severity']:.1f} times, 95 % sure)",
        f"Where: {where}",
        f"How sure: {_chance(row['p_value'])}",
        f"Since: {when(row['start'])}, "
        + ("still going on" if open_ else f"over at {when(row['end'])}"),
        *_quoted(examples),
        f"Look: {_link(dashboard_url, 'spikes', brand=row['brand'], spike=row['id'])}",
    ]
    return Notice(
        subject=f"spike {row['brand']}|{region}|{row['kind']}|{row['start']}",
        place=f"spike {row['brand']}|{region}|",
        kind=row["kind"],
        brand=row["brand"],
        region=region,
        posts=row["observed"],
        severity=row["severity"],
        started_at=row["start"],
        over_at=row["end"],
        title=f"{row['brand']}, {where}: {times:.1f} times the usual {what}",
        body="\n".join(lines),
        found_at=row["found_at"],
        spike_id=row["id"],
    )


def of_viral(row: Row, velocity: float, usual: float, dashboard_url: str) -> Notice:
    """The message for a complaint that is taking off; velocities in engagements an hour."""
    key, brand = row["key"], row["brand"]
    return Notice(
        subject=f"viral {brand}|{key}|",
        place=f"viral {brand}|{key}|",
        kind="viral",
        brand=brand,
        region=row.get("country"),
        posts=1,
        severity=velocity / max(usual, 0.1),
        started_at=row["created_at"],
        over_at=None,
        found_at=row["created_at"],
        title=f"{brand}: a complaint is taking off",
        body="\n".join(
            [
                f"What: {velocity:.0f} likes, replies and reposts an hour; {usual:.1f} are usual",
                f"Since: {when(row['created_at'])}",
                *_quoted([row]),
                f"Look: {_link(dashboard_url, 'mentions', brand=brand, post=key)}",
            ]
        ),
    )


def of_due(brand: str, rows: Sequence[Row], now: int, dashboard_url: str) -> Notice:
    """The message for mentions whose answer is due within minutes."""
    first = min(row["due_at"] for row in rows)
    return Notice(
        subject=f"due {brand}|{first}",
        place=f"due {brand}|",
        kind="due",
        brand=brand,
        region=None,
        posts=len(rows),
        severity=float(len(rows)),
        started_at=now,
        over_at=None,
        found_at=now,
        title=f"{brand}: {_count(len(rows), 'answer')} about to be late",
        body="\n".join(
            [
                f"What: {_count(len(rows), 'mention')} wait, the first is due at {when(first)}",
                *_quoted(rows),
                f"Look: {_link(dashboard_url, 'inbox', brand=brand)}",
            ]
        ),
    )


def of_silent(row: Row, silent_for: int, every: int, dashboard_url: str) -> Notice:
    """The message for a source that has given nothing for several of its turns."""
    source, last = row["source"], row["last_ok_at"]
    return Notice(
        subject=f"silent {source}|{last}",
        place=f"silent {source}|",
        kind="silent",
        brand=None,
        region=None,
        posts=0,
        severity=silent_for / every,
        started_at=last or 0,
        over_at=None,
        found_at=(last or 0) + every,
        title=f"The source {source} is silent",
        body="\n".join(
            [
                f"What: no answer for {silent_for // 60} min; it is asked every {every // 60} min",
                f"Since: {when(last) if last else 'it was set up'}",
                f"Last error: {harmless(str(row.get('last_error') or 'none'))}",
                "Counts from this source are not known since then; no spike is looked for in them.",
                f"Look: {_link(dashboard_url, 'coverage')}",
            ]
        ),
    )


def of_quiet(silence: Silence, dashboard_url: str) -> Notice:
    """The message for a source that answers and brings nothing new, against its habit."""
    source = silence.source
    return Notice(
        subject=f"silent {source}|quiet {silence.since}",
        place=f"silent {source}|",
        kind="silent",
        brand=None,
        region=None,
        posts=0,
        severity=silence.expected,
        started_at=silence.since,
        over_at=None,
        found_at=silence.since,
        title=f"The source {source} brings nothing new",
        body="\n".join(
            [
                f"What: {silence}",
                f"Since: {when(silence.since)}",
                f"Look: {_link(dashboard_url, 'coverage')}",
            ]
        ),
    )


def _quoted(rows: Sequence[Row]) -> list[str]:
    """Up to three posts, each with its key, so that it can be found and not only believed. A key is
    a stranger's text too: a feed names its entries as it likes."""
    if not rows:
        return []
    return ["Posts, as their authors wrote them:"] + [
        f'  "{harmless(row["text"] or "")}" ({harmless(row["key"])})' for row in rows[:EXAMPLES]
    ]


def _chance(p_value: float) -> str:
    if p_value >= 0.001:
        return f"a chance of {p_value:.3f} that this is nothing new"
    return f"by chance once in {1 / max(p_value, 1e-15):.0e} looks".replace("e+0", "e").replace(
        "e+", "e"
    )


def when(seconds: float) -> str:
    return f"{moment(seconds):%Y-%m-%d %H:%M} UTC"


def _link(base: str, view: str, **query: object) -> str:
    return f"{base.rstrip('/')}/{view}" + (f"?{urlencode(query)}" if query else "")


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"
