"""Numbers on a page: rows of counts in, figures out. Pure.

Net sentiment is (positive − negative) / (positive + neutral + negative): posts the model was unsure of,
and posts nobody judged yet, are in the volume and are told apart, but are in no share.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from listener.kpi import median as median
from listener.kpi import wilson

HOUR = 3600
DAY = 24 * HOUR
WEEK = 7 * DAY
MIN_JUDGED = 20  # below this a share is noise: it gets no colour and says "too few"
MIN_WEEKS = 3  # so many earlier weeks make a usual of the same hour of the week …
MIN_DAYS = 4  # … else so many earlier days make a usual of the same hour of the day
HISTORY_WEEKS = 6
HISTORY_DAYS = 14
LABELS = ("negative", "neutral", "positive", "unsure", "")  # "" is "not judged yet"

Floats = npt.NDArray[np.float64]
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tally:
    """Posts by label. ``copies`` are the reposts and near-duplicates among ``posts``."""

    negative: int = 0
    neutral: int = 0
    positive: int = 0
    unsure: int = 0
    unjudged: int = 0
    copies: int = 0

    @property
    def posts(self) -> int:
        return self.negative + self.neutral + self.positive + self.unsure + self.unjudged

    @property
    def unique(self) -> int:
        return self.posts - self.copies

    @property
    def judged(self) -> int:
        """Posts with a label that counts: unsure is not one."""
        return self.negative + self.neutral + self.positive

    @property
    def net(self) -> float | None:
        """Net sentiment in −1..1, or None of nothing judged."""
        return (self.positive - self.negative) / self.judged if self.judged else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the net."""
        return net_interval(self.positive, self.negative, self.judged)

    @property
    def enough(self) -> bool:
        """Whether a share of these is worth a colour."""
        return self.judged >= MIN_JUDGED

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.negative + other.negative, self.neutral + other.neutral,
            self.positive + other.positive, self.unsure + other.unsure,
            self.unjudged + other.unjudged, self.copies + other.copies,
        )  # fmt: skip


def net_interval(positive: int, negative: int, judged: int) -> tuple[float, float] | None:
    """The 95 % interval of a difference of two shares of the same posts, in −1..1; None of nothing.

    Wilson limits of each share, put together by the method of variance estimates recovery with the
    correlation of a multinomial (Newcombe 1998; Zou and Donner 2008), so that it stays within −1..1
    and has a width even where every post says the same.
    """
    up, down = wilson(positive, judged), wilson(negative, judged)
    if up is None or down is None:
        return None
    p, q = positive / judged, negative / judged
    spread = math.sqrt(p * (1 - p) * q * (1 - q))
    rho = -p * q / spread if spread else 0.0

    def reach(a: float, b: float) -> float:
        return math.sqrt(max(0.0, a * a + b * b - 2 * rho * a * b))

    low = p - q - reach(p - up[0], down[1] - q)
    high = p - q + reach(up[1] - p, q - down[0])
    return max(-1.0, low), min(1.0, high)


def tally(rows: Iterable[Row]) -> Tally:
    """One tally of rows with ``label, posts, copies``."""
    sums = dict.fromkeys(LABELS, 0)
    copies = 0
    for row in rows:
        sums[row["label"] or ""] = sums.get(row["label"] or "", 0) + int(row["posts"])
        copies += int(row["copies"] or 0)
    return Tally(
        sums["negative"], sums["neutral"], sums["positive"], sums["unsure"], sums[""], copies
    )


def tallies(rows: Iterable[Row], column: str) -> dict[str, Tally]:
    """Tallies by a column, the largest first."""
    parts: dict[str, list[Row]] = {}
    for row in rows:
        parts.setdefault(str(row[column]), []).append(row)
    found = {name: tally(part) for name, part in parts.items()}
    return dict(sorted(found.items(), key=lambda item: (-item[1].posts, item[0])))


