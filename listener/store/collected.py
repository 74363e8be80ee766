"""Keeps what collectors bring: posts, payloads, matches, coverage and cursor in one transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from listener.collectors import Cursor, Deletion, Page, Reject
from listener.mention import Match, Post, epoch
from listener.store.base import Base, Row, marks

CHUNK = 500  # keys in one IN list; SQLite's oldest limit on parameters is 999

_POST_COLUMNS = (
    "key", "platform", "native_id", "source", "text", "created_at", "seen_at", "author_id",
    "author_handle", "author_name", "followers", "profile_location", "time_zone", "url", "thread",
    "reply_to", "repost_of", "language_tag", "country_tag", "place_name", "lat", "lon", "likes",
    "replies", "reposts", "views", "links", "edited_at", "from_brand", "demo", "digest",
)  # fmt: skip
# An update keeps when the post was written (its mentions are counted by that), when we first saw it,
# its source, its thread (which may have been joined since) and everything that stages have added.
_KEEP = {"key", "platform", "native_id", "source", "created_at", "seen_at", "thread", "demo"}
_INSERT_POST = (
    f"INSERT INTO posts ({', '.join(_POST_COLUMNS)}) VALUES ({marks(_POST_COLUMNS)}) "
    "ON CONFLICT (key) DO UPDATE SET "
    + ", ".join(f"{c} = excluded.{c}" for c in _POST_COLUMNS if c not in _KEEP)
    # What was imported and is now shown by its platform is the platform's: its deletion is followed.
    + ", source = CASE WHEN posts.source LIKE 'import:%' AND excluded.source NOT LIKE 'import:%' "
    "THEN excluded.source ELSE posts.source END" + " WHERE posts.deleted_at IS NULL"
)
# What of a post is somebody's: all that goes when it is deleted on its platform, or kept long enough.
EMPTIED = (
    "text = '', author_id = NULL, author_handle = NULL, author_name = NULL, followers = NULL, "
    "profile_location = NULL, time_zone = NULL, place_name = NULL, lat = NULL, lon = NULL, "
    "url = NULL, links = NULL"
)
# Nothing is left to judge, to place or to group: the stages need not ask for it again.
NOTHING_TO_DO = (
    "judged_at = COALESCE(judged_at, ?), basis = COALESCE(basis, 'unknown'), grouped = 1"
)
_INSERT_MENTION = """
    INSERT INTO mentions (key, brand, platform, created_at, hour, seen_at, keyword, variant, kind,
        span_start, span_end, also, match_score, rules, copy, demo)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (key, brand) DO UPDATE SET keyword = excluded.keyword, variant = excluded.variant,
        kind = excluded.kind, span_start = excluded.span_start, span_end = excluded.span_end,
        also = excluded.also, match_score = excluded.match_score, rules = excluded.rules
