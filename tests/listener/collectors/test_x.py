"""X against a server that limits, bills and fails as X does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fake import SimClock, serving
from fake_x import FakeX, tweet_id
from harness import collector, pipeline, stored, tick, walk

from listener.collectors.x import X, XOptions
from listener.errors import AuthError, BudgetError, LimitError, PlatformError
from listener.matching import BrandTerms
from listener.mention import Query

START = datetime(2026, 3, 1, tzinfo=UTC)
QUERY = Query("search:Acme", ("Acme",), ("Acme",))
BEARER = {"X_BEARER_TOKEN": "AAAAbearer-secret"}
USER = BEARER | {
    name: f"{name.lower()}-secret"
    for name in ("X_API_KEY", "X_API_SECRET", "X_ACCESS_TOKEN", "X_ACCESS_TOKEN_SECRET")
}


@pytest.mark.slow
def test_ten_thousand_posts_over_days_with_faults_within_limits_and_budget(tmp_path: Path) -> None:
    clock = SimClock(START)
    server = FakeX(clock, fault_rate=0.1)
    server.hang = 0.4
    every = 4 * 86_400 / 10_000
    for n in range(10_000):
        server.add(clock.now + 60 + n * every, f"Acme broke my kettle, part {n}", author=n % 40)
    with serving(server) as url:
        source = {
            "platform": "x", "base_url": url, "timeout": 0.2, "overlap": 30,
            "budget": {"usd_per_day": 60, "usd_per_month": 200},
        }  # fmt: skip
        with pipeline(tmp_path, clock, source, BEARER) as line:
            tick(line, clock, 7200, 4 * 12 + 8)
            found = stored(line, "native_id", "text")
            spent = line.store.spent_since("x", int(START.timestamp())).usd
    assert found == {(t["id"], t["text"]) for t in server.tweets.values()}
    assert sum(server.faults.values()) >= 10
    assert server.over_limit == 0
    assert server.billed <= spent <= 200  # what X bills is never more than what was counted


def test_the_budget_is_never_crossed_and_the_walk_goes_on_the_next_day(tmp_path: Path) -> None:
    """More is posted than the budget reads: each day stops below it, and nothing is skipped."""
    clock = SimClock(START)
    server = FakeX(clock, fault_rate=0.1)
    server.hang = 0.4
    for n in range(900):
        server.add(clock.now + n * 20, f"Acme {n}", author=n)
    source = {"platform": "x", "timeout": 0.2, "budget": {"usd_per_day": 4}}
    with (
        serving(server) as url,
        pipeline(tmp_path, clock, source | {"base_url": url}, BEARER) as line,
    ):
        tick(line, clock, 3600, 5 * 24)
        found = {i for (i,) in stored(line, "native_id")}
        reasons = line.store.rows("SELECT failed FROM coverage WHERE limited = 1")
    assert found == {str(n) for n in server.tweets}
    assert max(server.billed_by_day.values()) <= 4.000001
    assert len(server.billed_by_day) >= 4
    assert any("budget of $4.00 a day would be crossed" in row["failed"] for row in reasons)


def test_mentions_come_first_at_the_owned_price_and_are_not_searched_again() -> None:
    brand = BrandTerms("Acme", ("Acme",), handles=("acme", "acmehelp"), auto=False)
    queries, left = X.plan_queries([brand], XOptions(accounts=("@Acme",)))
    assert [q.name for q in queries] == ["mentions:acme", "account:acme", "search:Acme"]
    assert X.query_text(queries[2]) == "Acme OR @acmehelp"
    assert left == []
    clock = SimClock(START)
    server = FakeX(clock)
    for n in range(150):
        server.add(clock.now - n, "@acme hello")
    with serving(server) as url:
        one = collector("x", clock, USER, base_url=url, accounts=["acme"], author_price=0)
        X._user_ids.clear()
        pages = list(one.fetch(queries[0], None))
    assert sum(len(p.posts) for p in pages) == 150
    cost = sum(p.coverage.cost_usd for p in pages)
    assert cost == pytest.approx(0.010 + 150 * 0.001)  # one look-up of the account's id
    assert "oauth" in server.requests[-1].headers["authorization"].lower()


def test_the_lower_bound_stays_the_same_until_the_walk_is_complete() -> None:
    clock = SimClock(START)
    server = FakeX(clock)
    for n in range(350):
        server.add(clock.now - 3000 + n, f"Acme {n}")
    with serving(server) as url:
        one = collector("x", clock, BEARER, base_url=url)
        pages = one.fetch(QUERY, None)
        first, second = next(pages), next(pages)
        newest = int(first.posts[0].native_id)
        for n in range(30):
            server.add(clock.now - 2 + n / 100, f"Acme, in the break {n}")
        server.last_tokens.clear()  # tokens do not outlive the break
        rest, last = walk(collector("x", clock, BEARER, base_url=url), QUERY, second.cursor)
        assert last.cursor == {"bound": newest}
        later, _ = walk(collector("x", clock, BEARER, base_url=url), QUERY, last.cursor)
    bounds = {r.query["since_id"] for r in server.requests[:4]}
    assert len(bounds) == 1
    found = {p.native_id for p in [*first.posts, *second.posts, *rest, *later]}
    assert found == {str(n) for n in server.tweets}


def test_a_bound_that_search_no_longer_reaches_is_told_as_a_hole() -> None:
    clock = SimClock(START)
    server = FakeX(clock)
    server.add(clock.now - 86_400, "Acme")
    with serving(server) as url:
        one = collector("x", clock, BEARER, base_url=url)
        old = {"bound": tweet_id(clock.now - 20 * 86_400)}
        _, last = walk(one, QUERY, old)
    assert last.coverage.truncated
    assert last.complete
    assert last.coverage.hole_start == clock() - timedelta(days=20, seconds=30)  # the overlap
    assert last.coverage.hole_end == clock() - timedelta(days=7) + timedelta(minutes=5)


def test_a_walk_that_search_no_longer_reaches_ends_and_the_next_one_goes_on() -> None:
    """Cut by a month's budget, it is resumed when all that it still wanted is out of reach."""
    clock = SimClock(START)
    server = FakeX(clock)
    for n in range(150):
        server.add(clock.now - 150 + n, f"Acme {n}")
    bound = tweet_id(clock.now - 3600)
    with serving(server) as url:
        cut = next(iter(collector("x", clock, BEARER, base_url=url).fetch(QUERY, {"bound": bound})))
        stood_at = clock() - timedelta(seconds=100)
        clock.now += 20 * 86_400
        server.add(clock.now - 60, "Acme is back")
        before = len(server.requests)
        _, last = walk(collector("x", clock, BEARER, base_url=url), QUERY, cut.cursor)
        assert len(server.requests) == before  # nothing was asked that X would refuse
        assert (last.complete, last.coverage.truncated) == (True, True)
        assert last.coverage.hole_start == datetime.fromtimestamp(START.timestamp() - 3630, UTC)
        assert last.coverage.hole_end == stood_at
        later, told = walk(collector("x", clock, BEARER, base_url=url), QUERY, last.cursor)
    assert [post.text for post in later] == ["Acme is back"]
    assert told.coverage.hole_end == clock() - timedelta(days=7) + timedelta(minutes=5)


