"""The contract of a collector, and the registry.

A collector knows one platform. It turns brands into that platform's queries, walks back through the
platform's pages from the newest post to where it stopped last time, and yields each page with the
cursor that resumes *after* it. It writes nothing: the pipeline commits a page's posts, its coverage
row and its cursor in one transaction, so a kill between two pages repeats a page and never loses one.

Built-ins and outsiders register in the same way, through the entry-point group
``groundswell.collectors`` (a name and a class). ``fetch`` does the I/O; ``to_post`` is pure.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict

from listener.collectors.packing import Grammar, render, search_queries
from listener.errors import ConfigError
from listener.mention import Post, Query

if TYPE_CHECKING:
    from listener.matching import BrandTerms

ENTRY_POINTS = "groundswell.collectors"

Clock = Callable[[], datetime]
Cursor = dict[str, Any]

# Collectors whose posts are those of another platform, under that platform's own ids.
POSTS_OF: Mapping[str, str] = {"jetstream": "bluesky"}


def utc_now() -> datetime:
    """The only clock that reads the real time; everything else is handed one."""
    return datetime.now(UTC)


class Options(BaseModel):
    """What a source may say in keywords.yaml beyond the common keys; a collector subclasses it."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What one request gave, for the ledger. ``truncated``: the platform has more than it would give.

    ``limited``: a limit or budget cut the walk. ``failed``: why nothing came, in one line.
    ``window_start``/``window_end`` bound the time the page speaks for; None where it cannot be said.
    ``hole_start``/``hole_end`` bound the time whose posts were left out: from where the last walk had
    been to the oldest that came.
    """

    asked: int | None = None
    returned: int = 0
    truncated: bool = False
    limited: bool = False
    failed: str | None = None
    requests: int = 1
    cost_usd: float = 0.0
    window_start: datetime | None = None
    window_end: datetime | None = None
    hole_start: datetime | None = None
    hole_end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reject:
    """A payload that could not be read: why, where it stood, and the payload itself, kept aside."""

    reason: str
    where: str = ""
    payload: str = ""


@dataclass(frozen=True, slots=True)
class Deletion:
    """A post that is gone, hidden or stripped of its place on its platform."""

    native_id: str
    state: str = "deleted"  # deleted | protected | geo_removed
    author_id: str | None = None  # set (with an empty native_id) when a whole account went
    platform: str | None = None  # of the post, where it is not the source's own


@dataclass(frozen=True, slots=True)
class Page:
    """One page: the posts on it, and the cursor that resumes after it. ``complete`` ends a walk.

    ``threads_read``: the posts come with the replies of their conversations, as far as the source
    goes, so that "nobody answered" can be said of them; otherwise their threads stay unknown until
    something reads them. ``retimed``: the posts' times are read in another way than before, as a person
    said, and take the place of those that are stored.
    """

    posts: Sequence[Post]
    cursor: Cursor
    coverage: Coverage = Coverage()
    rejected: Sequence[Reject] = ()
    deleted: Sequence[Deletion] = ()
    complete: bool = False
    threads_read: bool = False
    retimed: bool = False


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret that a platform needs: the environment variable's name and where one gets it."""

    name: str
    purpose: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Readiness:
    """What ``groundswell check`` prints of a source; ``missing`` are names, never values."""

    ready: bool
    detail: str
    missing: tuple[str, ...] = ()
    requests_per_day: float = 0.0
    usd_per_day: float = 0.0


@dataclass(frozen=True)
class Context:
    """What a collector is built from: its source's options, the secrets, the clock, the wait.

    ``sleep`` waits for so many seconds and is handed in so that tests do not wait. ``spend`` is asked
    *before* each request with (requests, dollars at most) and raises BudgetError when that would cross
    the source's budget; afterwards it is told (0, minus what the request did not cost after all).
    """

    source: str
    options: Options
    secrets: Mapping[str, str] = field(default_factory=dict)
    clock: Clock = utc_now
    sleep: Callable[[float], None] = lambda seconds: None
    spend: Callable[[int, float], None] = lambda requests, usd: None
    user_agent: str = "groundswell/0.1 (social listening)"


