"""From a platform into the store: walk a source, match its posts, keep each page whole.

What fails goes into the coverage ledger, and the source waits; what a page brought is in the store or
its cursor stands before it.
"""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from listener import addressing, collectors
from listener.collectors import Clock, Collector, Context, Cursor, Page, utc_now
from listener.collectors.columns import platform_name
from listener.config import Config, Source
from listener.errors import (
    AuthError,
    BudgetError,
    CollectorError,
    LimitError,
    PlatformError,
    UnreachableError,
)
from listener.mention import Post, Query, epoch, moment
from listener.store import Saved, Store

if TYPE_CHECKING:
    from listener.matching import Matcher
    from sentiment.model import Judge

log = logging.getLogger("groundswell")

THREADS_AT_MOST = 20  # read after each round of a source
DAY = 86_400
NO_PLATFORM = "file"  # of posts whose export does not say where they are from
ACCOUNT = "account:"  # how the queries begin that read what a brand's own account wrote


def _until(seconds: int) -> str:
    return f"not asked again before {moment(seconds):%Y-%m-%d %H:%M:%S} UTC"


def _home(platform: str) -> str:
    """The platform of posts, as keywords.yaml may name it: ``twitter`` is x, ``jetstream`` bluesky."""
    name = platform_name(platform)
    return collectors.POSTS_OF.get(name, name)


def _of_the_host(error: CollectorError) -> bool:
    """Whether what failed would fail for the host's other queries too: it cannot be reached, limits,
    refuses, or names a time before which it is not to be asked."""
    return (
        not isinstance(error, PlatformError)
        or isinstance(error, UnreachableError)
        or error.resets_at is not None
    )


