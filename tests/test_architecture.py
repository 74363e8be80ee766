"""The arrows of the house, read from the imports themselves."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("sentiment", "listener", "dashboard")
# The rooms of listener that do: every other module there only computes, and may import none of them.
DOERS = {
    "store", "schema", "inbox", "alerts", "reasons", "replay", "privacy", "pipeline", "schedule",
    "config", "collectors", "cli", "themes", "gathering", "backoff", "judging",
}  # fmt: skip
PURE = sorted(
    file.stem
    for file in (ROOT / "listener").glob("*.py")
    if file.stem not in DOERS and not file.stem.startswith("__")
)


def imports(file: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in the file; TYPE_CHECKING blocks are no arrows."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative imports hide the arrows"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def offending(package: str, forbidden: tuple[str, ...]) -> list[str]:
    return [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in files(package)
        for name in imports(file)
        if any(name == bad or name.startswith(bad + ".") for bad in forbidden)
    ]


def test_sentiment_imports_nothing_of_ours_and_no_platform() -> None:
    bad = ("listener", "dashboard", "tweepy", "sqlite_utils", "sqlite3", "streamlit", "requests")
    assert offending("sentiment", bad) == []


def test_nobody_imports_the_dashboard() -> None:
    assert offending("sentiment", ("dashboard",)) + offending("listener", ("dashboard",)) == []


def test_only_the_store_opens_the_database() -> None:
    bad = [
        line
        for package in ("listener", "dashboard")
        for line in offending(package, ("sqlite3", "sqlite_utils"))
        if not line.startswith(("listener/store/", "listener/schema.py"))
    ]
    assert bad == []


def test_views_see_no_store_and_no_collector() -> None:
    bad = [
        line
        for line in offending("dashboard", ("listener.store", "listener.collectors", "tweepy"))
        if not line.startswith("dashboard/data.py")
    ]
    assert bad == []


@pytest.mark.parametrize("room", PURE)
def test_pure_rooms_import_only_pure_rooms(room: str) -> None:
    bad = {f"listener.{name}" for name in DOERS} | {"sqlite3", "sqlite_utils", "requests", "tweepy"}
    found = set(imports(ROOT / "listener" / f"{room}.py"))
    assert {n for n in found if any(n == b or n.startswith(b + ".") for b in bad)} == set()


def test_there_are_pure_rooms() -> None:
    assert {"mention", "matching", "misspellings", "regions", "kpi"} <= set(PURE)


def test_collectors_write_nothing() -> None:
    bad = [
        line
        for line in offending(
            "listener", ("listener.store", "listener.pipeline", "listener.inbox", "listener.alerts")
        )
        if line.startswith("listener/collectors/")
    ]
    assert bad == []


def test_importing_sentiment_loads_no_platform_no_database_no_page() -> None:
    """In a fresh process: every module of the package, and none of what it must not know."""
    code = (
        "import importlib, pkgutil, sys, sentiment\n"
        "for m in pkgutil.iter_modules(sentiment.__path__, 'sentiment.'):\n"
        "    importlib.import_module(m.name)\n"
        "print([n for n in ('tweepy', 'sqlite_utils', 'streamlit', 'listener', 'dashboard')"
        " if n in sys.modules])"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert out.stdout.strip() == "[]"


def test_help_is_light() -> None:
    """`groundswell --help` pays for no model, no page and no table of numbers."""
    code = (
        "import sys\nfrom listener.cli import cli\n"
        "try:\n    cli.main(['--help'], prog_name='groundswell')\n"
        "except SystemExit:\n    pass\n"
        "heavy = [n for n in ('torch', 'transformers', 'streamlit', 'pandas', 'sqlite_utils')"
        " if n in sys.modules]\nassert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=ROOT)
