"""``status`` and ``inbox``: what there is, what it cost, and what waits for an answer."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from listener.cli.common import ago, brands_only, echo_json, open_store, print_table, shown

if TYPE_CHECKING:
    from listener.store import Store


@click.command(
    epilog="""\b
Examples:
  groundswell status
  groundswell status --json | python -m json.tool"""
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """What is stored, what waits for which stage, how each source fares, and the response."""
    now = int(time.time())
    with open_store(ctx) as store:
        found = full_status(store, now)
    if as_json:
        echo_json(found)
        return
    if found["demo"]:
        click.echo("DEMO DATA: these posts are made up.")
    print_table(
        "",
        ("stored", "number"),
        [(name.replace("_", " "), f"{n:,}") for name, n in found["counts"].items()],
    )
    _print_stages(found["stages"], found["waiting"])
    _print_sources(found["sources"], found["costs"], now)
    _print_volume(found["volume"])
    _print_response(found["response"])
    running = found["running_pid"]
    click.echo(
        f"model {found['model'] or 'not used yet'}; database "
        f"{found['database_bytes'] / 1e6:,.1f} MB; "
        + (f"running as process {running}" if running else "not running")
    )


STAGES = ("place", "audit", "flag", "judge", "group", "count", "spike", "theme", "alert", "expire")


def _print_stages(stages: Mapping[str, Any], waiting: Mapping[str, int]) -> None:
    rows = []
    for name in STAGES:
        stage = stages.get(name) or {}
        rows.append(
            (
                name,
                waiting.get(name, ""),
                ago(stage.get("lag_seconds")),
                stage.get("rows", 0),
                stage.get("last_error") or "",
            )
        )
    print_table("", ("stage", "waits", "last run", "rows so far", "last error"), rows)


def _print_sources(
    sources: Sequence[Mapping[str, Any]], costs: Mapping[str, Any], now: int
) -> None:
    """Each source, and what of it waits or fails; what it costs only where any costs something."""
    cost = {row["source"]: row for row in costs["sources"]}
    paid = any(row["usd"] for row in costs["sources"])
    rows = []
    for s in sources:
        c = cost[s["source"]]
        spent = [f"{c[key]:.2f}" for key in ("usd", "usd_today", "usd_this_month")]
        rows.append(
            (
                s["source"],
                ago(None if s["last_ok_at"] is None else now - s["last_ok_at"]),
                s["failures"],
                s["posts"],
                s["requests"],
                *([*spent, _price(c)] if paid else ()),
                s["last_error"] or "",
            )
        )
    money = ("$", "$ today", "$ this month", "$ a mention") if paid else ()
    columns = ("source", "last success", "failures", "posts", "requests", *money, "last error")
    print_table("", columns, rows)
    for s in sources:
        for line in _trouble(s, now):
            click.echo(f"{s['source']}: {shown(line)}")
    if costs["usd"]:
        click.echo(f"cost: ${costs['usd']:,.2f} in all, {_price(costs)} a mention")


def _print_volume(v: Mapping[str, int]) -> None:
    click.echo(
        f"volume: {v['posts']:,} mentions counted, {v['unique']:,} unique by {v['authors']:,} known "
        f"authors and {v['copies']:,} copies; {v['flood_posts']:,} posts in {v['floods']:,} floods "
        "look like machines' work"
    )


def _trouble(source: Mapping[str, Any], now: int) -> list[str]:
    """What of a source is left alone or fails: for how long, since when, and why."""
    lines = [
        f"{h['host']} is not asked for {_minutes(h['open_until'], now)}: {h['last_error']}"
        for h in source["waiting_hosts"]
    ]
    for q in source["failing_queries"]:
        heard = "never heard" if q["heard_at"] is None else f"heard {ago(now - q['heard_at'])} ago"
        again = "at its next turn"
        if q["open_until"] > now:
            again = f"in {_minutes(q['open_until'], now)}"
        lines.append(f"{q['query']} fails ({heard}), asked again {again}: {q['last_error']}")
    if source["open_until"] is not None and source["open_until"] > now:
        lines.append(f"not asked for {_minutes(source['open_until'], now)}: {source['last_error']}")
    return lines


def _minutes(until: int, now: int) -> str:
    return f"{math.ceil((until - now) / 60)} min"


def full_status(store: Store, now: int) -> dict[str, Any]:
    """The public shape of ``status --json``, as docs/output.md has it."""
    from listener.inbox import response_summary
    from listener.mention import moment
    from listener.store import Filter

    return {
        **store.status(now),
        "volume": store.volume(Filter()),
        "costs": store.costs(moment(now)),
        "response": response_summary(store, Filter()),
    }


def _price(cost: Mapping[str, Any]) -> str:
    """What a mention cost; nothing where nothing was paid, and where nothing was found for it."""
    if not cost["usd"]:
        return ""
    each = cost["usd_per_mention"]
    return "no mention yet" if each is None else f"${each:.4f}"


def _print_response(response: dict[str, Any]) -> None:
    for what in ("conversations", "mentions"):
        part = response[what]
        rate = part["share_unanswered"]
        minutes = part["median_first_response_minutes"]
        click.echo(
            f"{what}: {part['answered']:,} answered, {part['unanswered']:,} unanswered"
            + (f" ({rate:.1%})" if rate is not None else "")
            + f", {part['unknown']:,} not known; median first response "
            + (f"{minutes:,.1f} min" if minutes is not None else "not known")
        )


@click.command(
    epilog="""\b
Examples:
  groundswell inbox
  groundswell inbox --brand Acme --limit 100
  groundswell inbox --json"""
)
@click.option("--brand", "brands", multiple=True, help="Only this brand; may be repeated.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(min=1))
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def inbox(ctx: click.Context, brands: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Mentions that nobody answered, first due first, and how fast the others were answered."""
    from listener.inbox import response_summary
    from listener.store import Filter

    where = Filter(brands=brands)
    now = int(time.time())
    with open_store(ctx) as store:
        brands_only(ctx, store, brands)
        rows = store.unanswered(where, limit=limit)
        summary = response_summary(store, where)
    if as_json:
        keep = ("key", "brand", "platform", "created_at", "due_at", "author_handle", "text",
                "label", "url", "thread", "owner")  # fmt: skip
        echo_json({"response": summary, "unanswered": [{k: r[k] for k in keep} for r in rows]})
        return
    _print_response(summary)
    print_table(
        "",
        ("due", "age", "brand", "on", "who", "feels", "says"),
        [
            (
                "?" if r["due_at"] is None
                else f"{ago(now - r['due_at'])} ago" if r["due_at"] < now
                else f"in {ago(r['due_at'] - now)}",
                ago(now - r["created_at"]), r["brand"], r["platform"], r["author_handle"],
                r["label"] or "not judged", " ".join(r["text"].split())[:80],
            )
            for r in rows
        ],
    )  # fmt: skip
