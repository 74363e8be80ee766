"""The only composer: the stages in their order, and the schedule.

Work moves by state in the store. Each stage asks which rows lack its result, so a crash anywhere
resumes at the next tick, any stage can run alone, and a stage that fails does not stop the others.
"""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from listener import addressing, collectors, kpi, watch
from listener.collectors import Clock, Collector, Context, Page, utc_now
from listener.config import Brand, Config, Source
from listener.errors import (
    CollectorError,
    GroundswellError,
    LimitError,
    PlatformError,
    UnreachableError,
)
from listener.mention import Place, Post, Query, Spike, epoch
from listener.regions import locate
from listener.store import Saved, Store
from listener.store.stages import Score
from sentiment.errors import SentimentError

if TYPE_CHECKING:
    from listener.matching import Matcher
    from sentiment.model import Judge

log = logging.getLogger("groundswell")

THREADS_AT_MOST = 20  # read after each round of a source
BATCH = 512  # mentions judged in one transaction: what a kill may cost is one batch of work
DAY = 86_400
Progress = Callable[[str, int], None]


def _quiet(stage: str, done: int) -> None:
    return None


@dataclass(frozen=True)
class Tick:
    """What one round did: rows by stage, and the stages that failed, with the reason."""

    done: dict[str, int]
    failed: dict[str, str]


