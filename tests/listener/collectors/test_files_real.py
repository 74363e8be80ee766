"""The real exports beside the checkout come in as their descriptions say."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from listener.collectors import Context
from listener.collectors.files import Files, FilesOptions, inspect
from listener.mention import Post, Query


def posts_of(path: Path) -> list[Post]:
    collector = Files(Context("files", FilesOptions(path=str(path))))
    found = list(collector.fetch(Query("all", (), ()), None))
    assert not [r for page in found for r in page.rejected]
    return [p for page in found for p in page.posts]


def test_the_airline_file_is_keyed_by_content(shared_data: Path) -> None:
    path = shared_data / "airline" / "tweets.csv"
    plan = inspect(path)
    assert plan.mapping == {
        "id": "tweet_id",
        "text": "text",
        "created": "tweet_created",
        "author_handle": "name",
        "location": "tweet_location",
        "time_zone": "user_timezone",
        "coordinates": "tweet_coord",
        "reposts": "retweet_count",
    }
    assert (plan.platform, plan.key, plan.rows) == ("x", "content", 14_640)
    assert any("rounded" in note for note in plan.notes)
    posts = posts_of(path)
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert len(posts) == len(table) == 14_640
    distinct = table.drop_duplicates(["name", "tweet_created", "text"])
    assert len({p.key for p in posts}) == len(distinct)
    times = pd.to_datetime(table["tweet_created"], utc=True)
    assert [p.created_at for p in posts] == [t.to_pydatetime() for t in times]
    assert min(p.created_at for p in posts) == datetime(2015, 2, 17, 7, 36, 5, tzinfo=UTC)
    assert [p.author.handle for p in posts] == list(table["name"])
    assert [p.author.location or "" for p in posts] == list(table["tweet_location"])
    placed = table["tweet_coord"].str.contains(r"[1-9]", regex=True)
    assert [p.coordinates is not None for p in posts] == list(placed)


def test_support_threads_join(shared_data: Path) -> None:
    path = shared_data / "support_threads" / "twcs_head.csv"
    plan = inspect(path)
    assert (plan.platform, plan.key, plan.rows) == ("x", "id", 5_000)
    posts = posts_of(path)
    assert len({p.key for p in posts}) == 5_000
    table = pd.read_csv(path, lineterminator="\n")
    ids = set(table["tweet_id"])
    within = table["in_response_to_tweet_id"].isin(ids).sum()
    keys = {p.native_id for p in posts}
    assert sum(p.reply_to in keys for p in posts) == within > 3_000
    assert sum(p.incoming is True for p in posts) == table["inbound"].sum()
    brands = {p.author.handle for p in posts if p.incoming is False}
    assert brands == set(table.loc[~table["inbound"], "author_id"])
    assert all(p.author.handle is None for p in posts if p.incoming), "customers are numbers"
