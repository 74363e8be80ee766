"""``import``, ``run``, ``demo`` and ``dashboard``: the monitor at work."""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from listener.cli.common import (
    config_path,
    db_path,
    echo_json,
    open_config,
    open_store,
    print_table,
    progress,
    set_up_logging,
    shown,
)
from listener.cli.report import full_status
from listener.errors import GroundswellError, InputError, StoreBusy

if TYPE_CHECKING:
    from listener.collectors import Reject
    from listener.pipeline import Pipeline, Tick
    from listener.store import Store

DEMO_DB = "groundswell-demo.db"
PORT = click.IntRange(1, 65_535)


# import -------------------------------------------------------------------------------------------


@click.command(
    "import",
    epilog="""\b
Examples:
  groundswell import posts.csv
  groundswell import export.jsonl.gz --platform x --json
  groundswell import odd.csv --map text=Message --map created="Date (UTC)"
  groundswell import archive.csv --no-judge      # store now, let `groundswell run` judge""",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--map", "mapping", multiple=True, help="field=Column, where the guess is wrong.")
@click.option("--platform", default=None, help="The platform the posts are from.")
@click.option("--timezone", default="UTC", show_default=True, help="Zone of times without one.")
@click.option("--encoding", default=None, help="The file's encoding, when the guess is wrong.")
@click.option("--delimiter", default=None, help="One of , ; tab |, when the guess is wrong.")
@click.option(
    "--key", type=click.Choice(["auto", "id", "content"]), default="auto", show_default=True,
    help="What makes two rows one post.",
)  # fmt: skip
@click.option(
    "--date-order", type=click.Choice(["auto", "dmy", "mdy"]), default="auto", show_default=True
)
@click.option("--rejects", type=click.Path(path_type=Path), default=None, help="Where bad rows go.")
@click.option("--judge/--no-judge", default=True, help="Score the mentions right away.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_context
def import_(
    ctx: click.Context,
    file: Path,
    mapping: tuple[str, ...],
    platform: str | None,
    timezone: str,
    encoding: str | None,
    delimiter: str | None,
    key: str,
    date_order: str,
    rejects: Path | None,
    judge: bool,
    as_json: bool,
) -> None:
    """Import posts from a CSV or JSON-lines export of any tool.

    Columns are guessed from their heads and shown. A bad row is counted, written aside and does not
    stop the rest; a row that was imported before is not stored twice.
    """
    from pydantic import ValidationError

    from listener.collectors.files import FilesOptions
    from listener.pipeline import Pipeline

    set_up_logging(False)
    config = open_config(ctx)
    try:
        options = FilesOptions(
            path=str(file), map=dict(_pair(item) for item in mapping), platform=platform,
            timezone=timezone, encoding=encoding, delimiter=delimiter, key=key,
            date_order=date_order,
        )  # fmt: skip
    except ValidationError as error:
        first = error.errors()[0]
        why = str(first["msg"]).removeprefix("Value error, ")
        name, found = first["loc"][0], first["input"]
        said = " ".join(mapping) if name == "map" else repr(found)
        raise InputError(f"--{name} {said} {why}") from error
    with open_store(ctx, create=True) as store:
        pipeline = Pipeline(store, config)
        result, notes = _import_file(pipeline, options, rejects, show=not as_json)
        tick = _stages_unless_running(store, pipeline, judge=judge)
    if as_json:
        echo_json(result)
        return
    click.echo(
        f"{result['read']:,} read, {result['stored']:,} stored, {result['updated']:,} updated, "
        f"{result['matched']:,} name a brand, {result['rejected']:,} rejected"
    )
    for note in notes:
        click.echo(f"  {shown(note)}")
    for stage, reason in tick.failed.items():
        click.echo(f"  {stage} could not run: {reason}", err=True)


def _pair(item: str) -> tuple[str, str]:
    name, equals, column = item.partition("=")
    if not equals or not column:
        raise InputError(f"--map {item!r}: write it as field=Column, such as text=Message")
    return name.strip(), column.strip()


def _import_file(
    pipeline: Pipeline, options: Any, rejects: Path | None, *, show: bool
) -> tuple[dict[str, int], list[str]]:
    """Stream a file through matching into the store. Returns the public counts, and notes."""
    from listener.collectors import Context
    from listener.collectors.files import Files, inspect
    from listener.mention import Query
    from listener.store import Saved

    plan = inspect(options.path, options)
    if show:
        print_table(
            f"{plan.path.name}: {plan.rows:,} rows of {plan.platform}, keyed by {plan.key}",
            ("field", "column", "for example"),
            [(name, column, plan.examples.get(name, "")) for name, column in plan.mapping.items()],
        )
        for note in plan.notes:
            click.echo(f"  note: {shown(note)}")
    collector = Files(Context(source=f"import:{plan.path.name}", options=options))
    collector.plan = plan
    saved, read = Saved(), 0
    explained: list[Reject] = []
    aside, why_not = _aside(rejects, plan.path, pipeline.store.path), ""
    with progress() as bar:
        task = bar.add_task("importing", total=plan.rows)
        before = pipeline.store.imported(plan.fingerprint) or {}
        for page in collector.fetch(Query("all", (), ()), {**before, "row": 0}):
            saved += pipeline.keep(
                page, source=collector.context.source, platform=plan.platform,
                query=plan.fingerprint,
            )  # fmt: skip
            read += len(page.posts) + len(page.rejected)
            if page.rejected:
                explained += page.rejected[: max(0, 5 - len(explained))]
                # The first rejects of an import start the file anew: it speaks of this import.
                mode: Literal["w", "a"] = "w" if saved.rejected == len(page.rejected) else "a"
                try:
                    _write_aside(aside, page.rejected, mode)
                except OSError as error:  # the good rows are not to wait for the bad ones
                    why_not = error.strerror or str(error)
            bar.update(task, completed=read)
    notes = [f"{item.where}: {item.reason}" for item in explained]
    if saved.rejected and why_not:
        notes.append(f"{aside} could not be written ({why_not}); import again with --rejects")
    elif saved.rejected:
        notes.append(f"all {saved.rejected} rejected rows are in {aside}")
    counts = {
        "read": read, "stored": saved.stored, "updated": saved.updated,
        "matched": saved.matched, "rejected": saved.rejected,
    }  # fmt: skip
    return counts, notes


def _aside(asked: Path | None, file: Path, store: Path) -> Path:
    """Where rejected rows go: where it was asked, else beside the file, else beside the store."""
    if asked is not None:
        if not asked.parent.is_dir():
            raise InputError(
                f"--rejects {asked}: there is no folder {asked.parent}; make it, or name another"
            )
        if asked.is_dir():
            raise InputError(f"--rejects {asked} is a folder; name a file")
        return asked
    beside = file.with_name(file.name + ".rejected.jsonl")
    return beside if os.access(file.parent, os.W_OK) else store.with_name(beside.name)


def _write_aside(aside: Path, rejected: Sequence[Reject], mode: Literal["w", "a"]) -> None:
    with aside.open(mode) as handle:
        for item in rejected:
            record = {"where": item.where, "why": item.reason, "row": item.payload}
            handle.write(json.dumps(record, ensure_ascii=True) + "\n")


def _stages_unless_running(store: Store, pipeline: Pipeline, *, judge: bool) -> Tick:
    """Run the stages here, unless a running monitor on the same store does it anyway."""
    from listener.pipeline import Tick
    from listener.store import RunLock

    only = ("place", "audit", "flag", "group", "count", "spike", "theme")
    try:
        with RunLock(store.path), progress() as bar:
            tasks: dict[str, Any] = {}
            if judge:
                tasks["judge"] = bar.add_task("judging", total=store.count_unjudged())

            def show(stage: str, done: int) -> None:
                if stage in tasks:
                    bar.update(tasks[stage], completed=done)

            return pipeline.tick(show, only=(*only, "judge") if judge else only)
    except StoreBusy as error:
        click.echo(f"The monitor that runs here (process {error.pid}) will judge them.", err=True)
        return Tick({}, {})


# run ----------------------------------------------------------------------------------------------


@click.command(
    epilog="""\b
Examples:
  groundswell run                 # until Ctrl-C or SIGTERM
  groundswell run --once          # each source and each stage once, for cron
  groundswell --db other.db run"""
)
@click.option("--once", is_flag=True, help="Each source and each stage once, then end.")
@click.option("--verbose", is_flag=True, help="Also what the libraries say.")
@click.pass_context
def run(ctx: click.Context, once: bool, verbose: bool) -> None:
    """Collect, match, judge, place, count and watch, on the schedule of keywords.yaml."""
    from listener.config import load_secrets
    from listener.pipeline import Pipeline
    from listener.schedule import Schedule
    from listener.store import RunLock

    set_up_logging(verbose)
    config = open_config(ctx)
    log = logging.getLogger("groundswell")
    with open_store(ctx, create=True) as store, RunLock(store.path):
        pipeline = Pipeline(store, config, secrets=load_secrets())
        # Who starts it may have mended what was wrong. A cron job starts it all the time, and keeps
        # to what the platforms have asked for.
        pipeline.release(platforms=not once)
        if once:
            saved, failed = pipeline.collect_all()
            tick = pipeline.tick()
            failed |= tick.failed
            click.echo(
                f"{saved.stored} new, {saved.updated} changed, {saved.matched} name a brand; "
                + ", ".join(f"{stage} {n}" for stage, n in tick.done.items())
            )
            if failed:
                raise GroundswellError(
                    "; ".join(f"{name} failed: {why}" for name, why in failed.items())
                )
            return
        log.info("process %d listens with %d sources; Ctrl-C stops", os.getpid(),
                 sum(s.enabled for s in config.sources))  # fmt: skip
        if not any(s.enabled for s in config.sources):
            log.warning("no source is enabled in %s: only the stages run", config_path(ctx))
        Schedule(pipeline).run()
        log.info("stopped; the next start goes on from here")


# demo ---------------------------------------------------------------------------------------------


@click.command(
    epilog="""\b
Examples:
  groundswell demo                      # history, a live crisis, and the dashboard
  groundswell demo --port 8600 --seed 7
  groundswell demo --fresh              # forget the last demo and start anew
  groundswell demo --once --json        # make the history, judge it, and end"""
)
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same posts.")
@click.option(
    "--port", default=8501, show_default=True, type=PORT, help="Where the dashboard listens."
)
@click.option("--fresh", is_flag=True, help="Delete the last demo first.")
@click.option("--once", is_flag=True, help="Make and judge the history, then end.")
@click.option("--json", "as_json", is_flag=True, help="With --once: the status as JSON.")
@click.pass_context
def demo(ctx: click.Context, seed: int, port: int, fresh: bool, once: bool, as_json: bool) -> None:
    """A living monitor on made-up posts: a fictional brand, two weeks of history, a crisis now.

    It keeps to a database and a keywords file of its own, and every page says that it is a demo.
    """
    from listener.collectors.demo import demo_config
    from listener.config import parse_config
    from listener.pipeline import Pipeline
    from listener.schedule import Schedule
    from listener.store import RunLock, Store

    set_up_logging(False)
    root = ctx.find_root()
    named = root.get_parameter_source("db") != click.core.ParameterSource.DEFAULT
    path = Path(db_path(ctx) if named else DEMO_DB)
    keywords = path.with_suffix(".yaml")
    _refuse_what_is_not_the_demos(path, keywords, fresh=fresh)
    with RunLock(path):
        if fresh:
            for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
                path.with_name(name).unlink(missing_ok=True)
        port = port if once else free_port(port)
        keywords.write_text(demo_config(seed=seed, port=port), encoding="utf-8")
        config = parse_config(keywords.read_text(encoding="utf-8"), str(keywords))
        with Store(path) as store:
            pipeline = Pipeline(store, config)
            if once:
                _demo_history(store, pipeline)
                if as_json:
                    echo_json(full_status(store, int(time.time())))
                return
            with _dashboard(path, keywords, port) as shown:
                _demo_history(store, pipeline)
                click.echo(f"\n  The demo is live: http://127.0.0.1:{port}   (Ctrl-C stops it)\n")
                schedule = Schedule(pipeline)

                def end_with_the_dashboard() -> None:
                    if shown.poll() is not None:
                        schedule.stop.set()

                schedule.scheduler.add_job(end_with_the_dashboard, "interval", seconds=2)
                schedule.run()


def _refuse_what_is_not_the_demos(path: Path, keywords: Path, *, fresh: bool) -> None:
    """InputError before anything is written over or deleted that somebody made himself."""
    from listener.collectors.demo import demo_config
    from listener.store import Store

    if keywords == path:
        raise InputError(f"{path}: the demo's keywords go by that name; name another with --db")
    if keywords.exists():
        head = demo_config().partition("\n")[0].encode()
        with keywords.open("rb") as file:
            if file.read(len(head)) != head:
                raise InputError(
                    f"{keywords} is not the demo's, and the demo would write over it; name another "
                    "database with --db, and the keywords will go beside it"
                )
    if path.exists():
        with Store(path) as store:
            if store.has_real() and (fresh or not store.has_demo()):
                raise InputError(f"{path} holds real posts; a demo wants a file of its own (--db)")


def _demo_history(store: Store, pipeline: Pipeline) -> None:
    """The two weeks up to now, judged; quick the second time, since only what is new is judged."""
    with progress() as bar:
        task = bar.add_task("making posts", total=None)
        saved, failed = pipeline.collect_all()
        bar.update(task, total=saved.stored, completed=saved.stored)
        judging = bar.add_task("judging", total=store.count_unjudged())
        tick = pipeline.tick(
            lambda stage, done: bar.update(judging, completed=done) if stage == "judge" else None
        )
    for name, why in {**failed, **tick.failed}.items():
        click.echo(f"  {name} could not run: {why}", err=True)


# dashboard ----------------------------------------------------------------------------------------


@click.command(
    epilog="""\b
Examples:
  groundswell dashboard
  groundswell --db other.db dashboard --port 8600
  groundswell dashboard --address 0.0.0.0     # only behind a proxy with sign-in"""
)
@click.option("--port", default=8501, show_default=True, type=PORT)
@click.option(
    "--address", default="127.0.0.1", show_default=True, help="Loopback unless told otherwise."
)
@click.pass_context
def dashboard(ctx: click.Context, port: int, address: str) -> None:
    """Open the dashboard on loopback. It only reads; `groundswell run` keeps the data fresh."""
    open_store(ctx, create=True).close()
    port = free_port(port, address)
    click.echo(f"Dashboard: http://{address}:{port}   (Ctrl-C stops it)")
    if address not in ("127.0.0.1", "localhost", "::1"):
        click.echo("  It is reachable from other machines: put sign-in before it.", err=True)
    process = _dashboard(Path(db_path(ctx)), Path(config_path(ctx)), port, address)
    with process as shown, suppress(KeyboardInterrupt):
        shown.wait()
    if shown.returncode not in (0, -15, -2, None):
        raise GroundswellError(f"the dashboard ended with code {shown.returncode}; see above")


class _dashboard:
    """The Streamlit process, ended together with us."""

    _before: Any = None  # what SIGTERM did before

    def __init__(self, db: Path, config: Path, port: int, address: str = "127.0.0.1") -> None:
        from importlib.util import find_spec

        spec = find_spec("dashboard")
        if spec is None or not spec.submodule_search_locations:
            raise GroundswellError("the dashboard is not installed: pip install groundswell")
        app = Path(next(iter(spec.submodule_search_locations))) / "app.py"
        self.command = [
            sys.executable, "-m", "streamlit", "run", str(app),
            "--server.address", address, "--server.port", str(port),
            "--server.headless", "true", "--server.fileWatcherType", "none",
            "--browser.gatherUsageStats", "false",
        ]  # fmt: skip
        self.environment = {
            **os.environ,
            "GROUNDSWELL_DB": str(db.resolve()),
            "GROUNDSWELL_CONFIG": str(config.resolve()),
        }

    def __enter__(self) -> subprocess.Popen[bytes]:
        # A service manager ends us by SIGTERM, which by itself would leave the server behind.
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, _end)
        self.process = subprocess.Popen(  # noqa: S603
            self.command, env=self.environment, stdout=subprocess.DEVNULL
        )
        return self.process

    def __exit__(self, *exception: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)


def _end(number: int, frame: object) -> None:
    sys.exit(128 + number)


def free_port(port: int, address: str = "127.0.0.1") -> int:
    """``port``, or the next one of twenty that nobody listens on."""
    last = min(port + 19, PORT.max or port)
    for candidate in range(port, last + 1):
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, candidate))
            except socket.gaierror as error:
                raise InputError(
                    f"--address {address} is none of this machine's; 127.0.0.1 is loopback"
                ) from error
            except OSError as error:
                if error.errno == errno.EADDRNOTAVAIL:
                    raise InputError(
                        f"--address {address} is none of this machine's; 127.0.0.1 is loopback"
                    ) from error
                continue
            return candidate
    raise InputError(
        f"ports {port} to {last} are all taken, or may not be used; name a free one with --port"
    )
