"""What all tests share: the folder of real posts (where it lies), and a clock that stands still."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is no fault in the code (no deadline), and a run repeats (fixed examples).
settings.register_profile("groundswell", deadline=None, derandomize=True)
settings.load_profile("groundswell")

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture
def shared_data() -> Path:
    """The folder of real posts beside the checkout; the test is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("needs the real posts in ../shared/data, which are not here")
    return SHARED


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 3, 14, 9, 0, tzinfo=UTC)
