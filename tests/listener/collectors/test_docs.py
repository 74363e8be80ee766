"""docs/collectors.md names every option and secret, and its outsider's collector really works."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fake import Platform, Reply, Request, SimClock, serving
from test_contract import keeps_the_contract

from listener import collectors
from listener.collectors import Context
from listener.collectors.walk import WalkOptions
from listener.mention import Query

PAGE = Path(__file__).resolve().parents[3] / "docs" / "collectors.md"
OURS = sorted(set(collectors.names()) - {"files", "demo"})


def section(name: str) -> str:
    text = PAGE.read_text(encoding="utf-8")
    found = re.search(rf"^## {name}\n(.*?)(?=^## )", text, re.M | re.S)
    assert found, f"docs/collectors.md has no section for {name}"
    return found.group(1)


@pytest.mark.parametrize("name", OURS)
def test_every_option_and_secret_of_a_collector_is_in_its_section(name: str) -> None:
    one, text = collectors.load(name), section(name)
    shared = set(WalkOptions.model_fields)
    own = {f for f in one.options.model_fields if f not in shared}
    assert {f for f in own if f"`{f}" not in text} == set()
    assert {s.name for s in one.secrets if s.name not in text} == set()


@pytest.fixture
def forum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[collectors.Collector]]:
    """The page's collector, installed as its pyproject.toml says."""
    text = PAGE.read_text(encoding="utf-8")
    code = re.search(r"```python\n# forum_collector.py\n(.*?)```", text, re.S)
    entry = re.search(r"```toml\n# its pyproject.toml\n(.*?)```", text, re.S)
    assert code
    assert entry
    assert len(code.group(1).splitlines()) < 100
    (tmp_path / "forum_collector.py").write_text(code.group(1), encoding="utf-8")
    info = tmp_path / "forum_collector-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: forum-collector\nVersion: 1.0\n")
    points = entry.group(1).replace('[project.entry-points."groundswell.collectors"]', "")
    (info / "entry_points.txt").write_text(
        "[groundswell.collectors]\n" + points.replace('"', ""), encoding="utf-8"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    collectors.load.cache_clear()
    yield collectors.load("forum")
    sys.modules.pop("forum_collector", None)
    collectors.load.cache_clear()


class FakeForum(Platform):
    started = 1_772_323_200

    def answer(self, request: Request) -> Reply:
        start = int(request.query.get("page") or 0)
        found = [
            {"id": n, "body": f"Acme {n}", "time": self.started - n // 3, "user": "jo"}
            for n in range(250)
        ]
        more = str(start + 100) if start + 100 < len(found) else None
        return Reply({"posts": found[start : start + 100], "next": more})


def test_an_outsiders_collector_works_in_under_a_hundred_lines(
    forum: type[collectors.Collector],
) -> None:
    keeps_the_contract("forum", forum)
    clock = SimClock(datetime(2026, 3, 1, tzinfo=UTC))
    server = FakeForum(clock)
    server.script = ["500", "", "drop"]
    with serving(server) as url:
        options = forum.options(base_url=url)  # type: ignore[call-arg]
        one = forum(Context("forum", options, {}, clock, clock.sleep))
        pages = list(one.fetch(Query("search:Acme", ("Acme",), ("Acme",)), None))
    assert {p.native_id for page in pages for p in page.posts} == {str(n) for n in range(250)}
    assert pages[-1].complete
    assert pages[-1].cursor == {"bound": server.started}
    assert sum(page.coverage.requests for page in pages) == 5
