"""What the alerts of a past time would have been: stored counts and rules in, decisions out. Pure.

The detector runs over the hours as it did live, and each spike is put before the rules at the end of
the hour that first told of it, or of the later hour in which it reached the rule's size. Nothing of
what came after is used. Delivery (quiet hours, digests) changes when a message leaves, not whether.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from listener import watch
from listener.alerts import decide
from listener.config import AlertRule
from listener.messages import Notice
from sentiment.spikes import DEFAULT, Detector, Finding, Settings, find_in_arrays

HOUR = 3600
LATE = 86400  # a message that left so long after a spike's end may still be about it


@dataclass(frozen=True, slots=True)
class Replayed:
    """One spike before one rule and channel. ``at`` is when it was decided; ``sent_at`` what was.

    ``verdict`` is "both", "only replay", "only sent" or "held" (by the rule, and nothing was sent).
    """

    at: int
    brand: str
    region: str
    kind: str
    start: int
    end: int | None
    posts: float
    expected: float
    severity: float
    rule: str
    channel: str
    would_send: bool
    why: str
    sent_at: int | None
    verdict: str


def replay(
    first: int,
    series: Sequence[watch.Series],
    rules: Sequence[AlertRule],
    sent: Iterable[Mapping[str, Any]],
    *,
    since: int,
    until: int,
    own: Sequence[str],
    groups: Mapping[str, Sequence[str]] | None = None,
    settings: Settings = DEFAULT,
) -> list[Replayed]:
    """Decisions in order of time for spikes that were told of in ``since`` … ``until``.

    ``series`` begin at ``first``, weeks before ``since``, so that the detector is warm; ``sent`` are
    the store's alerts; ``own`` are the brands that alerts are about (competitors are not).
    """
    events = [event for event in _events(first, series, settings) if event[0].brand in own]
    out: list[Replayed] = []
    outbox = [row for row in sent if row["sent_at"] is not None]
    used: set[int] = set()
    for rule in rules:
        for channel in rule.channels:
            told: dict[str, int] = {}
            for at, notice, finding in sorted(
                _timed(events, rule), key=lambda e: (e[0], -e[1].severity)
            ):
                decision = decide(notice, rule, at, told.get(notice.place), groups)
                if decision.send:
                    told[notice.place] = at
                if not since <= at < until:
                    continue
                row = _sent_for(notice, finding, channel, outbox)
                if row is not None:
                    used.add(row["id"])
                elif notice.kind not in rule.kinds:
                    continue  # not what this rule watches, and nothing was sent: not worth a line
                out.append(_row(at, notice, finding, rule, channel, decision, row))
    out += [
        lost
        for row in outbox
        if row["id"] not in used and since <= row["sent_at"] < until
        for lost in [_only_sent(row)]
        if lost is not None
    ]
    return sorted(out, key=lambda r: (r.at, r.brand, r.region, r.kind, r.rule, r.channel))


Event = tuple[watch.Series, Finding, np.ndarray[Any, np.dtype[np.float64]]]


def _events(first: int, series: Sequence[watch.Series], settings: Settings) -> list[Event]:
    """Every spike with the running number of its posts, hour by hour from its start."""
    found: list[Event] = []
    if not series:
        return found
    total = np.stack([s.all for s in series], axis=1)
    for kind in watch.KINDS:
        counts = {
            "volume": total,
            "positive": np.stack([s.positive for s in series], axis=1),
        }.get(kind, np.stack([s.negative for s in series], axis=1))
        exposure = total if kind.endswith("share") else None
        detector = Detector(HOUR, kind, settings)
        for column, findings in enumerate(find_in_arrays(detector, first, counts, exposure)):
            for f in findings:
                begin = (f.start - first) // HOUR
                running = np.nancumsum(counts[begin:, column])
                found.append((series[column], f, running))
    return found


def _timed(events: Iterable[Event], rule: AlertRule) -> Iterable[tuple[int, Notice, Finding]]:
    """Each spike at the moment that it was known and large enough for this rule."""
    for one, f, running in events:
        hour = (f.found - f.start) // HOUR
        last = len(running) if f.end is None else max((f.end - f.start) // HOUR, hour + 1)
        while hour < last - 1 and running[hour] < rule.min_posts:
            hour += 1
        hour = min(hour, len(running) - 1)
        at = f.start + (hour + 1) * HOUR
        place = f"spike {one.brand}|{one.region}|"
        yield (
            at,
            Notice(
                subject=f"{place}{f.kind}|{f.start}",
                place=place,
                kind=f.kind,
                brand=one.brand,
                region=one.region,
                posts=float(running[hour]),
                severity=f.severity,
                started_at=f.start,
                over_at=None,
                title="",
                body="",
                found_at=at,
            ),
            f,
        )


def _sent_for(
    notice: Notice, finding: Finding, channel: str, outbox: Sequence[Mapping[str, Any]]
) -> Mapping[str, Any] | None:
    """The message that told of this place while the spike lasted, or soon after."""
    end = (finding.end or 1 << 60) + LATE
    for row in outbox:
        if (
            row["channel"] == channel
            and str(row["subject"]).startswith(notice.place + notice.kind + "|")
            and finding.start <= row["sent_at"] < end
        ):
            return row
    return None


def _row(
    at: int, notice: Notice, f: Finding, rule: AlertRule, channel: str, decision: Any,
    row: Mapping[str, Any] | None,
) -> Replayed:  # fmt: skip
    verdict = {
        (True, True): "both",
        (True, False): "only replay",
        (False, True): "only sent",
        (False, False): "held",
    }[decision.send, row is not None]
    return Replayed(
        at, notice.brand or "", notice.region or "", f.kind, f.start, f.end, notice.posts,
        f.expected, f.severity, rule.name, channel, decision.send, decision.why,
        None if row is None else int(row["sent_at"]), verdict,
    )  # fmt: skip


def _only_sent(row: Mapping[str, Any]) -> Replayed | None:
    """A message about a spike that the replay does not see (other settings, or counts changed)."""
    subject = str(row["subject"])
    parts = subject.removeprefix("spike ").split("|")
    if not subject.startswith("spike ") or len(parts) != 4:
        return None
    brand, region, kind, start = parts
    sent_at = int(row["sent_at"])
    return Replayed(
        sent_at, brand, region, kind, int(start), None, 0.0, 0.0, 0.0, str(row["rule"]),
        str(row["channel"]), False, "the detector finds no such spike now", sent_at, "only sent",
    )  # fmt: skip
