"""X's payloads: the fields that are asked for, and one post of them as a Post. Pure.

Field names live here alone: X's specification of 2026-08 renames ``tweet.fields``
to ``post.fields``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from listener.collectors import reading as r
from listener.mention import Author, Post

TWEET_FIELDS = [
    "id",
    "text",
    "author_id",
    "conversation_id",
    "created_at",
    "lang",
    "public_metrics",
    "referenced_tweets",
    "in_reply_to_user_id",
    "entities",
    "geo",
    "edit_history_tweet_ids",
    "note_tweet",
]
USER_FIELDS = ["username", "name", "location", "public_metrics", "protected"]
PLACE_FIELDS = ["full_name", "country_code", "place_type"]
EXPANSIONS = ["author_id", "geo.place_id"]

SNOWFLAKE_EPOCH_MS = 1_288_834_974_657  # X's own epoch: an id's upper bits are milliseconds since
FIRST_SNOWFLAKE = 29_700_859_247  # older ids (before 2010-11-04) were plain counters


def snowflake_time(native_id: str) -> datetime | None:
    """When an id was made, to the millisecond; None for ids that are older than the scheme."""
    if not native_id.isdecimal() or int(native_id) < FIRST_SNOWFLAKE:
        return None
    return datetime.fromtimestamp(((int(native_id) >> 22) + SNOWFLAKE_EPOCH_MS) / 1000, UTC)


def snowflake_at(moment: datetime) -> int:
    """The smallest id that could have been made at that moment."""
    return max(0, int(moment.timestamp() * 1000) - SNOWFLAKE_EPOCH_MS) << 22


def split(body: r.Payload) -> list[dict[str, Any]]:
    """A v2 answer as one payload a post, each with the users and places it speaks of and no
    others."""
    includes = r.mapping(body.get("includes"))
    users, places = _by_id(includes.get("users")), _by_id(includes.get("places"))
    data = body.get("data")
    payloads: list[dict[str, Any]] = []
    for tweet in [data] if isinstance(data, dict) else r.items(data):
        fields = r.mapping(tweet)
        user = users.get(r.maybe(fields.get("author_id")))
        place = places.get(r.maybe(r.mapping(fields.get("geo")).get("place_id")))
        found = {"users": [user] if user else [], "places": [place] if place else []}
        payloads.append({"data": tweet, "includes": {k: v for k, v in found.items() if v}})
    return payloads


def _by_id(entries: object) -> dict[str | None, r.Payload]:
    known = (r.mapping(entry) for entry in r.items(entries))
    return {entry["id"]: entry for entry in known if r.maybe(entry.get("id"))}


def to_post(payload: r.Payload) -> Post:
    """A post of API v2 (alone, or as ``{"data": …, "includes": …}``), or of v1.1.

    An edited post has a new id at every edit: all of them are kept under the first one, so that an
    edit updates the post. Without ``created_at`` the id itself tells the time.
    """
    if "id_str" in payload:
        return _from_v1(payload)
    tweet = r.mapping(payload.get("data")) or payload
    includes = r.mapping(payload.get("includes"))
    current = r.ident(r.need(tweet, "id"), "id")
    history = [v for v in r.items(tweet.get("edit_history_tweet_ids")) if isinstance(v, str) and v]
    native_id = history[0] if history else current
    stated = tweet.get("created_at")
    created = snowflake_time(native_id) if stated is None or native_id != current else None
    long_text = r.mapping(tweet.get("note_tweet"))
    text = long_text.get("text", tweet.get("text"))
    entities = r.mapping(long_text.get("entities")) or r.mapping(tweet.get("entities"))
    refers = {
        ref.get("type"): r.maybe(ref.get("id"))
        for ref in r.items(tweet.get("referenced_tweets"))
        if isinstance(ref, dict)
    }
    counts = r.mapping(tweet.get("public_metrics"))
    author = _author(tweet, includes)
    country, name, coordinates = _place(tweet, includes)
    lang = r.maybe(tweet.get("lang"))
    return Post(
        platform="x",
        native_id=native_id,
        text=r.text_of(text, "text"),
        created_at=created or r.when(stated, "created_at"),
        author=author,
        url=f"https://x.com/{author.handle or 'i'}/status/{current}",
        conversation_id=r.maybe(tweet.get("conversation_id")),
        reply_to=refers.get("replied_to"),
        repost_of=refers.get("retweeted"),
        language_tag=None if lang in (None, "und", "zxx", "qme", "qst", "qht", "qam") else lang,
        country=country,
        coordinates=coordinates,
        place_name=name,
        likes=r.count(counts.get("like_count")),
        replies=r.count(counts.get("reply_count")),
        reposts=r.count(counts.get("retweet_count")),
        views=r.count(counts.get("impression_count")),
        links=_links(entities, r.text_of(text, "text")),
        edited_at=snowflake_time(current) if current != native_id else None,
        raw=dict(payload),
    )


def _links(entities: r.Payload, text: str) -> tuple[str, ...]:
    """Where the links lead; without ``entities`` the short links of the text are all there is."""
    if not entities:
        return r.unique(r.bare_links(text))
    urls = [r.mapping(u) for u in r.items(entities.get("urls"))]
    return r.unique(u.get("expanded_url") or u.get("url") for u in urls)


def _author(tweet: r.Payload, includes: r.Payload) -> Author:
    author_id = r.maybe(tweet.get("author_id"))
    user: r.Payload = next(
        (u for u in r.items(includes.get("users")) if r.mapping(u).get("id") == author_id), {}
    )
    return Author(
        id=author_id,
        handle=r.maybe(user.get("username")),
        name=r.maybe(user.get("name")),
        followers=r.count(r.mapping(user.get("public_metrics")).get("followers_count")),
        location=r.maybe(user.get("location")),
    )


def _place(
    tweet: r.Payload, includes: r.Payload
) -> tuple[str | None, str | None, tuple[float, float] | None]:
    geo = r.mapping(tweet.get("geo"))
    place: r.Payload = next(
        (
            p
            for p in r.items(includes.get("places"))
            if r.mapping(p).get("id") == geo.get("place_id") is not None
        ),
        {},
    )
    point = r.mapping(geo.get("coordinates")).get("coordinates")
    return r.maybe(place.get("country_code")), r.maybe(place.get("full_name")), _lat_lon(point)


def _lat_lon(point: object) -> tuple[float, float] | None:
    """GeoJSON's [longitude, latitude] as (latitude, longitude)."""
    if (
        isinstance(point, list)
        and len(point) == 2
        and all(isinstance(v, int | float) for v in point)
    ):
        lon, lat = float(point[0]), float(point[1])
        if -90 <= lat <= 90 and -180 <= lon <= 180:
            return lat, lon
    return None


