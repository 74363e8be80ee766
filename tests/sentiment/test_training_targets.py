"""Posts read for how they see each thing that they name, and the mean of several runs."""

from __future__ import annotations

import csv
import hashlib
import random
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from sentiment.training import __main__ as steps
from sentiment.training import data, mixing, targets, translate


def written(folder: Path, monkeypatch: pytest.MonkeyPatch, *lines: str) -> Path:
    """A small copy of the data's layout, and ``lines`` as the file of what was read."""
    for name in ("airline", "support_threads", "sentiment/english"):
        (folder / name).mkdir(parents=True)
    posts = "text\n@acme lost my bag. @globex found it\nthanks @acme\n"
    (folder / "airline" / "tweets.csv").write_text(posts, encoding="utf-8")
    (folder / "support_threads" / "twcs_head.csv").write_text("text\nhello\n", encoding="utf-8")
    (folder / "sentiment/english" / "train.tsv").write_text(
        "label\ttext\nneutral\tNokia or Pixel?\n", encoding="utf-8"
    )
    file = folder / "read.tsv"
    file.write_text("\n".join(["source\trow\tsha256\tstart\tend\tlabel", *lines]), encoding="utf-8")
    monkeypatch.setattr(targets, "FILE", file)
    return folder


def test_each_name_of_a_post_has_its_own_label(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = "@acme lost my bag. @globex found it"
    key = hashlib.sha256(post.encode()).hexdigest()[:12]
    pixel = hashlib.sha256(b"Nokia or Pixel?").hexdigest()[:12]
    shared = written(
        tmp_path, monkeypatch,
        f"airline\t0\t{key}\t0\t5\tnegative", f"airline\t0\t{key}\t19\t26\tpositive",
        f"english\t0\t{pixel}\t9\t14\tneutral",
    )  # fmt: skip
    found = [
        (text[start:end], data.LABELS[label]) for text, (start, end), label in targets.read(shared)
    ]
    assert found == [("@acme", "negative"), ("@globex", "positive"), ("Pixel", "neutral")]


def test_a_row_that_is_another_post_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = written(tmp_path, monkeypatch, "airline\t1\t000000000000\t0\t5\tnegative")
    with pytest.raises(ValueError, match="row 1 of the airline set is not the post"):
        targets.read(shared)


def test_the_other_name_stands_where_the_old_one_did() -> None:
    post = ("Acme lost my bag. Globex found it", (18, 24), 2)
    made = targets.with_other_names(random.Random(1), [post] * 40)
    copies = [m for m in made if m != post]
    assert 5 < len(copies) < 25
    for text, (start, end), label in copies:
        assert text == f"Acme lost my bag. {text[start:end]} found it"
        assert text[start:end] in targets.NAMES
        assert label == 2


def test_what_was_read_is_no_test_post(shared_data: Path) -> None:
    """The marks lie on names, and none of the posts that judge the targets is among them."""
    read = targets.read(shared_data)
    assert len(read) > 3000
    with (shared_data / "airline" / "tweets.csv").open(encoding="utf-8", newline="") as lines:
        texts = [row["text"] for row in csv.DictReader(lines)]
    file = Path(__file__).parent / "data" / "two_brands.tsv"
    held = {texts[int(line.split("\t")[0])] for line in file.read_text().splitlines()[1:]}
    assert not [text for text, _, _ in read if text in held]
    assert all(text[start:end].strip() == text[start:end] != "" for text, (start, end), _ in read)


def test_a_mixed_post_takes_its_words_from_two_lists() -> None:
    lists = [{"happy": [name]} | {f"w{name}": [name]} for name in "abcdef"]
    for seed in range(20):
        words = translate.joined(random.Random(seed), lists)
        assert len({said for heads in words.values() for said in heads}) == 2


def test_runs_beside_each_other_are_averaged_before_the_old_weights_join(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("one", 1.0), ("two", 3.0)):
        (tmp_path / name).mkdir()
        state = {"params": {"a": torch.full((2,), value), "word": torch.zeros(1)}, "hot": 1}
        torch.save(state, tmp_path / name / "last.pt")
    old = {"params": {"a": torch.zeros(2), "word": torch.zeros(1)}, "hot": 1}
    monkeypatch.setattr(steps, "_start", lambda *a, **k: old)
    said = CliRunner().invoke(
        steps.main,
        ["average", "--share", "0.5", "--work", str(tmp_path / "one"),
         "--beside", str(tmp_path / "two")],
    )  # fmt: skip
    assert said.exit_code == 0, said.output
    new = torch.load(tmp_path / "one" / "last.pt")
    assert new["params"]["a"].tolist() == [1.0, 1.0]  # half of the mean of 1 and 3


def test_lower_layers_keep_more_of_the_old_and_take_of_the_base() -> None:
    def weights(value: float) -> dict[str, torch.Tensor]:
        return {
            name: torch.full((2,), value) for name in ("l5.fi.w", "l6.fi.w", "word", "l10.ao.b")
        }

    mixed = mixing.mix([weights(2.0), weights(6.0)], weights(0.0), 0.5, 0.25, weights(11.0))
    assert {name: round(float(t[0]), 4) for name, t in mixed.items()} == {
        "l5.fi.w": 0.8 * 1.0 + 0.2 * 11.0, "l6.fi.w": 2.0, "word": 2.0, "l10.ao.b": 2.0,
    }  # fmt: skip
