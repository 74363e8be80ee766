"""Import with matching, without scoring: posts a second and peak memory as the file grows.

    python benchmarks/importing.py [--rows 10000 100000 1000000]

Each size is a fresh file of made-up posts (a fixed seed), imported by a fresh process into a fresh
database. The claim: at least 10,000 posts/s, and peak memory under 300 MB whatever the rows.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

WORDS = (  # noqa: SIM905 - prose reads better than forty quotes
    "delayed late crew bag gate refund thanks love great worst hours waiting phone app seat help "
    "please flight today again never always team support new best order parcel when why what"
).split()
KEYWORDS = """
brands:
  - {name: Northwind, handles: {x: [northwind]}, misspellings: [auto]}
  - {name: Fabrikam, handles: {x: [fabrikam]}, misspellings: [auto]}
"""
CHILD = """
import json, resource, sys, time
from listener.cli.operate import _import_file
from listener.collectors.files import FilesOptions
from listener.config import load_config
from listener.pipeline import Pipeline
from listener.store import Store

file, config, db = sys.argv[1:]
store = Store(db)
pipeline = Pipeline(store, load_config(config))
pipeline.matcher
began, cpu = time.perf_counter(), time.process_time()
counts, _ = _import_file(pipeline, FilesOptions(path=file), None, show=False)
print(json.dumps({
    **counts, "seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu,
    "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
}))
"""


def write_posts(path: Path, rows: int) -> None:
    """A CSV of ``rows`` posts: a third name a brand by handle, name or misspelling."""
    rng = random.Random(7)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    names = ("@northwind", "Northwind", "nothwind", "@fabrikam", "fabricam", "Fabrikam")
    with path.open("w", newline="", encoding="utf-8") as handle:
        out = csv.writer(handle)
        out.writerow(("tweet_id", "text", "created_at", "username", "location", "in_reply_to"))
        for n in range(rows):
            words = rng.choices(WORDS, k=rng.randint(6, 24))
            if n % 3 == 0:
                words.insert(rng.randrange(len(words)), rng.choice(names))
            parent = 10_000_000_000_000 + rng.randrange(max(1, n)) if n % 5 == 0 else ""
            out.writerow(
                (
                    10_000_000_000_000 + n,
                    " ".join(words),
                    (start + timedelta(seconds=3 * n)).isoformat(),
                    f"user{rng.randrange(50_000)}",
                    rng.choice(("Berlin", "NYC", "", "Lagos", "São Paulo")),
                    parent,
                )
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    arguments = parser.parse_args()
    print(f"{'rows':>10} {'posts/s':>10} {'posts/cpu s':>12} {'peak MB':>9} {'stored':>10}")
    for rows in arguments.rows:
        with tempfile.TemporaryDirectory() as folder:
            file, config = Path(folder) / "posts.csv", Path(folder) / "keywords.yaml"
            write_posts(file, rows)
            config.write_text(KEYWORDS)
            out = subprocess.run(
                [sys.executable, "-c", CHILD, str(file), str(config), f"{folder}/b.db"],
                check=True, capture_output=True, text=True,
            )  # fmt: skip
            found = json.loads(out.stdout)
            print(
                f"{rows:>10,} {found['read'] / found['seconds']:>10,.0f} "
                f"{found['read'] / found['cpu_seconds']:>12,.0f} {found['peak_mb']:>9,.0f} "
                f"{found['stored']:>10,}",
                flush=True,
            )


if __name__ == "__main__":
    began = time.perf_counter()
    main()
    print(f"done in {time.perf_counter() - began:.0f} s")
