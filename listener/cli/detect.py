"""``groundswell detect`` and ``groundswell replay``: spikes in a file, and alerts in hindsight."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from listener.cli.common import echo_json, open_config, open_store, print_table
from listener.errors import ConfigError, InputError

if TYPE_CHECKING:
    from listener.config import AlertRule

COLUMNS = ("timestamp", "value")
HOUR = 3600


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
            echo_json(
                {
                    "timestamp": row.timestamp,
                    "value": row.value,
                    "expected": round(row.expected, 3),
                    "score": round(row.score, 6),
                    "spike": row.spike,
                }
            )
        return
    spikes = [row for row in scored if row.spike]
    print_table(
        "",
        ("timestamp", "value", "expected", "score"),
        [(r.timestamp, f"{r.value:g}", f"{r.expected:.1f}", f"{r.score:.3f}") for r in spikes],
    )
    click.echo(f"{len(spikes)} spike{'' if len(spikes) == 1 else 's'} in {len(rows)} rows")


# replay -------------------------------------------------------------------------------------------


def read_rules(path: Path) -> tuple[AlertRule, ...]:
    """Alert rules from a YAML file: a whole keywords.yaml, its ``alerts`` part, or a list of rules.

    Raises ConfigError with one problem a line.
    """
    import yaml
    from pydantic import ValidationError

    from listener import faults
    from listener.config import AlertRule

    try:
        text = path.read_text(encoding="utf-8-sig")
        node, found = yaml.compose(text, faults.Loader), yaml.load(text, faults.Loader)  # noqa: S506 - safe
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not YAML ({str(error).splitlines()[0]})") from error
    at: faults.Path = ()
    for key in ("alerts", "rules"):
        if isinstance(found, dict) and key in found:
            found, at = found[key], (*at, key)
    if not isinstance(found, list) or not found:
        raise ConfigError(f"{path}: no alert rules; write them as under alerts: rules: there")
    rules, problems = [], []
    for number, entry in enumerate(found):
        try:
            rules.append(AlertRule.model_validate(entry))
        except ValidationError as error:
            problems += [
                faults.explain({**e, "loc": (*at, number, *e["loc"])}, node, str(path), AlertRule)
                for e in error.errors()
            ]
    if problems:
        raise ConfigError(f"{path} cannot be followed:", tuple(problems))
    return tuple(rules)


def _moment(name: str, text: str) -> int:
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InputError(
            f"{name} {text!r} is no time; write 2026-03-01 or 2026-03-01T14:00 (UTC)"
        ) from None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())


@click.command(
    epilog="""\b
Examples:
  groundswell replay --from 2026-02-01 --to 2026-03-01
  groundswell replay --from 2026-02-01 --to 2026-03-01 --rules stricter.yaml
  groundswell replay --from 2026-02-01 --to 2026-03-01 --json
"""
)
@click.option("--from", "from_", required=True, help="First moment, such as 2026-02-01 (UTC).")
@click.option("--to", required=True, help="End, not included.")
@click.option("--rules", type=click.Path(path_type=Path), help="Other rules, as YAML.")
@click.option("--all", "everything", is_flag=True, help="Also spikes that the rules hold back.")
@click.option("--json", "as_json", is_flag=True, help="Every decision, one JSON object a line.")
@click.pass_context
def replay(
    ctx: click.Context, from_: str, to: str, rules: Path | None, everything: bool, as_json: bool
) -> None:
    """What the alerts of a past time would have been, beside those that were sent.

    Works from the stored hourly counts with the rules of keywords.yaml, or those of --rules.
    """
    from listener import replay as replays
    from listener import watch

    since, until = _moment("--from", from_), _moment("--to", to)
    if until <= since:
        raise InputError(f"--to {to!r} is not after --from {from_!r}")
    config = open_config(ctx)
    chosen = read_rules(rules) if rules is not None else config.alerts.rules
    with open_store(ctx) as store:
        span = store.span()
        if span is None:
            raise InputError(f"{store.path} has no counts yet: import or collect posts first")
        if since >= span[1] + HOUR or until <= span[0]:
            first_hour, end_hour = (
                datetime.fromtimestamp(t, UTC) for t in (span[0], span[1] + HOUR)
            )
            raise InputError(
                f"nothing is stored of the time from {from_} to {to}, which is not to say that nothing "
                f"happened: {store.path} has counts from {first_hour:%Y-%m-%d %H:%M} to "
                f"{end_hour:%Y-%m-%d %H:%M} UTC"
            )
        begin = max(span[0], since - watch.HISTORY_DAYS * 86400)
        end = min(span[1], until)
        first, series = watch.build_series(
            store.hourly_counts(begin),
            since=begin,
            until=end,
            gaps=store.gaps_by_brand(begin, int(time.time())),
            listening_since=store.listening_since(),
        )
        sent = store.alerts(since, limit=100_000)
    found = replays.replay(
        first, series, chosen, sent, since=since, until=until,
        own=[b.name for b in config.brands if not b.competitor], groups=config.regions,
    )  # fmt: skip
    if as_json:
        for row in found:
            echo_json(asdict(row))
        return
    shown = [row for row in found if everything or row.verdict != "held"]
    columns = "when (UTC),brand,region,kind,posts,usual,rule,channel,verdict,why"
    print_table(
        "",
        columns.split(","),
        [
            (
                f"{datetime.fromtimestamp(row.at, UTC):%Y-%m-%d %H:%M}",
                row.brand, row.region, row.kind, f"{row.posts:.0f}", f"{row.expected:.0f}",
                row.rule, row.channel, row.verdict, row.why,
            )
            for row in shown
        ],
    )  # fmt: skip
    tally = {name: sum(row.verdict == name for row in found) for name in
             ("both", "only replay", "only sent", "held")}  # fmt: skip
    click.echo(
        f"{tally['both'] + tally['only replay']} alerts by these rules, {tally['both']} of them were"
        f" sent; {tally['only sent']} were sent that these rules would not send;"
        f" {tally['held']} spikes held back"
    )
