"""Spikes with their evidence, alerts on their way, and cases: what was asked and what was answered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from listener.mention import Spike, epoch
from listener.store.base import Base, Row, marks

DueFor = Callable[[str, int], int | None]
RETRY_LIMIT = 8
FOREVER = 1 << 60


class Responses(Base):
    """Reads and writes around answering."""

    # spikes ---------------------------------------------------------------------------------------

    def save_spikes(self, spikes: Iterable[Spike], now: int) -> list[int]:
        """Keep spikes with their evidence; a spike known by its start grows. Returns the new ids."""
        new = []
        with self.write() as db:
            for s in spikes:
                # Found again with later counts, a spike may begin an hour sooner or later than
                # before: what overlaps it is the same spike.
                known = db.execute(
                    "SELECT id FROM spikes WHERE brand = ? AND region = ? AND kind = ? "
                    "AND start < ? AND COALESCE(end, ?) > ? ORDER BY start LIMIT 1",
                    (
                        s.brand, s.region, s.kind, epoch(s.end) if s.end else FOREVER, FOREVER,
                        epoch(s.start),
                    ),
                ).fetchone()  # fmt: skip
                values = (
                    epoch(s.peak), epoch(s.end) if s.end else None, s.expected, s.observed,
                    s.p_value, s.severity,
                )  # fmt: skip
                if known is None:
                    spike_id = int(
                        db.execute(
                            "INSERT INTO spikes (brand, region, kind, start, peak, end, expected, "
                            "observed, p_value, severity, found_at, known_at) "
                            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                            (
                                s.brand,
                                s.region,
                                s.kind,
                                epoch(s.start),
                                *values,
                                now,
                                epoch(s.known) if s.known else None,
                            ),
                        ).lastrowid
                        or 0
                    )
                    new.append(spike_id)
                else:
                    spike_id = int(known[0])
                    db.execute(
                        "UPDATE spikes SET peak = ?, end = ?, expected = ?, observed = ?, "
                        "p_value = ?, severity = ? WHERE id = ?",
                        (*values, spike_id),
                    )
                db.executemany(
                    "INSERT OR IGNORE INTO spike_posts (spike_id, key) VALUES (?, ?)",
                    [(spike_id, key) for key in s.evidence],
                )
        return new

    def close_spikes(self, still_open: Iterable[tuple[str, str, str]], now: int) -> int:
        """End the open spikes whose (brand, region, kind) is no longer above its usual."""
        keep = set(still_open)
        with self.write() as db:
            over = [
                (now, row[0])
                for row in db.execute(
                    "SELECT id, brand, region, kind FROM spikes WHERE end IS NULL"
                )
                if (row[1], row[2], row[3]) not in keep
            ]
            db.executemany("UPDATE spikes SET end = ? WHERE id = ?", over)
        return len(over)

    def evidence(
        self, brand: str, country: str | None, start: int, end: int, label: str | None,
        limit: int = 200,
    ) -> list[str]:  # fmt: skip
        """Keys of the mentions behind a spike, originals before copies, oldest first."""
        return [
            row["key"]
            for row in self.rows(
                "SELECT key FROM mentions WHERE brand = ? AND created_at >= ? AND created_at < ? "
                "AND wrong = 0 AND (? IS NULL OR country = ?) AND (? IS NULL OR label = ?) "
                "ORDER BY copy, created_at LIMIT ?",
                (brand, start, end, country, country, label, label, limit),
            )
        ]

    def hourly_counts(self, since: int) -> list[Row]:
        """``hour, brand, country, label, posts`` from a moment on, for the spike detector."""
        return self.rows(
            "SELECT hour, brand, country, label, SUM(posts) AS posts FROM counts WHERE hour >= ? "
            "GROUP BY hour, brand, country, label",
            (since,),
        )

    def listening_since(self) -> int | None:
        """When a source other than an imported file first answered; None: all posts are imported."""
        found = self.value(
            "SELECT MIN(at) FROM coverage WHERE failed IS NULL AND source NOT LIKE 'import:%'"
        )
        return None if found is None else int(found)

    def health(self) -> list[Row]:
        """Each source's ``last_ok_at``, ``last_error``, ``failures`` in a row, ``first_at`` asked."""
        return self.rows(
            "SELECT h.*, (SELECT MIN(at) FROM coverage c WHERE c.source = h.source) AS first_at "
            "FROM health h ORDER BY h.source"
        )

    def ledger(self, since: int) -> list[Row]:
        """What sources brought, request by request: ``at, source, new, failed, requests``."""
        return self.rows(
            "SELECT at, source, new, failed, requests FROM coverage WHERE at >= ? AND query <> "
            "'threads' AND source NOT LIKE 'import:%' ORDER BY id",
            (since,),
        )

    def spikes(
        self, brands: Sequence[str] = (), since: int = 0, until: int | None = None,
        *, open_only: bool = False,
    ) -> list[Row]:  # fmt: skip
        """Spikes that touch a time span, the worst first."""
        where, values = ["(s.end IS NULL OR s.end >= ?)"], [since]
        if until is not None:
            where.append("s.start < ?")
            values.append(until)
        parameters: list[Any] = [*values, *brands]
        if brands:
            where.append(f"s.brand IN ({marks(brands)})")
        if open_only:
            where.append("s.end IS NULL")
        return self.rows(
            "SELECT s.*, (SELECT COUNT(*) FROM spike_posts e WHERE e.spike_id = s.id) AS posts "
            f"FROM spikes s WHERE {' AND '.join(where)} ORDER BY s.severity DESC, s.start DESC",
            parameters,
        )

    def spike_keys(self, spike_id: int) -> list[str]:
        return [
            row["key"]
            for row in self.rows("SELECT key FROM spike_posts WHERE spike_id = ?", (spike_id,))
        ]

    # alerts ---------------------------------------------------------------------------------------

    def add_alert(
        self, *, subject: str, channel: str, title: str, body: str, rule: str, now: int,
        spike_id: int | None = None, next_try: int | None = None, tells: Iterable[int] = (),
    ) -> bool:  # fmt: skip
        """Put a message in the outbox; False when this subject already went to this channel.

        ``tells``: the spikes that a digest tells of.
        """
        with self.write() as db:
            new = db.execute(
                "INSERT OR IGNORE INTO alerts (subject, channel, spike_id, rule, state, "
                "next_try, created_at, title, body) VALUES (?, ?, ?, ?, 'pending', ?, ?, ?, ?)",
                (subject, channel, spike_id, rule, now if next_try is None else next_try, now,
                 title, body),
            ).rowcount  # fmt: skip
            if new:
                db.executemany(
                    "INSERT OR IGNORE INTO digest_spikes (rule, channel, spike_id) "
                    "VALUES (?, ?, ?)",
                    [(rule, channel, told) for told in tells],
                )
        return bool(new)

    def told_in_digests(self, rule: str, channel: str, first: int) -> set[int]:
        """The spikes (ids from ``first`` on) that a digest of this rule told this channel of."""
        rows = self.rows(
            "SELECT spike_id FROM digest_spikes WHERE rule = ? AND channel = ? AND spike_id >= ?",
            (rule, channel, first),
        )
        return {row["spike_id"] for row in rows}

    def pending_alerts(self, now: int) -> list[Row]:
        """Messages whose time has come, oldest first; "sending" ones were cut off half way."""
        return self.rows(
            "SELECT * FROM alerts WHERE sent_at IS NULL AND state IN ('pending', 'sending', "
            "'failed') AND next_try <= ? AND attempts < ? ORDER BY created_at",
            (now, RETRY_LIMIT),
        )

    def mark_alert(
        self, alert_id: int, state: str, now: int, detail: str | None = None,
        next_try: int | None = None,
    ) -> None:  # fmt: skip
        """Move a message on: pending → sending → sent, or failed with the next try."""
        with self.write() as db:
            db.execute(
                "UPDATE alerts SET state = ?, detail = COALESCE(?, detail), "
                "sent_at = CASE WHEN ? = 'sent' THEN ? ELSE sent_at END, "
                "attempts = attempts + (? = 'sending'), next_try = COALESCE(?, next_try) "
                "WHERE id = ?",
                (state, detail, state, now, state, next_try, alert_id),
            )

    def alerts(self, since: int = 0, limit: int = 200) -> list[Row]:
        return self.rows(
            "SELECT * FROM alerts WHERE created_at >= ? ORDER BY created_at DESC LIMIT ?",
            (since, limit),
        )

    def has_alert(self, subject: str, channel: str) -> bool:
        """Whether this was put out for this channel, by whatever rule."""
        return bool(
            self.value(
                "SELECT COUNT(*) FROM alerts WHERE subject = ? AND channel = ?", (subject, channel)
            )
        )

    def last_alert(self, rule: str, channel: str, place: str) -> int | None:
        """When a subject that begins with ``place`` was last put out (for cooldown), or None."""
        found = self.value(
            "SELECT MAX(created_at) FROM alerts WHERE rule = ? AND channel = ? "
            "AND subject >= ? AND substr(subject, 1, length(?)) = ?",
            (rule, channel, place, place, place),
        )
        return None if found is None else int(found)

    def judge_alert(self, alert_id: int, verdict: str | None) -> None:
        """A person's word on an alert: ``useful``, ``noise`` or None to take it back."""
        with self.write() as db:
            db.execute("UPDATE alerts SET verdict = ? WHERE id = ?", (verdict, alert_id))

    # cases ----------------------------------------------------------------------------------------

    def touched_threads(self, limit: int) -> list[str]:
        return [
            row["thread"]
            for row in self.rows("SELECT thread FROM threads WHERE touched = 1 LIMIT ?", (limit,))
        ]

    def flag_threads(
        self, threads: Sequence[str], own_brands: Sequence[str], due_for: DueFor, now: int
    ) -> int:
        """Look at these threads again: a case for each mention, answered by the brand's next post.

        ``due_for(platform, published)`` gives when an answer is due. A case is *answered* when an
        account of the brand posted in the thread at or after the mention, *unanswered* when the
        thread was read and nobody did, *unknown* when it was not read. Returns the cases written.
        """
        done = 0
        for at in range(0, len(threads), 400):
            part = list(threads[at : at + 400])
            with self.write() as db:
                answers: dict[tuple[str, str], list[tuple[int, str]]] = {}
                for row in db.execute(
                    "SELECT thread, from_brand, created_at, key FROM posts WHERE thread IN "
                    f"({marks(part)}) AND from_brand IS NOT NULL ORDER BY created_at",
                    part,
                ):
                    answers.setdefault((row[0], row[1]), []).append((row[2], row[3]))
                asked = db.execute(
                    "SELECT m.key, m.brand, m.platform, p.thread, m.created_at, m.seen_at, "
                    "t.read_at FROM posts p JOIN mentions m ON m.key = p.key "
                    "LEFT JOIN threads t ON t.thread = p.thread "
                    f"WHERE p.thread IN ({marks(part)}) AND p.from_brand IS NULL AND m.wrong = 0 "
                    "AND p.repost_of IS NULL AND p.deleted_at IS NULL "
                    # `|| ''`: look up by post, not through the brand's index, all of it each time
                    f"AND m.brand || '' IN ({marks(own_brands)}) ORDER BY m.created_at, m.key",
                    (*part, *own_brands),
                ).fetchall()
                cases, opened = [], set()
                for key, brand, platform, thread, published, seen, read_at in asked:
                    reply = next(
                        (a for a in answers.get((thread, brand), ()) if a[0] >= published), None
                    )
                    state = "answered" if reply else "unanswered" if read_at else "unknown"
                    opening = (thread, brand) not in opened
                    opened.add((thread, brand))
                    cases.append(
                        (
                            key, brand, platform, thread, "answered" if reply else "open", state,
                            published, seen, due_for(platform, published),
                            reply[1] if reply else None, reply[0] if reply else None,
                            int(opening), now,
                        )
                    )  # fmt: skip
                # A person's own state (claimed, closed, …) is kept; only open ⇄ answered moves here.
                db.executemany(
                    "INSERT INTO cases (key, brand, platform, thread, state, thread_state, "
                    "published_at, collected_at, due_at, answered_key, answered_at, opening, "
                    "updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
                    "ON CONFLICT (key, brand) DO UPDATE SET thread = excluded.thread, "
                    "thread_state = excluded.thread_state, due_at = excluded.due_at, "
                    "answered_key = excluded.answered_key, answered_at = excluded.answered_at, "
                    "opening = excluded.opening, updated_at = excluded.updated_at, "
                    "state = CASE WHEN cases.state IN ('open', 'answered') THEN excluded.state "
                    "ELSE cases.state END",
                    cases,
                )
                db.execute(f"UPDATE threads SET touched = 0 WHERE thread IN ({marks(part)})", part)
                done += len(cases)
        return done
