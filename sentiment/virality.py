"""Which posts are taking off: engagement velocity against what is usual for the author and the brand.

A post's engagements (likes, replies, reposts) per hour since it was written are compared with two
usuals: the median of the author's other posts, and the median of the brand's posts. Half a post's
engagements come in its first hours, so velocities of different ages differ without any news; each is
first brought to the same age with the saturating curve below.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

HALF_LIFE_HOURS = 4.0  # engagements arrive as 1 - 2^(-age / half-life) of what a post ever gets
MINIMUM = 20  # engagements; fewer are noise
TIMES = 5.0  # times the usual of both author and brand
YOUNG_HOURS = 24.0  # older posts have taken off already, or never will
MIN_AGE_HOURS = 0.1


@dataclass(frozen=True, slots=True)
class Engaged:
    """A post's engagement as last read. ``known`` is False where the platform gave no counts."""

    key: str
    author: str | None
    created_at: int
    engagements: int
    followers: int | None = None
    known: bool = True


@dataclass(frozen=True, slots=True)
class Rising:
    """A post that is taking off; velocities in engagements an hour, ``score`` times the usual."""

    key: str
    velocity: float
    usual: float
    score: float
    basis: str  # "author and brand", or "brand" where the author has no other posts


def _share_by(age_hours: float) -> float:
    """The share of all its engagements that a post of this age has usually got."""
    return 1 - math.exp(-age_hours * math.log(2) / HALF_LIFE_HOURS)


def eventual(post: Engaged, now: int) -> float:
    """What the post may get in all, by the share that posts of its age have usually got."""
    age = max((now - post.created_at) / 3600, MIN_AGE_HOURS)
    return post.engagements / _share_by(age)


def taking_off(posts: Sequence[Engaged], now: int) -> list[Rising]:
    """The young posts among ``posts`` (one brand's, two weeks or so) that rise beyond both usuals.

    The fastest first. Posts without engagement counts are neither judged nor part of a usual.
    """
    known = [p for p in posts if p.known and p.created_at <= now]
    if len(known) < 10:
        return []  # nothing to compare with yet
    totals = {p.key: eventual(p, now) for p in known}
    brand = max(median(totals.values()), 1.0)
    by_author: dict[str, list[Engaged]] = {}
    for post in known:
        if post.author:
            by_author.setdefault(post.author, []).append(post)
    found = []
    for post in known:
        age = max((now - post.created_at) / 3600, MIN_AGE_HOURS)
        if age > YOUNG_HOURS or post.engagements < MINIMUM:
            continue
        others = [totals[p.key] for p in by_author.get(post.author or "", ()) if p.key != post.key]
        usual = max([brand, *([median(others)] if others else [])])
        # A count of n is uncertain by about its root: judge by what it is at least.
        least = post.engagements - 1.645 * math.sqrt(post.engagements)
        score = totals[post.key] * (least / post.engagements) / usual
        if score >= TIMES:
            found.append(
                Rising(
                    key=post.key,
                    velocity=post.engagements / age,
                    usual=usual * _share_by(age) / age,
                    score=score,
                    basis="author and brand" if others else "brand",
                )
            )
    return sorted(found, key=lambda r: -r.score)
