"""What the commands share: opening things, printing tables, and JSON lines."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import click

from listener.errors import ConfigError, InputError

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


# What a terminal would act on instead of showing it: control characters (ESC begins the sequences that
# clear the screen or set its title) and what turns the direction of a text around. Halves of characters
# cannot be written at all.
_ACTS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def shown(text: object) -> str:
    """Anybody's text for a terminal: nothing in it acts. Line ends and tabs stay.

    A control character becomes U+FFFD, so that it is seen to have been there; marks of direction,
    which honest posts hold too, go.
    """
    return _ACTS.sub(lambda found: "" if "\u2000" < found[0] < "\ud800" else "\ufffd", str(text))


def echo_json(value: object) -> None:
    """One JSON value on one line of standard output; what a terminal would act on is escaped."""
    line = json.dumps(value, ensure_ascii=not unicode_output())
    click.echo(_ACTS.sub(lambda found: f"\\u{ord(found[0]):04x}", line))


def _takes_all(stream: object) -> bool:
    """Whether a stream takes every character, as any UTF does."""
    return (getattr(stream, "encoding", None) or "utf-8").lower().startswith("utf")


def unicode_output() -> bool:
    return _takes_all(sys.stdout)


def tolerant_output() -> None:
    """Where a terminal or a pipe does not take every character, those it lacks are shown as ``?``."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and not _takes_all(stream):
            stream.reconfigure(errors="replace")


def stdin_lines() -> Iterator[str]:
    """Lines of standard input without their line ends; bytes that are no UTF-8 become U+FFFD."""
    stream = sys.stdin.buffer
    for line in stream:  # split at \n only: a post may hold other characters Python calls breaks
        yield line.decode("utf-8", "replace").rstrip("\r\n")


WORD = 20  # characters; a longer word in a cell is broken over lines before the table is given up


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table on standard output; cells are shown as plain text, never as markup, and cannot act.

    Nothing of a cell is left out: a terminal in which the columns have no room gets a line for each
    cell, and what reads from a pipe gets each row on one line, however long (unless COLUMNS is set).
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    heading = Text(shown(title)) if title else None
    cells = [["" if cell is None else shown(cell) for cell in row] for row in rows]
    console = Console()
    if not console.is_terminal and not os.environ.get("COLUMNS"):
        widest = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
        # Twice, as letters of some scripts take two places.
        console = Console(width=max(80, len(title), 2 * sum(widest) + 3 * len(columns) + 1))
    elif _least_width(columns, cells) > console.width:
        _print_list(title, columns, cells)
        return
    table = Table(title=heading, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    console.print(table)


def _least_width(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """How many places a table needs in which words stay whole, but for very long ones."""
    words = [
        max((len(word) for cell in column for word in cell.split()), default=0)
        for column in zip(columns, *rows, strict=True)
    ]
    return sum(min(longest, WORD) for longest in words) + 3 * len(columns) + 1


def _print_list(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if title:
        click.echo(shown(title))
    for row in rows:
        for name, cell in zip(columns, row, strict=True):
            if cell:
                click.echo(f"{name}: {cell}")
        click.echo()


def brands_only(ctx: click.Context, store: Store, names: Iterable[str]) -> None:
    """InputError for a brand that neither the store has mentions of nor keywords.yaml names."""
    if names := list(names):
        known = store.brands()
        with suppress(ConfigError):  # looking at what is stored needs no keywords.yaml
            known |= {brand.name for brand in open_config(ctx).all_brands()}
        known_only("brand", names, known)


def known_only(what: str, names: Iterable[str], known: Collection[str]) -> None:
    """InputError for a name that stands for nothing: its empty table would look like good news."""
    from listener.faults import near

    for name in names:
        if name not in known:
            hint = near(name, known)
            there = ", ".join(sorted(known)) or "none yet"
            raise InputError(f"no {what} is called {name!r} here{hint}; there are: {there}")


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


class _Shown(logging.Formatter):
    """Log lines that quote what a platform or a post said: nothing in them acts on the terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return shown(super().format(record))


def set_up_logging(verbose: bool) -> None:
    """Log to standard error; the libraries' own chatter only when asked for."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Shown("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for noisy in ("apscheduler", "urllib3", "httpx", "tweepy", "atproto", "prawcore"):
        logging.getLogger(noisy).setLevel(logging.INFO if verbose else logging.WARNING)
    logging.getLogger("groundswell").setLevel(logging.DEBUG if verbose else logging.INFO)


def ago(seconds: float | None) -> str:
    """A span of time in words that fit a table: ``40 s``, ``12 min``, ``3 h``, ``2 d``."""
    if seconds is None:
        return "not yet"
    seconds = max(seconds, 0)  # two clocks differ a little
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"
