"""``groundswell locate``: profile locations in, places out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import click

from listener.cli.common import unicode_output
from listener.mention import Place

EPILOG = """\b
Examples:
  echo "NYC ✈ Mumbai" | groundswell locate
  groundswell locate --json < locations.txt
  groundswell locate --json < locations.txt | grep -c '"country": null'

\b
With --json each line has:
  country      ISO alpha-2 code, or null where the text names no place
  region       first-level division (a state, a province), or null
  basis        "profile" or "unknown"
  confidence   our belief in the country, 0 to 1
"""


@click.command(epilog=EPILOG)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, in input order.")
def locate(as_json: bool) -> None:
    """Say where profile locations are.

    Reads standard input, one location a line; a blank line is a location that says nothing. Of
    several places in one text the first counts, with a lower confidence.
    """
    from listener.regions import locate as place_of

    if not as_json:
        _table([(line, place_of(line)) for line in _lines()])
        return
    out = sys.stdout
    for line in _lines():
        place = place_of(line)
        record = {
            "country": place.country,
            "region": place.region,
            "basis": place.basis,
            "confidence": round(place.confidence, 3),
        }
        out.write(json.dumps(record, ensure_ascii=not unicode_output()) + "\n")


def _lines() -> Iterator[str]:
    for raw in sys.stdin.buffer:
        yield raw.decode("utf-8", errors="replace").removesuffix("\n").removesuffix("\r")


def _table(rows: list[tuple[str, Place]]) -> None:
    from listener.cli.common import print_table
    from listener.regions import country_name

    print_table(
        "",
        ("location", "country", "region", "basis", "confidence"),
        [
            (
                line,
                country_name(place.country) if place.country else "unknown",
                place.region or "",
                place.basis,
                f"{place.confidence:.2f}" if place.country else "",
            )
            for line, place in rows
        ],
    )
