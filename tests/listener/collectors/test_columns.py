"""Columns are guessed from heads and values, and cells become what they mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.collectors import columns as c


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("Full Text", "full_text"),
        ("createdAt", "created_at"),
        ("record.createdAt", "record.created_at"),
        (" Author ID ", "author_id"),
        ("Page-Type", "page_type"),
        ("entities[0]", "entities.0"),
        ("X (Twitter) Likes", "x_twitter_likes"),
        ("", ""),
    ],
)
def test_heads_are_compared_without_case_spaces_or_punctuation(head: str, expected: str) -> None:
    assert c.plain(head) == expected


def test_empty_and_repeated_heads_get_names_of_their_own() -> None:
    assert c.unique(["", "id", "id", "\ufeffid", "column 1"]) == (
        "column 1",
        "id",
        "id (2)",
        "id (3)",
        "column 1 (2)",
    )


DAY = ["2024-05-01 10:00:00", "2024-05-02 11:00:00"]

EXPORTS = {
    "the airline file": (
        {
            "tweet_id": ["570306133677760000"],
            "airline_sentiment": ["neutral"],
            "airline_sentiment_confidence": ["1"],
            "airline": ["Virgin America"],
            "name": ["cairdin", "jnardino"],
            "retweet_count": ["0"],
            "text": ["@VirginAmerica what he said", "plus you have"],
            "tweet_coord": ["", "[40.7, -74.0]"],
            "tweet_created": ["2015-02-24 11:35:52 -0800"],
            "tweet_location": ["", "Boston"],
            "user_timezone": ["Eastern Time (US & Canada)"],
        },
        {
            "id": "tweet_id", "text": "text", "created": "tweet_created", "author_handle": "name",
            "reposts": "retweet_count", "coordinates": "tweet_coord", "location": "tweet_location",
            "time_zone": "user_timezone",
        },
    ),
    "customer support on Twitter": (
        {
            "column 1": ["0", "1"],
            "tweet_id": ["1", "2"],
            "author_id": ["sprintcare", "115712"],
            "inbound": ["False", "True"],
            "created_at": ["Tue Oct 31 22:10:47 +0000 2017"],
            "text": ["@115712 I understand.", "and how"],
            "response_tweet_id": ["2", ""],
            "in_response_to_tweet_id": ["3.0", "1.0"],
        },
        {
            "id": "tweet_id", "text": "text", "created": "created_at", "author_id": "author_id",
            "inbound": "inbound", "reply_to": "in_response_to_tweet_id",
        },
    ),
    "a Brandwatch-like export": (
        {
            "Query Id": ["1999"],
            "Date": DAY,
            "Title": ["Hello", ""],
            "Snippet": ["Hello wor…", ""],
            "Full Text": ["Hello world, all is well", "second one"],
            "Url": ["https://twitter.com/a/status/1"],
            "Page Type": ["twitter", "reddit"],
            "Author": ["anna_b", "carl"],
            "Full Name": ["Anna B", "Carl"],
            "Country": ["Germany"],
            "Language": ["en"],
            "Twitter Followers": ["1200"],
            "Latitude": ["52.5"],
            "Longitude": ["13.4"],
            "Thread Id": ["9"],
        },
        {
            "text": "Full Text", "created": "Date", "url": "Url", "platform": "Page Type",
            "author_name": "Full Name", "author_handle": "Author",
            "country": "Country", "language": "Language",
            "followers": "Twitter Followers", "lat": "Latitude", "lon": "Longitude",
            "conversation": "Thread Id",
        },
    ),
    "a Sprout-like export": (
        {
            "Date": ["5/13/2024 9:14 am"],
            "Post ID": ["8812345"],
            "Network": ["X (Twitter)", "Facebook"],
            "Message": ["Great service today, thank you"],
            "Sender Screen Name": ["bob"],
            "Link": ["https://x.com/bob/status/8812345"],
            "Impressions": ["1,204"],
        },
        {
            "created": "Date", "id": "Post ID", "platform": "Network", "text": "Message",
            "author_handle": "Sender Screen Name", "url": "Link", "views": "Impressions",
        },
    ),
    "day and hour apart": (
        {"Date": ["13/05/2024"], "Time": ["09:14"], "Hit Sentence": ["a b c"], "Source": ["The Times"]},
        {"created": "Date+Time", "text": "Hit Sentence"},
    ),
    "Bluesky records": (
        {
            "uri": ["at://did:plc:abc/app.bsky.feed.post/3k"],
            "author.did": ["did:plc:abc"],
            "author.handle": ["ann.bsky.social"],
            "author.displayName": ["Ann"],
            "record.text": ["hello there"],
            "record.createdAt": ["2024-05-01T10:00:00.000Z"],
            "record.langs.0": ["en"],
            "record.reply.parent.uri": ["at://did:plc:abc/app.bsky.feed.post/3j"],
            "record.reply.root.uri": ["at://did:plc:abc/app.bsky.feed.post/3i"],
            "likeCount": ["3"],
            "repostCount": ["1"],
            "replyCount": ["0"],
        },
        {
            "id": "uri", "author_id": "author.did", "author_handle": "author.handle",
            "author_name": "author.displayName", "text": "record.text",
            "created": "record.createdAt", "language": "record.langs.0",
            "reply_to": "record.reply.parent.uri", "conversation": "record.reply.root.uri",
            "likes": "likeCount", "reposts": "repostCount", "replies": "replyCount",
        },
    ),
    "a Reddit dump": (
        {
            "id": ["abc"],
            "author": ["redd_it"],
            "created_utc": ["1714557600"],
            "title": ["Is it down?"],
            "selftext": ["Since noon for me"],
            "permalink": ["/r/x/comments/abc"],
            "score": ["12"],
            "num_comments": ["3"],
        },
        {
            "id": "id", "author_handle": "author", "created": "created_utc",
            "text": "title+selftext", "url": "permalink", "likes": "score",
            "replies": "num_comments",
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(EXPORTS))
def test_columns_of_known_exports(name: str) -> None:
    samples, expected = EXPORTS[name]
    found = c.guess(tuple(samples), samples)
    assert {k: v for k, v in found.items() if k in expected} == expected
    extra = {k: v for k, v in found.items() if k not in expected}
    assert not set(extra) & {"created", "text", "reply_to", "conversation", "inbound"}, extra


def test_values_refute_a_head() -> None:
    samples = {"date": ["soon", "later"], "posted": DAY, "message": ["one two three", "four five"]}
    assert c.guess(tuple(samples), samples)["created"] == "posted"


def test_the_column_that_reads_like_sentences_is_the_text() -> None:
    samples = {
        "ts": DAY,
        "K17": ["a rather long sentence about a parcel that is late", "another one of the kind"],
        "K18": ["AB-1", "AB-2"],
    }
    found = c.guess(tuple(samples), samples)
    assert found["text"] == "K17"
    assert found["created"] == "ts"


@pytest.mark.parametrize(
    ("heads", "text", "title"),
    [
        (("title", "body"), "body", "title"), (("title",), "title", None),
        (("headline",), "headline", None), (("title", "selftext"), "title+selftext", None),
    ],
)  # fmt: skip
def test_a_title_is_the_text_where_there_is_no_other(
    heads: tuple[str, ...], text: str, title: str | None
) -> None:
    samples = {"date": DAY} | {h: ["Acme is down in all of Europe"] for h in heads}
    found = c.guess(tuple(samples), samples)
    assert (found["text"], found.get("title")) == (text, title)


def test_numbers_alone_are_not_taken_for_times() -> None:
    samples = {"amount": ["1700000000", "1700000001"], "message": ["one two", "three four"]}
    assert "created" not in c.guess(tuple(samples), samples)


def test_a_source_column_of_clients_is_no_platform() -> None:
    samples = {"source": ["Twitter for iPhone", "Web"], "text": ["a b"], "created_at": DAY}
    assert "platform" not in c.guess(tuple(samples), samples)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0), ("1204", 1204), ("1,204", 1204), ("1 204", 1204), ("3.0", 3), ("1.2K", 1200),
        ("2m", 2_000_000), ("", None), ("n/a", None), ("-1", None), ("١٢", 12), ("²", None),
        ("1e5", None),
    ],
)  # fmt: skip
def test_counts(text: str, expected: int | None) -> None:
    assert c.count(text) == expected


@pytest.mark.parametrize(
    ("text", "lon_first", "expected"),
    [
        ("[40.7, -74.0]", False, (40.7, -74.0)),
        ("40.7,-74", False, (40.7, -74.0)),
        ("[-74.0, 40.7]", True, (40.7, -74.0)),
        ("[0.0, 0.0]", False, None),
        ("[140.7, -74.0]", False, None),
        ("somewhere", False, None),
        ("", False, None),
    ],
)
def test_coordinates(text: str, lon_first: bool, expected: tuple[float, float] | None) -> None:
    assert c.pair(text, lon_first) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("English", "en"), ("pt-BR", "pt-br"), ("EN", "en"), ("und", None), ("??", None), ("", None)],
)
def test_language_tags(text: str, expected: str | None) -> None:
    assert c.language_tag(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Twitter", "x"), ("X (Twitter)", "x"), ("Reddit", "reddit"), ("bsky", "bluesky"),
        ("My Own Forum!", "my-own-forum"),
    ],
)  # fmt: skip
def test_platform_names(text: str, expected: str) -> None:
    assert c.platform_name(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("3.0", "3"), ("3", "3"), (" 7 ", "7"), ("nan", ""), ("None", ""), ("at://x.0", "at://x.0")],
)
def test_ids_of_float_columns(text: str, expected: str) -> None:
    assert c.whole_id(text) == expected


@given(st.text(max_size=30))
def test_no_cell_breaks_a_parser(text: str) -> None:
    number = c.count(text)
    assert number is None or number >= 0
    where = c.pair(text)
    assert where is None or (-90 <= where[0] <= 90 and -180 <= where[1] <= 180)
    assert c.flag(text) in (True, False, None)
    assert isinstance(c.whole_id(text), str)
    tag = c.language_tag(text)
    assert tag is None or tag.isascii()
    assert c.platform_name(text) == c.platform_name(text).strip()


def test_heads_are_named_apart_however_many_there_are() -> None:
    assert c.unique(["a", "", "a", "a (2)", "a"]) == (
        "a",
        "column 2",
        "a (2)",
        "a (2) (2)",
        "a (3)",
    )
    many = c.unique(["a"] * 200_000 + [""] * 200_000)  # an hour, if each were sought among all
    assert len(set(many)) == 400_000
    assert (many[199_999], many[-1]) == ("a (200000)", "column 400000")