"""


@dataclass(frozen=True, slots=True)
class Saved:
    """What became of a page: posts new, changed, seen before, naming a brand, and rejected."""

    stored: int = 0
    updated: int = 0
    unchanged: int = 0
    matched: int = 0
    rejected: int = 0

    def __add__(self, other: Saved) -> Saved:
        return Saved(
            self.stored + other.stored,
            self.updated + other.updated,
            self.unchanged + other.unchanged,
            self.matched + other.matched,
            self.rejected + other.rejected,
        )


def elsewhere(match: Match, found: Sequence[Match]) -> str:
    """The other places where a post names the brand of ``match``, as :func:`spans_of` reads them."""
    return " ".join(
        f"{m.start}:{m.end}"
        for m in found
        if m.brand == match.brand
        and m is not match
        and m.start < m.end
        # a link is masked, and what a query asks for need not be the brand's name
        and m.kind not in ("link", "query")
    )


class Collected(Base):
    """Writes of the collecting stage."""

    def save_page(
        self,
        page: Page,
        *,
        source: str,
        platform: str,
        query: str,
        matches: Sequence[Sequence[Match]],
        from_brand: Sequence[str | None],
        rules: str,
        now: int,
    ) -> Saved:
        """Keep a page whole: its posts, matches, coverage row and cursor, or nothing of it.

        ``matches[i]`` and ``from_brand[i]`` belong to ``page.posts[i]``; a post of the brand itself is
        kept (it answers others) and is no mention of that brand. A post that was seen before is
        updated when it changed; what stages found is wiped only where the text itself changed. One
        that was deleted stays so, whoever still brings it: an old export, an index that lags. One that
        names a brand which was not looked for when it first came is a mention of it from now on.
        """
        latest = {post.key: i for i, post in enumerate(page.posts)}
        digests = {key: _digest(page.posts[i], from_brand[i]) for key, i in latest.items()}
        with self.write() as db:
            before = self._digests(db, list(latest))
            new = [k for k in latest if k not in before]
            changed = [k for k in latest if k in before and before[k] not in (None, digests[k])]
            moved = self._moved(db, page, latest, before) if page.retimed else []
            edited = self._edited(db, changed, page, latest)
            known = [k for k in latest if before.get(k) is not None and k not in edited]
            named = self._newly_named(db, known, latest, matches, from_brand)
            fresh = [page.posts[latest[k]] for k in (*new, *changed)]
            threads = self._threads(db, fresh)
            brands = {k: from_brand[i] for k, i in latest.items()}
            _many(
                db,
                _INSERT_POST,
                [
                    _post_row(p, source, now, threads[p.key], brands[p.key], digests[p.key])
                    for p in fresh
                ],
            )
            _many(
                db,
                "INSERT INTO payloads (key, payload, stored_at) VALUES (?, ?, ?) ON CONFLICT (key) "
                "DO UPDATE SET payload = excluded.payload, stored_at = excluded.stored_at",
                [(p.key, _json(p.raw), now) for p in fresh if p.raw],
            )
            self._join_threads(db, fresh, threads)
            _move(db, [(k, epoch(page.posts[latest[k]].created_at)) for k in moved])
            self._save_mentions(db, page, latest, new, edited, named, matches, brands, rules, now)
            self._touch_threads(db, page, fresh, threads, named, matches, latest, brands, now)
            self._tombstones(db, platform, page.deleted, now)
            matched = sum(1 for found in matches if found)
            updated = len({*changed, *moved})
            saved = Saved(
                len(new), updated, len(page.posts) - len(new) - updated, matched,
                len(page.rejected),
            )  # fmt: skip
            self._ledger(db, page, saved, source, platform, query, now)
            _save_rejects(db, source, page.rejected, now)
            _save_cursor(db, source, query, page.cursor, now)
        return saved

    def _digests(self, db: sqlite3.Connection, keys: list[str]) -> dict[str, bytes | None]:
        """The digest of each of these posts that is stored; None: deleted, nothing changes it."""
        found: dict[str, bytes | None] = {}
        for at in range(0, len(keys), CHUNK):
            part = keys[at : at + CHUNK]
            sql = f"SELECT key, digest, deleted_at FROM posts WHERE key IN ({marks(part)})"
            found.update(
                {row[0]: row[1] if row[2] is None else None for row in db.execute(sql, part)}
            )
        return found

    def _moved(
        self,
        db: sqlite3.Connection,
        page: Page,
        latest: Mapping[str, int],
        before: Mapping[str, bytes | None],
    ) -> list[str]:
        """Of these posts those that are stored, not deleted, under another time than they have now."""
        keys = [key for key in latest if before.get(key) is not None]
        times: dict[str, int] = {}
        for at in range(0, len(keys), CHUNK):
            part = keys[at : at + CHUNK]
            times.update(
                db.execute(f"SELECT key, created_at FROM posts WHERE key IN ({marks(part)})", part)
            )
        return [k for k in keys if times[k] != epoch(page.posts[latest[k]].created_at)]

    def handles_of(self, keys: Sequence[str]) -> dict[str, str | None]:
        """The author's handle of each of these posts that is stored."""
        found: dict[str, str | None] = {}
        for at in range(0, len(keys), CHUNK):
            part = keys[at : at + CHUNK]
            sql = f"SELECT key, author_handle FROM posts WHERE key IN ({marks(part)})"
            found.update({row["key"]: row["author_handle"] for row in self.rows(sql, part)})
        return found

    def _edited(
        self, db: sqlite3.Connection, changed: list[str], page: Page, latest: Mapping[str, int]
    ) -> set[str]:
        """Of the changed posts, those whose text changed: their judgement is of another text."""
        out = set()
        for key in changed:
            row = db.execute("SELECT text FROM posts WHERE key = ?", (key,)).fetchone()
            if row is not None and row[0] != page.posts[latest[key]].text:
                out.add(key)
        return out

    def _newly_named(
        self,
        db: sqlite3.Connection,
        keys: list[str],
        latest: Mapping[str, int],
        matches: Sequence[Sequence[Match]],
        from_brand: Sequence[str | None],
    ) -> dict[str, set[str]]:
        """The brands that these stored posts name and have no mention of, by post.

        A mention that a person, or the audit, marked as wrong is there, and stays as it is.
        """
        found = {key: {m.brand for m in matches[latest[key]]} for key in keys}
        for key, brands in found.items():
            brands.discard(from_brand[latest[key]] or "")
        naming = [key for key, brands in found.items() if brands]
        for at in range(0, len(naming), CHUNK):
            part = naming[at : at + CHUNK]
            sql = f"SELECT key, brand FROM mentions WHERE key IN ({marks(part)})"
            for key, brand in db.execute(sql, part):
                found[key].discard(brand)
        return {key: found[key] for key in naming if found[key]}

    def _threads(self, db: sqlite3.Connection, posts: Sequence[Post]) -> dict[str, str]:
        """The thread of each post: its conversation as told, else the root that its replies lead to.

        A parent that was never collected stands in for the root; ``_join_threads`` mends that when
        the parent comes in later.
        """
        out: dict[str, str] = {}
        for post in posts:
            if post.conversation_id:
                out[post.key] = f"{post.platform}:{post.conversation_id}"
            elif not post.reply_to:
                out[post.key] = post.key
            else:
                parent = f"{post.platform}:{post.reply_to}"
                if parent in out:
                    out[post.key] = out[parent]
                    continue
                row = db.execute("SELECT thread FROM posts WHERE key = ?", (parent,)).fetchone()
                out[post.key] = row[0] if row is not None and row[0] else parent
        return out

    def _join_threads(
        self, db: sqlite3.Connection, posts: Sequence[Post], threads: Mapping[str, str]
    ) -> None:
        """Replies that waited under a parent move to that parent's own thread, now that it is here."""
        for post in posts:
            thread = threads[post.key]
            if thread == post.key:
                continue
            row = db.execute("SELECT thread FROM posts WHERE key = ?", (post.key,)).fetchone()
            target = row[0] if row is not None else thread
            if target == post.key:
                continue
            moved = db.execute(
                "UPDATE posts SET thread = ? WHERE thread = ?", (target, post.key)
            ).rowcount
            if moved:
                db.execute("UPDATE cases SET thread = ? WHERE thread = ?", (target, post.key))
                db.execute(
                    "INSERT INTO threads (thread, read_at, touched) "
                    "SELECT ?, read_at, 1 FROM threads WHERE thread = ? "
                    "ON CONFLICT (thread) DO UPDATE SET touched = 1, "
                    "read_at = COALESCE(threads.read_at, excluded.read_at)",
                    (target, post.key),
                )
                db.execute("DELETE FROM threads WHERE thread = ?", (post.key,))

    def _save_mentions(
        self,
        db: sqlite3.Connection,
        page: Page,
        latest: Mapping[str, int],
        new: list[str],
        edited: set[str],
        named: Mapping[str, set[str]],
        matches: Sequence[Sequence[Match]],
        brands: Mapping[str, str | None],
        rules: str,
        now: int,
    ) -> None:
        for key in edited:
            kept = [m.brand for m in matches[latest[key]]]
            db.execute(
                "INSERT OR IGNORE INTO touched_hours SELECT hour FROM mentions WHERE key = ?",
                (key,),
            )
            db.execute(
                f"DELETE FROM mentions WHERE key = ? AND brand NOT IN ({marks(kept)})",
                (key, *kept),
            )
            db.execute("DELETE FROM scores WHERE key = ?", (key,))
            # Found in the new text by a spelling in use, it counts, whatever found it in the old one.
            db.execute(
                "UPDATE mentions SET judged_at = NULL, theme = NULL, "
                "wrong = CASE wrong WHEN 2 THEN 0 ELSE wrong END WHERE key = ?",
                (key,),
            )
        rows = []
        for key in (*new, *edited, *named):
            post = page.posts[latest[key]]
            created = epoch(post.created_at)
            best: dict[str, Match] = {}
            for found in matches[latest[key]]:
                if found.brand == brands[key] or found.brand not in named.get(key, {found.brand}):
                    continue
                if found.brand not in best or found.score > best[found.brand].score:
                    best[found.brand] = found
            rows += [
                (
                    key, m.brand, post.platform, created, created - created % 3600, now, m.keyword,
                    m.variant, m.kind, m.start, m.end, elsewhere(m, matches[latest[key]]), m.score,
                    rules, int(post.repost_of is not None), int(post.demo),
                )
                for m in best.values()
            ]  # fmt: skip
        _many(db, _INSERT_MENTION, rows)
        db.executemany(
            "INSERT OR IGNORE INTO touched_hours (hour) VALUES (?)", {(row[4],) for row in rows}
        )

    def _touch_threads(
        self,
        db: sqlite3.Connection,
        page: Page,
        fresh: Sequence[Post],
        threads: Mapping[str, str],
        named: Iterable[str],
        matches: Sequence[Sequence[Match]],
        latest: Mapping[str, int],
        brands: Mapping[str, str | None],
        now: int,
    ) -> None:
        """Threads whose cases are to be looked at again, and whether their replies could be read."""
        read_at = now if page.threads_read else None
        touched = {
            threads[p.key]
            for p in fresh
            if p.reply_to or brands[p.key] is not None or matches[latest[p.key]]
        }
        for key in named:
            row = db.execute("SELECT thread FROM posts WHERE key = ?", (key,)).fetchone()
            touched.add(row[0] or key)
        db.executemany(
            "INSERT INTO threads (thread, read_at, touched) VALUES (?, ?, 1) ON CONFLICT (thread) "
            "DO UPDATE SET touched = 1, read_at = COALESCE(excluded.read_at, threads.read_at)",
            [(thread, read_at) for thread in sorted(touched)],
        )

    def mark_threads_read(self, threads: Iterable[str], now: int) -> None:
        """These threads' replies have all been read as of now; what is unanswered is so for sure."""
        with self.write() as db:
            db.executemany(
                "INSERT INTO threads (thread, read_at, touched) VALUES (?, ?, 1) ON CONFLICT "
                "(thread) DO UPDATE SET touched = 1, read_at = excluded.read_at",
                [(thread, now) for thread in threads],
            )

    def _ledger(
        self,
        db: sqlite3.Connection,
        page: Page,
        saved: Saved,
        source: str,
        platform: str,
        query: str,
        now: int,
    ) -> None:
        seen = page.coverage
        newest = max((epoch(p.created_at) for p in page.posts), default=None)
        db.execute(
            "INSERT INTO coverage (at, source, platform, query, window_start, window_end, asked, "
            "returned, new, updated, matched, rejected, truncated, limited, failed, requests, "
            "cost_usd, lag_seconds, hole_start, hole_end) "
            f"VALUES ({marks(range(20))})",
            (
                now, source, platform, query,
                epoch(seen.window_start) if seen.window_start else None,
                epoch(seen.window_end) if seen.window_end else None,
                seen.asked, seen.returned or len(page.posts), saved.stored, saved.updated,
                saved.matched, saved.rejected, int(seen.truncated), int(seen.limited), seen.failed,
                seen.requests, seen.cost_usd,
                None if newest is None or not saved.stored else max(0, now - newest),
                epoch(seen.hole_start) if seen.hole_start else None,
                epoch(seen.hole_end) if seen.hole_end else None,
            ),
        )  # fmt: skip
        if seen.failed is None:
            db.execute(
                "INSERT INTO health (source, platform, last_ok_at) VALUES (?, ?, ?) ON CONFLICT "
                "(source) DO UPDATE SET last_ok_at = excluded.last_ok_at, failures = 0",
                (source, platform, now),
            )

    def save_failure(
        self, *, source: str, platform: str, query: str, reason: str, now: int,
        limited: bool = False, open_until: int | None = None, held_by: str | None = None,
        requests: int = 1, cost_usd: float = 0.0, failing: bool = True,
    ) -> None:  # fmt: skip
        """A request that gave nothing goes into the ledger too: a hole is shown as a hole.

        The source as a whole fails, and is held back until ``open_until`` by the ``budget``, the
        ``login`` or the ``platform``; not ``failing``: its others may well answer.
        """
        with self.write() as db:
            _failed_request(db, source, platform, query, reason, now, limited, requests, cost_usd)
            if failing:
                db.execute(
                    "UPDATE health SET failures = failures + 1, open_until = ?, held_by = ? "
                    "WHERE source = ?",
                    (open_until, held_by, source),
                )

    def hold_queries(
        self, *, source: str, platform: str, query: str, reason: str, now: int, host: str,
        of_host: bool, held: Mapping[str, Mapping[str, float]], open_until: int, before: int,
        held_by: str = "platform", failures: int = 1, limited: bool = False, requests: int = 1,
        cost_usd: float = 0.0, heard: Collection[str] = (),
    ) -> None:  # fmt: skip
        """A failure of ``query`` goes into the ledger; ``held`` are left alone until ``open_until``.

        Those are queries of one host, each with the part of each brand's posts that it brings: the one
        that failed, or all of them, where what failed is ``of_host``. They were heard last when they
        were last answered ``before`` this round; those of ``heard``, in it.
        """
        with self.write() as db:
            _failed_request(db, source, platform, query, reason, now, limited, requests, cost_usd)
            db.executemany(
                "INSERT INTO query_holds (source, host, query, of_host, heard_at, shares, open_until, "
                "held_by, last_error, failures) VALUES (?, ?, ?, ?, (SELECT MAX(at) FROM coverage "
                "WHERE source = ? AND query = ? AND failed IS NULL AND at < ?), ?, ?, ?, ?, ?) "
                "ON CONFLICT (source, host, query) DO UPDATE SET of_host = excluded.of_host, "
                "open_until = excluded.open_until, held_by = excluded.held_by, "
                "last_error = excluded.last_error, failures = excluded.failures",
                [
                    (
                        source, host, name, int(of_host),
                        source, name, now + 1 if name in heard else before,
                        _json(shares), open_until, held_by, reason, failures,
                    )
                    for name, shares in held.items()
                ],
            )  # fmt: skip

    def source_failed(self, source: str, reason: str, now: int) -> None:
        """Nothing that was asked of this source in a round was answered."""
        with self.write() as db:
            db.execute(
                "UPDATE health SET failures = failures + 1, last_error_at = ?, last_error = ? "
                "WHERE source = ?",
                (now, reason, source),
            )

    def holds(self) -> dict[str, Row]:
        """``open_until, held_by, last_error`` of the sources that were held back, by name, until
        they are released; a hold may be over by now."""
        rows = self.rows(
            "SELECT source, open_until, held_by, last_error FROM health WHERE open_until IS NOT NULL"
        )
        return {row["source"]: row for row in rows}

    def release(self, source: str) -> None:
        """Nothing holds this source back any more."""
        with self.write() as db:
            db.execute(
                "UPDATE health SET open_until = NULL, held_by = NULL WHERE source = ?", (source,)
            )

    def query_holds(self, source: str) -> list[Row]:
        """The source's queries that failed when they were last asked, and those of a host that did
        (``of_host``); ``open_until`` may be over by now."""
        return self.rows("SELECT * FROM query_holds WHERE source = ?", (source,))

    def release_query(self, source: str, host: str, query: str) -> bool:
        """This query was answered; True where it had failed before."""
        # '' is a host's wait of a store from before, which did not name the queries.
        key = (source, host, query)
        where = "WHERE source = ? AND host = ? AND query IN (?, '')"
        if self.value(f"SELECT COUNT(*) FROM query_holds {where}", key) == 0:
            return False
        with self.write() as db:
            db.execute(f"DELETE FROM query_holds {where}", key)
        return True

    def end_wait(self, source: str, host: str, query: str, now: int) -> None:
        """This query may be asked again."""
        with self.write() as db:
            db.execute(
                "UPDATE query_holds SET open_until = ? WHERE source = ? AND host = ? AND query = ?",
                (now, source, host, query),
            )

    def forget_holds(self, source: str, planned: Collection[tuple[str, str]], now: int) -> None:
        """What is asked no more (``planned`` are hosts and queries that are) fails no more; a host's
        wait is kept to."""
        gone = [
            (source, row["host"], row["query"])
            for row in self.query_holds(source)
            if (row["host"], row["query"]) not in planned
            and (row["open_until"] <= now or not row["of_host"])
        ]
        if gone:
            with self.write() as db:
                db.executemany(
                    "DELETE FROM query_holds WHERE source = ? AND host = ? AND query = ?", gone
                )

    def brought(self, since: int) -> dict[tuple[str, str], int]:
        """New posts that name a brand, by source and query: of a page, at most as many as were new
        and as named one."""
        rows = self.rows(
            "SELECT source, query, SUM(CASE WHEN new < matched THEN new ELSE matched END) AS posts "
            "FROM coverage WHERE source IN (SELECT source FROM health) AND at >= ? "
            "GROUP BY source, query",
            (since,),
        )
        return {(row["source"], row["query"]): int(row["posts"]) for row in rows}

    def imported(self, fingerprint: str) -> Cursor | None:
        """Where an import of this very file ended, under whatever name: its rows keep their keys."""
        found = self.value(
            "SELECT cursor FROM cursors WHERE query = ? AND source LIKE 'import:%' "
            "ORDER BY updated_at LIMIT 1",
            (fingerprint,),
        )
        return json.loads(found) if found else None

    def cursor(self, source: str, query: str) -> Cursor | None:
        """Where the walk of that source and query stands, or None before the first page."""
        found = self.value(
            "SELECT cursor FROM cursors WHERE source = ? AND query = ?", (source, query)
        )
        return None if found is None else dict(json.loads(found))

    def spent(self, source: str, since: int) -> tuple[int, float]:
        """Requests and dollars of a source since a moment, from the ledger."""
        row = self.one(
            "SELECT COALESCE(SUM(requests), 0) AS requests, COALESCE(SUM(cost_usd), 0) AS usd "
            "FROM coverage WHERE source = ? AND at >= ?",
            (source, since),
        )
        return (int(row["requests"]), float(row["usd"])) if row else (0, 0.0)

    def save_deletions(self, platform: str, deletions: Sequence[Deletion], now: int) -> int:
        """Follow deletions; returns how many stored posts they concerned."""
        with self.write() as db:
            return self._tombstones(db, platform, deletions, now)

    def _tombstones(
        self, db: sqlite3.Connection, platform: str, deletions: Sequence[Deletion], now: int
    ) -> int:
        """Remove the content of what is gone; the key, the times and the proof stay."""
        gone = 0
        for item in deletions:
            whose = item.platform or platform
            if item.author_id is not None and not item.native_id:
                found = db.execute(
                    "SELECT key FROM posts WHERE platform = ? AND author_id = ? "
                    "AND deleted_at IS NULL",
                    (whose, item.author_id),
                ).fetchall()
                keys = [row[0] for row in found]
            else:
                keys = [f"{whose}:{item.native_id}"]
            for key in keys:
                if item.state == "geo_removed":
                    done = db.execute(
                        "UPDATE posts SET lat = NULL, lon = NULL, place_name = NULL, "
                        "country_tag = NULL WHERE key = ? AND deleted_at IS NULL",
                        (key,),
                    ).rowcount
                    db.execute("UPDATE mentions SET basis = NULL WHERE key = ?", (key,))
                else:
                    done = db.execute(
                        f"UPDATE posts SET {EMPTIED}, deleted_at = ? "
                        "WHERE key = ? AND deleted_at IS NULL",
                        (now, key),
                    ).rowcount
                    db.execute(f"UPDATE mentions SET {NOTHING_TO_DO} WHERE key = ?", (now, key))
                    _drop_open_cases(db, key)
                if done:
                    gone += 1
                    db.execute("DELETE FROM payloads WHERE key = ?", (key,))
                    db.execute(
                        "INSERT INTO deletions (key, state, at) VALUES (?, ?, ?) ON CONFLICT (key) "
                        "DO UPDATE SET state = excluded.state, at = excluded.at",
                        (key, item.state, now),
                    )
        return gone


