"""The page of a spike: four answers, their evidence, its posts, and the alerts that told of it."""

from __future__ import annotations

import html
import re
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import pytest

from dashboard import charts, figures, why
from listener.mention import Author, Post, epoch
from listener.store import Filter, Store
from sentiment.explain import Explanation, Item, explain
from tests.dashboard import seed
from tests.dashboard.conftest import Open, page_text

UTC = ZoneInfo("UTC")
HOUR = 3600
NOW = 500 * HOUR
START = NOW - 6 * HOUR


@pytest.fixture
def writable(filled: Path, tmp_path: Path) -> Path:
    """A copy of the filled store, to be changed by a test."""
    for file in filled.glob("seed.db*"):
        shutil.copy(file, tmp_path / file.name)
    return tmp_path / "seed.db"


def worst(path: Path) -> dict[str, Any]:
    with Store(path) as store:
        return next(s for s in store.spikes() if s["end"] is None)


def row(**changes: Any) -> dict[str, Any]:
    values = {
        "id": 7, "brand": "Acme", "region": "*", "kind": "negative", "start": START, "end": None,
        "expected": 4.0, "observed": 40.0,
    }  # fmt: skip
    return {**values, **changes}


def posts(n: int, start: int, text: str, region: str | None, key: str) -> list[Item]:
    return [Item(f"x:{key}{i}", text, start + i * 300, region, "x") for i in range(n)]


def found(spike: list[Item], before: list[Item] | None = None) -> Explanation:
    usual = (
        posts(80, START - 90 * HOUR, "where is my seat", "FR", "u") if before is None else before
    )
    return explain(spike, usual)


def said(spike: dict[str, Any], e: Explanation, recent: why.Recent | None = None) -> str:
    """The four answers as text without its markup."""
    recent = recent or why.Recent(3, 12.0, figures.Usual(4.0, 2.0, 6.0, ""))
    return re.sub(r"<[^>]+>", " ", why.answers(spike, e, recent, charts.names(), UTC, NOW))


def test_where_names_a_region_only_when_its_share_grew() -> None:
    germans = found(posts(40, START, "my flight was cancelled", "DE", "s"))
    assert "Germany" in said(row(), germans)
    same = found(posts(40, START, "my flight was cancelled", "FR", "s"))
    text = said(row(), same)
    assert "No one place" in text
    assert "most from France, much as before: 100 %" in text
    few = posts(9, START, "my flight was cancelled", "BE", "b")
    french = posts(110, START, "my flight was cancelled", "FR", "s")
    some = found(french + few, posts(300, START - 90 * HOUR, "where is my seat", "FR", "u"))
    assert some.of("region")[0].name == "BE", "beyond chance, and yet no answer to where"
    assert "No one place" in said(row(), some)
    nowhere = found(posts(40, START, "my flight was cancelled", None, "s"))
    assert "none of these posts has a known place" in said(row(), nowhere)


def test_why_names_the_words_and_their_shares_or_says_that_nothing_is_new() -> None:
    text = said(row(), found(posts(40, START, "my flight was cancelled", "FR", "s")))
    assert "“flight cancelled”" in text or "“cancelled”" in text
    assert "100 %, 0 % before" in text
    usual = posts(120, START - 90 * HOUR, "where is my seat", "FR", "u")
    same = said(row(), found(posts(40, START, "where is my seat", "FR", "s"), usual))
    assert "More of the same" in same
    unsure = said(row(), found(posts(40, START, "where is my seat", "FR", "s"), usual[:30]))
    assert "too few earlier posts" in unsure
    assert "More of the same" not in unsure
    alone = said(row(), found(posts(40, START, "where is my seat", "FR", "s"), []))
    assert "no earlier posts to compare with" in alone


