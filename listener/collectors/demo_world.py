"""The world behind the demo: who posts, where, when and what. All of it follows from seed and start.

Time is cut into slices of ten minutes; each market's slice has a random generator of its own, so any
stretch of time can be made without making what lies before it. Replies, reposts and copies hang on
the post that caused them, and appear up to a day after it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from listener.collectors.demo_texts import HANDLES, data, wording
from listener.mention import moment

DAYS = 14
SLICE = 600
LONGEST_DELAY = 86_400
BASE_PER_MINUTE = 0.18  # originals of all markets; replies, reposts and copies come on top
# How busy an hour of local time is (mean about 1), and a weekday (Monday first).
HOURS = (
    0.35, 0.2, 0.13, 0.1, 0.1, 0.18, 0.4, 0.75, 1.0, 1.1, 1.15, 1.35,
    1.6, 1.45, 1.15, 1.05, 1.1, 1.3, 1.6, 1.9, 1.85, 1.6, 1.15, 0.7,
)  # fmt: skip
WEEKDAYS = (1.08, 1.02, 1.0, 1.0, 1.1, 0.92, 0.85)
CHECKPOINTS = (600, 1_800, 3_600, 10_800, 21_600)  # ages at which a post's engagement is seen again
PLATFORMS = (("x", 58), ("bluesky", 13), ("mastodon", 8), ("reddit", 15), ("news", 6))
KINDS = (
    ("positive", 27), ("neutral", 25), ("negative", 24), ("ask", 10), ("rival", 4), ("spam", 3),
    ("chatter", 3), ("lookalike", 3), ("ambiguous", 1),
)  # fmt: skip
ANSWERED = {"negative": 0.55, "ask": 0.7, "positive": 0.12, "crisis": 0.16, "neutral": 0.02}


@dataclass(frozen=True, slots=True)
class Crisis:
    """One regional crisis: ``peak`` posts a minute at ``rise`` seconds; it fades after ``hold``."""

    name: str
    country: str
    start: int
    rise: int
    hold: int
    fade: int
    peak: float

    def rate(self, age: float) -> float:
        """Posts a minute when the crisis is ``age`` seconds old."""
        if age < 0:
            return 0.0
        grown = 1 / (1 + math.exp(-7 * (age / self.rise - 0.72)))
        over = max(0.0, age - self.rise - self.hold)
        faded = math.exp(-over / self.fade)
        return self.peak * grown * faded if faded > 0.01 else 0.0


@dataclass(frozen=True, slots=True)
class Event:
    """One post to be: ``kind`` and ``label`` are the truth about it, the rest goes into its payload."""

    id: str
    platform: str
    market: str
    language: str
    kind: str
    label: str
    created: int
    text: str
    author: Mapping[str, Any]
    crisis: str | None = None
    final_likes: int = 0
    root: str | None = None
    reply_to: str | None = None
    repost_of: str | None = None
    theme: str | None = None
    coordinates: tuple[float, float] | None = None
    tagged: bool = False

    @property
    def key(self) -> str:
        return f"{self.platform}:{self.id}"

    def payload(self, seen: int) -> dict[str, Any]:
        """The post as if fetched at ``seen``; likes and views have grown to what they are by then."""
        grown = 1 - math.exp(-max(0, seen - self.created) / 5_400)
        likes = round(self.final_likes * grown)
        found: dict[str, Any] = {
            "demo": True,
            "id": self.id,
            "platform": self.platform,
            "text": self.text,
            "created_at": moment(self.created).isoformat(),
            "lang": self.language if self.platform in ("x", "bluesky", "mastodon") else None,
            "author": dict(self.author),
            "url": f"https://demo.example/{self.platform}/{self.id}",
            "conversation_id": self.root or self.id,
            "reply_to": self.reply_to,
            "repost_of": self.repost_of,
            "likes": likes,
            "replies": likes // 9,
            "reposts": likes // 5,
            "views": likes * 37 + 20,
            "country": self.market if self.tagged else None,
            "coordinates": list(self.coordinates) if self.coordinates else None,
        }
        return {key: value for key, value in found.items() if value is not None}


def poisson(rng: Random, mean: float) -> int:
    """A Poisson count (Knuth); large means are halved first."""
    if mean > 30:
        return poisson(rng, mean / 2) + poisson(rng, mean / 2)
    limit, count, product = math.exp(-mean), 0, rng.random()
    while product > limit:
        count += 1
        product *= rng.random()
    return count


def choose(rng: Random, weighted: Any) -> str:
    """One of (name, weight) pairs, or of a mapping of weights."""
    pairs = list(weighted.items()) if isinstance(weighted, Mapping) else list(weighted)
    return str(rng.choices([p[0] for p in pairs], [p[1] for p in pairs])[0])


class World:
    """All posts of one seed and start. ``speed`` hastens what happens after ``start``."""

    def __init__(self, seed: int, start: int, speed: float = 1.0) -> None:
        self.seed, self.start, self.speed = seed, start, speed
        self.texts, world = data()
        self.markets: dict[str, Any] = world["markets"]
        self.people: dict[str, Any] = world
        self._weights = sum(m["weight"] for m in self.markets.values())
        self._zones = {code: [ZoneInfo(z) for z in m["zones"]] for code, m in self.markets.items()}
        self._made: dict[int, list[Event]] = {}

    def crises_until(self, until: int) -> tuple[Crisis, ...]:
        """The one that ended nine days ago, the one under way, then another every 26 hours."""
        nine_days_ago = (self.start - 9 * 86_400) // 86_400 * 86_400
        found = [
            Crisis("double charges", "DE", nine_days_ago + 6 * 3600, 10_800, 14_400, 5_400, 1.0),
            Crisis("outage", "BR", self.start - 11_100, 14_000, 5_400, 3_600, 27.0),
        ]
        later, countries = self.start + 26 * 3600, ("MX", "GB", "ID", "FR", "TR", "BR")
        while later <= until:
            country = countries[(len(found) - 2) % len(countries)]
            found.append(Crisis("outage", country, later, 9_000, 5_400, 3_600, 6.0))
            later += 26 * 3600
        return tuple(found)

    def grown(self, since: int, now: int) -> Iterator[dict[str, Any]]:
        """Posts seen at ``since`` or before that many have liked, as they stand at ``now``."""
        first = max(since - CHECKPOINTS[-1], self.start - DAYS * 86_400)
        for event in self.events(first, since):
            if event.final_likes >= 15 and any(
                since < event.created + age <= now for age in CHECKPOINTS
            ):
                yield event.payload(now)

    def events(self, since: int, until: int) -> list[Event]:
        """Everything posted in (since, until], oldest first."""
        oldest = max(since - LONGEST_DELAY, self.start - DAYS * 86_400)
        found = [
            event
            for slot in range(oldest // SLICE, until // SLICE + 1)
            for event in self._slice(slot)
            if since < event.created <= until
        ]
        return sorted(found, key=lambda e: (e.created, e.id))

    def _slice(self, slot: int) -> list[Event]:
        if slot not in self._made:
            if len(self._made) > 3_000:
                self._made.clear()
            made: list[Event] = []
            crises = self.crises_until((slot + 1) * SLICE)
            counts = Random(f"{self.seed}:{self.start}:{slot}")
            for code in self.markets:
                made.extend(self._market_slice(slot, code, crises, counts))
            self._made[slot] = made
        return self._made[slot]

    def _market_slice(
        self, slot: int, code: str, crises: tuple[Crisis, ...], counts: Random
    ) -> Iterator[Event]:
        """How many posts comes from the slice's generator; each post has one of its own."""
        middle = slot * SLICE + SLICE // 2
        market = self.markets[code]
        local = datetime.fromtimestamp(middle, self._zones[code][0])
        usual = HOURS[local.hour] * WEEKDAYS[local.weekday()]
        share = market["weight"] / self._weights
        number = 0
        for _ in range(poisson(counts, BASE_PER_MINUTE * SLICE / 60 * share * usual)):
            number += 1
            yield from self._post(slot, code, number, None)
        for crisis in crises:
            if crisis.country != code:
                continue
            age = self._age(crisis, middle)
            rate = crisis.rate(age) * (0.7 + 0.3 * min(1.3, usual))
            for _ in range(poisson(counts, rate * SLICE / 60)):
                number += 1
                yield from self._post(slot, code, number, crisis, age > crisis.rise + crisis.hold)

    def _age(self, crisis: Crisis, now: int) -> float:
        """How old a crisis is on its own clock, which ``speed`` hastens once the demo is live."""
        if now <= self.start or crisis.start > self.start:
            return now - crisis.start
        return self.start - crisis.start + (now - self.start) * self.speed

    def _post(
        self, slot: int, code: str, number: int, crisis: Crisis | None, fading: bool = False
    ) -> Iterator[Event]:
        """A post, and what it sets off."""
        rng = Random(f"{self.seed}:{self.start}:{slot}:{code}:{number}")
        market = self.markets[code]
        language = choose(rng, market["languages"])
        kind = "crisis" if crisis else choose(rng, KINDS)
        if crisis and rng.random() < (0.3 if fading else 0.03):
            kind = "relief" if "relief" in self.texts[language] else "neutral"
        if kind in (edges := self.texts["edges"]) and language not in edges[kind]:
            kind = "neutral"
        platform = choose(rng, PLATFORMS)
        if platform == "news" and kind != "neutral":
            platform = "x"
        text, label, theme = wording(rng, market, language, kind, platform)
        author = self._author(rng, code) if platform != "news" else self._paper(rng, code)
        weight = math.log10((author.get("followers") or 10) + 10)
        root = Event(
            id=self._id(slot, code, number),
            platform=platform,
            market=code,
            language=language,
            kind=kind,
            label=label,
            created=slot * SLICE + rng.randrange(SLICE),
            text=text,
            author=author,
            crisis=crisis.name if crisis else None,
            final_likes=int(rng.lognormvariate(0.2, 1.3) * weight * (2.5 if crisis else 1)),
            theme=theme,
            tagged=rng.random() < 0.07 and platform == "x",
            coordinates=self._near(rng, market) if rng.random() < 0.03 else None,
        )
        yield root
        yield from self._echoes(rng, root)
        yield from self._answers(rng, root)

    def _id(self, *parts: object) -> str:
        said = ":".join(str(p) for p in (self.seed, self.start, *parts))
        return "demo-" + hashlib.blake2b(said.encode(), digest_size=6).hexdigest()

    def _author(self, rng: Random, code: str) -> dict[str, Any]:
        """One of this market's some 150 people, always the same for the same number."""
        number = min(rng.randrange(150), rng.randrange(150))  # some people post more than others
        own = Random(f"{self.seed}:author:{code}:{number}")
        parts, market = self.people, self.markets[code]
        handle = "".join(own.choices(parts["syllables"], k=own.choice((3, 4))))
        zone = own.choice(market["zones"])
        place = own.choice(market["places"]).format(c=own.choice(market["cities"])[0])
        if own.random() < 0.3:
            place = own.choice(parts["nowhere"])
        return {
            "id": f"demo-{code.lower()}-{number}",
            "handle": handle + own.choice(("", "", "_", "x")) + str(own.randint(10, 9999)),
            "name": f"{own.choice(parts['first_names'])} {own.choice(parts['last_names'])}",
            "followers": int(own.lognormvariate(5.2, 1.6)),
            "location": place or None,
            "time_zone": zone if own.random() < 0.2 else None,
        }

    def _paper(self, rng: Random, code: str) -> dict[str, Any]:
        town = rng.choice(self.markets[code]["cities"])[0]
        name = f"{town} {rng.choice(('Courier', 'Post', 'Daily', '24'))} (demo)"
        return {"id": f"demo-paper-{name}", "handle": None, "name": name, "location": town}

    @staticmethod
    def _near(rng: Random, market: Mapping[str, Any]) -> tuple[float, float]:
        _, lat, lon = rng.choice(market["cities"])
        return round(lat + rng.uniform(-0.08, 0.08), 4), round(lon + rng.uniform(-0.08, 0.08), 4)

    def _echoes(self, rng: Random, root: Event) -> Iterator[Event]:
        """Reposts, and near-copies by others."""
        if root.kind in ("chatter", "lookalike", "ask") or root.platform not in ("x", "bluesky"):
            return
        copies = 0
        if rng.random() < (0.06 if root.crisis is None else 0.08):
            copies = rng.randint(1, 5)
        for number in range(copies):
            author = self._author(rng, root.market)
            said = f"RT @{root.author['handle']}: {root.text}"
            yield replace(
                root,
                id=f"{root.id}-r{number}",
                created=root.created + int(rng.expovariate(1 / 2_400)) % LONGEST_DELAY + 5,
                text=said if root.platform == "x" else root.text,
                author=author,
                final_likes=0,
                repost_of=root.id,
                coordinates=None,
                tagged=False,
            )
        if root.kind == "spam" or rng.random() < 0.015:
            for number in range(rng.randint(1, 4)):
                change = rng.choice((" !!", " 👀", " pls share", " …", ""))
                yield replace(
                    root,
                    id=f"{root.id}-c{number}",
                    created=root.created + rng.randint(30, 3_000),
                    text=root.text + change,
                    author=self._author(rng, root.market),
                    final_likes=rng.randint(0, 4),
                    coordinates=None,
                    tagged=False,
                )

    def _answers(self, rng: Random, root: Event) -> Iterator[Event]:
        """The brand's reply to some, after a delay that nights make longer."""
        chance = ANSWERED.get(root.kind, 0.0) * (0.6 if root.market in ("TR", "ID", "KE") else 1.0)
        if root.platform not in HANDLES or rng.random() > chance:
            return
        delay = int(rng.lognormvariate(math.log(2_100), 0.9)) + 60
        local = datetime.fromtimestamp(root.created + delay, self._zones[root.market][0])
        if local.hour < 8:
            delay += (8 - local.hour) * 3600
        elif local.hour >= 22:
            delay += (32 - local.hour) * 3600
        if delay >= LONGEST_DELAY:
            return
        texts = self.texts[root.language]
        choices = texts["reply"]
        if root.kind == "crisis" and "reply_crisis" in texts:
            choices = texts["reply_crisis"]
        elif root.kind == "positive":
            choices = choices[-1:]
        elif root.kind == "ask":
            choices = choices[2:3] if len(choices) > 3 else choices[1:2]
        else:
            choices = choices[:-1]
        handle = HANDLES[root.platform]
        if root.platform == "x" and rng.random() < 0.7:
            handle = "quendarohelp"
        yield replace(
            root,
            id=f"{root.id}-a",
            kind="reply",
            label="neutral",
            created=root.created + delay,
            text=rng.choice(choices).format(u=root.author["handle"]),
            author={
                "id": f"demo-{handle}",
                "handle": handle,
                "name": "Quendaro",
                "followers": 48_200,
            },
            final_likes=rng.randint(0, 3),
            root=root.id,
            reply_to=root.id,
            theme=None,
            coordinates=None,
            tagged=False,
        )


@lru_cache(2)
def world_of(seed: int, start: int, speed: float) -> World:
    """The same world for the same arguments; a poll every few seconds reuses the slices it made."""
    return World(seed, start, speed)
