"""``groundswell init`` and ``groundswell check``: the configuration, written and checked."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import click

from listener.cli.common import config_path, echo_json, open_config, print_table
from listener.errors import ConfigError, InputError


@click.command(
    epilog="""\b
Examples:
  groundswell init --brand Acme
  groundswell --config acme.yaml init --brand "Acme Air" --handle x:acmeair"""
)
@click.option("--brand", default=None, help="Your brand's name, put in for you.")
@click.option("--handle", "handles", multiple=True, help="An account of yours, as platform:handle.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.pass_context
def init(ctx: click.Context, brand: str | None, handles: tuple[str, ...], force: bool) -> None:
    """Write a commented keywords.yaml to start from."""
    target = Path(config_path(ctx))
    if not target.parent.is_dir():
        raise InputError(f"{target.parent} is no folder; make it, or name another with --config")
    if target.exists() and not force:
        raise InputError(
            f"{target} is already here, and init would write over it. Edit it, name another with "
            "--config, or write over it with --force."
        )
    text = files("listener").joinpath("keywords.example.yaml").read_text(encoding="utf-8")
    if brand:
        text = text.replace("YOURBRAND", _quoted(brand))
    if handles:
        text = _with_handles(text, handles)
    target.write_text(text, encoding="utf-8")
    click.echo(f"Wrote {target}. Next: edit it, then `groundswell check`, then `groundswell run`.")


def _quoted(name: str) -> str:
    import yaml

    return str(yaml.safe_dump(name, allow_unicode=True, width=10_000)).split("\n...")[0].strip()


def _some(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _with_handles(text: str, handles: tuple[str, ...]) -> str:
    from pydantic import ValidationError

    from listener.config import Brand

    found: dict[str, list[str]] = {}
    for item in handles:
        platform, colon, handle = item.partition(":")
        if not colon or not platform.strip() or not handle.strip():
            raise InputError(f"--handle {item!r}: write it as platform:handle, such as x:acme")
        try:  # as it will be read again
            named = Brand(name="x", handles={platform.strip(): (handle.strip().lstrip("@"),)})
        except ValidationError as error:
            why = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
            raise InputError(f"--handle {item!r} {why}") from error
        for name, accounts in named.handles.items():
            found.setdefault(name, []).extend(accounts)
    lines = ["    handles:"]
    lines += [
        f"      {platform}: [{', '.join(_quoted(n) for n in names)}]"
        for platform, names in found.items()
    ]
    return text.replace("    # hashtags:", "\n".join(lines) + "\n    # hashtags:", 1)


@click.command(
    epilog="""\b
Examples:
  groundswell check
  groundswell check --json
  groundswell --config acme.yaml check"""
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def check(ctx: click.Context, as_json: bool) -> None:
    """Check keywords.yaml, and say for each source whether it is ready and what it would cost.

    Secrets are named when they are missing; their values are never shown. Exits with 1 when an
    enabled source is not ready.
    """
    from listener.config import load_secrets
    from listener.pipeline import Pipeline
    from listener.store import Store

    config = open_config(ctx)
    secrets = load_secrets()
    pipeline = Pipeline(Store(":memory:"), config, secrets=secrets)
    rows: list[dict[str, Any]] = []
    for source in config.sources:
        try:
            queries = pipeline.queries(source)
            state = pipeline.collector(source).check(queries, source.every)
            row = {
                "source": source.name,
                "platform": source.platform,
                "enabled": source.enabled,
                "ready": state.ready,
                "detail": state.detail,
                "missing": list(state.missing),
                "queries": len(queries),
                "requests_per_day": round(state.requests_per_day, 1),
                "usd_per_day": round(state.usd_per_day, 4),
            }
        except ConfigError as error:
            row = {
                "source": source.name, "platform": source.platform, "enabled": source.enabled,
                "ready": False, "detail": str(error), "missing": [], "queries": 0,
                "requests_per_day": 0.0, "usd_per_day": 0.0,
            }  # fmt: skip
        rows.append(row)
    channels = [
        {"channel": name, "variable": variable, "set": bool(secrets.get(variable))}
        for name, variable in config.alerts.channels.items()
    ]
    brands = [
        {"brand": b.name, "competitor": b.competitor, "names": list(b.names or (b.name,))}
        for b in config.all_brands()
    ]
    if as_json:
        echo_json(
            {"config": config_path(ctx), "brands": brands, "sources": rows, "channels": channels}
        )
    else:
        _print_check(config_path(ctx), brands, rows, channels)
    if any(row["enabled"] and not row["ready"] for row in rows):
        ctx.exit(1)


def _print_check(
    path: str,
    brands: list[dict[str, Any]],
    rows: list[dict[str, Any]],
    channels: list[dict[str, Any]],
) -> None:
    click.echo(
        f"{path} can be followed: {_some(len(brands), 'brand')}, {_some(len(rows), 'source')}."
    )
    print_table(
        "",
        ("source", "platform", "ready", "what it says", "queries", "requests a day", "$ a day"),
        [
            (
                r["source"],
                r["platform"],
                "off" if not r["enabled"] else "yes" if r["ready"] else "NO",
                r["detail"],
                r["queries"],
                f"{r['requests_per_day']:,.0f}",
                f"{r['usd_per_day']:.2f}",
            )
            for r in rows
        ],
    )
    for channel in channels:
        state = "set" if channel["set"] else "NOT SET: put it into the environment"
        click.echo(f"alert channel {channel['channel']}: {channel['variable']} is {state}")
    if not rows:
        click.echo("No sources yet: add some, or bring posts in with `groundswell import FILE`.")
