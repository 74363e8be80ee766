"""Reads for status and the dashboard. Sums come from ``counts``; single posts from their own rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from listener.coverage import Hole, unknown_hours
from listener.folding import searched
from listener.store.base import Base, Row, lock_holder, marks

OUTAGE = 3 * 86_400  # after so long without a source, the others by themselves are the usual
LIKE_MOST = 1000  # letters of a search; SQLite refuses patterns of more than 50,000 bytes
_POSTS_OF = {"jetstream": "bluesky"}  # whose posts a source brings, where it is not its own name
_COUNTED = ("hour", "brand", "platform", "country", "region", "language", "label")


@dataclass(frozen=True, slots=True)
class Filter:
    """What a view shows. Empty means all; ``""`` in countries or languages means unknown.

    ``since`` and ``until`` are epoch seconds, until exclusive.
    """

    brands: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    since: int | None = None
    until: int | None = None

    def where(self, time: str, prefix: str = "", *, null: bool = False) -> tuple[str, list[Any]]:
        """A WHERE clause and its parameters. ``null``: the table keeps unknown as NULL, not ''."""
        parts: list[str] = ["1 = 1"]
        values: list[Any] = []
        for column, wanted in (
            ("brand", self.brands),
            ("platform", self.platforms),
            ("country", self.countries),
            ("language", self.languages),
            ("label", self.labels),
        ):
            if wanted:
                name = f"{prefix}{column}"
                if null and column in ("country", "language", "label"):
                    name = f"COALESCE({name}, '')"
                parts.append(f"{name} IN ({marks(wanted)})")
                values += list(wanted)
        if self.since is not None:
            parts.append(f"{prefix}{time} >= ?")
            values.append(self.since)
        if self.until is not None:
            parts.append(f"{prefix}{time} < ?")
            values.append(self.until)
        return " AND ".join(parts), values


_MENTION = """
    SELECT m.key, m.brand, m.platform, m.created_at, m.seen_at, m.keyword, m.variant, m.kind,
        m.span_start, m.span_end, m.match_score, m.country, m.region, m.basis, m.place_confidence,
        m.language, m.label, m.negative, m.neutral, m.positive, m.confidence, m.override, m.intent,
        m.model, m.copy, m.wrong = 1 AS wrong, m.wrong = 2 AS off, m.demo, p.text, p.author_handle,
        p.author_name, p.followers,
        p.url, p.thread, p.likes, p.replies, p.reposts, p.views, p.links, p.deleted_at,
        p.group_key, p.reply_to,
        CASE WHEN p.deleted_at IS NOT NULL
            THEN (SELECT d.state FROM deletions d WHERE d.key = p.key) END AS gone,
        c.thread_state, c.state AS case_state, c.due_at, c.answered_at, c.answered_key, c.owner
    FROM mentions m JOIN posts p ON p.key = m.key
    LEFT JOIN cases c ON c.key = m.key AND c.brand = m.brand