def test_is_it_over_is_answered_in_all_four_ways() -> None:
    rising = posts(10, START, "x y", "FR", "a") + posts(30, START + 3 * HOUR, "x y", "FR", "b")
    falling = posts(12, START, "x y", "FR", "a") + posts(2, START + 5 * HOUR, "x y", "FR", "b")
    rising = [i for i in rising if i.created_at < START + 4 * HOUR]
    text = said(row(), found(rising))
    assert "newest hour with posts is the busiest" in text
    assert "Not yet" not in text
    text = said(row(), found(falling))
    assert "Not yet" in text
    assert "12 negative posts in the last 3 h" in text
    assert "4 are usual" in text
    assert "Not known" in said(row(), found(falling), why.Recent(3, None, None))
    over = said(row(end=NOW - HOUR), found(falling))
    assert "Yes" in over
    assert "it lasted 5 h" in over


def test_what_a_post_says_stays_text_in_answers_and_evidence() -> None:
    hostile = "<img src=x onerror=alert(1)> cancelled"
    spike = [
        Item(f"x:{i}", hostile, START + i, "FR", "<b>x</b>", "<i>me</i>", 9, None, "x:0",
             ("javascript:alert(1)//<b>",))
        for i in range(20)
    ]  # fmt: skip
    e = found(spike)
    drawn = why.answers(row(), e, why.Recent(3, None, None), {}, UTC, NOW)
    drawn += why.evidence(row(), e, {}, {"x:0": hostile})
    for tag in ("<img", "<b>x", "<i>me", 'href="javascript'):
        assert tag not in drawn
    assert "&lt;img" in drawn


def test_a_spike_answers_at_the_top_and_opens_into_all_its_posts(
    opened: Open, environment: Path
) -> None:
    spike = worst(environment / "seed.db")
    app = opened("spikes", spike=str(spike["id"]))
    assert not app.exception
    text = page_text(app)
    for part in ("Where?", "Since when?", "Why?", "Is it over?", "Germany", "What changed most"):
        assert part in text
    assert text.index("Is it over?") < text.index("What changed most")
    with Store(environment / "seed.db") as store:
        where = Filter(("Aurora Air",), (), ("DE",), (), ("negative",), spike["start"], None)
        behind = len(store.mentions(where, limit=1000))
    assert f"{behind} posts behind it" in text
    assert text.count('<div class="gs-post">') == 25
    app.button[-1].click().run()
    assert page_text(app).count('<div class="gs-post">') == 75


def test_a_cause_opens_into_the_posts_that_show_it(opened: Open, writable: Path) -> None:
    spike = worst(writable)
    with Store(writable) as store:
        at = seed.NOW - timedelta(hours=2)
        new = [
            seed.Made(
                Post("bluesky", f"n{i}", f"baggage belt broken, gate {i}", at, Author(handle="n")),
                "Aurora Air", "DE", "de", "negative",
            )
            for i in range(60)
        ]  # fmt: skip
        seed._save(store, [*new, *new[:3]], seed.NOW)
    text = page_text(opened("spikes", db=writable, spike=str(spike["id"])))
    link = re.search(r'href="/spikes\?([^"]*cause=term[^"]*)"', text)
    assert link
    query = {k: v[0] for k, v in parse_qs(html.unescape(link[1])).items()}
    assert query["cause"] in ("term:baggage belt", "term:belt broken")
    text = page_text(opened("spikes", db=writable, **query))
    assert "60 posts: " in text
    assert text.count("belt broken, gate") == 25
    assert "nobody answers" not in text


