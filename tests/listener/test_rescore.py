"""``groundswell rescore`` can be killed: it goes on where it was, and judges nothing twice."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

import sentiment.model
from listener.cli import cli, judge
from listener.collectors import Deletion, Page
from listener.mention import Author, Match, Post, epoch
from listener.store import Store
from listener.store.stages import Score

NOW = datetime(2026, 3, 20, 9, 0, tzinfo=UTC)
ALL, BATCH = 120, 50


class ToyJudge:
    """Says ``label`` to all, writes down what it was asked, and does ``then`` before each batch."""

    def __init__(
        self,
        then: Callable[[int], None] = lambda batch: None,
        version: str = "toy-fast-1",
        label: str = "positive",
    ) -> None:
        self.version, self.label = version, label
        self.asked: list[str] = []
        self.batches = 0
        self.then = then

    def judge(self, items: Sequence[Any], *, threshold: float | None = None) -> list[Any]:
        self.batches += 1
        self.then(self.batches)
        self.asked += [item.text for item in items]
        return [
            SimpleNamespace(
                label=self.label, negative=0.1, neutral=0.1, positive=0.8, confidence=0.8,
                language="en", intent=None, rule=None,
            )
            for _ in items
        ]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store whose mentions an older model judged negative; one of them a person corrected."""
    monkeypatch.setattr(judge, "BATCH", BATCH)
    (tmp_path / "k.yaml").write_text("brands: [{name: Acme}]")
    posts = [
        Post("x", f"{n:03}", f"acme is late, number {n}", NOW + timedelta(minutes=n), Author())
        for n in range(ALL)
    ]
    with Store(tmp_path / "t.db") as store:
        store.save_page(
            Page(posts, {}), source="s", platform="x", query="q",
            matches=[[Match("Acme", "Acme", "Acme", "name", 0, 4)] for _ in posts],
            from_brand=[None] * ALL, rules="r", now=epoch(NOW),
        )  # fmt: skip
        old = [Score(p.key, "Acme", "negative", 0.8, 0.1, 0.1, 0.8) for p in posts]
        store.save_scores("old-1", old, epoch(NOW))
        store.correct("x:000", "Acme", "neutral", "ana", epoch(NOW))
    return tmp_path


def rescore(
    folder: Path, toy: ToyJudge, monkeypatch: pytest.MonkeyPatch, *options: str
) -> dict[str, Any]:
    def load(name: str, threads: int | None = None) -> ToyJudge:
        assert name == "fast"
        return toy

    monkeypatch.setattr(sentiment.model, "load", load)
    base = ["--db", str(folder / "t.db"), "--config", str(folder / "k.yaml")]
    done = CliRunner().invoke(cli, [*base, "rescore", "--model", "fast", "--json", *options])
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def scores(folder: Path, model: str) -> dict[str, tuple[str, int]]:
    with Store(folder / "t.db") as store:
        rows = store.rows("SELECT key, label, judged_at FROM scores WHERE model = ?", (model,))
    return {row["key"]: (row["label"], row["judged_at"]) for row in rows}


def die_at_the_second(batch: int) -> None:
    if batch == 2:
        os.kill(os.getpid(), signal.SIGKILL)