class Collector(ABC):
    """One platform. Subclasses give ``platform``, ``options``, ``secrets`` and the methods below."""

    platform: ClassVar[str]
    summary: ClassVar[str] = ""
    options: ClassVar[type[Options]] = Options
    secrets: ClassVar[tuple[Secret, ...]] = ()
    max_query_length: ClassVar[int | None] = None
    grammar: ClassVar[Grammar | None] = None  # what its search understands; None: plain OR
    reads_threads: ClassVar[bool] = (
        False  # True: ``thread`` is cheap enough to be asked of mentions
    )
    everything: ClassVar[bool] = (
        False  # True: it yields all it has, and one query serves all brands
    )

    def __init__(self, context: Context) -> None:
        self.context = context

    def check(self, queries: Sequence[Query], every_seconds: int) -> Readiness:
        """Say whether this source can start: secrets that are missing, requests and dollars a day."""
        missing = tuple(
            s.name for s in self.secrets if not s.optional and not self.context.secrets.get(s.name)
        )
        if missing:
            return Readiness(False, "missing " + ", ".join(missing), missing)
        return Readiness(True, "ready", (), len(queries) * 86_400 / every_seconds)

    @classmethod
    def plan_queries(
        cls, brands: Sequence[BrandTerms], options: Options
    ) -> tuple[list[Query], list[str]]:
        """The queries of a source for these brands, and what did not fit. Pure.

        The default packs names, hashtags, handles and misspellings by ``grammar``.
        """
        return search_queries(brands, cls.grammar or Grammar(max_length=cls.max_query_length))

    @classmethod
    def query_text(cls, query: Query) -> str:
        """The query as the platform's search reads it."""
        return render(query, cls.grammar or Grammar(max_length=cls.max_query_length))

    def host_of(self, query: Query) -> str:
        """The host that this query is asked of, where a source has several: when it fails, only its
        own queries are left until it may be asked again. ``""``: what fails for one query fails for
        all. The name is kept and shown, so it holds no login.
        """
        return ""

    def host_of_thread(self, post: Post) -> str:
        """The host that ``thread`` asks about this post; as ``host_of``."""
        return ""

    @property
    def host_of_recheck(self) -> str:
        """The host that ``recheck`` asks; as ``host_of``."""
        return ""

    @property
    def rechecks_per_hour(self) -> int:
        """How many stored posts the deletion sync asks about in an hour; 0 leaves it off."""
        return 0

    def thread(self, post: Post) -> Page | None:
        """The conversation around a post, to see whether somebody answered; None where unknown."""
        return None

    @abstractmethod
    def fetch(self, query: Query, cursor: Cursor | None) -> Iterator[Page]:
        """Yield pages from where ``cursor`` stands (None: from the start) until the walk is complete.

        A page says that the platform answered; yield none where nothing was asked. Raises
        CollectorError's children; pages yielded before are kept, and their cursor resumes.
        """

    @staticmethod
    @abstractmethod
    def to_post(payload: Mapping[str, Any]) -> Post:
        """One payload of the platform as a Post: pure. Raises ValueError naming the faulty field."""

    def backfill(self, query: Query, since: datetime, cursor: Cursor | None) -> Iterator[Page]:
        """Walk back to ``since``; platforms that have no archive keep this error."""
        raise ConfigError(f"{self.platform} has no backfill by date; leave it out of --source")

    def recheck(
        self, native_ids: Sequence[str], placed: Collection[str] = ()
    ) -> Sequence[Deletion]:
        """Which of these posts are gone by now (deletion sync); platforms without it say nothing.

        ``placed`` are those of them that we hold a place of: one that lost it is told as geo_removed.
        """
        return ()

    def reply(self, post: Post, text: str) -> str:
        """Answer a post and return the reply's native id; platforms without replies keep this error."""
        raise ConfigError(f"{self.platform} cannot be answered from here; open the post instead")


def registered() -> dict[str, type[Collector]]:
    """All collectors by name, from every installed package. A broken one is named, not hidden."""
    found: dict[str, type[Collector]] = {}
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda p: p.name):
        found[point.name] = load(point.name)
    return found


def names() -> list[str]:
    """The registered names, without importing any collector."""
    return sorted({point.name for point in entry_points(group=ENTRY_POINTS)})


@cache
def load(name: str) -> type[Collector]:
    """The collector class of that name; ConfigError lists the known names when there is none."""
    points = list(entry_points(group=ENTRY_POINTS, name=name))
    if not points:
        raise ConfigError(f"no collector is called {name!r}; known are: {', '.join(names())}")
    try:
        loaded = points[0].load()
    except ImportError as error:
        raise ConfigError(
            f"the collector {name!r} cannot be loaded: {error}. "
            f"Install what it needs: pip install 'groundswell[{name}]'"
        ) from error
    if not (isinstance(loaded, type) and issubclass(loaded, Collector)):
        raise ConfigError(f"the entry point {name!r} is {loaded!r}, which is not a Collector")
    return loaded