class Pipeline:
    """All stages over one store and one configuration. ``load_judge`` is called once, when needed."""

    def __init__(
        self,
        store: Store,
        config: Config,
        *,
        clock: Clock = utc_now,
        secrets: dict[str, str] | None = None,
        load_judge: Callable[[], Judge] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.store = store
        self.config = config
        self.clock = clock
        self.secrets = secrets or {}
        self.sleep = sleep
        self.judge_at_most: int | None = None  # mentions a round; the schedule keeps rounds short
        self.stopping = threading.Event()  # set it, and every stage ends after its current batch
        self._up_since = epoch(clock())
        self._looked = -1  # the minute in which all kinds of alerts were last looked for
        self._load_judge = load_judge
        self._handles = {
            handle: brand.name for brand in config.all_brands() for handle in brand.all_handles()
        }
        self._accounts = addressing.accounts(config.all_brands())
        self._brands = {brand.name: brand for brand in config.all_brands()}
        self._own = [b.name for b in config.all_brands() if not b.competitor]

    # collecting -----------------------------------------------------------------------------------

    @cached_property
    def matcher(self) -> Matcher:
        """Built once; spellings that the audit suspended are left out."""
        return self._build_matcher(self.store.suspended())

    def _build_matcher(self, suspended: Mapping[str, frozenset[str]]) -> Matcher:
        from listener.matching import Matcher

        return Matcher(
            [b.terms(suspended.get(b.name, frozenset())) for b in self.config.all_brands()]
        )

    @cached_property
    def judge_model(self) -> Judge:
        """Loaded at the first mention that waits, not at start."""
        if self._load_judge is not None:
            return self._load_judge()
        from sentiment.model import load

        return load(self.config.model.name)

    def brand_of(self, post: Post) -> str | None:
        """The brand whose own account wrote this, or None: a customer, a stranger, not known.

        An export that says "from the brand" of an account that no brand lists is believed, and the
        handle stands for the brand.
        """
        handle = (post.author.handle or "").lstrip("@").lower()
        if post.incoming is not True and handle in self._handles:
            return self._handles[handle]
        if post.incoming is False:
            return f"@{handle}" if handle else "@unknown"
        return None

    def _addressed_to(self, posts: Sequence[Post]) -> list[tuple[str, ...]] | None:
        """The brands' accounts that each post replies to; None where no post replies to any."""
        parents = addressing.parents(posts)
        if not parents:
            return None
        handles = {post.key: post.author.handle for post in posts if post.key in parents}
        handles |= self.store.handles_of(sorted(parents - handles.keys()))
        return addressing.addressed_to(posts, handles, self._accounts)

    def keep(self, page: Page, *, source: str, platform: str, query: str) -> Saved:
        """Match a page's posts and store it whole."""
        matcher = self.matcher  # another thread may put a new one in its place
        matches = matcher.match_many(
            [post.text for post in page.posts],
            addressed_to=self._addressed_to(page.posts),
            links=addressing.hidden_links(page.posts, self._accounts),
        )
        return self.store.save_page(
            page,
            source=source,
            platform=platform,
            query=query,
            matches=matches,
            from_brand=[self.brand_of(post) for post in page.posts],
            rules=matcher.version,
            now=epoch(self.clock()),
        )

    def collector(self, source: Source) -> Collector:
        """The collector of a source, with its secrets, its clock and its purse."""
        found = collectors.load(source.platform)
        return found(
            Context(
                source=source.name,
                options=found.options.model_validate(source.own_options()),
                secrets={
                    s.name: self.secrets[s.name] for s in found.secrets if s.name in self.secrets
                },
                clock=self.clock,
                sleep=self._wait,
                spend=lambda requests, usd: self.spend(source, requests, usd),
            )
        )

    def spend(self, source: Source, requests: int, usd: float) -> None:
        """Raise BudgetError when this request would cross the source's budget; asked before it."""
        self.store.charge(source.name, source.budget, self.clock(), requests, usd)

    def _wait(self, seconds: float) -> None:
        """Sleep, but not past a stop: a platform's limit must not hold up the end of the process."""
        if self.sleep is time.sleep:
            self.stopping.wait(seconds)
        else:
            self.sleep(seconds)

    def recheck(self, source: Source, limit: int) -> int:
        """Ask the platform whether the next stored posts are still there; follow what is gone.

        Returns how many posts were found deleted, protected or without their place. A failure leaves
        the round where it stands.
        """
        collector = self.collector(source)
        after = str((self.store.cursor(source.name, "recheck") or {}).get("after", ""))
        rows = self.store.to_recheck(source.platform, after, limit)
        found = 0
        if rows:
            placed = {row["native_id"] for row in rows if row["placed"]}
            gone = collector.recheck([row["native_id"] for row in rows], placed)
            found = self.store.save_deletions(source.platform, gone, epoch(self.clock()))
        after = rows[-1]["key"] if len(rows) == limit else ""
        self.store.save_rechecked(source.name, after, epoch(self.clock()))
        return found

    def queries(self, source: Source) -> list[Query]:
        """What a source is asked for. A source that yields everything has one query for all brands."""
        found = collectors.load(source.platform)
        if found.everything:
            return [Query("all", tuple(self._brands), tuple(self._brands))]
        from listener.collectors.packing import pack

        options = found.options.model_validate(source.own_options())
        return pack([b.terms() for b in self.config.all_brands()], found, options)[0]

    def collect(self, source: Source) -> Saved:
        """Walk one source to its end for all its queries; failures go into the ledger."""
        saved = Saved()
        now = epoch(self.clock())
        held = self.store.value("SELECT open_until FROM health WHERE source = ?", (source.name,))
        if held is not None and held > now:
            return saved
        collector = self.collector(source)
        for query in self.queries(source):
            try:
                for page in collector.fetch(query, self.store.cursor(source.name, query.name)):
                    if self.stopping.is_set():
                        return saved  # the cursor stands before this page: it is read again
                    saved += self.keep(
                        page, source=source.name, platform=source.platform, query=query.name
                    )
                    if page.complete and query.name.startswith("account:"):
                        # All that the brand's own account wrote is here: who is not answered by
                        # now has not been answered.
                        unread = self.store.unread_threads(source.platform)
                        self.store.mark_threads_read(unread, epoch(self.clock()))
            except CollectorError as error:
                self._held_back(source, query, error)
                if not isinstance(error, PlatformError) or isinstance(error, UnreachableError):
                    return saved  # a limit, a refused login, no network: so for the others too
        if collector.reads_threads:
            saved += self.read_threads(source, collector)
        return saved

    def read_threads(self, source: Source, collector: Collector) -> Saved:
        """Look whether open mentions of the last week were answered, each at most once an hour.

        Of a thread, what hangs below the mention and what the brand wrote is kept, and no more.
        """
        saved, now = Saved(), epoch(self.clock())
        rows = self.store.threads_to_read(
            source.platform, since=now - 7 * DAY, before=now - 3600, limit=THREADS_AT_MOST
        )
        for row in rows:
            try:
                mention = collector.to_post(json.loads(row["payload"]))
                page = collector.thread(mention)
            except CollectorError as error:
                self._held_back(source, Query("threads", (), ()), error)
                break
            except ValueError:
                continue  # a payload that retention has emptied
            if page is None or self.stopping.is_set():
                break
            below = {mention.native_id}
            for post in sorted(page.posts, key=lambda p: p.created_at):
                if post.reply_to in below or self.brand_of(post) is not None:
                    below.add(post.native_id)
            page = replace(page, posts=[p for p in page.posts if p.native_id in below])
            saved += self.keep(page, source=source.name, platform=source.platform, query="threads")
            self.store.mark_threads_read([row["thread"]], now)
        return saved

    def _held_back(self, source: Source, query: Query, error: CollectorError) -> None:
        """Note a failure; wait for the reset that was named, else back off with jitter."""
        now = epoch(self.clock())
        row = self.store.one("SELECT failures FROM health WHERE source = ?", (source.name,))
        failures = int(row["failures"]) if row else 0
        resets_at = error.resets_at if isinstance(error, LimitError) else None
        if resets_at is None:
            delay = min(3600.0, 30.0 * 2.0 ** min(failures, 8)) * random.uniform(0.75, 1.25)
            resets_at = now + delay
        self.store.save_failure(
            source=source.name,
            platform=source.platform,
            query=query.name,
            reason=str(error),
            now=now,
            limited=isinstance(error, LimitError),
            open_until=int(resets_at),
            requests=error.requests,
            cost_usd=error.cost_usd,
        )
        log.warning("%s: %s", source.name, error)

    # stages ---------------------------------------------------------------------------------------

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
            from sentiment.model import Item

            items = [
                Item(
                    text=row["text"],
                    target=(row["span_start"], row["span_end"]),
                    rules=self._rules(row["brand"]),
                )
                for row in rows
            ]
            judgements = self.judge_model.judge(items, threshold=threshold)
            scores = [
                Score(
                    row["key"], row["brand"], j.label, j.negative, j.neutral, j.positive,
                    j.confidence, None if j.language == "unknown" else j.language, j.intent, j.rule,
                )
                for row, j in zip(rows, judgements, strict=True)
            ]  # fmt: skip
            self.store.save_scores(self.judge_model.version, scores, epoch(self.clock()))
            done += len(rows)
            progress("judge", done)
        return done

    def _rules(self, brand: str) -> tuple[Any, ...]:
        found: Brand | None = self._brands.get(brand)
        return found.phrase_rules() if found is not None and found.phrases else ()

    def group(self, progress: Progress = _quiet) -> int:
        """Posts without a near-duplicate group → the first post that they copy, or themselves.

        Groups that grew by this are looked at again: are they machines' work?
        """
        from listener.duplicates import Grouper, flood

        done = 0
        rows = self.store.ungrouped(5000)
        if not rows:
            return 0
        grouper = Grouper()
        for key, text in self.store.recent_texts(min(r["created_at"] for r in rows) - 3 * DAY):
            grouper.add(key, text)
        while rows and not self.stopping.is_set():
            groups = []
            for row in rows:
                original = f"{row['platform']}:{row['repost_of']}" if row["repost_of"] else None
                groups.append((row["key"], original or grouper.add(row["key"], row["text"])))
            self.store.save_groups(groups, flood)
            done += len(rows)
            progress("group", done)
            rows = self.store.ungrouped(5000)
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
        first, series = watch.build_series(
            self.store.hourly_counts(since),
            since=since,
            until=until,
            gaps=self.store.gaps(since),
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
        from dataclasses import replace

        label = {"negative share": "negative", "volume": None}.get(spike.kind, spike.kind)
        keys = self.store.evidence(
            spike.brand,
            None if spike.region == watch.EVERYWHERE else spike.region,
            epoch(spike.start),
            epoch(spike.end) if spike.end else now + 1,
            label,
        )
        return replace(spike, evidence=tuple(keys))

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
            "alert": self.alert,
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
        """Every enabled source once, one after the other; a source that fails stops no other."""
        saved, failed = Saved(), {}
        for source in self.config.sources:
            if source.enabled:
                try:
                    saved += self.collect(source)
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