def test_killed_after_a_batch_it_goes_on_and_judges_nothing_twice(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = scores(folder, "old-1")
    child = os.fork()
    if child == 0:
        rescore(folder, ToyJudge(die_at_the_second), monkeypatch)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "it died as it was meant to"
    kept = scores(folder, "toy-fast-1")
    assert len(kept) == BATCH, "the batch that was done is kept whole, the other not at all"

    toy = ToyJudge()
    assert rescore(folder, toy, monkeypatch) == {
        "model": "toy-fast-1", "judged": ALL - BATCH, "left": 0,
    }  # fmt: skip
    again = {text for text in toy.asked if f"x:{int(text.split()[-1]):03}" in kept}
    assert again == set()
    assert len(toy.asked) == len(set(toy.asked)) == ALL - BATCH
    now = scores(folder, "toy-fast-1")
    assert len(now) == ALL
    assert {key: now[key] for key in kept} == kept
    assert scores(folder, "old-1") == before, "the older model's word is kept under its version"

    rested = ToyJudge()
    assert rescore(folder, rested, monkeypatch)["judged"] == 0
    assert rested.asked == []


def test_a_deleted_post_is_not_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store(folder / "t.db") as store:
        store.save_deletions("x", [Deletion("007")], epoch(NOW))
    assert rescore(folder, ToyJudge(), monkeypatch) == {
        "model": "toy-fast-1", "judged": ALL - 1, "left": 0,
    }  # fmt: skip


def test_what_shows_is_the_new_model_and_a_persons_word_stays_on_top(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rescore(folder, ToyJudge(), monkeypatch)
    with Store(folder / "t.db") as store:
        shown = {
            row["key"]: (row["label"], row["model"])
            for row in store.rows("SELECT key, label, model FROM mentions")
        }
        assert store.meta("model") == "toy-fast-1"
    assert shown.pop("x:000")[0] == "neutral"
    assert set(shown.values()) == {("positive", "toy-fast-1")}


def edit(folder: Path) -> None:
    edited = Post("x", "005", "acme is late no more", NOW, Author())
    with Store(folder / "t.db") as store:
        store.save_page(
            Page([edited], {}), source="s", platform="x", query="q",
            matches=[[Match("Acme", "Acme", "Acme", "name", 0, 4)]], from_brand=[None],
            rules="r", now=epoch(NOW),
        )  # fmt: skip


def labels(folder: Path) -> dict[tuple[str, str], int]:
    with Store(folder / "t.db") as store:
        rows = store.rows("SELECT label, model, COUNT(*) AS n FROM mentions GROUP BY 1, 2")
    return {(row["label"], row["model"]): row["n"] for row in rows}


def test_it_goes_back_to_a_model_that_has_judged_before(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rescore(folder, ToyJudge(), monkeypatch)
    back = ToyJudge(version="old-1", label="negative")
    assert rescore(folder, back, monkeypatch) == {"model": "old-1", "judged": ALL, "left": 0}
    assert labels(folder) == {("negative", "old-1"): ALL - 1, ("neutral", "old-1"): 1}
    assert rescore(folder, back, monkeypatch)["judged"] == 0


def test_an_edited_post_waits_though_its_old_label_is_shown(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rescore(folder, ToyJudge(), monkeypatch)
    edit(folder)
    assert rescore(folder, ToyJudge(), monkeypatch)["judged"] == 1


def test_a_post_that_is_edited_under_the_models_eyes_is_left(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def edit_at_the_first(batch: int) -> None:
        if batch == 1:
            edit(folder)

    assert rescore(folder, ToyJudge(edit_at_the_first), monkeypatch) == {
        "model": "toy-fast-1", "judged": ALL - 1, "left": 1,
    }  # fmt: skip
    last = ToyJudge()
    assert rescore(folder, last, monkeypatch)["judged"] == 1
    assert last.asked == ["acme is late no more"]


def test_again_judges_all_by_changed_phrases_and_goes_on_where_it_stopped(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rescore(folder, ToyJudge(), monkeypatch)
    assert rescore(folder, ToyJudge(), monkeypatch, "--again", "--limit", "70") == {
        "model": "toy-fast-1", "judged": 70, "left": 50,
    }  # fmt: skip
    rest = ToyJudge(label="negative")
    found = rescore(folder, rest, monkeypatch, "--again")
    assert (found["judged"], found["left"]) == (50, 0)
    assert rest.asked[0].endswith("number 70")
    assert labels(folder)["negative", "toy-fast-1"] == 50

    assert rescore(folder, ToyJudge(), monkeypatch, "--again", "--limit", "70")["left"] == 50
    (folder / "k.yaml").write_text("brands: [{name: Acme, phrases: {so late: negative}}]")
    found = rescore(folder, ToyJudge(), monkeypatch, "--again")
    assert found["judged"] == ALL, "other phrases: what was judged by the old ones is not done"