def by_group(
    countries: Mapping[str, Tally], groups: Mapping[str, Sequence[str]]
) -> dict[str, Tally]:
    """Tallies of the user's own groups of countries; what is in none is "elsewhere".

    A country in two groups counts in both, as the user wrote it; unknown stays "" and apart.
    """
    found: dict[str, Tally] = {}
    placed: set[str] = set()
    for name, codes in groups.items():
        placed |= set(codes)
        found[name] = sum((countries[c] for c in codes if c in countries), Tally())
    rest = [t for code, t in countries.items() if code and code not in placed]
    if rest:
        found["elsewhere"] = sum(rest, Tally())
    if "" in countries:
        found[""] = countries[""]
    return dict(sorted(found.items(), key=lambda item: (-item[1].posts, item[0])))


# time ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hours:
    """Hourly values of one selection from ``first`` on; NaN is an hour that is not known.

    Arrays have one value an hour: posts, copies among them, and the three labels that count.
    """

    first: int
    posts: Floats
    copies: Floats
    negative: Floats
    neutral: Floats
    positive: Floats

    @property
    def last(self) -> int:
        """Just after the last hour."""
        return self.first + len(self.posts) * HOUR

    @property
    def judged(self) -> Floats:
        return self.negative + self.neutral + self.positive

    def index(self, moment: int) -> int:
        return (moment - self.first) // HOUR


