"""A fictional brand's two weeks, and what happens next: made-up posts for a first look at everything.

Quendaro (deliveries) and its competitor Fendolu do not exist. Every post carries ``demo=True`` and a
key such as ``x:demo-4f0c…``. The same seed and start give the same posts with the same ids, whenever
they are fetched. What each post was meant to be is known only to :func:`truth`, for tests: the
pipeline matches, judges and places these posts as it does real ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import Field

from listener.collectors import Collector, Coverage, Cursor, Options, Page, Readiness
from listener.collectors.demo_world import DAYS, Crisis, Event, world_of
from listener.errors import ConfigError
from listener.mention import Author, Post, Query, moment

PAGE_SECONDS = 6 * 3600


class DemoOptions(Options):
    """The demo's knobs."""

    seed: int = Field(7, description="Another number gives other posts and other people.")
    start: datetime | None = Field(
        None,
        description="The demo's now: two weeks lie before it, the crisis began 3 hours before it. "
        "By default the first fetch.",
    )
    speed: float = Field(
        1.0,
        gt=0,
        le=60,
        description="How fast the live crisis unfolds: 1 takes hours, 6 tens of minutes.",
    )


class Demo(Collector):
    """Made-up posts about a made-up brand."""

    platform = "demo"
    summary = "Made-up posts about a made-up brand, for a first look"
    options = DemoOptions
    everything = True

    def check(self, queries: Sequence[Query], every_seconds: int) -> Readiness:
        """Always ready: nothing is asked of any platform."""
        return Readiness(True, "made-up posts, no account needed")

    def fetch(self, query: Query, cursor: Cursor | None) -> Iterator[Page]:
        """The posts whose time has come since the cursor, in pages of six hours, oldest first."""
        now = int(self.context.clock().timestamp())
        start = self._start(cursor, now)
        until = int(cursor["until"]) if cursor else start - DAYS * 86_400
        options = self._options
        world = world_of(options.seed, start, options.speed)
        before = until
        while until < now:
            since, until = until, min(until + PAGE_SECONDS, now)
            posts = [self.to_post(e.payload(now)) for e in world.events(since, until)]
            if until >= now and cursor:
                posts += [self.to_post(p) for p in world.grown(before, now)]
            yield Page(
                posts=posts,
                cursor={"start": start, "until": until},
                coverage=Coverage(
                    asked=len(posts),
                    returned=len(posts),
                    requests=0,
                    window_start=moment(since),
                    window_end=moment(until),
                ),
                complete=until >= now,
                threads_read=True,  # the invented world holds back no reply
            )

    @property
    def _options(self) -> DemoOptions:
        options = self.context.options
        return options if isinstance(options, DemoOptions) else DemoOptions()

    def _start(self, cursor: Cursor | None, now: int) -> int:
        if cursor:
            return int(cursor["start"])
        asked = self._options.start
        if asked is None:
            return now // 60 * 60
        if asked.tzinfo is None:
            raise ConfigError(f"the demo's start {asked} has no time zone; write it with a Z")
        return int(asked.timestamp())

    @staticmethod
    def to_post(payload: Mapping[str, Any]) -> Post:
        """A demo payload as a Post. ValueError names the field that is missing."""
        for name in ("platform", "id", "text", "created_at", "author"):
            if not payload.get(name):
                raise ValueError(f"the field {name!r} is missing or empty")
        author = payload["author"]
        if not isinstance(author, Mapping):
            raise ValueError("the field 'author' is no object")
        place = payload.get("coordinates")
        return Post(
            platform=str(payload["platform"]),
            native_id=str(payload["id"]),
            text=str(payload["text"]),
            created_at=datetime.fromisoformat(payload["created_at"]).astimezone(UTC),
            author=Author(
                id=author.get("id"),
                handle=author.get("handle"),
                name=author.get("name"),
                followers=author.get("followers"),
                location=author.get("location"),
                time_zone=author.get("time_zone"),
            ),
            url=payload.get("url"),
            conversation_id=payload.get("conversation_id"),
            reply_to=payload.get("reply_to"),
            repost_of=payload.get("repost_of"),
            language_tag=payload.get("lang"),
            country=payload.get("country"),
            coordinates=(float(place[0]), float(place[1])) if place else None,
            likes=payload.get("likes"),
            replies=payload.get("replies"),
            reposts=payload.get("reposts"),
            views=payload.get("views"),
            demo=True,
            raw=dict(payload),
        )


def truth(
    seed: int, start: datetime, until: datetime, speed: float = 1.0
) -> tuple[dict[str, Event], tuple[Crisis, ...]]:
    """What every post up to ``until`` was meant to be, by key, and the crises. For tests only."""
    world = world_of(seed, int(start.timestamp()), speed)
    first = int((start - timedelta(days=DAYS)).timestamp())
    events = world.events(first, int(until.timestamp()))
    return {e.key: e for e in events}, world.crises_until(int(until.timestamp()))


def demo_config(
    start: datetime | None = None, seed: int = 7, speed: float = 1.0, port: int = 8501
) -> str:
    """The keywords.yaml of the demo. Pass ``start`` so that every query sees the same two weeks;
    ``port`` is where the links of its alerts find the dashboard."""
    when = f"\n    start: {start.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if start else ""
    return CONFIG.format(start=when, seed=seed, speed=speed, port=port)


CONFIG = """\
# The demo's own settings. Quendaro and Fendolu do not exist, and nobody wrote these posts.
# Your own brand goes into a file like this one: `groundswell init` writes it.
brands:
  - name: Quendaro
    names: [Quendaro, クエンダロ, كويندارو, क्वेंडारो, เควนดาโร]
    handles:
      x: [quendaro, quendarohelp]
      bluesky: [quendaro.example]
      mastodon: [quendaro@social.example]
      reddit: [quendaro_official]
    hashtags: [quendaro, quendarofail, quendarodown]
    misspellings: [auto]
    exclude: [Marco Quendaro]
    phrases: {{"parabéns aos envolvidos": negative}}   # irony, which the model takes for praise
    languages: [en, es, pt]   # their ordinary words are no misspellings; each makes a start slower
    competitors: [Fendolu]
regions:
  North America: [US, CA]
  Latin America: [MX, AR, BR, CO, CL]
  Western Europe: [GB, IE, FR, DE, AT, NL, BE]
  Southern Europe: [ES, PT, IT]
  Turkey and Middle East: [TR, AE, SA, EG]
  East Africa: [KE, TZ, UG]
  South Asia: [IN, BD, PK]
  East and Southeast Asia: [JP, ID, TH]
  Oceania: [AU, NZ]
sources:
  - platform: demo
    every: 5s{start}
    seed: {seed}
    speed: {speed}
response:
  time_zone: Europe/Berlin
  hours: {{mon-sun: "07:00-22:00"}}
  targets: {{default: 1h, x: 30m, reddit: 4h, news: 24h}}
alerts:
  dashboard_url: http://127.0.0.1:{port}
  rules:
    - name: everyone
      min_posts: 20
      cooldown: 2h
      channels: [log]
"""
