"""Themes of complaint on the trends, spikes and mentions views."""

from __future__ import annotations

import html
import re
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import pytest

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


def test_without_a_search_it_says_so(opened: Open) -> None:
    text = page_text(opened("trends"))
    assert "no complaint was looked at" in text
    assert "There is no such theme here." in page_text(opened("mentions", theme="77"))
