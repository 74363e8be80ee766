"""Injected spikes: how many are found, how soon, at how many false alarms, and what a tick costs.

    python benchmarks/spikes.py [--brands 100] [--regions 30] [--days 60] [--write]

Series: brands differ in size by a log-normal, regions share a brand's posts by another; each region
has its own time of day, each series a weekly rhythm, a slow trend and an over-dispersion between 0.01
and 0.1 (the variance of an hour's count is mean + dispersion x mean^2; the hourly Twitter volumes of
NAB have 0.03 to 0.5, ordinary ones of smaller brands less). Three weeks in, each series gets one
spike of six hours: its usual rate times a factor, drawn from the same distribution. A spike counts as
found within two buckets when it is told by the end of the second hour after the one it began in.
False alarms are counted in the same series without any spikes.

Prints the tables of benchmarks/spikes.md and, with --write, keeps them there.
"""

from __future__ import annotations

import argparse
import platform
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sentiment.spikes import DEFAULT, Detector, Finding, find_in_arrays

HERE = Path(__file__).resolve().parent
Array = NDArray[np.float64]
LENGTH = 6  # hours of a spike


def world(
    brands: int, regions: int, days: int, seed: int, dispersion: tuple[float, float] = (0.01, 0.1)
) -> tuple[Array, Array, Array, np.random.Generator]:
    """Usual means and counts, both (hours, series), and each series' dispersion."""
    rng = np.random.default_rng(seed)
    hours, series = days * 24, brands * regions
    size = np.exp(rng.normal(np.log(150), 1.0, brands))  # posts of a brand in an hour
    part = np.exp(rng.normal(0, 1.3, (brands, regions)))
    part /= part.sum(axis=1, keepdims=True)
    rate = (size[:, None] * part).reshape(-1)
    hour = np.arange(hours)[:, None]
    shift = np.tile(rng.uniform(0, 24, regions), brands)[None]
    swing = rng.uniform(0.3, 0.9, series)[None]
    week = rng.uniform(0.0, 0.3, series)[None]
    trend = rng.normal(0, 0.15, series)[None]  # over the whole time, in logarithms
    shape = np.exp(
        swing * np.sin(2 * np.pi * (hour - shift) / 24)
        + week * np.sin(2 * np.pi * (hour - shift) / 168)
        + trend * hour / hours
    )
    mean = rate[None] * shape / shape.mean(axis=0)
    low, high = dispersion
    alpha = np.exp(rng.uniform(np.log(low), np.log(high), series))
    counts = rng.poisson(mean * rng.gamma(1 / alpha, alpha, mean.shape)).astype(float)
    return mean, counts, alpha, rng


def inject(
    mean: Array, counts: Array, alpha: Array, factor: float, rng: np.random.Generator
) -> tuple[Array, NDArray[np.int64]]:
    """One spike a series, at a random hour after three weeks. Returns counts and the hours."""
    hours, series = mean.shape
    out = counts.copy()
    at = rng.integers(21 * 24, hours - 2 * LENGTH, series)
    rows = at[None] + np.arange(LENGTH)[:, None]
    columns = np.arange(series)[None]
    extra = (factor - 1) * mean[rows, columns]
    out[rows, columns] += rng.poisson(extra * rng.gamma(1 / alpha, alpha, extra.shape))
    return out, at


def delays(found: list[list[Finding]], at: NDArray[np.int64]) -> NDArray[np.float64]:
    """Hours from the first bucket of the spike to the one that told of it; infinite for never."""
    out = np.full(len(at), np.inf)
    for row, findings in enumerate(found):
        for finding in findings:
            delay = finding.found // 3600 - at[row]
            if 0 <= delay <= LENGTH:
                out[row] = min(out[row], delay)
    return out


