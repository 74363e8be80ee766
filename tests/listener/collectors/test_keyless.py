"""A fresh configuration listens without any account, and says plainly when there is no network."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from listener.cli import cli
from listener.collectors import load
from listener.config import load_config

KEYLESS = {"hackernews", "rss", "reddit", "mastodon", "jetstream"}


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name is unknown, as on a machine that is not connected."""

    def unknown(*args: Any, **kwargs: Any) -> Any:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setattr("listener.collectors.http.ATTEMPTS", 1)  # the pauses between them are real


@pytest.mark.parametrize("platform", sorted(KEYLESS))
def test_keyless_sources_need_no_secret_and_no_option(platform: str) -> None:
    found = load(platform)
    found.options()
    assert all(secret.optional for secret in found.secrets)


def test_a_fresh_configuration_starts_and_says_when_the_network_is_not_there(
    tmp_path: Path, no_network: None
) -> None:
    config, db = tmp_path / "keywords.yaml", tmp_path / "t.db"
    root = ["--config", str(config), "--db", str(db)]
    made = CliRunner().invoke(cli, [*root, "init", "--brand", "Acme"])
    assert made.exit_code == 0, made.output
    text = config.read_text(encoding="utf-8")
    more = "  - {platform: jetstream, every: 2m}\n"
    config.write_text(text.replace("sources:\n", "sources:\n" + more, 1), encoding="utf-8")
    platforms = {s.platform for s in load_config(config).sources}
    assert platforms >= KEYLESS - {"demo"}
    ran = CliRunner().invoke(cli, [*root, "run", "--once"])
    said = str(ran.exception) + ran.output
    shown = CliRunner().invoke(cli, [*root, "coverage"])
    said += shown.output
    for platform in sorted(KEYLESS):
        assert f"{platform}: cannot reach" in said, said
    assert "Traceback" not in said
