"""Two airlines in one post: the label toward each, against labels that we gave by reading."""

from __future__ import annotations

from pathlib import Path

from sentiment.model import Bundled

WANTED = 0.75
LABELS = Path(__file__).parent / "data" / "two_brands.tsv"


def test_the_label_toward_each_of_two_brands(bundled: Bundled, shared_data: Path) -> None:
    from sentiment.training.measure import two_brands

    found = two_brands(bundled, shared_data, LABELS)
    assert found["posts"] >= 300
    # where the post feels differently about the two, reading it as a whole cannot be right for both
    assert found["accuracy_in_mixed_posts"] > found["without_target_in_mixed_posts"]
    assert found["accuracy"] >= WANTED


def test_none_of_these_posts_is_trained_on(shared_data: Path) -> None:
    from sentiment.training.data import read_airline

    trained = {row["text"] for row in read_airline(shared_data / "airline" / "tweets.csv")}
    import csv

    with (shared_data / "airline" / "tweets.csv").open(encoding="utf-8", newline="") as lines:
        texts = [row["text"] for row in csv.DictReader(lines)]
    rows = {int(line.split("\t")[0]) for line in LABELS.read_text().splitlines()[1:]}
    assert not [row for row in rows if texts[row] in trained]
