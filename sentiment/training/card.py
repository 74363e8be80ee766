"""The measured part of the model card, between two marks in its text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

BEGIN, END = "<!-- measures: begin -->", "<!-- measures: end -->"


def table(measures: dict[str, Any]) -> str:
    """Quality by language, full model and fast exit side by side, then the coverage curve."""
    full, fast = measures["full"], measures["fast"]
    lines = [
        "| language | posts | macro recall | macro F1 | calibration error | macro recall at 80 % "
        "| fast: macro F1 |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, m in full["languages"].items():
        lines.append(
            f"| {name.replace('_', ' ')} | {m['n']} | {m['macro_recall']} | {m['macro_f1']} "
            f"| {m['ece']:.3f} "
            f"| {m['macro_recall_at_80']} | {fast['languages'][name]['macro_f1']} |"
        )
    lines += [
        "",
        f"Average macro F1 over XLM-T's eight languages: {full['xlmt_average']} "
        f"(fast: {fast['xlmt_average']}).",
        "",
        "| posts kept | confidence at least | accuracy | macro recall |",
        "| ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {p['coverage']:.0%} | {p['threshold']:.2f} | {100 * p['accuracy']:.1f} "
        f"| {100 * p['macro_recall']:.1f} |"
        for p in full["coverage"]
    ]
    return "\n".join(lines)


def update(card: Path, measures: dict[str, Any]) -> None:
    """Replace what stands between the marks."""
    text = card.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN, 1)
    _, after = rest.split(END, 1)
    card.write_text(f"{before}{BEGIN}\n{table(measures)}\n{END}{after}", encoding="utf-8")
