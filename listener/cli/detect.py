"""``groundswell detect`` and ``groundswell replay``: spikes in a file, and alerts in hindsight."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from pathlib import Path

import click

from listener.errors import InputError

COLUMNS = ("timestamp", "value")


def read_series(path: Path) -> Iterator[tuple[str, float]]:
    """The rows of a CSV with the columns ``timestamp`` and ``value``; others are ignored.

    Raises InputError that names the file, the line and the column at fault.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:
            reader = csv.reader(handle)
            header = [name.strip().lower() for name in next(reader, [])]
            missing = [name for name in COLUMNS if name not in header]
            if missing:
                raise InputError(
                    f"{path}, line 1: no column {' and no column '.join(map(repr, missing))}; found"
                    f" {', '.join(map(repr, header)) or 'nothing'}. The first line must name the"
                    " columns timestamp and value."
                )
            places = [header.index(name) for name in COLUMNS]
            for row in reader:
                if row:
                    yield _row(path, reader.line_num, row, places)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: not UTF-8 text ({error.reason} at byte {error.start})"
        ) from error
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: not CSV ({error})") from error


def _row(path: Path, line: int, row: list[str], places: list[int]) -> tuple[str, float]:
    if len(row) <= max(places):
        missing = COLUMNS[0] if len(row) <= places[0] else COLUMNS[1]
        raise InputError(f"{path}, line {line}: column {missing!r} is missing; {len(row)} found")
    stamp, text = (row[place].strip() for place in places)
    if not stamp:
        raise InputError(f"{path}, line {line}, column 'timestamp': empty")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(
            f"{path}, line {line}, column 'value': {text[:40]!r} is not a number; write a count,"
            " such as 12"
        )
    return stamp, value


@click.command(
    epilog="""\b
Examples:
  groundswell detect counts.csv            the spikes, as a table
  groundswell detect counts.csv --json     every row with its score, one JSON object a line
"""
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Every row, one JSON object a line.")
def detect(file: Path, as_json: bool) -> None:
    """Find spikes in FILE, a CSV of counts over time with the columns timestamp and value.

    Works through the file once, as if live: a row is judged by it and the rows before it alone.
    """
    from sentiment.anomaly import score_series

    rows = list(read_series(file))
    scored = score_series((stamp for stamp, _ in rows), (value for _, value in rows))
    if as_json:
        for row in scored:
            click.echo(
                json.dumps(
                    {
                        "timestamp": row.timestamp,
                        "value": row.value,
                        "expected": round(row.expected, 3),
                        "score": round(row.score, 6),
                        "spike": row.spike,
                    },
                    ensure_ascii=False,
                )
            )
        return
    from rich.console import Console
    from rich.table import Table

    spikes = [row for row in scored if row.spike]
    table = Table("timestamp", "value", "expected", "score")
    for row in spikes:
        table.add_row(
            str(row.timestamp), f"{row.value:g}", f"{row.expected:.1f}", f"{row.score:.3f}"
        )
    console = Console()
    console.print(table)
    console.print(f"{len(spikes)} spike{'' if len(spikes) == 1 else 's'} in {len(rows)} rows")
