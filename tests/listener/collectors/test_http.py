"""What every collector's requests share: time-outs, sizes, limits, redaction; and the budget."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fake import Platform, Reply, Request, SimClock, serving
from hypothesis import given
from hypothesis import strategies as st
from requests import Response, exceptions

from listener import budget
from listener.collectors import Context
from listener.collectors import http as h
from listener.config import Budget
from listener.errors import (
    AuthError,
    BudgetError,
    LimitError,
    PlatformError,
    UnreachableError,
)
from listener.store import Store

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRET = "s3cret-value-of-a-token"


class Scripted(Platform):
    """Answers what it is told to, in order; the last one again and again."""

    def __init__(self, clock: SimClock, *replies: Reply) -> None:
        super().__init__(clock)
        self.replies = list(replies)
        self.hang = 0.5

    def answer(self, request: Request) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    def limit_headers(self, remaining: int, resets: float) -> dict[str, str]:
        return {}


def session(clock: SimClock, **options: float) -> h.GuardedSession:
    context = Context("test", h.NetOptions(**options), {"A_TOKEN": SECRET}, clock, clock.sleep)
    return h.GuardedSession(
        h.Guard(context, "test", auth_help="Check A_TOKEN.", secret_names=("A_TOKEN",))
    )


@pytest.mark.parametrize("fault", ["500", "503", "drop", "half", "garbage", "timeout"])
def test_what_may_pass_is_tried_again_with_growing_pauses(fault: str) -> None:
    clock = SimClock(START)
    server = Scripted(clock, Reply({"ok": 1}))
    server.script = [fault, fault]
    with serving(server) as url:
        one = session(clock, timeout=0.2)
        assert one.get(url).json() == {"ok": 1}
    assert len(server.requests) == 3
    assert 1.5 <= clock.slept <= 12
    assert one.guard.take() == (3, 0.0)


@pytest.mark.parametrize(
    ("error", "unreachable"),
    [
        (exceptions.ConnectTimeout, True),
        (exceptions.ConnectionError, True),
        (exceptions.ReadTimeout, False),
    ],
)
def test_a_host_that_takes_no_connection_is_out_of_reach_for_every_query(
    error: type[Exception], unreachable: bool
) -> None:
    def send() -> Response:
        raise error

    clock = SimClock(START)
    with pytest.raises(PlatformError) as told:
        session(clock).guard.run(send, "GET", "https://dark.example/feed")
    assert isinstance(told.value, UnreachableError) is unreachable
    assert "dark.example" in str(told.value)


def test_a_limit_that_names_no_end_is_not_asked_again_at_once() -> None:
    clock = SimClock(START)
    server = Scripted(clock, Reply("", 429))
    with serving(server) as url, pytest.raises(LimitError, match="did not say until when") as told:
        session(clock).get(url)
    assert told.value.resets_at is None
    assert len(server.requests) == 1


def test_a_reply_is_never_posted_twice() -> None:
    clock = SimClock(START)
    server = Scripted(clock, Reply({"ok": 1}))
    server.script = ["timeout"]
    with serving(server) as url, pytest.raises(PlatformError, match="did not answer in time"):
        session(clock, timeout=0.2).post(url, json={"text": "hi"})
    assert len(server.requests) == 1


def test_an_answer_that_never_ends_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(h, "MAX_BODY", 100_000)
    clock = SimClock(START)
    server = Scripted(clock, Reply(b"x" * 1_000_000))
    with serving(server) as url, pytest.raises(PlatformError, match="was left after"):
        session(clock).get(url)


def test_a_redirect_loop_is_told() -> None:
    clock = SimClock(START)
    with serving(Scripted(clock, Reply("", 302, {"Location": "/again"}))) as url:
        one = session(clock)
        with pytest.raises(PlatformError, match="redirects in a loop"):
            one.get(url)


def test_secrets_reach_no_message_no_log_and_no_reject(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    clock = SimClock(START)
    leaky = {"error": f"bad token {SECRET}", "detail": "Bearer abcdefghijk is wrong, ?key=AIzaXYZ"}
    server = Scripted(clock, Reply(leaky, 401), Reply(f"<html>{SECRET} token={SECRET}</html>"))
    with serving(server) as url:
        one = session(clock)
        with pytest.raises(AuthError, match="Check A_TOKEN") as refused:
            one.get(f"{url}/x?access_token={SECRET}", headers={"Authorization": f"Bearer {SECRET}"})
        with pytest.raises(h.Unreadable) as unreadable:
            one.get(f"{url}/x?access_token={SECRET}")
    seen = str(refused.value) + str(unreadable.value) + repr(unreadable.value.reject) + caplog.text
    assert SECRET not in seen
    assert "abcdefghijk" not in seen
    assert "AIzaXYZ" not in seen
    assert "an HTML page instead of JSON" in unreadable.value.reject.reason


def test_tweepys_debug_log_of_headers_stays_closed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    session(SimClock(START))
    for name in ("tweepy.client", "prawcore", "urllib3.connectionpool", "httpx"):
        logging.getLogger(name).debug("Authorization: Bearer %s", SECRET)
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    ("status", "headers", "says"),
    [
        (402, {}, "credits or quota are used up; it did not say until when"),
        (429, {"Retry-After": "7200"}, "too many requests; it resets at 2026-03-01 14:00 UTC"),
        (403, {}, "quotaExceeded"),
    ],
)
def test_limits_that_last_are_left_to_the_schedule(
    status: int, headers: dict[str, str], says: str
) -> None:
    clock = SimClock(START)
    body = {"error": {"errors": [{"reason": "quotaExceeded"}]}} if status == 403 else {}
    server = Scripted(clock, Reply(body, status, headers))
    with serving(server) as url, pytest.raises(LimitError, match=says):
        session(clock).get(url)
    assert len(server.requests) == 1
    assert clock.slept == 0


def test_a_used_up_window_is_not_asked_into() -> None:
    clock = SimClock(START)
    server = Scripted(
        clock, Reply({"ok": 1}, 200, {"RateLimit-Remaining": "0", "RateLimit-Reset": "50"})
    )
    with serving(server) as url:
        one = session(clock, patience=60)
        one.get(url)
        one.get(url)
        assert 49 <= clock.slept <= 51
        impatient = session(clock, patience=10)
        impatient.get(url)
        with pytest.raises(LimitError, match="used up until"):
            impatient.get(url)
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1772416800", 1772416800.0),
        ("30", 1775000030.0),
        ("30.5", 1775000030.5),
        ("2026-04-11T23:15:00.796213Z", 1775949300.796213),
        ("Tue, 21 Apr 2026 07:28:00 GMT", 1776756480.0),
        ("1775949300796", 1775949300.796),
        ("9999999999999999", 1775000000.0 + h.MOST_WAIT),
        ("soon", None),
        (None, None),
    ],
)
def test_resets_are_read_in_every_platforms_form(value: str | None, expected: float | None) -> None:
    assert h.reset_time(value, 1_775_000_000.0) == expected


# the budget ---------------------------------------------------------------------------------------


@dataclass
class _Case:
    requests: int
    usd: float


def test_a_budget_is_checked_and_charged_in_one_step(tmp_path: Path) -> None:
    limits = Budget(requests_per_day=3, usd_per_day=1.0, usd_per_month=1.5)
    day_two = START.replace(day=2)
    with Store(tmp_path / "b.db") as store:
        store.charge("x", limits, START, 1, 0.9)
        with pytest.raises(BudgetError, match=r"\$1.00 a day .*2026-03-02 00:00") as told:
            store.charge("x", limits, START, 1, 0.2)
        assert told.value.resets_at == day_two.replace(hour=0).timestamp()
        store.charge("x", limits, START, 0, -0.5)  # half of it did not come
        store.charge("x", limits, START, 1, 0.6)
        store.charge("x", limits, START, 1, 0.0)
        with pytest.raises(BudgetError, match="3 requests a day"):
            store.charge("x", limits, START, 1, 0.0)
        with pytest.raises(BudgetError, match=r"\$1.50 a month .*2026-04-01 00:00"):
            store.charge("x", limits, day_two, 1, 0.6)
        store.charge("y", limits, START, 1, 1.0)  # another source has its own
        assert store.spent_since("x", 0) == budget.Spent(3, 1.0)


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.floats(0, 2), st.floats(0, 1), st.integers(0, 40)),
        max_size=40,
    )
)
def test_no_sequence_of_requests_crosses_a_budget(
    steps: list[tuple[int, float, float, int]],
) -> None:
    """Requests of any price on any day, some of it given back: no day and no month is ever over."""
    limits = Budget(requests_per_day=20, usd_per_day=3.0, usd_per_month=20.0, requests_per_month=90)
    spent: dict[datetime, _Case] = {}
    at = START
    for requests, usd, share, hours in steps:
        at = datetime.fromtimestamp(at.timestamp() + hours * 3600, UTC)
        month = [c for d, c in spent.items() if budget.month_of(d) == budget.month_of(at)]
        today = spent.setdefault(budget.day_of(at), _Case(0, 0.0))
        try:
            budget.check(
                "x", limits, at,
                budget.Spent(today.requests, today.usd),
                budget.Spent(sum(c.requests for c in month), sum(c.usd for c in month)),
                requests, usd,
            )  # fmt: skip
        except BudgetError as told:
            assert told.resets_at is not None  # noqa: PT017
            assert told.resets_at > at.timestamp()  # noqa: PT017
            continue
        today.requests += requests
        today.usd += usd - share * usd
        assert today.requests <= 20
        assert today.usd <= 3.0 + 1e-6


def test_a_breaker_waits_longer_each_time_and_keeps_to_a_named_reset() -> None:
    breaker = budget.Breaker()
    pauses = []
    for _ in range(9):
        breaker = breaker.failed(1000.0)
        pauses.append(breaker.open_until - 1000.0)
    assert pauses == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert breaker.is_open(1001.0)
    assert breaker.failed(1000.0, resets_at=5000.0).open_until == 5000.0
    assert not breaker.succeeded().is_open(0.0)
    spread = {budget.Breaker().failed(0.0, chance=c).open_until for c in (0.0, 0.5, 1.0)}
    assert spread == {22.5, 30.0, 37.5}
