"""A spike or a breach into a message, by rules; messages into channels, at least once.

The rules are pure: rows in, decisions out. What is to be said is first written to the store's outbox
(``pending``), and only then sent (``sending`` → ``sent``), so that no crash loses an alert. One that
is found at ``sending`` may already have gone out: it goes again and is marked as a possible repeat.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from types import ModuleType
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from listener.config import AlertRule, Config, parse_quiet_hours
from listener.errors import GroundswellError
from listener.mention import epoch, moment
from listener.messages import (
    EXAMPLES,
    WHAT,
    Notice,
    harmless,
    of_due,
    of_quiet,
    of_silent,
    of_spike,
    of_viral,
    when,
)

log = logging.getLogger("groundswell.alerts")

Row = Mapping[str, Any]
Sender = Callable[[str, str], None]  # title, body; raises ChannelError

UTC = ZoneInfo("UTC")
STALE = 24 * 3600  # a spike that ended longer ago (an import of last year) alerts nobody
SOON = 15 * 60  # a target so near is about to be missed
HABIT = 21 * 24 * 3600  # what a source usually brings is learnt from so long
FIRST_RETRY, LAST_RETRY = 60, 3600
REASONS = 3
REPEAT = "(possible repeat) "


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
    digest = rule.digest is not None and notice.kind in WHAT
    if not digest and notice.over_at is not None and now - notice.over_at > STALE:
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
        return Decision(False, f"snoozed until {when(snoozed)}")
    if last_told is not None and not digest:
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
    found = datetime.fromisoformat(rule.snooze_until)
    if found.tzinfo is None:
        found = found.replace(tzinfo=ZoneInfo(rule.time_zone))
    return epoch(found)


def end_of_quiet(rule: AlertRule, now: int) -> int:
    """``now``, or the end of the quiet hours that it lies in (they may pass midnight)."""
    if not rule.quiet_hours:
        return now
    first, last = parse_quiet_hours(rule.quiet_hours)
    zone = ZoneInfo(rule.time_zone)
    local = moment(now).astimezone(zone)
    clock = local.hour * 60 + local.minute
    inside = first <= clock < last if first <= last else clock >= first or clock < last
    if not inside:
        return now
    days, minute = divmod(last, 1440)  # 24:00 is the next day's midnight
    if last <= clock:
        days = 1
    day = local.date() + timedelta(days=days)
    end = datetime.combine(day, time(minute // 60, minute % 60), tzinfo=zone)
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


def precision_by_week(rows: Iterable[Row], zone: ZoneInfo = UTC) -> list[dict[str, Any]]:
    """Of the alerts that a person judged, how many were useful; ``week`` is its Monday in ``zone``."""
    weeks: dict[str, list[int]] = {}
    for row in rows:
        if row.get("sent_at") is None:
            continue
        day = moment(row["sent_at"]).astimezone(zone).date()
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
        except Exception as error:
            # Whatever a channel's library raises: the other channels' messages do not wait for it. Its
            # own words may hold the address, so that only its kind is told.
            expected = isinstance(error, ChannelError)
            why = str(error) if expected else f"the channel broke off ({type(error).__name__})"
            wait = min(FIRST_RETRY * 2 ** row["attempts"], LAST_RETRY)
            log.warning("alert %s to %s failed: %s", row["id"], row["channel"], why)
            outbox.mark_alert(row["id"], "failed", now, why, now + wait)
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


def _apprise() -> ModuleType:
    """apprise, with its log kept from ours: an address that it cannot read it logs whole."""
    import apprise  # slow to import, and most runs alert nobody

    said = logging.getLogger("apprise")
    said.propagate = False
    if not said.handlers:  # without any, Python itself would write what it says to standard error
        said.addHandler(logging.NullHandler())
    return apprise


def _apprise_sender(channel: str, variable: str, address: str | None) -> Sender:
    def send(title: str, body: str) -> None:
        if not address:
            raise ChannelError(
                f"the channel {channel!r} has no address: set {variable} in the environment to an"
                " apprise URL, such as mailto://… or matrix://…"
            )
        apprise = _apprise()
        box = apprise.Apprise()
        if not box.add(address):
            raise ChannelError(f"apprise does not understand the address in {variable}")
        # The text is escaped by apprise for channels that speak HTML or markdown.
        with apprise.LogCapture(level=logging.WARNING, fmt="%(message)s") as said:
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
    *,
    up_since: int = 0,
    only_spikes: bool = False,
) -> int:
    """New events → the outbox → their channels. Returns how many messages went out.

    ``up_since``: when this monitor started; before that a source was not silent, but not asked.
    ``only_spikes``: look for no more than spikes this time; the other kinds cost more to look for.
    """
    plan(store, config, now, up_since=up_since, only_spikes=only_spikes)
    if not store.pending_alerts(now):
        return 0
    return deliver(store, senders or senders_for(config, secrets), now)


def plan(
    store: Any, config: Config, now: int, *, up_since: int = 0, only_spikes: bool = False
) -> int:
    """Write what the rules want told into the outbox. Returns how many messages are new.

    A digest is made of spikes, which are stored. The other kinds are seen only while they last, and
    are of use only then: a rule with a digest tells them at once.
    """
    notices = gather(store, config, now, up_since=up_since, only_spikes=only_spikes)
    explained: dict[int, Notice] = {}  # by spike; the next round's posts may tell something else
    spikes = [notice for notice in notices if notice.kind in WHAT]
    others = [notice for notice in notices if notice.kind not in WHAT]
    written = 0
    for rule in config.alerts.rules:
        for channel in rule.channels:
            if rule.digest:
                written += _plan_digest(store, spikes, rule, channel, now, config)
            at_once = others if rule.digest else notices
            written += _plan_each(store, at_once, rule, channel, now, config, explained)
    return written


def _plan_each(
    store: Any, notices: Sequence[Notice], rule: AlertRule, channel: str, now: int, config: Config,
    explained: dict[int, Notice],
) -> int:  # fmt: skip
    """``explained``: what this round has explained, which is dear: read here, and added to."""
    told: dict[str, int] = {}
    words = {b.name: (b.name, *b.names, *b.all_handles()) for b in config.brands}
    for notice in notices:
        last = told.get(notice.place) or store.last_alert(rule.name, channel, notice.place)
        decision = decide(notice, rule, now, last, config.regions)
        # Another rule may have told this channel, and this one, which did not, wants to in each round.
        if decision.send and not store.has_alert(notice.subject, channel):
            if notice.spike_id is not None:
                if notice.spike_id not in explained:
                    explained[notice.spike_id] = _with_reasons(store, notice, words)
                notice = explained[notice.spike_id]
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
    lines = [
        f"  {harmless(s.text, 400)} ({', '.join(map(harmless, s.keys[:EXAMPLES]))})" for s in found
    ]
    head, separator, link = notice.body.rpartition("\nLook: ")
    return replace(
        notice, body="\n".join([head, "Why, as the posts show:", *lines]) + separator + link
    )


def _plan_digest(
    store: Any, notices: Sequence[Notice], rule: AlertRule, channel: str, now: int, config: Config
) -> int:  # fmt: skip
    """One message for each span that is over: what was found in it, and what was found before and
    has grown beyond the rule's minimum since. What a digest has told of, none tells of again."""
    spans = digest_windows(rule, now)
    since = spans[0][0]
    waiting = {
        n.spike_id: n
        for n in notices
        if n.spike_id is not None
        and (n.over_at is None or max(n.over_at, n.found_at) >= since)
        and decide(n, rule, now, None, config.regions).send
    }
    for told in store.told_in_digests(rule.name, channel, min(waiting, default=0)):
        waiting.pop(told, None)
    written = 0
    for _, last in spans:
        found = {key: n for key, n in waiting.items() if n.found_at < last}
        if not found:
            continue
        message, at = digest_of(list(found.values()), rule, last), end_of_quiet(rule, now)
        if _put(store, message, rule, channel, now, at, tells=found):
            written += 1
            waiting = {key: n for key, n in waiting.items() if key not in found}
    return written


