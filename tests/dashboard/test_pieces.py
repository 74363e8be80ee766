"""Pieces of HTML: whatever a post says, it stays text."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as some

from dashboard import pieces
from tests.dashboard import seed

ALLOWED = {
    "div", "span", "b", "i", "em", "br", "time", "a", "small", "table", "thead", "tbody", "tr", "th",
    "td", "dl", "dt", "dd", "h1", "h3", "code",
}  # fmt: skip


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def row(**more: Any) -> dict[str, Any]:
    base = {
        "key": "bluesky:1", "brand": "Aurora Air", "platform": "bluesky", "created_at": 1_000,
        "text": "fine", "label": "neutral", "author_handle": "someone", "author_name": None,
        "country": "DE", "basis": "profile", "url": None, "copy": 0, "wrong": 0, "demo": 0,
        "override": None, "deleted_at": None, "due_at": 2_000,
    }  # fmt: skip
    return {**base, **more}


def check(body: str) -> _Tags:
    """No tag and no attribute but ours, and no address but our own views and plain https."""
    tags = _Tags()
    tags.feed(body)
    for tag, attributes in tags.found:
        assert tag in ALLOWED, tag
        assert not any(name.startswith("on") for name in attributes)
        assert "src" not in attributes
        href = attributes.get("href")
        assert href is None or href.startswith(("/", "https://"))
        if href and href.startswith("https://"):
            assert "noopener" in str(attributes["rel"])
    return tags


@pytest.mark.parametrize("text", seed.HOSTILE)
def test_hostile_posts_stay_text(text: str) -> None:
    hostile = row(
        text=text, author_handle=text, author_name=text, platform=text, brand=text, country=text,
        label=text, url=text, basis=text,
    )  # fmt: skip
    for body in (
        pieces.post(hostile, {}, 5_000), pieces.post(hostile, {}, 5_000, full=True),
        pieces.waiting([hostile], {}, 5_000), pieces.post_links(hostile, {}),
        pieces.conversation(
            [{"key": text, "text": text, "created_at": 1, "author_handle": text}], "k", seed.NOW.tzinfo
        ),
    ):  # fmt: skip
        check(body)


@given(some.text(max_size=400))
def test_any_text_stays_text(text: str) -> None:
    tags = check(pieces.post(row(text=text, author_handle=text), {}, 5_000, full=True))
    assert not any(c in tags.text for c in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def test_right_to_left_text_keeps_its_own_direction() -> None:
    assert 'dir="auto"' in pieces.post(row(text=seed.HOSTILE[-1]), {}, 5_000)


def test_marks_do_not_pile_up() -> None:
    assert len(pieces.calm("Z" + "\u0301" * 500 + "algo")) <= 1 + pieces.MARKS + 4
    assert pieces.calm("Việt Nam, हिन्दी, ไทยน้ำ") == "Việt Nam, हिन्दी, ไทยน้ำ"


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", "http://example.org/", "data:text/html,x", "//example.org", "",
        "https://user:pass@example.org/", "https://", " https://[bad", None, "HTTPS:x",
    ],
)  # fmt: skip
def test_only_plain_https_is_linked(url: str | None) -> None:
    assert pieces.outside(url) == ""


def test_a_link_outside_names_its_host_and_tells_nothing_of_us() -> None:
    link = pieces.outside('https://social.example/a"b?x=1&y=2')
    assert "noopener noreferrer" in link
    assert "social.example" in link
    check(link)


def test_a_post_past_its_time_is_not_said_to_be_deleted_by_its_author() -> None:
    gone = row(text="", deleted_at=3_000, gone="expired", from_brand=None)
    thread = pieces.conversation([gone], "x", ZoneInfo("UTC"))
    for body in (pieces.post(gone, {}, 5_000), thread):
        assert "kept no longer" in body
        assert "its author" not in body


def test_a_deleted_post_shows_no_text() -> None:
    body = pieces.post(row(text="secret", deleted_at=3_000), {}, 5_000)
    assert "secret" not in body
    assert "deleted by its author" in body


def test_an_unknown_place_is_said_and_an_unplaced_one_too() -> None:
    assert pieces.where_from(row(country=None, basis="unknown"), {}) == "place unknown"
    assert pieces.where_from(row(country=None, basis=None), {}) == "not placed yet"


def test_due_before_and_after_the_target() -> None:
    assert "due in 10 min" in pieces.due(row(created_at=0, due_at=3_600), 3_000)
    late = pieces.due(row(created_at=0, due_at=3_600), 3_600 * 3)
    assert "⚠ 2 h over target" in late
    assert "gs-late" in late
    assert "no target" in pieces.due(row(created_at=0, due_at=None), 60)


def test_links_inside_keep_the_filter() -> None:
    link = pieces.inside("mentions", "x", region="group:A&B", brand=["One", "Two"], empty="")
    assert 'href="/mentions?region=group%3AA%26B&amp;brand=One&amp;brand=Two"' in link
