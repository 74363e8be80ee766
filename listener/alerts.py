"""A spike or a breach into a message, by rules; messages into channels, at least once.

The rules are pure: rows in, decisions out. What is to be said is first written to the store's outbox
(``pending``), and only then sent (``sending`` → ``sent``), so that no crash loses an alert. One that
is found at ``sending`` may already have gone out: it goes again and is marked as a possible repeat.

The posts in a message are hostile text: they travel as plain text, on one line, without working
links and without words that a chat server would take for a call to everybody.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Any, Protocol
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from listener.config import AlertRule, Config
from listener.errors import GroundswellError
from listener.mention import epoch, moment

log = logging.getLogger("groundswell.alerts")

Row = Mapping[str, Any]
Sender = Callable[[str, str], None]  # title, body; raises ChannelError

EVERYWHERE = "*"
STALE = 24 * 3600  # a spike that ended longer ago (an import of last year) alerts nobody
SOON = 15 * 60  # a target so near is about to be missed
FIRST_RETRY, LAST_RETRY = 60, 3600
EXAMPLES, EXAMPLE_LENGTH, REASONS = 3, 200, 3
REPEAT = "(possible repeat) "
WHAT = {
    "negative": "negative posts",
    "negative share": "negative posts among all",
    "volume": "posts",
    "positive": "positive posts",
}


class ChannelError(GroundswellError):
    """A channel did not take a message; the text is kept with the alert and shown."""


class Outbox(Protocol):
    """What delivery needs of the store."""

    def pending_alerts(self, now: int) -> list[dict[str, Any]]: ...

    def mark_alert(
        self, alert_id: int, state: str, now: int, detail: str | None = None,
        next_try: int | None = None,
    ) -> None: ...  # fmt: skip


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


@dataclass(frozen=True, slots=True)
class Decision:
    """What a rule makes of a notice: sent (now or at ``at``), or held back, and why."""

    send: bool
    why: str
    at: int = 0


# -- rules ----------------------------------------------------------------------------------------


def decide(
    notice: Notice,
    rule: AlertRule,
    now: int,
    last_told: int | None,
    groups: Mapping[str, Sequence[str]] | None = None,
) -> Decision:
    """Does this rule tell of this notice, and when? ``last_told``: of the same place, before."""
    if notice.kind not in rule.kinds:
        return Decision(False, f"the rule asks for {', '.join(rule.kinds)}")
    if rule.brands and notice.brand is not None and notice.brand not in rule.brands:
        return Decision(False, "another brand")
    if rule.regions and notice.region is not None:
        wanted = set(rule.regions)
        for name in rule.regions:
            wanted.update((groups or {}).get(name, ()))
        if notice.region not in wanted:
            return Decision(False, "another region")
    if not rule.digest and notice.over_at is not None and now - notice.over_at > STALE:
        return Decision(False, "over for more than a day")
    if notice.kind in WHAT:
        if notice.posts < rule.min_posts:
            return Decision(False, f"{notice.posts:.0f} posts, the rule asks for {rule.min_posts}")
        if notice.severity < rule.min_severity:
            return Decision(
                False, f"severity {notice.severity:.1f}, the rule asks for {rule.min_severity:g}"
            )
    snoozed = snoozed_until(rule)
    if snoozed is not None and now < snoozed:
        return Decision(False, f"snoozed until {_when(snoozed)}")
    if last_told is not None and not rule.digest:
        if now - last_told < rule.cooldown:
            ago = (now - last_told) // 60
            return Decision(False, f"told of this place {ago} min ago (cooldown)")
        if notice.started_at <= last_told:
            return Decision(False, "this was going on when the place was last told of")
    at = end_of_quiet(rule, now)
    return Decision(True, "after the quiet hours" if at > now else "now", at)


def snoozed_until(rule: AlertRule) -> int | None:
    """The moment that the rule's ``snooze_until`` names, in the rule's time zone unless it says."""
    if not rule.snooze_until:
        return None
    try:
        found = datetime.fromisoformat(rule.snooze_until)
    except ValueError:
        return None
    if found.tzinfo is None:
        found = found.replace(tzinfo=ZoneInfo(rule.time_zone))
    return epoch(found)


def end_of_quiet(rule: AlertRule, now: int) -> int:
    """``now``, or the end of the quiet hours that it lies in (they may pass midnight)."""
    if not rule.quiet_hours:
        return now
    first, last = (time.fromisoformat(part) for part in rule.quiet_hours.split("-"))
    zone = ZoneInfo(rule.time_zone)
    local = moment(now).astimezone(zone)
    clock = local.time()
    inside = first <= clock < last if first <= last else clock >= first or clock < last
    if not inside:
        return now
    end = datetime.combine(local.date(), last, tzinfo=zone)
    if end <= local:
        end = datetime.combine(local.date() + timedelta(days=1), last, tzinfo=zone)
    return max(now, epoch(end))


def digest_windows(rule: AlertRule, now: int) -> list[tuple[int, int]]:
    """The last two whole spans of a digest, oldest first: one missed while we were down is told."""
    assert rule.digest is not None
    last = now // rule.digest * rule.digest
    return [(last - 2 * rule.digest, last - rule.digest), (last - rule.digest, last)]


def digest_of(notices: Sequence[Notice], rule: AlertRule, at: int) -> Notice:
    """What was found in the span that ends ``at``, as one message."""
    worst = max(notices, key=lambda n: n.severity)
    parts = [f"{n.title}\n{n.body}" for n in notices]
    return replace(
        worst,
        subject=f"digest {rule.name}|{at}",
        title=f"Digest: {len(notices)} alerts, {worst.title}" if len(notices) > 1 else worst.title,
        body="\n\n----\n\n".join(parts),
    )


def precision_by_week(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Of the alerts that a person judged, how many were useful; ``week`` is its Monday in UTC."""
    weeks: dict[str, list[int]] = {}
    for row in rows:
        if row.get("sent_at") is None:
            continue
        day = moment(row["sent_at"]).date()
        tally = weeks.setdefault((day - timedelta(days=day.weekday())).isoformat(), [0, 0, 0])
        tally[0] += 1
        if row.get("verdict") in ("useful", "noise"):
            tally[1 if row["verdict"] == "useful" else 2] += 1
    return [
        {
            "week": week,
            "sent": sent,
            "useful": useful,
            "noise": noise,
            "precision": useful / (useful + noise) if useful + noise else None,
        }
        for week, (sent, useful, noise) in sorted(weeks.items())
    ]


