"""From hourly counts to spikes: which series are watched, and what each finding means. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from listener.mention import Spike, moment
from sentiment.spikes import DEFAULT, Detector, Settings, find_in_arrays

HOUR = 3600
EVERYWHERE = "*"  # the series of all regions together, the unknown ones included
HISTORY_DAYS = 42  # six weeks teach the hour-of-week rhythm; older counts change nothing
KINDS = ("negative", "negative share", "volume", "positive")
BEGINNING_HOURS = 6  # how long a beginning is looked at
BEGINNING_BEFORE = 24  # hours of a trickle that come before one
BEGINNING_FACTOR = 10.0  # how many times the trickle every label must become
BEGINNING_POSTS = 5  # of each label, in those hours


@dataclass(frozen=True, slots=True)
class Series:
    """Hourly counts of one brand in one region; arrays have one value an hour from ``first`` on."""

    brand: str
    region: str
    all: np.ndarray[Any, np.dtype[np.float64]]
    negative: np.ndarray[Any, np.dtype[np.float64]]
    positive: np.ndarray[Any, np.dtype[np.float64]]


def last_hour(counted: int, gaps: Mapping[str, Sequence[tuple[int, int]]]) -> int:
    """The last hour (its start) of which something can be said, if only that it is not known.

    ``counted`` is the last hour with posts. Where nothing came since because nothing could be heard,
    the counts go on through the gap: their end would else be taken for the end of what was going on.
    A gap that begins a day later or more hides nothing of it.
    """
    behind = (b - HOUR for spans in gaps.values() for a, b in spans if a <= counted + 24 * HOUR)
    return max([counted, *behind])


def build_series(
    rows: Iterable[Mapping[str, Any]],
    *,
    since: int,
    until: int,
    gaps: Mapping[str, Sequence[tuple[int, int]]] = MappingProxyType({}),
    listening_since: int | None = None,
) -> tuple[int, list[Series]]:
    """Counts (``hour, brand, country, label, posts``) as series for each brand and region.

    A brand's series begins at its first post: before that nobody listened, as far as the store can
    tell, and an hour without rows is "not known". Later hours without rows are zero, unless they
    lie in one of the brand's ``gaps``; an hour with posts that are not judged yet has a known volume
    and unknown feelings. Before ``listening_since`` (None: always) the counts come from exports, and a
    collection may begin in the middle of one: see :func:`collection_begins`. Returns the first hour
    and the series.
    """
    first, last = since - since % HOUR, until - until % HOUR
    ticks = (last - first) // HOUR + 1
    sums: dict[tuple[str, str], np.ndarray[Any, np.dtype[np.float64]]] = {}
    begins: dict[str, int] = {}
    columns = {"negative": 1, "positive": 2, "": 3}  # "" is not judged yet
    for row in rows:
        tick = (int(row["hour"]) - first) // HOUR
        if not 0 <= tick < ticks:
            continue
        brand, country = str(row["brand"]), str(row["country"])
        begins[brand] = min(begins.get(brand, ticks), tick)
        for region in (EVERYWHERE, country) if country else (EVERYWHERE,):
            cell = sums.get((brand, region))
            if cell is None:
                cell = sums[brand, region] = np.zeros((4, ticks))
            cell[0, tick] += row["posts"]
            column = columns.get(str(row["label"]))
            if column is not None:
                cell[column, tick] += row["posts"]
    exported = ticks if listening_since is None else max(0, (listening_since - first) // HOUR)
    for brand, begin in begins.items():
        begins[brand] = begin + collection_begins(sums[brand, EVERYWHERE][:, begin:exported])
    out = []
    for (brand, region), cell in sorted(sums.items()):
        cell[:, : begins[brand]] = np.nan
        for a, b in gaps.get(brand, ()):
            cell[:, max(0, (a - first) // HOUR) : max(0, -(-(b - first) // HOUR))] = np.nan
        # While posts of an hour wait for the model, its complaints are not few but not yet known.
        cell[1:3, cell[3] > 0] = np.nan
        out.append(Series(brand, region, cell[0], cell[1], cell[2]))
    return first, out


def collection_begins(counts: np.ndarray[Any, np.dtype[np.float64]]) -> int:
    """The hour at which a collection began in earnest, 0 when it is whole from its first hour.

    ``counts`` has rows of all, negative and positive posts an hour. An export often holds a trickle
    about a brand (posts that were collected for another) before the day on which its own collection
    starts. Then *every* kind of post is many times as frequent from one hour to the next: complaints,
    praise and small talk alike. A crisis multiplies complaints, and leaves praise where it was, so it
    is not taken for a beginning. What lies before a beginning is not known, not "usual".
    """
    labels = np.stack([counts[1], counts[2], counts[0] - counts[1] - counts[2]])
    before = np.cumsum(labels, axis=1)
    last = counts.shape[1] - BEGINNING_HOURS
    for tick in range(BEGINNING_BEFORE, last + 1):
        trickle = before[:, tick - 1] / tick
        now = labels[:, tick]
        following = before[:, tick + BEGINNING_HOURS - 1] - before[:, tick - 1]
        rates = following / BEGINNING_HOURS
        if (
            (now > BEGINNING_FACTOR * trickle).all()
            and (rates > BEGINNING_FACTOR * trickle).all()
            and (following >= BEGINNING_POSTS).all()
        ):
            return tick
    return 0


def find(
    first: int, series: Sequence[Series], *, open_until: int, settings: Settings = DEFAULT
) -> list[Spike]:
    """Spikes of every kind in every series, false discoveries controlled over all of a kind.

    ``open_until``: a spike that lasts at the end of the counts is still open only when the counts
    reach this hour; otherwise it ends where the counts end.
    """
    found: list[Spike] = []
    if not series:
        return found
    total = np.stack([s.all for s in series], axis=1)
    for kind in KINDS:
        if kind == "volume":
            counts = total
        elif kind == "positive":
            counts = np.stack([s.positive for s in series], axis=1)
        else:
            counts = np.stack([s.negative for s in series], axis=1)
        detector = Detector(HOUR, kind, settings)
        exposure = total if kind == "negative share" else None
        end_of_counts = first + total.shape[0] * HOUR
        for one, findings in zip(
            series, find_in_arrays(detector, first, counts, exposure), strict=True
        ):
            for f in findings:
                end = f.end
                if end is None and end_of_counts < open_until:
                    end = end_of_counts
                found.append(
                    Spike(
                        brand=one.brand,
                        region=one.region,
                        kind=kind,
                        start=moment(f.start),
                        peak=moment(f.peak),
                        end=None if end is None else moment(end),
                        expected=f.expected,
                        observed=f.observed,
                        p_value=f.p_value,
                        severity=f.severity,
                        known=moment(f.found + HOUR) if f.found else None,
                    )
                )
    return found
