"""Hands each stage the rows that lack its result, and keeps the result. All of it is resumable."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from listener.mention import Place
from listener.store.base import Base, Row, marks

if TYPE_CHECKING:
    from listener.duplicates import Flood


@dataclass(frozen=True, slots=True)
class Score:
    """One judgement of one mention by one model version; probabilities are in 0..1."""

    key: str
    brand: str
    label: str
    negative: float
    neutral: float
    positive: float
    confidence: float
    language: str | None = None
    intent: str | None = None
    rule: str | None = None
    read: tuple[str, int, int, str] | None = None
    """What was judged: ``text, span_start, span_end, also``. None fits whatever the mention is now."""


JudgeFlood = Callable[[Sequence[tuple[int, str | None]]], "Flood"]
FEWEST_COPIES = 9  # beside the original: below, no group is looked at
# An edited post keeps its old label on show until it is judged, but judged it is not.
_WAITING = (
    "(m.key, m.brand) > (?, ?) AND p.deleted_at IS NULL "
    "AND (? OR m.judged_at IS NULL OR m.model IS NULL OR m.model <> ?)"
)


class Stages(Base):
    """What waits for a stage, and writes of its results."""

    # judged ---------------------------------------------------------------------------------------

    def unjudged(self, limit: int) -> list[Row]:
        """Mentions without any judgement, newest first: ``key, brand, text`` and where it is named."""
        return self.rows(
            "SELECT m.key, m.brand, p.text, m.span_start, m.span_end, m.also FROM mentions m "
            "JOIN posts p ON p.key = m.key WHERE m.judged_at IS NULL "
            "ORDER BY m.created_at DESC LIMIT ?",
            (limit,),
        )

    def count_unjudged(self) -> int:
        return int(self.value("SELECT COUNT(*) FROM mentions WHERE judged_at IS NULL"))

    def waiting_for(
        self, model: str, after: tuple[str, str], limit: int, *, again: bool = False
    ) -> list[Row]:
        """Mentions that show no judgement of this model version, in key order after ``after``.

        That it judged one before is not enough: another may have been shown since. ``again``: all
        mentions, whoever judged them. For rescoring: walk with the last (key, brand) seen, so that
        the whole is one pass.
        """
        return self.rows(
            "SELECT m.key, m.brand, p.text, m.span_start, m.span_end, m.also FROM mentions m "
            f"JOIN posts p ON p.key = m.key WHERE {_WAITING} "
            "ORDER BY m.key, m.brand LIMIT ?",
            (*after, again, model, limit),
        )

    def count_waiting_for(
        self, model: str, after: tuple[str, str] = ("", ""), *, again: bool = False
    ) -> int:
        """How many mentions :meth:`waiting_for` would give, without a limit."""
        return int(
            self.value(
                f"SELECT COUNT(*) FROM mentions m JOIN posts p ON p.key = m.key WHERE {_WAITING}",
                (*after, again, model),
            )
        )

    def save_scores(self, model: str, scores: Sequence[Score], now: int) -> int:
        """Keep scores by model version, and show them; a human correction stays on top.

        Returns how many were kept: a post may be edited or deleted while its batch is at the model.
        Its score is dropped, and what is left of it waits and comes again.
        """
        with self.write() as db:
            scores = _still_read(db, scores)
            db.executemany(
                "INSERT INTO scores (key, brand, model, label, negative, neutral, positive, "
                "confidence, language, intent, rule, judged_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key, brand, model) "
                "DO UPDATE SET label = excluded.label, negative = excluded.negative, "
                "neutral = excluded.neutral, positive = excluded.positive, "
                "confidence = excluded.confidence, language = excluded.language, "
                "intent = excluded.intent, rule = excluded.rule, judged_at = excluded.judged_at",
                [
                    (
                        s.key, s.brand, model, s.label, s.negative, s.neutral, s.positive,
                        s.confidence, s.language, s.intent, s.rule, now,
                    )
                    for s in scores
                ],
            )  # fmt: skip
            db.executemany(
                "UPDATE mentions SET label = ?, negative = ?, neutral = ?, positive = ?, "
                "confidence = ?, language = ?, intent = ?, override = ?, model = ?, judged_at = ? "
                "WHERE key = ? AND brand = ?",
                [
                    (
                        s.label, s.negative, s.neutral, s.positive, s.confidence, s.language,
                        s.intent, f"rule: {s.rule}" if s.rule else None, model, now, s.key, s.brand,
                    )
                    for s in scores
                ],
            )  # fmt: skip
            touched = [(s.key, s.brand) for s in scores]
            db.executemany(
                "UPDATE mentions SET (label, override) = (SELECT c.label, 'human: ' || c.by "
                "FROM corrections c WHERE c.key = mentions.key AND c.brand = mentions.brand) "
                "WHERE key = ? AND brand = ? AND EXISTS (SELECT 1 FROM corrections c "
                "WHERE c.key = mentions.key AND c.brand = mentions.brand)",
                touched,
            )
            db.executemany(
                "INSERT OR IGNORE INTO touched_hours SELECT hour FROM mentions "
                "WHERE key = ? AND brand = ?",
                touched,
            )
            db.execute(
                "INSERT INTO meta (name, value) VALUES ('model', ?) ON CONFLICT (name) "
                "DO UPDATE SET value = excluded.value",
                (model,),
            )
        return len(scores)

    def correct(self, key: str, brand: str, label: str, by: str, now: int) -> None:
        """A person's own judgement; it stays above every model's and says whose it is."""
        with self.write() as db:
            db.execute(
                "INSERT INTO corrections (key, brand, label, by, at) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (key, brand) DO UPDATE SET label = excluded.label, by = excluded.by, "
                "at = excluded.at",
                (key, brand, label, by, now),
            )
            db.execute(
                "UPDATE mentions SET label = ?, override = ? WHERE key = ? AND brand = ?",
                (label, f"human: {by}", key, brand),
            )
            db.execute(
                "INSERT OR IGNORE INTO touched_hours SELECT hour FROM mentions "
                "WHERE key = ? AND brand = ?",
                (key, brand),
            )

    # placed ---------------------------------------------------------------------------------------

    def unplaced(self, limit: int) -> list[Row]:
        """Posts with a mention that has no place yet, with all that tells of one."""
        return self.rows(
            "SELECT p.key, p.profile_location, p.time_zone, p.country_tag, p.place_name, p.lat, "
            "p.lon, p.language_tag, p.platform FROM posts p JOIN (SELECT DISTINCT key "
            "FROM mentions WHERE basis IS NULL ORDER BY created_at DESC LIMIT ?) m "
            "ON m.key = p.key",
            (limit,),
        )

    def save_places(self, places: Sequence[tuple[str, Place]]) -> None:
        """Keep (post key, place) pairs on the post's mentions."""
        with self.write() as db:
            db.executemany(
                "UPDATE mentions SET country = ?, region = ?, basis = ?, place_confidence = ? "
                "WHERE key = ?",
                [(p.country, p.region, p.basis, p.confidence, key) for key, p in places],
            )
            db.executemany(
                "INSERT OR IGNORE INTO touched_hours SELECT hour FROM mentions WHERE key = ?",
                [(key,) for key, _ in places],
            )

    # grouped --------------------------------------------------------------------------------------

    def ungrouped(self, limit: int) -> list[Row]:
        """Posts with a mention that was not looked at for copies yet, oldest first.

        ``group_key`` is set where the post was looked at before it named this brand.
        """
        return self.rows(
            "SELECT p.key, p.text, p.created_at, p.repost_of, p.platform, p.group_key FROM posts p "
            "JOIN (SELECT DISTINCT key FROM mentions WHERE grouped IS NULL ORDER BY created_at "
            "LIMIT ?) m ON m.key = p.key ORDER BY p.created_at, p.key",
            (limit,),
        )

    def save_groups(
        self, groups: Sequence[tuple[str, str]], judge_flood: JudgeFlood | None = None
    ) -> None:
        """Keep (post key, group key); a post whose group is another post's is a copy.

        ``judge_flood`` says of the groups that grew, from (epoch seconds, author) of each post in them,
        whether machines made them. Reposts by a platform's own button are left out there: pressing
        it is what people do.
        """
        with self.write() as db:
            db.executemany(
                "UPDATE posts SET group_key = ? WHERE key = ?", [g[::-1] for g in groups]
            )
            db.executemany(
                "UPDATE mentions SET grouped = 1 WHERE key = ?", [(key,) for key, _ in groups]
            )
            copies = [(key,) for key, group in groups if key != group]
            db.executemany("UPDATE mentions SET copy = 1 WHERE key = ?", copies)
            db.executemany(
                "INSERT OR IGNORE INTO touched_hours SELECT hour FROM mentions WHERE key = ?",
                copies,
            )
            if judge_flood is not None:
                for group in sorted({group for key, group in groups if key != group}):
                    _mark_flood(db, group, judge_flood)

    def heard_groups(self, since: int, until: int) -> Iterator[tuple[str, str]]:
        """(key, text) of the groups that had a post in a span of time, by the age of their first post.

        Not only those that began in it: what is copied for weeks is still one group.
        """
        for row in self.rows(
            "SELECT o.key, o.text FROM (SELECT DISTINCT group_key FROM posts WHERE created_at >= ? "
            "AND created_at < ? AND group_key IS NOT NULL) g JOIN posts o ON o.key = g.group_key "
            "WHERE o.group_key = o.key AND o.deleted_at IS NULL ORDER BY o.created_at, o.key",
            (since, until),
        ):
            yield row["key"], row["text"]

    def deleted_since(self, moment: int) -> set[str]:
        """Posts that lost their content since a moment."""
        rows = self.rows(
            "SELECT key FROM deletions WHERE at >= ? AND state <> 'geo_removed'", (moment,)
        )
        return {row["key"] for row in rows}

    # counted --------------------------------------------------------------------------------------

    def recount(self, limit: int = 5000) -> int:
        """Count the touched hours anew; returns how many hours were counted.

        The cost is the mentions of those hours, not of the whole store.
        """
        with self.write() as db:
            hours = [
                row[0]
                for row in db.execute(
                    "SELECT hour FROM touched_hours ORDER BY hour DESC LIMIT ?", (limit,)
                )
            ]
            for at in range(0, len(hours), 500):
                part = hours[at : at + 500]
                within = marks(part)
                db.execute(f"DELETE FROM counts WHERE hour IN ({within})", part)
                db.execute(
                    "INSERT INTO counts (hour, brand, platform, country, region, language, label, "
                    "posts, copies) SELECT hour, brand, platform, COALESCE(country, ''), "
                    "COALESCE(region, ''), COALESCE(language, ''), COALESCE(label, ''), COUNT(*), "
                    f"SUM(copy) FROM mentions WHERE hour IN ({within}) AND wrong = 0 "
                    "GROUP BY 1, 2, 3, 4, 5, 6, 7",
                    part,
                )
                db.execute(f"DELETE FROM touched_hours WHERE hour IN ({within})", part)
        return len(hours)

    def mark_wrong(self, key: str, brand: str, wrong: bool, by: str, now: int) -> None:
        """A person says that this post does not mean the brand (or takes that back)."""
        with self.write() as db:
            db.execute(
                "UPDATE mentions SET wrong = ? WHERE key = ? AND brand = ?",
                (int(wrong), key, brand),
            )
            _look_again(db, "key = ? AND brand = ?", (key, brand))
            db.execute(
                "INSERT INTO case_events (key, brand, at, by, what) VALUES (?, ?, ?, ?, ?)",
                (key, brand, now, by, "not the brand" if wrong else "the brand after all"),
            )
            db.execute(  # what the audit looks at to see whether there is anything new
                "INSERT INTO meta (name, value) VALUES ('marks', '1') ON CONFLICT (name) "
                "DO UPDATE SET value = CAST(CAST(meta.value AS INTEGER) + 1 AS TEXT)"
            )

    # variants -------------------------------------------------------------------------------------

    def variant_hits(self, *, marked: bool = False) -> list[Row]:
        """``brand, variant, kind, hits, wrong, reviewed`` of each spelling that matched.

        ``marked``: only spellings of which a person marked a match as wrong; costs their matches, not
        all.
        """
        only = (
            "WHERE (brand, variant) IN (SELECT brand, variant FROM mentions WHERE wrong = 1) "
            if marked
            else ""
        )
        return self.rows(
            "SELECT brand, variant, kind, COUNT(*) AS hits, SUM(wrong = 1) AS wrong, "
            "SUM(CASE WHEN wrong = 1 OR EXISTS (SELECT 1 FROM corrections c WHERE c.key = "
            "mentions.key AND c.brand = mentions.brand) THEN 1 ELSE 0 END) AS reviewed "
            f"FROM mentions {only}GROUP BY brand, variant, kind ORDER BY hits DESC"
        )

    def suspended(self) -> dict[str, frozenset[str]]:
        """The spellings that are switched off, by brand."""
        return self._spellings("suspended")

    def kept(self) -> dict[str, frozenset[str]]:
        """The spellings that a person brought back, by brand: none is suspended again by itself."""
        return self._spellings("kept_spellings")

    def _spellings(self, table: str) -> dict[str, frozenset[str]]:
        out: dict[str, set[str]] = {}
        for row in self.rows(f"SELECT brand, variant FROM {table}"):
            out.setdefault(row["brand"], set()).add(row["variant"])
        return {brand: frozenset(found) for brand, found in out.items()}

    def suspend(self, brand: str, variant: str, reason: str, now: int) -> None:
        """Switch a spelling off: what it found is kept and counts no longer.

        Posts of which a person said that they mean the brand go on counting.
        """
        with self.write() as db:
            db.execute(
                "INSERT INTO suspended (brand, variant, reason, at) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (brand, variant) DO UPDATE SET reason = excluded.reason",
                (brand, variant, reason, now),
            )
            db.execute(
                "DELETE FROM kept_spellings WHERE brand = ? AND variant = ?", (brand, variant)
            )
            db.execute(
                "UPDATE mentions SET wrong = 2 WHERE brand = ? AND variant = ? AND wrong = 0 "
                "AND kind NOT IN ('name', 'handle', 'hashtag', 'link') AND NOT EXISTS (SELECT 1 "
                "FROM corrections c WHERE c.key = mentions.key AND c.brand = mentions.brand) "
                "AND NOT EXISTS (SELECT 1 FROM case_events e WHERE e.key = mentions.key "
                "AND e.brand = mentions.brand AND e.what = 'the brand after all')",
                (brand, variant),
            )
            _look_again(db, "brand = ? AND variant = ?", (brand, variant))

    def unsuspend(self, brand: str, variant: str) -> None:
        """A person brings a spelling back: what it found counts again, and it stays."""
        with self.write() as db:
            db.execute("DELETE FROM suspended WHERE brand = ? AND variant = ?", (brand, variant))
            db.execute(
                "INSERT OR IGNORE INTO kept_spellings (brand, variant) VALUES (?, ?)",
                (brand, variant),
            )
            db.execute(
                "UPDATE mentions SET wrong = 0 WHERE brand = ? AND variant = ? AND wrong = 2",
                (brand, variant),
            )
            _look_again(db, "brand = ? AND variant = ?", (brand, variant))

    # stages ---------------------------------------------------------------------------------------

    def stage_ok(self, stage: str, rows: int, seconds: float, now: int) -> None:
        with self.write() as db:
            db.execute(
                "INSERT INTO stage_runs (stage, last_ok_at, rows, seconds) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (stage) DO UPDATE SET last_ok_at = excluded.last_ok_at, "
                "last_error = NULL, rows = stage_runs.rows + excluded.rows, "
                "seconds = stage_runs.seconds + excluded.seconds",
                (stage, now, rows, seconds),
            )

    def stage_failed(self, stage: str, reason: str, now: int) -> None:
        with self.write() as db:
            db.execute(
                "INSERT INTO stage_runs (stage, last_error_at, last_error) VALUES (?, ?, ?) "
                "ON CONFLICT (stage) DO UPDATE SET last_error_at = excluded.last_error_at, "
                "last_error = excluded.last_error",
                (stage, now, reason),
            )


