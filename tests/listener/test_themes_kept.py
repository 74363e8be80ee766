"""Themes in the store: found once, kept by id, the same whether read at once or hour by hour."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from listener import themes
from listener.collectors import Coverage, Page
from listener.mention import Author, Match, Post, epoch, moment
from listener.store import Filter, Store
from listener.store.stages import Score
from sentiment import themes as pure

HOUR = 3600
DAY = 24 * HOUR
BEGIN = epoch(datetime(2026, 3, 2, tzinfo=UTC))
NOW = BEGIN + 20 * DAY
TOLD = (
    "my bag was lost at baggage claim, number {}",
    "on hold for hours with your phone line {}",
    "the app crashes at check-in {}",
)
Told = tuple[str, int, str]  # native id, when, text


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "t.db") as found:
        yield found


def days(first: int, last: int, kinds: Sequence[int] = (0, 1)) -> list[Told]:
    """24 complaints of each kind a day."""
    return [
        (f"{kind}.{day}.{i}", BEGIN + day * DAY + i * HOUR + kind * 60, TOLD[kind].format(i * 7))
        for day in range(first, last)
        for i in range(24)
        for kind in kinds
    ]


def keep(store: Store, told: Sequence[Told], label: str | None = "negative") -> None:
    posts = [Post("x", n, text, moment(at), Author(handle=f"a{n}")) for n, at, text in told]
    store.save_page(
        Page(posts, {"at": 1}, Coverage(returned=len(posts))), source="x", platform="x", query="q",
        matches=[[Match("Acme", "Acme", "acme", "name", 0, 4)] for _ in posts],
        from_brand=[None] * len(posts), rules="r", now=NOW,
    )  # fmt: skip
    if label is not None:
        chances = (0.8, 0.1, 0.1)
        store.save_scores("m", [Score(p.key, "Acme", label, *chances, 0.8) for p in posts], NOW)
    store.recount()
    store.set_meta("counted_revision", str(store.revision()))


def of(store: Store) -> dict[str, int | None]:
    return {r["key"]: r["theme"] for r in store.rows("SELECT key, theme FROM mentions")}


def test_two_causes_are_two_themes_and_stay_so_for_days(store: Store) -> None:
    keep(store, days(0, 9))
    assert themes.update(store, NOW) == 9 * 48
    rows = themes.by_day(store, Filter())
    first = {r["id"] for r in rows if r["day"] == BEGIN // DAY}
    last = {r["id"] for r in rows if r["day"] == BEGIN // DAY + 8}
    assert len(first) == 2
    assert first == last
    placed = of(store)
    assert {placed["x:0.0.0"], placed["x:0.8.3"]} != {placed["x:1.0.0"], placed["x:1.8.3"]}
    assert placed["x:0.0.0"] == placed["x:0.8.3"]
    names = {r["name"] for r in rows}
    assert any("bag" in name for name in names)
    assert any("hold" in name or "phone" in name for name in names)


def test_done_twice_nothing_changes(store: Store) -> None:
    keep(store, days(0, 3))
    themes.update(store, NOW)
    before, revision = of(store), store.revision()
    assert themes.update(store, NOW) == 0
    assert store.revision() == revision, "a page need not read anew"
    assert themes.update(store, NOW + HOUR) == 0
    assert of(store) == before


def test_hour_by_hour_gives_what_all_at_once_gives(store: Store, tmp_path: Path) -> None:
    told = days(0, 4, (0, 1, 2))
    keep(store, told)
    themes.update(store, NOW)
    with Store(tmp_path / "live.db") as live:
        for day in range(4):
            keep(live, [t for t in told if (t[1] - BEGIN) // DAY == day])
            for hour in range(0, 24, 5):
                themes.update(live, BEGIN + day * DAY + hour * HOUR)
        themes.update(live, NOW)
        assert of(live) == of(store)
        kept = "SELECT id, name, first_at, last_at, posts, terms FROM themes ORDER BY id"
        assert live.rows(kept) == store.rows(kept)


def test_a_new_cause_is_a_new_theme_and_old_ids_stay(store: Store) -> None:
    keep(store, days(0, 2))
    themes.update(store, BEGIN + 2 * DAY)
    old = {r["id"]: r["name"] for r in themes.by_day(store, Filter())}
    keep(store, days(2, 4, (0, 1, 2)))
    themes.update(store, NOW)
    now = {r["id"]: r for r in themes.by_day(store, Filter())}
    assert {i: now[i]["name"] for i in old} == old
    (new,) = set(now) - set(old)
    assert "app" in now[new]["name"]
    assert now[new]["first_at"] >= BEGIN + 2 * DAY
    assert themes.begun_since(store, "Acme", BEGIN + 2 * DAY) == {now[new]["name"]}
    assert themes.begun_since(store, "Bolt", 0) == set()


def test_posts_that_found_what_is_there_already_join_it() -> None:
    posts = [(f"x:{i}", BEGIN + i, pure.terms(TOLD[0].format(i))) for i in range(60)]
    vocabulary = pure.Vocabulary()
    vocabulary.add([terms for _, _, terms in posts])
    known = pure.Theme(5)
    known.add([terms for _, _, terms in posts[:20]], vocabulary)
    state = themes._Brand("Acme", BEGIN, BEGIN, vocabulary, {5: known}, posts[20:], next_id=6)
    themes._search(state)
    assert set(state.placed.values()) == {5}
    assert set(state.themes) == {5}


def test_what_waits_to_be_judged_holds_up_what_comes_after_it(store: Store) -> None:
    keep(store, days(0, 1))
    keep(store, [("late", BEGIN + 6 * HOUR + 5, "acme")], label=None)
    assert themes.update(store, NOW) == 12
    assert themes.upto(store) == BEGIN + 6 * HOUR


def test_only_complaints_and_no_copies(store: Store) -> None:
    keep(store, days(0, 1))
    keep(store, [("p", BEGIN + 60, TOLD[0].format(1))], label="positive")
    store.save_groups([("x:0.0.5", "x:0.0.4")])
    themes.update(store, NOW)
    placed = of(store)
    assert placed["x:p"] is None
    assert placed["x:0.0.5"] is None
    assert placed["x:0.0.6"]


def test_a_theme_opens_into_its_posts_and_a_post_into_its_theme(store: Store) -> None:
    keep(store, days(0, 2))
    themes.update(store, NOW)
    theme = of(store)["x:0.1.3"]
    assert theme
    rows = themes.posts_of(store, theme, Filter(since=BEGIN + DAY), limit=10)
    assert len(rows) == 10
    assert all("bag was lost" in r["text"] for r in rows)
    assert themes.posts_of(store, theme, Filter(brands=("Other",))) == []
    assert themes.names_of(store, ["x:0.1.3"], "Acme") == {"x:0.1.3": themes.name_of(store, theme)}


def test_the_airline_themes_of_the_first_day_are_those_of_the_last(
    shared_data: Path, store: Store
) -> None:
    """US Airways, 17 to 24 February 2015; people named the reason of each complaint."""
    told, reasons = [], {}
    with (shared_data / "airline" / "tweets.csv").open(newline="", encoding="utf-8") as handle:
        for i, row in enumerate(csv.DictReader(handle)):
            if row["airline"] == "US Airways" and row["airline_sentiment"] == "negative":
                told.append(
                    (str(i), epoch(datetime.fromisoformat(row["tweet_created"])), row["text"])
                )
                reasons[f"x:{i}"] = row["negativereason"]
    keep(store, told)
    assert themes.update(store, NOW) == len(told)
    rows = themes.by_day(store, Filter())
    day = epoch(datetime(2015, 2, 17, tzinfo=UTC)) // DAY
    first = {r["id"] for r in rows if r["day"] == day}
    assert len(first) >= 5
    assert first <= {r["id"] for r in rows if r["day"] == day + 6}
    inside: dict[int, Counter[str]] = {}
    for key, theme in of(store).items():
        if theme and reasons[key] != "Can't Tell":
            inside.setdefault(theme, Counter())[reasons[key]] += 1
    posts = sum(c.total() for c in inside.values())
    purity = sum(max(c.values()) for c in inside.values()) / posts
    assert purity >= 0.55, "the largest reason alone would be 0.40"
    assert posts >= 0.35 * len(told)
    top = {c.most_common(1)[0][0] for c in inside.values()}
    assert {"Cancelled Flight", "Late Flight", "Lost Luggage", "Customer Service Issue"} <= top