def test_refusals_name_the_secret_and_never_show_it() -> None:
    clock = SimClock(START)
    server = FakeX(clock)
    server.answer = lambda request: refuse(401)  # type: ignore[method-assign]
    from fake import Reply

    def refuse(status: int) -> Reply:
        body = {"title": "Unauthorized", "detail": "bad token AAAAbearer-secret", "status": status}
        return Reply(body, status)

    with serving(server) as url:
        one = collector("x", clock, BEARER, base_url=url)
        with pytest.raises(AuthError) as refused:
            list(one.fetch(QUERY, None))
        assert "X_BEARER_TOKEN" in str(refused.value)
        assert "AAAAbearer" not in str(refused.value)
        assert len(server.requests) == 1  # a refusal is not tried again
        server.answer = lambda request: Reply(  # type: ignore[method-assign]
            {"title": "CreditsDepleted"}, 402, {"x-rate-limit-reset": "1772416800"}
        )
        with pytest.raises(LimitError, match="2026-03-02") as limited:
            list(one.fetch(QUERY, None))
        assert limited.value.resets_at == 1772416800


def test_a_limit_is_waited_for_when_it_resets_soon_and_left_for_later_otherwise() -> None:
    clock = SimClock(START)
    server = FakeX(clock)
    server.limit = 2
    for n in range(250):
        server.add(clock.now - n, "Acme")
    with serving(server) as url:
        patient = collector("x", clock, BEARER, base_url=url, patience=1000)
        posts, _ = walk(patient, QUERY)
        assert len(posts) == 250
        assert clock.slept > 800
        server._windows.clear()
        hasty = collector("x", clock, BEARER, base_url=url, patience=60)
        pages = []
        with pytest.raises(LimitError) as limited:
            pages.extend(hasty.fetch(QUERY, None))
        assert limited.value.resets_at is not None
        assert limited.value.resets_at > clock.now + 60
    assert server.over_limit == 0