def _drop_open_cases(db: sqlite3.Connection, key: str) -> None:
    """Nobody can answer a post that is gone; an answer that was given stays in the measures."""
    waiting = "FROM cases WHERE key = ? AND thread_state <> 'answered'"
    # Looked at again: another mention may open the conversation now.
    db.execute(f"UPDATE threads SET touched = 1 WHERE thread IN (SELECT thread {waiting})", (key,))
    db.execute(f"DELETE {waiting}", (key,))


def _failed_request(
    db: sqlite3.Connection, source: str, platform: str, query: str, reason: str, now: int,
    limited: bool, requests: int, cost_usd: float,
) -> None:  # fmt: skip
    db.execute(
        "INSERT INTO coverage (at, source, platform, query, returned, new, updated, "
        "matched, rejected, truncated, limited, failed, requests, cost_usd) "
        "VALUES (?, ?, ?, ?, 0, 0, 0, 0, 0, 0, ?, ?, ?, ?)",
        (now, source, platform, query, int(limited), reason, requests, cost_usd),
    )
    db.execute(
        "INSERT INTO health (source, platform, last_error_at, last_error) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (source) DO UPDATE SET last_error_at = excluded.last_error_at, "
        "last_error = excluded.last_error",
        (source, platform, now, reason),
    )


