"""The live view, driven from the entry file."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from dashboard import charts
from listener.collectors import Page
from listener.mention import Match, Post, epoch
from listener.store import Store
from tests.dashboard import seed
from tests.dashboard.conftest import Open, page_text


def test_the_wall_shows_now_against_the_usual(opened: Open) -> None:
    app = opened()
    assert not app.exception
    text = page_text(app)
    for part in ("Posts now", "Net sentiment now", "Unanswered", "Open spikes", "Newest"):
        assert part in text
    assert "× usual" in text
    assert "below usual" in text, "the crisis pulls net sentiment below the same hours before"
    assert "more negative posts" in text
    assert "Germany" in text


def test_each_of_the_large_figures_opens_into_what_it_counts(opened: Open) -> None:
    text = page_text(opened())
    values = re.findall(r'<div class="gs-value"><a class="gs-in" href="([^"]+)"', text)
    paths = [urlsplit(html.unescape(v)) for v in values]
    assert [p.path for p in paths] == ["/mentions", "/mentions", "/mentions", "/spikes"]
    first = parse_qs(paths[0].query)
    assert first["span"] == ["7d"]
    assert "answer=unanswered" in paths[2].query
    posts = re.search(r"at=[^>]*>(\d+)</a><small>in 3 h", text)
    assert posts
    shown = page_text(opened("mentions", **{k: v[0] for k, v in first.items()}))
    assert f"{posts[1]} posts" in shown


def test_what_a_post_says_is_text(opened: Open) -> None:
    text = page_text(opened())
    assert "&lt;script&gt;document.title" in text
    assert "<script" not in text
    assert "<img" not in text
    assert "javascript:alert" not in text
    assert "\u202e" not in text


def test_unknown_places_are_told_apart(opened: Open) -> None:
    text = page_text(opened())
    assert "of posts have no known place" in text
    assert "gs-unknown" in text


def test_a_failing_source_is_said(opened: Open) -> None:
    text = page_text(opened())
    assert "mastodon" in text
    assert "not heard since" in text
    assert "&lt;b&gt;x&lt;/b&gt;" in text


def test_an_address_opens_the_same_filter(opened: Open) -> None:
    app = opened(brand=["Borealis"], region=["group:Asia"], span="14d")
    assert not app.exception
    assert "Borealis · Asia · 14 days" in page_text(app)
    assert app.multiselect(key="f_brand").value == ["Borealis"]
    app.multiselect(key="f_brand").set_value(["Aurora Air"]).run()
    assert app.query_params["brand"] == "Aurora Air"
    assert app.query_params["region"] == "group:Asia"


@pytest.mark.parametrize("part", [{"platform": "bluesky"}, {"language": "de"}])
def test_spikes_of_all_platforms_are_said_to_be_and_not_marked_on_the_lines_of_one(
    opened: Open, monkeypatch: pytest.MonkeyPatch, part: dict[str, str]
) -> None:
    marked: list[int] = []
    for name, place in (("volume", 1), ("world_map", 1)):
        real = getattr(charts, name)

        def counting(*args: Any, real: Any = real, place: int = place, **more: Any) -> Any:
            marked.append(len(args[place]))
            return real(*args, **more)

        monkeypatch.setattr(charts, name, counting)
    assert "platform and language do not narrow them" not in page_text(opened())
    assert all(marked)
    marked.clear()
    text = page_text(opened(**part))
    assert "platform and language do not narrow them" in text
    assert "of all platforms and languages" in text
    assert marked == [0, 0]
    text = page_text(opened("spikes", **part))
    assert text.index("do not narrow them") < text.index("open</h3>")


def test_no_store_yet(opened: Open, tmp_path: Path) -> None:
    app = opened(db=tmp_path / "none.db")
    assert not app.exception
    assert "Nothing is stored yet" in page_text(app)


def test_an_empty_store(opened: Open, tmp_path: Path) -> None:
    Store(tmp_path / "empty.db").close()
    app = opened(db=tmp_path / "empty.db")
    assert not app.exception
    assert "Nothing is stored yet" in page_text(app)


def test_a_file_that_is_no_store(opened: Open, tmp_path: Path) -> None:
    (tmp_path / "other.db").write_bytes(b"not a database, by far" * 100)
    app = opened(db=tmp_path / "other.db")
    assert not app.exception
    assert "cannot be read" in page_text(app)


def test_old_data_opens_on_its_last_days_and_says_so(opened: Open, tmp_path: Path) -> None:
    then = datetime(2015, 2, 24, 11, 30, tzinfo=UTC)
    seed.fill(tmp_path / "old.db", posts=120, now=then, hostile=()).close()
    app = opened(db=tmp_path / "old.db")
    assert not app.exception
    text = page_text(app)
    assert "The newest post is of <b>24 Feb 2015</b>" in text
    assert "Nothing is collected since 24 Feb 2015" in text
    assert "No post in this time" not in text
    assert "Germany" in text


def test_posts_that_wait_to_be_counted_are_said_to(opened: Open, tmp_path: Path) -> None:
    post = Post("bluesky", "1", "Aurora Air again", seed.NOW)
    with Store(tmp_path / "new.db") as store:
        store.save_page(
            Page([post], {}), source="bluesky", platform="bluesky", query="all",
            matches=[[Match(seed.BRANDS[0], "Aurora Air", "aurora air", "name", 0, 10)]],
            from_brand=[None], rules="r1", now=epoch(seed.NOW),
        )  # fmt: skip
    text = page_text(opened(db=tmp_path / "new.db"))
    assert "wait to be counted" in text


def test_a_made_up_store_says_so_on_every_page(opened: Open, tmp_path: Path) -> None:
    seed.fill(tmp_path / "demo.db", posts=60, hostile=(), demo=True).close()
    for view in ("live", "mentions"):
        assert "Demo data." in page_text(opened(view, db=tmp_path / "demo.db"))
