"""The measured part of the model card, between two marks in its text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

NAMES = {"hindi": "hindi, labels as they came", "hindi_read": "hindi, labels read anew"}
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
        said = NAMES.get(name, name.replace("_", " "))
        lines.append(
            f"| {said} | {m['n']} | {m['macro_recall']} | {m['macro_f1']} | {m['ece']:.3f} "
            f"| {m['macro_recall_at_80']} | {fast['languages'][name]['macro_f1']} |"
        )
    lines += [
        "",
        f"Average macro F1 over XLM-T's eight languages: {full['xlmt_average']} "
        f"(fast: {fast['xlmt_average']}); with Hindi's labels read anew "
        f"{full['xlmt_average_read']} (fast: {fast['xlmt_average_read']}).",
        "",
        "| posts kept | confidence at least | accuracy | macro recall |",
        "| ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {p['coverage']:.0%} | {p['threshold']:.2f} | {100 * p['accuracy']:.1f} "
        f"| {100 * p['macro_recall']:.1f} |"
        for p in full["coverage"]
    ]
    return "\n".join([*lines, "", *_brands(measures), "", *_slices(full["slices"])])


def _brands(measures: dict[str, Any]) -> list[str]:
    """What the marked target does on posts that name two brands."""
    full, fast = measures["full"]["two_brands"], measures["fast"]["two_brands"]
    return [
        "## Two brands in one post",
        "",
        f"{full['posts']} airline posts that name two airlines, {full['labels']} labels given by "
        "reading (`tests/sentiment/data/two_brands.tsv`); none of them was trained on.",
        "",
        "| | target marked | not marked | fast, marked |",
        "| --- | ---: | ---: | ---: |",
        f"| right, all labels | {_per_cent(full, 'accuracy')} "
        f"| {_per_cent(full, 'accuracy_without_target')} "
        f"| {_per_cent(fast, 'accuracy')} |",
        f"| right, the {full['labels_unread']} labels of posts that nobody had read when the "
        f"training's own sentences were written | {_per_cent(full, 'accuracy_unread')} "
        f"| | {_per_cent(fast, 'accuracy_unread')} |",
        "| right, posts that feel differently about the two "
        f"({full['labels_in_mixed_posts']} labels) "
        f"| {_per_cent(full, 'accuracy_in_mixed_posts')} "
        f"| {_per_cent(full, 'without_target_in_mixed_posts')} "
        f"| {_per_cent(fast, 'accuracy_in_mixed_posts')} |",
    ]


def _per_cent(part: dict[str, Any], key: str) -> str:
    return f"{100 * part[key]:.1f}"


def _slices(slices: dict[str, Any]) -> list[str]:
    """Kinds of post looked at on purpose, over all val files."""
    return [
        "## Errors, looked at on purpose",
        "",
        "| posts with | n | accuracy | macro F1 | commonest error |",
        "| --- | ---: | ---: | ---: | --- |",
        *(
            f"| {name} | {s['n']} | {s['accuracy']} | {s['macro_f1']} | {s['commonest_error']} |"
            for name, s in slices.items()
        ),
    ]


def update(card: Path, measures: dict[str, Any]) -> None:
    """Replace what stands between the marks."""
    text = card.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN, 1)
    _, after = rest.split(END, 1)
    card.write_text(f"{before}{BEGIN}\n{table(measures)}\n{END}{after}", encoding="utf-8")
