"""An alert in a real Matrix room. Needs matrix-synapse, in this environment or in another one whose
Python GROUNDSWELL_SYNAPSE_PYTHON names (it brings many packages of its own)."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from listener.alerts import run_alerts
from listener.config import AlertRule, Alerts, Brand, Config
from listener.mention import Spike, moment
from listener.store import Store

NOW = int(datetime(2026, 3, 14, 9, 0, tzinfo=UTC).timestamp())
STARTS_WITHIN = 120.0  # seconds; five on an idle machine
SETTINGS = """
server_name: "localhost"
pid_file: {home}/synapse.pid
listeners:
  - {{bind_addresses: ["127.0.0.1"], port: {port}, tls: false, type: http,
     resources: [{{compress: false, names: [client]}}]}}
database: {{name: sqlite3, args: {{database: "{home}/synapse.db"}}}}
media_store_path: {home}/media
signing_key_path: {home}/localhost.signing.key
enable_registration: true
enable_registration_without_verification: true
registration_shared_secret: "for this test"
macaroon_secret_key: "for this test"
form_secret: "for this test"
report_stats: false
trusted_key_servers: []
suppress_key_server_warning: true
"""


def call(base: str, path: str, body: dict[str, Any] | None = None, token: str = "") -> Any:
    request = urllib.request.Request(
        base + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}"} if token else {},
        method="GET" if body is None else "POST",
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    python = os.environ.get("GROUNDSWELL_SYNAPSE_PYTHON") or sys.executable
    if python == sys.executable and importlib.util.find_spec("synapse") is None:
        pytest.skip("needs matrix-synapse, or GROUNDSWELL_SYNAPSE_PYTHON with a Python that has it")
    home = tmp_path_factory.mktemp("synapse")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = home / "homeserver.yaml"
    settings.write_text(SETTINGS.format(home=home, port=port))
    start = [python, "-m", "synapse.app.homeserver", "-c", str(settings)]
    subprocess.run([*start, "--generate-keys"], cwd=home, check=True, capture_output=True)
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(start, cwd=home, stdout=log, stderr=log)
    base = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + STARTS_WITHIN
        while True:
            try:
                call(base, "/_matrix/client/versions")
                break
            except (urllib.error.URLError, OSError):
                if time.monotonic() > until or process.poll() is not None:
                    pytest.fail("synapse did not start:\n" + (home / "log").read_text()[-2000:])
                threading.Event().wait(0.2)
        yield base
    finally:
        process.terminate()
        process.wait(timeout=60)


@pytest.mark.network
@pytest.mark.slow
def test_an_alert_is_read_in_a_real_room(server: str, tmp_path: Path) -> None:
    user = {"username": "wall", "password": "pw-of-the-test", "auth": {"type": "m.login.dummy"}}
    token = call(server, "/_matrix/client/v3/register", user)["access_token"]
    # Version 11: apprise 2.2 cannot join rooms of version 12, whose ids name no server.
    new = {"name": "alerts", "room_version": "11"}
    room = call(server, "/_matrix/client/v3/createRoom", new, token)["room_id"]
    port = server.rsplit(":", 1)[1]
    address = f"matrix://{token}@127.0.0.1:{port}/{quote(room)}?e2ee=no&rto=60&cto=60"
    store = Store(tmp_path / "g.db")
    store.save_spikes(
        [
            Spike(
                "Acme", "DE", "negative", moment(NOW - 7200), moment(NOW - 3600), None,
                10.0, 60.0, 1e-9, 3.5,
            )
        ],
        NOW,
    )  # fmt: skip
    config = Config(
        brands=(Brand(name="Acme"),),
        alerts=Alerts(rules=(AlertRule(channels=("chat",)),), channels={"chat": "ALERT_CHAT"}),
    )
    sent = run_alerts(store, config, {"ALERT_CHAT": address}, NOW)
    assert sent == 1, store.alerts()[0]["detail"]
    path = f"/_matrix/client/v3/rooms/{quote(room)}/messages?dir=b&limit=10"
    events = call(server, path, token=token)["chunk"]
    said = [e["content"]["body"] for e in events if e["type"] == "m.room.message"]
    assert len(said) == 1
    assert "Acme, DE: 6.0 times the usual negative posts" in said[0]
    assert "60 negative posts, 10 are usual" in said[0]
