"""Step 7: temperature, noise and bias by language, chosen on val and kept only where it says they help.

Rows are grouped by the language that serving would *detect*, since that is all it will know. A
language's own scale must beat the shared one on folds that it was not fitted on (five-fold
cross-fitting inside val); where several sources share a code (Portuguese of Brazil and of
Mozambique), none of them may lose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sentiment.evaluate import calibration_error

Floats = npt.NDArray[np.float64]
FOLDS, LEAST_ROWS, SEEDS = 5, 250, (7, 8, 9)
Scale = tuple[float, Sequence[float], float]
"""Temperature, bias, noise."""
TEMPERATURES = np.round(np.arange(0.3, 2.55, 0.05), 2)
NOISES = np.round(np.arange(0.0, 0.65, 0.05), 2)
BIASES = np.round(np.arange(-2.0, 2.1, 0.2), 2)


@dataclass
class Rows:
    """Val rows of one detected language: logits [n, 3], labels [n], and which source each is from."""

    logits: Floats
    labels: npt.NDArray[np.int64]
    source: npt.NDArray[np.int64]

    def part(self, keep: npt.NDArray[np.bool_]) -> Rows:
        return Rows(self.logits[keep], self.labels[keep], self.source[keep])

    def weights(self) -> Floats:
        """Every source counts the same, however many rows it has."""
        counts = np.bincount(self.source, minlength=int(self.source.max()) + 1)
        w = 1.0 / counts[self.source]
        return np.asarray(w / w.sum(), dtype=float)


def probabilities(
    logits: Floats, temperature: float, bias: Sequence[float], noise: float = 0.0
) -> Floats:
    """The formula that serving uses (sentiment/calibration.py), on arrays."""
    z = (logits + np.asarray(bias)) / temperature
    e = np.exp(z - z.max(1, keepdims=True))
    return np.asarray((1 - noise) * e / e.sum(1, keepdims=True) + noise / 3)


def quality(rows: Rows, bias: Sequence[float], measure: str) -> Floats:
    """Macro F1 (or macro recall) of each source under ``bias``."""
    guess = (rows.logits + np.asarray(bias)).argmax(1)
    out = []
    for s in np.unique(rows.source):
        mine = rows.source == s
        table = np.zeros((3, 3))
        np.add.at(table, (rows.labels[mine], guess[mine]), 1)
        hit = table.diagonal()
        if measure == "recall":
            out.append((hit / np.maximum(table.sum(1), 1)).mean())
        else:
            out.append((2 * hit / np.maximum(table.sum(0) + table.sum(1), 1)).mean())
    return np.array(out)


def fit_bias(rows: Rows, measure: str) -> tuple[float, float, float]:
    """The bias of negative and positive (neutral stays 0) with the best mean quality, small first."""
    best, found = -1.0, (0.0, 0.0, 0.0)
    for a in BIASES:
        for b in BIASES:
            score = quality(rows, (a, 0.0, b), measure).mean() - 0.004 * (abs(a) + abs(b))
            if score > best:
                best, found = float(score), (float(a), 0.0, float(b))
    return found


def fit_scale(rows: Rows, bias: Sequence[float]) -> tuple[float, float]:
    """The temperature and noise with the least calibration error, weighed with the likelihood for
    steadiness."""
    w, sources = rows.weights(), [rows.source == s for s in np.unique(rows.source)]
    best, found = 1e9, (1.0, 0.0)
    for t in TEMPERATURES:
        plain = probabilities(rows.logits, float(t), bias)
        right = plain.argmax(1) == rows.labels
        for noise in NOISES:
            p = (1 - noise) * plain + noise / 3
            loss = -(w * np.log(p[np.arange(len(p)), rows.labels] + 1e-9)).sum()
            gap = np.mean([_gap(p[mine], right[mine]) for mine in sources])
            if 0.2 * loss + gap < best - 1e-4:
                best, found = float(0.2 * loss + gap), (float(t), float(noise))
    return found


def ece(rows: Rows, temperature: float, bias: Sequence[float], noise: float = 0.0) -> float:
    """Expected calibration error of the likeliest label."""
    p = probabilities(rows.logits, temperature, bias, noise)
    return _gap(p, p.argmax(1) == rows.labels)


def _gap(p: Floats, right: npt.NDArray[np.bool_]) -> float:
    return calibration_error(p.max(1).tolist(), right.tolist())


def folds(n: int, seed: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng(seed).permutation(np.arange(n) % FOLDS)


def cross_fitted(rows: Rows, shared: Scale, measure: str) -> tuple[Floats, float]:
    """What a language's own bias gains in each source, and its own scale in calibration error.

    Both on rows that they were not fitted on. The rows of all folds are measured together: a fold of a
    language with 21 neutral posts has four of them, and its macro figures are chance.
    """
    gains, gaps = [], []
    for seed in SEEDS:
        fold = folds(len(rows.labels), seed)
        tilted = rows.logits + np.asarray(shared[1])
        scaled = np.zeros_like(rows.logits)
        for k in range(FOLDS):
            fitted, held = rows.part(fold != k), fold == k
            tilted[held] = rows.logits[held] + np.asarray(fit_bias(fitted, measure))
            t, noise = fit_scale(fitted, shared[1])
            scaled[held] = probabilities(rows.logits[held], t, shared[1], noise)
        gains.append(
            quality(Rows(tilted, rows.labels, rows.source), (0.0, 0.0, 0.0), measure)
            - quality(rows, shared[1], measure)
        )
        plain = probabilities(rows.logits, *shared)
        gaps.append(gap_by_source(rows, plain) - gap_by_source(rows, scaled))
    return np.mean(gains, axis=0), float(np.mean(gaps))


def gap_by_source(rows: Rows, p: Floats) -> float:
    """Mean calibration error of the sources, each by itself."""
    right = p.argmax(1) == rows.labels
    sources = (rows.source == s for s in np.unique(rows.source))
    return float(np.mean([_gap(p[mine], right[mine]) for mine in sources]))


def own_scale(rows: Rows, shared: Scale, measure: str) -> dict[str, Any] | None:
    """A language's own scale if cross-fitting says that it helps, else None."""
    if len(rows.labels) < LEAST_ROWS:
        return None
    gain, gap = cross_fitted(rows, shared, measure)
    # few rows show gains by chance: ask for about a quarter of the measure's standard error
    wanted = max(0.004, 0.25 / len(rows.labels) ** 0.5)
    use_bias = gain.mean() > wanted and gain.min() > -0.004
    if not use_bias and gap <= 0.0:
        return None
    bias: Sequence[float] = fit_bias(rows, measure) if use_bias else shared[1]
    temperature, noise = fit_scale(rows, bias)
    return {
        "temperature": temperature,
        "bias": list(bias),
        "noise": noise,
        "rows": len(rows.labels),
        "gain": round(float(gain.mean()), 4) if use_bias else 0.0,
    }


def fit(by_code: dict[str, Rows]) -> dict[str, Any]:
    """The ``calibration`` part of the configuration, from val rows by detected language."""
    every = [r for r in by_code.values() if len(r.labels) >= 50]
    pooled = Rows(
        np.concatenate([r.logits for r in every]),
        np.concatenate([r.labels for r in every]),
        np.concatenate([np.full(len(r.labels), i) for i, r in enumerate(every)]),
    )
    bias = (0.0, 0.0, 0.0)
    temperature, noise = fit_scale(pooled, bias)
    shared = (temperature, bias, noise)
    languages = {}
    for code, rows in sorted(by_code.items()):
        if code == "unknown":
            continue
        scale = own_scale(rows, shared, "recall" if code == "en" else "f1")
        if scale is not None:
            languages[code] = scale
    own = {"temperature": temperature, "bias": list(bias), "noise": noise}
    return {"shared": own, "languages": languages}
