"""Step 8: the figures of the card: every val file through the shipped judge, as a user would."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sentiment import language as languages
from sentiment.evaluate import report
from sentiment.model import LABELS, Bundled, Item, Judgement
from sentiment.text import normalise
from sentiment.training.calibrate import Rows
from sentiment.training.data import airline_spans, read_tsv, reread, verify

SLICES = {
    "emoji": re.compile("[\u2600-\u27bf\U0001f300-\U0001faff]"),
    "laughter": re.compile(
        r"\b(?:(?:ha|ja|he|ah|rs|wk){2,}\w*|lo+l+|lmao|k{3,}|5{3,})", re.IGNORECASE
    ),
    "elongated words": re.compile(r"([^\W\d_])\1\1"),
    "irony marks": re.compile(
        r"#(?:not|sarcas\w*|irony|ironi\w*|ironie)\b|\byeah,? right\b|\boh (?:great|joy|look)\b|🙄|🙃",
        re.IGNORECASE,
    ),
    "negation (English)": re.compile(
        r"\b(?:not|never|no|nothing|nobody|\w+n['’]t|can't)\b", re.IGNORECASE
    ),
    "question": re.compile(r"[?؟]"),
}
"""Posts looked at on purpose; negation is counted in English only."""
XLMT = ("arabic", "english", "french", "german", "hindi", "italian", "portuguese", "spanish")


def val_rows(judge: Bundled, shared: Path) -> dict[str, Rows]:
    """Raw logits of every val row, grouped by the language that serving detects; Hindi as read."""
    logits, early = defaultdict(list), defaultdict(list)
    labels, source = defaultdict(list), defaultdict(list)
    for number, path in enumerate(sorted((shared / "sentiment").glob("*/val.tsv"))):
        rows = read_tsv(path)
        rows = reread(rows, "val") if path.parent.name == "hindi" else rows
        keys = [(normalise(text), ()) for _, text in rows]
        scored = judge.scores(keys)  # kept by the judge: measuring afterwards costs nothing
        for (label, _), key, told in zip(
            rows, keys, languages.detect([t for _, t in rows]), strict=True
        ):
            logits[told.code].append(scored[key].logits)
            early[told.code].append(scored[key].early)
            labels[told.code].append(LABELS.index(label))
            source[told.code].append(number)
    return {
        code: _drop_strays(
            Rows(*map(np.array, (logits[code], labels[code], source[code], early[code])))
        )
        for code in logits
    }


def _drop_strays(rows: Rows) -> Rows:
    """Leave out sources with few of a language's rows: mistakes of the detector, such as Hinglish taken
    for Pidgin, which would weigh as much as the language itself."""
    counts = np.bincount(rows.source)
    keep = counts[rows.source] >= max(20, 0.12 * len(rows.source))
    rows = rows.part(keep) if keep.any() else rows
    _, again = np.unique(rows.source, return_inverse=True)
    return Rows(rows.logits, rows.labels, again, rows.early)


def measure(judge: Bundled, shared: Path) -> dict[str, Any]:
    """Quality by language on val, in per cent, language told from each text.

    Hindi is measured twice: by the labels that came with it, and (``hindi_read``) by our own.
    """
    out: dict[str, Any] = {}
    pooled: list[tuple[str, str, float]] = []
    kinds: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for path in sorted((shared / "sentiment").glob("*/val.tsv")):
        name, rows = path.parent.name, read_tsv(path)
        out[name], said = _quality(judge, rows)
        for (label, text), found in zip(rows, said, strict=True):
            pooled.append((label, found.label, found.confidence))
            for kind in _kinds(text, name):
                kinds[kind].append((label, found.label))
        if name == "hindi":
            out["hindi_read"], _ = _quality(judge, reread(rows, "val"))
    curve = report(*map(list, zip(*pooled, strict=True)))["coverage"]
    f1 = {name: out[name]["macro_f1"] for name in out}
    return {
        "languages": out,
        "xlmt_average": round(sum(f1[n] for n in XLMT) / len(XLMT), 1),
        "xlmt_average_read": round(
            sum(f1["hindi_read" if n == "hindi" else n] for n in XLMT) / len(XLMT), 1
        ),
        "slices": {name: _slice(kinds[name]) for name in sorted(kinds)},
        "coverage": [{k: round(v, 3) for k, v in point.items()} for point in curve],
    }


def _quality(
    judge: Bundled, rows: Sequence[tuple[str, str]]
) -> tuple[dict[str, Any], list[Judgement]]:
    """Figures of (label, text) rows, and what the judge said of each."""
    said = judge.judge([Item(text) for _, text in rows])
    result = report([lab for lab, _ in rows], [j.label for j in said], [j.confidence for j in said])
    at_80 = next(p for p in result["coverage"] if p["coverage"] == 0.8)
    figures = {
        "n": result["n"],
        "accuracy": round(100 * result["accuracy"], 1),
        "macro_recall": round(100 * result["macro_recall"], 1),
        "macro_f1": round(100 * result["macro_f1"], 1),
        "ece": round(result["ece"], 3),
        "macro_recall_at_80": round(100 * at_80["macro_recall"], 1),
    }
    return figures, said


def _kinds(text: str, name: str) -> list[str]:
    """Which of the slices a post belongs to; Hinglish is the Hindi set's Latin part."""
    out = [
        k for k, p in SLICES.items() if p.search(text) and ("English" not in k or name == "english")
    ]
    words = len(text.split())
    if words <= 8 or words > 30:
        out.append("eight words or fewer" if words <= 8 else "over thirty words")
    return [*out, "all", *(["Hinglish"] if name == "hindi" and text.isascii() else [])]


