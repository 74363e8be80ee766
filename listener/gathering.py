"""From a platform into the store: walk a source, match its posts, keep each page whole.

What fails goes into the coverage ledger, and waits (listener.backoff); what a page brought is in the
store or its cursor stands before it.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from listener import addressing, backoff, collectors
from listener.backoff import THREADS, Turn
from listener.collectors import Clock, Collector, Context, Cursor, Page, utc_now
from listener.collectors.columns import platform_name
from listener.config import Config, Source
from listener.errors import BudgetError, CollectorError, GroundswellError, PlatformError
from listener.mention import Post, Query, epoch
from listener.store import Filter, Saved, Store

if TYPE_CHECKING:
    from listener.matching import Matcher
    from sentiment.model import Judge

log = logging.getLogger("groundswell")

THREADS_AT_MOST = 20  # read after each round of a source
DAY = 86_400
HABIT = 14 * DAY  # in which it shows what each query brings
NO_PLATFORM = "file"  # of posts whose export does not say where they are from
ACCOUNT = "account:"  # how the queries begin that read what a brand's own account wrote


def _home(platform: str) -> str:
    """The platform of posts, as keywords.yaml may name it: ``twitter`` is x, ``jetstream`` bluesky."""
    name = platform_name(platform)
    return collectors.POSTS_OF.get(name, name)


def _from_nothing(cursor: Cursor | None) -> bool:
    """Whether a walk has nothing to go back to, and so reaches no further than its ``lookback``."""
    return not cursor or (cursor.get("bound") is None and not cursor.get("walk"))


def _pages(collector: Collector, query: Query, cursor: Cursor | None) -> Iterator[Page]:
    """``fetch``, with any fault of the collector as a failure of this one query: an answer of a shape
    that nobody thought of must not keep the source's other queries from being heard."""
    try:
        yield from collector.fetch(query, cursor)
    except GroundswellError:
        raise
    except Exception as error:
        log.exception("%s: the answer to %s could not be read", collector.platform, query.name)
        kind = type(error).__name__  # its text may hold what it was asked with
        raise PlatformError(
            f"{collector.platform}: the answer to {query.name} could not be read "
            f"({kind}; the log has more)"
        ) from error


