"""Counts how people misspell English words, and writes listener/data/errors.json.

The pairs are those of codespell's dictionary (62,830 one-word pairs of a wrong and a right spelling,
gathered from Wikipedia's list of common misspellings and from source code by many hands; CC BY-SA 3.0).
Only counts leave this script: which letter was dropped, doubled, swapped or mistaken for which, how
often at the start of a word, and how many errors a wrong word holds. No pair is kept.

Run ``pip install codespell && python benchmarks/error_statistics.py`` to make the file again.
"""

from __future__ import annotations

import json
from collections import Counter
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

OUT = Path(__file__).resolve().parents[1] / "listener" / "data" / "errors.json"


def align(name: str, variant: str) -> list[tuple[str, str, str, int]]:
    """The cheapest edits (kind, from, to, position) that make ``variant`` of ``name``."""
    n, m = len(name), len(variant)
    d = [[i + j if not i or not j else 0 for j in range(m + 1)] for i in range(n + 1)]

    def swapped(i: int, j: int) -> bool:
        return (
            i > 1
            and j > 1
            and name[i - 2 : i] == variant[j - 2 : j][::-1]
            and name[i - 1] != name[i - 2]
        )

    for i in range(1, n + 1):
        for j in range(1, m + 1):
            wrong = name[i - 1] != variant[j - 1]
            d[i][j] = min(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + wrong)
            if swapped(i, j):
                d[i][j] = min(d[i][j], d[i - 2][j - 2] + 1)
    edits: list[tuple[str, str, str, int]] = []
    i, j = n, m
    while i or j:
        if i and j and name[i - 1] == variant[j - 1] and d[i][j] == d[i - 1][j - 1]:
            i, j = i - 1, j - 1
        elif swapped(i, j) and d[i][j] == d[i - 2][j - 2] + 1:
            edits.append(("swap", name[i - 2], name[i - 1], i - 2))
            i, j = i - 2, j - 2
        elif i and j and d[i][j] == d[i - 1][j - 1] + 1:
            edits.append(("sub", name[i - 1], variant[j - 1], i - 1))
            i, j = i - 1, j - 1
        elif i and d[i][j] == d[i - 1][j] + 1:
            twin = name[i - 1] in (name[i - 2 : i - 1], name[i : i + 1])
            edits.append(("single" if twin else "drop", name[i - 1], "", i - 1))
            i -= 1
        else:
            twin = variant[j - 1] in (name[i - 1 : i], name[i : i + 1])
            edits.append(("double" if twin else "add", "", variant[j - 1], i))
            j -= 1
    return edits


def main() -> None:
    counts: dict[str, Counter[str]] = {
        k: Counter() for k in ("sub", "swap", "drop", "single", "double", "add")
    }
    first: Counter[str] = Counter()
    letters: Counter[str] = Counter()
    pairs: Counter[str] = Counter()
    errors: Counter[int] = Counter()
    twins: Counter[str] = Counter()
    words = 0
    source = files("codespell_lib") / "data" / "dictionary.txt"
    for line in source.read_text(encoding="utf-8").splitlines():
        wrong, _, right = line.partition("->")
        right = right.split(",")[0].strip()
        both = wrong + right
        if not (both.isascii() and both.isalpha() and len(right) >= 4):
            continue
        wrong, right = wrong.lower(), right.lower()
        edits = align(right, wrong)
        if not 1 <= len(edits) <= 3:
            continue
        words += 1
        errors[len(edits)] += 1
        letters.update(right)
        for a, b in pairwise(right):
            pairs[a + b] += 1
            twins[a] += a == b
        for kind, a, b, position in edits:
            counts[kind][a + b] += 1
            first[kind] += position == 0
    OUT.parent.mkdir(exist_ok=True)
    statistics = {
        "source": "codespell 2.4.3, dictionary.txt (CC BY-SA 3.0): counts only; "
        "made by benchmarks/error_statistics.py",
        "words": words,
        "errors": {str(k): v for k, v in sorted(errors.items())},
        "first": dict(sorted(first.items())),
        "letters": dict(sorted(letters.items())),
        "pairs": dict(sorted(pairs.items())),
        "twins": {k: v for k, v in sorted(twins.items()) if v},
        **{kind: dict(sorted(c.items())) for kind, c in counts.items()},
    }
    OUT.write_text(json.dumps(statistics, separators=(",", ":")) + "\n", encoding="utf-8")
    print(words, "pairs;", {k: sum(c.values()) for k, c in counts.items()}, "first:", dict(first))


if __name__ == "__main__":
    main()
