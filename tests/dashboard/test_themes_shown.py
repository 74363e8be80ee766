"""Themes of complaint on the trends, spikes and mentions views."""

from __future__ import annotations

import html
import re
import shutil
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import pytest

from dashboard import figures
from dashboard import themes as shown
from listener import themes
from listener.mention import epoch
from listener.store import Filter, Store
from tests.dashboard import seed
from tests.dashboard.conftest import Open, page_text


@pytest.fixture
def themed(filled: Path, tmp_path: Path) -> Path:
    """The filled store, all judged, with its themes found."""
    for file in filled.glob("seed.db*"):
        shutil.copy(file, tmp_path / file.name)
    with Store(tmp_path / "seed.db") as store:
        with store.write() as db:
            db.execute("UPDATE mentions SET judged_at = 1 WHERE judged_at IS NULL")
        assert themes.update(store, epoch(seed.NOW)) > 0
        assert themes.by_day(store, Filter())
    return tmp_path / "seed.db"


def row(i: int, day: int, posts: int, **more: Any) -> dict[str, Any]:
    return {
        "id": i,
        "brand": "Acme",
        "name": f"t{i}",
        "first_at": 0,
        "day": day,
        "posts": posts,
    } | more


def test_days_without_posts_are_zero_and_days_outside_are_left_out() -> None:
    (line,) = shown.lines([row(1, 3, 5), row(1, 5, 2), row(1, 9, 7)], 3, 6)
    assert line.days == (5, 0, 2, 0)
    assert line.posts == 7


def test_what_grew_is_told_by_its_own_average() -> None:
    rows = [row(1, d, 50) for d in range(8)] + [row(2, d, 2) for d in range(7)] + [row(2, 7, 40)]
    found = shown.lines(rows, 0, 7)
    assert [n.id for n in found] == [1, 2]
    assert [n.id for n in shown.grown(found, 1)] == [2]


def test_a_name_made_of_posts_stays_text_and_opens_its_posts() -> None:
    found = shown.lines([row(4, 1, 3, name="<b>x</b>, y")], 0, 2)
    table = shown.table(found, 0, ZoneInfo("UTC"), {"brand": "Acme"})
    assert "<b>x" not in table
    assert "/mentions?brand=Acme&amp;theme=4" in table
    assert "posts by day: 0, 3, 0" in table


def test_trends_name_the_themes_and_they_open_into_their_posts(opened: Open, themed: Path) -> None:
    app = opened("trends", db=themed, span="14d")
    assert not app.exception
    text = page_text(app)
    assert "Themes of complaint" in text
    found = re.search(r"mentions\?[^\"]*theme=(\d+)\"[^>]*>([^<]+)</a>", text)
    assert found
    app = opened("mentions", db=themed, theme=found[1], span="14d")
    assert not app.exception
    text = page_text(app)
    assert f"Complaints: {found[2]}" in text
    assert "cancelled" in text
    assert "boarding at gate seven" not in text


def test_a_spike_names_the_complaints_that_grew(opened: Open, themed: Path) -> None:
    with Store(themed) as store:
        spike = next(s for s in store.spikes() if s["end"] is None)
    text = page_text(opened("spikes", db=themed, spike=str(spike["id"])))
    assert "Complaints that grew most" in text
    assert "posts by day: " in text


