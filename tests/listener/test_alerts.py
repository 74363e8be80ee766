"""Alerts: the rules, the messages, and that none is lost or silently sent twice."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError
from sqlite_utils import Database

from listener.alerts import (
    ChannelError,
    _with_reasons,
    decide,
    deliver,
    end_of_quiet,
    precision_by_week,
    run_alerts,
    senders_for,
)
from listener.collectors import Coverage, Page
from listener.config import AlertRule, Alerts, Brand, Config, Source
from listener.mention import Author, Match, Place, Post, Spike, moment
from listener.messages import Notice, harmless, of_spike, of_viral
from listener.schema import migrations
from listener.store import Store
from listener.store.stages import Score

NOW = int(datetime(2026, 3, 14, 9, 0, tzinfo=UTC).timestamp())
HOUR = 3600


def spike(**changes: Any) -> Spike:
    values: dict[str, Any] = {
        "brand": "Acme", "region": "DE", "kind": "negative", "start": moment(NOW - 2 * HOUR),
        "peak": moment(NOW - HOUR), "end": None, "expected": 10.0, "observed": 60.0,
        "p_value": 1e-9, "severity": 3.5, "evidence": (),
    }  # fmt: skip
    return Spike(**{**values, **changes})


def notice(**changes: Any) -> Notice:
    values: dict[str, Any] = {
        "subject": "spike Acme|DE|negative|1", "place": "spike Acme|DE|", "kind": "negative",
        "brand": "Acme", "region": "DE", "posts": 60.0, "severity": 3.5, "started_at": NOW - HOUR,
        "over_at": None, "title": "t", "body": "b", "found_at": NOW,
    }  # fmt: skip
    return Notice(**{**values, **changes})


def config(*rules: AlertRule, channels: dict[str, str] | None = None) -> Config:
    return Config(
        brands=(Brand(name="Acme"),),
        regions={"north": ("DE", "DK")},
        alerts=Alerts(rules=rules or (AlertRule(),), channels=channels or {}),
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "g.db")


class Heard:
    """A sender that remembers, and fails when told to."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, str]] = []
        self.broken = False

    def __call__(self, title: str, body: str) -> None:
        if self.broken:
            raise ChannelError("the line is down")
        self.messages.append((title, body))


# -- rules ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "changes", "why"),
    [
        ({"min_posts": 100}, {}, "60 posts, the rule asks for 100"),
        ({"min_severity": 4}, {}, "severity 3.5"),
        ({"brands": ("Other",)}, {}, "another brand"),
        ({"regions": ("FR",)}, {}, "another region"),
        ({"kinds": ("volume",)}, {}, "volume"),
        ({"snooze_until": "2026-03-14T12:00"}, {}, "snoozed until 2026-03-14 12:00"),
        ({}, {"over_at": NOW - 25 * HOUR}, "over for more than a day"),
    ],
)
def test_a_rule_holds_back_and_says_why(
    rule: dict[str, Any], changes: dict[str, Any], why: str
) -> None:
    decision = decide(notice(**changes), AlertRule(**rule), NOW, None)
    assert not decision.send
    assert why in decision.why


def test_a_region_group_stands_for_its_countries() -> None:
    rule = AlertRule(regions=("north",))
    groups = {"north": ("DE", "DK")}
    assert decide(notice(), rule, NOW, None, groups).send
    assert not decide(notice(region="FR"), rule, NOW, None, groups).send


def test_cooldown_counts_from_the_last_word_on_the_place() -> None:
    rule = AlertRule(cooldown=6 * HOUR)
    young = notice(started_at=NOW)
    assert not decide(young, rule, NOW, NOW - 5 * HOUR).send
    assert decide(young, rule, NOW, NOW - 7 * HOUR).send
    # What already went on when the place was last told of is old news, of whatever kind.
    assert not decide(notice(started_at=NOW - 8 * HOUR), rule, NOW, NOW - 7 * HOUR).send


@pytest.mark.parametrize(
    ("at", "ends"),
    [
        ("2026-03-14T21:59:00+01:00", None),
        ("2026-03-14T22:00:00+01:00", "2026-03-15T07:00:00+01:00"),
        ("2026-03-15T03:00:00+01:00", "2026-03-15T07:00:00+01:00"),
        ("2026-03-15T07:00:00+01:00", None),
        # The night of 29 March 2026 is an hour short in Berlin.
        ("2026-03-28T23:00:00+01:00", "2026-03-29T07:00:00+02:00"),
    ],
)
def test_quiet_hours_in_a_time_zone_pass_midnight(at: str, ends: str | None) -> None:
    rule = AlertRule(quiet_hours="22:00-07:00", time_zone="Europe/Berlin")
    now = int(datetime.fromisoformat(at).timestamp())
    expected = now if ends is None else int(datetime.fromisoformat(ends).timestamp())
    assert end_of_quiet(rule, now) == expected
    decision = decide(notice(), rule, now, None)
    assert decision.send
    assert decision.at == expected


