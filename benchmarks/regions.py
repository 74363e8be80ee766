"""How well and how fast profile locations are resolved, beside Carmen on the same labelled list.

    python benchmarks/regions.py [--carmen PYTHON] [--write]

Reads the hand labels in tests/listener/data and, where it is there, ../shared/data. ``--carmen`` names
the Python of an environment that has the ``carmen`` package, which we do not depend on. ``--write``
keeps the figures in benchmarks/regions.md. Speeds are of one core's CPU time.
"""

from __future__ import annotations

import argparse
import csv
import json
import platform
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from listener import profiles, readings, regions
from listener.gazetteer import gazetteer

ROOT = Path(__file__).resolve().parents[1]
LABELS = ROOT / "tests" / "listener" / "data" / "locations_labelled.tsv"
FRESH = ROOT / "tests" / "listener" / "data" / "locations_fresh.tsv"
SHARED = ROOT.parent / "shared" / "data"

CARMEN = """
import json, sys, warnings
warnings.simplefilter("ignore")
import carmen
resolver = carmen.get_resolver(order=("profile",))
resolver.load_locations()
for line in sys.stdin:
    found = resolver.resolve_tweet({"user": {"location": json.loads(line)}})
    print(json.dumps(found[1].country if found else None))
"""
# Carmen answers with names; those that GeoNames spells otherwise.
CARMEN_NAMES = {"Netherlands": "The Netherlands", "Czech Republic": "Czechia"}


def labels(path: Path) -> list[tuple[str, str, str]]:
    """(split, country or "", text) of each labelled location."""
    lines = [x for x in path.read_text(encoding="utf-8").splitlines() if not x.startswith("#")]
    rows = [line.split("\t") for line in lines[1:]]
    return [(row[0], row[1], row[-1]) for row in rows]


def figures(rows: list[tuple[str, str, str]], answer: Callable[[str], str | None]) -> str:
    named = [(country, answer(text)) for _, country, text in rows if country]
    none = [answer(text) for _, country, text in rows if not country]
    right = sum(said == country for country, said in named)
    told = sum(said is not None for _, said in named)
    false = sum(said is not None for said in none)
    return (
        f"{right}/{len(named)} = {right / len(named):.1%} | {told / len(named):.1%} | "
        f"{false}/{len(none)} = {false / len(none):.1%}"
    )


def carmen_answers(python: str, texts: list[str]) -> dict[str, str | None]:
    lines = "\n".join(json.dumps(text) for text in texts) + "\n"
    done = subprocess.run(
        [python, "-c", CARMEN], input=lines, capture_output=True, text=True, check=True
    )
    codes = {name: code for code, name in gazetteer().countries.items()}
    answers = []
    for line in done.stdout.splitlines():
        name = json.loads(line)
        name = CARMEN_NAMES.get(name, name)
        answers.append(codes.get(name, name))
    return dict(zip(texts, answers, strict=True))


def clear() -> None:
    profiles.locate_profile.cache_clear()
    readings.named.cache_clear()


def speeds(texts: list[str]) -> list[str]:
    """Locations a second of CPU time: no cache of texts or names, then all in the cache."""
    regions.locate(texts[0])
    out = []
    for name in ("cold", "cold again", "warm", "warm again"):
        if name.startswith("cold"):
            clear()
        start = time.process_time()
        for text in texts:
            regions.locate(text)
        spent = time.process_time() - start
        out.append(f"| {name} | {len(texts) / spent:,.0f} |")
    return out


