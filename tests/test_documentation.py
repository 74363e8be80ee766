"""Documentation as a test: what exists has its heading, and what the docs link to exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from listener import collectors
from listener.cli import COMMANDS
from listener.config import AlertRule, Brand, Config, Response, Source

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    found = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    missing = [
        link for link in found if "://" not in link and not (page.parent / link).resolve().exists()
    ]
    assert missing == []


@pytest.mark.parametrize(
    "command", ["import", "sentiment", "match", "misspellings", "locate", "detect", "evaluate",
                "status", "inbox"]
)  # fmt: skip
def test_every_public_shape_is_documented(command: str) -> None:
    assert f"\n## {command}\n" in text("docs/output.md")


@pytest.mark.parametrize("model", [Config, Brand, Response, Source, AlertRule])
def test_every_setting_is_documented(model: type) -> None:
    page = text("docs/configuration.md")
    missing = [n for n in model.model_fields if f"`{n}`" not in page and f"## {n}" not in page]  # type: ignore[attr-defined]
    assert missing == []


def test_every_collector_is_documented() -> None:
    pages = (text("docs/collectors.md") + text("docs/importing.md") + text("docs/demo.md")).lower()
    assert [name for name in collectors.names() if name not in pages] == []


def test_every_command_has_help_with_examples() -> None:
    from click.testing import CliRunner

    from listener.cli import cli

    listed = cli.list_commands(None)  # type: ignore[arg-type]
    assert {"init", "check", "demo", "run", "import", "status", "dashboard"} <= set(listed)
    assert set(listed) <= set(COMMANDS)
    without = []
    for name in listed:
        out = CliRunner().invoke(cli, [name, "--help"]).output
        if f"groundswell {name}" not in out.replace("\n", " ") and "Examples" not in out:
            without.append(name)
    assert without == []
