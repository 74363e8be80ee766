"""``groundswell locate``: profile locations in, places out."""

from __future__ import annotations

import json
import sys

import click

EPILOG = """\b
Examples:
  echo "NYC" | groundswell locate
  groundswell locate --json < locations.txt
"""


@click.command(epilog=EPILOG)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, in input order.")
def locate(as_json: bool) -> None:
    """Say where profile locations are: one location a line on standard input."""
    from listener import regions

    raw = sys.stdin.buffer.read().decode("utf-8", errors="replace")
    lines = raw.removesuffix("\n").split("\n") if raw else []
    places = [regions.locate(line.removesuffix("\r")) for line in lines]
    if as_json:
        for place in places:
            record = {
                "country": place.country,
                "region": place.region,
                "basis": place.basis,
                "confidence": round(place.confidence, 3),
            }
            click.echo(json.dumps(record, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("location", "country", "region", "basis", "confidence")
    for line, place in zip(lines, places, strict=True):
        where = regions.country_name(place.country) if place.country else "unknown"
        table.add_row(
            escape(line), where, place.region or "", place.basis, f"{place.confidence:.2f}"
        )
    Console().print(table)