def test_quiet_hours_may_end_at_midnight() -> None:
    rule = AlertRule(quiet_hours="22:00-24:00", time_zone="Europe/Berlin")
    late = int(datetime.fromisoformat("2026-03-14T22:30:00+01:00").timestamp())
    assert end_of_quiet(rule, late) == late + 90 * 60
    assert end_of_quiet(rule, late + 90 * 60) == late + 90 * 60
    assert end_of_quiet(rule, late - HOUR) == late - HOUR


def test_what_a_digest_cannot_hold_is_told_at_once_and_cools_down() -> None:
    rule = AlertRule(digest=24 * HOUR)
    due = notice(kind="due", place="due Acme|", subject="due Acme|1", started_at=NOW)
    assert decide(due, rule, NOW, None).send
    assert not decide(due, rule, NOW, NOW - HOUR).send
    assert decide(notice(), rule, NOW, NOW - HOUR).send, "the digest of spikes knows no cooldown"


# -- messages -------------------------------------------------------------------------------------


def test_a_strangers_text_cannot_act() -> None:
    text = "see https://evil.example/x?y\n\n@everyone <!channel> \u202emirror evil.com bye"
    shown = harmless(text)
    assert "://" not in shown
    assert "evil.example" not in shown
    assert "evil.com" not in shown
    assert "@everyone" not in shown
    assert "<!" not in shown
    assert "\n" not in shown
    assert "\u202e" not in shown
    assert len(harmless("x" * 5000)) == 200
    assert harmless("It is late. Again. 2.5 hours") == "It is late. Again. 2.5 hours"
    assert harmless("e.g. the U.S. and so on... or not") == "e.g. the U.S. and so on... or not"


@pytest.mark.parametrize(
    "text",
    [
        "go to evil.com, now", "go to evil.com.", "(evil.com)", "see evil.com!", "evil.com\"",
        "EVIL.COM; x", "evil.рф/a", "evil.भारत", "[x](evil.com)", "<evil.com|here>", "evil.co.uk, x",
        "evil.xn--p1ai", "https://evil.com/pay", "EVIL.example://x",
    ],
)  # fmt: skip
def test_no_domain_and_no_address_stays_a_link(text: str) -> None:
    shown = harmless(text)
    assert "://" not in shown
    assert not re.search(r"(?i)evil\.|\.uk", shown)


def test_a_posts_key_cannot_act_either() -> None:
    key = "rss:https://evil.example/pay?x <!channel> @everyone"
    row = {
        "key": key, "brand": "Acme", "text": "late", "created_at": NOW, "country": "DE",
    }  # fmt: skip
    told = of_viral(row, 9.0, 1.0, "https://wall.example/")
    said = told.body.rpartition("\nLook: ")[0]
    assert "rss:https[:]//evil[.]example/pay?x" in said
    assert not re.search(r"<!|@e|://", said)


