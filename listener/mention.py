"""The nouns everyone shares. All are frozen; times are aware UTC; None is "not known", never zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

Label = Literal["negative", "neutral", "positive", "unsure"]
ThreadState = Literal["answered", "unanswered", "unknown"]


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote a post, as the platform tells it. ``location`` and ``time_zone`` are profile text."""

    id: str | None = None
    handle: str | None = None
    name: str | None = None
    followers: int | None = None
    location: str | None = None
    time_zone: str | None = None


@dataclass(frozen=True, slots=True)
class Post:
    """One post of a platform. ``native_id`` is the platform's own id; ``key`` is unique everywhere.

    ``conversation_id``, ``reply_to`` and ``repost_of`` are native ids on the same platform.
    ``country`` is an ISO alpha-2 code that the platform itself tagged; ``coordinates`` is (lat, lon)
    in degrees. ``raw`` is the payload as received, kept for later questions. ``incoming`` is what an
    export says of the direction: True from a customer, False from the brand, None when not said.
    """

    platform: str
    native_id: str
    text: str
    created_at: datetime
    author: Author = Author()
    url: str | None = None
    conversation_id: str | None = None
    reply_to: str | None = None
    repost_of: str | None = None
    language_tag: str | None = None
    country: str | None = None
    coordinates: tuple[float, float] | None = None
    place_name: str | None = None
    likes: int | None = None
    replies: int | None = None
    reposts: int | None = None
    views: int | None = None
    links: tuple[str, ...] = ()
    edited_at: datetime | None = None
    incoming: bool | None = None
    demo: bool = False
    raw: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """``platform:native_id``, the post's identity in the store."""
        return f"{self.platform}:{self.native_id}"


@dataclass(frozen=True, slots=True)
class Match:
    """Which keyword of which brand a post holds, in which spelling, and where.

    ``text[start:end]`` is what matched; ``variant`` is the spelling that was looked for; ``kind`` is
    "name", "handle", "hashtag", "link", "context" or a kind of misspelling; ``score`` is in 0..1.
    """

    brand: str
    keyword: str
    variant: str
    kind: str
    start: int
    end: int
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a post comes from. ``country`` is ISO alpha-2 or None for unknown.

    ``region`` is a first-level division (a state, a province) where it is clear. ``basis`` is
    "tagged", "coordinates", "profile", "time zone", "language" or "unknown".
    """

    country: str | None = None
    region: str | None = None
    basis: str = "unknown"
    confidence: float = 0.0


UNKNOWN_PLACE = Place()


@dataclass(frozen=True, slots=True)
class Query:
    """What a collector is asked for: words, handles and hashtags of one or more brands.

    ``terms`` are in order of weight, so that a platform with short queries drops the last ones first.
    ``context`` are words of which one must stand beside an ambiguous term, where the platform's
    search can ask for that. ``name`` is "kind:label" and keys the cursor: it must not change.
    """

    name: str
    brands: tuple[str, ...]
    terms: tuple[str, ...]
    handles: tuple[str, ...] = ()
    hashtags: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    context: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Spike:
    """A stretch of time in which a series left its usual range. Times are the starts of buckets.

    ``known`` is when the counts first told of it, however late anybody looked; None where not known.
    """

    brand: str
    region: str
    kind: str
    start: datetime
    peak: datetime
    end: datetime | None
    expected: float
    observed: float
    p_value: float
    severity: float
    evidence: tuple[str, ...] = ()
    known: datetime | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A mention that may need an answer. Clocks run from ``published_at`` and ``collected_at``."""

    key: str
    brand: str
    state: str
    published_at: datetime
    collected_at: datetime
    due_at: datetime | None
    owner: str | None = None
    answered_at: datetime | None = None
    answered_by: str | None = None
    thread: ThreadState = "unknown"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer on its way out: the case it answers, the text, and the remote id once it is sent."""

    key: str
    brand: str
    text: str
    author: str
    state: Literal["draft", "sending", "sent", "failed"]
    remote_id: str | None = None


def epoch(moment: datetime) -> int:
    """Whole seconds since 1970 of an aware time; the store keeps nothing finer."""
    return int(moment.timestamp())


def moment(seconds: float) -> datetime:
    """The aware UTC time of epoch seconds."""
    return datetime.fromtimestamp(seconds, UTC)
