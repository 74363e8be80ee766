"""Real posts that name two things or more, read: how each is seen (``targets_read.tsv``).

Posts of the airline set (one airline and another company), of the English set and of the support
threads were read by us, and the things they name labelled one by one. The file has, for each label,
the source, the row, a prefix of the post's SHA-256 and the span of the name; the posts themselves stay
where they are. Airline posts that name two airlines are not among them: they are the test.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Sequence
from pathlib import Path

from sentiment.training.data import LABELS, read_tsv, verify
from sentiment.training.templates import NAMES

FILE = Path(__file__).with_name("targets_read.tsv")
Marked = tuple[str, tuple[int, int], int]
"""A post, the span of a name in it, and the label toward that (its place in LABELS)."""
RENAMED = 0.35
"""How often a copy under another name is made, so that no name is learned to be good or bad."""


def sources(shared: Path) -> dict[str, list[str]]:
    """The posts of each source, by row, as they stand in its file."""
    airline, support = (
        shared / "airline" / "tweets.csv",
        shared / "support_threads" / "twcs_head.csv",
    )
    out = {}
    for name, path in (("airline", airline), ("support", support)):
        with path.open(encoding="utf-8", newline="") as lines:
            out[name] = [row["text"] or "" for row in csv.DictReader(lines)]
    out["english"] = [text for _, text in read_tsv(shared / "sentiment" / "english" / "train.tsv")]
    return out


def read(shared: Path) -> list[Marked]:
    """Every label of the file with its post; ValueError if a row is not the post that was read."""
    posts = sources(shared)
    out: list[Marked] = []
    for line in FILE.read_text(encoding="utf-8").splitlines()[1:]:
        source, row, digest, start, end, label = line.split("\t")
        text = posts[source][int(row)]
        verify(text, digest, f"row {row} of the {source} set")
        out.append((text, (int(start), int(end)), LABELS.index(label)))
    return out


def with_other_names(rng: random.Random, posts: Sequence[Marked]) -> list[Marked]:
    """``posts``, and for some of them a copy in which the marked name is another one."""
    out = list(posts)
    for text, (start, end), label in posts:
        if rng.random() < RENAMED:
            name = rng.choice(NAMES)
            out.append((text[:start] + name + text[end:], (start, start + len(name)), label))
    return out