def _from_v1(status: r.Payload) -> Post:
    """A status of API v1.1, as old recordings and exports still hold them."""
    user = r.mapping(status.get("user"))
    place = r.mapping(status.get("place"))
    handle = r.maybe(user.get("screen_name"))
    native_id = r.ident(r.need(status, "id_str"), "id_str")
    lang = r.maybe(status.get("lang"))
    return Post(
        platform="x",
        native_id=native_id,
        text=r.text_of(status.get("full_text", status.get("text")), "text"),
        created_at=datetime.strptime(
            r.text_of(status.get("created_at"), "created_at"), "%a %b %d %H:%M:%S %z %Y"
        ).astimezone(UTC),
        author=Author(
            r.maybe(user.get("id_str")),
            handle,
            r.maybe(user.get("name")),
            r.count(user.get("followers_count")),
            r.maybe(user.get("location")),
            r.maybe(user.get("time_zone")),
        ),
        url=f"https://x.com/{handle or 'i'}/status/{native_id}",
        reply_to=r.maybe(status.get("in_reply_to_status_id_str")),
        repost_of=r.maybe(r.mapping(status.get("retweeted_status")).get("id_str")),
        language_tag=None if lang == "und" else lang,
        country=r.maybe(place.get("country_code")),
        place_name=r.maybe(place.get("full_name")),
        coordinates=_lat_lon(r.mapping(status.get("coordinates")).get("coordinates")),
        likes=r.count(status.get("favorite_count")),
        reposts=r.count(status.get("retweet_count")),
        links=r.unique(
            r.mapping(u).get("expanded_url")
            for u in r.items(r.mapping(status.get("entities")).get("urls"))
        ),
        raw=dict(status),
    )
