"""A small invented store for the dashboard's tests: two brands, fourteen days, a crisis in Germany."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from listener.collectors import Coverage, Page
from listener.mention import Author, Match, Place, Post, Spike, epoch
from listener.store import Store
from listener.store.stages import Score

NOW = datetime(2026, 3, 14, 9, 20, tzinfo=UTC)
DAYS = 14
BRANDS = ("Aurora Air", "Borealis")
PLATFORMS = ("bluesky", "mastodon", "reddit")
COUNTRIES = (
    ("DE", "de", 6),
    ("US", "en", 6),
    ("FR", "fr", 3),
    ("JP", "ja", 3),
    ("BR", "pt", 2),
    ("SG", "en", 1),
    (None, "en", 4),
)
WORDS = {
    "negative": "my flight was cancelled and nobody answers",
    "neutral": "boarding at gate seven",
    "positive": "lovely crew, thank you",
    "unsure": "well that was something",
}
CHANCES = {
    "negative": (0.8, 0.1, 0.1),
    "neutral": (0.1, 0.8, 0.1),
    "positive": (0.1, 0.1, 0.8),
    "unsure": (0.4, 0.3, 0.3),
}
HOSTILE = (
    "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">",
    "![pixel](http://203.0.113.7/pixel.png) [click](javascript:document.title='owned')",
    "\u202eabc reversed \u2066 text \u202d and back",
    "Z" + "\u0335\u0321\u0301\u0316\u0338\u0489" * 60 + "algo",
    "long " * 2500,
    "`code` **bold** $x^2$ :material/home: :red[alert] # heading",
    "</div></div><style>body{display:none}</style><iframe src='http://203.0.113.7/'></iframe>",
    "تأخرت الرحلة مرة أخرى @AuroraAir ولا أحد يجيب",
)
KEYWORDS = """\
brands:
  - name: Aurora Air
    handles: {bluesky: auroraair}
    competitors: [Borealis]
regions:
  Europe: [DE, FR]
  Asia: [JP, SG]
response:
  targets: {default: 1h}
"""


@dataclass(frozen=True)
class Made:
    """A post and what the stages are to find of it."""

    post: Post
    brand: str
    country: str | None
    language: str
    label: str


def fill(
    path: Path,
    *,
    posts: int = 900,
    now: datetime = NOW,
    hostile: Sequence[str] = HOSTILE,
    demo: bool = False,
) -> Store:
    """A store with everything that a page can show. Deterministic."""
    chance = random.Random(7)
    store = Store(path)
    crisis = now - timedelta(hours=9)
    made = [_ordinary(number, chance, now, crisis) for number in range(posts)]
    made += [
        _hostile(posts + i, text, now - timedelta(minutes=2 + i)) for i, text in enumerate(hostile)
    ]
    if demo:
        made = [replace(m, post=replace(m.post, demo=True)) for m in made]
    _save(store, made, now)
    _replies(store, made, now, chance)
    _spikes(store, made, crisis, now)
    store.flag_threads(
        store.touched_threads(100_000),
        [BRANDS[0]],
        lambda _, published: published + 3600,
        epoch(now),
    )
    store.save_failure(
        source="mastodon",
        platform="mastodon",
        query="all",
        reason="503 from the server <b>x</b>",
        now=epoch(now) - 1800,
    )
    store.save_page(  # the monitor that filled this was heard a minute ago
        Page([], {"at": 3}), source="bluesky", platform="bluesky", query="all", matches=[],
        from_brand=[], rules="r1", now=epoch(now) - 60,
    )  # fmt: skip
    return store


def put(store: Store, made: Sequence[Made], now: int, *, threads_read: bool = True) -> None:
    """Keep and count posts of one platform. ``brand`` "" names none; "auroraair" is the brand's own."""
    platform = made[0].post.platform
    store.save_page(
        Page([m.post for m in made], {"at": 1}, threads_read=threads_read),
        source=platform,
        platform=platform,
        query="all",
        matches=[
            [Match(m.brand, m.brand, m.brand.lower(), "name", 0, 4)] if m.brand else []
            for m in made
        ],
        from_brand=[BRANDS[0] if m.post.author.handle == "auroraair" else None for m in made],
        rules="r1",
        now=now,
    )
    named = [m for m in made if m.brand]
    store.save_places(
        [
            (m.post.key, Place(m.country, None, "profile" if m.country else "unknown", 0.9))
            for m in named
        ]
    )
    store.save_scores(
        "test-1",
        [
            Score(m.post.key, m.brand, m.label, *CHANCES[m.label], 0.8, m.language) for m in named
        ],
        now,
    )  # fmt: skip
    store.recount()


