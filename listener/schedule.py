"""The schedule: collectors each at their own pace, the stages every few seconds, a clean stop."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from datetime import timedelta
from types import FrameType

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from listener.collectors import utc_now
from listener.config import Source
from listener.errors import GroundswellError
from listener.pipeline import Pipeline

log = logging.getLogger("groundswell")

STAGES_EVERY = 3  # seconds; a round that finds nothing to do costs a few indexed look-ups
JUDGE_AT_MOST = 2048  # mentions a round, so that counts and spikes follow within seconds


class Schedule:
    """Runs a pipeline until it is told to stop. Each job has a thread of its own, so a slow
    platform delays nobody; ``max_instances=1`` keeps a source from overtaking itself."""

    def __init__(self, pipeline: Pipeline, *, stages_every: float = STAGES_EVERY) -> None:
        self.pipeline = pipeline
        self.stop = pipeline.stopping
        pipeline.judge_at_most = JUDGE_AT_MOST
        sources = [s for s in pipeline.config.sources if s.enabled]
        # A thread for each job that there may be: every source collected and rechecked, the stages.
        self.scheduler = BackgroundScheduler(
            timezone="UTC",
            executors={"default": ThreadPoolExecutor(2 * len(sources) + 1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": 600},
        )
        # The schedule runs in real time, whatever clock the stages are handed: APScheduler lists every
        # run between a first one in the past and now.
        now = utc_now()
        self.scheduler.add_job(
            self._stages, "interval", seconds=stages_every, id="stages", next_run_time=now
        )
        for index, source in enumerate(sources):
            # Spread the first calls, so that a start is not a burst.
            self.scheduler.add_job(
                self._collector(source),
                "interval",
                seconds=source.every,
                id=f"source:{source.name}",
                next_run_time=now + timedelta(milliseconds=200 * index),
            )
            if limit := self._rechecks(source):
                self.scheduler.add_job(
                    self._recheck, "interval", (source, limit), hours=1, id=f"recheck:{source.name}"
                )

    def _collector(self, source: Source) -> Callable[[], None]:
        def collect() -> None:
            try:
                saved = self.pipeline.collect(source)
                if saved.stored or saved.updated:
                    log.info(
                        "%s: %d new, %d changed, %d name a brand",
                        source.name, saved.stored, saved.updated, saved.matched,
                    )  # fmt: skip
            except GroundswellError as error:
                log.error("%s: %s", source.name, error)
            except Exception:
                log.exception("the source %r failed; the others go on", source.name)

        return collect

    def _rechecks(self, source: Source) -> int:
        try:
            return self.pipeline.collector(source).rechecks_per_hour
        except GroundswellError:
            return 0  # its collecting job says what is wrong with it

    def _recheck(self, source: Source, limit: int) -> None:
        try:
            found = self.pipeline.recheck(source, limit)
            if found:
                log.info("%s: %d posts are gone or changed and were followed", source.name, found)
        except GroundswellError as error:
            log.warning("%s: deletions could not be checked: %s", source.name, error)
        except Exception:
            log.exception("%s: the deletion check failed; it is tried again", source.name)

    def _stages(self) -> None:
        self.pipeline.tick()

    def run(self) -> None:
        """Run until SIGTERM or SIGINT (or ``stop`` is set); what is under way is finished first."""

        def end(number: int, frame: FrameType | None) -> None:
            log.info("stopping: the work under way is finished first")
            self.stop.set()

        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, end)
        self.scheduler.start()
        try:
            while not self.stop.wait(0.5):
                pass
        finally:
            self.stop.set()
            self.scheduler.shutdown(wait=True)
