"""A platform's server on loopback: real sockets, scripted faults, limits and simulated time.

A subclass gives ``answer(request)``. Before it is asked, a fault may strike instead (a 429 with the
platform's headers, a 5xx, a dropped connection, half a body, an HTML page, a time-out), and the
platform's own rate limit is enforced: a request beyond it is counted in ``over_limit``.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

FAULTS = ("429", "500", "503", "drop", "half", "html", "garbage", "timeout")


class SimClock:
    """Time that passes only when told: ``sleep`` moves it on at once."""

    def __init__(self, start: datetime) -> None:
        self.now = start.timestamp()
        self.slept = 0.0

    def __call__(self) -> datetime:
        return datetime.fromtimestamp(self.now, UTC)

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += seconds


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""

    def many(self, key: str) -> list[str]:
        return self.lists.get(key, [])

    lists: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class Reply:
    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json; charset=utf-8"

    def encoded(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        return text.encode()


class Platform:
    """What all simulated platforms share: ``limit`` requests are allowed per ``window`` seconds."""

    window = 900.0
    limit = 450

    def __init__(self, clock: SimClock, *, fault_rate: float = 0.0, seed: int = 7) -> None:
        self.clock = clock
        self.fault_rate = fault_rate
        self.random = random.Random(seed)
        self.requests: list[Request] = []
        self.faults: Counter[str] = Counter()
        self.over_limit = 0
        self._windows: dict[str, tuple[float, int]] = {}
        self._lock = threading.Lock()
        self.script: list[str] = []  # faults that strike the next requests, in order
        self.hang = 0.6  # seconds of real time that a "timeout" keeps the client waiting

    # what a platform defines ---------------------------------------------------------------------

    def answer(self, request: Request) -> Reply:
        raise NotImplementedError

    def bucket(self, request: Request) -> str:
        return "all"

    def limit_headers(self, remaining: int, resets: float) -> dict[str, str]:
        return {"Retry-After": str(int(resets - self.clock.now) + 1)} if remaining <= 0 else {}

    def too_many(self, resets: float) -> Reply:
        return Reply({"error": "Too Many Requests"}, 429, self.limit_headers(0, resets))

    # the machinery -------------------------------------------------------------------------------

    def handle(self, request: Request) -> Reply | str:
        """A reply, or the name of a fault that the socket must play."""
        with self._lock:
            self.requests.append(request)
            fault = self.script.pop(0) if self.script else self._strike()
            if fault == "429":
                return self.too_many(self.clock.now + 30)
            if fault == "500":
                return Reply("<html>Internal Server Error</html>", 500, {}, "text/html")
            if fault == "503":
                return Reply({"error": "over capacity"}, 503, {"Retry-After": "5"})
            if fault == "html":
                return Reply("<!doctype html><title>Please wait</title>", 200, {}, "text/html")
            if fault == "garbage":
                return Reply('{"data": [{"id": ', 200)
            if fault:
                return fault
            resets, used = self._windows.get(self.bucket(request), (0.0, 0))
            if self.clock.now >= resets:
                resets, used = self.clock.now + self.window, 0
            self._windows[self.bucket(request)] = (resets, used + 1)
            if used >= self.limit:
                self.over_limit += 1
                return self.too_many(resets)
            reply = self.answer(request)
            reply.headers = self.limit_headers(self.limit - used - 1, resets) | reply.headers
            return reply

    def _strike(self) -> str | None:
        if self.fault_rate and self.random.random() < self.fault_rate:
            fault = self.random.choice(FAULTS)
            self.faults[fault] += 1
            return fault
        return None


def _handler(platform: Platform) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: Any) -> None:
            pass

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            lists = parse_qs(parts.query, keep_blank_values=True)
            size = int(self.headers.get("Content-Length") or 0)
            request = Request(
                self.command,
                parts.path,
                {k: v[-1] for k, v in lists.items()},
                {k.lower(): v for k, v in self.headers.items()},
                self.rfile.read(size) if size else b"",
                lists,
            )
            reply = platform.handle(request)
            if reply == "timeout":
                time.sleep(platform.hang)
            if isinstance(reply, str) and reply != "half":
                self.close_connection = True
                self.connection.close()
                return
            body = reply.encoded() if isinstance(reply, Reply) else b'{"data": [' * 20
            self.send_response(reply.status if isinstance(reply, Reply) else 200)
            kind = reply.content_type if isinstance(reply, Reply) else "application/json"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body) * (1 if reply != "half" else 2)))
            for name, value in (reply.headers if isinstance(reply, Reply) else {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            if reply == "half":
                self.close_connection = True

        do_GET = do_POST = do_DELETE = do_HEAD = _serve

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that hung up is what a time-out looks like from here


@contextmanager
def serving(platform: Platform) -> Iterator[str]:
    """The base URL of the platform, served on loopback until the block ends."""
    server = _Server(("127.0.0.1", 0), _handler(platform))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


Answerer = Callable[[Request], Reply]
