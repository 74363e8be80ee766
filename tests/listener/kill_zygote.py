"""Runs one piece of work in a fork and kills it with SIGKILL after so many seconds.

Not a test: `test_kill.py` starts it once (imports are slow) and writes lines "MODE SECONDS" to it;
0 seconds lets the work end by itself. It answers "killed" or "done" to each.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from listener.cli.operate import _import_file
from listener.collectors.files import FilesOptions
from listener.config import load_config
from listener.pipeline import Pipeline
from listener.schedule import Schedule
from listener.store import Store

BATCH = 100
CLOCK = datetime(2026, 3, 20, tzinfo=UTC)


class ToyJudge:
    """Judges by a hash of the text: quick, and the same in every process. What is tried here is
    the stages and the store, which never see inside a model."""

    version = "toy-1"

    def judge(self, items: Sequence[Any], *, threshold: float | None = None) -> list[Any]:
        time.sleep(0.02)  # a real batch takes its time, and a kill has to be able to hit it
        out = []
        for item in items:
            at = blake2b(item.text.encode(), digest_size=1).digest()[0] % 3
            p = [0.1, 0.1, 0.1]
            p[at] = 0.8
            label = ("negative", "neutral", "positive")[at]
            out.append(
                SimpleNamespace(
                    label=label,
                    negative=p[0],
                    neutral=p[1],
                    positive=p[2],
                    confidence=0.8,
                    language="en",
                    intent=None,
                    intent_confidence=None,
                    rule=None,
                )
            )
        return out


def toy_judge() -> Any:
    return ToyJudge()


def stop_when_done(schedule: Schedule) -> None:
    """Ends a run once all rows of the file are in and no stage has anything left to do."""
    store = schedule.pipeline.store
    while not schedule.stop.is_set():
        status = store.status(0)
        cursor = store.cursor("files", "all") or {}
        if cursor.get("row") == int(sys.argv[3]) and not any(status["waiting"].values()):
            time.sleep(0.5)  # the stages that follow from the last of these (spikes) run once more
            schedule.stop.set()
        time.sleep(0.2)


def work(mode: str, folder: Path, pipeline: Pipeline) -> None:
    if mode == "import":
        options = FilesOptions(path=str(folder / "posts.csv"), batch=BATCH)
        _import_file(pipeline, options, folder / "rejects.jsonl", show=False)
    elif mode == "stages":
        tick = pipeline.tick()
        assert not tick.failed, tick.failed
    elif mode == "run":
        schedule = Schedule(pipeline, stages_every=0.1)
        if sys.argv[2] == "finish":
            threading.Thread(target=stop_when_done, args=(schedule,), daemon=True).start()
        schedule.run()


def main() -> None:
    folder = Path(sys.argv[1])
    config = load_config(folder / "keywords.yaml")
    probe = Pipeline(Store(folder / "probe.db"), config)
    matcher = probe.matcher
    probe.store.close()
    print("ready", flush=True)
    for line in sys.stdin:
        mode, seconds = line.split()
        pid = os.fork()
        if pid == 0:
            store = Store(folder / "t.db")
            pipeline = Pipeline(store, config, clock=lambda: CLOCK, load_judge=toy_judge)
            pipeline.__dict__["matcher"] = matcher
            work(mode, folder, pipeline)
            os._exit(0)
        if float(seconds):
            time.sleep(float(seconds))
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        print("killed" if code == -9 else "done" if code == 0 else f"failed {code}", flush=True)


if __name__ == "__main__":
    main()
