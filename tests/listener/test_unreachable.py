"""A host that cannot be reached at all is asked once a round, not once a query."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from listener.collectors import Collector, Cursor, Page
from listener.config import Config
from listener.errors import PlatformError, UnreachableError
from listener.mention import Post, Query
from listener.pipeline import Pipeline
from listener.store import Store

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Failing(Collector):
    platform = "failing"
    summary = "answers every query with an error"
    asked: list[str]
    error: type[PlatformError]

    def fetch(self, query: Query, cursor: Cursor | None) -> Iterator[Page]:
        self.asked.append(query.name)
        raise self.error("failing: no answer")
        yield

    @staticmethod
    def to_post(payload: Mapping[str, Any]) -> Post:
        raise NotImplementedError


@pytest.mark.parametrize(("error", "queries"), [(UnreachableError, 1), (PlatformError, 3)])
def test_no_network_is_told_once(
    error: type[PlatformError], queries: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Failing.asked, Failing.error = [], error
    monkeypatch.setattr("listener.collectors.load", lambda name: Failing)
    config = Config.model_validate(
        {"brands": [{"name": "Acme"}], "sources": [{"platform": "failing", "every": "5m"}]}
    )
    with Store(tmp_path / "t.db") as store:
        pipeline = Pipeline(store, config, clock=lambda: NOW)
        asked = [Query(name, ("Acme",), ("Acme",)) for name in ("one", "two", "three")]
        monkeypatch.setattr(pipeline, "queries", lambda source: asked)
        pipeline.collect(config.sources[0])
        assert len(Failing.asked) == queries
        failed = store.rows("SELECT query FROM coverage WHERE failed IS NOT NULL")
        assert [row["query"] for row in failed] == Failing.asked
