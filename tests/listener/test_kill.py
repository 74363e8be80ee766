"""kill -9 at 50 random points of import, stages and run: nothing lost, nothing twice. For real."""

from __future__ import annotations

import csv
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from listener.store import Store

ROWS = 4000
CONFIG = """
brands:
  - {name: Acme, handles: {x: [acmehelp]}}
  - {name: Globex}
sources:
  - {platform: files, path: %s, every: 1s, batch: 100}
"""
TABLES = {
    "posts": "SELECT key, text, thread, from_brand, created_at, group_key FROM posts ORDER BY key",
    "payloads": "SELECT key, payload FROM payloads ORDER BY key",
    "mentions": "SELECT key, brand, variant, span_start, country, label, negative, copy "
    "FROM mentions ORDER BY key, brand",
    "scores": "SELECT key, brand, model, label FROM scores ORDER BY key, brand, model",
    "counts": "SELECT * FROM counts ORDER BY 1, 2, 3, 4, 5, 6, 7",
    "cases": "SELECT key, brand, thread, thread_state, answered_key FROM cases ORDER BY key, brand",
}


def write(folder: Path) -> None:
    rng = random.Random(5)
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    with (folder / "posts.csv").open("w", newline="", encoding="utf-8") as handle:
        out = csv.writer(handle)
        out.writerow(("tweet_id", "text", "created_at", "username", "location", "in_reply_to"))
        for n in range(ROWS):
            brand = rng.choice(("Acme", "@acmehelp", "Globex", "nobody"))
            words = f"{brand} {rng.choice(('is late', 'is great', 'lost my bag'))} number {n}"
            answer = n > 10 and rng.random() < 0.2
            out.writerow(
                (
                    10**15 + n,
                    "we look into it" if answer else words,
                    (begin + timedelta(minutes=3 * n)).isoformat(),
                    "acmehelp" if answer else f"user{rng.randrange(300)}",
                    rng.choice(("Berlin", "Paris", "Lagos", "")),
                    10**15 + n - rng.randrange(1, 10) if answer else "",
                )
            )
    (folder / "keywords.yaml").write_text(CONFIG % (folder / "posts.csv"))


class Zygote:
    def __init__(self, folder: Path, ending: str = "killed") -> None:
        script = Path(__file__).with_name("kill_zygote.py")
        self.process = subprocess.Popen(
            [sys.executable, str(script), str(folder), ending, str(ROWS)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self._read() == "ready"

    def _read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def __call__(self, mode: str, seconds: float = 0.0) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{mode} {seconds}\n")
        self.process.stdin.flush()
        return self._read()

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(timeout=20)
        self.process.stdout.close()


def state(folder: Path) -> dict[str, list[dict[str, Any]]]:
    with Store(folder / "t.db") as store:
        assert store.value("PRAGMA integrity_check") == "ok"
        return {name: store.rows(sql) for name, sql in TABLES.items()}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    folder = tmp_path_factory.mktemp("undisturbed")
    write(folder)
    zygote = Zygote(folder)
    assert zygote("import") == "done"
    assert zygote("stages") == "done"
    zygote.close()
    found = state(folder)
    assert len(found["posts"]) == ROWS
    assert len(found["mentions"]) == len(found["scores"]) > ROWS / 3
    assert sum(row["posts"] for row in found["counts"]) == len(found["mentions"])
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path)
    return tmp_path


def same(found: dict[str, list[dict[str, Any]]], wanted: dict[str, list[dict[str, Any]]]) -> None:
    for name in TABLES:
        assert len(found[name]) == len(wanted[name]), name
        assert found[name] == wanted[name], name


def test_killed_imports_and_stages_end_where_an_undisturbed_one_does(
    folder: Path, undisturbed: dict[str, list[dict[str, Any]]]
) -> None:
    rng = random.Random(11)
    zygote = Zygote(folder)
    try:
        killed = kill_often(zygote, "import", rng, wanted=24, longest=0.3)
        assert zygote("import") == "done"
        killed += kill_often(zygote, "stages", rng, wanted=8, longest=0.1)
        assert zygote("stages") == "done"
    finally:
        zygote.close()
    assert killed >= 30, "the kills came too late to mean anything"
    same(state(folder), undisturbed)


def kill_often(
    zygote: Zygote, work: str, rng: random.Random, *, wanted: int, longest: float
) -> int:
    """Kill ``work`` up to ``wanted`` times at random moments; how often it was hit.

    A kill that comes too late hits nothing, and the next ones come sooner: machines differ in speed.
    """
    killed = 0
    for _ in range(4 * wanted):
        hit = zygote(work, rng.uniform(0.005, longest)) == "killed"
        killed += hit
        longest *= 1.0 if hit else 0.85
        if killed == wanted:
            break
    return killed


def test_a_killed_run_goes_on_from_where_it_was(
    folder: Path, undisturbed: dict[str, list[dict[str, Any]]]
) -> None:
    rng = random.Random(12)
    zygote = Zygote(folder)
    killed = sum(zygote("run", rng.uniform(0.1, 1.0)) == "killed" for _ in range(16))
    zygote.close()
    assert killed == 16
    last = Zygote(folder, "finish")
    assert last("run") == "done"
    last.close()
    same(state(folder), undisturbed)