def _look_again(db: sqlite3.Connection, where: str, values: tuple[str, ...]) -> None:
    """Count the hours of these mentions anew, and flag their threads anew."""
    db.execute(
        f"INSERT OR IGNORE INTO touched_hours SELECT hour FROM mentions WHERE {where}", values
    )
    db.execute(
        "UPDATE threads SET touched = 1 WHERE thread IN (SELECT p.thread FROM posts p "
        f"WHERE p.key IN (SELECT key FROM mentions WHERE {where}))",
        values,
    )


def _mark_flood(db: sqlite3.Connection, group: str, judge_flood: JudgeFlood) -> None:
    who = "COALESCE(author_id, author_handle)"
    copied = "group_key = ? AND group_key <> key AND repost_of IS NULL"
    if db.execute(f"SELECT COUNT(*) FROM posts WHERE {copied}", (group,)).fetchone()[0] < (
        FEWEST_COPIES
    ):
        return
    found = judge_flood(
        [
            (row[0], row[1])
            for row in db.execute(
                f"SELECT created_at, {who} FROM posts WHERE key = ? "
                f"UNION ALL SELECT created_at, {who} FROM posts WHERE {copied}",
                (group, group),
            )
        ]
    )
    if not found.flood:
        db.execute("DELETE FROM floods WHERE group_key = ?", (group,))
        return
    db.execute(
        "INSERT INTO floods (group_key, copies, authors, per_minute, reason) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (group_key) DO UPDATE SET copies = excluded.copies, authors = excluded.authors, "
        "per_minute = excluded.per_minute, reason = excluded.reason",
        (group, found.copies, found.authors, int(found.per_minute), found.reason),
    )


def _still_read(db: sqlite3.Connection, scores: Sequence[Score]) -> list[Score]:
    """Those whose mention reads as it did when it was judged; one look for 500 posts."""
    keys = list({score.key for score in scores if score.read is not None})
    reads: dict[tuple[str, str], tuple[str, int, int, str]] = {}
    for at in range(0, len(keys), 500):
        part = keys[at : at + 500]
        for key, brand, *read in db.execute(
            "SELECT m.key, m.brand, p.text, m.span_start, m.span_end, m.also FROM mentions m "
            f"JOIN posts p ON p.key = m.key WHERE m.key IN ({marks(part)})",
            part,
        ):
            reads[key, brand] = tuple(read)
    return [s for s in scores if s.read is None or s.read == reads.get((s.key, s.brand))]
