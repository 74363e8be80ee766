"""What to ask the platforms about what is stored: is it still there, and has somebody answered it?

The proof of deletions is the table ``deletions``; ``threads.read_at`` says when a thread was read.
"""

from __future__ import annotations

import json

from listener.store.base import Base, Row


class Sync(Base):
    """Reads and writes of the rechecking round (all posts of a platform by key) and of threads."""

    def to_recheck(self, platform: str, after: str, limit: int) -> list[Row]:
        """The next posts by key: ``key``, ``native_id`` and ``placed`` (we hold a place of it)."""
        return self.rows(
            "SELECT key, native_id, (country_tag IS NOT NULL OR lat IS NOT NULL OR place_name IS "
            "NOT NULL) AS placed FROM posts WHERE key > ? AND key < ? AND deleted_at IS NULL AND "
            "demo = 0 ORDER BY key LIMIT ?",
            (max(after, f"{platform}:"), f"{platform};", limit),  # ';' is the character after ':'
        )

    def save_rechecked(self, source: str, after: str, now: int) -> None:
        """Where the round stands; an empty ``after`` begins the next one."""
        with self.write() as db:
            db.execute(
                "INSERT INTO cursors (source, query, cursor, updated_at) VALUES (?, 'recheck', ?, ?) "
                "ON CONFLICT (source, query) DO UPDATE SET cursor = excluded.cursor, "
                "updated_at = excluded.updated_at",
                (source, json.dumps({"after": after}), now),
            )

    def threads_to_read(self, platform: str, *, since: int, before: int, limit: int) -> list[Row]:
        """Threads of open mentions published since then, that were not read since ``before``.

        ``thread``, and ``payload`` of a mention in it; those never read come first, then the oldest.
        """
        return self.rows(
            "SELECT c.thread, MIN(p.payload) AS payload, t.read_at FROM cases c JOIN payloads p ON "
            "p.key = c.key LEFT JOIN threads t ON t.thread = c.thread WHERE c.platform = ? AND "
            "c.thread_state <> 'answered' AND c.published_at >= ? AND (t.read_at IS NULL OR "
            "t.read_at < ?) GROUP BY c.thread, t.read_at ORDER BY t.read_at IS NOT NULL, t.read_at, "
            "MIN(c.published_at) LIMIT ?",
            (platform, since, before, limit),
        )

    def unread_threads(self, platform: str) -> list[str]:
        """Threads of a platform of which nobody knows whether they were answered."""
        rows = self.rows(
            "SELECT DISTINCT thread FROM cases WHERE platform = ? AND thread_state = 'unknown'",
            (platform,),
        )
        return [str(row["thread"]) for row in rows]
