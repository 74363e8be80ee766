"""What the columns of an export mean: guessed from their heads and a sample of values; and how a
cell becomes a number, a place or a flag. Pure: no file is opened here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from listener.collectors.dates import majority, without_zone

# The order is the order of the tuple of cells that a row is cut into.
FIELDS = (
    "id", "text", "created", "author_id", "author_handle", "author_name", "followers", "location",
    "time_zone", "url", "conversation", "reply_to", "repost_of", "language", "country",
    "coordinates", "lat", "lon", "place", "likes", "replies", "reposts", "views", "platform",
    "inbound", "title",
)  # fmt: skip

# Heads by field, best first; heads are compared after `plain()`. "a.b" asks for a nested key.
HEADS: dict[str, tuple[str, ...]] = {
    "id": (
        "tweet_id", "post_id", "status_id", "message_id", "comment_id", "mention_id", "native_id",
        "id_str", "uri", "id", "resource_id", "document_id", "item_id", "external_id", "guid",
        "permalink_id", "tweetid", "uuid",
    ),
    "text": (
        "full_text", "text", "tweet_text", "message", "post_text", "content", "body", "record.text",
        "post", "post_message", "post_content", "tweet", "mention_text", "comment", "comment_text",
        "review", "review_text", "caption", "selftext", "description", "snippet", "hit_sentence",
        "mention_content", "status", "title",
    ),
    "created": (
        "created_at", "tweet_created", "created", "record.created_at", "timestamp", "created_time",
        "created_utc", "published_at", "published", "publish_date", "date_published",
        "publication_date", "post_date", "posted_at", "date_time", "datetime", "date",
        "created_on", "date_created", "time", "post_time", "date_utc", "sent_time", "tweeted_at",
        "publishing_date", "post_created", "indexed_at", "time_us",
    ),
    "author_id": (
        "author_id", "user_id", "author.id", "account.id", "user.id_str", "user.id", "author.did",
        "from_user_id", "sender_id", "profile_id", "did", "from.id",
    ),
    "author_handle": (
        "author_handle", "author.username", "author.handle", "account.acct", "account.username",
        "user.screen_name", "user_screen_name", "screen_name", "username", "user_username",
        "handle", "user_handle", "author_username", "twitter_screen_name", "influencer",
        "from_user", "sender_screen_name", "author_screen_name", "sender_handle", "user.username",
    ),
    "author_name": (
        "author_name", "author.name", "author.display_name", "account.display_name", "user.name",
        "display_name", "user_display_name", "author_full_name", "full_name", "user_name",
        "from.name", "sender_name", "profile_name", "author", "name", "user", "from", "sender",
        "profile",
    ),
    "followers": (
        "followers", "followers_count", "author.public_metrics.followers_count",
        "account.followers_count", "user.followers_count", "author_followers", "user_followers",
        "author_followers_count", "twitter_followers", "follower_count", "x_followers",
        "user_followers_count", "number_of_followers", "sender_followers_count",
    ),
    "location": (
        "tweet_location", "user_location", "author_location", "author.location", "user.location",
        "location", "profile_location", "account.location", "location_name",
    ),
    "time_zone": ("user_timezone", "user_time_zone", "user.time_zone", "author_time_zone"),
    "url": (
        "url", "permalink", "post_url", "tweet_url", "link", "post_link", "mention_url", "web_url",
        "permalink_url", "original_url", "post_permalink",
    ),
    "conversation": (
        "conversation_id", "thread_id", "conversation", "record.reply.root.uri", "link_id",
        "thread_url", "ticket_id",
    ),
    "reply_to": (
        "in_response_to_tweet_id", "in_reply_to_status_id_str", "in_reply_to_status_id",
        "in_reply_to_id", "in_reply_to", "reply_to", "reply_to_id", "parent_id",
        "record.reply.parent.uri", "parent", "in_reply_to_tweet_id", "parent_post_id",
        "replied_to_id", "referenced_tweets.replied_to.id",
    ),
    "repost_of": (
        "retweeted_status_id", "retweeted_status.id_str", "retweeted_status_id_str", "reblog.id",
        "repost_of", "retweet_of", "referenced_tweets.retweeted.id",
    ),
    "language": (
        "lang", "language", "language_code", "record.langs.0", "langs.0", "tweet_lang",
        "detected_language", "post_language",
    ),
    "country": (
        "country_code", "geo.country_code", "place.country_code", "country", "country_name",
        "post_country",
    ),
    "coordinates": (
        "tweet_coord", "coordinates", "coord", "geo.coordinates.coordinates",
        "coordinates.coordinates", "geo_coordinates", "lat_long", "latlong", "lat_lon", "geo",
    ),
    "lat": ("lat", "latitude", "geo_lat", "post_latitude"),
    "lon": ("lon", "lng", "long", "longitude", "geo_long", "geo_lon", "post_longitude"),
    "place": (
        "place_name", "geo.full_name", "place.full_name", "place", "city", "place_full_name",
        "full_place",
    ),
    "likes": (
        "like_count", "likes", "public_metrics.like_count", "favorite_count", "favourites_count",
        "favorites", "favorites_count", "favourite_count", "likes_count", "twitter_likes",
        "x_likes", "score", "ups", "reactions", "facebook_likes", "instagram_likes",
    ),
    "replies": (
        "reply_count", "replies", "public_metrics.reply_count", "replies_count", "num_comments",
        "comments", "comment_count", "comments_count", "twitter_replies", "facebook_comments",
    ),
    "reposts": (
        "retweet_count", "repost_count", "public_metrics.retweet_count", "retweets", "reposts",
        "reblogs_count", "shares", "share_count", "shares_count", "twitter_retweets", "x_reposts",
        "facebook_shares", "retweets_count",
    ),
    "views": (
        "view_count", "views", "public_metrics.impression_count", "impression_count",
        "impressions", "views_count",
    ),
    "platform": (
        "platform", "network", "social_network", "page_type", "content_source_name", "source_type",
        "media_type", "channel", "content_source", "network_name", "site", "source",
    ),
    "inbound": ("inbound", "incoming", "direction", "is_inbound", "message_direction"),
    "title": ("title", "post_title", "article_title", "headline", "subject"),
}  # fmt: skip

PLATFORMS = {
    "twitter": "x", "x": "x", "x (twitter)": "x", "twitter / x": "x", "twitter.com": "x",
    "x.com": "x", "x (formerly twitter)": "x", "tweet": "x", "tweets": "x",
    "bluesky": "bluesky", "bsky": "bluesky", "bsky.app": "bluesky", "mastodon": "mastodon",
    "reddit": "reddit", "reddit.com": "reddit", "old.reddit.com": "reddit",
    "hackernews": "hackernews", "hacker news": "hackernews",
    "news.ycombinator.com": "hackernews", "youtube": "youtube", "youtube.com": "youtube",
    "facebook": "facebook", "facebook.com": "facebook", "fb": "facebook",
    "facebook public": "facebook", "instagram": "instagram", "instagram.com": "instagram",
    "instagram public": "instagram", "threads": "threads", "threads.net": "threads",
    "tiktok": "tiktok", "tiktok.com": "tiktok", "linkedin": "linkedin",
    "linkedin.com": "linkedin", "telegram": "telegram", "tumblr": "tumblr", "blog": "blog",
    "blogs": "blog", "news": "news", "online news": "news", "forum": "forum", "forums": "forum",
    "review": "review", "reviews": "review", "quora": "quora", "pinterest": "pinterest",
    "rss": "rss", "discord": "discord", "vk": "vk", "whatsapp": "whatsapp",
}  # fmt: skip

LANGUAGES = {
    "english": "en", "spanish": "es", "portuguese": "pt", "french": "fr", "german": "de",
    "italian": "it", "arabic": "ar", "hindi": "hi", "japanese": "ja", "indonesian": "id",
    "thai": "th", "turkish": "tr", "swahili": "sw", "dutch": "nl", "polish": "pl",
    "russian": "ru", "chinese": "zh", "korean": "ko", "vietnamese": "vi", "bengali": "bn",
    "nepali": "ne", "amharic": "am", "hausa": "ha", "igbo": "ig", "yoruba": "yo", "malay": "ms",
    "swedish": "sv", "norwegian": "no", "danish": "da", "finnish": "fi", "greek": "el",
    "czech": "cs", "romanian": "ro", "hungarian": "hu", "ukrainian": "uk", "hebrew": "he",
    "persian": "fa", "urdu": "ur", "tamil": "ta", "telugu": "te", "tagalog": "tl",
    "filipino": "tl", "catalan": "ca", "javanese": "jv", "sundanese": "su",
}  # fmt: skip


# Heads of times at which an account was made, which is long before it posts.
OF_THE_AUTHOR = re.compile(
    r"(account|user|author|profile|page|member).*(creat|since)|join|regist|birth"
)


def plain(head: str) -> str:
    """``Full Text`` → ``full_text``, ``createdAt`` → ``created_at``; dots of nested keys stay."""
    spread = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", head.strip())
    return re.sub(r"[^a-z0-9.]+", "_", spread.lower().replace("[", ".")).strip("_.")


def unique(heads: Sequence[str]) -> tuple[str, ...]:
    """Heads as column names: an empty one is ``column 3``, a repeated one ``name (2)``."""
    names: dict[str, None] = {}  # in order, and found at once: broken files have 100,000 heads
    counts: dict[str, int] = {}
    for position, head in enumerate(heads, 1):
        base = head.strip().strip("\ufeff") or f"column {position}"
        name = base
        while name in names:
            counts[base] = counts.get(base, 1) + 1
            name = f"{base} ({counts[base]})"
        names[name] = None
    return tuple(names)


def recognised(heads: Sequence[str]) -> int:
    """How many of these cells are heads that we know; tells a head row from a data row."""
    known = {head for heads_ in HEADS.values() for head in heads_}
    return sum(plain(head) in known for head in heads)


def _fits(field: str, values: Sequence[str]) -> bool:
    """Whether a column's sample can be that field; an empty sample refutes nothing but text."""
    filled = [v.strip() for v in values if v.strip()]
    if not filled:
        return field not in ("text", "created")
    if field == "created":
        # Times in a zone that we do not know are times: no other column is taken in their place.
        kind, share = majority(map(without_zone, filled[:50]))
        return kind is not None and share >= 0.5
    if field == "platform":
        known = sum(v.lower() in PLATFORMS for v in filled)
        return known / len(filled) >= 0.5
    if field in ("likes", "replies", "reposts", "views", "followers"):
        return sum(count(v) is not None for v in filled) / len(filled) >= 0.8
    if field == "inbound":
        return sum(flag(v) is not None for v in filled) / len(filled) >= 0.8
    if field == "coordinates":
        return any(pair(v) is not None for v in filled)
    if field in ("lat", "lon"):
        return sum(decimal(v) is not None for v in filled) / len(filled) >= 0.8
    if field in ("text", "author_name", "location", "country", "place", "title"):
        return not all(v.startswith(("{", "[{")) for v in filled)
    if field == "conversation":
        return not any(" " in v for v in filled)
    return True