def opening() -> str:
    """Seconds of CPU time until the first answer, and the memory of the process, in a fresh one."""
    code = (
        "import time, resource; s = time.process_time(); from listener.regions import locate; "
        "locate('Lisbn, Portugall'); e = time.process_time() - s; "
        "print(f'{e:.2f} s, {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return done.stdout.strip()


def calibration(rows: list[tuple[str, str, str]]) -> list[str]:
    out = ["| stated confidence | answers | right |", "| --- | --- | --- |"]
    bins: dict[str, list[bool]] = {"below 0.6": [], "0.6 to 0.8": [], "0.8 and more": []}
    for _, country, text in rows:
        place = regions.locate(text)
        if place.country:
            key = list(bins)[(place.confidence >= 0.6) + (place.confidence >= 0.8)]
            bins[key].append(place.country == country)
    out += [
        f"| {key} | {len(hits)} | {sum(hits) / len(hits):.1%} |"
        for key, hits in bins.items()
        if hits
    ]
    return out


def airline() -> list[str]:
    """The basis on which the airline posts are placed: every row with all of its signs."""
    with (SHARED / "airline" / "tweets.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    basis: Counter[str] = Counter()
    agree: dict[str, list[bool]] = {"coordinates": [], "time zone": []}
    for row in rows:
        spot = row["tweet_coord"].strip("[]").split(",")
        point = (float(spot[0]), float(spot[1])) if len(spot) == 2 else None
        place = regions.locate(
            row["tweet_location"], coordinates=point, time_zone=row["user_timezone"], language="en"
        )
        basis[place.basis] += 1
        profile = regions.locate(row["tweet_location"]).country
        spot_says = regions.locate(coordinates=point).country
        zone_says = regions.locate(time_zone=row["user_timezone"]).country
        for name, says in (("coordinates", spot_says), ("time zone", zone_says)):
            if says and profile:
                agree[name].append(says == profile)
    pairs = [
        f"| {name} | {len(hits)} | {sum(hits) / len(hits):.1%} |" for name, hits in agree.items()
    ]
    table = ["| basis | posts | share |", "| --- | --- | --- |"] + [
        f"| {name} | {count} | {count / len(rows):.1%} |" for name, count in basis.most_common()
    ]
    head = ["", "How often another sign names the country that the profile names:", ""]
    return [
        *table,
        *head,
        "| sign | posts with both | same country |",
        "| --- | --- | --- |",
        *pairs,
    ]


def report(carmen: str | None) -> str:
    rows, fresh = labels(LABELS), labels(FRESH)
    head = "| list | right, of those that name one | answered | false, of those that name none |"
    out = ["# Regions", "", "Made by `python benchmarks/regions.py --carmen … --write`.", ""]
    out += ["The rules have been mended since these lists were first run, by what they showed:", ""]
    out[-1] = "what was right at first sight, the honest measure, is in `docs/regions.md`."
    out += ["", head]
    out.append("| --- | --- | --- | --- |")
    lists = {split: [r for r in rows if r[0] == split] for split in ("tune", "report")}
    lists["all 200"], lists["late check"] = rows, fresh
    for name, part in lists.items():
        out.append(f"| {name} | {figures(part, lambda text: regions.locate(text).country)} |")
    if carmen:
        said = carmen_answers(carmen, [text for _, _, text in rows + fresh])
        out += [
            f"| Carmen 2.0.0, {name} | {figures(lists[name], said.__getitem__)} |"
            for name in ("all 200", "late check")
        ]
    out += ["", "## Confidence", "", *calibration(rows + fresh)]
    if SHARED.is_dir():
        text = (SHARED / "locations" / "locations.txt").read_text(encoding="utf-8")
        out += ["", "## Speed", "", "Distinct locations a second, one core.", ""]
        out += ["| cache | locations/s |", "| --- | --- |", *speeds(text.splitlines())]
        out += ["", f"First answer in a fresh process, imports and index: {opening()}."]
        out += ["", "## Airline posts", "", *airline()]
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    out += ["", f"{machine}; peak memory of this benchmark {used:.0f} MiB.", ""]
    return "\n".join(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--carmen", metavar="PYTHON", help="a Python that has carmen installed")
    parser.add_argument("--write", action="store_true", help="keep the figures")
    options = parser.parse_args()
    text = report(options.carmen)
    print(text)
    if options.write:
        (ROOT / "benchmarks" / "regions.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
