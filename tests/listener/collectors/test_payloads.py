"""Payloads become posts with the right values; what is bad is kept aside and the rest goes on."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import feedparser
import pytest
import recorded
from hypothesis import given, settings
from hypothesis import strategies as st

from listener.collectors import (
    bluesky_payloads,
    hackernews_payloads,
    mastodon_payloads,
    reading,
    reddit_payloads,
    rss_payloads,
    x_payloads,
    youtube_payloads,
)
from listener.mention import Post

MADE = Path(__file__).resolve().parents[2] / "payloads"
COLUMNS = 16


def made(name: str) -> Any:
    return json.loads((MADE / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("platform", sorted(recorded.PLATFORMS))
def test_every_recorded_post_is_read(platform: str, shared_data: Path) -> None:
    find, to_post = recorded.PLATFORMS[platform]
    expected = {"x": 682, "mastodon": 125, "reddit": 2803, "bluesky": 21, "hackernews": 25}
    posts = [to_post(payload) for _, payload in find(shared_data / "payloads")]
    assert len(posts) == expected[platform]
    for post in posts:
        assert post.platform == platform
        assert post.native_id
        assert post.created_at.tzinfo is UTC
        assert 2006 <= post.created_at.year <= 2026
        json.dumps(post.raw)


def test_the_reviewed_sample_reads_as_reviewed(shared_data: Path) -> None:
    """33 posts that were compared with their payloads by eye, at least one of each shape."""
    with (MADE / "reviewed.tsv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.reader(handle, delimiter="\t"))[1:]
    assert len(rows) == 33
    expected = {(row[0], row[1]): row for row in rows}
    found: dict[tuple[str, str], list[str]] = {}
    for platform, (find, to_post) in recorded.PLATFORMS.items():
        for _, payload in find(shared_data / "payloads"):
            row = recorded.row(platform, to_post(payload))
            if (row[0], row[1]) in expected:
                found.setdefault((row[0], row[1]), row)
    assert found == expected


def test_the_raw_relay_frames_hold_the_same_posts_as_jetstream(shared_data: Path) -> None:
    """The recorded CBOR frames, decoded by the SDK, give the posts of the recorded JSON lines."""
    zstandard = pytest.importorskip("zstandard")
    atproto = pytest.importorskip("atproto")
    folder = shared_data / "payloads" / "bluesky"
    packed = (folder / "jetstream_frames.bin.zst").read_bytes()
    data = zstandard.ZstdDecompressor().stream_reader(packed).read()
    texts = {p.native_id: p.text for p in _frame_posts(data, atproto)}
    lines = [p for f, p in recorded.bluesky(shared_data / "payloads") if f == "jetstream"]
    expected = {p.native_id: p.text for p in map(bluesky_payloads.to_post, lines)}
    assert texts == expected


def _frame_posts(data: bytes, atproto: Any) -> list[Post]:
    from atproto import CAR, firehose_models, models, parse_subscribe_repos_message

    posts, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "little")
        frame = firehose_models.Frame.from_bytes(data[at + 4 : at + 4 + size])
        at += 4 + size
        message = parse_subscribe_repos_message(frame)
        if not isinstance(message, models.ComAtprotoSyncSubscribeRepos.Commit):
            continue
        blocks = CAR.from_bytes(message.blocks).blocks
        for op in message.ops:
            if op.path.startswith(bluesky_payloads.POST + "/") and op.cid:
                uri = f"at://{message.repo}/{op.path}"
                posts.append(bluesky_payloads.to_post({"uri": uri, "value": blocks[op.cid]}))
    return posts


def test_an_x_post_with_everything() -> None:
    full, bare = map(x_payloads.to_post, x_payloads.split(made("x/full.json")))
    assert full.native_id == "1843900000000000001"  # the first of its edits
    assert full.text == "@Acme my kettle leaks again, see https://t.co/abc"
    assert full.created_at == x_payloads.snowflake_time("1843900000000000001")
    assert full.edited_at == x_payloads.snowflake_time("1843900000000000003")
    assert (full.author.handle, full.author.followers, full.author.location) == (
        "mira",
        12,
        "Berlin",
    )
    assert (full.country, full.place_name, full.coordinates) == (
        "DE",
        "Berlin, Germany",
        (52.5, 13.4),
    )
    assert (full.reply_to, full.conversation_id) == ("1843899999999999999",) * 2
    assert (full.likes, full.replies, full.reposts, full.views) == (3, 1, 0, 120)
    assert full.links == ("https://example.org/kettle",)
    assert full.url == "https://x.com/mira/status/1843900000000000003"
    assert bare.author.id == "78"
    assert bare.author.handle is None
    assert bare.language_tag is None  # "und" is not a language
    assert bare.likes is None  # missing is not zero
    assert [u["id"] for u in full.raw["includes"]["users"]] == ["77"]
    assert bare.raw["includes"] == {}  # nobody else's profile is kept with it


def test_a_snowflake_tells_its_time_and_back() -> None:
    at = x_payloads.snowflake_time("1578516068309794817")
    assert at == datetime(2022, 10, 7, 22, 42, 12, 752000, UTC)
    assert x_payloads.snowflake_time(str(x_payloads.snowflake_at(at))) == at


def test_a_mastodon_status_is_read_as_people_see_it() -> None:
    post = mastodon_payloads.to_post(made("mastodon/status.json"))
    assert post.text == "La bouilloire #Acme fuit\xa0!\nVoir https://example.org/x\nMerci"
    assert post.native_id == "https://a.example/users/jo/statuses/1"
    assert (post.author.handle, post.author.location) == ("jo@a.example", "Lyon, France")
    assert post.links == ("https://example.org/x",)
    assert post.reply_to == "113299999999999999"
    assert post.edited_at == datetime(2024, 10, 13, 11, tzinfo=UTC)
    with_parent = made("mastodon/status.json") | {"in_reply_to_uri": "https://b.example/u/2"}
    assert mastodon_payloads.to_post(with_parent).reply_to == "https://b.example/u/2"


def test_a_reddit_feed_entry_loses_the_feeds_own_footer() -> None:
    post = reddit_payloads.to_post(made("reddit/feed_entry.json"))
    assert post.text == "Acme kettle leaks\nThird one this year, photo."
    assert post.author.handle == "sam"
    assert post.conversation_id == "t3_1abcde"
    assert post.links == ("https://example.org/leak",)


def test_a_news_entry_drops_the_summary_that_repeats_its_title(now: datetime) -> None:
    feed = feedparser.parse((MADE / "rss/google_news.xml").read_bytes())
    url = "https://news.google.com/rss/search?q=Acme"
    payloads = [rss_payloads.entry_payload(e, feed.feed, url) for e in feed.entries]
    posts, rejects = reading.read(payloads, rss_payloads.to_post, now, url)
    assert [p.text for p in posts] == ["Acme recalls 10,000 kettles - The Daily Post"]
    assert posts[0].native_id == "news.google.com/CBMiAAA"
    assert posts[0].created_at == datetime(2024, 10, 13, 9, tzinfo=UTC)
    assert posts[0].author.name == "The Daily Post"
    assert posts[0].language_tag == "en-US"
    assert [r.reason for r in rejects] == ["published is None, not a time"]


def test_a_youtube_thread_gives_its_comment_and_the_replies() -> None:
    first, reply = map(
        youtube_payloads.to_post, youtube_payloads.comments_in(made("youtube/thread.json"))
    )
    assert first.text == "My *Acme* kettle broke https://example.org/v"
    assert (first.author.id, first.author.handle, first.likes) == ("UC123", "lee", 4)
    assert (first.reply_to, first.conversation_id) == ("vid1", "vid1")
    assert first.edited_at == datetime(2024, 10, 13, 12, tzinfo=UTC)
    assert reply.reply_to == "UgxTop"
    assert reply.edited_at is None


def test_reddits_placeholders_are_seen_as_gone() -> None:
    assert reddit_payloads.is_gone({"body": "[removed]", "author": "sam"})
    assert reddit_payloads.is_gone({"selftext": "[deleted]", "author": "[deleted]"})
    assert not reddit_payloads.is_gone({"body": "I wrote [deleted] here", "author": "sam"})


def test_a_bluesky_date_ahead_of_the_network_counts_as_the_time_seen() -> None:
    view = {
        "uri": "at://did:plc:a/app.bsky.feed.post/1",
        "author": {"did": "did:plc:a", "handle": "handle.invalid"},
        "record": {"text": "hi", "createdAt": "2099-01-01T00:00:00Z"},
        "indexedAt": "2026-03-01T00:00:00Z",
    }
    post = bluesky_payloads.to_post(view)
    assert post.created_at == datetime(2026, 3, 1, tzinfo=UTC)
    assert post.author.handle is None  # "handle.invalid" is nobody's handle
    with pytest.raises(ValueError, match="createdAt"):
        bluesky_payloads.to_post({**view, "record": {"text": "hi"}, "indexedAt": None})


def _status(**changes: Any) -> dict[str, Any]:
    return {**made("mastodon/status.json"), **changes}


def test_one_bad_payload_does_not_end_the_page(now: datetime) -> None:
    payloads = [_status(uri=f"https://a.example/{n}") for n in range(3)]
    page = [payloads[0], "<html>", None, _status(content=None), payloads[1], {}, payloads[2]]
    posts, rejects = reading.read(page, mastodon_payloads.to_post, now, "page 1")
    assert [p.native_id[-1] for p in posts] == ["0", "1", "2"]
    assert len(rejects) == 4
    assert "content is NoneType, not a text" in rejects[2].reason
    assert rejects[0].where == "page 1"
    assert rejects[0].payload == "<html>"


def test_absurd_dates_long_texts_and_half_characters_are_mended_and_told(now: datetime) -> None:
    absurd = _status(created_at="2199-01-01T00:00:00Z", uri="u:1")
    huge = _status(content="x" * 10_000_000, uri="u:2")
    broken = _status(content="kettle \ud83d broke", uri="u:3")
    posts, rejects = reading.read([absurd, huge, broken], mastodon_payloads.to_post, now, "p")
    assert posts[0].created_at == now
    assert posts[0].raw["created_at"] == "2199-01-01T00:00:00Z"
    assert len(posts[1].text) == reading.TEXT_LIMIT
    assert len(json.dumps(posts[1].raw)) < 2 * reading.TEXT_LIMIT
    assert posts[2].text == "kettle ? broke"
    assert [r.reason[:11] for r in rejects] == ["absurd date", "a text of 1"]
    assert max(len(r.payload) for r in rejects) <= reading.PAYLOAD_LIMIT


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
SHAPES: dict[str, tuple[Callable[..., Post], dict[str, Any]]] = {
    "x": (x_payloads.to_post, x_payloads.split(made("x/full.json"))[0]["data"]),
    "mastodon": (mastodon_payloads.to_post, made("mastodon/status.json")),
    "reddit": (
        reddit_payloads.to_post,
        {"name": "t1_a", "body": "b", "created_utc": 1, "parent_id": "t3_b", "edited": 5.0},
    ),
    "hackernews": (
        hackernews_payloads.to_post,
        {"objectID": "1", "title": "t", "created_at_i": 1, "_tags": [], "parent_id": 3, "url": "u"},
    ),
    "bluesky": (
        bluesky_payloads.to_post,
        {
            "uri": "at://a/b/c",
            "record": {"text": "", "createdAt": ""},
            "author": {},
            "indexedAt": "",
        },
    ),
    "rss": (rss_payloads.to_post, {"entry_id": "1", "title": "t", "content": "", "published": ""}),
    "youtube": (youtube_payloads.to_post, made("youtube/thread.json")),
}


@pytest.mark.parametrize("platform", sorted(SHAPES))
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_field_of_any_shape_is_read_or_kept_aside(platform: str, data: st.DataObject) -> None:
    """Schema drift: any field may become anything; the page is read all the same."""
    to_post, payload = SHAPES[platform]
    drifted = dict(payload)
    for key in data.draw(st.lists(st.sampled_from(sorted(payload)), max_size=3)):
        drifted[key] = data.draw(JSON)
    at = datetime(2026, 3, 14, tzinfo=UTC)
    posts, rejects = reading.read([drifted], to_post, at, "")
    assert len(posts) == 1 or len(rejects) == 1
    for post in posts:
        assert isinstance(post.text, str)
        assert reading.EARLIEST <= post.created_at <= at + reading.AHEAD
        assert all(isinstance(link, str) for link in post.links)
        for name in (post.author.handle, post.reply_to, post.conversation_id, post.language_tag):
            assert name is None or isinstance(name, str)


@given(st.text(max_size=200))
def test_any_markup_is_read(html: str) -> None:
    text, _ = reading.plain(html)
    assert isinstance(text, str)