"""


_WAITS = (
    "c.thread_state = 'unanswered' AND c.state IN ('open', 'claimed') AND m.wrong = 0 "
    "AND m.copy = 0 AND p.deleted_at IS NULL"
)


def _saying(words: str) -> tuple[str, list[str]]:
    """The condition that a post holds these words, and its parameters.

    A text of ASCII alone can be asked in SQLite's own terms, at a fraction of the cost of a call; the
    bytes of any other are more than its letters.
    """
    wanted = searched(words) or words  # of a lone accent nothing is left: it is in no post
    others = "length(CAST(p.text AS BLOB)) <> length(p.text) AND says(p.text, ?)"
    if not wanted.isascii():
        return f"({others})", [wanted]
    if len(wanted) > LIKE_MOST or "\0" in wanted:
        return "says(p.text, ?)", [wanted]
    like = wanted.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return f"(p.text LIKE ? ESCAPE '\\' OR ({others}))", [f"%{like}%", wanted]


class Reads(Base):
    """Reads that write nothing."""

    def counts_by(self, columns: Sequence[str], where: Filter) -> list[Row]:
        """Sums of ``posts`` and ``copies`` (amplified ones among them) by the given columns.

        ``columns`` are of hour, brand, platform, country, region, language, label. Cost: the
        counted cells in the span, whatever the number of posts behind them.
        """
        unknown = set(columns) - set(_COUNTED)
        if unknown:
            raise ValueError(f"counts have no {sorted(unknown)}; they have {_COUNTED}")
        clause, values = where.where("hour")
        by = ", ".join(columns)
        return self.rows(
            f"SELECT {by + ', ' if by else ''}SUM(posts) AS posts, SUM(copies) AS copies "
            f"FROM counts WHERE {clause}" + (f" GROUP BY {by} ORDER BY {by}" if by else ""),
            values,
        )

    def brands(self) -> set[str]:
        """The brands that have a mention."""
        return {row["brand"] for row in self.rows("SELECT DISTINCT brand FROM mentions")}

    def span(self, brands: Sequence[str] = ()) -> tuple[int, int] | None:
        """The first and last hour that has mentions, or None when there is none."""
        clause, values = Filter(brands=tuple(brands)).where("hour")
        # Two questions that an index answers at its ends; asked as one, SQLite reads every row.
        row = self.one(
            f"SELECT (SELECT MIN(hour) FROM counts WHERE {clause}) AS first, "
            f"(SELECT MAX(hour) FROM counts WHERE {clause}) AS last",
            [*values, *values],
        )
        return None if row is None or row["first"] is None else (row["first"], row["last"])

    def gaps(self, where: Filter, now: int) -> list[tuple[int, int]]:
        """Stretches of hours for which too much of what is shown may be missing: not known."""
        holes = self._holes(where.since or 0, now)
        if not holes:
            return []
        by_brand: dict[str, dict[str, int]] = {}
        for row in self.counts_by(["platform", "brand"], where):
            by_brand.setdefault(row["platform"], {})[row["brand"]] = row["posts"]
        posts = {platform: sum(brands.values()) for platform, brands in by_brand.items()}
        return unknown_hours([hole.of(by_brand.get(hole.platform, {})) for hole in holes], posts)

    def gaps_by_brand(self, since: int, now: int) -> dict[str, list[tuple[int, int]]]:
        """As ``gaps``, for each brand by itself: they live on different platforms."""
        holes = self._holes(since, now)
        if not holes:
            return {}
        posts: dict[str, dict[str, int]] = {}
        for row in self.counts_by(["brand", "platform"], Filter(since=since)):
            posts.setdefault(row["brand"], {})[row["platform"]] = row["posts"]
        return {
            brand: unknown_hours([hole.of({brand: 1}) for hole in holes], by_platform)
            for brand, by_platform in posts.items()
        }

    def _holes(self, since: int, now: int) -> list[Hole]:
        """What sources left out, and the time since those that fail now were last heard; of a source
        that is heard, the time since those of its queries that fail now were.

        One that answers again walks back to where it stood, or tells the hole that it cannot fill; so
        a failure of the past leaves nothing else behind.
        """
        told = self.rows(
            "SELECT DISTINCT platform, hole_start, hole_end, NULL AS shares FROM coverage "
            "WHERE hole_end > ?",
            (since,),
        )
        # The hour that is running is judged by what has come so far, as ever: what is missing in it
        # can make it look quieter, never louder.
        hour = now - now % 3600
        failing = self.rows(
            "SELECT platform, last_ok_at AS hole_start, NULL AS shares FROM health "
            "WHERE failures > 0 AND last_ok_at IS NOT NULL UNION ALL "
            "SELECT h.platform, q.heard_at AS hole_start, q.shares FROM query_holds q "
            "JOIN health h ON h.source = q.source WHERE q.heard_at IS NOT NULL AND q.shares <> '{}'"
        )
        for row in failing:
            row["hole_end"] = min(row["hole_start"] + OUTAGE, hour)
        return [
            Hole(
                _POSTS_OF.get(row["platform"], row["platform"]),
                max(since, row["hole_start"]),
                row["hole_end"],
                shares=None if row["shares"] is None else json.loads(row["shares"]),
            )
            for row in [*told, *failing]
            if row["hole_end"] > max(since, row["hole_start"])
        ]

    def choices(self) -> dict[str, list[str]]:
        """What there is to filter by."""
        return {
            column: [
                row[column]
                for row in self.rows(
                    f"SELECT {column}, SUM(posts) AS n FROM counts GROUP BY 1 ORDER BY n DESC"
                )
            ]
            for column in ("brand", "platform", "country", "language")
        }

    def mentions(
        self, where: Filter, *, limit: int = 50, offset: int = 0, oldest_first: bool = False,
        contains: str | None = None, thread_state: str | None = None, opening: bool = False,
        basis: str | None = None, spelling: tuple[str, str] | None = None,
    ) -> list[Row]:  # fmt: skip
        """Mentions with their posts, newest first; ``contains`` is words of the text, big or small,
        with accents or without.

        With ``thread_state`` (answered, unanswered, unknown) only those whose thread is in it; with
        ``opening`` only the first of its brand in each thread: what ``case_counts`` counts. With
        ``basis`` only those whose place is known by it ("": not placed yet), as ``basis_counts`` has
        them; with ``spelling``, a variant and its kind, all that it found, as ``variant_hits`` counts
        them: those that a person marked as not the brand are among them.
        """
        clause, values = where.where("created_at", "m.", null=True)
        if contains:
            found, more = _saying(contains)
            clause += f" AND {found}"
            values += more
        if thread_state is not None:
            clause += " AND c.thread_state = ?"
            values.append(thread_state)
        if opening:
            clause += " AND c.opening = 1"
        if basis is not None:
            clause += " AND COALESCE(m.basis, '') = ?"
            values.append(basis)
        if spelling is not None:
            clause += " AND m.variant = ? AND m.kind = ?"
            values += spelling
        else:
            clause += " AND m.wrong = 0"
        order = "ASC" if oldest_first else "DESC"
        return self.rows(
            f"{_MENTION} WHERE {clause} ORDER BY m.created_at {order}, m.key LIMIT ? OFFSET ?",
            [*values, limit, offset],
        )

    def mentions_of(self, keys: Sequence[str], brand: str | None = None) -> list[Row]:
        """The mentions of these posts, newest first: what a figure opens into."""
        if not keys:
            return []
        values: list[Any] = list(keys)
        clause = f"m.key IN ({marks(keys)})"
        if brand is not None:
            clause += " AND m.brand = ?"
            values.append(brand)
        return self.rows(f"{_MENTION} WHERE {clause} ORDER BY m.created_at DESC", values)

    def thread_posts(self, thread: str, around: str | None = None, limit: int = 200) -> list[Row]:
        """Stored posts of a conversation, oldest first: at most ``limit`` around the post of that key
        (None: the first ones), and besides them as many of the brands' own, later ones before others.
        """
        opened = self.one(
            "SELECT created_at, key FROM posts WHERE thread = ? AND key = ?", (thread, around)
        ) or {"created_at": 0, "key": ""}
        before = self.value(
            "SELECT COUNT(*) FROM posts WHERE thread = ? AND (created_at, key) < (?, ?)",
            (thread, opened["created_at"], opened["key"]),
        )
        first = max(0, min(before - limit // 2, self.thread_size(thread) - limit))
        return self.rows(
            "SELECT key, text, created_at, author_handle, author_name, from_brand, reply_to, url, "
            "deleted_at, (SELECT state FROM deletions d WHERE d.key = posts.key) AS gone "
            "FROM posts WHERE key IN (SELECT key FROM posts WHERE thread = ? "
            "ORDER BY created_at, key LIMIT ? OFFSET ?) OR key IN (SELECT key FROM posts "
            "WHERE thread = ? AND from_brand IS NOT NULL "
            "ORDER BY created_at < ?, created_at, key LIMIT ?) ORDER BY created_at, key",
            (thread, limit, first, thread, opened["created_at"], limit),
        )

    def thread_size(self, thread: str) -> int:
        """How many posts of a conversation are stored."""
        return int(self.value("SELECT COUNT(*) FROM posts WHERE thread = ?", (thread,)))

    def unanswered(
        self, where: Filter, *, limit: int = 50, offset: int = 0,
        due: tuple[int | None, int | None] = (None, None),
    ) -> list[Row]:  # fmt: skip
        """Mentions nobody answered, first due first; unknown threads are counted apart.

        With ``due``, two moments, those that are due after the first and by the second; what has no
        time to be due by is due after every first and by no second.
        """
        clause, values = where.where("created_at", "m.", null=True)
        after, by = due
        if after is not None:
            clause += " AND (c.due_at IS NULL OR c.due_at > ?)"
            values.append(after)
        if by is not None:
            clause += " AND c.due_at <= ?"
            values.append(by)
        return self.rows(
            f"{_MENTION} WHERE {clause} AND {_WAITS} "
            "ORDER BY c.due_at, m.created_at, m.key, m.brand LIMIT ? OFFSET ?",
            [*values, limit, offset],
        )

    def waiting(self, where: Filter, now: int, soon: int) -> Row:
        """How many of ``unanswered`` there are: ``late`` (due by now), due in the ``soon`` seconds
        after that, and ``later`` (or at no time)."""
        clause, values = where.where("created_at", "m.", null=True)
        row = self.one(
            "SELECT COUNT(*) AS waiting, COALESCE(SUM(c.due_at <= ?), 0) AS late, "
            "COALESCE(SUM(c.due_at > ? AND c.due_at <= ?), 0) AS soon "
            "FROM mentions m JOIN posts p ON p.key = m.key "
            f"JOIN cases c ON c.key = m.key AND c.brand = m.brand WHERE {clause} AND {_WAITS}",
            [now, now, now + soon, *values],
        )
        assert row is not None
        later = row["waiting"] - row["late"] - row["soon"]
        return {"late": row["late"], "soon": row["soon"], "later": later}

    def due_between(self, brand: str, since: int, until: int) -> list[Row]:
        """A brand's unanswered mentions whose answer is due in a span of time, first due first.

        Cost: the cases due in the span; in a plain join SQLite would read all of the brand's mentions.
        """
        return self.rows(
            f"{_MENTION} WHERE (m.key, m.brand) IN (SELECT key, brand FROM cases WHERE brand = ? "
            "AND due_at >= ? AND due_at < ? AND thread_state = 'unanswered' "
            "AND state IN ('open', 'claimed')) "
            "AND m.wrong = 0 AND m.copy = 0 AND p.deleted_at IS NULL ORDER BY c.due_at",
            (brand, since, until),
        )

    def case_counts(self, where: Filter) -> list[Row]:
        """``platform, thread_state, opening, cases`` in the span."""
        clause, values = where.where("created_at", "m.", null=True)
        return self.rows(
            "SELECT c.platform, c.thread_state, c.opening, COUNT(*) AS cases FROM cases c "
            f"JOIN mentions m ON m.key = c.key AND m.brand = c.brand WHERE {clause} AND m.wrong = 0 "
            "GROUP BY 1, 2, 3",
            values,
        )

    def response_times(self, where: Filter) -> list[Row]:
        """One row for each answered case: both clocks, for the measures."""
        clause, values = where.where("created_at", "m.", null=True)
        return self.rows(
            "SELECT c.key, c.brand, c.platform, c.opening, c.published_at, c.collected_at, "
            "c.answered_at, c.due_at FROM cases c JOIN mentions m ON m.key = c.key "
            f"AND m.brand = c.brand WHERE {clause} AND c.answered_at IS NOT NULL AND m.wrong = 0",
            values,
        )

    def authors(self, where: Filter) -> int:
        """How many different authors wrote the mentions in the span (unknown ones not counted)."""
        clause, values = where.where("created_at", "m.", null=True)
        return int(
            self.value(
                "SELECT COUNT(DISTINCT p.platform || ':' || COALESCE(p.author_id, "
                "p.author_handle)) FROM mentions m JOIN posts p ON p.key = m.key "
                f"WHERE {clause} AND m.wrong = 0",
                values,
            )
        )

    def volume(self, where: Filter) -> Row:
        """How loud it is, counted each way.

        ``posts`` are all counted mentions, ``copies`` the amplified ones among them (reposts and
        near-duplicates), ``unique`` the others; ``authors`` are different people as far as they are
        known; ``flood_posts`` in ``floods`` groups are copies that look like machines' work.
        """
        counted = self.counts_by([], where)[0]
        posts, copies = int(counted["posts"] or 0), int(counted["copies"] or 0)
        floods = self.floods(where, limit=None)
        return {
            "posts": posts, "unique": posts - copies, "copies": copies,
            "authors": self.authors(where), "floods": len(floods),
            "flood_posts": sum(row["posts"] for row in floods),
        }  # fmt: skip

    def floods(self, where: Filter, *, limit: int | None = 50) -> list[Row]:
        """Groups of copies that look like machines' work, the largest first.

        ``group_key`` (the post copied), ``text``, ``reason``; ``copies``, ``authors`` (None: not
        known) and ``per_minute`` (in the busiest minute) of the whole group; of the mentions shown,
        ``posts``, ``first_at`` and ``last_at``. Cost: the posts of the floods.
        """
        clause, values = where.where("created_at", "m.", null=True)
        return self.rows(
            "SELECT f.group_key, o.text, f.reason, f.copies, f.authors, f.per_minute, "
            "COUNT(DISTINCT m.key) AS posts, MIN(m.created_at) AS first_at, "
            "MAX(m.created_at) AS last_at FROM floods f JOIN posts o ON o.key = f.group_key "
            "JOIN (SELECT group_key, group_key AS key FROM floods UNION ALL "
            "SELECT p.group_key, p.key FROM floods g JOIN posts p ON p.group_key = g.group_key "
            "AND p.group_key <> p.key AND p.repost_of IS NULL) i ON i.group_key = f.group_key "
            f"JOIN mentions m ON m.key = i.key WHERE {clause} AND m.wrong = 0 "
            "GROUP BY f.group_key ORDER BY posts DESC, f.group_key LIMIT ?",
            [*values, -1 if limit is None else limit],
        )

    def basis_counts(self, where: Filter) -> list[Row]:
        """``basis, mentions``: how places are known, the unknown share included."""
        clause, values = where.where("created_at", "m.", null=True)
        return self.rows(
            "SELECT COALESCE(m.basis, 'not placed yet') AS basis, COUNT(*) AS mentions "
            f"FROM mentions m WHERE {clause} AND m.wrong = 0 GROUP BY 1 ORDER BY 2 DESC",
            values,
        )

    def coverage(self, since: int = 0, limit: int = 500) -> list[Row]:
        """The ledger, newest first."""
        return self.rows(
            "SELECT * FROM coverage WHERE at >= ? ORDER BY id DESC LIMIT ?", (since, limit)
        )

    def rejects(self, limit: int = 50, offset: int = 0) -> list[Row]:
        """Rows that could not be read, newest first: ``at, source, reason, place, payload``.

        ``payload`` is empty where its time in retention is over.
        """
        return self.rows(
            "SELECT at, source, reason, place, payload FROM rejects ORDER BY id DESC "
            "LIMIT ? OFFSET ?",
            (limit, offset),
        )

    def faults(self, since: int = 0, limit: int = 50) -> list[Row]:
        """Requests of the ledger that failed, were held back or cut short, newest first.

        Cost: the requests since ``since``, as few as they may be that went wrong.
        """
        return self.rows(
            "SELECT * FROM coverage WHERE at >= ? AND (failed IS NOT NULL OR truncated = 1 "
            "OR limited = 1) ORDER BY id DESC LIMIT ?",
            (since, limit),
        )

    def has_demo(self) -> bool:
        """Whether any post here is made up, so that every page can say so."""
        return bool(self.value("SELECT EXISTS (SELECT 1 FROM mentions WHERE demo = 1)"))

    def has_real(self) -> bool:
        """Whether any post here was written by somebody."""
        return bool(self.value("SELECT EXISTS (SELECT 1 FROM posts WHERE demo = 0)"))

    def _sources(self, now: int) -> list[Row]:
        rows = self.rows(
            "SELECT h.*, (SELECT COALESCE(SUM(requests), 0) FROM coverage c WHERE "
            "c.source = h.source) AS requests, (SELECT COALESCE(SUM(cost_usd), 0) FROM "
            "coverage c WHERE c.source = h.source) AS cost_usd, (SELECT COALESCE(SUM(new), 0) "
            "FROM coverage c WHERE c.source = h.source) AS posts FROM health h"
        )
        hosts: dict[str, list[Row]] = {}
        for row in self.rows(
            "SELECT source, host, MAX(heard_at) AS heard_at, open_until, last_error "
            "FROM query_holds WHERE of_host = 1 AND open_until > ? "
            "GROUP BY source, host, open_until, last_error ORDER BY open_until, host",
            (now,),
        ):
            hosts.setdefault(row.pop("source"), []).append(row)
        queries: dict[str, list[Row]] = {}
        for row in self.rows(
            "SELECT source, query, heard_at, failures, open_until, last_error FROM query_holds "
            "WHERE query <> '' AND (of_host = 0 OR open_until <= ?) ORDER BY heard_at, query",
            (now,),
        ):
            queries.setdefault(row.pop("source"), []).append(row)
        return [
            {
                **row,
                "waiting_hosts": hosts.get(row["source"], []),
                "failing_queries": queries.get(row["source"], []),
            }
            for row in rows
        ]

    def status(self, now: int) -> Row:
        """Counts by stage, what waits, sources, size and model: the public shape of ``status``."""
        one = self.one(
            "SELECT (SELECT COUNT(*) FROM posts) AS posts, "
            "(SELECT COUNT(*) FROM posts WHERE deleted_at IS NOT NULL) AS gone, "
            "(SELECT COUNT(*) FROM deletions WHERE state = 'expired') AS expired, "
            "(SELECT COUNT(*) FROM mentions) AS mentions, "
            "(SELECT COUNT(*) FROM mentions WHERE judged_at IS NULL) AS unjudged, "
            "(SELECT COUNT(*) FROM mentions WHERE basis IS NULL) AS unplaced, "
            "(SELECT COUNT(*) FROM touched_hours) AS uncounted_hours, "
            "(SELECT COUNT(*) FROM threads WHERE touched = 1) AS unflagged_threads, "
            "(SELECT COALESCE(SUM(posts), 0) FROM counts) AS counted, "
            "(SELECT COUNT(*) FROM spikes) AS spikes, "
            "(SELECT COUNT(*) FROM spikes WHERE end IS NULL) AS open_spikes, "
            "(SELECT COUNT(*) FROM cases) AS cases, "
            "(SELECT COUNT(*) FROM alerts WHERE sent_at IS NULL) AS waiting_alerts, "
            "(SELECT COUNT(*) FROM rejects) AS rejected, "
            "(SELECT MAX(seen_at) FROM mentions) AS last_seen_at, "
            "(SELECT MIN(created_at) FROM mentions WHERE judged_at IS NULL) AS oldest_unjudged, "
            "(SELECT MIN(created_at) FROM mentions WHERE basis IS NULL) AS oldest_unplaced",
        )
        assert one is not None
        stages = {row["stage"]: row for row in self.rows("SELECT * FROM stage_runs")}
        size = sum(
            file.stat().st_size
            for file in (self.path, self.path.with_name(self.path.name + "-wal"))
            if file.exists()
        )
        return {
            "counts": {
                "posts": one["posts"], "deleted": one["gone"] - one["expired"],
                "expired": one["expired"], "mentions": one["mentions"],
                "judged": one["mentions"] - one["unjudged"],
                "placed": one["mentions"] - one["unplaced"], "counted": one["counted"],
                "spikes": one["spikes"], "open_spikes": one["open_spikes"],
                "cases": one["cases"], "rejected": one["rejected"],
            },
            "waiting": {
                "judge": one["unjudged"], "place": one["unplaced"],
                "count": one["uncounted_hours"], "flag": one["unflagged_threads"],
                "alert": one["waiting_alerts"],
            },
            "stages": {
                name: {
                    "last_ok_at": row["last_ok_at"], "last_error": row["last_error"],
                    "last_error_at": row["last_error_at"], "rows": row["rows"],
                    "seconds": round(row["seconds"], 3),
                    "lag_seconds": None if row["last_ok_at"] is None else now - row["last_ok_at"],
                }
                for name, row in stages.items()
            },
            "sources": self._sources(now),
            "last_seen_at": one["last_seen_at"],
            "model": self.meta("model"),
            "running_pid": lock_holder(self.path),
            "database_bytes": size,
            "demo": self.has_demo(),
        }  # fmt: skip
