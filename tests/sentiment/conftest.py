"""The bundled judge, loaded once for all tests of this folder."""

from __future__ import annotations

import pytest

from sentiment.bundle import FOLDER, WEIGHTS
from sentiment.model import Bundled, load


@pytest.fixture(scope="session")
def bundled() -> Bundled:
    if not (FOLDER / WEIGHTS).is_file():
        pytest.skip("needs the bundled weights, which are not in this checkout")
    judge = load("bundled")
    assert isinstance(judge, Bundled)
    return judge