def said(
    platform: str, name: str, at: datetime, text: str = "", *, brand: str = BRANDS[0],
    label: str = "neutral", country: str | None = "DE", author: str = "", reply_to: str | None = None,
) -> Made:  # fmt: skip
    """One post for :func:`put`, of Germany and neutral where nothing else is said."""
    who = Author(id=author or f"a{name}", handle=author or f"writer {name}")
    post = Post(platform, name, text or f"{brand}: {name}", at, who, reply_to=reply_to)
    return Made(post, brand, country, "en", label)


def _ordinary(number: int, chance: random.Random, now: datetime, crisis: datetime) -> Made:
    country, language, _ = chance.choices(COUNTRIES, [c[2] for c in COUNTRIES])[0]
    at = now - timedelta(hours=chance.random() * DAYS * 24, minutes=1)
    label = chance.choices(list(WORDS), (3, 4, 3, 1))[0]
    brand = BRANDS[chance.random() < 0.25]
    if number % 9 == 0:  # the crisis: many negative posts from Germany in the last hours
        at = crisis + timedelta(minutes=chance.random() * 8.9 * 60)
        country, language, label, brand = "DE", "de", "negative", BRANDS[0]
    post = Post(
        chance.choice(PLATFORMS),
        f"p{number}",
        f"{brand}: {WORDS[label]} ({number})",
        at,
        Author(id=f"a{number % 90}", handle=f"writer{number % 90}"),
        url=f"https://posts.example/p{number}",
        repost_of=f"p{number - 1}" if number % 17 == 1 else None,
    )
    return Made(post, brand, country, language, label)


def _hostile(number: int, text: str, at: datetime) -> Made:
    author = Author(id=f"h{number}", handle="<b>x</b>", name="![x](http://203.0.113.7/n.png)")
    post = Post("bluesky", f"p{number}", text, at, author, url="javascript:alert(1)")
    return Made(post, BRANDS[0], "US", "en", "negative")


def _save(store: Store, made: list[Made], now: datetime) -> None:
    for platform in PLATFORMS:
        some = [m for m in made if m.post.platform == platform]
        covered = Coverage(
            returned=len(some), window_start=now - timedelta(days=DAYS), window_end=now
        )
        page = Page([m.post for m in some], {"at": 1}, covered, threads_read=platform != "reddit")
        store.save_page(
            page,
            source=platform,
            platform=platform,
            query="all",
            matches=[[Match(m.brand, m.brand, m.brand.lower(), "name", 0, 4)] for m in some],
            from_brand=[None] * len(some),
            rules="r1",
            now=epoch(now) - 3600,
        )
    store.save_places(
        [
            (m.post.key, Place(m.country, None, "profile" if m.country else "unknown", 0.9))
            for m in made
        ]
    )
    judged = made[:-3] if len(made) > 3 else made  # the last three are not judged yet
    scores = [
        Score(m.post.key, m.brand, m.label, *CHANCES[m.label], max(CHANCES[m.label]), m.language)
        for m in judged
    ]
    store.save_scores("test-1", scores, epoch(now))
    store.recount()


def _replies(store: Store, made: list[Made], now: datetime, chance: random.Random) -> None:
    asked = [m.post for m in made if m.brand == BRANDS[0] and chance.random() < 0.5]
    for platform in PLATFORMS:
        answers = [
            Post(
                platform,
                f"r{p.native_id}",
                "We are sorry, please write to us.",
                min(now, p.created_at + timedelta(minutes=5 + chance.random() * 90)),
                Author(handle="auroraair"),
                reply_to=p.native_id,
            )
            for p in asked
            if p.platform == platform
        ]
        store.save_page(
            Page(answers, {"at": 2}, threads_read=platform != "reddit"),
            source=platform,
            platform=platform,
            query="replies",
            matches=[[] for _ in answers],
            from_brand=[BRANDS[0]] * len(answers),
            rules="r1",
            now=epoch(now) - 3000,
        )


def _spikes(store: Store, made: list[Made], crisis: datetime, now: datetime) -> None:
    behind = [m.post.key for m in made if m.country == "DE" and m.post.created_at >= crisis]
    start = crisis.replace(minute=0)
    old = start - timedelta(days=5)
    hour = timedelta(hours=1)
    many = float(len(behind))
    store.save_spikes(
        [
            Spike(
                BRANDS[0],
                "DE",
                "negative",
                start,
                start + 4 * hour,
                None,
                6.0,
                many,
                1e-9,
                9.0,
                tuple(behind),
            ),
            Spike(
                BRANDS[0],
                "*",
                "volume",
                old,
                old + 2 * hour,
                old + 5 * hour,
                12.0,
                31.0,
                1e-4,
                3.0,
                tuple(behind[:5]),
            ),
        ],
        epoch(now),
    )