def _move(db: sqlite3.Connection, times: Sequence[tuple[str, int]]) -> None:
    """Put posts under another time, with all that goes by it: hours are counted, threads flagged anew.

    Spikes that these posts were the evidence of are found anew, unless somebody was told of them.
    """
    for key, at in times:
        hours = "INSERT OR IGNORE INTO touched_hours SELECT hour FROM mentions WHERE key = ?"
        db.execute(hours, (key,))
        db.execute("UPDATE posts SET created_at = ? WHERE key = ?", (at, key))
        db.execute(
            "UPDATE mentions SET created_at = ?, hour = ? WHERE key = ?", (at, at - at % 3600, key)
        )
        db.execute(hours, (key,))
        db.execute("UPDATE cases SET published_at = ? WHERE key = ?", (at, key))
        db.execute(
            "UPDATE threads SET touched = 1 WHERE thread = (SELECT thread FROM posts WHERE key = ?)",
            (key,),
        )
    for begin in range(0, len(times), CHUNK):
        part = [key for key, _ in times[begin : begin + CHUNK]]
        db.execute(
            "DELETE FROM spikes WHERE id IN (SELECT spike_id FROM spike_posts WHERE key IN "
            f"({marks(part)})) AND id NOT IN (SELECT spike_id FROM digest_spikes) "
            "AND id NOT IN (SELECT spike_id FROM alerts WHERE spike_id IS NOT NULL)",
            part,
        )


