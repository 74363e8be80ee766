"""``queries``, ``coverage`` and ``backfill``: what is asked of the platforms, and what they gave."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from listener.cli.common import (
    ago,
    db_path,
    echo_json,
    known_only,
    open_config,
    open_store,
    print_table,
    progress,
    shown,
)
from listener.errors import CollectorError, ConfigError, GroundswellError

if TYPE_CHECKING:
    from listener.collectors import Collector
    from listener.config import Config, Source
    from listener.coverage import Summary
    from listener.mention import Query
    from listener.pipeline import Pipeline


BACKFILLED = ("source", "query", "pages", "new", "known", "usd", "state")  # columns, in order


def _pipeline(config: Config, path: str = ":memory:") -> Pipeline:
    from listener.config import load_secrets
    from listener.pipeline import Pipeline
    from listener.store import Store

    return Pipeline(Store(path), config, secrets=load_secrets())


def _chosen(config: Config, names: str | None) -> list[Source]:
    """The sources that are named, or all enabled ones; ConfigError lists those there are."""
    if not names:
        return [s for s in config.sources if s.enabled]
    known = {s.name: s for s in config.sources}
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    missing = [name for name in wanted if name not in known]
    if missing:
        raise ConfigError(
            f"no source is called {', '.join(missing)}; keywords.yaml has: {', '.join(known)}"
        )
    return [known[name] for name in wanted]


# queries ------------------------------------------------------------------------------------------


@click.command(
    epilog="""\b
Examples:
  groundswell queries
  groundswell queries --source x --live     # asks X how many posts there are a day ($0.005 a query)
  groundswell queries --json | jq '.left_out'"""
)
@click.option("--source", "names", default=None, help="Only these sources, by name: x,bluesky.")
@click.option("--live", is_flag=True, help="Ask the platform how much there is, where it says so.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def queries(ctx: click.Context, names: str | None, live: bool, as_json: bool) -> None:
    """Print each query as the platform gets it, what it covers and what it costs a day.

    Names come first, then your own misspellings, then the generated ones from the likeliest down;
    what did not fit within the platform's limits is listed below.
    """
    from listener.collectors import load
    from listener.collectors.packing import pack

    config = open_config(ctx)
    pipeline = _pipeline(config)
    terms = [b.terms() for b in config.all_brands()]
    rows, left_out = [], []
    for source in _chosen(config, names):
        found = load(source.platform)
        options = found.options.model_validate(source.own_options())
        packed, left = pack(terms, found, options)
        collector = pipeline.collector(source) if live else None
        rows += [_query_row(source, found, query, collector) for query in packed]
        left_out += [{"source": source.name, "left_out": line} for line in left]
    if as_json:
        echo_json({"queries": rows, "left_out": left_out})
        return
    for row in rows:
        click.secho(f"{row['source']}  {row['name']}", bold=True)
        click.echo(f"  {row['text']}")
        figures = [f"{row['length']} characters", f"{row['requests_per_day']:,.0f} requests a day"]
        if row["posts_per_day"] is not None:
            figures.append(f"about {row['posts_per_day']:,.0f} posts a day")
        if row["usd_per_day"] is not None:
            figures.append(f"about ${row['usd_per_day']:.2f} a day")
        click.secho("  " + ", ".join(figures), dim=True)
    for line in left_out:
        click.echo(f"{line['source']}: {line['left_out']}")


def _query_row(
    source: Source, found: type[Collector], query: Query, collector: Collector | None
) -> dict[str, Any]:
    text = found.query_text(query)
    per_day: float | None = None
    usd: float | None = None
    ask = getattr(collector, "posts_per_day", None)
    if ask is not None and (per_day := ask(query)) is not None:
        usd = per_day * getattr(collector, "price_of_post", 0.0)
    return {
        "source": source.name,
        "platform": source.platform,
        "name": query.name,
        "text": text,
        "length": len(text),
        "brands": list(query.brands),
        "covers": [*query.terms, *query.handles, *query.hashtags],
        "requests_per_day": 86_400 / source.every,
        "posts_per_day": per_day,
        "usd_per_day": usd,
    }


# coverage -----------------------------------------------------------------------------------------


@click.command(
    epilog="""\b
