"""The only door to the store: cached reads, and the few writes that a person makes from a page.

The store's revision grows with every write; reads are cached by it, so that a page which refreshes
every few seconds asks SQLite for one number unless something is new. Every function here takes plain
values and gives plain rows; views see neither SQL nor the store.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import streamlit as st

from listener import themes as kept_themes
from listener.alerts import precision_by_week
from listener.audit import VariantAudit, audit
from listener.config import Config, Response, load_config
from listener.errors import ConfigError, StoreBusy, StoreError
from listener.inbox import response_summary
from listener.reasons import reasons
from listener.reasons import where as spike_where
from listener.store import Filter as Filter
from listener.store import Store, lock_holder
from sentiment.explain import Explanation

Row = dict[str, Any]
ALERTS = 10_000  # alerts looked at for a page
ROUNDS = 500  # newest requests, by whose rhythm it is told that the next one is late
KEEP = 64  # results kept of each read; older ones belong to revisions that nobody looks at


@dataclass(frozen=True, slots=True)
class Settings:
    """What of keywords.yaml a page needs; ``problem`` says why it could not be read.

    ``words`` are a brand's own names and handles.
    """

    brands: tuple[str, ...]
    competitors: tuple[str, ...]
    groups: Mapping[str, tuple[str, ...]]
    response: Response
    problem: str | None = None
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def store_path() -> Path:
    """The database that GROUNDSWELL_DB names."""
    return Path(os.environ.get("GROUNDSWELL_DB") or "groundswell.db")


def config_path() -> Path:
    """The configuration that GROUNDSWELL_CONFIG names."""
    return Path(os.environ.get("GROUNDSWELL_CONFIG") or "keywords.yaml")


def now() -> int:
    """Epoch seconds; GROUNDSWELL_NOW stands in for the clock in tests and screenshots."""
    fixed = os.environ.get("GROUNDSWELL_NOW")
    return int(fixed) if fixed else int(time.time())


@st.cache_resource(show_spinner=False, max_entries=4)
def _open(path: str, inode: int) -> Store:
    return Store(path, create=False)


def _store() -> Store:
    """The store; a file that was made anew under the same name is opened anew."""
    path = store_path()
    try:
        inode = path.stat().st_ino
    except FileNotFoundError:
        raise StoreError(f"{path} is not here") from None
    return _open(str(path), inode)


@dataclass(frozen=True, slots=True)
class State:
    """Whether there is something to show. ``problem`` is None, "missing", "busy" or "broken"."""

    stamp: str
    problem: str | None = None
    detail: str = ""


def state() -> State:
    """One cheap look: the stamp changes when, and only when, something was written."""
    path = store_path()
    if not path.exists():
        return State("", "missing", str(path))
    try:
        return State(f"{path}:{path.stat().st_ino}:{_store().revision()}")
    except StoreBusy as error:
        return State("", "busy", str(error))
    except StoreError as error:
        return State("", "broken", str(error))


def settings() -> Settings:
    """The configuration, read again when the file changes."""
    path = config_path()
    try:
        return _settings(str(path), path.stat().st_mtime_ns)
    except OSError:
        return Settings((), (), {}, Response(), f"{path} is not here")


@lru_cache(maxsize=4)
def _settings(path: str, changed: int) -> Settings:
    try:
        config: Config = load_config(path)
    except ConfigError as error:
        return Settings((), (), {}, Response(), "\n".join((str(error), *error.problems)))
    return Settings(
        brands=tuple(b.name for b in config.brands if not b.competitor),
        competitors=tuple(b.name for b in config.all_brands() if b.competitor),
        groups=dict(config.regions),
        response=config.response,
        words={b.name: (b.name, *b.names, *b.all_handles()) for b in config.all_brands()},
    )


# reads --------------------------------------------------------------------------------------------
# ``stamp`` is part of each cache key and is not used otherwise: a new one means new data.

_cached = st.cache_data(show_spinner=False, max_entries=KEEP)


@_cached
def span(stamp: str) -> tuple[int, int] | None:
    """The first and the last hour that have mentions."""
    return _store().span()


# These look at every row there is, and what they say changes seldom: once a minute is enough.
_minutely = st.cache_data(show_spinner=False, max_entries=KEEP, ttl=60)


def _file(stamp: str) -> str:
    """The stamp without the revision: the same file, whatever was written to it."""
    return stamp.rpartition(":")[0]


@_minutely
def _first_hour(file: str, brands: tuple[str, ...]) -> int | None:
    found = _store().span(brands)
    return None if found is None else found[0]


def first_hour(stamp: str, brands: tuple[str, ...]) -> int:
    """From when on these brands (none named: all) are listened for; up to a minute old.

    A brand that was added later has no zeros before its first post. Of brands that nobody named
    yet, it is the first hour of the store.
    """
    reach = span(stamp)
    assert reach is not None
    found = _first_hour(_file(stamp), brands) if brands else None
    return reach[0] if found is None else found


@_minutely
def _choices(file: str) -> dict[str, list[str]]:
    return _store().choices()


def choices(stamp: str) -> dict[str, list[str]]:
    """What there is to filter by, the most frequent first; up to a minute old."""
    return _choices(_file(stamp))


@_minutely
def _has_demo(file: str) -> bool:
    return _store().has_demo()


def has_demo(stamp: str) -> bool:
    """Whether any post here is made up; up to a minute old."""
    return _has_demo(_file(stamp))


@_minutely
def _status(file: str, minute: int) -> Row:
    return _store().status(now())


def status(stamp: str) -> Row:
    """The pipeline's own account of itself, up to a minute old."""
    return _status(_file(stamp), now() // 60)


@_cached
def counts(stamp: str, columns: tuple[str, ...], where: Filter) -> list[Row]:
    """``posts`` and ``copies`` summed by columns of hour, brand, platform, country, region, …"""
    return _store().counts_by(columns, where)


def history(stamp: str, columns: tuple[str, ...], where: Filter, since: int) -> list[Row]:
    """Counts with the weeks before ``since``, from which the usual is learnt.

    Those weeks are nine tenths of the cost and hardly ever change: they are up to a minute old.
    """
    if where.since is None or where.since >= since:
        return counts(stamp, columns, where)
    before = _counts_before(_file(stamp), columns, replace(where, until=since))
    return before + counts(stamp, columns, replace(where, since=since))


@_minutely
def _counts_before(file: str, columns: tuple[str, ...], where: Filter) -> list[Row]:
    return _store().counts_by(columns, where)


@_minutely
def _gaps(file: str, where: Filter, hour: int) -> list[tuple[int, int]]:
    return _store().gaps(where, hour)


def gaps(stamp: str, where: Filter) -> list[tuple[int, int]]:
    """Stretches of hours in which too much is missing: not known, which is not zero. Up to a minute
    old."""
    return _gaps(_file(stamp), where, now() // 3600 * 3600)


@_cached
def spikes(
    stamp: str, brands: tuple[str, ...], regions: tuple[str, ...], since: int, until: int | None
) -> list[Row]:
    """Spikes that touch a span, the worst first; ``regions`` keeps those and the ones of everywhere."""
    found = _store().spikes(brands, since, until)
    return [s for s in found if not regions or s["region"] in (*regions, "*")]


@_cached
def spike(stamp: str, spike_id: int) -> Row | None:
    return next((s for s in _store().spikes() if s["id"] == spike_id), None)


def spike_filter(row: Row) -> Filter:
    """The mentions that a spike counts: the feeling, the place and the time it is of."""
    return spike_where(row)


@_cached
def alerts(stamp: str, since: int) -> list[Row]:
    """Alerts since a moment, newest first, told ones and those that wait."""
    return _store().alerts(since, ALERTS)


@_cached
def precision(stamp: str, since: int, zone: str) -> tuple[list[Row], int]:
    """How many alerts of spikes people found useful, by week of a zone, and how many alerts were told
    of anything else: those have no spike on whose page a person could judge them."""
    rows = _store().alerts(since, ALERTS)
    others = sum(1 for r in rows if r["spike_id"] is None and r["sent_at"] is not None)
    spikes = [r for r in rows if r["spike_id"] is not None]
    return precision_by_week(spikes, ZoneInfo(zone)), others


@_cached
def posts_of(stamp: str, keys: tuple[str, ...], brand: str) -> list[Row]:
    """The mentions of a brand in these posts, newest first."""
    return _mentions_of(keys, brand)


def _mentions_of(keys: Sequence[str], brand: str) -> list[Row]:
    found: list[Row] = []
    for at in range(0, len(keys), 500):
        found += _store().mentions_of(keys[at : at + 500], brand)
    return sorted(found, key=lambda row: (-row["created_at"], row["key"]))


def why(stamp: str, row: Row, counted: Sequence[Row]) -> Explanation:
    """What drove a spike. ``counted`` are the counts it stands on and those it is compared with.

    It is found anew when one of these counts or the spike itself has changed, whatever else was
    written, and after ten minutes (a deleted post leaves its count).
    """
    known = tuple(row[name] for name in ("id", "start", "end", "observed"))
    content = hash(tuple(tuple(cell.values()) for cell in counted))
    words = settings().words.get(row["brand"], (row["brand"],))
    upto = themes_upto(stamp, (row["brand"],))
    if upto is not None and row["end"] is not None:
        upto = min(upto, row["end"] + 6 * 3600)  # themes found later change nothing of this spike
    return _why(_file(stamp), (*known, upto), content, words, row)


@st.cache_data(show_spinner=False, max_entries=KEEP, ttl=600)
def _why(
    file: str, known: tuple[Any, ...], content: int, words: tuple[str, ...], _row: Row
) -> Explanation:
    return reasons(_store(), _row, words)


@_cached
def mentions(
    stamp: str, where: Filter, limit: int, offset: int = 0, contains: str | None = None,
    answer: str | None = None, opening: bool = False, basis: str | None = None,
    spelling: tuple[str, str] | None = None,
) -> list[Row]:  # fmt: skip
    """Mentions, newest first; of threads ``answered``, ``unanswered`` or ``unknown``, where asked; of
    places known by ``basis``, or found by a spelling (variant and kind)."""
    return _store().mentions(
        where, limit=limit, offset=offset, contains=contains, thread_state=answer, opening=opening,
        basis=basis, spelling=spelling,
    )  # fmt: skip


@_cached
def themes(stamp: str, where: Filter, clock: tuple[tuple[int, int], ...]) -> list[Row]:
    """Posts of each theme of complaint by day of a local clock, as ``figures.offsets`` tells it."""
    return kept_themes.by_day(_store(), where, clock)


@_cached
def themes_upto(stamp: str, brands: tuple[str, ...]) -> int | None:
    """The moment up to which complaints were read for themes."""
    return kept_themes.upto(_store(), brands)


@_cached
def theme_posts(stamp: str, theme: int, where: Filter, limit: int, offset: int = 0) -> list[Row]:
    return kept_themes.posts_of(_store(), theme, where, limit, offset)


@_cached
def theme_name(stamp: str, theme: int) -> str | None:
    return kept_themes.name_of(_store(), theme)


@_cached
def mention(stamp: str, key: str) -> list[Row]:
    """The mentions of one post, one for each brand it names."""
    return _store().mentions_of([key])


@_cached
def thread(stamp: str, name: str, key: str) -> tuple[list[Row], int]:
    """Posts of a conversation around one of them, with the brand's own, and how many it has."""
    return _store().thread_posts(name, key), _store().thread_size(name)


@_cached
def unanswered(
    stamp: str, where: Filter, limit: int, offset: int = 0,
    due: tuple[int | None, int | None] = (None, None),
) -> list[Row]:  # fmt: skip
    """Mentions nobody answered, first due first; with ``due`` those due after and by a moment."""
    return _store().unanswered(where, limit=limit, offset=offset, due=due)


@_cached
def waiting(stamp: str, where: Filter, moment: int, soon: int) -> Row:
    """How many wait, by when they are due: ``late``, within ``soon`` seconds, or ``later``."""
    return _store().waiting(where, moment, soon)


@_cached
def case_counts(stamp: str, where: Filter) -> list[Row]:
    return _store().case_counts(where)


@_cached
def response(stamp: str, where: Filter) -> Row:
    """How much was answered and how fast, as ``groundswell inbox`` prints it."""
    return response_summary(_store(), where)


@_cached
def response_times(stamp: str, where: Filter) -> list[Row]:
    """One row for each answered case, with both clocks."""
    return _store().response_times(where)


@_cached
def basis(stamp: str, where: Filter) -> list[Row]:
    return _store().basis_counts(where)


@_cached
def authors(stamp: str, where: Filter) -> int:
    return _store().authors(where)


@_cached
def ledger(stamp: str, since: int, limit: int) -> list[Row]:
    return _store().coverage(since, limit)


@_cached
def rejects(stamp: str, limit: int, offset: int = 0) -> list[Row]:
    """Rows that could not be read, newest first."""
    return _store().rejects(limit, offset)


@_minutely
def _faults(file: str, since: int, limit: int) -> list[Row]:
    return _store().faults(since, limit)


def faults(stamp: str, since: int, limit: int) -> list[Row]:
    """Requests since a moment that did not go as asked, newest first; up to a minute old."""
    return _faults(_file(stamp), since, limit)


@_minutely
def _rounds(file: str) -> list[Row]:
    newest = _store().coverage(0, ROUNDS)
    return [{"source": row["source"], "at": row["at"]} for row in newest]


def rounds(stamp: str) -> list[Row]:
    """Source and time of the newest requests; up to a minute old."""
    return _rounds(_file(stamp))


@_cached
def variants(stamp: str) -> list[VariantAudit]:
    """Each spelling's record: hits, what only it found, its precision where people looked."""
    store = _store()
    return audit(store.variant_hits(), suspended=store.suspended(), kept=store.kept())


def running() -> int | None:
    """The pid of the `groundswell run` that writes to this store, or None."""
    return lock_holder(store_path())


# writes -------------------------------------------------------------------------------------------


def person() -> str:
    """Who acts: the signed-in user's address, or "dashboard" where nobody signs in."""
    user = getattr(st, "user", None)
    if user is not None and getattr(user, "is_logged_in", False):
        return str(user.get("email") or user.get("name") or "dashboard")
    return "dashboard"


def correct(key: str, brand: str, label: str) -> str | None:
    """Keep a person's judgement, and count the hour anew. Returns why it could not be kept."""
    return _write(lambda store: store.correct(key, brand, label, person(), now()))


def suspend(brand: str, variant: str, off: bool) -> str | None:
    """Switch a spelling off (new posts are no longer matched by it) or on again."""

    def change(store: Store) -> None:
        if off:
            store.suspend(brand, variant, f"by {person()}", now())
        else:
            store.unsuspend(brand, variant)

    return _write(change)


def judge_alerts(ids: Sequence[int], verdict: str | None) -> str | None:
    """Keep a person's word on alerts of one event: useful, noise, or None to take it back."""

    def change(store: Store) -> None:
        for alert_id in ids:
            store.judge_alert(alert_id, verdict)

    return _write(change)


def mark_wrong(key: str, brand: str, wrong: bool) -> str | None:
    """Keep a person's word that a post does not mean the brand, or take it back."""
    return _write(lambda store: store.mark_wrong(key, brand, wrong, person(), now()))


def _write(change: Any) -> str | None:
    try:
        store = _store()
        change(store)
        store.recount()
    except StoreBusy:
        return "The store is being written to; nothing was changed. Try again in a moment."
    except StoreError as error:
        return f"Nothing was changed: {error}"
    return None


def unknown_first(values: Sequence[str]) -> list[str]:
    """Choices in their order with unknown ("") at the end."""
    return [v for v in values if v] + [v for v in values if not v]
