"""What each read of the dashboard costs when data have just arrived: a store with a million counted
cells (10 brands, 90 days) and 200,000 mentions, in milliseconds of processor time.

    python benchmarks/dashboard_reads.py FILE.db     # made there if it is not, 300 MB, some minutes
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

from listener import themes
from listener.store import Filter, Store

DAYS, CELLS, MENTIONS = 90, 1_000_000, 200_000
BEGIN = 1_767_225_600
END = BEGIN + DAYS * 86_400
BRANDS = [f"b{i}" for i in range(10)]
PLATFORMS = ["x", "reddit", "bluesky", "mastodon"]
COUNTRIES = ["", "DE", "US", "FR", "JP", "BR", "GB", "IN", "ES", "IT"]
LABELS = ["negative", "neutral", "positive", "unsure"]
STATES = ["unanswered", "unknown", "answered"]


def fill(store: Store) -> None:
    """Cells and mentions at random hours; they need not agree, only be as many."""
    chance = random.Random(1)
    cells = set()
    while len(cells) < CELLS:
        hour = BEGIN + chance.randrange(DAYS * 24) * 3600
        language = chance.choice(["en", "de", "fr", ""])
        cells.add(
            (hour, chance.choice(BRANDS), chance.choice(PLATFORMS), chance.choice(COUNTRIES), "",
             language, chance.choice(LABELS))
        )  # fmt: skip
    at = [BEGIN + chance.randrange(DAYS * 86_400) for _ in range(MENTIONS)]
    with store.write() as db:
        db.executemany("INSERT INTO counts VALUES (?, ?, ?, ?, ?, ?, ?, 2, 0)", sorted(cells))
        db.executemany(
            "INSERT INTO posts (key, platform, native_id, source, text, created_at, seen_at, thread, "
            "digest) VALUES (?, 'x', ?, 's', 'some words of a post', ?, ?, ?, x'00')",
            ((f"x:{i}", str(i), t, t, f"t{i}") for i, t in enumerate(at)),
        )
        db.executemany(
            "INSERT INTO mentions (key, brand, platform, created_at, hour, seen_at, keyword, variant, "
            "kind, span_start, span_end, match_score, rules, country, basis, label, judged_at, theme) "
            "VALUES (?, ?, 'x', ?, ?, ?, 'k', 'v', 'name', 0, 1, 1, 'r', ?, 'tag', ?, 1, ?)",
            (
                (f"x:{i}", BRANDS[i % 10], t, t // 3600 * 3600, t, COUNTRIES[i % 10] or None,
                 LABELS[i % 4], i % 50 if i % 4 == 0 else None)
                for i, t in enumerate(at)
            ),
        )  # fmt: skip
        db.executemany(
            "INSERT INTO cases (key, brand, platform, thread, state, thread_state, published_at, "
            "collected_at, updated_at) VALUES (?, ?, 'x', ?, 'open', ?, ?, ?, 0)",
            ((f"x:{i}", BRANDS[i % 10], f"t{i}", STATES[i % 3], t, t) for i, t in enumerate(at)),
        )
        db.executemany(
            "INSERT INTO themes VALUES (?, ?, 'a theme', ?, ?, 100, '{}')",
            ((i, BRANDS[i % 10], BEGIN, BEGIN) for i in range(1, 50)),
        )


def cost(read: Callable[[], object]) -> float:
    """Milliseconds of processor time, the second and third time."""
    read()
    began = time.process_time()
    read()
    read()
    return (time.process_time() - began) * 500


def main() -> None:
    path = Path(sys.argv[1])
    new = not path.exists()
    store = Store(path)
    if new:
        fill(store)
    week = Filter(since=END - 7 * 86_400)
    weeks = Filter(since=END - 49 * 86_400)
    one = Filter(brands=("b1",), since=END - 7 * 86_400)
    reads: dict[str, Callable[[], object]] = {
        "revision": store.revision,
        "span": store.span,
        "choices": store.choices,
        "status": lambda: store.status(END),
        "counts by hour and label, 7 weeks": lambda: store.counts_by(("hour", "label"), weeks),
        "counts by hour and label, 7 days": lambda: store.counts_by(("hour", "label"), week),
        "counts by country and label, 7 days": lambda: store.counts_by(("country", "label"), week),
        "case_counts, 7 days": lambda: store.case_counts(week),
        "case_counts, 7 days, one brand": lambda: store.case_counts(one),
        "unanswered, 3 of 7 days": lambda: store.unanswered(week, limit=3),
        "unanswered, 500 of 7 days": lambda: store.unanswered(week, limit=500),
        "newest 6 mentions": lambda: store.mentions(week, limit=6),
        "newest 6 mentions, one brand": lambda: store.mentions(one, limit=6),
        "themes by day, 7 days": lambda: themes.by_day(store, week),
    }
    for name, read in reads.items():
        print(f"{name:40} {cost(read):8.1f} ms", flush=True)


if __name__ == "__main__":
    main()