Examples:
  groundswell coverage
  groundswell coverage --since 1d --source x
  groundswell coverage --json"""
)
@click.option("--since", default="7d", show_default=True, help="How far back: 90m, 12h, 7d.")
@click.option("--source", "names", default=None, help="Only these sources, by name.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def coverage(ctx: click.Context, since: str, names: str | None, as_json: bool) -> None:
    """What each source was asked and what it returned: holes, limits, failures, lag and price.

    "Cut" counts pages where the platform had more than it gave; what they left out is missing here.
    A source whose requests succeed but bring nothing new, against its habit, is named below.
    """
    from listener import coverage as ledger
    from listener.config import seconds

    try:
        span = seconds(since)
    except ValueError as error:
        raise ConfigError(f"--since {since!r} {error}") from error
    now = int(time.time())
    with open_store(ctx) as store:
        rows = store.coverage(since=now - max(span, 21 * 86_400), limit=1_000_000)
        health = store.health()
    if names:
        wanted = {name.strip() for name in names.split(",") if name.strip()}
        asked = {row["source"] for row in health}
        with suppress(ConfigError):  # looking at what was asked needs no keywords.yaml
            asked |= {source.name for source in open_config(ctx).sources}
        known_only("source", sorted(wanted), asked)
        rows = [row for row in rows if row["source"] in wanted]
    found = ledger.summarise(row for row in rows if row["at"] >= now - span)
    quiet = ledger.silences(rows, now)
    if as_json:
        echo_json(
            {
                "since": now - span,
                "sources": [asdict(one) for one in found],
                "quiet": [{**asdict(one), "message": str(one)} for one in quiet],
            }
        )
        return
    if not found:
        click.echo(f"nothing was asked in the last {since}: `groundswell run` listens")
        return
    print_table(
        f"The last {since}",
        ["source", "query", "asked", "new", "holes", "lag", "cost"],
        [
            [
                s.source, s.query, s.requests, s.new, _holes(s),
                "" if s.lag is None else ago(s.lag),
                "" if not s.usd else f"${s.usd:.2f}, ${s.usd_per_new or 0:.4f} a new post",
            ]
            for s in found
        ],
    )  # fmt: skip
    for one in found:
        if one.last_failure and (one.last_ok is None or one.failed):
            click.echo(f"{one.source} / {one.query}: last failure: {shown(one.last_failure)}")
    for silence in quiet:
        click.secho(f"quiet: {silence}", fg="yellow")


def _holes(one: Summary) -> str:
    """What is missing or was not asked, in words; empty when all was well."""
    counts = (
        (one.truncated, "cut"),
        (one.limited, "limited"),
        (one.failed - one.limited, "failed"),
        (one.rejected, "kept aside"),
    )
    return ", ".join(f"{number} {what}" for number, what in counts if number > 0) or "none"


# backfill -----------------------------------------------------------------------------------------


@click.command(
    epilog="""\b
Examples:
  groundswell backfill --since 2026-01-01 --source hackernews
  groundswell backfill --since 2026-01-01 --source x,bluesky
  groundswell backfill --since 2026-01-01 --source x --yes    # within the budget, unasked"""
)
@click.option(
    "--since", required=True, type=click.DateTime(["%Y-%m-%d"]), help="The first day, UTC."
)
@click.option("--source", "names", default=None, help="Sources by name; otherwise all that can.")
@click.option("--yes", is_flag=True, help="Do not ask before money is spent.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object at the end.")
@click.pass_context
def backfill(
    ctx: click.Context, since: datetime, names: str | None, yes: bool, as_json: bool
) -> None:
    """Collect past posts back to a day; a run that is cut short goes on where it stood.

    Budgets hold here as well: when one is used up, the same command goes on after it renews. A source,
    or a host of it, that wants to be left alone is left out, with the time until then.
    """
    from listener.store import RunLock

    start = since.replace(tzinfo=UTC)
    if start >= datetime.now(UTC):
        raise ConfigError(f"--since {start:%Y-%m-%d} lies ahead; name a day that has been")
    config = open_config(ctx)
    open_store(ctx, create=True).close()
    pipeline = _pipeline(config, db_path(ctx))
    done: list[dict[str, Any]] = []
    with pipeline.store, RunLock(pipeline.store.path):
        pipeline.release(platforms=False)  # a budget may have been raised, a secret mended
        for source in _chosen(config, names):
            collector = pipeline.collector(source)
            planned = pipeline.queries(source)
            if pipeline.why_not(source) is None and not _agreed(
                collector, source, planned, start, yes
            ):
                continue
            for query in planned:
                row = _backfill(pipeline, collector, source, query, start, skip=names is None)
                if row is not None:
                    done.append(row)
    if as_json:
        echo_json({"since": start.isoformat(), "backfilled": done})
    else:
        print_table(
            f"Since {start:%Y-%m-%d}",
            ["source", "query", "pages", "new", "seen before", "$", "state"],
            [
                [r[k] for k in ("source", "query", "pages", "new", "known", "usd", "state")]
                for r in done
            ],
        )
    unfinished = [r for r in done if not r["complete"]]
    if unfinished:
        raise GroundswellError(
            f"{len(unfinished)} of {len(done)} queries are not complete yet; the same command goes on "
            "where they stand"
        )


