"""The door to the store: what is read anew, and what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard import data
from listener.mention import epoch
from listener.store import Filter, Store
from tests.dashboard import seed

DAY = 86_400


def test_the_weeks_before_are_the_same_counts_and_are_not_read_again(
    environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = epoch(seed.NOW)
    where = Filter(since=now - 14 * DAY, until=now)
    asked: list[Filter] = []
    real = Store.counts_by

    def counting(self: Store, columns: tuple[str, ...], f: Filter) -> list[data.Row]:
        asked.append(f)
        return real(self, columns, f)

    monkeypatch.setattr(Store, "counts_by", counting)
    stamp = data.state().stamp
    found = data.history(stamp, ("hour", "label"), where, now - 2 * DAY)
    whole = data.counts(stamp, ("hour", "label"), where)
    key = ("hour", "label")
    assert sorted(found, key=lambda r: [r[k] for k in key]) == whole
    assert sum(r["posts"] for r in found) > 800
    asked.clear()
    data.history(f"{stamp}1", ("hour", "label"), where, now - 2 * DAY)
    assert [f.since for f in asked] == [now - 2 * DAY], "only the days that are shown"
