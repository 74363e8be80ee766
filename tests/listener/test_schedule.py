"""The schedule: what waits for a platform keeps nothing else waiting."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

from listener.collectors import utc_now
from listener.config import Source, parse_config
from listener.schedule import Schedule

CONFIG = "brands: [{name: A}]\nsources: [{platform: hackernews}, {platform: mastodon}]"
PATIENCE = 20.0  # seconds; only a test that fails waits for them


class Waiting:
    """A pipeline whose sources all wait for their platform."""

    def __init__(self) -> None:
        self.config = parse_config(CONFIG)
        self.stopping = threading.Event()
        self.judge_at_most: int | None = None
        self.began = threading.Semaphore(0)
        self.ticked = threading.Event()

    def tick(self) -> None:
        self.ticked.set()

    def collect(self, source: Source) -> Any:
        self.began.release()
        self.stopping.wait(2 * PATIENCE)
        return SimpleNamespace(stored=0, updated=0)

    def collector(self, source: Source) -> Any:
        return SimpleNamespace(rechecks_per_hour=60)

    def recheck(self, source: Source, limit: int) -> int:
        self.collect(source)
        return 0


def test_the_stages_run_while_every_source_waits() -> None:
    pipeline = Waiting()
    schedule = Schedule(pipeline, stages_every=0.05)  # type: ignore[arg-type]
    for job in schedule.scheduler.get_jobs():
        job.modify(next_run_time=utc_now())
    schedule.scheduler.start()
    try:
        for _ in range(4):  # two sources, each collected and rechecked
            assert pipeline.began.acquire(timeout=PATIENCE)
        pipeline.ticked.clear()
        assert pipeline.ticked.wait(PATIENCE)
    finally:
        pipeline.stopping.set()
        schedule.scheduler.shutdown(wait=True)
