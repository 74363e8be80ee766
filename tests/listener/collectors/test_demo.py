"""The demo is the same for the same seed and start, is what its page says, and is marked as demo."""

from __future__ import annotations

import unicodedata
from collections import Counter
from datetime import UTC, datetime, timedelta
from statistics import mean, median
from typing import Any

import pytest

from listener.collectors import Context, Cursor, Page
from listener.collectors.demo import Demo, DemoOptions, demo_config, truth
from listener.collectors.demo_texts import data
from listener.collectors.demo_world import DAYS, Crisis, Event, World, poisson
from listener.config import parse_config
from listener.duplicates import Grouper
from listener.mention import Post, Query

START = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)
MAIN = ("en", "es", "pt", "fr", "de")
ANY = Query("all", (), ())


def fetch(now: datetime, cursor: Cursor | None = None, **options: Any) -> list[Page]:
    made = DemoOptions(**{"start": START, **options})
    return list(Demo(Context("demo", made, clock=lambda: now)).fetch(ANY, cursor))


def posts_of(pages: list[Page]) -> list[Post]:
    return [post for page in pages for post in page.posts]


@pytest.fixture(scope="module")
def history() -> list[Post]:
    return posts_of(fetch(START))


@pytest.fixture(scope="module")
def told() -> tuple[dict[str, Event], tuple[Crisis, ...]]:
    return truth(7, START, START)


def test_the_same_seed_and_start_give_the_same_posts(history: list[Post]) -> None:
    from listener.collectors import demo_world

    demo_world.world_of.cache_clear()
    assert posts_of(fetch(START)) == history


def test_another_seed_gives_others(history: list[Post]) -> None:
    other = {p.key for p in posts_of(fetch(START, seed=8))}
    assert not other & {p.key for p in history}


def test_two_weeks_and_no_key_twice(history: list[Post]) -> None:
    assert 5_500 <= len(history) <= 8_000
    assert len({p.key for p in history}) == len(history)
    times = [p.created_at for p in history]
    assert START - timedelta(days=DAYS) <= min(times) < START - timedelta(days=DAYS - 1)
    assert START - timedelta(minutes=5) < max(times) <= START


def test_everything_is_marked_as_demo(history: list[Post]) -> None:
    assert all(p.demo for p in history)
    assert all(p.native_id.startswith("demo-") for p in history)
    assert all("//demo.example/" in (p.url or "") for p in history)
    assert all((p.author.id or "").startswith("demo-") for p in history)


def test_it_does_not_matter_in_which_steps_it_is_fetched() -> None:
    end = START + timedelta(hours=2)
    whole = posts_of(fetch(end))
    pages = fetch(START)
    stepped = {p.key: (p.text, p.created_at, p.author) for p in posts_of(pages)}
    now, cursor = START, pages[-1].cursor
    while now < end:
        now = min(end, now + timedelta(minutes=7, seconds=13))
        pages = fetch(now, cursor)
        stepped.update({p.key: (p.text, p.created_at, p.author) for p in posts_of(pages)})
        cursor = pages[-1].cursor
    assert stepped == {p.key: (p.text, p.created_at, p.author) for p in whole}


def test_a_post_on_the_very_second_of_a_cut_is_on_one_side_of_it() -> None:
    world = World(7, int(START.timestamp()), 1.0)
    first, last = int(START.timestamp()), int(START.timestamp()) + 1_200
    whole = world.events(first, last)
    for cut in {e.created for e in whole[::10]}:
        assert world.events(first, cut) + world.events(cut, last) == whole


def test_a_walk_that_was_cut_goes_on_from_its_last_page(history: list[Post]) -> None:
    pages = fetch(START)
    assert [p.complete for p in pages] == [False] * (len(pages) - 1) + [True]
    half = len(pages) // 2
    rest = posts_of(fetch(START, pages[half - 1].cursor))
    first = posts_of(pages[:half])
    assert {p.key for p in first} | {p.key for p in rest} == {p.key for p in history}
    assert not fetch(START, pages[-1].cursor), "nothing new, nothing yielded"


def test_without_a_start_the_first_fetch_is_the_start() -> None:
    pages = list(Demo(Context("demo", DemoOptions(), clock=lambda: START)).fetch(ANY, None))
    assert pages[0].cursor["start"] == int(START.timestamp())
    later = Demo(Context("demo", DemoOptions(), clock=lambda: START + timedelta(minutes=3)))
    more = list(later.fetch(ANY, pages[-1].cursor))
    assert more[-1].cursor["start"] == int(START.timestamp())


