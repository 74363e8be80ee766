"""What to ask the platforms about what is stored: is it still there, and has somebody answered it?

The proof of deletions is the table ``deletions``; ``threads.read_at`` says when a thread was read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from listener.collectors import POSTS_OF
from listener.store.base import Base, Row, marks

# Posts ``p`` that their own platform has shown us. An export's ids may be its tool's own: of those
# the platform would say that it has no such post, and of the payloads that it cannot read them.
_FROM_PLATFORM = (
    "p.source NOT LIKE 'import:%' AND p.source IN (SELECT h.source FROM health h WHERE "
    "h.platform IN ({}))"
)


def _shown_by(platform: str) -> tuple[str, tuple[str, ...]]:
    """A condition on posts ``p``, and its parameters: the platform itself has shown them."""
    by = (platform, *(name for name, whose in POSTS_OF.items() if whose == platform))
    return _FROM_PLATFORM.format(marks(by)), by


class Sync(Base):
    """Reads and writes of the rechecking round (all posts of a platform by key) and of threads."""

    def to_recheck(self, platform: str, after: str, limit: int) -> list[Row]:
        """The next posts by key: ``key``, ``native_id`` and ``placed`` (we hold a place of it).

        Only what the platform itself has shown us: of an imported id it would say that it is gone.
        """
        shown, by = _shown_by(platform)
        return self.rows(
            "SELECT p.key, p.native_id, (p.country_tag IS NOT NULL OR p.lat IS NOT NULL OR "
            "p.place_name IS NOT NULL) AS placed FROM posts p WHERE p.key > ? AND p.key < ? AND "
            f"p.deleted_at IS NULL AND p.demo = 0 AND {shown} ORDER BY p.key LIMIT ?",
            # ';' is the character after ':'
            (max(after, f"{platform}:"), f"{platform};", *by, limit),
        )

    def save_rechecked(self, source: str, after: str, now: int, *, failed: bool = False) -> None:
        """Where the round stands; an empty ``after`` begins the next one. ``failed``: what comes next
        has failed once."""
        with self.write() as db:
            db.execute(
                "INSERT INTO cursors (source, query, cursor, updated_at) VALUES (?, 'recheck', ?, ?) "
                "ON CONFLICT (source, query) DO UPDATE SET cursor = excluded.cursor, "
                "updated_at = excluded.updated_at",
                (source, json.dumps({"after": after, **({"failed": True} if failed else {})}), now),
            )

    def threads_to_read(self, platform: str, *, since: int, before: int, limit: int) -> list[Row]:
        """Threads of open mentions published since then, neither read nor asked for since ``before``.

        ``thread``, and ``payload`` of a mention in it that the platform itself has shown. Those never
        asked for come first, then those asked for longest ago.
        """
        shown, by = _shown_by(platform)
        return self.rows(
            "SELECT c.thread, MIN(l.payload) AS payload FROM cases c JOIN posts p ON p.key = c.key "
            "JOIN payloads l ON l.key = c.key LEFT JOIN threads t ON t.thread = c.thread WHERE "
            "c.platform = ? AND c.thread_state <> 'answered' AND c.published_at >= ? AND "
            "(t.read_at IS NULL OR t.read_at < ?) AND (t.asked_at IS NULL OR t.asked_at < ?) AND "
            f"{shown} GROUP BY c.thread, t.asked_at, t.read_at "
            "ORDER BY COALESCE(t.asked_at, t.read_at, 0), MIN(c.published_at) LIMIT ?",
            (platform, since, before, before, *by, limit),
        )

    def mark_thread_asked(self, thread: str, now: int) -> None:
        """This thread has had its turn, whatever came of it; its cases stay as they are."""
        with self.write() as db:
            db.execute(
                "INSERT INTO threads (thread, touched, asked_at) VALUES (?, 0, ?) ON CONFLICT "
                "(thread) DO UPDATE SET asked_at = excluded.asked_at",
                (thread, now),
            )

    def begin_account_walk(self, source: str, query: str, since: int) -> None:
        """What an account wrote from ``since`` on is being read; of before nothing is known, unless
        whole walks have read it up to there."""
        with self.write() as db:
            db.execute(
                "INSERT INTO account_walks (source, query, since) VALUES (?, ?, ?) ON CONFLICT "
                "(source, query) DO UPDATE SET since = excluded.since WHERE account_walks.upto IS "
                "NULL OR account_walks.upto < excluded.since",
                (source, query, since),
            )

    def end_account_walk(self, source: str, query: str, brand: str | None, upto: int) -> None:
        """All that an account wrote has been read up to now; ``brand`` is whose it is, where it
        showed."""
        with self.write() as db:
            db.execute(
                "UPDATE account_walks SET upto = ?, brand = COALESCE(?, brand) "
                "WHERE source = ? AND query = ?",
                (upto, brand, source, query),
            )

    def account_walks(self) -> dict[tuple[str, str], Row]:
        """``brand, since, upto`` by source and query; ``upto`` is None before the first whole walk."""
        return {
            (row["source"], row["query"]): row for row in self.rows("SELECT * FROM account_walks")
        }

    def unread_threads(self, platform: str, spans: Mapping[str, tuple[int, int]]) -> list[str]:
        """Threads not known to be answered, of which the brands' own accounts tell.

        ``spans``: by brand, from when to when all that its accounts wrote has been read. A thread in
        which anything else waits, of another brand or another time, stays unknown.
        """
        threads: set[str] = set()
        for brand, (since, upto) in spans.items():
            found = self.rows(
                "SELECT DISTINCT thread FROM cases WHERE published_at >= ? AND published_at <= ? "
                "AND platform = ? AND brand = ? AND thread_state = 'unknown'",
                (since, upto, platform, brand),
            )
            threads.update(str(row["thread"]) for row in found)
        known, outside = sorted(threads), set()
        for at in range(0, len(known), 400):
            part = known[at : at + 400]
            for row in self.rows(
                "SELECT p.thread, c.brand, c.published_at FROM posts p JOIN cases c ON c.key = p.key "
                f"WHERE p.thread IN ({marks(part)}) AND c.thread_state = 'unknown'",
                part,
            ):
                since, upto = spans.get(row["brand"], (0, -1))
                if not since <= row["published_at"] <= upto:
                    outside.add(str(row["thread"]))
        return [thread for thread in known if thread not in outside]