# -- messages -------------------------------------------------------------------------------------


def harmless(text: str, length: int = EXAMPLE_LENGTH) -> str:
    """A stranger's text for a chat message: one line, no working link, no call to a whole room."""
    text = re.sub(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]+", " ", text)
    text = re.sub(r"(?i)\b([a-z][a-z0-9+.-]*)://", r"\1[:]//", text)
    text = re.sub(r"(?i)(?<=\w)\.(?=[a-z]{2,}(?:[/?#:\s]|$))", "[.]", text)
    text = text.replace("@", "@\u2060").replace("<!", "<\u2060!").replace("<@", "<\u2060@")
    text = re.sub(r"\s+", " ", text).strip()
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def of_spike(row: Row, examples: Sequence[Row], dashboard_url: str) -> Notice:
    """The message for a stored spike: what, where, how sure, since when, three posts, a link."""
    region = row["region"]
    where = "all regions" if region == EVERYWHERE else region
    what = WHAT.get(row["kind"], row["kind"])
    times = row["observed"] / max(row["expected"], 0.5)
    open_ = row["end"] is None
    lines = [
        f"What: {row['observed']:.0f} {what}, {row['expected']:.0f} are usual"
        f" ({times:.1f} times the usual; at least {row['severity']:.1f} times, 95 % sure)",
        f"Where: {where}",
        f"How sure: {_chance(row['p_value'])}",
        f"Since: {_when(row['start'])}, "
        + ("still going on" if open_ else f"over at {_when(row['end'])}"),
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


def of_viral(row: Row, velocity: float, usual: float, now: int, dashboard_url: str) -> Notice:
    """The message for a complaint that is taking off; velocities in engagements an hour."""
    key, brand = row["key"], row["brand"]
    return Notice(
        subject=f"viral {brand}|{key}",
        place=f"viral {brand}|{key}",
        kind="viral",
        brand=brand,
        region=row.get("country"),
        posts=1,
        severity=velocity / max(usual, 0.1),
        started_at=row["created_at"],
        over_at=None,
        found_at=now,
        title=f"{brand}: a complaint is taking off",
        body="\n".join(
            [
                f"What: {velocity:.0f} likes, replies and reposts an hour; {usual:.1f} are usual",
                f"Since: {_when(row['created_at'])}",
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
                f"What: {_count(len(rows), 'mention')} wait, the first is due at {_when(first)}",
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
                f"Since: {_when(last) if last else 'it was set up'}",
                f"Last error: {harmless(str(row.get('last_error') or 'none'))}",
                "Counts from this source are not known since then; no spike is looked for in them.",
                f"Look: {_link(dashboard_url, 'coverage')}",
            ]
        ),
    )


def _quoted(rows: Sequence[Row]) -> list[str]:
    """Up to three posts, each with its key, so that it can be found and not only believed."""
    if not rows:
        return []
    return ["Posts, as their authors wrote them:"] + [
        f'  "{harmless(row["text"] or "")}" ({row["key"]})' for row in rows[:EXAMPLES]
    ]


def _chance(p_value: float) -> str:
    if p_value >= 0.001:
        return f"a chance of {p_value:.3f} that this is nothing new"
    return f"by chance once in {1 / max(p_value, 1e-15):.0e} looks".replace("e+0", "e").replace(
        "e+", "e"
    )


def _when(seconds: float) -> str:
    return f"{moment(seconds):%Y-%m-%d %H:%M} UTC"


def _link(base: str, view: str, **query: object) -> str:
    return f"{base.rstrip('/')}/{view}" + (f"?{urlencode(query)}" if query else "")


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"


# -- delivery -------------------------------------------------------------------------------------


def deliver(outbox: Outbox, senders: Mapping[str, Sender], now: int) -> int:
    """Send what waits. A channel that fails keeps its message for a later try; returns those sent.

    The order of the writes is what makes it "at least once": ``sending`` is committed before the
    message leaves, ``sent`` after. Whatever dies between the two leaves ``sending`` behind.
    """
    done = 0
    for row in outbox.pending_alerts(now):
        title = row["title"]
        if row["state"] == "sending":
            title = REPEAT + title
        sender = senders.get(row["channel"])
        outbox.mark_alert(row["id"], "sending", now)
        try:
            if sender is None:
                raise ChannelError(
                    f"no channel is called {row['channel']!r}; there are {', '.join(sorted(senders))}"
                )
            sender(title, row["body"])
        except ChannelError as error:
            wait = min(FIRST_RETRY * 2 ** row["attempts"], LAST_RETRY)
            log.warning("alert %s to %s failed: %s", row["id"], row["channel"], error)
            outbox.mark_alert(row["id"], "failed", now, str(error), now + wait)
        else:
            repeat = "possible repeat" if row["state"] == "sending" else None
            outbox.mark_alert(row["id"], "sent", now, repeat)
            done += 1
    return done


def senders_for(config: Config, secrets: Mapping[str, str]) -> dict[str, Sender]:
    """A sender for each channel of the configuration, and ``log``, which is always there."""
    found: dict[str, Sender] = {"log": _to_log}
    for channel, variable in config.alerts.channels.items():
        found[channel] = _apprise_sender(channel, variable, secrets.get(variable))
    return found


def _to_log(title: str, body: str) -> None:
    log.warning("%s\n%s", title, body)


def _apprise_sender(channel: str, variable: str, address: str | None) -> Sender:
    def send(title: str, body: str) -> None:
        if not address:
            raise ChannelError(
                f"the channel {channel!r} has no address: set {variable} in the environment to an"
                " apprise URL, such as mailto://… or matrix://…"
            )
        import apprise  # slow to import, and most runs alert nobody

        box = apprise.Apprise()
        if not box.add(address):
            raise ChannelError(f"apprise does not understand the address in {variable}")
        # The text is escaped by apprise for channels that speak HTML or markdown.
        with apprise.LogCapture(level=logging.WARNING, fmt="%(message)s") as said:  # type: ignore[no-untyped-call]
            sent = box.notify(title=title, body=body, body_format=apprise.NotifyFormat.TEXT)
            why = said.getvalue().strip().splitlines() if not sent else []
        if not sent:
            reason = harmless((why[-1] if why else "no reason was given").replace(address, "…"))
            raise ChannelError(f"{channel}: {reason}")

    return send


# -- one round ------------------------------------------------------------------------------------


def run_alerts(
    store: Any,
    config: Config,
    secrets: Mapping[str, str],
    now: int,
    senders: Mapping[str, Sender] | None = None,
) -> int:
    """New events → the outbox → their channels. Returns how many messages went out."""
    plan(store, config, now)
    if not store.pending_alerts(now):
        return 0
    return deliver(store, senders or senders_for(config, secrets), now)


def plan(store: Any, config: Config, now: int) -> int:
    """Write what the rules want told into the outbox. Returns how many messages are new."""
    notices = gather(store, config, now)
    written = 0
    for rule in config.alerts.rules:
        for channel in rule.channels:
            plan_rule = _plan_digest if rule.digest else _plan_each
            written += plan_rule(store, notices, rule, channel, now, config)
    return written


def _plan_each(
    store: Any, notices: Sequence[Notice], rule: AlertRule, channel: str, now: int, config: Config
) -> int:  # fmt: skip
    told: dict[str, int] = {}
    words = {b.name: (b.name, *b.names, *b.all_handles()) for b in config.brands}
    for notice in notices:
        last = told.get(notice.place) or store.last_alert(rule.name, channel, notice.place + "%")
        decision = decide(notice, rule, now, last, config.regions)
        if decision.send:
            notice = _with_reasons(store, notice, words)
            if _put(store, notice, rule, channel, now, decision.at):
                told[notice.place] = now
    return len(told)


def _with_reasons(store: Any, notice: Notice, words: Mapping[str, Sequence[str]]) -> Notice:
    """The notice of a spike with what drove it, told only when it is about to be written."""
    if notice.spike_id is None or notice.brand is None:
        return notice
    from listener.reasons import reasons

    spike = {
        "brand": notice.brand, "region": notice.region, "kind": notice.kind,
        "start": notice.started_at, "end": notice.over_at,
    }  # fmt: skip
    found = reasons(store, spike, words.get(notice.brand, ())).sentences[:REASONS]
    if not found:
        return notice
    lines = [f"  {harmless(s.text, 400)} ({', '.join(s.keys[:EXAMPLES])})" for s in found]
    head, separator, link = notice.body.rpartition("\nLook: ")
    return replace(
        notice, body="\n".join([head, "Why, as the posts show:", *lines]) + separator + link
    )


def _plan_digest(
    store: Any, notices: Sequence[Notice], rule: AlertRule, channel: str, now: int, config: Config
) -> int:  # fmt: skip
    written = 0
    wanted = [n for n in notices if decide(n, rule, now, None, config.regions).send]
    for first, last in digest_windows(rule, now):
        found = [n for n in wanted if first <= n.found_at < last]
        if found:
            at = end_of_quiet(rule, now)
            written += _put(store, digest_of(found, rule, last), rule, channel, now, at)
    return written


def _put(store: Any, n: Notice, rule: AlertRule, channel: str, now: int, at: int) -> bool:
    return bool(
        store.add_alert(
            subject=n.subject, channel=channel, title=n.title, body=n.body, rule=rule.name,
            now=now, spike_id=n.spike_id, next_try=at,
        )
    )  # fmt: skip


def gather(store: Any, config: Config, now: int) -> list[Notice]:
    """Everything there is to tell at this moment, the gravest first."""
    url = config.alerts.dashboard_url
    back = max([STALE, *(2 * rule.digest for rule in config.alerts.rules if rule.digest)])
    kinds = {kind for rule in config.alerts.rules for kind in rule.kinds}
    own = {brand.name for brand in config.brands if not brand.competitor}
    notices = []
    for row in store.spikes(since=now - back):
        if row["kind"] in kinds and row["brand"] in own:
            keys = store.spike_keys(row["id"])[:50]
            examples = [m for m in store.mentions_of(keys, row["brand"]) if not m["deleted_at"]]
            examples.sort(key=lambda m: (m["copy"], -(m["followers"] or 0), m["created_at"]))
            notices.append(of_spike(row, examples, url))
    if "due" in kinds:
        notices += _due(store, config, now)
    if "silent" in kinds:
        notices += _silent(store, config, now)
    if "viral" in kinds:
        notices += _viral(store, config, now)
    return sorted(notices, key=lambda n: (-n.severity, n.subject))


def _due(store: Any, config: Config, now: int) -> list[Notice]:
    from listener.store.reads import Filter

    found = []
    for brand in config.brands:
        if brand.competitor:
            continue
        where = Filter(brands=(brand.name,), since=now - 14 * 86400)
        rows = [
            row
            for row in store.unanswered(where, limit=200)
            if row["due_at"] is not None and now <= row["due_at"] < now + SOON
        ]
        if rows:
            found.append(of_due(brand.name, rows, now, config.alerts.dashboard_url))
    return found


def _silent(store: Any, config: Config, now: int) -> list[Notice]:
    health = {row["source"]: row for row in store.status(now)["sources"]}
    found = []
    for source in config.sources:
        row = health.get(source.name)
        if not source.enabled or row is None or row["last_ok_at"] is None:
            continue
        silent_for = now - row["last_ok_at"]
        if silent_for > max(3 * source.every, 900):
            found.append(of_silent(row, silent_for, source.every, config.alerts.dashboard_url))
    return found


def _viral(store: Any, config: Config, now: int) -> list[Notice]:
    from listener.store.reads import Filter
    from sentiment.virality import Engaged, taking_off

    found = []
    for brand in config.brands:
        if brand.competitor:
            continue
        rows = store.mentions(Filter(brands=(brand.name,), since=now - 14 * 86400), limit=5000)
        posts = {
            row["key"]: Engaged(
                key=row["key"],
                author=row["author_handle"],
                created_at=row["created_at"],
                engagements=sum(row[c] or 0 for c in ("likes", "replies", "reposts")),
                followers=row["followers"],
                known=any(row[c] is not None for c in ("likes", "replies", "reposts")),
            )
            for row in rows
        }
        labels = {row["key"]: row for row in rows}
        for one in taking_off(list(posts.values()), now):
            row = labels[one.key]
            if row["label"] == "negative":
                found.append(
                    of_viral(row, one.velocity, one.usual, now, config.alerts.dashboard_url)
                )
    return found
