"""A filled store for the dashboard's tests, made once, and an app that reads it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import charts
from listener.mention import epoch
from tests.dashboard import seed

APP = Path(__file__).resolve().parents[2] / "dashboard" / "app.py"
Open = Callable[..., AppTest]


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dashboard")
    seed.fill(folder / "seed.db").close()
    (folder / "keywords.yaml").write_text(seed.KEYWORDS, encoding="utf-8")
    return folder


@pytest.fixture
def environment(filled: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The dashboard's environment points at the filled store, and its clock stands still."""
    import streamlit as st

    monkeypatch.setenv("GROUNDSWELL_DB", str(filled / "seed.db"))
    monkeypatch.setenv("GROUNDSWELL_CONFIG", str(filled / "keywords.yaml"))
    monkeypatch.setenv("GROUNDSWELL_NOW", str(epoch(seed.NOW)))
    st.cache_data.clear()
    return filled


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[charts.Drawing]:
    """The charts that a page makes, in their order."""
    made: list[charts.Drawing] = []
    for name in ("volume", "shares", "net"):
        real = getattr(charts, name)

        def keeping(*args: Any, real: Any = real, **more: Any) -> charts.Drawing:
            made.append(real(*args, **more))
            return made[-1]

        monkeypatch.setattr(charts, name, keeping)
    return made


@pytest.fixture
def opened(environment: Path) -> Open:
    """``opened("spikes", brand="Borealis")``: that view, run once with that address."""

    def run(view: str = "live", db: Path | None = None, **query: Any) -> AppTest:
        if db is not None:
            os.environ["GROUNDSWELL_DB"] = str(db)  # undone by monkeypatch, which set it before
        app = AppTest.from_file(str(APP), default_timeout=60)
        for key, value in query.items():
            app.query_params[key] = value
        app.run()
        if view != "live":
            app.switch_page(f"views/{view}.py")
            for key, value in query.items():
                app.query_params[key] = value
            app.run()
        return app

    return run


def page_text(app: AppTest) -> str:
    """All that a page says in HTML pieces, text and headings."""
    parts = [str(e.proto.body) for e in app.get("html")]
    parts += [str(e.value) for e in (*app.text, *app.subheader, *app.markdown, *app.caption)]
    return "\n".join(parts)
