"""The only composer: the stages in their order.

Work moves by state in the store. Each stage asks which rows lack its result, so a crash anywhere
resumes at the next tick, any stage can run alone, and a stage that fails does not stop the others.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from listener import kpi, watch
from listener.config import Brand
from listener.errors import GroundswellError
from listener.gathering import Gathering
from listener.judging import item_of, score_of
from listener.mention import Place, Spike, epoch
from listener.regions import locate
from listener.store import Saved
from sentiment.errors import SentimentError

if TYPE_CHECKING:
    from listener.grouping import Grouping
    from listener.matching import Matcher
    from sentiment.model import Judge

log = logging.getLogger("groundswell")

BATCH = 512  # mentions judged in one transaction: what a kill may cost is one batch of work
SETTLED = 600  # seconds after which a transaction that was begun has been committed
EXPIRE_AT_MOST = 5000  # rows a round, so that alerts do not wait for a large first clean-up
DAY = 86_400
Progress = Callable[[str, int], None]


def _quiet(stage: str, done: int) -> None:
    return None


@dataclass(frozen=True)
class Tick:
    """What one round did: rows by stage, and the stages that failed, with the reason."""

    done: dict[str, int]
    failed: dict[str, str]


class Pipeline(Gathering):
    """All stages over one store and one configuration. ``load_judge`` is called once, when needed."""

    _grouping: Grouping | None = None  # what the last round knew of the store
    _grouped_at = 0
    _expired = (0, 0)  # payloads and posts let go in today's round so far

    @cached_property
    def judge_model(self) -> Judge:
        """Loaded at the first mention that waits, not at start."""
        if self._load_judge is not None:
            return self._load_judge()
        from sentiment.model import load

        return load(self.config.model.name)

    def place(self, progress: Progress = _quiet) -> int:
        """Mentions without a place → country, region and the basis of both."""
        done = 0
        while not self.stopping.is_set() and (rows := self.store.unplaced(5000)):
            self.store.save_places([(row["key"], _place(row)) for row in rows])
            done += len(rows)
            progress("place", done)
        return done

    def audit(self, progress: Progress = _quiet) -> int:
        """New marks of people → spellings that are mostly wrong are suspended, and the matcher is told.

        It runs before judging, which then reads fewer posts, and before counting, so that what a
        suspended spelling found leaves the counts in the same round. What people suspend or bring
        back beside us, in the dashboard, is taken over here too.
        """
        from listener.audit import audit, to_suspend

        now, marks = epoch(self.clock()), self.store.meta("marks")
        off: list[tuple[str, str, str]] = []
        if marks != self.store.meta("audited_marks"):
            hits = self.store.variant_hits(marked=True)
            off = to_suspend(audit(hits, suspended=self.store.suspended(), kept=self.store.kept()))
            for brand, variant, reason in off:
                self.store.suspend(brand, variant, reason, now)
                log.warning(
                    "%s: the spelling %r is looked for no longer: %s; to bring it back: "
                    "groundswell variants --resume %r %r", brand, variant, reason, brand, variant,
                )  # fmt: skip
            self.store.set_meta("audited_marks", str(marks))
        self._renew_matcher()
        progress("audit", len(off))
        return len(off)

    def _renew_matcher(self) -> None:
        """Build the matcher anew where spellings were suspended or brought back since."""
        built: Matcher | None = self.__dict__.get("matcher")
        suspended = self.store.suspended()
        if built is not None and any(
            terms.suspended != suspended.get(terms.brand, frozenset()) for terms in built.brands
        ):
            self.__dict__["matcher"] = self._build_matcher(suspended)

    def judge(self, progress: Progress = _quiet, most: int | None = None) -> int:
        """Mentions without a judgement → scores of the configured model, newest first."""
        done = 0
        threshold = self.config.model.threshold or None
        most = self.judge_at_most if most is None else most
        while not self.stopping.is_set() and (most is None or done < most):
            rows = self.store.unjudged(BATCH)
            if not rows:
                break
            items = [item_of(row, self._rules(row["brand"])) for row in rows]
            judgements = self.judge_model.judge(items, threshold=threshold)
            scores = [score_of(row, said) for row, said in zip(rows, judgements, strict=True)]
            kept = self.store.save_scores(self.judge_model.version, scores, epoch(self.clock()))
            done += kept
            progress("judge", done)
            if not kept:  # all were edited while the model read them: the next round has them anew
                break
        return done

    def _rules(self, brand: str) -> tuple[Any, ...]:
        found: Brand | None = self._brands.get(brand)
        return found.phrase_rules() if found is not None and found.phrases else ()

    def group(self, progress: Progress = _quiet) -> int:
        """Posts without a near-duplicate group → the first post that they copy, or themselves.

        Groups that grew by this are looked at again: are they machines' work? What was read of the
        store is remembered for the next round, unless this one fails: what it then knows is not what
        is stored.
        """
        from listener.duplicates import flood
        from listener.grouping import Grouping

        rows = self.store.ungrouped(5000)
        if not rows:
            return 0
        done, now = 0, epoch(self.clock())
        grouping, self._grouping = self._grouping, None
        if grouping is None:
            grouping = Grouping(self.store.heard_groups)
        else:
            grouping.forget(self.store.deleted_since(self._grouped_at - SETTLED))
        while rows and not self.stopping.is_set():
            self.store.save_groups(grouping.groups_of(rows), flood)
            done += len(rows)
            progress("group", done)
            rows = self.store.ungrouped(5000)
        self._grouping, self._grouped_at = grouping, now
        return done

    def count(self, progress: Progress = _quiet) -> int:
        """Touched hours → counts by hour, brand, platform, region, language and label."""
        done = 0
        while not self.stopping.is_set() and (hours := self.store.recount()):
            done += hours
            progress("count", done)
        return done

    def flag(self, progress: Progress = _quiet) -> int:
        """Touched threads → cases that are answered, unanswered, or not known."""
        response = self.config.response
        week, zone = response.week(), response.zone()

        def due(platform: str, published: int) -> int | None:
            return kpi.due_at(
                published, response.target_for(platform), week, zone, response.holidays
            )

        done = 0
        while not self.stopping.is_set() and (threads := self.store.touched_threads(4000)):
            done += self.store.flag_threads(threads, self._own, due, epoch(self.clock()))
            progress("flag", done)
        return done

    def spike(self, progress: Progress = _quiet) -> int:
        """Counts → spikes with the posts behind them. Skipped while the counts have not changed."""
        now = epoch(self.clock())
        span = self.store.span()
        if span is None:
            return 0
        stamp = f"{self.store.meta('counted_revision')}:{now // 3600}"
        if self.store.meta("spiked_at") == stamp:
            return 0
        until = min(span[1], now)
        since = max(span[0], until - watch.HISTORY_DAYS * DAY)
        gaps = self.store.gaps_by_brand(since, now)
        until = watch.last_hour(until, gaps)
        first, series = watch.build_series(
            self.store.hourly_counts(since),
            since=since,
            until=until,
            gaps=gaps,
            listening_since=self.store.listening_since(),
        )
        found = watch.find(first, series, open_until=now - 2 * 3600)
        spikes = [self._with_evidence(s, now) for s in found]
        self.store.save_spikes(spikes, now)
        self.store.close_spikes(
            {(s.brand, s.region, s.kind) for s in spikes if s.end is None}, until + 3600
        )
        self.store.set_meta("spiked_at", stamp)
        progress("spike", len(spikes))
        return len(spikes)

    def _with_evidence(self, spike: Spike, now: int) -> Spike:

        label = {"negative share": "negative", "volume": None}.get(spike.kind, spike.kind)
        keys = self.store.evidence(
            spike.brand,
            None if spike.region == watch.EVERYWHERE else spike.region,
            epoch(spike.start),
            epoch(spike.end) if spike.end else now + 1,
            label,
        )
        return replace(spike, evidence=tuple(keys))

    def theme(self, progress: Progress = _quiet) -> int:
        """Complaints → the themes that they belong to, with ids that stay. Skipped as spikes are."""
        from listener import themes

        done = themes.update(self.store, epoch(self.clock()))
        progress("theme", done)
        return done

    def alert(self, progress: Progress = _quiet) -> int:
        """What the rules want told → the outbox → its channels. At least once, never silently twice.

        Spikes are looked for in every round, the other kinds once a minute.
        """
        from listener.alerts import run_alerts

        now = epoch(self.clock())
        looked, self._looked = self._looked, now // 60
        return run_alerts(
            self.store, self.config, self.secrets, now,
            up_since=self._up_since, only_spikes=looked == self._looked,
        )  # fmt: skip

    def expire(self, progress: Progress = _quiet) -> int:
        """What ``retention`` keeps no longer → gone, counts excepted. Once a day, a part in each round.

        Payloads count from when they last came, posts from when they were first seen.
        """
        now = epoch(self.clock())
        today = str(now // DAY)
        if self.store.meta("expired_day") == today:
            return 0
        kept, done = self.config.retention, 0
        while not self.stopping.is_set() and done < EXPIRE_AT_MOST:
            payloads = self.store.drop_payloads(now - kept.payloads, BATCH)
            posts = self.store.expire_posts(now - kept.posts, now, BATCH)
            self._expired = (self._expired[0] + payloads, self._expired[1] + posts)
            done += payloads + posts
            if not payloads and not posts:
                self.store.set_meta("expired_day", today)
                if any(self._expired):
                    log.info(
                        "retention: %d payloads and the texts of %d posts were past their time and "
                        "are gone; what was counted stays", *self._expired,
                    )  # fmt: skip
                self._expired = (0, 0)
                break
        progress("expire", done)
        return done

    # rounds ---------------------------------------------------------------------------------------

    @property
    def stages(self) -> dict[str, Callable[[Progress], int]]:
        """Every stage in order. Judging comes after the cheap ones, so that posts show at once."""
        return {
            "place": self.place,
            "audit": self.audit,
            "flag": self.flag,
            "judge": self.judge,
            "group": self.group,
            "count": self.count,
            "spike": self.spike,
            "theme": self.theme,
            "alert": self.alert,
            "expire": self.expire,
        }

    def tick(self, progress: Progress = _quiet, *, only: Sequence[str] = ()) -> Tick:
        """Run every stage once; one that fails is noted and the others go on."""
        done: dict[str, int] = {}
        failed: dict[str, str] = {}
        for name, stage in self.stages.items():
            if self.stopping.is_set():
                break
            if only and name not in only:
                continue
            began = time.monotonic()
            try:
                done[name] = stage(progress)
                if done[name]:
                    self.store.stage_ok(
                        name, done[name], time.monotonic() - began, epoch(self.clock())
                    )
                    if name == "count":
                        self.store.set_meta("counted_revision", str(self.store.revision()))
            except (GroundswellError, SentimentError) as error:
                failed[name] = str(error)
                log.error("%s: %s", name, error)
            except Exception as error:
                # A fault of our own in one stage must not end the others: it is logged whole.
                failed[name] = f"{type(error).__name__}: {error}"
                log.exception("the stage %r failed", name)
            if name in failed:
                self._note_failure(name, failed[name])
        return Tick(done, failed)

    def _note_failure(self, stage: str, reason: str) -> None:
        try:
            self.store.stage_failed(stage, reason, epoch(self.clock()))
        except GroundswellError as error:
            log.error("the failure of %s could not be noted: %s", stage, error)

    def collect_all(self) -> tuple[Saved, dict[str, str]]:
        """Every enabled source once, one after the other; a source that fails stops no other.

        One that was held back, or of which a query failed, is told as failed, with the reason.
        """
        saved, failed = Saved(), {}
        for source in self.config.sources:
            if source.enabled:
                try:
                    saved += self.collect(source)
                    if source.name in self.failures:
                        failed[source.name] = self.failures[source.name]
                except GroundswellError as error:
                    failed[source.name] = str(error)
                    log.error("%s: %s", source.name, error)
                except Exception as error:
                    failed[source.name] = f"{type(error).__name__}: {error}"
                    log.exception("the source %r failed", source.name)
        return saved, failed


def _place(row: dict[str, Any]) -> Place:
    coordinates = None if row["lat"] is None else (row["lat"], row["lon"])
    return locate(
        row["profile_location"],
        coordinates=coordinates,
        country=row["country_tag"],
        place_name=row["place_name"],
        time_zone=row["time_zone"],
        language=row["language_tag"],
    )
