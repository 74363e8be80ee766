"""Score ``groundswell detect`` on the Twitter volume series of the Numenta Anomaly Benchmark.

The scoring is written here from its definition: Lavin and Ahmad, "Evaluating real-time anomaly
detection algorithms: the Numenta Anomaly Benchmark", ICMLA 2015. Each labelled window pays for its
first detection, more for an early one, along a sigmoid; a detection elsewhere costs, less when it is
just after a window; a missed window costs. Rows of the first 15 % (at most 750) count for nothing.
The sum is scaled so that a detector that says nothing has 0 and a perfect one has 100.

    python benchmarks/nab.py [FOLDER] [--write]

prints the table of benchmarks/nab.md, and with --write keeps it there. Where the scorer of the data's
owners lies beside the data (../shared/tools/nab_score.py) the two are compared and must agree.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import math
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sentiment.anomaly import WatchSettings, score_series

HERE = Path(__file__).resolve().parent
DATA = HERE.parents[1] / "shared" / "data" / "volume"
OTHER_SCORER = HERE.parents[1] / "shared" / "tools" / "nab_score.py"
PUBLISHED = {  # detector: standard, low false positives; from the published NAB results
    "ARTime": (83.8, 73.1),
    "contextOSE": (76.0, 75.7),
    "Twitter ADVec": (66.0, 42.7),
    "windowed Gaussian": (64.8, 39.8),
}


@dataclass(frozen=True)
class Profile:
    """What a find earns, a miss costs, and a false alarm costs."""

    name: str
    hit: float
    miss: float
    false: float


PROFILES = (
    Profile("standard", 1.0, 1.0, 0.11),
    Profile("low_fp", 1.0, 1.0, 0.22),
    Profile("low_fn", 1.0, 2.0, 0.11),
)


@dataclass(frozen=True)
class Series:
    """One file with its labelled windows, as (first row, last row)."""

    name: str
    stamps: list[str]
    values: list[float]
    windows: list[tuple[int, int]]


def load(folder: Path) -> list[Series]:
    """The files that windows.json names. Its times carry microseconds, the rows' do not."""
    found = []
    for name, windows in json.loads((folder / "windows.json").read_text()).items():
        with (folder / name).open(newline="") as handle:
            rows = list(csv.DictReader(handle))
        stamps = [row["timestamp"] for row in rows]
        place = {stamp: i for i, stamp in enumerate(stamps)}
        spans = [(place[a.split(".")[0]], place[b.split(".")[0]]) for a, b in windows]
        values = [float(row["value"]) for row in rows]
        found.append(Series(name.removesuffix(".csv"), stamps, values, sorted(spans)))
    return found


def position_value(y: float) -> float:
    """The scaled sigmoid of the paper: about +1 well before 0, 0 at 0, -1 well after."""
    return 2 / (1 + math.exp(5 * y)) - 1 if y <= 3 else -1.0


def detection_value(row: int, windows: Sequence[tuple[int, int]], profile: Profile) -> float:
    """What a detection at this row earns (inside a window) or costs (outside), before 'first only'."""
    for first, last in windows:
        if first <= row <= last:
            width = last - first + 1
            return profile.hit * position_value(-(last - row + 1) / width) / position_value(-1.0)
    before = [span for span in windows if span[1] < row]
    if not before:
        return -profile.false
    first, last = max(before, key=lambda span: span[1])
    return profile.false * position_value((row - last) / max(1, last - first))


def raw_score(flags: Sequence[int], series: Series, profile: Profile) -> float:
    """The unscaled score of the rows flagged in one series."""
    probation = min(int(0.15 * len(series.values)), 750)
    first_hit: dict[tuple[int, int], float] = {}
    total = 0.0
    for row in flags:
        if row < probation:
            continue
        value = detection_value(row, series.windows, profile)
        window = next((w for w in series.windows if w[0] <= row <= w[1]), None)
        if window is None:
            total += value
        else:
            first_hit[window] = max(first_hit.get(window, -math.inf), value)
    return total + sum(first_hit.get(w, -profile.miss) for w in series.windows)


def nab(
    scores: Sequence[Sequence[float]], series: Sequence[Series], profile: Profile, cut: float
) -> float:
    """The scaled score of all series together, where a row is flagged at a score of ``cut``."""
    raw = windows = 0.0
    for values, one in zip(scores, series, strict=True):
        flags = [row for row, score in enumerate(values) if score >= cut]
        raw += raw_score(flags, one, profile)
        windows += len(one.windows)
    null = -profile.miss * windows
    return 100 * (raw - null) / (profile.hit * windows - null)


def best(
    scores: Sequence[Sequence[float]], series: Sequence[Series], profile: Profile
) -> tuple[float, float]:
    """The best score at one threshold for all series, and that threshold."""
    levels = np.unique(np.concatenate([np.asarray(s) for s in scores]))
    cuts = np.unique(np.concatenate([levels[-150:], np.quantile(levels, np.linspace(0.5, 1, 80))]))
    return max((nab(scores, series, profile, float(cut)), float(cut)) for cut in cuts)


def judge(series: Sequence[Series], settings: WatchSettings) -> list[list[float]]:
    return [[r.score for r in score_series(s.stamps, s.values, settings)] for s in series]


def reversed_in_time(one: Series) -> Series:
    """The same series run backwards: new data, of a kind, for a detector that only looks back."""
    end = len(one.values) - 1
    windows = sorted((end - b, end - a) for a, b in one.windows)
    return Series(one.name + " reversed", one.stamps, one.values[::-1], windows)


def thinned(one: Series, keep: float, rng: np.random.Generator) -> Series:
    """As if only this part of the posts had been seen: a smaller brand with the same story."""
    values = rng.binomial(np.asarray(one.values, dtype=int), keep).astype(float).tolist()
    return replace(one, name=f"{one.name} x {keep:g}", values=values)


