"""One test of the contract for every collector there is, ours and an outsider's alike.

A collector in this repository keeps payloads in ``tests/payloads/<name>/*.json``, each one payload (or
a list) as its ``to_post`` takes it. An outsider's is held to the same rules without any.
"""

from __future__ import annotations

import copy
import importlib
import inspect as introspect
import json
import re
import sys
import textwrap
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from listener import collectors
from listener.collectors import Collector, Context, Options, Readiness, Secret
from listener.errors import ConfigError, GroundswellError
from listener.mention import Post, Query

ROOT = Path(__file__).resolve().parents[3]
PAYLOADS = ROOT / "tests" / "payloads"
DOCS = ("collectors.md", "importing.md", "demo.md")
MARK = "s3cret-value-that-must-never-show"
QUERY = Query("q", ("Acme",), ("acme",))
# Each of these must be refused with a ValueError that says what is wrong, never with another error.
BROKEN: tuple[Any, ...] = (
    {},
    {"text": "words alone"},
    {"id": None, "text": None, "created_at": None},
    {"unknown": {"deep": [1, 2, 3]}},
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "name" in metafunc.fixturenames:
        metafunc.parametrize("name", collectors.names())


def cases(name: str) -> list[Any]:
    """The payloads kept for a collector."""
    found: list[Any] = []
    for file in sorted((PAYLOADS / name).glob("*.json")):
        content = json.loads(file.read_text(encoding="utf-8"))
        found += content if isinstance(content, list) else [content]
    return found


def documented(name: str) -> bool:
    """Whether a page about collectors has a heading that begins with the name."""
    heading = re.compile(rf"^#+\s+`?{re.escape(name)}\b", re.M | re.I)
    pages = [ROOT / "docs" / page for page in DOCS]
    return any(heading.search(p.read_text(encoding="utf-8")) for p in pages if p.is_file())


def keeps_the_contract(name: str, one: type[Collector]) -> None:
    """All that holds for any collector, from wherever it is installed."""
    assert re.fullmatch(r"[a-z][a-z0-9_-]*", one.platform), "platform is the start of keys"
    assert one.platform == name, "the entry point is named after the platform"
    assert 10 <= len(one.summary) <= 100, "summary is one line for `groundswell check`"
    assert "\n" not in one.summary
    options_are_documented(one.options)
    for secret in one.secrets:
        assert isinstance(secret, Secret)
        assert re.fullmatch(r"[A-Z][A-Z0-9_]*", secret.name), "a secret is an environment variable"
        assert len(secret.purpose) > 10, "purpose says what it is and where one gets it"
    assert isinstance(introspect.getattr_static(one, "to_post"), staticmethod), "to_post is static"
    assert list(introspect.signature(one.fetch).parameters) == ["self", "query", "cursor"]
    check_names_secrets_and_shows_none(one)
    for payload in BROKEN:
        with pytest.raises(ValueError) as caught:
            one.to_post(copy.deepcopy(payload))
        assert not isinstance(caught.value, GroundswellError), "a payload is no user's mistake"


def options_are_documented(options: type[BaseModel]) -> None:
    assert issubclass(options, Options)
    assert options.model_config.get("extra") == "forbid", "an unknown key must not pass in silence"
    for field, about in options.model_fields.items():
        assert about.description, f"option {field} has no description"
        assert not about.is_required(), f"option {field} needs a default, or `check` cannot run"


def check_names_secrets_and_shows_none(one: type[Collector]) -> None:
    needed = {s.name for s in one.secrets if not s.optional}
    bare = one(Context("source", one.options())).check([QUERY], 300)
    assert isinstance(bare, Readiness)
    assert needed <= set(bare.missing), "a missing secret is named"
    assert not (needed and bare.ready), "without its secrets a source is not ready"
    secrets = {s.name: MARK + s.name for s in one.secrets}
    full = one(Context("source", one.options(), secrets)).check([QUERY], 300)
    assert MARK not in repr(full), "a secret's value is shown"
    assert not set(full.missing) & needed


def reads_the_same_twice(one: type[Collector], payload: dict[str, Any]) -> None:
    before = copy.deepcopy(payload)
    first = one.to_post(payload)
    assert payload == before, "to_post has changed the payload"
    assert one.to_post(copy.deepcopy(payload)) == first, "to_post is not pure"
    assert isinstance(first, Post)
    assert first.native_id
    assert first.text
    assert first.created_at.tzinfo is UTC
    json.dumps(first.raw)


def test_each_registered_collector_keeps_the_contract(name: str) -> None:
    keeps_the_contract(name, collectors.load(name))


def test_each_of_our_payloads_reads_the_same_twice(name: str) -> None:
    one = collectors.load(name)
    if not one.__module__.startswith("listener."):
        pytest.skip(f"{name} comes from another package and keeps its payloads there")
    read = 0
    for payload in cases(name):
        try:
            one.to_post(copy.deepcopy(payload))
        except ValueError:
            continue  # a whole page of the platform, kept for other tests
        reads_the_same_twice(one, payload)
        read += 1
    if name in ("files", "demo"):
        assert read, f"tests/payloads/{name}/ has no payload that to_post takes"


def test_each_of_our_collectors_has_its_heading_in_the_docs(name: str) -> None:
    if collectors.load(name).__module__.startswith("listener."):
        assert documented(name), f"no page of {', '.join(DOCS)} has a heading for {name}"


OUTSIDER = """
from datetime import datetime, UTC
from pydantic import Field
from listener.collectors import Collector, Options, Page, Secret
from listener.mention import Post


class BoardOptions(Options):
    room: str = Field("lobby", description="Which room to read.")


class Board(Collector):
    platform = "board"
    summary = "A notice board that nobody of ours has heard of"
    options = BoardOptions
    secrets = (Secret("BOARD_TOKEN", "a token of the board, from its settings page"),)

    def fetch(self, query, cursor):
        yield Page(posts=[self.to_post({"id": 1, "text": "hi", "at": 0})], cursor={"id": 1})

    @staticmethod
    def to_post(payload):
        for name in ("id", "text", "at"):
            if payload.get(name) is None:
                raise ValueError(f"the field {name!r} is missing")
        when = datetime.fromtimestamp(payload["at"], UTC)
        return Post("board", str(payload["id"]), payload["text"], when, raw=payload)
"""


@pytest.fixture
def outsider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package of someone else's, installed as pip would leave it, gone after the test."""
    (tmp_path / "board_collector.py").write_text(textwrap.dedent(OUTSIDER))
    info = tmp_path / "board_collector-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: board-collector\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        f"[{collectors.ENTRY_POINTS}]\nboard = board_collector:Board\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    _forget()
    yield "board"
    sys.modules.pop("board_collector", None)
    _forget()


def _forget() -> None:
    for function in (collectors.load, collectors.names, collectors.registered):
        getattr(function, "cache_clear", lambda: None)()


def test_an_outsiders_collector_is_found_and_held_to_the_same(outsider: str) -> None:
    assert outsider in collectors.names()
    assert set(collectors.names()) > {"files", "demo", outsider}
    one = collectors.registered()[outsider]
    keeps_the_contract(outsider, one)
    reads_the_same_twice(one, {"id": 7, "text": "hello", "at": 1_700_000_000})


class _Bad:
    """Ways to break the contract; each must be caught by the rules above."""

    class Platform(Collector):
        platform = "Not A Key"
        summary = "breaks the rule about platforms"

        def fetch(self, query: Query, cursor: Any) -> Iterator[Any]:
            yield from ()

        @staticmethod
        def to_post(payload: Any) -> Post:
            raise ValueError("no")

    class Summary(Platform):
        platform = "bad"
        summary = ""

    class KeyErrors(Platform):
        platform = "bad"
        summary = "lets a KeyError out of to_post"

        @staticmethod
        def to_post(payload: Any) -> Post:
            return Post("bad", payload["id"], payload["text"], payload["at"])

    class NotStatic(Platform):
        platform = "bad"
        summary = "has a to_post that needs an instance"

        def to_post(self, payload: Any) -> Post:  # type: ignore[override]
            raise ValueError("no")

    class ShowsSecret(Platform):
        platform = "bad"
        summary = "prints a secret's value in check"
        secrets = (Secret("BAD_TOKEN", "a token for the tests"),)

        def check(self, queries: Any, every_seconds: int) -> Readiness:
            value = self.context.secrets.get("BAD_TOKEN")
            return Readiness(value is not None, f"token {value}", () if value else ("BAD_TOKEN",))

    class LowerCaseSecret(Platform):
        platform = "bad"
        summary = "names a secret that is no environment variable"
        secrets = (Secret("token", "a token for the tests"),)

    class SilentOption(Platform):
        class Undocumented(Options):
            room: str = "lobby"

        platform = "bad"
        summary = "has an option that nobody explains"
        options = Undocumented


@pytest.mark.parametrize("bad", [v for v in vars(_Bad).values() if isinstance(v, type)])
def test_the_contract_test_catches_who_breaks_it(bad: type[Collector]) -> None:
    with pytest.raises((AssertionError, KeyError)):
        keeps_the_contract("bad", bad)


def test_a_purity_breach_is_caught() -> None:
    class Mutates(_Bad.Platform):
        @staticmethod
        def to_post(payload: Any) -> Post:
            payload["seen"] = True
            return collectors.load("demo").to_post(payload)

    with pytest.raises(AssertionError, match="changed the payload"):
        reads_the_same_twice(Mutates, cases("demo")[0])


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"no collector is called 'nope'.*demo, files"):
        collectors.load("nope")


def test_a_broken_entry_point_is_named(outsider: str, tmp_path: Path) -> None:
    (tmp_path / "board_collector.py").write_text("import a_package_that_is_not_here\n")
    _forget()
    with pytest.raises(ConfigError, match=r"'board' cannot be loaded.*a_package_that_is_not_here"):
        collectors.load("board")
    (tmp_path / "board_collector.py").write_text("Board = 3\n")
    sys.modules.pop("board_collector", None)
    importlib.invalidate_caches()
    with pytest.raises(ConfigError, match="not a Collector"):
        collectors.load("board")
