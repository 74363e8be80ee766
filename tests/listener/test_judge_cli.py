"""The judging commands, run as a user runs them (in process), on the bundled model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from listener.cli.judge import evaluate, sentiment
from sentiment.bundle import FOLDER, WEIGHTS
from sentiment.errors import SentimentError

pytestmark = pytest.mark.skipif(
    not (FOLDER / WEIGHTS).is_file(),
    reason="needs the bundled weights, which are not in this checkout",
)


def judged(text: str, *options: str) -> list[dict[str, Any]]:
    done = CliRunner().invoke(sentiment, ["--json", *options], input=text.encode())
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_one_line_in_one_line_out_blank_ones_too() -> None:
    rows = judged("I love it\n\nthis is awful, never again\n")
    assert [row["label"] for row in rows][::2] == ["positive", "negative"]
    assert len(rows) == 3
    for row in rows:
        assert {"label", "negative", "neutral", "positive", "confidence", "language"} <= set(row)
        assert row["negative"] + row["neutral"] + row["positive"] == pytest.approx(1, abs=0.001)
    assert rows[0]["language"] == "en"


def test_unsure_only_with_a_threshold() -> None:
    assert judged("hm\n")[0]["label"] != "unsure"
    assert judged("hm\n", "--threshold", "1")[0]["label"] == "unsure"


def test_odd_bytes_and_line_separators_keep_the_count() -> None:
    done = CliRunner().invoke(
        sentiment, ["--json"], input=b"caf\xe9 \xff\none\xe2\x80\xa8two\r\nlast"
    )
    assert len(done.stdout.splitlines()) == 3


def test_evaluate_counts_every_row(tmp_path: Path) -> None:
    file = tmp_path / "mine.tsv"
    file.write_text(
        "label\ttext\npositive\tI love it\nnegative\tawful, I hate it\n", encoding="utf-8"
    )
    done = CliRunner().invoke(evaluate, ["sentiment", str(file), "--json"])
    found = json.loads(done.stdout)
    assert (found["n"], found["accuracy"]) == (2, 1.0)
    assert found["posts_per_second"] > 0
    assert found["coverage"][0]["coverage"] == 1.0
    assert set(found) >= {"macro_recall", "macro_f1", "ece", "per_label"}
    table = CliRunner().invoke(evaluate, ["sentiment", str(file)])
    assert "macro recall" in table.stdout


def test_a_bad_file_is_an_expected_error(tmp_path: Path) -> None:
    done = CliRunner().invoke(evaluate, ["sentiment", str(tmp_path / "none.tsv")])
    assert isinstance(done.exception, SentimentError)
