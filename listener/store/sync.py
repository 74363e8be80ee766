"""Deletion sync: which stored posts to ask their platforms about next. The proof is ``deletions``."""

from __future__ import annotations

import json

from listener.store.base import Base, Row


class Sync(Base):
    """Reads and writes of the rechecking job, which goes round all posts of a platform by key."""

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
