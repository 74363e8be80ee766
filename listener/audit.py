"""How each spelling fares: how much it finds, how much only it finds, how much of that is right.

People mark matches as wrong or right; those marks are a sample of a spelling's matches, so its
precision comes with an interval (Wilson 1927, 95 %), and a spelling is suspended only when even the
interval's upper end is too low: when the marks leave little doubt. Names, handles and links are
reported but never suspended, for they are what the user asked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

FLOOR = 0.5  # a spelling that is wrong more often than right does more harm than good
FEWEST = 5  # marks below which nothing is suspended
NEVER = frozenset({"name", "handle", "hashtag", "link", "own", "query"})
_Z = 1.959964


@dataclass(frozen=True, slots=True)
class VariantAudit:
    """One spelling's record. ``only`` counts posts that nothing else found; None where not known.

    A post is kept under its best match, and a name or handle always ranks above a misspelling, so the
    hits of a misspelling are posts that it alone found, unless the rows say otherwise.

    ``precision`` with ``low`` and ``high`` is over the posts that people reviewed; None without any.
    """

    brand: str
    variant: str
    kind: str
    hits: int
    only: int | None
    reviewed: int
    wrong: int
    precision: float | None
    low: float | None
    high: float | None
    suspended: bool
    suspend: bool
    reason: str


def wilson(right: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share, by Wilson's score method; (0, 1) of nothing."""
    if of <= 0:
        return 0.0, 1.0
    p, z2 = right / of, _Z * _Z
    middle = (p + z2 / (2 * of)) / (1 + z2 / of)
    half = _Z * math.sqrt(p * (1 - p) / of + z2 / (4 * of * of)) / (1 + z2 / of)
    return max(0.0, middle - half), min(1.0, middle + half)


def audit(
    rows: Iterable[Mapping[str, Any]],
    *,
    suspended: Mapping[str, frozenset[str]] | None = None,
    kept: Mapping[str, frozenset[str]] | None = None,
    floor: float = FLOOR,
    fewest: int = FEWEST,
) -> list[VariantAudit]:
    """Each spelling's record, those that do harm first, then by hits.

    ``rows`` have ``brand, variant, kind, hits`` and may have ``only, reviewed, wrong`` (the store's
    ``variant_hits``); ``suspended`` maps a brand to the spellings that are switched off already, and
    ``kept`` to those that a person brought back: they are never suspended again by themselves.
    """
    off = suspended or {}
    out = []
    for row in rows:
        hits, wrong = int(row["hits"]), int(_get(row, "wrong") or 0)
        reviewed = max(int(_get(row, "reviewed") or 0), wrong)
        only = _get(row, "only")
        if only is None and row["kind"] not in NEVER:
            only = hits
        low, high = wilson(reviewed - wrong, reviewed)
        back = row["variant"] in (kept or {}).get(row["brand"], frozenset())
        bad = not back and row["kind"] not in NEVER and reviewed >= fewest and high < floor
        already = row["variant"] in off.get(row["brand"], frozenset())
        reason = ""
        if bad:
            reason = (
                f"{wrong} of {reviewed} reviewed posts were not the brand: "
                f"right in {low:.0%} to {high:.0%}, {floor:.0%} is the least"
            )
        precision = (reviewed - wrong) / reviewed if reviewed else None
        out.append(
            VariantAudit(
                row["brand"], row["variant"], row["kind"], hits, None if only is None else int(only),
                reviewed, wrong, precision, low if reviewed else None, high if reviewed else None,
                already, bad and not already, reason,
            )
        )  # fmt: skip
    return sorted(out, key=lambda a: (not a.suspend, -a.hits, a.brand, a.variant))


def to_suspend(records: Iterable[VariantAudit]) -> list[tuple[str, str, str]]:
    """(brand, variant, reason) of the spellings to switch off now."""
    return [(r.brand, r.variant, r.reason) for r in records if r.suspend]


def _get(row: Mapping[str, Any], key: str) -> Any:
    try:
        return row[key]
    except (KeyError, IndexError):
        return None
