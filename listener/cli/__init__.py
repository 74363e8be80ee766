"""The command line: thin commands, each family in its own file, imported only when it is called."""

from __future__ import annotations

import difflib
import errno
import importlib
import importlib.util
import sys
from typing import Any

import click

from listener import __version__
from listener.errors import GroundswellError

# command → (module, attribute). A command's module is imported when it runs, so that `groundswell
# --help` and the light commands do not pay for torch or Streamlit.
COMMANDS: dict[str, tuple[str, str, str]] = {
    "init": ("listener.cli.setup", "init", "Write a commented keywords.yaml to start from."),
    "check": ("listener.cli.setup", "check", "Check keywords.yaml and say what each source needs."),
    "demo": ("listener.cli.operate", "demo", "A living monitor on made-up posts, in one command."),
    "run": ("listener.cli.operate", "run", "Collect, judge and count on a schedule."),
    "import": ("listener.cli.operate", "import_", "Import posts from CSV or JSONL exports."),
    "status": ("listener.cli.report", "status", "What is stored, what waits, how sources fare."),
    "inbox": ("listener.cli.report", "inbox", "Mentions that wait for an answer."),
    "dashboard": ("listener.cli.operate", "dashboard", "Open the dashboard on loopback."),
    "sentiment": ("listener.cli.judge", "sentiment", "Judge texts from standard input."),
    "evaluate": ("listener.cli.judge", "evaluate", "Measure the model on labelled posts."),
    "rescore": ("listener.cli.judge", "rescore", "Judge stored mentions with another model."),
    "match": ("listener.cli.find", "match", "Say which texts name a brand, and where."),
    "misspellings": ("listener.cli.find", "misspellings", "List a name's likely misspellings."),
    "variants": ("listener.cli.find", "variants", "How each spelling fares: hits and precision."),
    "locate": ("listener.cli.place", "locate", "Say where profile locations are."),
    "detect": ("listener.cli.detect", "detect", "Find spikes in a CSV of counts over time."),
    "replay": ("listener.cli.detect", "replay", "What the alerts of a past time would have been."),
    "queries": ("listener.cli.listen", "queries", "Each platform query, its cover and its cost."),
    "coverage": ("listener.cli.listen", "coverage", "What was asked and what was returned."),
    "backfill": ("listener.cli.listen", "backfill", "Collect past posts, resumably."),
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in COMMANDS if importlib.util.find_spec(COMMANDS[name][0])]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            if close := difflib.get_close_matches(args[0], list(COMMANDS), n=1):
                raise click.UsageError(f"{error.message} Did you mean {close[0]!r}?", ctx) from None
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(n, COMMANDS[n][2]) for n in self.list_commands(ctx)])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--db", default="groundswell.db", show_default=True, help="The database file.")
@click.option(
    "--config", default="keywords.yaml", show_default=True, help="What to listen for, and how."
)
@click.version_option(__version__, prog_name="groundswell")
@click.pass_context
def cli(ctx: click.Context, db: str, config: str) -> None:
    """Hear what people say about a brand, judge it by region, and answer before it grows.

    \b
    Start here:
      groundswell demo                 a living monitor on made-up posts
      groundswell init                 write keywords.yaml for your own brand
      groundswell import posts.csv     bring in an export
      groundswell run                  collect on a schedule
      groundswell dashboard            look at it
    """
    ctx.obj = {"db": db, "config": config}


def main(args: list[str] | None = None) -> Any:
    """Entry point of the ``groundswell`` command: expected errors print as one paragraph."""
    from listener.cli.common import shown, tolerant_output
    from sentiment.errors import SentimentError

    tolerant_output()
    try:
        return cli.main(args=args, prog_name="groundswell", standalone_mode=True)
    except (GroundswellError, SentimentError) as error:
        click.secho(shown(f"groundswell: {error}"), fg="red", err=True)
        for problem in getattr(error, "problems", ()):
            click.echo(shown(f"  {problem}"), err=True)
        sys.exit(getattr(error, "exit_code", 1))
    except OSError as error:
        # A folder that may not be written, a disk that is full: not ours to mend, but to name. A pipe
        # that nobody reads any more (`| head`) click has ended in silence before.
        what = f"{error.filename}: " if error.filename else ""
        click.secho(
            shown(f"groundswell: {what}{error.strerror or error}; {_next_step(error)}"),
            fg="red", err=True,
        )  # fmt: skip
        sys.exit(1)


def _next_step(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "free some space and start again: what was committed is safe"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "check that the file and its folder may be written, or name another"
    return "check the name and its folder"
