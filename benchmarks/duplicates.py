"""How well and how fast near-duplicates are grouped.

    python benchmarks/duplicates.py [--stream 1000000] [--no-save]

Real posts of ../shared/data (made ones where absent) are copied with random edits (letters changed,
dropped, added) of 0 to 10 %, and of exactly 10 %, of their characters; counted are the copies that join
their original's group. Then different posts are added, and the pairs that come together are counted
among all pairs there are. Last, a stream runs through, and memory is read at its quarters. Texts of
under 12 letters are left out; those of 12 to 24 are never grouped and count against the copies.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from matching import real_posts

from listener.duplicates import Grouper, core

OUT = Path(__file__).with_suffix(".json")
SHORTEST = 12  # letters; the grouper's own limit is higher, and what lies between counts against it
LETTERS = "abcdefghijklmnopqrstuvwxyz "


def edited(text: str, share: float, rng: random.Random) -> str:
    chars = list(text)
    for _ in range(int(len(chars) * share)):
        i = rng.randrange(len(chars))
        how = rng.randrange(3)
        if how == 0:
            chars[i] = rng.choice(LETTERS)
        elif how == 1 and len(chars) > 1:
            del chars[i]
        else:
            chars.insert(i, rng.choice(LETTERS))
    return "".join(chars)


def copies(posts: list[str], share: float | None) -> float:
    """The share of copies that join their original; ``share`` None stands for 0 to 10 %, evenly."""
    rng = random.Random(4)
    grouper = Grouper(window=len(posts) * 2)
    home = [grouper.add(str(i), p) for i, p in enumerate(posts)]
    right = 0
    for i, post in enumerate(posts):
        edits = rng.uniform(0, 0.10) if share is None else share
        right += grouper.add(f"copy{i}", edited(post, edits, rng)) == home[i]
    return right / len(posts)


def unrelated(posts: list[str]) -> tuple[float, int]:
    """The share of pairs of different posts that come together, and how many posts are in such."""
    grouper = Grouper(window=len(posts))
    groups: dict[str, int] = {}
    for i, post in enumerate(posts):
        group = grouper.add(str(i), post)
        groups[group] = groups.get(group, 0) + 1
    together = sum(n * (n - 1) // 2 for n in groups.values())
    return together / (len(posts) * (len(posts) - 1) / 2), sum(n for n in groups.values() if n > 1)


def memory() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def stream(posts: list[str], count: int) -> dict[str, Any]:
    rng = random.Random(5)
    words = sorted({w for p in posts[:20_000] for w in p.split()})
    grouper = Grouper()
    start, marks = time.process_time(), []
    for i in range(count):
        made = " ".join(rng.choices(words, k=15))
        grouper.add(str(i), made if i % 10 else posts[rng.randrange(len(posts))])
        if i % (count // 4) == count // 4 - 1:
            marks.append(round(memory(), 1))
    seconds = time.process_time() - start
    return {"posts": count, "posts_s": round(count / seconds), "memory_mb_at_quarters": marks}


def main() -> None:
    parser = argparse.ArgumentParser(description="near-duplicates")
    parser.add_argument("--stream", type=int, default=1_000_000)
    parser.add_argument("--no-save", action="store_true")
    asked = parser.parse_args()
    posts, source = real_posts(60_000)
    posts = [p for p in dict.fromkeys(posts) if len(core(p)) >= SHORTEST]
    pairs, joined = unrelated(posts[:20_000])
    result: dict[str, Any] = {
        "source": source,
        "copies_grouped_0_to_10_percent": round(copies(posts[:5000], None), 4),
        "copies_grouped_at_10_percent": round(copies(posts[:5000], 0.10), 4),
        "unrelated_pairs_grouped": pairs,
        "posts_of_20000_that_joined_another": joined,
        "stream": stream(posts, asked.stream),
    }
    print(json.dumps(result, indent=2))
    if not asked.no_save:
        OUT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
