"""How fast posts are matched: ours beside the raw automaton, flashtext and Python's ``re``, in one run.

    python benchmarks/matching.py [--posts 60000] [--repeat 2] [--no-save]

Posts are the real ones of ../shared/data (airline, support threads, English sentiment), or made ones
where that folder is absent. Names are 2,000 and 20,000 words of Zipf 1.5 to 3.2 from wordfreq (as rare
as brands are, so that some are hit), each with 50 misspellings by random edits that give no word. Ours
does all it does in use: folding, boundaries, hashtags, links, scores. Rates are posts per second of
processor time on one core; "cold" is the first pass, in which every new word is judged once, "warm" a
later one.
"""

from __future__ import annotations

import argparse
import csv
import json
import platform
import random
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ahocorasick_rs
import wordfreq

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from listener.matching import BrandTerms, Matcher
from listener.misspellings import variants

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
OUT = Path(__file__).with_suffix(".json")
SMALL, LARGE, EACH = 2_000, 20_000, 50


def real_posts(limit: int) -> tuple[list[str], str]:
    """Posts and where they come from."""
    posts: list[str] = []
    if SHARED.is_dir():
        for path in ("airline/tweets.csv", "support_threads/twcs_head.csv"):
            with (SHARED / path).open(newline="", encoding="utf-8") as file:
                posts += [row["text"] for row in csv.DictReader(file) if row["text"]]
        for line in (SHARED / "sentiment/english/train.tsv").read_text("utf-8").split("\n")[1:]:
            posts += line.split("\t", 1)[1:]
        random.Random(1).shuffle(posts)
        return posts[:limit], "../shared/data: airline, support_threads, sentiment/english"
    rng = random.Random(1)
    words = wordfreq.top_n_list("en", 20_000)
    weights = [1 / (i + 10) for i in range(len(words))]
    posts = [" ".join(rng.choices(words, weights, k=18)) for _ in range(limit)]
    return posts, "made of frequent English words"


def names(count: int) -> list[str]:
    found = [
        w
        for w, f in wordfreq.get_frequency_dict("en", wordlist="best").items()
        if 10**-7.5 < f < 10**-5.8 and w.isascii() and w.isalpha() and 5 <= len(w) <= 11
    ]
    return random.Random(2).sample(found, count)


def wrong(name: str, rng: random.Random) -> list[str]:
    """Misspellings by random edits; none that is a word, as no list of misspellings would hold one."""
    known = wordfreq.get_frequency_dict("en", wordlist="best")
    out: set[str] = set()
    while len(out) < EACH:
        word = name
        for _ in range(rng.choice((1, 1, 2))):
            i = rng.randrange(len(word))
            letter = rng.choice("abcdefghijklmnopqrstuvwxyz")
            word = rng.choice(
                (
                    word[:i] + word[i + 1 :],
                    word[:i] + letter + word[i:],
                    word[:i] + letter + word[i + 1 :],
                )
            )
        if len(word) > 3 and word != name and word not in known:
            out.add(word)
    return sorted(out)


def rate(run: Callable[[Sequence[str]], object], posts: Sequence[str]) -> float:
    start = time.process_time()
    run(posts)
    return len(posts) / (time.process_time() - start)


def ours(count: int, posts: Sequence[str], repeat: int, *, auto: bool) -> dict[str, Any]:
    rng = random.Random(3)
    chosen = names(count)
    brands = [
        BrandTerms(n, (n,), misspellings=() if auto else tuple(wrong(n, rng)), auto=auto)
        for n in chosen
    ]
    start = time.process_time()
    matcher = Matcher(brands)
    built = time.process_time() - start
    cold = rate(matcher.match_many, posts)
    warm = max(rate(matcher.match_many, posts) for _ in range(repeat))
    hits = sum(bool(m) for m in matcher.match_many(posts))
    return {
        "brands": count, "patterns": len(matcher), "judges_unforeseen_words": auto,
        "build_s": round(built, 2), "cold_posts_s": round(cold), "warm_posts_s": round(warm),
        "posts_matched": hits,
    }  # fmt: skip


def rivals(posts: Sequence[str], repeat: int) -> dict[str, Any]:
    rng = random.Random(3)
    patterns = [w for n in names(SMALL) for w in (n, *wrong(n, rng))]
    out: dict[str, Any] = {"patterns": len(patterns)}
    automaton = ahocorasick_rs.AhoCorasick(patterns)
    low = [p.lower() for p in posts]
    out["raw_automaton_posts_s"] = round(
        max(
            rate(lambda ps: [automaton.find_matches_as_indexes(p) for p in ps], low)
            for _ in range(repeat)
        )
    )
    try:
        from flashtext import KeywordProcessor
    except ImportError:
        out["flashtext_posts_s"] = None
    else:
        processor = KeywordProcessor()
        for p in patterns:
            processor.add_keyword(p)
        some = posts[: len(posts) // 3]
        out["flashtext_posts_s"] = round(
            rate(lambda ps: [processor.extract_keywords(p) for p in ps], some)
        )
    few = patterns[: len(patterns) // 50]
    expression = re.compile(r"\b(?:" + "|".join(map(re.escape, few)) + r")\b", re.IGNORECASE)
    some = posts[:1500]
    out["re_posts_s_at_a_fiftieth"] = round(
        rate(lambda ps: [expression.findall(p) for p in ps], some)
    )
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--posts", type=int, default=60_000)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--no-save", action="store_true")
    asked = parser.parse_args()
    posts, source = real_posts(asked.posts)
    variants("warm")
    some = names(40)
    start = time.process_time()
    for name in some:
        variants(name)
    generating = (time.process_time() - start) / len(some)
    result: dict[str, Any] = {
        "machine": f"{platform.machine()}, one core, Python {platform.python_version()}",
        "posts": len(posts),
        "source": source,
        "ours": [
            ours(SMALL, posts, asked.repeat, auto=False),
            ours(SMALL, posts, asked.repeat, auto=True),
            ours(LARGE, posts, asked.repeat, auto=False),
        ],
        "rivals": rivals(posts, asked.repeat),
        "variants_ms_a_name": round(generating * 1000, 1),
    }
    base = result["ours"][0]["warm_posts_s"]
    for key, value in list(result["rivals"].items()):
        if key != "patterns" and value:
            result["rivals"][f"ours_over_{key.split('_posts')[0]}"] = round(base / value, 2)
    print(json.dumps(result, indent=2))
    if not asked.no_save:
        OUT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