def both(scores: Sequence[Sequence[float]], series: Sequence[Series]) -> str:
    return " | ".join(f"{nab(scores, series, p, 0.5):.1f}" for p in PROFILES[:2])


def held_out(series: Sequence[Series], thresholds: Sequence[float]) -> list[str]:
    """For each series: the threshold that is best on the other four, and what it earns on this one."""
    judged = {t: judge(series, WatchSettings(threshold=t)) for t in thresholds}
    lines, raws = [], dict.fromkeys((p.name for p in PROFILES[:2]), 0.0)
    windows = sum(len(s.windows) for s in series)
    for left, one in enumerate(series):
        others = [i for i in range(len(series)) if i != left]
        chosen = max(
            thresholds,
            key=lambda t: sum(
                nab([judged[t][i] for i in others], [series[i] for i in others], p, 0.5)
                for p in PROFILES[:2]
            ),
        )
        for profile in PROFILES[:2]:
            flags = [row for row, s in enumerate(judged[chosen][left]) if s >= 0.5]
            raws[profile.name] += raw_score(flags, one, profile)
        lines.append(f"| {one.name} | {chosen:g} | {both([judged[chosen][left]], [one])} |")
    total = [100 * (raws[p.name] + windows) / (2 * windows) for p in PROFILES[:2]]
    return [*lines, f"| **all five, each held out** | | {total[0]:.1f} | {total[1]:.1f} |"]


def agrees(scores: Sequence[Sequence[float]], series: Sequence[Series]) -> str:
    """Compare with the other scorer, where it is there."""
    if not OTHER_SCORER.exists():
        return "The other scorer is not here: not compared."
    spec = importlib.util.spec_from_file_location("nab_score", OTHER_SCORER)
    assert spec is not None
    assert spec.loader is not None
    other = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(other)
    rows = [
        (s.stamps, list(v), [(s.stamps[a], s.stamps[b]) for a, b in s.windows])
        for s, v in zip(series, scores, strict=True)
    ]
    worst = max(abs(other.flagged(rows, p.name) - nab(scores, series, p, 0.5)) for p in PROFILES)
    assert worst < 1e-9, f"the two scorers differ by {worst}"
    return f"`nab_score.py` gives the same figures (largest difference {worst:.0e})."


def report(folder: Path) -> str:
    series = load(folder)
    settings = WatchSettings()
    began = time.process_time()
    scores = judge(series, settings)
    spent = time.process_time() - began
    rows = sum(len(s.values) for s in series)
    lines = [
        "# NAB, Twitter volume",
        "",
        "Made by `python benchmarks/nab.py --write`. One setting for all series.",
        "",
        "| detector | standard | low false positives |",
        "| --- | --- | --- |",
        f"| **Groundswell, as flagged** | {both(scores, series)} |",
        "| Groundswell, best single threshold | "
        + " | ".join(f"{best(scores, series, p)[0]:.1f}" for p in PROFILES[:2])
        + " |",
        *(f"| {name} (published) | {a} | {b} |" for name, (a, b) in PUBLISHED.items()),
        "",
        agrees(scores, series),
        f"{rows:,} rows took {spent:.1f} s of one core's time ({platform.machine()},"
        f" Python {platform.python_version()}).",
        "",
        "## By series, as flagged",
        "",
        "| series | standard | low false positives |",
        "| --- | --- | --- |",
        *(f"| {s.name} | {both([v], [s])} |" for s, v in zip(series, scores, strict=True)),
        "",
        "## Is it fitted to these five?",
        "",
        "The threshold chosen on four series, spent on the fifth:",
        "",
        "| series held out | threshold | standard | low false positives |",
        "| --- | --- | --- | --- |",
        *held_out(series, [1.5, 1.6, 1.7, 1.8, 1.9, 2.0, 2.1, 2.2, 2.3, 2.4]),
        "",
        "The same settings on the series run backwards and thinned to fewer posts:",
        "",
        "| series | standard | low false positives |",
        "| --- | --- | --- |",
    ]
    rng = np.random.default_rng(20150227)
    back = [reversed_in_time(s) for s in series]
    variants = {
        "backwards": back,
        "30 % of the posts": [thinned(s, 0.3, rng) for s in series],
        "10 % of the posts": [thinned(s, 0.1, rng) for s in series],
        "backwards, 30 % of the posts": [thinned(s, 0.3, rng) for s in back],
    }
    lines += [f"| {name} | {both(judge(v, settings), v)} |" for name, v in variants.items()]
    lines += [
        "",
        "One setting changed at a time:",
        "",
        "| setting | standard | low false positives |",
        "| --- | --- | --- |",
    ]
    changes: dict[str, Sequence[float]] = {
        "threshold": (1.6, 1.7, 1.8, 2.0, 2.1, 2.2),
        "window_hours": (2.0, 2.5, 3.5, 4.0, 5.0),
        "cooldown_hours": (12.0, 24.0, 30.0),
        "level_half_life_days": (3.0, 14.0),
        "rhythm_half_life_days": (7.0, 28.0),
        "dispersion_half_life_days": (10.0, 40.0),
        "rhythm_prior_days": (2.0, 16.0),
    }
    for name, values in changes.items():
        for value in values:
            other = judge(series, replace(settings, **{name: value}))
            lines.append(f"| {name} = {value:g} | {both(other, series)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=DATA)
    parser.add_argument("--write", action="store_true", help="keep the table in benchmarks/nab.md")
    options = parser.parse_args()
    text = report(options.folder)
    print(text)
    if options.write:
        (HERE / "nab.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
