"""Whether anybody listens: from when on an hour without posts is not known rather than quiet. Pure."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]
IMPORTED = (
    "import:"  # sources of this name are files that somebody brought: nobody goes on asking them
)
PATIENCE = 15 * 60  # seconds without an answer before it is said
ROUND = 60  # requests closer together than this are of one round


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing was collected since a moment: nobody runs (``stopped``), or every source fails.

    ``since`` is when a source was last heard; ``unknown`` is from when on counts are not known, which
    is later where a file was imported in between. None where that was a moment ago.
    """

    since: int
    unknown: int | None
    stopped: bool


def silence(
    sources: Sequence[Row], ledger: Iterable[Row], *, running: bool, now: int,
    platforms: Sequence[str] = (),
) -> Silence | None:  # fmt: skip
    """Whether the sources (those of ``platforms``; none: all) are silent, or None while they listen.

    A store that only files were imported into has nobody to fall silent. Where no process runs, one
    may still come by the clock (``groundswell run --once``): what is late is told by the rounds
    before, of which ``ledger`` has the newest requests.
    """
    relevant = [s for s in sources if not platforms or s["platform"] in platforms]
    asked = [s for s in relevant if not s["source"].startswith(IMPORTED)]
    heard = [s["last_ok_at"] for s in asked if s["last_ok_at"] is not None]
    if not heard or (running and not all(s["failures"] for s in asked)):
        return None
    names = {s["source"] for s in asked}
    patience = max(PATIENCE, 2 * rhythm(r["at"] for r in ledger if r["source"] in names))
    since = max(heard)
    if now - since <= patience:
        return None
    known = max(s["last_ok_at"] for s in relevant if s["last_ok_at"] is not None)
    return Silence(since, known if now - known > patience else None, not running)


def rhythm(moments: Iterable[int]) -> float:
    """The usual time between two rounds of requests, in seconds; 0 of fewer than two rounds."""
    ordered = sorted(moments)
    apart = [b - a for a, b in itertools.pairwise(ordered) if b - a >= ROUND]
    return statistics.median(apart) if apart else 0.0
