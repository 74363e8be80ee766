"""Lets go of what has been kept long enough: payloads, and what others wrote.

What is counted stays: a post's key, times, place by country and label, its mentions and cases. So no
count, spike or measure changes when its posts go, and a platform that shows an old post again does not
bring it back. The table ``deletions`` has these posts as ``expired``.
"""

from __future__ import annotations

from listener.store.base import Base, marks
from listener.store.collected import EMPTIED, NOTHING_TO_DO


class Retention(Base):
    """Writes of the daily round; each call is one short transaction."""

    def drop_payloads(self, before: int, limit: int) -> int:
        """Delete payloads that came last before a moment, refused rows among them; how many went."""
        with self.write() as db:
            gone = db.execute(
                "DELETE FROM payloads WHERE key IN (SELECT key FROM payloads WHERE stored_at < ? "
                "ORDER BY stored_at LIMIT ?)",
                (before, limit),
            ).rowcount
            gone += db.execute(
                "UPDATE rejects SET payload = '' WHERE id IN (SELECT id FROM rejects "
                "WHERE payload <> '' AND at < ? ORDER BY at LIMIT ?)",
                (before, max(0, limit - gone)),
            ).rowcount
        return gone

    def expire_posts(self, before: int, now: int, limit: int) -> int:
        """Empty the posts that were first seen before a moment, oldest first; how many went.

        Counted from when they were seen, not written: an archive imported today is kept as long as
        any other post. Messages of that age lose their text too, which quotes posts.
        """
        with self.write() as db:
            keys = [
                row[0]
                for row in db.execute(
                    "SELECT key FROM posts WHERE deleted_at IS NULL AND seen_at < ? "
                    "ORDER BY seen_at LIMIT ?",
                    (before, limit),
                )
            ]
            for at in range(0, len(keys), 500):
                part = keys[at : at + 500]
                these = f"key IN ({marks(part)})"
                db.execute(
                    f"UPDATE posts SET {EMPTIED}, deleted_at = ? WHERE {these}", (now, *part)
                )
                db.execute(f"UPDATE mentions SET {NOTHING_TO_DO} WHERE {these}", (now, *part))
                db.execute(f"DELETE FROM payloads WHERE {these}", part)
                db.executemany(
                    "INSERT INTO deletions (key, state, at) VALUES (?, 'expired', ?) "
                    "ON CONFLICT (key) DO UPDATE SET state = excluded.state, at = excluded.at",
                    [(key, now) for key in part],
                )
            db.execute("UPDATE alerts SET body = '' WHERE created_at < ? AND body <> ''", (before,))
        return len(keys)