def test_at_least_ten_languages_and_eight_regions(
    history: list[Post], told: tuple[dict[str, Event], tuple[Crisis, ...]]
) -> None:
    config = parse_config(demo_config(START))
    group = {code: name for name, codes in config.regions.items() for code in codes}
    events = told[0].values()
    languages = Counter(e.language for e in events)
    assert len([n for n in languages.values() if n >= 50]) >= 10
    regions = Counter(group[e.market] for e in events)
    assert len([n for n in regions.values() if n >= 50]) >= 8
    assert {p.key for p in history} == set(told[0])


def test_days_have_their_rhythm_in_every_time_zone(
    told: tuple[dict[str, Event], tuple[Crisis, ...]],
) -> None:
    usual = [e for e in told[0].values() if e.crisis is None and e.kind != "reply"]
    for market, shift in (("JP", 9), ("GB", 0), ("ID", 7)):
        hours = Counter((e.created // 3600 + shift) % 24 for e in usual if e.market == market)
        night = sum(hours[h] for h in (1, 2, 3, 4))
        evening = sum(hours[h] for h in (18, 19, 20, 21))
        assert evening > 4 * night, (market, hours)
    days = Counter(datetime.fromtimestamp(e.created, UTC).weekday() for e in usual)
    assert mean(days[d] for d in range(5)) > mean(days[d] for d in (5, 6))


def test_the_crises_stand_out_where_and_when_the_truth_says(
    told: tuple[dict[str, Event], tuple[Crisis, ...]],
) -> None:
    events, crises = told
    past, live = crises
    assert (past.country, live.country) == ("DE", "BR")
    start = int(START.timestamp())
    assert 2.9 * 3600 < start - live.start < 3.3 * 3600
    for crisis in crises:
        during = range(crisis.start, min(start, crisis.start + 6 * 3600))
        hours = len(during) / 3600
        angry = [e for e in events.values() if e.market == crisis.country and e.label == "negative"]
        inside = sum(e.created in during for e in angry) / hours
        usual = sum(e.crisis is None for e in angry) / (DAYS * 24)
        assert inside > 15 * usual
        assert all(e.market == crisis.country for e in events.values() if e.crisis == crisis.name)
    over = past.start + 24 * 3600
    assert not [e for e in events.values() if e.crisis == past.name and e.created > over + 86_400]


def test_the_live_crisis_grows_then_fades_and_speed_hastens_it() -> None:
    worlds = {speed: World(7, int(START.timestamp()), speed) for speed in (1, 6)}

    def per_minute(speed: int, minutes: int) -> float:
        at = int((START + timedelta(minutes=minutes)).timestamp())
        found = worlds[speed].events(at, at + 900)
        return len([e for e in found if e.crisis]) / 15

    assert 20 <= per_minute(1, 60) <= 50
    assert per_minute(1, 60) > 1.2 * per_minute(1, -30)
    assert per_minute(1, 8 * 60) < 0.2 * per_minute(1, 60)
    assert per_minute(6, 90) < 0.2 * per_minute(6, 10)


def test_the_brand_answers_some_after_a_while(
    history: list[Post], told: tuple[dict[str, Event], tuple[Crisis, ...]]
) -> None:
    known = {p.native_id: p for p in history}
    replies = [p for p in history if p.reply_to]
    delays = []
    for reply in replies:
        assert (reply.author.handle or "").startswith("quendaro")
        asked = known[reply.reply_to or ""]
        assert asked.platform == reply.platform
        assert reply.conversation_id == asked.conversation_id == asked.native_id
        delays.append((reply.created_at - asked.created_at).total_seconds())
    assert min(delays) > 0
    assert 20 * 60 < median(delays) < 120 * 60
    answered = {p.reply_to for p in replies}

    def share(kind: str) -> float:
        asked = [e for e in told[0].values() if e.kind == kind and e.repost_of is None]
        return sum(e.id in answered for e in asked) / len(asked)

    assert 0.4 < share("negative") < 0.7
    assert share("crisis") < 0.25
    assert share("spam") == 0


def test_spam_copies_reposts_and_those_who_hide_where_they_are(history: list[Post]) -> None:
    known = {p.native_id for p in history}
    reposts = [p for p in history if p.repost_of]
    assert len(reposts) > 100
    assert all(p.repost_of in known for p in reposts)
    texts = Counter(p.text for p in history)
    assert sum(n > 1 for n in texts.values()) > 50
    authors = {p.author.id: p.author for p in history}.values()
    nowhere = sum(not a.location for a in authors) / len(authors)
    assert 0.05 < nowhere < 0.4


def test_engagement_grows_as_posts_age() -> None:
    pages = fetch(START)
    first = {p.key: p for p in posts_of(pages)}
    later = posts_of(fetch(START + timedelta(minutes=30), pages[-1].cursor))
    again = [p for p in later if p.key in first]
    assert again
    for post in again:
        assert (post.likes or 0) >= (first[post.key].likes or 0)
        assert post.text == first[post.key].text
    assert any((p.likes or 0) > (first[p.key].likes or 0) for p in again)


def test_every_sentence_can_be_filled_and_reads_whole(history: list[Post]) -> None:
    for post in history:
        assert "{" not in post.text
        assert "  " not in post.text.strip()
        assert ".." not in post.text
    texts, _ = data()
    for language, found in texts.items():
        if language == "edges":
            continue
        sentences = [s for part in found["negative"].values() for s in part]
        for kind in ("crisis", "positive", "neutral", "ask"):
            sentences += found[kind]
        assert all("{b}" in s for s in sentences), language
        assert len(found["positive"]) >= (12 if language in MAIN else 6)
        assert len(found["neutral"]) >= (12 if language in MAIN else 6)


def test_an_outage_is_told_by_people_and_not_by_copies(
    told: tuple[dict[str, Event], tuple[Crisis, ...]],
) -> None:
    grouper, copies, originals = Grouper(), 0, 0
    for event in sorted(told[0].values(), key=lambda e: (e.created, e.id)):
        if event.crisis and event.repost_of is None and event.kind != "reply":
            copied = grouper.add(event.key, event.text) != event.key
            copies, originals = copies + copied, originals + (not copied)
    assert originals > 3 * copies
    assert copies > 10, "and some do copy"


def test_scripts_belong_to_their_language(
    told: tuple[dict[str, Event], tuple[Crisis, ...]],
) -> None:
    script = {
        "ar": "ARABIC",
        "hi": "DEVANAGARI",
        "th": "THAI",
        "ja": ("HIRAGANA", "KATAKANA", "CJK"),
    }
    for event in told[0].values():
        wanted = script.get(event.language)
        if wanted and event.kind not in ("spam", "rival") and event.platform != "news":
            names = [unicodedata.name(ch, "") for ch in event.text]
            assert any(name.startswith(wanted) for name in names), event.text


def test_what_the_brand_is_called(told: tuple[dict[str, Event], tuple[Crisis, ...]]) -> None:
    about = [e for e in told[0].values() if e.kind in ("positive", "negative", "neutral", "crisis")]
    forms = Counter(
        "at" if "@quendaro" in e.text.lower()
        else "tag" if "#quendaro" in e.text.lower()
        else "name" if "quendaro" in e.text.lower()
        else "other"
        for e in about
    )  # fmt: skip
    for form, least in {"at": 0.1, "tag": 0.03, "name": 0.4, "other": 0.03}.items():
        assert forms[form] / len(about) > least, forms


def test_the_settings_of_the_demo_are_valid() -> None:
    config = parse_config(demo_config(START, seed=3, speed=6.0))
    assert config.brands[0].name == "Quendaro"
    assert len(config.regions) >= 8
    [source] = config.sources
    options = DemoOptions.model_validate(source.own_options())
    assert (options.seed, options.speed, options.start) == (3, 6.0, START)
    parse_config(demo_config())
    assert parse_config(demo_config(port=8611)).alerts.dashboard_url == "http://127.0.0.1:8611"


def test_one_query_serves_both_brands() -> None:
    """Two queries would each keep a start of their own, and so make two different worlds."""
    assert Demo.everything


def test_the_pipeline_is_told_nothing_of_the_truth(history: list[Post]) -> None:
    allowed = {
        "demo", "id", "platform", "text", "created_at", "lang", "author", "url",
        "conversation_id", "reply_to", "repost_of", "likes", "replies", "reposts", "views",
        "country", "coordinates",
    }  # fmt: skip
    assert {key for p in history for key in p.raw} <= allowed


def test_poisson_has_its_mean() -> None:
    from random import Random

    rng = Random(1)
    for expected in (0.3, 5.0, 120.0):
        assert mean(poisson(rng, expected) for _ in range(2_000)) == pytest.approx(
            expected, rel=0.1
        )