def test_a_key_among_the_reasons_cannot_act(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    found = SimpleNamespace(
        sentences=[SimpleNamespace(text="More say late", keys=["rss:https://evil.example @here"])]
    )
    monkeypatch.setattr("listener.reasons.reasons", lambda *args: found)
    body = _with_reasons(store, notice(spike_id=1, body="What\nLook: x"), {}).body
    assert "(rss:https[:]//evil[.]example @\u2060here)" in body


def test_the_message_says_what_where_how_sure_since_when_and_shows_posts() -> None:
    row = {
        "id": 7, "brand": "Acme", "region": "DE", "kind": "negative", "start": NOW - 2 * HOUR,
        "end": None, "expected": 10.0, "observed": 60.0, "p_value": 1e-9, "severity": 3.5,
        "found_at": NOW,
    }  # fmt: skip
    posts = [{"text": f"flight {i} cancelled", "key": f"x:{i}"} for i in range(5)]
    said = of_spike(row, posts, "https://wall.example/")
    assert said.title == "Acme, DE: 6.0 times the usual negative posts"
    assert "60 negative posts, 10 are usual" in said.body
    assert "at least 3.5 times" in said.body
    assert "Where: DE" in said.body
    assert "by chance once in 1e9 looks" in said.body
    assert "Since: 2026-03-14 07:00 UTC, still going on" in said.body
    assert '"flight 2 cancelled" (x:2)' in said.body
    assert "flight 3" not in said.body
    assert "https://wall.example/spikes?brand=Acme&spike=7" in said.body


# -- the outbox -----------------------------------------------------------------------------------


def test_a_channel_that_breaks_off_holds_up_no_other(store: Store) -> None:
    def broken(title: str, body: str) -> None:
        raise TypeError("mailto://user:secret@example.org cannot be spoken to")

    store.save_spikes([spike()], NOW)
    heard = Heard()
    rules = config(AlertRule(channels=("chat", "mail")))
    assert run_alerts(store, rules, {}, NOW, {"chat": broken, "mail": heard}) == 1
    assert len(heard.messages) == 1
    (failed,) = [row for row in store.alerts() if row["channel"] == "chat"]
    assert (failed["state"], failed["detail"]) == ("failed", "the channel broke off (TypeError)")
    assert failed["next_try"] > NOW


def test_a_spike_is_told_once_to_each_channel(store: Store) -> None:
    store.save_spikes([spike()], NOW)
    heard, other = Heard(), Heard()
    rules = config(AlertRule(channels=("chat", "mail")))
    senders = {"chat": heard, "mail": other}
    assert run_alerts(store, rules, {}, NOW, senders) == 2
    store.save_spikes([spike(observed=90.0)], NOW + HOUR)
    assert run_alerts(store, rules, {}, NOW + HOUR, senders) == 0
    assert run_alerts(store, rules, {}, NOW + 20 * HOUR, senders) == 0
    assert len(heard.messages) == len(other.messages) == 1


def save_mentions(store: Store, texts: list[str], begin: int) -> list[str]:
    """Negative mentions of Acme from DE, a minute apart; returns their keys."""
    posts = [
        Post("x", f"{begin}-{i}", text, moment(begin + 60 * i), Author(handle=f"a{i}"))
        for i, text in enumerate(texts)
    ]
    store.save_page(
        Page(posts, {"at": begin}, Coverage()), source="s", platform="x", query="q",
        matches=[[Match("Acme", "Acme", "Acme", "name", 0, 4)] for _ in posts],
        from_brand=[None] * len(posts), rules="r", now=begin + 3600,
    )  # fmt: skip
    store.save_places([(post.key, Place("DE", None, "tagged", 1.0)) for post in posts])
    scores = [Score(post.key, "Acme", "negative", 0.9, 0.05, 0.05, 0.9) for post in posts]
    store.save_scores("m", scores, begin + 3600)
    return [post.key for post in posts]


def test_the_message_says_why_from_posts(store: Store) -> None:
    save_mentions(store, [f"Acme seat {i} was cold today" for i in range(60)], NOW - 9 * 86400)
    begin = NOW - 2 * HOUR
    keys = save_mentions(
        store, [f"Acme lost my baggage http://t.example/{i}" for i in range(40)], begin
    )
    store.save_spikes([spike(start=moment(begin), evidence=tuple(keys))], NOW)
    heard = Heard()
    rules = config(AlertRule(channels=("chat",)))
    assert run_alerts(store, rules, {}, NOW, {"chat": heard}) == 1
    body = heard.messages[0][1]
    assert "Why, as the posts show:" in body
    assert "baggage" in body
    assert "cold" not in body
    assert keys[0] in body
    assert (
        "acme" not in body.lower().split("why, as")[1].split("the first of them")[0].split("“")[1]
    )
    assert body.rstrip().splitlines()[-1].startswith("Look: ")


def test_a_spike_is_explained_once_a_round_and_not_where_nobody_is_told(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    explained: list[str] = []

    def why(store: Store, spike: dict[str, Any], words: object) -> SimpleNamespace:
        explained.append(spike["region"])
        text = f"More from {spike['region']} say late, look {len(explained)}"
        return SimpleNamespace(sentences=[SimpleNamespace(text=text, keys=["x:1"])])

    monkeypatch.setattr("listener.reasons.reasons", why)
    store.save_spikes([spike(), spike(region="FR")], NOW)
    chat, mail = Heard(), Heard()
    rules = config(
        AlertRule(name="one", channels=("chat",)), AlertRule(name="two", channels=("chat", "mail"))
    )
    senders = {"chat": chat, "mail": mail}
    assert run_alerts(store, rules, {}, NOW, senders) == 4
    assert sorted(explained) == ["DE", "FR"]
    assert sorted(chat.messages) == sorted(mail.messages)
    for region in ("DE", "FR"):
        (body,) = (body for _, body in chat.messages if f"Where: {region}" in body)
        assert f"More from {region} say late" in body
    for minutes in range(1, 6):
        assert run_alerts(store, rules, {}, NOW + 60 * minutes, senders) == 0
    assert len(explained) == 2, "both channels know of both"
    store.save_spikes([spike(region="IT")], NOW + HOUR)
    assert run_alerts(store, rules, {}, NOW + HOUR, senders) == 2
    assert explained[2:] == ["IT"]


def test_one_crisis_is_one_alert_whatever_it_raises(store: Store) -> None:
    store.save_spikes([spike(), spike(kind="volume", severity=2.0)], NOW)
    heard = Heard()
    rules = config(AlertRule(channels=("chat",)))
    assert run_alerts(store, rules, {}, NOW, {"chat": heard}) == 1
    assert "negative posts" in heard.messages[0][0]
    assert run_alerts(store, rules, {}, NOW + 12 * HOUR, {"chat": heard}) == 0


def test_quiet_hours_hold_a_message_until_they_end(store: Store) -> None:
    store.save_spikes([spike()], NOW)
    heard = Heard()
    rules = config(AlertRule(channels=("chat",), quiet_hours="08:00-12:00"))
    assert run_alerts(store, rules, {}, NOW, {"chat": heard}) == 0
    assert run_alerts(store, rules, {}, NOW + 3 * HOUR, {"chat": heard}) == 1


def test_a_digest_comes_once_a_span_even_after_a_pause(store: Store) -> None:
    store.save_spikes([spike(), spike(region="FR")], NOW + 60)
    heard = Heard()
    rules = config(AlertRule(channels=("chat",), digest=4 * HOUR))  # spans begin at 08:00, 12:00
    assert run_alerts(store, rules, {}, NOW + 600, {"chat": heard}) == 0
    for later in (3 * HOUR, 3 * HOUR + 60, 6 * HOUR):
        run_alerts(store, rules, {}, NOW + later, {"chat": heard})
    assert len(heard.messages) == 1
    assert "2 alerts" in heard.messages[0][0]
    assert "Where: DE" in heard.messages[0][1]
    assert "Where: FR" in heard.messages[0][1]


def test_a_digest_tells_what_grew_large_after_its_span_and_nothing_twice(store: Store) -> None:
    """Spans end at 08:00, 12:00 …; a spike that is small then is told at the end of a later one."""
    rules = config(AlertRule(channels=("chat",), digest=4 * HOUR))
    heard = Heard()
    store.save_spikes([spike(), spike(region="FR", observed=12.0)], NOW + 60)

    def told(hours: int) -> list[str]:
        before = len(heard.messages)
        run_alerts(store, rules, {}, NOW + hours * HOUR, {"chat": heard})
        bodies = "".join(body for _, body in heard.messages[before:])
        return [region for region in ("DE", "FR") if f"Where: {region}" in bodies]

    assert told(3) == ["DE"]
    store.save_spikes([spike(observed=90.0), spike(region="FR", observed=900.0)], NOW + 3 * HOUR)
    assert told(4) == []  # 13:00: the span is not over
    assert [told(hours) for hours in (7, 8, 11, 15)] == [["FR"], [], [], []]
    gone = spike(region="FR", observed=900.0, end=moment(NOW + 14 * HOUR))
    store.save_spikes([gone, spike(region="DE", observed=900.0)], NOW + 15 * HOUR)
    assert [told(hours) for hours in (19, 23, 27)] == [[], [], []]


def test_what_old_digests_told_of_is_known(tmp_path: Path) -> None:
    older = sqlite3.connect(tmp_path / "old.db", isolation_level=None)
    migrations.apply(Database(older), stop_before="m015_told_in_digests")
    for region in range(1, 13):  # spike 1 was told of, spike 12 was not
        older.execute(
            "INSERT INTO spikes (brand, region, kind, start, peak, expected, observed, p_value, "
            "severity, found_at) VALUES ('Acme', ?, 'negative', 1, 1, 5, 90, 0, 3, ?)",
            (str(region), NOW - HOUR),
        )
    link = "Look: http://127.0.0.1:8501/spikes?brand=Acme&spike="
    older.execute(
        "INSERT INTO alerts (subject, channel, rule, state, created_at, title, body) "
        "VALUES ('digest everyone|1', 'chat', 'everyone', 'sent', ?, 't', ?)",
        (NOW, f"a\n{link}1\n\n----\n\nb\n{link}3"),
    )
    older.close()
    with Store(tmp_path / "old.db") as store:
        assert store.told_in_digests("everyone", "chat", 0) == {1, 3}
        assert store.told_in_digests("everyone", "chat", 2) == {3}
        assert store.told_in_digests("others", "chat", 0) == set()


def test_a_failing_channel_retries_later_and_later_and_shows(store: Store) -> None:
    store.save_spikes([spike()], NOW)
    heard = Heard()
    heard.broken = True
    rules = config(AlertRule(channels=("chat",)))
    assert run_alerts(store, rules, {}, NOW, {"chat": heard}) == 0
    (row,) = store.alerts()
    assert (row["state"], row["detail"]) == ("failed", "the line is down")
    first_wait = row["next_try"] - NOW
    assert run_alerts(store, rules, {}, NOW + 1, {"chat": heard}) == 0
    assert store.alerts()[0]["attempts"] == 1
    run_alerts(store, rules, {}, row["next_try"], {"chat": heard})
    again = store.alerts()[0]
    assert again["next_try"] - row["next_try"] > first_wait
    heard.broken = False
    assert run_alerts(store, rules, {}, again["next_try"], {"chat": heard}) == 1
    assert not heard.messages[0][0].startswith("(possible repeat)")


def test_a_channel_without_an_address_says_which_variable_is_missing(store: Store) -> None:
    store.save_spikes([spike()], NOW)
    rules = config(AlertRule(channels=("chat",)), channels={"chat": "ALERT_CHAT"})
    assert run_alerts(store, rules, {}, NOW) == 0
    assert "set ALERT_CHAT in the environment" in store.alerts()[0]["detail"]


STEPS = ("before sending", "while sending", "after the message left", "after sent")


@pytest.mark.parametrize("step", STEPS)
def test_kill_nine_at_every_step_loses_nothing(tmp_path: Path, step: str) -> None:
    """A child process dies by SIGKILL; the next run delivers, and marks what may be a double."""
    path, sent = tmp_path / "g.db", tmp_path / "sent"
    Store(path).save_spikes([spike()], NOW)
    rules = config(AlertRule(channels=("chat",)))

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    class Dying(Store):
        def mark_alert(
            self, alert_id: int, state: str, now: int, detail: str | None = None,
            next_try: int | None = None,
        ) -> None:  # fmt: skip
            if step == "before sending" and state == "sending":
                die()
            if step == "after the message left" and state == "sent":
                die()
            super().mark_alert(alert_id, state, now, detail, next_try)
            if step == "after sent" and state == "sent":
                die()

    def send(title: str, body: str) -> None:
        if step == "while sending" and not sent.exists():
            sent.touch()
            die()
        with sent.open("a") as file:
            file.write(title + "\n")

    child = os.fork()
    if child == 0:
        run_alerts(Dying(path), rules, {}, NOW, {"chat": send})
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL
    run_alerts(Store(path), rules, {}, NOW + 60, {"chat": send})
    run_alerts(Store(path), rules, {}, NOW + 120, {"chat": send})
    lines = sent.read_text().splitlines()
    repeats = [line.startswith("(possible repeat)") for line in lines]
    assert (
        repeats
        == {
            "before sending": [False],
            "while sending": [True],
            "after the message left": [False, True],
            "after sent": [False],
        }[step]
    )
    assert [row["state"] for row in Store(path).alerts()] == ["sent"]


def test_precision_counts_only_what_was_judged() -> None:
    week = NOW - 5 * 86400  # Monday 9 March 2026
    rows: list[dict[str, Any]] = [
        {"sent_at": week, "verdict": "useful"},
        {"sent_at": week, "verdict": "useful"},
        {"sent_at": week, "verdict": "noise"},
        {"sent_at": week, "verdict": None},
        {"sent_at": None, "verdict": "noise"},
        {"sent_at": week + 7 * 86400, "verdict": None},
    ]
    first, second = precision_by_week(rows)
    assert first == {
        "week": "2026-03-09", "sent": 4, "useful": 2, "noise": 1, "precision": pytest.approx(2 / 3)
    }  # fmt: skip
    assert second["precision"] is None


def test_the_week_of_an_alert_is_that_of_the_zone() -> None:
    sunday = int(datetime(2026, 3, 15, 23, 30, tzinfo=UTC).timestamp())  # Monday in Berlin
    rows = [{"sent_at": sunday, "verdict": None}]
    assert precision_by_week(rows)[0]["week"] == "2026-03-09"
    assert precision_by_week(rows, ZoneInfo("Europe/Berlin"))[0]["week"] == "2026-03-16"


# -- each kind, with the rules that are there when nobody wrote any ---------------------------------


def by_default(**changes: Any) -> Config:
    """The default rule, told to a channel that the test hears."""
    source = {"platform": "hackernews", "name": "hn", "every": 300}
    return Config(
        brands=(Brand(name="Acme"),),
        sources=(Source(**source),),
        alerts=Alerts(rules=(AlertRule(channels=("chat",)),)),
        **changes,
    )


def test_by_default_every_kind_of_trouble_is_told() -> None:
    assert {"negative", "volume", "viral", "due", "silent"} <= set(AlertRule().kinds)
    with pytest.raises(ValidationError, match="kinds"):
        AlertRule(kinds=("virale",))


def test_an_answer_about_to_be_late_is_told_once(store: Store) -> None:
    keys = save_mentions(store, ["Acme where is my bag", "Acme anyone there"], NOW - HOUR)
    store.mark_threads_read(keys, NOW - HOUR)
    store.flag_threads(keys, ["Acme"], lambda platform, published: published + HOUR + 600, NOW)
    heard = Heard()
    assert run_alerts(store, by_default(), {}, NOW - 900, {"chat": heard}) == 0, "in 25 minutes"
    assert run_alerts(store, by_default(), {}, NOW, {"chat": heard}) == 1
    title, body = heard.messages[0]
    assert title == "Acme: 2 answers about to be late"
    assert "the first is due at 2026-03-14 09:10 UTC" in body
    assert "where is my bag" in body
    assert run_alerts(store, by_default(), {}, NOW + 60, {"chat": heard}) == 0


def test_an_answer_about_to_be_late_is_told_beside_any_number_that_is_late(store: Store) -> None:
    late = save_mentions(store, [f"Acme no {i} is late" for i in range(250)], NOW - 30 * HOUR)
    soon = save_mentions(store, ["Acme where is my bag"], NOW - HOUR)
    for keys, due in ((late, HOUR), (soon, HOUR + 600)):
        store.mark_threads_read(keys, NOW - HOUR)
        store.flag_threads(keys, ["Acme"], lambda platform, at, due=due: at + due, NOW)
    heard = Heard()
    assert run_alerts(store, by_default(), {}, NOW, {"chat": heard}) == 1
    title, body = heard.messages[0]
    assert title == "Acme: 1 answer about to be late"
    assert "where is my bag" in body


def test_a_rule_with_a_digest_tells_of_an_answer_about_to_be_late_at_once(store: Store) -> None:
    store.save_spikes([spike()], NOW)
    keys = save_mentions(store, ["Acme where is my bag"], NOW - HOUR)
    store.mark_threads_read(keys, NOW - HOUR)
    store.flag_threads(keys, ["Acme"], lambda platform, published: published + HOUR + 600, NOW)
    heard = Heard()
    rules = config(AlertRule(channels=("chat",), digest=4 * HOUR))  # spans begin at 08:00, 12:00
    for later in (0, 60, 3 * HOUR):
        run_alerts(store, rules, {}, NOW + later, {"chat": heard})
    assert [title for title, _ in heard.messages] == [
        "Acme: 1 answer about to be late",
        "Acme, DE: 6.0 times the usual negative posts",
    ]


def test_an_answered_mention_is_not_late(store: Store) -> None:
    keys = save_mentions(store, ["Acme where is my bag"], NOW - HOUR)
    answer = Post(
        "x", "a", "on its way", moment(NOW - 60), Author(handle="acme"),
        conversation_id=keys[0].removeprefix("x:"),
    )  # fmt: skip
    store.save_page(
        Page([answer], {}, Coverage()), source="s", platform="x", query="q", matches=[[]],
        from_brand=["Acme"], rules="r", now=NOW,
    )  # fmt: skip
    store.mark_threads_read(keys, NOW)
    store.flag_threads(keys, ["Acme"], lambda platform, published: published + HOUR + 600, NOW)
    heard = Heard()
    assert run_alerts(store, by_default(), {}, NOW, {"chat": heard}) == 0


def test_a_complaint_that_takes_off_is_told_and_praise_is_not(store: Store) -> None:
    save_mentions(store, [f"Acme seat {i} was cold" for i in range(30)], NOW - 9 * 86400)
    loud = save_mentions(store, ["Acme broke my guitar", "Acme sang for me"], NOW - 2 * HOUR)
    with store.write() as db:
        db.execute("UPDATE posts SET likes = 2, replies = 0, reposts = 0")
        db.execute("UPDATE posts SET likes = 900 WHERE key IN (?, ?)", loud)
        db.execute("UPDATE mentions SET label = 'positive' WHERE key = ?", loud[1:])
    heard = Heard()
    assert run_alerts(store, by_default(), {}, NOW, {"chat": heard}) == 1
    title, body = heard.messages[0]
    assert title == "Acme: a complaint is taking off"
    assert "broke my guitar" in body
    assert "450 likes, replies and reposts an hour" in body
    assert run_alerts(store, by_default(), {}, NOW + HOUR, {"chat": heard}) == 0


@pytest.mark.parametrize(
    "gone",
    ["UPDATE posts SET deleted_at = 1, text = ''", "UPDATE mentions SET wrong = 1"],
    ids=["deleted", "no mention, a person said"],
)
def test_a_complaint_that_is_gone_or_none_is_not_told_to_take_off(store: Store, gone: str) -> None:
    save_mentions(store, [f"Acme seat {i} was cold" for i in range(30)], NOW - 9 * 86400)
    (loud,) = save_mentions(store, ["Acme broke my guitar"], NOW - 2 * HOUR)
    with store.write() as db:
        db.execute("UPDATE posts SET likes = 2, replies = 0, reposts = 0")
        db.execute("UPDATE posts SET likes = 900 WHERE key = ?", (loud,))
        db.execute(f"{gone} WHERE key = ?", (loud,))
    assert run_alerts(store, by_default(), {}, NOW, {"chat": Heard()}) == 0


def test_a_source_that_gives_no_answer_is_told_when_it_was_asked(store: Store) -> None:
    answered(store, NOW - 2 * HOUR, new=3)
    heard = Heard()
    up = NOW - 60
    said = run_alerts(store, by_default(), {}, NOW, {"chat": heard}, up_since=up)
    assert said == 0, "nobody asked until now"
    store.save_failure(
        source="hn", platform="hackernews", query="q", reason="HTTP 503 from the platform", now=NOW
    )
    assert run_alerts(store, by_default(), {}, NOW + 60, {"chat": heard}, up_since=up) == 1
    title, body = heard.messages[0]
    assert title == "The source hn is silent"
    assert "no answer for 121 min; it is asked every 5 min" in body
    assert "HTTP 503" in body


def test_a_source_that_never_answered_is_told(store: Store) -> None:
    for n in range(8):
        store.save_failure(
            source="hn", platform="hackernews", query="q", reason="HTTP 401", now=NOW + 300 * n
        )
    heard = Heard()
    assert run_alerts(store, by_default(), {}, NOW + 600, {"chat": heard}) == 0
    assert run_alerts(store, by_default(), {}, NOW + 2100, {"chat": heard}) == 1
    assert "Since: it was set up" in heard.messages[0][1]


def test_a_source_that_answers_with_nothing_against_its_habit_is_told_once(store: Store) -> None:
    for hour in range(7 * 24, 0, -1):
        answered(store, NOW - (hour + 6) * HOUR, new=4)
    heard = Heard()
    for hour in range(6, -1, -1):
        answered(store, NOW - hour * HOUR, new=0)
    assert run_alerts(store, by_default(), {}, NOW, {"chat": heard}) == 1
    title, body = heard.messages[0]
    assert title == "The source hn brings nothing new"
    assert "nothing new for 7 h, where about 28 posts would be usual" in body
    for hour in range(1, 9):
        answered(store, NOW + hour * HOUR, new=0)
    assert run_alerts(store, by_default(), {}, NOW + 8 * HOUR, {"chat": heard}) == 0


def answered(store: Store, at: int, new: int) -> None:
    """A request of the source "hn" that succeeded and brought so many new posts."""
    posts = [
        Post("hackernews", f"{at}-{i}", "nobody named", moment(at), Author(handle="a"))
        for i in range(new)
    ]
    store.save_page(
        Page(posts, {"at": at}, Coverage(requests=1)), source="hn", platform="hackernews",
        query="q", matches=[[] for _ in posts], from_brand=[None] * new, rules="r", now=at,
    )  # fmt: skip


def test_the_cooldown_of_a_place_is_of_that_place_alone(store: Store) -> None:
    """A name may hold % and _, which mean anything to LIKE, and one key may begin another."""
    put = {"channel": "chat", "title": "t", "body": "b", "rule": "everyone"}
    store.add_alert(subject="spike A_me|DE|negative|1", now=NOW, **put)  # type: ignore[arg-type]
    store.add_alert(subject="viral Acme|x:12|", now=NOW, **put)  # type: ignore[arg-type]
    assert store.last_alert("everyone", "chat", "spike A_me|DE|") == NOW
    assert store.last_alert("everyone", "chat", "spike Acme|DE|") is None
    assert store.last_alert("everyone", "chat", "spike %") is None
    assert store.last_alert("everyone", "chat", "spike a_me|DE|") is None
    assert store.last_alert("everyone", "chat", "viral Acme|x:1|") is None


def test_a_spike_keeps_when_the_counts_first_told_of_it(store: Store) -> None:
    store.save_spikes([spike(known=moment(NOW - HOUR))], NOW + 5 * HOUR)
    store.save_spikes([spike(known=moment(NOW), observed=90.0)], NOW + 6 * HOUR)
    (row,) = store.spikes()
    assert (row["known_at"], row["found_at"]) == (NOW - HOUR, NOW + 5 * HOUR)


# -- real servers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address", ["slak://T1/B1/TOPSECRET", "slack://TOPSECRET", "https://hooks.example/x/TOPSECRET"]
)
def test_an_address_that_cannot_be_read_is_not_logged(
    address: str, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("apprise")
    ours = logging.StreamHandler(
        said := StringIO()
    )  # caplog hears what does not reach our log, too
    logging.getLogger().addHandler(ours)
    try:
        with pytest.raises(ChannelError, match="the address in CHAT") as caught:
            senders_for(config(channels={"chat": "CHAT"}), {"CHAT": address})["chat"]("t", "b")
    finally:
        logging.getLogger().removeHandler(ours)
    assert "SECRET" not in str(caught.value) + said.getvalue() + "".join(capfd.readouterr())


@pytest.fixture
def mail() -> Iterator[tuple[str, list[bytes]]]:
    """A real SMTP server on loopback; its address for apprise, and what it was given."""
    smtp = pytest.importorskip("aiosmtpd.controller", reason="needs aiosmtpd, a dev dependency")
    got: list[bytes] = []

    class Keep:
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
            await asyncio.sleep(0)
            got.append(envelope.content)
            return "250 kept"

    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = smtp.Controller(Keep(), hostname="127.0.0.1", port=port)
    server.start()
    yield (
        f"mailto://127.0.0.1:{port}?from=wall@example.org&to=team@example.org&mode=insecure",
        got,
    )
    server.stop()


@pytest.mark.network
def test_an_alert_reaches_a_real_mail_server(store: Store, mail: tuple[str, list[bytes]]) -> None:
    address, got = mail
    store.save_spikes([spike()], NOW)
    rules = config(AlertRule(channels=("mail",)), channels={"mail": "ALERT_MAIL"})
    assert run_alerts(store, rules, {"ALERT_MAIL": address}, NOW) == 1
    (raw,) = got
    message = message_from_bytes(raw)
    assert message["Subject"] == "Acme, DE: 6.0 times the usual negative posts"
    assert message["To"] == "team@example.org"
    body = message.get_payload(decode=True)
    assert isinstance(body, bytes)
    assert b"60 negative posts, 10 are usual" in body


@pytest.mark.network
def test_a_refused_connection_is_told_without_the_address(store: Store) -> None:
    store.save_spikes([spike()], NOW)
    rules = config(AlertRule(channels=("mail",)), channels={"mail": "ALERT_MAIL"})
    secret = "mailto://user:hunter2@127.0.0.1:9?from=a@example.org&to=b@example.org&mode=insecure"
    assert run_alerts(store, rules, {"ALERT_MAIL": secret}, NOW) == 0
    (row,) = store.alerts()
    assert row["state"] == "failed"
    assert "mail" in row["detail"]
    assert "hunter2" not in row["detail"]


def test_log_is_always_there(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    store.save_spikes([spike()], NOW)
    assert run_alerts(store, config(), {}, NOW) == 1
    assert "Acme, DE" in caplog.text
    assert set(senders_for(config(), {})) == {"log"}


def test_deliver_does_not_stop_at_a_broken_channel(store: Store) -> None:
    store.save_spikes([spike()], NOW)
    heard, broken = Heard(), Heard()
    broken.broken = True
    rules = config(AlertRule(channels=("a", "b")))
    run_alerts(store, rules, {}, NOW, {"a": broken, "b": heard})
    assert len(heard.messages) == 1
    assert deliver(store, {"a": heard, "b": heard}, NOW + HOUR) == 1