def test_deletions_protections_and_lost_places_are_told() -> None:
    clock = SimClock(START)
    server = FakeX(clock)
    ids = [server.add(clock.now - n, "Acme", geo={"place_id": "p"}) for n in range(4)]
    del server.tweets[ids[1]]
    server.protected.add(ids[2])
    del server.tweets[ids[3]]["geo"]
    with serving(server) as url:
        one = collector("x", clock, BEARER, base_url=url)
        native = [str(i) for i in ids]
        found = {d.native_id: d.state for d in one.recheck(native, placed=native)}
    assert found == {native[1]: "deleted", native[2]: "protected", native[3]: "geo_removed"}


def test_a_reply_is_sent_once_and_needs_the_accounts_own_tokens() -> None:
    clock = SimClock(START)
    server = FakeX(clock)
    server.add(clock.now - 5, "@acme help")
    with serving(server) as url:
        (post,), _ = walk(collector("x", clock, BEARER, base_url=url), QUERY)
        with pytest.raises(AuthError, match="X_ACCESS_TOKEN"):
            collector("x", clock, BEARER, base_url=url).reply(post, "hi")
        one = collector("x", clock, USER, base_url=url, timeout=0.2)
        assert one.reply(post, "We are sorry.") == "999"
        assert server.created == [
            {"text": "We are sorry.", "reply": {"in_reply_to_tweet_id": post.native_id}}
        ]
        server.script = ["503"]
        before = len(server.requests)
        with pytest.raises(PlatformError):
            one.reply(post, "Again?")
        assert len(server.requests) == before + 1  # never tried twice
        thread = one.thread(post)
        assert thread is not None
        assert thread.threads_read


def test_counts_tell_what_a_query_would_cost() -> None:
    clock = SimClock(START)
    server = FakeX(clock)
    for n in range(70):
        server.add(clock.now - n, "Acme")
    with serving(server) as url:
        one = collector("x", clock, BEARER, base_url=url)
        assert isinstance(one, X)
        assert one.posts_per_day(QUERY) == 10
    ready = one.check([QUERY], 900)
    assert ready.ready
    assert "$0.015" in ready.detail
    assert collector("x", clock).check([QUERY], 900).missing == ("X_BEARER_TOKEN",)


def test_a_smaller_page_is_asked_for_when_the_budget_nears_its_end() -> None:
    clock = SimClock(START)
    server = FakeX(clock)
    for n in range(200):
        server.add(clock.now - n, "Acme", author=n)
    left = [1.0]

    def spend(requests: int, usd: float) -> None:
        if usd > left[0]:
            raise BudgetError("used up")
        left[0] -= usd

    with serving(server) as url:
        one = collector("x", clock, BEARER, base_url=url)
        object.__setattr__(one.context, "spend", spend)
        pages = []
        with pytest.raises(BudgetError):
            pages.extend(one.fetch(QUERY, None))
    sizes = [int(r.query["max_results"]) for r in server.requests]
    assert sizes[0] == 50
    assert sizes == sorted(sizes, reverse=True)
    assert server.billed == pytest.approx(1.0 - left[0])
    assert left[0] < 10 * 0.015


def test_the_clock_of_a_snowflake_is_the_servers(now: datetime) -> None:
    assert (
        timedelta(0)
        <= now - X.to_post({"id": str(tweet_id(now.timestamp())), "text": ""}).created_at
    )