def _save_cursor(db: sqlite3.Connection, source: str, query: str, cursor: Cursor, now: int) -> None:
    db.execute(
        "INSERT INTO cursors (source, query, cursor, updated_at) VALUES (?, ?, ?, ?) ON CONFLICT "
        "(source, query) DO UPDATE SET cursor = excluded.cursor, updated_at = excluded.updated_at",
        (source, query, _json(cursor), now),
    )


def _save_rejects(
    db: sqlite3.Connection, source: str, rejected: Sequence[Reject], now: int
) -> None:
    """Keep what could not be read, each once: a file is imported again, an answer asked for again.

    What ``retention`` emptied in between is known by its place and reason, and is whole again.
    """
    fresh = []
    for r in rejected:
        payload = r.payload[:100_000].encode("utf-8", "replace").decode()
        known = db.execute(
            "UPDATE rejects SET at = ?, payload = ? WHERE id = (SELECT id FROM rejects WHERE "
            "source = ? AND place IS ? AND reason = ? AND payload IN (?, '') LIMIT 1)",
            (now, payload, source, r.where, r.reason, payload),
        ).rowcount
        if not known:
            fresh.append((now, source, r.reason, r.where, payload))
    _many(
        db, "INSERT INTO rejects (at, source, reason, place, payload) VALUES (?, ?, ?, ?, ?)", fresh
    )


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def _digest(post: Post, brand: str | None) -> bytes:
    """Eight bytes that change when anything that may change on a platform has changed, or whose
    account we take the author's for."""
    parts = (
        post.text, post.likes, post.replies, post.reposts, post.views, post.edited_at,
        post.country, post.coordinates, post.place_name, post.author.handle, post.author.location,
        post.author.followers, post.reply_to, post.conversation_id, *([brand] if brand else []),
    )  # fmt: skip
    return blake2b(repr(parts).encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _many(db: sqlite3.Connection, sql: str, rows: list[tuple[Any, ...]]) -> None:
    """``executemany``; a lone surrogate (half a character, which UTF-8 has no bytes for) becomes ?."""
    try:
        db.executemany(sql, rows)
    except UnicodeEncodeError:
        clean = [
            tuple(v.encode("utf-8", "replace").decode() if isinstance(v, str) else v for v in row)
            for row in rows
        ]
        db.executemany(sql, clean)


def _post_row(
    post: Post, source: str, now: int, thread: str, brand: str | None, digest: bytes
) -> tuple[Any, ...]:
    author, where = post.author, post.coordinates or (None, None)
    return (
        post.key, post.platform, post.native_id, source, post.text, epoch(post.created_at),
        now, author.id, author.handle, author.name, author.followers, author.location,
        author.time_zone, post.url, thread, post.reply_to, post.repost_of, post.language_tag,
        post.country, post.place_name, where[0], where[1], post.likes, post.replies, post.reposts,
        post.views, _json(post.links) if post.links else None,
        epoch(post.edited_at) if post.edited_at else None, brand, int(post.demo), digest,
    )  # fmt: skip