def _slice(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    gold, guess = zip(*pairs, strict=True)
    found = report(gold, guess, [1.0] * len(gold))
    wrong = [f"{a} as {b}" for a, b in pairs if a != b]
    return {
        "n": len(pairs),
        "accuracy": round(100 * found["accuracy"], 1),
        "macro_f1": round(100 * found["macro_f1"], 1),
        "commonest_error": max(set(wrong), key=wrong.count) if wrong else "none",
    }


def two_brands(judge: Bundled, shared: Path, file: Path) -> dict[str, Any]:
    """How often the label toward each of two brands in one post is right.

    ``file`` names the posts by row of the airline set and a prefix of their SHA-256, with our own
    label toward each brand; the posts themselves are not copied. None of them was trained on.
    """
    with (shared / "airline" / "tweets.csv").open(encoding="utf-8", newline="") as lines:
        texts = [row["text"] for row in csv.DictReader(lines)]
    items, gold, post = [], [], []
    for line in file.read_text(encoding="utf-8").splitlines()[1:]:
        row, digest, brand, label = line.split("\t")
        text = texts[int(row)]
        verify(text, digest, f"row {row} of the airline set")
        first, *rest = airline_spans(text, brand)
        items.append(Item(text, first, also=tuple(rest)))
        gold.append(label)
        post.append(row)
    guess = [said.label for said in judge.judge(items)]
    plain = [said.label for said in judge.judge([Item(item.text) for item in items])]
    mixed = {p for p in post if len({g for g, q in zip(gold, post, strict=True) if q == p}) > 1}
    # Some of the training's clauses were written after the posts of even rows had been read.
    unread = [i for i, row in enumerate(post) if int(row) % 2]
    torn = [i for i, p in enumerate(post) if p in mixed]
    return {
        "posts": len(set(post)),
        "labels": len(gold),
        "accuracy": sum(a == b for a, b in zip(gold, guess, strict=True)) / len(gold),
        "accuracy_without_target": sum(a == b for a, b in zip(gold, plain, strict=True))
        / len(gold),
        "labels_unread": len(unread),
        "accuracy_unread": sum(gold[i] == guess[i] for i in unread) / len(unread),
        "labels_in_mixed_posts": len(torn),
        "accuracy_in_mixed_posts": sum(gold[i] == guess[i] for i in torn) / len(torn),
        "without_target_in_mixed_posts": sum(gold[i] == plain[i] for i in torn) / len(torn),
        "macro_f1": report(gold, guess, [1.0] * len(gold))["macro_f1"],
    }