def _put(
    store: Any, n: Notice, rule: AlertRule, channel: str, now: int, at: int,
    tells: Iterable[int] = (),
) -> bool:  # fmt: skip
    return bool(
        store.add_alert(
            subject=n.subject, channel=channel, title=n.title, body=n.body, rule=rule.name,
            now=now, spike_id=n.spike_id, next_try=at, tells=tells,
        )
    )  # fmt: skip


def gather(
    store: Any, config: Config, now: int, *, up_since: int = 0, only_spikes: bool = False
) -> list[Notice]:
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
    if only_spikes:
        kinds = set()
    if "due" in kinds:
        notices += _due(store, config, now)
    if "silent" in kinds:
        notices += _silent(store, config, now, up_since)
    if "viral" in kinds:
        notices += _viral(store, config, now)
    return sorted(notices, key=lambda n: (-n.severity, n.subject))


def _due(store: Any, config: Config, now: int) -> list[Notice]:
    found = []
    for brand in config.brands:
        if brand.competitor:
            continue
        # Asked by its due time: however much is overdue already, what can still be saved is told.
        rows = store.due_between(brand.name, now, now + SOON)
        if rows:
            found.append(of_due(brand.name, rows, now, config.alerts.dashboard_url))
    return found


def _silent(store: Any, config: Config, now: int, up_since: int) -> list[Notice]:
    """Sources that give no answer, and those that answer and bring nothing, against their habit.

    The time in which nobody asked (before ``up_since``) is no silence, unless the last try failed.
    """
    from listener.coverage import silences

    url = config.alerts.dashboard_url
    asked = {source.name: source for source in config.sources if source.enabled}
    found = []
    for row in store.health():
        source = asked.get(row["source"])
        last = row["last_ok_at"] or row["first_at"]
        if source is None or last is None:
            continue
        silent_for = now - (last if row["failures"] else max(last, up_since))
        if silent_for > max(3 * source.every, 900):
            found.append(of_silent(row, silent_for, source.every, url))
    told = {notice.place for notice in found}
    quiet = [
        of_quiet(s, url) for s in silences(store.ledger(now - HABIT), now) if s.source in asked
    ]
    return found + [notice for notice in quiet if notice.place not in told]


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
            if row["label"] == "negative" and not row["deleted_at"]:
                found.append(of_viral(row, one.velocity, one.usual, config.alerts.dashboard_url))
    return found
