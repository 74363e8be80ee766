"""Is this more than is usual for this hour? What the detector of spikes knows, and how it judges.

It watches many series at once as rows of numpy arrays; a single series is a panel of one row.

The model of a count is a negative binomial whose mean is *level x rhythm*:

* the level is a discounted mean (gamma-Poisson, half-life four days), so that slow trends are
  usual;
* the rhythm is a factor for each hour of the week, shrunk towards hour of day x day of week, and
  that towards none, by as much as the series has posts to show for it;
* the dispersion is learned by the method of moments, for each window length of its own, so that
  posts that come in slow waves widen the longer windows.

A share (negatives among all posts) is an over-dispersed binomial about a discounted mean share.

Windows of several lengths that end now are judged together (the least p-value, times two for
the several looks). A spike opens when that p-value is below the budget of false alarms (a wider one
where several series rise at once) and passes the procedure of Benjamini and Hochberg (1995) over all
the series judged at this tick. Counts are clipped before they teach the baseline, and those within a
spike do not teach it at all, until it has lasted so long that it is the new usual.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from sentiment.errors import SentimentError
from sentiment.tails import Array, negative_binomial_tail, share_tail

KINDS = ("volume", "negative", "negative share", "positive")
WEEK = 168  # hours
_YEAR = 365.25 * 86400
# The windows overlap, so that the least of their p-values is worth about two separate looks: on
# negative binomial series without spikes that makes the p-values right (benchmarks/spikes.md).
_WINDOWS_WORTH = 2
_PRIOR_WEIGHT = 5.0  # of the dispersion believed at first, in busy buckets


@dataclass(frozen=True, slots=True)
class Bucket:
    """Posts counted from ``start`` (epoch seconds). None is "not known": a gap in the coverage.

    ``exposure`` is the number of all posts, for questions about a share.
    """

    start: int
    count: int | None
    exposure: int | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """What the detector goes by; docs/measures.md says what each costs and brings."""

    windows: tuple[int, ...] = (1, 2, 3, 6)  # buckets
    alarms_per_year: float = 0.75  # false alarms allowed a series, before the control over all
    alarms_together: float = 4.0  # the same where two series or more rise at one tick
    discovery_rate: float = 0.3  # share of false ones among those found at one tick
    minimum: int = 5  # posts in the window
    minimum_exposure: int = 10  # posts of any kind in the window, for a share
    warmup_hours: float = 96.0  # observed since the first post
    warmup_posts: int = 20
    warmup_days: float = 3.0  # days that the posts are spread over, each by its weight
    level_half_life_hours: float = 96.0
    rhythm_half_life_days: float = 28.0
    release: float = 0.02  # a bucket less surprising than this is calm
    calm_hours: float = 6.0  # so long calm ends a spike; nearer spikes are one
    new_usual_hours: float = 72.0  # a spike as long as this starts to teach the baseline
    dispersion: float = 0.1  # believed before anything is seen
    share_dispersion: float = 0.02


DEFAULT = Settings()


@dataclass(frozen=True)
class State:
    """What a panel of S series has learned. Arrays only, so that it can be kept as bytes."""

    last: NDArray[np.int64]  # () start of the last bucket; -1 before the first
    sums: Array  # (S, 168) posts by hour of the week, discounted
    visits: Array  # (S, 168) buckets by hour of the week, discounted alike
    rhythm: Array  # (S, 168) factor of the hour; mean 1
    hits: Array  # (S,) posts, discounted: the numerator of the level
    base: Array  # (S,) rhythm (or exposure) summed over the same buckets: its denominator
    excess: Array  # (S, W) squared error beyond Poisson, a window length a column
    weight: Array  # (S, W) what it is divided by
    waiting: Array  # (S, W, 4) both, of today and of yesterday: learned when they are a day old
    seen: Array  # (S,) buckets observed since the first post
    posts: Array  # (S,) posts since the first
    days: (
        Array  # (S, 3) posts taught today; of earlier days, discounted: their sum, that of squares
    )
    recent: Array  # (S, K) counts of the last K buckets, newest last; NaN is a gap
    usual: Array  # (S, K) what was expected of them
    total: Array  # (S, K) their exposure
    open: NDArray[np.bool_]  # (S,) in a spike
    calm: Array  # (S,) calm buckets in a row while in a spike
    lasted: Array  # (S,) buckets since the spike opened

    def to_bytes(self) -> bytes:
        """The state as an uncompressed npz archive without pickles."""
        out = BytesIO()
        np.savez(out, **{f.name: getattr(self, f.name) for f in fields(self)})
        return out.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> State:
        """Read what :meth:`to_bytes` wrote."""
        try:
            with np.load(BytesIO(data), allow_pickle=False) as archive:
                return cls(**{f.name: archive[f.name] for f in fields(cls)})
        except (ValueError, KeyError, OSError) as error:
            raise SentimentError(
                "the stored detector state cannot be read; delete it and let the detector learn"
                f" again from the stored counts ({error})"
            ) from error


@dataclass(frozen=True)
class Judgement:
    """One tick of a panel of S series; NaN where nothing can be said (warming up, or a gap)."""

    expected: Array  # (S,) posts expected in this bucket
    p_value: Array  # (S,) of the most surprising window, corrected for their number
    single: Array  # (S,) of this bucket alone
    window: NDArray[np.int64]  # (S,) the window's length in buckets
    severity: Array  # (S,)
    spike: NDArray[np.bool_]  # (S,) surprising enough to open a spike


class Detector:
    """Judges panels of series. Holds settings only: state is handed in and a new one handed out."""

    def __init__(
        self, bucket_seconds: int, kind: str = "volume", settings: Settings = DEFAULT
    ) -> None:
        if kind not in KINDS:
            raise SentimentError(
                f"no kind of spike is called {kind!r}; there are {', '.join(KINDS)}"
            )
        if bucket_seconds <= 0:
            raise SentimentError(f"a bucket of {bucket_seconds} seconds cannot be counted in")
        self.bucket_seconds = bucket_seconds
        self.kind = kind
        self.settings = settings
        self.share = kind.endswith("share")
        self._depth = max(settings.windows)
        self._alone = settings.alarms_per_year * bucket_seconds / _YEAR
        self._together = settings.alarms_together * bucket_seconds / _YEAR

    def start(self, series: int = 1) -> State:
        """A state that has seen nothing, for this many series."""
        windows = len(self.settings.windows)
        prior = self.settings.share_dispersion if self.share else self.settings.dispersion
        weight = np.full((series, windows), _PRIOR_WEIGHT)
        blank = np.full((series, self._depth), np.nan)
        zero = np.zeros(series)
        return State(
            last=np.array(-1),
            sums=np.zeros((series, WEEK)),
            visits=np.zeros((series, WEEK)),
            rhythm=np.ones((series, WEEK)),
            hits=zero + 0.5,
            base=zero + (1.0 if self.share else 0.0),
            excess=prior * weight,
            weight=weight,
            waiting=np.zeros((series, windows, 4)),
            seen=zero,
            posts=zero,
            days=np.zeros((series, 3)),
            recent=blank,
            usual=blank,
            total=blank,
            open=zero.astype(bool),
            calm=zero,
            lasted=zero,
        )

    # -- one series, as the shortest way in -------------------------------------------------------

    def score(self, state: State, bucket: Bucket) -> Judgement:
        """Judge the next bucket of a single series. Nothing is changed."""
        return self.judge(state, bucket.start, *_columns([bucket]))

    def update(self, state: State, bucket: Bucket) -> State:
        """The state after this bucket of a single series."""
        return self.learn(state, bucket.start, *_columns([bucket]))

    # -- panels -----------------------------------------------------------------------------------

    def judge(self, state: State, start: int, counts: Array, exposure: Array) -> Judgement:
        """Judge one bucket of S series: ``counts`` and ``exposure`` are (S,), NaN for a gap."""
        state = self._arrive(state, start)
        expected = self._expected(state, start, exposure)
        lengths = self.settings.windows
        y, mu, n = self._windows(state, counts, expected, exposure)
        alpha = self._dispersion(state)
        p_values = self._tail(y, mu, n, alpha)
        severity = _severity(y, mu, alpha)
        speaks = np.isfinite(counts) & self._ready(state)
        p_values[~speaks] = np.nan
        filled = np.where(np.isnan(p_values), 2.0, p_values)
        best = filled.argmin(axis=1)
        rows = np.arange(len(counts))
        least = np.minimum(filled[rows, best] * min(len(lengths), _WINDOWS_WORTH), 1.0)
        least = np.where(speaks & (filled[rows, best] <= 1), least, np.nan)
        return Judgement(
            expected=np.where(speaks, expected, np.nan),
            p_value=least,
            single=p_values[:, lengths.index(min(lengths))],
            window=np.asarray(lengths)[best],
            severity=np.where(np.isnan(least), np.nan, severity[rows, best]),
            spike=self._discoveries(least),
        )

    def learn(self, state: State, start: int, counts: Array, exposure: Array) -> State:
        """The state after this bucket. Judges it first, to know what must not be learned."""
        return self.step(state, start, counts, exposure)[1]

    def step(
        self, state: State, start: int, counts: Array, exposure: Array
    ) -> tuple[Judgement, State]:
        """Judge and learn in one pass: :meth:`judge` and :meth:`learn` for the price of one."""
        state = self._arrive(state, start)
        verdict = self.judge(state, start, counts, exposure)
        expected = self._expected(state, start, exposure)
        state = self._follow(state, verdict, counts)
        state = self._teach(state, start, counts, exposure, expected)
        return verdict, replace(
            state,
            last=np.array(start),
            recent=_push(state.recent, counts),
            usual=_push(state.usual, expected),
            total=_push(state.total, exposure),
        )

    # -- the parts --------------------------------------------------------------------------------

    def _arrive(self, state: State, start: int) -> State:
        """Account for the time since the last bucket: forget a little, and see the gap if any."""
        last = int(state.last)
        if last < 0 or start == last:
            return state
        if start < last:
            raise SentimentError(f"bucket {start} comes after {last}: buckets must be in order")
        steps = (start - last) / self.bucket_seconds
        if steps > 1:  # buckets were not even handed in: the same as a gap
            blank = np.full_like(state.recent, np.nan)
            state = replace(state, recent=blank, usual=blank, total=blank)
        hours = (start - last) / 3600
        keep = 0.5 ** (hours / self.settings.level_half_life_hours)
        state = replace(
            state,
            hits=0.5 + (state.hits - 0.5) * keep,
            base=state.base * keep,
            last=np.array(start),
        )
        if start // 86400 != last // 86400:
            state = self._daily(state, (start // 86400) - (last // 86400))
        return state

    def _daily(self, state: State, days: int) -> State:
        keep = 0.5 ** (days / self.settings.rhythm_half_life_days)
        memory = 0.5 ** (days / 28.0)
        prior = self.settings.share_dispersion if self.share else self.settings.dispersion
        sums, visits = state.sums * keep, state.visits * keep
        floor = _PRIOR_WEIGHT
        fade = 0.5 ** (days / 7.0)
        today, total, squares = state.days.T
        tally = np.stack(
            [np.zeros_like(today), (total + today) * fade, (squares + today**2) * fade**2], axis=1
        )
        return replace(
            state,
            days=tally,
            sums=sums,
            visits=visits,
            rhythm=state.rhythm
            if self.share
            else _rhythm(sums, visits, state.rhythm, self._dispersion(state)[:, 0]),
            # A surge that builds up over hours must not make itself usual: errors teach the
            # dispersion a day late, and not at all when a spike came of them.
            excess=prior * floor + (state.excess - prior * floor) * memory + state.waiting[..., 2],
            weight=floor + (state.weight - floor) * memory + state.waiting[..., 3],
            waiting=np.concatenate(
                [np.zeros_like(state.waiting[..., :2]), state.waiting[..., :2]], 2
            ),
        )

    def _ready(self, state: State) -> NDArray[np.bool_]:
        """Warmed up: long enough, posts enough, and these not all of one or two days.

        A series that trickles and then begins in earnest (its collection was switched on) has seen
        hours enough, but all it knows of the usual comes from its first busy days.
        """
        settings = self.settings
        today, total, squares = state.days.T
        spread = (total + today) ** 2 / np.maximum(squares + today**2, 1e-9)
        return np.asarray(
            (state.seen * self.bucket_seconds >= settings.warmup_hours * 3600)
            & (state.posts >= settings.warmup_posts)
            & (spread >= settings.warmup_days)
        )

    def _expected(self, state: State, start: int, exposure: Array) -> Array:
        level = state.hits / np.maximum(state.base, 1e-9)
        if self.share:
            return np.asarray(np.minimum(level, 1.0) * exposure)
        return np.asarray(level * state.rhythm[:, _slot(start)])

    def _windows(
        self, state: State, counts: Array, expected: Array, exposure: Array
    ) -> tuple[Array, Array, Array]:
        """Sums of counts, expected and exposure over each window that ends now: (S, W) each."""
        columns = np.asarray(self.settings.windows) - 1
        y, mu, n = (
            np.cumsum(_push(history, newest)[:, ::-1], axis=1)[:, columns]
            for history, newest in (
                (state.recent, counts),
                (state.usual, expected),
                (state.total, exposure),
            )
        )
        return y, mu, n

    def _dispersion(self, state: State) -> Array:
        """For each window (S, W): what was learned, and what is not yet known of the usual.

        The latter widens the prediction as the posterior of a gamma-Poisson level does, and fades.
        """
        learned = np.maximum(state.excess / state.weight, 1e-4)
        unsure = 1 / (1 + (state.base if self.share else state.hits))
        if not self.share:
            # An hour's factor is a mean over the days seen, lent to by its neighbours.
            level = state.hits / np.maximum(state.base, 1e-9)
            days = 1 + state.seen * self.bucket_seconds / 86400
            error = (learned[:, 0] + 1 / np.maximum(level, 1e-3)) / (3 * days)
            unsure = unsure + np.minimum(error, 0.1 / np.sqrt(days))
        return np.asarray(learned + unsure[:, None])

    def _tail(self, y: Array, mu: Array, n: Array, alpha: Array) -> Array:
        """Upper tail of each window (S, W); 1 for what is too usual or too small to look at."""
        valid = np.isfinite(y) & np.isfinite(mu)
        with np.errstate(invalid="ignore"):
            look = valid & (y >= self.settings.minimum)
            if self.share:
                valid = valid & np.isfinite(n)
                look &= n >= self.settings.minimum_exposure
                spread = mu * (1 - mu / np.maximum(n, 1)) * (1 + n * alpha)
            else:
                spread = mu * (1 + mu * alpha)
            # Only what is a deviation above the usual is worth the price of a tail.
            look &= y > mu + np.sqrt(spread)
        out = np.where(valid, 1.0, np.nan)
        if look.any():
            if self.share:
                share = np.clip(mu[look] / n[look], 1e-6, 1 - 1e-6)
                out[look] = share_tail(y[look], n[look], share, alpha[look])
            else:
                out[look] = negative_binomial_tail(y[look], mu[look], alpha[look])
        return out

    def _discoveries(self, p_values: Array) -> NDArray[np.bool_]:
        """Benjamini and Hochberg over the series that speak, within the budget of each.

        What rises alone must be more surprising than what rises with others: in a panel of few
        series the procedure asks for little, and chance seldom lifts two of them at one tick.
        """
        speaking = np.sort(p_values[np.isfinite(p_values)])
        if not len(speaking):
            return np.zeros(len(p_values), dtype=bool)
        line = self.settings.discovery_rate * np.arange(1, len(speaking) + 1) / len(speaking)
        below = np.nonzero(speaking <= line)[0]
        cut = speaking[below[-1]] if len(below) else -1.0
        with np.errstate(invalid="ignore"):
            risen = np.asarray(p_values <= min(cut, self._together))
            return risen if risen.sum() > 1 else np.asarray(p_values <= min(cut, self._alone))

    def _follow(self, state: State, verdict: Judgement, counts: Array) -> State:
        """Open, keep and close spikes. A bucket that is not known ends none: it may well go on."""
        unknown = ~np.isfinite(counts)
        with np.errstate(invalid="ignore"):
            is_calm = (verdict.single > self.settings.release) | unknown
        calm = np.where(state.open & is_calm, state.calm + 1, 0.0)
        limit = self.settings.calm_hours * 3600 / self.bucket_seconds
        lasted = np.where(state.open, state.lasted + 1, 0.0)
        closing = state.open & (calm >= max(limit, 1)) & ~verdict.spike & ~unknown
        is_open = (state.open & ~closing) | verdict.spike
        waiting = np.where((is_open & ~state.open)[:, None, None], 0.0, state.waiting)
        # What has lasted so long is the new usual: the old level is all but forgotten.
        limit = self.settings.new_usual_hours * 3600 / self.bucket_seconds
        keep = np.where(is_open & (lasted > limit) & (state.lasted <= limit), 0.03, 1.0)
        return replace(
            state,
            waiting=waiting,
            hits=0.5 + (state.hits - 0.5) * keep,
            base=state.base * keep,
            open=is_open,
            calm=np.where(is_open, calm, 0.0),
            lasted=np.where(is_open, np.maximum(lasted, 1), 0.0),
        )

    def _teach(
        self, state: State, start: int, counts: Array, exposure: Array, expected: Array
    ) -> State:
        """Let the bucket teach level, rhythm and dispersion, where it may."""
        settings = self.settings
        begun = (state.posts > 0) | (np.nan_to_num(counts) > 0)
        usable = np.isfinite(counts) & begun & (np.isfinite(exposure) | (not self.share))
        long = state.lasted * self.bucket_seconds > settings.new_usual_hours * 3600
        ready = self._ready(state)
        learns = usable & (~state.open | long | ~ready)
        alpha = self._dispersion(state)[:, 0]
        deviation = np.sqrt(expected + alpha * expected**2)
        cap = np.where(ready & ~long, expected + 3 * deviation + 1, np.inf)
        y = np.where(learns, np.minimum(np.nan_to_num(counts), cap), 0.0)
        slot = _slot(start)
        unit = exposure if self.share else state.rhythm[:, slot]
        # A bucket of a large over-dispersed series tells no more of its level than 1/alpha posts.
        trust = 1 / (1 + self._dispersion_only(state) * np.nan_to_num(expected))
        sums, visits = state.sums, state.visits
        if not self.share:
            sums, visits = sums.copy(), visits.copy()
            sums[:, slot] += y
            visits[:, slot] += learns
        settled = state.seen * self.bucket_seconds >= settings.warmup_hours * 1800  # half of it
        waiting = self._errors(state, counts, expected, exposure, learns & settled)
        return replace(
            state,
            hits=state.hits + y * trust,
            base=state.base + np.where(learns, np.nan_to_num(unit) * trust, 0.0),
            sums=sums,
            visits=visits,
            waiting=waiting,
            seen=state.seen + usable,
            days=state.days + np.stack([y, 0 * y, 0 * y], axis=1),
            posts=state.posts + np.where(usable, np.nan_to_num(counts), 0.0),
        )

    def _dispersion_only(self, state: State) -> Array:
        return np.asarray(np.maximum(state.excess[:, 0] / state.weight[:, 0], 0.0))

    def _errors(
        self,
        state: State,
        counts: Array,
        expected: Array,
        exposure: Array,
        learns: NDArray[np.bool_],
    ) -> Array:
        """Method of moments: what the squared errors are beyond those of independent posts."""
        y, mu, n = self._windows(state, counts, expected, exposure)
        use = learns[:, None] & np.isfinite(y) & np.isfinite(mu)
        if self.share:
            use &= np.nan_to_num(n) >= 2
            p = np.clip(mu / np.maximum(n, 1), 1e-3, 1 - 1e-3)
            noise, scale = n * p * (1 - p), np.maximum(n - 1, 1)
        else:
            noise = scale = np.maximum(mu, 1e-9)
        alpha = self._dispersion(state)
        reach = 5 * np.sqrt(noise * (1 + scale * alpha))
        with np.errstate(invalid="ignore"):
            error = np.clip(y - mu, -reach, reach) ** 2
            # Each term estimates the dispersion with a variance of about (1/scale + alpha)^2.
            worth = (1 / (1 / scale + 0.1)) ** 2 / 100
            estimate = (error / noise - 1) / scale
        waiting = state.waiting.copy()
        waiting[:, :, 0] += np.where(use, worth * estimate, 0.0)
        waiting[:, :, 1] += np.where(use, worth, 0.0)
        return waiting


def _slot(start: int) -> int:
    """Hour of the week in UTC (hour 0 is Thursday 00:00, where 1970 began)."""
    return (start // 3600) % WEEK


def _push(history: Array, newest: Array) -> Array:
    return np.concatenate([history[:, 1:], newest[:, None]], axis=1)


def _columns(buckets: Sequence[Bucket]) -> tuple[Array, Array]:
    counts = np.array([np.nan if b.count is None else b.count for b in buckets], dtype=float)
    total = np.array([np.nan if b.exposure is None else b.exposure for b in buckets], dtype=float)
    return counts, total


def _rhythm(sums: Array, visits: Array, before: Array, dispersion: Array) -> Array:
    """Factors by hour of the week, shrunk twice: to hour x day, and those to 1. Mean about 1."""
    level = sums.sum(axis=1) / np.maximum((visits * before).sum(axis=1), 1e-9)
    expected = visits * level[:, None]
    # Over-dispersed buckets count for less, as many independent posts as they are worth.
    worth = 1 / (1 + dispersion[:, None] * level[:, None] * before)
    week_sums = (sums * worth).reshape(-1, 7, 24)
    week_expected = (expected * worth).reshape(-1, 7, 24)
    hour = (3 + week_sums.sum(axis=1)) / (3 + week_expected.sum(axis=1))
    # Neighbouring hours lend each other a hand: half of what the hour itself says, a quarter each.
    hour = 0.5 * hour + 0.25 * (np.roll(hour, 1, axis=1) + np.roll(hour, -1, axis=1))
    explained = week_expected * hour[:, None, :]
    day = (20 + week_sums.sum(axis=2)) / (20 + explained.sum(axis=2))
    explained = explained * day[:, :, None]
    # How much the hours of the week differ beyond that is learned as well (empirical Bayes): the
    # squared errors of the cells less what chance alone would make of them.
    squares = (week_sums - explained) ** 2 / np.maximum(explained, 1e-9)
    used = explained > 0.5
    beyond = np.where(used, squares - 1, 0).sum(axis=(1, 2)) / np.maximum(
        np.where(used, explained, 0).sum(axis=(1, 2)), 1
    )
    prior = np.clip(1 / np.maximum(beyond, 1e-9), 10, 2000)[:, None, None]
    cell = (prior + week_sums) / (prior + explained)
    rhythm = (hour[:, None, :] * day[:, :, None] * cell).reshape(-1, WEEK)
    return np.asarray(rhythm / rhythm.mean(axis=1, keepdims=True))


def _severity(y: Array, mu: Array, alpha: Array) -> Array:
    """Times the usual that this is at least: the ratio's 95 % lower bound, taken as log-normal."""
    ratio = (y + 0.5) / (mu + 0.5)
    width = 1.645 * np.sqrt(1 / np.maximum(y + 0.5, 0.5) + alpha)
    return np.asarray(np.clip(ratio * np.exp(-width), 0.0, 1000.0))
