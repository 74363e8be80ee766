"""What the commands share: opening things, printing tables, and JSON lines."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.progress import Progress

    from listener.config import Config
    from listener.store import Store


def db_path(ctx: click.Context) -> str:
    return str(ctx.find_root().obj["db"])


def config_path(ctx: click.Context) -> str:
    return str(ctx.find_root().obj["config"])


def open_config(ctx: click.Context) -> Config:
    from listener.config import load_config

    return load_config(config_path(ctx))


def open_store(ctx: click.Context, *, create: bool = False) -> Store:
    from listener.store import Store

    return Store(db_path(ctx), create=create)


def echo_json(value: object) -> None:
    """One JSON value on one line of standard output."""
    click.echo(json.dumps(value, ensure_ascii=False))


def stdin_lines() -> Iterator[str]:
    """Lines of standard input without their line ends; bytes that are no UTF-8 become U+FFFD."""
    stream = sys.stdin.buffer
    for line in stream:  # split at \n only: a post may hold other characters Python calls breaks
        yield line.decode("utf-8", "replace").rstrip("\r\n")


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table on standard output; cells are shown as plain text, never as markup."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    Console().print(table)


@contextmanager
def progress() -> Iterator[Progress]:
    """A progress bar on standard error, so that standard output stays clean for pipes."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=not sys.stderr.isatty(),
        disable=not sys.stderr.isatty(),
    ) as bar:
        yield bar


def set_up_logging(verbose: bool) -> None:
    """Log to standard error; the libraries' own chatter only when asked for."""
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)-7s %(message)s",
        datefmt="%H:%M:%S",
        stream=sys.stderr,
    )
    for noisy in ("apscheduler", "urllib3", "httpx", "tweepy", "atproto", "prawcore"):
        logging.getLogger(noisy).setLevel(logging.INFO if verbose else logging.WARNING)
    logging.getLogger("groundswell").setLevel(logging.DEBUG if verbose else logging.INFO)


def ago(seconds: float | None) -> str:
    """A span of time in words that fit a table: ``40 s``, ``12 min``, ``3 h``, ``2 d``."""
    if seconds is None:
        return "not yet"
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"