def table(brands: int, regions: int, days: int, factors: tuple[float, ...], seed: int) -> list[str]:
    mean, counts, alpha, rng = world(brands, regions, days, seed)
    detector = Detector(3600, "negative", DEFAULT)
    began = time.process_time()
    clean = find_in_arrays(detector, 0, counts)
    spent = time.process_time() - began
    years = counts.shape[1] * days / 365.25
    alarms = sum(map(len, clean))
    minimum = sorted(f.observed for findings in clean for f in findings)
    large = sum(o >= 20 for o in minimum)
    lines = [
        f"{brands} brands x {regions} regions x {days} days, hourly; the rates' quartiles are "
        + ", ".join(f"{q:.1f}" for q in np.quantile(counts.mean(axis=0), [0.25, 0.5, 0.75]))
        + " posts an hour.",
        "",
        f"**False alarms: {alarms} in {years:.0f} brand-region-years = {alarms / years:.2f} a"
        f" brand-region-year**, {large / years:.2f} with the 20 posts that an alert asks for.",
        f"The whole history took {spent:.0f} s of one core's time"
        f" ({1000 * spent / (days * 24):.0f} ms a tick of {counts.shape[1]} series).",
        "",
        "| factor | posts expected in the first hour | spikes | told in the first bucket | by the"
        " second | **within two buckets after the first** | within six |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    edges = ((0, 5), (5, 10), (10, 20), (20, 40), (40, 100), (100, np.inf), (20, np.inf))
    for factor in factors:
        spiked, at = inject(mean, counts, alpha, factor, rng)
        told = delays(find_in_arrays(detector, 0, spiked), at)
        expected = factor * mean[at, np.arange(len(at))]
        for low, high in edges:
            some = (expected >= low) & (expected < high)
            if not some.any():
                continue
            name = f"{low:g} to {high:g}" if np.isfinite(high) else f"**{low:g} and more**"
            shares = (f"{100 * np.mean(told[some] <= d):.1f} %" for d in (0, 1, 2, LENGTH))
            lines.append(f"| {factor:g} | {name} | {some.sum()} | {' | '.join(shares)} |")
    return lines


def by_dispersion(seed: int) -> list[str]:
    """How over-dispersion limits what can be found: 3 x, 20 posts and more, by dispersion."""
    lines = [
        "| dispersion | told by the second bucket | within two after the first | false alarms a"
        " series-year |",
        "| --- | --- | --- | --- |",
    ]
    for level in (0.001, 0.03, 0.1, 0.3):
        mean, counts, alpha, rng = world(10, 30, 60, seed, (level, level * 1.0001))
        detector = Detector(3600, "negative", DEFAULT)
        alarms = sum(map(len, find_in_arrays(detector, 0, counts)))
        spiked, at = inject(mean, counts, alpha, 3.0, rng)
        told = delays(find_in_arrays(detector, 0, spiked), at)
        some = 3 * mean[at, np.arange(len(at))] >= 20
        years = counts.shape[1] * 60 / 365.25
        lines.append(
            f"| {level:g} | {100 * np.mean(told[some] <= 1):.1f} % | "
            f"{100 * np.mean(told[some] <= 2):.1f} % | {alarms / years:.2f} |"
        )
    return lines


def tick_cost(series: int = 3000) -> list[str]:
    """One tick of five-minute buckets over many series, after some history."""
    rng = np.random.default_rng(5)
    detector = Detector(300, "negative", DEFAULT)
    state = detector.start(series)
    nothing = np.full(series, np.nan)
    rate = np.exp(rng.normal(-0.5, 1.2, series))
    for tick in range(120):  # ten days, thinly: the cost of a tick does not depend on them
        _, state = detector.step(state, tick * 7200, rng.poisson(rate).astype(float), nothing)
    state = replace(state, seen=np.full(series, 2880.0))  # warmed up: every series is judged
    spent = []
    for tick in range(20):
        counts = rng.poisson(rate).astype(float)
        wall, core = time.perf_counter(), time.process_time()
        _, state = detector.step(state, 120 * 7200 + tick * 300, counts, nothing)
        spent.append((time.process_time() - core, time.perf_counter() - wall))
    core = sorted(c for c, _ in spent)
    wall = sorted(w for _, w in spent)
    return [
        f"{series} series updated and judged at a five-minute tick: median {1000 * core[10]:.0f} ms of"
        f" one core's time, worst {1000 * core[-1]:.0f} ms (by the clock {1000 * wall[10]:.0f} and"
        f" {1000 * wall[-1]:.0f} ms); the state is {len(state.to_bytes()) / 1e6:.0f} MB.",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--brands", type=int, default=100)
    parser.add_argument("--regions", type=int, default=30)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--write", action="store_true", help="keep it in benchmarks/spikes.md")
    options = parser.parse_args()
    lines = ["# Injected spikes", "", "Made by `python benchmarks/spikes.py --write`.", ""]
    lines += table(options.brands, options.regions, options.days, (3.0, 2.0, 5.0), seed=7)
    lines += ["", "## By over-dispersion, at 3 x and 20 posts and more an hour", ""]
    lines += by_dispersion(seed=8)
    lines += ["", "## A tick", "", *tick_cost(), ""]
    lines += [f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}."]
    text = "\n".join(lines) + "\n"
    print(text)
    if options.write:
        (HERE / "spikes.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