def test_a_row_of_a_spikes_page_opens_into_as_many_posts(opened: Open, themed: Path) -> None:
    with Store(themed) as store:
        with (
            store.write() as db
        ):  # one theme over all the days, older ones than the row tells among them
            db.execute(
                "UPDATE mentions SET theme = (SELECT MIN(id) FROM themes WHERE brand = 'Aurora Air') "
                "WHERE brand = 'Aurora Air' AND label = 'negative' AND copy = 0"
            )
        spike = next(s for s in store.spikes() if s["end"] is None)
        text = page_text(opened("spikes", db=themed, spike=str(spike["id"])))
        found = re.search(
            r'href="/mentions\?([^"]*theme=\d+)"[^>]*>[^<]+</a>.*?<td>(\d+)</td>', text
        )
        assert found
        query = {k: v[0] for k, v in parse_qs(html.unescape(found[1])).items()}
        since, until = map(int, query["at"].split("-"))
        where = Filter(("Aurora Air",), countries=("DE",), since=since, until=until)
        posts = themes.posts_of(store, int(query["theme"]), where, 1000)
        earlier = Filter(("Aurora Air",), countries=("DE",), until=since)
        assert themes.posts_of(store, int(query["theme"]), earlier, 1), "or it would show nothing"
    assert len(posts) == int(found[2]) > 20
    app = opened("mentions", db=themed, **query)
    assert not app.exception
    last = len(posts) // 20
    text = page_text(opened("mentions", db=themed, **{**query, "page": str(last)}))
    assert text.count('<div class="gs-post">') == len(posts) - 20 * last


@pytest.mark.parametrize("view", ["trends", "spikes"])
def test_a_post_is_of_its_own_local_day_on_either_side_of_a_clock_change(
    opened: Open, themed: Path, monkeypatch: pytest.MonkeyPatch, view: str
) -> None:
    """New York put its clocks forward on 8 March 2026, six days before the page is opened."""
    settings = themed.parent / "keywords.yaml"
    zone = "  time_zone: America/New_York\n"
    settings.write_text(seed.KEYWORDS + zone, encoding="utf-8")
    monkeypatch.setenv("GROUNDSWELL_CONFIG", str(settings))
    with Store(themed) as store:
        with store.write() as db:
            db.execute(
                "UPDATE mentions SET theme = (SELECT MIN(id) FROM themes WHERE brand = 'Aurora Air') "
                "WHERE brand = 'Aurora Air' AND label = 'negative' AND copy = 0"
            )
            # Half past eleven at night on Friday the 6th: by summer time it would be Saturday.
            late = epoch(datetime(2026, 3, 6, 23, 30, tzinfo=ZoneInfo("America/New_York")))
            db.execute(
                "UPDATE mentions SET created_at = ? WHERE brand = 'Aurora Air' AND theme > 0 "
                "AND country = 'DE' AND created_at BETWEEN ? AND ?",
                (late, late - 2 * 86_400, late + 86_400),
            )
        spike = next(s for s in store.spikes() if s["end"] is None)
        moved = store.value("SELECT COUNT(*) FROM mentions WHERE created_at = ?", (late,))
    assert moved >= 2
    query = {"span": "14d", "brand": "Aurora Air", "region": "DE"}
    text = page_text(opened(view, db=themed, **query, spike=str(spike["id"])))
    found = re.search(r"posts by day: ([\d, ]+)", text)
    assert found
    days = [int(n) for n in found[1].split(", ")]  # the last is 14 March
    assert days[-9] == moved, "the 6th"
    assert days[-8] == 0, "the 7th"


@pytest.mark.parametrize(
    "zone", ["UTC", "America/New_York", "America/Havana", "America/Santiago", "Australia/Lord_Howe"]
)
def test_days_and_offsets_are_those_of_the_zone_at_each_moment(zone: str) -> None:
    place = ZoneInfo(zone)
    since = epoch(datetime(2026, 1, 1, 5, 7, tzinfo=UTC))
    until = since + 366 * 86_400
    clock = figures.offsets(since, until, place)
    assert len(clock) == (1 if zone == "UTC" else 3)
    for (_, before), (at, after) in pairwise(clock):
        assert figures.offset(at - 1, place) == before
        assert figures.offset(at, place) == after
    for moment in range(since, until, 1801):
        day = shown.day_of(moment, place)
        local = datetime.fromtimestamp(moment, place).date()
        assert date(1970, 1, 1) + timedelta(days=day) == local
        assert shown.begin_of(day, place) <= moment < shown.begin_of(day + 1, place)


def test_without_a_search_it_says_so(opened: Open) -> None:
    text = page_text(opened("trends"))
    assert "no complaint was looked at" in text
    assert "There is no such theme here." in page_text(opened("mentions", theme="77"))
