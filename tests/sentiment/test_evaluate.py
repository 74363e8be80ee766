from __future__ import annotations

from pathlib import Path

import pytest

from sentiment.errors import SentimentError
from sentiment.evaluate import calibration_error, coverage_curve, read_labelled, report

N, O, P = "negative", "neutral", "positive"  # noqa: E741


def test_macro_measures_by_hand() -> None:
    gold = [N, N, O, O, P, P]
    guess = [N, O, O, O, P, N]
    found = report(gold, guess, [0.9] * 6)
    assert found["accuracy"] == pytest.approx(4 / 6)
    assert found["macro_recall"] == pytest.approx((0.5 + 1 + 0.5) / 3)
    # precision: negative 1/2, neutral 2/3, positive 1
    assert found["macro_f1"] == pytest.approx((0.5 + 0.8 + 2 / 3) / 3)
    assert found["confusion"][N] == {N: 1, O: 1, P: 0}


def test_a_label_that_never_occurs_is_left_out_of_the_mean() -> None:
    assert report([N, P], [N, P], [1.0, 1.0])["macro_recall"] == 1.0


def test_calibration_error_by_hand() -> None:
    # bin 0.9-1: confidence 0.95, half right -> gap 0.45; bin 0.5-0.6: 0.55, all right -> gap 0.45
    assert calibration_error([0.95, 0.95, 0.55, 0.55], [True, False, True, True]) == pytest.approx(
        0.45
    )
    assert calibration_error([1.0], [True]) == 0.0


def test_the_surest_posts_come_first_on_the_curve() -> None:
    gold = [N] * 8 + [P] * 2
    guess = [N] * 10
    curve = coverage_curve(gold, guess, [0.9] * 8 + [0.4] * 2)
    assert curve[0]["accuracy"] == pytest.approx(0.8)
    at_80 = next(p for p in curve if p["coverage"] == 0.8)
    assert at_80["accuracy"] == 1.0
    assert at_80["threshold"] == pytest.approx(0.9)


def test_a_labelled_file_is_read_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "a.tsv"
    file.write_text(
        'label\ttext\r\nnegative\t"odd quote\r\npositive\tline\u2028separator\r\n\r\n',
        encoding="utf-8",
    )
    rows = read_labelled(file)
    assert [(r.label, r.text) for r in rows] == [(N, '"odd quote'), (P, "line\u2028separator")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text\nhello", "must name the columns label and text"),
        ("label\ttext\nangry\thello", "line 2: the label is 'angry'"),
        ("label\ttext\nnegative", "line 2: found no tab"),
        ("label\ttext\n", "no rows"),
    ],
)
def test_a_bad_file_says_what_and_where(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "bad.tsv"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(SentimentError, match=message):
        read_labelled(file)


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SentimentError, match="there is no file"):
        read_labelled(tmp_path / "none.tsv")