def _agreed(
    collector: Collector, source: Source, queries: list[Query], since: datetime, yes: bool
) -> bool:
    """Tell what it may cost, and ask before money is spent. Free sources are not asked about."""
    price = getattr(collector, "price_of_post", 0.0)
    if not price:
        return True
    days = (datetime.now(UTC) - since).total_seconds() / 86_400
    ask = getattr(collector, "posts_per_day", lambda query: None)
    per_day = [ask(query) for query in queries]
    known = [n for n in per_day if n is not None]
    estimate = sum(known) * days * price
    budget = source.budget
    limits = [
        f"${usd:.2f} {period}"
        for usd, period in ((budget.usd_per_day, "a day"), (budget.usd_per_month, "a month"))
        if usd is not None
    ]
    click.echo(
        f"{source.name}: about {sum(known):,.0f} posts a day for {days:,.0f} days, some "
        f"${estimate:,.2f} at ${price:.3f} a post; the budget allows "
        + (" and ".join(limits) if limits else "any amount (set one under `budget`)"),
        err=True,
    )
    return yes or click.confirm("Spend it?", err=True)


def _backfill(
    pipeline: Pipeline,
    collector: Collector,
    source: Source,
    query: Query,
    since: datetime,
    *,
    skip: bool,
) -> dict[str, Any] | None:
    """Walk one query back. Its cursor is kept under a name of its own, beside the listening's."""
    from listener.backoff import asks_to_wait

    key = f"backfill:{since:%Y-%m-%d}:{query.name}"
    cursor = pipeline.store.cursor(source.name, key)
    row: dict[str, Any] = {
        "source": source.name, "query": query.name, "pages": 0, "new": 0, "known": 0, "usd": 0.0,
        "state": "complete", "complete": True,
    }  # fmt: skip
    if cursor is not None and "walk" not in cursor:
        return {**row, "state": "complete before"}
    row |= {"complete": False, "state": "cut short"}
    host = collector.host_of(query)
    try:
        pages = collector.backfill(query, since, cursor)  # asks nothing yet
        if (why := pipeline.why_not(source, host)) is not None:
            return {**row, "state": why}
        with progress() as bar:
            task = bar.add_task(f"{source.name} {query.name}", total=None)
            for page in pages:
                saved = pipeline.keep(page, source=source.name, platform=source.platform, query=key)
                row["pages"] += 1
                row["new"] += saved.stored
                row["known"] += saved.updated + saved.unchanged
                row["usd"] = round(row["usd"] + page.coverage.cost_usd, 4)
                at = page.coverage.window_start
                reached = f" at {at:%Y-%m-%d}" if at else ""
                bar.update(task, advance=1, description=f"{source.name} {query.name}{reached}")
                if page.complete:
                    row |= {"complete": True, "state": "complete"}
        if not row["pages"]:  # without a token there is nothing to ask for
            row |= {"complete": True, "state": "not asked"}
    except CollectorError as error:
        row["state"] = str(error)
        if asks_to_wait(error):
            pipeline.keep_back(source, collector, host, key, error)
    except ConfigError:
        if skip:  # all sources were meant: those that have no archive are left out
            return None
        raise
    return row