def guess(columns: Sequence[str], samples: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Field → column. Heads decide, values refute; a missing time or text is sought by values."""
    plains = {column: plain(column) for column in columns}
    found: dict[str, str] = {}
    taken: set[str] = set()
    for field in FIELDS:
        for head in HEADS[field]:
            hit = next(
                (
                    c
                    for c in columns
                    if c not in taken and plains[c] == head and _fits(field, samples.get(c, ()))
                ),
                None,
            )
            if hit is not None:
                found[field] = hit
                if field != "title":  # it only stands in, and keeps no column from being the text
                    taken.add(hit)
                break
    if "created" not in found:
        for column in columns:
            values = [v for v in samples.get(column, ()) if v.strip()][:50]
            kind, share = majority(values)
            told = column not in taken and not OF_THE_AUTHOR.search(plains[column])
            if told and kind not in (None, "number", "serial", "compact") and share >= 0.9:
                found["created"] = column
                taken.add(column)
                break
    if "text" not in found:
        found.update(_longest(columns, samples, taken))
    _settle_author(found, plains, samples)
    _join_time(found, columns, plains, samples)
    _join_title(found, plains)
    if found.get("title") in (found.get("text", ""), *found.get("text", "").split("+")):
        del found["title"]
    return found


def _longest(
    columns: Sequence[str], samples: Mapping[str, Sequence[str]], taken: set[str]
) -> dict[str, str]:
    """The column that reads like sentences: the longest mean length, with blanks in most values."""
    best, length = None, 20.0
    for column in columns:
        values = [v for v in samples.get(column, ()) if v.strip()]
        if column in taken or not values:
            continue
        mean = sum(map(len, values)) / len(values)
        blanks = sum(" " in v.strip() for v in values) / len(values)
        if mean > length and blanks > 0.7 and not values[0].startswith(("{", "[", "http")):
            best, length = column, mean
    return {"text": best} if best else {}


def _settle_author(
    found: dict[str, str], plains: Mapping[str, str], samples: Mapping[str, Sequence[str]]
) -> None:
    """A bare ``name`` or ``author`` whose values are all handles is the handle."""
    if "author_handle" in found:
        return
    for column, head in plains.items():
        values = [v.strip() for v in samples.get(column, ()) if v.strip()]
        if (
            head in ("author", "name", "user", "user_name", "from", "sender", "profile")
            and (column == found.get("author_name") or column not in found.values())
            and values
            and all(re.fullmatch(r"@?[\w.\-]{1,40}(@[\w.\-]+)?", v) for v in values)
        ):
            found["author_handle"] = column
            if found.get("author_name") == column:
                del found["author_name"]
            return


def _join_time(
    found: dict[str, str],
    columns: Sequence[str],
    plains: Mapping[str, str],
    samples: Mapping[str, Sequence[str]],
) -> None:
    """A day in ``Date`` and its hour in ``Time`` are read together, as ``Date+Time``."""
    day = found.get("created")
    if day is None or any(":" in v for v in samples.get(day, ())):
        return
    for column in columns:
        values = [v.strip() for v in samples.get(column, ()) if v.strip()]
        if (
            plains[column] in ("time", "hour", "post_time", "time_of_day", "time_utc")
            and values
            and all(re.match(r"\d{1,2}:\d\d", v) for v in values)
        ):
            found["created"] = f"{day}+{column}"
            return


def _join_title(found: dict[str, str], plains: Mapping[str, str]) -> None:
    """A Reddit submission's words are its title and its text."""
    text = found.get("text")
    title = next((c for c, p in plains.items() if p == "title"), None)
    if text is not None and title is not None and plains[text] == "selftext":
        found["text"] = f"{title}+{text}"


def count(text: str) -> int | None:
    """``1,234`` · ``1.2K`` · ``3.0`` as a whole number; None when it is none."""
    if text.isdecimal():
        return int(text)
    if not text:
        return None
    found = re.fullmatch(r"\s*(\d[\d,\u202f\u00a0 ]*(?:\.\d+)?)\s*([kKmM]?)\s*", text)
    if found is None:
        return None
    value = float(re.sub(r"[^\d.]", "", found[1]))
    return int(value * {"": 1, "k": 1_000, "m": 1_000_000}[found[2].lower()])


def decimal(text: str) -> float | None:
    """A coordinate as a float; a decimal comma is taken."""
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        return None


def flag(text: str) -> bool | None:
    """Whether an ``inbound`` cell says that a customer wrote the post."""
    return {
        "true": True, "1": True, "1.0": True, "yes": True, "inbound": True, "incoming": True,
        "in": True, "received": True, "t": True,
        "false": False, "0": False, "0.0": False, "no": False, "outbound": False, "f": False,
        "outgoing": False, "out": False, "sent": False, "published": False,
    }.get(text.strip().lower())  # fmt: skip


def point(lat: float | None, lon: float | None) -> tuple[float, float] | None:
    """(lat, lon) in degrees; None when out of range, or (0, 0), which exports write for "none"."""
    if lat is None or lon is None or not (-90 <= lat <= 90 and -180 <= lon <= 180):
        return None
    return None if lat == 0 and lon == 0 else (lat, lon)


def pair(text: str, lon_first: bool = False) -> tuple[float, float] | None:
    """``[40.7, -74.0]``, ``40.7,-74.0`` as (lat, lon); GeoJSON writes the longitude first."""
    numbers = re.findall(r"-?\d+(?:\.\d+)?", text)
    if len(numbers) != 2:
        return None
    first, second = float(numbers[0]), float(numbers[1])
    return point(second, first) if lon_first else point(first, second)


@lru_cache(4096)
def platform_name(text: str) -> str:
    """A platform cell as the short name that keys start with."""
    lowered = text.strip().lower()
    return PLATFORMS.get(lowered) or re.sub(r"[^a-z0-9]+", "-", lowered).strip("-")[:30]


@lru_cache(4096)
def language_tag(text: str) -> str | None:
    """``en``, ``English``, ``pt-BR`` as a tag; None for "und" and what is no tag."""
    lowered = text.strip().lower()
    if lowered in LANGUAGES:
        return LANGUAGES[lowered]
    if not re.fullmatch(r"[a-z]{2,3}([-_][a-z0-9]{2,8})*", lowered):
        return None
    return None if lowered in ("und", "zxx", "qme", "qht", "qam", "qst", "qct") else lowered


def whole_id(text: str) -> str:
    """An id as text: ``3.0`` (a float column that had gaps) is ``3``; ``nan`` and blanks are none."""
    text = text.strip()
    if text.endswith(".0") and text[:-2].isdigit():
        return text[:-2]
    return "" if text.lower() in ("nan", "none", "null") else text