def test_the_explanation_is_kept_until_what_it_stands_on_changes(
    opened: Open, writable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dashboard import data

    asked: list[int] = []
    real = data.reasons

    def counting(*args: Any) -> Explanation:
        asked.append(1)
        return real(*args)

    monkeypatch.setattr(data, "reasons", counting)
    spike = worst(writable)
    app = opened("spikes", db=writable, spike=str(spike["id"]))
    first = len(asked)
    assert first >= 1
    with Store(writable) as store:
        store.set_meta("something", "else")  # the revision grows, the counts stay
    app.run()
    assert len(asked) == first
    with Store(writable) as store:
        where = Filter(("Aurora Air",), (), ("DE",), (), ("negative",), spike["start"], None)
        mention = store.mentions(where, limit=1)[0]
        store.correct(mention["key"], "Aurora Air", "positive", "me", epoch(seed.NOW))
        store.recount()
    app.run()
    assert len(asked) == first + 1


def test_a_click_says_whether_an_alert_was_worth_it(opened: Open, writable: Path) -> None:
    spike = worst(writable)
    now = epoch(seed.NOW)
    with Store(writable) as store:
        for channel in ("log", "mail"):
            store.add_alert(
                subject="spike Aurora Air|DE", channel=channel, title="Aurora <b>Air</b>", body="b",
                rule="all", now=now, spike_id=spike["id"],
            )  # fmt: skip
        for alert in store.alerts():
            store.mark_alert(alert["id"], "sent", now)
    app = opened("spikes", db=writable, spike=str(spike["id"]))
    assert "Aurora &lt;b&gt;Air" in page_text(app)
    app.button_group[-1].set_value("useful").run()
    assert not app.exception
    with Store(writable) as store:
        assert [a["verdict"] for a in store.alerts()] == ["useful", "useful"]
        store.add_alert(
            subject="viral Aurora Air|x:1", channel="log", title="takes off", body="b", rule="all",
            now=now, spike_id=None,
        )  # fmt: skip
        store.mark_alert(max(a["id"] for a in store.alerts()), "sent", now)
    text = page_text(opened("spikes", db=writable))
    assert "useful of those judged" in text
    assert "<td>2</td><td>2</td><td>0</td><td>0</td>" in text, "nobody could have judged the third"
    assert "1 alert of other kinds" in text
    assert '<td class="gs-num">100 %</td>' in text


def test_why_names_the_themes_after_the_largest_too() -> None:
    """Four causes of forty posts each are no answer of one: three are named, each with its posts."""
    spike = [replace(p, theme=("refund", "late", "rude", "wet")[i % 4])
             for i, p in enumerate(posts(160, START, "x y", None, "s"))]  # fmt: skip
    usual = [replace(p, theme="seats") for p in posts(120, START - 90 * HOUR, "x y", None, "u")]
    e = found(spike, usual)
    assert [d.name for d in e.of("theme")] == ["late", "refund", "rude", "wet"]
    text = " ".join(said(row(), e).split())
    assert "Why? late 40 posts" in text
    assert "also: refund ; rude" in text
    drawn = why.answers(row(), e, why.Recent(3, None, None), {}, UTC, NOW)
    assert "cause=theme%3Arude" in drawn


def test_a_theme_says_of_how_many_posts_it_is_the_share() -> None:
    spike = [replace(p, theme="refund" if i < 5 else None)
             for i, p in enumerate(posts(100, START, "x y", None, "s"))]  # fmt: skip
    usual = [replace(p, theme="seats") for p in posts(9, START - 90 * HOUR, "x y", None, "u")]
    e = found(spike, usual)
    assert "5 posts: 100 % of those with a theme, 0 % before" in said(row(), e)
    assert "5 posts · 100 % of those with a theme, 0 % before" in why.evidence(row(), e, {}, {})


def test_the_answers_of_a_spike_keep_the_filter_of_the_page() -> None:
    e = found(posts(40, START, "my flight was cancelled", "DE", "s"))
    query = {"platform": ["x"], "span": "30d"}
    text = why.answers(row(), e, why.Recent(3, None, None), {}, UTC, NOW, query)
    text += why.evidence(row(), e, {}, {}, query)
    ways = [parse_qs(html.unescape(a)) for a in re.findall(r'href="/\w+\?([^"]*)"', text)]
    assert {"cause", "post"} <= {key for way in ways for key in way}
    assert all(way["platform"] == ["x"] and way["span"] == ["30d"] for way in ways)