def _from_nothing(cursor: Cursor | None) -> bool:
    """Whether a walk has nothing to go back to, and so reaches no further than its ``lookback``."""
    return not cursor or (cursor.get("bound") is None and not cursor.get("walk"))


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
        """Walk one source to its end for all its queries; failures go into the ledger.

        A host that cannot be reached, refuses or limits is left until it may be asked again, and the
        source's other hosts are asked; a budget ends the round, as does a failure that is of no one
        host.
        """
        # Where no matcher can be built, nothing is asked for (and paid) that nobody reads.
        _ = self.matcher
        saved = Saved()
        now = epoch(self.clock())
        self.failures.pop(source.name, None)
        held = self.store.holds().get(source.name)
        if held is not None and held["open_until"] > now:
            self.failures[source.name] = f"{held['last_error']}; {_until(held['open_until'])}"
            return saved
        if held is not None:
            log.info("%s: the pause is over; it is asked again", source.name)
            self.store.release(source.name)
        collector = self.collector(source)
        queries = [(query, collector.host_of(query)) for query in self.queries(source)]
        hosts = {host for _, host in queries}
        several = len(hosts) > 1
        left = self._left_alone(source, hosts, now)  # and those that fail in this round
        reached = failed = False
        for query, host in queries:
            if host in left:
                continue
            own, whose, answered = query.name.startswith(ACCOUNT), None, False
            try:
                cursor = self.store.cursor(source.name, query.name)
                if own and _from_nothing(cursor):
                    back = getattr(collector.context.options, "lookback", 0)
                    since = epoch(self.clock()) - back
                    self.store.begin_account_walk(source.name, query.name, since)
                for page in collector.fetch(query, cursor):
                    if self.stopping.is_set():
                        return saved  # the cursor stands before this page: it is read again
                    saved += self.keep(
                        page, source=source.name, platform=source.platform, query=query.name
                    )
                    answered |= page.coverage.failed is None and page.coverage.requests > 0
                    reached |= answered
                    if own:
                        whose = next(filter(None, map(self.brand_of, page.posts)), whose)
                        if page.complete:
                            self._account_read(source, query, whose, page.coverage.truncated)
                if answered and host in self.store.host_holds(source.name):
                    self.store.release_host(source.name, host)
            except CollectorError as error:
                unreachable = isinstance(error, UnreachableError)
                # Where there is no network at all, that is said once and not once a host.
                self._held_back(
                    source, query, error, host if several else "",
                    quietly=unreachable and failed and not reached,
                )  # fmt: skip
                if not _of_the_host(error):
                    continue
                if not host or isinstance(error, BudgetError):
                    return saved  # a limit, a refused login, no network: so for the others too
                left.add(host)
                failed = True
        if collector.reads_threads and (reached or not left):
            saved += self.read_threads(source, collector, left, several=several)
        return saved

    def _left_alone(self, source: Source, hosts: set[str], now: int) -> set[str]:
        """The hosts of a source that may not be asked yet; why, and until when, is told."""
        held = {h: row for h, row in self.store.host_holds(source.name).items() if h in hosts}
        waiting = {host for host, row in held.items() if row["open_until"] > now}
        for host in sorted(held.keys() - waiting):
            log.info("%s: the pause of %s is over; it is asked again", source.name, host)
        if waiting:
            first = min((held[host] for host in waiting), key=lambda row: int(row["open_until"]))
            others = f"; {len(waiting) - 1} more of its hosts wait" if len(waiting) > 1 else ""
            told = f"{first['last_error']}; {_until(first['open_until'])}{others}"
            self.failures[source.name] = told
        return waiting

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

    def read_threads(
        self, source: Source, collector: Collector, left: set[str], *, several: bool
    ) -> Saved:
        """Look whether open mentions of the last week were answered, each at most once an hour.

        Of a thread, what hangs below the mention and what the brand wrote is kept, and no more.
        ``left``: hosts that may not be asked; those that fail are added. ``several``: there are others.
        """
        saved, now = Saved(), epoch(self.clock())
        rows = self.store.threads_to_read(
            source.platform, since=now - 7 * DAY, before=now - 3600, limit=THREADS_AT_MOST
        )
        for row in rows:
            if self.stopping.is_set():
                break
            host = ""
            try:
                mention = collector.to_post(json.loads(row["payload"]))
                host = collector.host_of_thread(mention)
                if host in left:  # its turn is in an hour, or it would take that of others
                    self.store.mark_thread_asked(row["thread"], now)
                    continue
                page = collector.thread(mention)
            except CollectorError as error:
                self._held_back(source, Query("threads", (), ()), error, host if several else "")
                if several and host and _of_the_host(error) and not isinstance(error, BudgetError):
                    self.store.mark_thread_asked(row["thread"], now)
                    left.add(host)
                    continue
                if isinstance(error, PlatformError):
                    # It may be this thread, or its server alone: it does not come first again.
                    self.store.mark_thread_asked(row["thread"], now)
                break
            except ValueError:
                page = None  # a payload of another day's shape: nothing to ask by
            if page is None:  # this one is gone or refused; the others are not
                self.store.mark_thread_asked(row["thread"], now)
                continue
            below = {mention.native_id}
            for post in sorted(page.posts, key=lambda p: p.created_at):
                if post.reply_to in below or self.brand_of(post) is not None:
                    below.add(post.native_id)
            page = replace(page, posts=[p for p in page.posts if p.native_id in below])
            saved += self.keep(page, source=source.name, platform=source.platform, query="threads")
            self.store.mark_thread_asked(row["thread"], now)
            if page.threads_read:
                self.store.mark_threads_read([row["thread"]], now)
        return saved

    def _held_back(
        self, source: Source, query: Query, error: CollectorError, host: str, *, quietly: bool = False
    ) -> None:  # fmt: skip
        """Note a failure; wait for the reset that was named, else back off with jitter.

        What is of one of several hosts holds back that ``host`` alone ("": the source). A wait that
        was asked for earlier is not cut short. ``quietly``: into the ledger, and not said again.
        """
        now = epoch(self.clock())
        if isinstance(error, BudgetError) or not _of_the_host(error):
            host = ""
        row = self.store.host_holds(source.name).get(host) if host else self.store.one(
            "SELECT failures, open_until FROM health WHERE source = ?", (source.name,)
        )  # fmt: skip
        failures = int(row["failures"]) if row else 0
        held_by = "login" if isinstance(error, AuthError) else "platform"
        if isinstance(error, BudgetError):
            held_by = "budget"
        resets_at = error.resets_at
        if resets_at is None:
            delay = min(3600.0, 30.0 * 2.0 ** min(failures, 8)) * random.uniform(0.75, 1.25)
            resets_at = now + delay
        if row and row["open_until"] is not None:
            resets_at = max(resets_at, row["open_until"])
        self.store.save_failure(
            source=source.name,
            platform=source.platform,
            query=query.name,
            reason=str(error),
            now=now,
            limited=isinstance(error, LimitError),
            open_until=int(resets_at),
            held_by=held_by,
            requests=error.requests,
            cost_usd=error.cost_usd,
            host=host,
        )
        if quietly:
            return
        self.failures[source.name] = f"{error}; {_until(int(resets_at))}"
        log.warning("%s: %s", source.name, self.failures[source.name])

    def release(self, *, platforms: bool) -> None:
        """At a start: what held a source back may have been mended meanwhile, so it is asked again.

        A raised budget is checked without a request, a new secret by one. ``platforms``: also those
        that a platform itself has asked to wait, or that failed.
        """
        now = epoch(self.clock())
        for name, held in self.store.holds().items():
            if held["open_until"] > now and (platforms or held["held_by"] != "platform"):
                log.info(
                    "%s was held back (%s; %s); it is asked again now",
                    name, held["last_error"], _until(held["open_until"]),
                )  # fmt: skip
                self.store.release(name)
        for source in self.config.sources:
            for host, held in self.store.host_holds(source.name).items():
                if held["open_until"] > now and (platforms or held["held_by"] != "platform"):
                    log.info(
                        "%s: %s was held back (%s; %s); it is asked again now",
                        source.name, host, held["last_error"], _until(held["open_until"]),
                    )  # fmt: skip
                    self.store.release_host(source.name, host)