def hours(
    rows: Iterable[Row], first: int, last: int, gaps: Sequence[tuple[int, int]] = ()
) -> Hours:
    """Rows of ``hour, label, posts, copies`` as arrays over [first, last); gaps become NaN.

    An hour without rows is zero, because the store listened; the caller puts ``first`` where it
    began to.
    """
    first, n = first - first % HOUR, max(0, -(-(last - first + first % HOUR) // HOUR))
    names = ("posts", "copies", "negative", "neutral", "positive")
    sums = {name: np.zeros(n) for name in names}
    for row in rows:
        i = (int(row["hour"]) - first) // HOUR
        if 0 <= i < n:
            sums["posts"][i] += row["posts"]
            sums["copies"][i] += row["copies"] or 0
            if row["label"] in sums:
                sums[row["label"]][i] += row["posts"]
    for a, b in gaps:
        low, high = max(0, (a - first) // HOUR), max(0, -(-(b - first) // HOUR))
        for array in sums.values():
            array[low:high] = np.nan
    return Hours(first, **sums)


def trailing(values: Floats, size: int) -> Floats:
    """At each place the sum of the ``size`` values that end there; NaN where they are not all known."""
    out = np.full(len(values), np.nan)
    if len(values) >= size:
        windows = np.lib.stride_tricks.sliding_window_view(values, size)
        out[size - 1 :] = windows.sum(axis=1)
    return out


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual at one time: the middle and the range of the same times before, and whence."""

    middle: float
    low: float
    high: float
    basis: str

    def place(self, value: float) -> int:
        """−1 below, 0 within, 1 above what was seen at the same times before."""
        return -1 if value < self.low else 1 if value > self.high else 0


def usuals(values: Floats, per_day: int = 24) -> list[Usual | None]:
    """The usual at each place from the same hour of earlier weeks, else of earlier days.

    None while there is too little to say: fewer than three weeks and fewer than four days.
    """
    found: list[Usual | None] = [None] * len(values)
    for step, most, least, unit in (
        (per_day, HISTORY_DAYS, MIN_DAYS, "day"),
        (per_day * 7, HISTORY_WEEKS, MIN_WEEKS, "week"),  # the better one last: it stays
    ):
        before = np.full((most, len(values)), np.nan)
        for k in range(1, min(most, (len(values) - 1) // step) + 1):
            before[k - 1, k * step :] = values[: len(values) - k * step]
        known = (~np.isnan(before)).sum(axis=0)
        before.sort(axis=0)  # NaN goes last
        levels = [_level(before, known, share) for share in (0.5, 0.1, 0.9)]
        for i in np.nonzero(known >= least)[0].tolist():
            middle, low, high = (float(level[i]) for level in levels)
            basis = f"this hour of the {unit}, {known[i]} {unit}s"
            found[i] = Usual(middle, low, high, basis)
    return found


def _level(ordered: Floats, known: npt.NDArray[np.int64], share: float) -> Floats:
    """The quantile of each column's first ``known`` values, interpolated linearly."""
    at = share * np.maximum(known - 1, 0)
    low = np.floor(at).astype(int)
    high = np.minimum(low + 1, np.maximum(known - 1, 0))
    column = np.arange(ordered.shape[1])
    below, above = ordered[low, column], ordered[high, column]
    level: Floats = below + (above - below) * (at - low)
    return level


def usual(values: Floats, per_day: int = 24) -> Usual | None:
    """The usual of the last place; see :func:`usuals`."""
    return usuals(values, per_day)[-1] if len(values) else None


def now_and_usual(values: Floats, window: int, done: float) -> tuple[float | None, Usual | None]:
    """The last ``window`` hours and what is usual for them.

    ``done`` is the share (0..1) of the last hour that has passed: of the same hour of earlier weeks
    only that share is compared with.
    """
    if len(values) < window or np.isnan(values[-window:]).any():
        return None, None
    value = float(values[-window:].sum())
    full = trailing(values, window - 1) if window > 1 else np.zeros(len(values))
    compared = np.concatenate([[np.nan], full[:-1]]) if window > 1 else full
    return value, usual(compared + values * done)


def history(values: Floats, window: int) -> list[slice]:
    """The same hours of earlier weeks (or days) as slices, by the rule of :func:`usual`."""
    end = len(values)
    for step, most, least in (
        (7 * 24, HISTORY_WEEKS, MIN_WEEKS),
        (24, HISTORY_DAYS, MIN_DAYS),
    ):
        found = [
            slice(end - k * step - window, end - k * step)
            for k in range(1, most + 1)
            if end - k * step - window >= 0
            and not np.isnan(values[end - k * step - window : end - k * step]).any()
        ]
        if len(found) >= least:
            return found
    return []


def net_and_usual(h: Hours, window: int) -> tuple[Tally, float | None]:
    """The tally of the last ``window`` hours (known ones), and the net of the same hours before."""

    def total(array: Floats, part: slice) -> int:
        return int(np.nansum(array[part]))

    part = slice(max(0, len(h.posts) - window), len(h.posts))
    now = Tally(total(h.negative, part), total(h.neutral, part), total(h.positive, part))
    before = history(h.posts, window)
    judged = sum(total(h.judged, s) for s in before)
    if judged < MIN_JUDGED:
        return now, None
    net = sum(total(h.positive, s) - total(h.negative, s) for s in before) / judged
    return now, net


def bucket_hours(seconds: int) -> int:
    """Hours in one point of a trend over so many seconds: 40 to 200 points are read well."""
    for size in (1, 3, 6, 24):
        if seconds / (size * HOUR) <= 200:
            return size
    return 24 * max(1, round(seconds / (150 * DAY)))


def floor(moment: int, size: int, zone: ZoneInfo) -> int:
    """The last time at or before a moment where a bucket of ``size`` hours begins, by local clock.

    Counts are of whole hours of UTC, in every zone: where that hour holds two local days, it belongs
    to the later one.
    """
    end_of_hour = moment - moment % HOUR + HOUR - 1
    local = datetime.fromtimestamp(end_of_hour, UTC).astimezone(zone)
    hour = local.hour - local.hour % min(size, 24)
    fold = (
        local.fold if size == 1 else 0
    )  # of an hour that comes twice, the first begins the bucket
    begin = int(local.replace(hour=hour, minute=0, second=0, microsecond=0, fold=fold).timestamp())
    return begin - begin % HOUR


def after(begin: int, size: int, zone: ZoneInfo) -> int:
    """Where the bucket that began there ends: by local clock, so that a day may have 23 or 25 hours."""
    if size == 1:
        return begin + HOUR
    return floor(begin + size * HOUR + min(size, 24) * HOUR // 2, size, zone)


def bucket_words(size: int) -> str:
    """``hour``, ``6 hours``, ``day``: what one point of a trend stands for."""
    if size % 24 == 0:
        return "day" if size == 24 else f"{size // 24} days"
    return "hour" if size == 1 else f"{size} hours"


def judged_size(points: Sequence[Row], size: int) -> int:
    """The least bucket (hours) in which half of the points have judged posts enough for a share."""
    judged = [p["judged"] for p in points if p["posts"]]
    if not judged:
        return size
    typical = float(np.median(judged))
    for larger in (1, 3, 6, 12, 24):
        if larger >= size and typical * larger / size >= MIN_JUDGED:
            return larger
    return max(24, size)


def _summed(values: Floats, cuts: Sequence[int]) -> Floats:
    """Sums of the stretches that begin at these places; one with any unknown value is unknown."""
    if not cuts:
        return np.zeros(0)
    sums: Floats = np.add.reduceat(values, cuts)
    return sums


def trend(h: Hours, since: int, size: int, zone: ZoneInfo) -> list[dict[str, Any]]:
    """Points of a trend: start, posts, copies, net with interval, and the usual with its range.

    Points are whole days (or hours of the day) of ``zone``: the first is the one that ``since`` is in,
    with what ``h`` knows of it from before. ``posts`` is None in a gap, and where ``h`` begins only
    later in the point. The usual is of the same bucket in earlier weeks or days.
    """
    begin = floor(max(since, h.first), size, zone)
    # Points before begin are only compared with; larger ones than a day are compared with none.
    edges = [floor(h.first, size, zone) if size <= 24 else begin]
    while edges[-1] < h.last:
        edges.append(after(edges[-1], size, zone))
    # Of hours before the first one nothing is known: how many posts there were in that point is not,
    # how those that are known feel is.
    before, skip = max(0, -h.index(edges[0])), max(0, h.index(edges[0]))
    cuts = [(edge - edges[0]) // HOUR for edge in edges[:-1]]
    sums = {
        name: _summed(np.concatenate([np.full(before, missing), getattr(h, name)[skip:]]), cuts)
        for name, missing in (
            ("posts", np.nan), ("copies", np.nan), ("negative", 0.0), ("neutral", 0.0),
            ("positive", 0.0),
        )
    }  # fmt: skip
    expectations: list[Usual | None] = [None] * len(sums["posts"])
    if size <= 24:  # larger points have no hour or day of their own to be compared by
        expectations = usuals(sums["posts"], 24 // size)
    points = []
    for i, value in enumerate(sums["posts"]):
        if edges[i] < begin:
            continue
        known, told = not np.isnan(value), not np.isnan(sums["negative"][i])
        expected = expectations[i]
        t = Tally(*(int(np.nan_to_num(sums[n][i])) for n in ("negative", "neutral", "positive")))
        points.append(
            {
                "at": edges[i],
                "end": edges[i + 1],
                "posts": float(value) if known else None,
                "copies": float(sums["copies"][i]) if known else None,
                "negative": float(sums["negative"][i]) if told else None,
                "positive": float(sums["positive"][i]) if told else None,
                "judged": t.judged,
                "net": t.net if told and t.enough else None,
                "usual": expected.middle if expected else None,
                "low": expected.low if expected else None,
                "high": expected.high if expected else None,
            }
        )
    return points


def events(spikes: Iterable[Row]) -> list[dict[str, Any]]:
    """One for each brand, region and stretch of time: one of its spikes, with the ``also`` kinds.

    One event often lifts several series at once: the posts, the negative ones, their share. What is
    still open speaks for all, and of these the negative count. Kind, figure, start and end are those
    of that one spike, so that they are true together. Praise and complaints are two events, even
    where the sum of posts rose with both.
    """
    order = {"negative": 0, "negative share": 1, "volume": 2, "positive": 3}
    groups: list[list[Row]] = []
    for s in sorted(spikes, key=lambda s: s["start"]):
        for group in groups:
            first = group[0]
            last = None if any(g["end"] is None for g in group) else max(g["end"] for g in group)
            same = (s["brand"], s["region"]) == (first["brand"], first["region"])
            against = {_tone(g) for g in (*group, s)} >= {"up", "down"}
            if same and not against and (last is None or s["start"] <= last):
                group.append(s)
                break
        else:
            groups.append([s])
    found = []
    for group in groups:
        group.sort(key=lambda s: (s["end"] is not None, order.get(s["kind"], 9), -s["severity"]))
        head = group[0]
        also = sorted({s["kind"] for s in group[1:]} - {head["kind"]})
        alike = [s for s in group if (s["end"] is None) == (head["end"] is None)]
        found.append({**head, "severity": max(s["severity"] for s in alike), "also": also})
    return sorted(found, key=lambda s: (s["end"] is not None, -s["severity"], -s["start"]))


def _tone(spike: Row) -> str:
    """Which way a kind of spike points; the sum of posts points neither way."""
    return {"positive": "up", "negative": "down", "negative share": "down"}.get(spike["kind"], "")


# words --------------------------------------------------------------------------------------------


def times_usual(value: float, expected: Usual | None) -> str:
    """``as usual``, ``2.4 × usual`` or ``no usual yet``: how a count compares, in words."""
    if expected is None:
        return "no usual yet"
    where = expected.place(value)
    if where == 0:
        return "as usual"
    if expected.middle < 1:
        return "more than usual" if where > 0 else "less than usual"
    return f"{value / expected.middle:.1f} × usual"


def percent(value: float | None, sign: bool = False) -> str:
    """A fraction of 1 as whole percent with a true minus; "–" for unknown."""
    if value is None:
        return "–"
    points = round(value * 100)
    mark = "+" if sign and points > 0 else "−" if points < 0 else ""
    return f"{mark}{abs(points)}"


def share(part: float, whole: float) -> str:
    """``12 %`` of the whole; what is there at all is not 0 %: ``under 1 %``. "–" of nothing."""
    if not whole:
        return "–"
    return "under 1 %" if 0 < part / whole < 0.005 else f"{percent(part / whole)} %"


def count(value: float | None) -> str:
    """A count with thin spaces between thousands; "–" for unknown."""
    return "–" if value is None else f"{round(value):,}".replace(",", "\u202f")


def usually(expected: float) -> str:
    """``4 are usual``; a fraction of a post is not none: ``fewer than 1 is usual``."""
    if round(expected) < 1:
        return "fewer than 1 is usual"
    return f"{count(expected)} {'is' if round(expected) == 1 else 'are'} usual"


def ago(seconds: float) -> str:
    """``12 s``, ``5 min``, ``3 h``, ``4 d``: a length of time in its largest unit."""
    seconds = max(0.0, seconds)
    for unit, size in (("d", DAY), ("h", HOUR), ("min", 60)):
        if seconds >= size * (2 if unit == "d" else 1):
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


def minutes(value: float | None) -> str:
    """A length in minutes as ``42 min``, ``3.5 h`` or ``2.1 d``; "–" for unknown."""
    if value is None:
        return "–"
    if value < 100:
        return f"{value:.0f} min"
    return f"{value / 60:.1f} h" if value < 48 * 60 else f"{value / 1440:.1f} d"


def clock(moment: int, zone: ZoneInfo, *, day: bool = True) -> str:
    """A moment as ``22 Feb 14:00`` (with the year when it is not this one's data to guess)."""
    local = datetime.fromtimestamp(moment, UTC).astimezone(zone)
    return f"{local.day} {local:%b %H:%M}" if day else f"{local:%H:%M}"


def date(moment: int, zone: ZoneInfo) -> str:
    local = datetime.fromtimestamp(moment, UTC).astimezone(zone)
    return f"{local.day} {local:%b %Y}"


def offset(moment: int, zone: ZoneInfo) -> int:
    """Seconds by which the zone's clock is ahead of UTC at a moment."""
    found = datetime.fromtimestamp(moment, UTC).astimezone(zone).utcoffset()
    return int(found.total_seconds()) if found else 0


def offsets(since: int, until: int, zone: ZoneInfo) -> tuple[tuple[int, int], ...]:
    """From when the zone's clock is how far ahead of UTC, in seconds: of ``since``, and of each change
    of the clock up to ``until``."""
    found = [(since, offset(since, zone))]
    for begin in range(since, until, DAY):
        low, high = begin, min(begin + DAY, until)
        after = offset(high, zone)
        if after == found[-1][1]:
            continue
        while high - low > 1:  # the offset of ``low`` is the old one, that of ``high`` the new
            middle = (low + high) // 2
            low, high = (low, middle) if offset(middle, zone) == after else (middle, high)
        found.append((high, after))
    return tuple(found)


def wall(moment: int, zone: ZoneInfo) -> int:
    """Milliseconds that, read as UTC, show the wall clock of ``zone``: what the charts draw."""
    return (moment + offset(moment, zone)) * 1000