class Gathering:
    """One store, one configuration, and the way of a post from its platform into the store."""

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
        # Why a source gave less than it was asked for in its last round, or was not asked at all.
        self.failures: dict[str, str] = {}
        self.stopping = threading.Event()  # set it, and every stage ends after its current batch
        self._up_since = epoch(clock())
        self._looked = -1  # the minute in which all kinds of alerts were last looked for
        self._load_judge = load_judge
        self._handles = {
            (place, handle.lstrip("@").lower()): brand.name
            for brand in config.all_brands()
            for platform, handles in brand.handles.items()
            for handle in handles
            for place in (_home(platform), NO_PLATFORM)
        }
        self._accounts = addressing.accounts(config.all_brands())
        self._brands = {brand.name: brand for brand in config.all_brands()}
        self._own = [b.name for b in config.all_brands() if not b.competitor]

    @cached_property
    def matcher(self) -> Matcher:
        """Built once; spellings that the audit suspended are left out."""
        return self._build_matcher(self.store.suspended())

    def _build_matcher(self, suspended: Mapping[str, frozenset[str]]) -> Matcher:
        from listener.matching import Matcher

        return Matcher(
            [b.terms(suspended.get(b.name, frozenset())) for b in self.config.all_brands()]
        )

    def brand_of(self, post: Post) -> str | None:
        """The brand whose own account wrote this, or None: a customer, a stranger, not known.

        A handle is the brand's on its own platform only: elsewhere it may be anybody's. Jetstream
        names authors by their DIDs alone, so a DID among the handles is the brand's as well. An export
        that says "from the brand" of an account that no brand lists is believed, and the handle
        stands for the brand.
        """
        handle = (post.author.handle or "").lstrip("@").lower()
        known = self._handles.get((post.platform, handle))
        if known is None and post.author.id and post.author.id.startswith("did:"):
            known = self._handles.get((post.platform, post.author.id.lower()))
        if post.incoming is not True and known is not None:
            return known
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

        Returns how many posts were found deleted, protected or without their place. Nothing is asked
        while the platform, or the host of it that would be, wants to be left alone. A failure leaves
        the round where it stands, once: a post at which the platform fails ends no later round.
        """
        now = epoch(self.clock())
        collector = self.collector(source)
        if (why := self.why_not(source, collector.host_of_recheck)) is not None:
            log.info("%s: deletions are not checked now: %s", source.name, why)
            return 0
        state = self.store.cursor(source.name, "recheck") or {}
        rows = self.store.to_recheck(source.platform, str(state.get("after", "")), limit)
        after = rows[-1]["key"] if len(rows) == limit else ""
        found = 0
        if rows:
            placed = {row["native_id"] for row in rows if row["placed"]}
            try:
                gone = collector.recheck([row["native_id"] for row in rows], placed)
            except CollectorError as error:
                if backoff.asks_to_wait(error):
                    self.keep_back(source, collector, collector.host_of_recheck, "recheck", error)
                elif isinstance(error, PlatformError):
                    stay = not state.get("failed")
                    self.store.save_rechecked(
                        source.name,
                        str(state.get("after", "")) if stay else after,
                        now,
                        failed=stay,
                    )
                raise
            found = self.store.save_deletions(source.platform, gone, now)
        self.store.save_rechecked(source.name, after, now)
        return found

    def why_not(self, source: Source, host: str = "") -> str | None:
        """Why a source, or this host of it, wants to be left alone for now."""
        return backoff.why_not(self.store, source.name, epoch(self.clock()), host)

    def keep_back(
        self, source: Source, collector: Collector, host: str, what: str, error: CollectorError
    ) -> None:
        """A platform that asked to wait when it was asked for something else than news (``what``) is
        left alone by all."""
        if isinstance(error, BudgetError):  # its requests are checked against the budget anyway
            return
        now = epoch(self.clock())
        asked = [(query, collector.host_of(query)) for query in self.queries(source)]
        turn = Turn(self.store, source, asked, now, lambda names: self._shares(source, names))
        turn.failed(host, what, error, now)

    def queries(self, source: Source) -> list[Query]:
        """What a source is asked for. A source that yields everything has one query for all brands."""
        found = collectors.load(source.platform)
        if found.everything:
            return [Query("all", tuple(self._brands), tuple(self._brands))]
        from listener.collectors.packing import pack

        options = found.options.model_validate(source.own_options())
        return pack([b.terms() for b in self.config.all_brands()], found, options)[0]

    def collect(self, source: Source) -> Saved:
        """Walk one source to its end for all its queries; failures go into the ledger.

        A query that fails by itself, and a host that cannot be reached, refuses or limits, is left
        until it may be asked again, and the others are asked; a budget ends the round, as does what is
        of no one host. A source of which nothing answered fails as a whole.
        """
        # Where no matcher can be built, nothing is asked for (and paid) that nobody reads.
        _ = self.matcher
        now = epoch(self.clock())
        self.failures.pop(source.name, None)
        if (why := self._paused(source, now)) is not None:
            self.failures[source.name] = why
            return Saved()
        collector = self.collector(source)
        asked = [(query, collector.host_of(query)) for query in self.queries(source)]
        turn = Turn(self.store, source, asked, now, lambda names: self._shares(source, names))
        saved = self._walk(source, collector, asked, turn)
        if collector.reads_threads and turn.may_read_threads and not self.stopping.is_set():
            saved += self.read_threads(source, collector, turn)
        if (why := turn.end(epoch(self.clock()))) is not None:
            self.failures[source.name] = why
        return saved

    def _paused(self, source: Source, now: int) -> str | None:
        """Why the whole source is not to be asked yet; a pause that is over is so from now on."""
        why = backoff.why_not(self.store, source.name, now)
        if why is None and source.name in self.store.holds():
            log.info("%s: the pause is over; it is asked again", source.name)
            self.store.release(source.name)
        return why

    def _walk(
        self, source: Source, collector: Collector, asked: Sequence[tuple[Query, str]], turn: Turn
    ) -> Saved:
        """Each query of a source that may be asked, page by page, until a stop."""
        saved = Saved()
        for query, host in asked:
            if turn.stopped:
                break
            if not turn.may_ask(host, query.name):
                continue
            own, whose = query.name.startswith(ACCOUNT), None
            try:
                cursor = self.store.cursor(source.name, query.name)
                if own and _from_nothing(cursor):
                    back = getattr(collector.context.options, "lookback", 0)
                    since = epoch(self.clock()) - back
                    self.store.begin_account_walk(source.name, query.name, since)
                for page in _pages(collector, query, cursor):
                    if self.stopping.is_set():
                        return saved  # the cursor stands before this page: it is read again
                    saved += self.keep(
                        page, source=source.name, platform=source.platform, query=query.name
                    )
                    if page.coverage.failed is None:
                        turn.answered(host, query.name)
                    if own:
                        whose = next(filter(None, map(self.brand_of, page.posts)), whose)
                        if page.complete:
                            self._account_read(source, query, whose, page.coverage.truncated)
                turn.ended(host, query.name)
            except CollectorError as error:
                turn.failed(host, query.name, error, epoch(self.clock()))
        return saved

    def _shares(self, source: Source, names: Sequence[str]) -> dict[str, dict[str, float]]:
        """What part of each brand's posts on its platform these queries of a source have brought, at
        most, in the last two weeks.

        Of a page the ledger knows how many posts were new and name a brand, not which brand. A query
        that serves several brands therefore counts for each of them with all that it brought.
        """
        since = epoch(self.clock()) - HABIT
        brought = self.store.brought(since)
        there = Filter(platforms=(_home(source.platform),), since=since)
        whole = {row["brand"]: row["posts"] for row in self.store.counts_by(["brand"], there)}
        found: dict[str, dict[str, float]] = {}
        for query in self.queries(source):
            if query.name in names and (posts := brought.get((source.name, query.name))):
                found[query.name] = {
                    brand: min(1.0, posts / whole[brand])
                    for brand in query.brands
                    if whole.get(brand)
                }
        return found

    def _account_read(self, source: Source, query: Query, brand: str | None, cut: bool) -> None:
        """All that one of the brands' own accounts wrote is here: whom they have not answered by
        now, and would have to be seen answering, has not been answered."""
        now = epoch(self.clock())
        if cut:  # the platform has more than it gave
            self.store.begin_account_walk(source.name, query.name, now)
        self.store.end_account_walk(source.name, query.name, brand, now)
        unread = self.store.unread_threads(source.platform, self._answers_read(source.platform))
        self.store.mark_threads_read(unread, now)

    def _answers_read(self, platform: str) -> dict[str, tuple[int, int]]:
        """By brand, from when to when all that its accounts wrote has been read.

        A brand is left out while one of its accounts has not been read whole; so is an account that
        no brand lists and whose posts nobody knows as a brand's.
        """
        walks = self.store.account_walks()
        found: dict[str | None, tuple[int, int]] = {}
        waiting: set[str | None] = set()
        for source in self.config.sources:
            if source.platform != platform or not source.enabled:
                continue
            for query in self.queries(source):
                if not query.name.startswith(ACCOUNT):
                    continue
                handle = query.name.removeprefix(ACCOUNT).lstrip("@").lower()
                row = walks.get((source.name, query.name))
                known = self._handles.get((_home(platform), handle))
                brand = known or (row["brand"] if row else None)
                if row is None or row["upto"] is None:
                    waiting.add(brand)
                    continue
                since, upto = found.get(brand, (row["since"], row["upto"]))
                found[brand] = (max(since, row["since"]), min(upto, row["upto"]))
        if None in waiting:  # it may be any brand's
            return {}
        return {b: span for b, span in found.items() if b is not None and b not in waiting}

    def read_threads(self, source: Source, collector: Collector, turn: Turn) -> Saved:
        """Look whether open mentions of the last week were answered, each at most once an hour.

        Of a thread, what hangs below the mention and what the brand wrote is kept, and no more.
        """
        saved, now = Saved(), epoch(self.clock())
        rows = self.store.threads_to_read(
            source.platform, since=now - 7 * DAY, before=now - 3600, limit=THREADS_AT_MOST
        )
        failed: set[str] = set()  # hosts
        for row in rows:
            if self.stopping.is_set() or turn.stopped:
                break
            host = ""
            try:
                mention = collector.to_post(json.loads(row["payload"]))
                host = collector.host_of_thread(mention)
                if host in failed or not turn.may_ask(host, THREADS):
                    # Its turn is in an hour, or it would take that of others.
                    self.store.mark_thread_asked(row["thread"], now)
                    continue
                page = collector.thread(mention)
            except CollectorError as error:
                turn.thread_failed(host, error, epoch(self.clock()))
                failed.add(host)
                if not turn.stopped or isinstance(error, PlatformError):
                    # It may be this thread, or its server alone: it does not come first again.
                    self.store.mark_thread_asked(row["thread"], now)
                if not turn.several:
                    break
                continue
            except (ValueError, TypeError, KeyError, AttributeError):
                page = None  # a payload, or an answer, of a shape that says nothing
            if page is None:  # this one is gone or refused; the others are not
                self.store.mark_thread_asked(row["thread"], now)
                continue
            below = {mention.native_id}
            for post in sorted(page.posts, key=lambda p: p.created_at):
                if post.reply_to in below or self.brand_of(post) is not None:
                    below.add(post.native_id)
            page = replace(page, posts=[p for p in page.posts if p.native_id in below])
            saved += self.keep(page, source=source.name, platform=source.platform, query=THREADS)
            self.store.mark_thread_asked(row["thread"], now)
            if page.threads_read:
                self.store.mark_threads_read([row["thread"]], now)
        return saved

    def release(self, *, platforms: bool) -> None:
        """At a start, ask again what was held back; see :func:`listener.backoff.release`."""
        backoff.release(self.store, self.config.sources, epoch(self.clock()), platforms=platforms)
