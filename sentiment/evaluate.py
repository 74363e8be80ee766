"""How good the judge is: macro recall, macro F1, calibration error, and quality against coverage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sentiment.errors import SentimentError
from sentiment.rules import LABELS

COVERAGES = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.5, 0.4)
BINS = 10


@dataclass(frozen=True)
class Labelled:
    """One row of a labelled file."""

    label: str
    text: str


def read_labelled(path: Path) -> list[Labelled]:
    """Read a ``label<TAB>text`` file with a header; raises SentimentError naming the line."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except FileNotFoundError:
        raise SentimentError(f"there is no file {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SentimentError(f"cannot read {path} as UTF-8 text: {error}") from error
    header = [h.strip().lower() for h in lines[0].rstrip("\r").split("\t")]
    if "label" not in header or "text" not in header:
        raise SentimentError(
            f"{path} starts with {lines[0][:60]!r}; its first line must name the columns label and "
            "text, with a tab between them"
        )
    at_label, at_text = header.index("label"), header.index("text")
    rows = []
    for number, line in enumerate(lines[1:], 2):
        if not line.strip("\r"):
            continue
        cells = line.rstrip("\r").split("\t")
        if len(cells) <= max(at_label, at_text):
            raise SentimentError(f"{path}, line {number}: found no tab between label and text")
        label = cells[at_label].strip().lower()
        if label not in LABELS:
            raise SentimentError(
                f"{path}, line {number}: the label is {label[:30]!r}; use one of {', '.join(LABELS)}"
            )
        rows.append(
            Labelled(
                label, cells[at_text] if len(cells) == len(header) else "\t".join(cells[at_text:])
            )
        )
    if not rows:
        raise SentimentError(f"{path} has a header and no rows")
    return rows


def confusion(gold: Sequence[str], guess: Sequence[str]) -> dict[str, dict[str, int]]:
    """Counts by true label, then by judged label."""
    table = {a: dict.fromkeys(LABELS, 0) for a in LABELS}
    for a, b in zip(gold, guess, strict=True):
        table[a][b] += 1
    return table


def per_label(gold: Sequence[str], guess: Sequence[str]) -> dict[str, dict[str, float]]:
    """Recall, precision, F1 and count of each label; 0 where a share is undefined (none judged so)."""
    table, out = confusion(gold, guess), {}
    for name in LABELS:
        hit, n = table[name][name], sum(table[name].values())
        judged = sum(row[name] for row in table.values())
        out[name] = {
            "n": n,
            "recall": hit / n if n else 0.0,
            "precision": hit / judged if judged else 0.0,
            "f1": 2 * hit / (n + judged) if n + judged else 0.0,
        }
    return out


def macro(parts: Mapping[str, Mapping[str, float]], measure: str) -> float:
    """Mean of ``measure`` over the labels that occur."""
    there = [part[measure] for part in parts.values() if part["n"]]
    return sum(there) / len(there) if there else 0.0


def calibration_error(confidences: npt.ArrayLike, right: npt.ArrayLike, bins: int = BINS) -> float:
    """Expected calibration error over bins of equal width (Guo et al. 2017): 0 is perfect.

    ``confidences`` (0 to 1) and whether each was ``right`` are two lists or arrays of one length.
    """
    sure = np.asarray(confidences, dtype=float)
    if not sure.size:
        return 0.0
    held = np.minimum((sure * bins).astype(int), bins - 1)
    gaps = np.bincount(held, weights=sure - np.asarray(right, dtype=float))
    return float(np.abs(gaps).sum() / sure.size)


def coverage_curve(
    gold: Sequence[str], guess: Sequence[str], confidences: Sequence[float]
) -> list[dict[str, float]]:
    """Quality of the surest share of the posts, and the threshold that leaves that share."""
    order = sorted(range(len(gold)), key=lambda i: -confidences[i])
    out = []
    for share in COVERAGES:
        kept = order[: max(1, round(share * len(order)))]
        parts = per_label([gold[i] for i in kept], [guess[i] for i in kept])
        out.append(
            {
                "coverage": share,
                "threshold": confidences[kept[-1]] if share < 1 else 0.0,
                "accuracy": sum(gold[i] == guess[i] for i in kept) / len(kept),
                "macro_recall": macro(parts, "recall"),
                "macro_f1": macro(parts, "f1"),
            }
        )
    return out


def report(
    gold: Sequence[str], guess: Sequence[str], confidences: Sequence[float]
) -> dict[str, Any]:
    """All measures of one set of judgements; shares are fractions of 1."""
    parts = per_label(gold, guess)
    right = [a == b for a, b in zip(gold, guess, strict=True)]
    return {
        "n": len(gold),
        "accuracy": sum(right) / len(right),
        "macro_recall": macro(parts, "recall"),
        "macro_f1": macro(parts, "f1"),
        "ece": calibration_error(confidences, right),
        "per_label": parts,
        "confusion": confusion(gold, guess),
        "coverage": coverage_curve(gold, guess, confidences),
    }
