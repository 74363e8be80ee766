"""Cases: what was asked of the brand, whether it was answered, and how long that took."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from listener import kpi

if TYPE_CHECKING:
    from listener.store import Filter, Store


def response_summary(store: Store, where: Filter) -> dict[str, Any]:
    """How much was answered and how fast, for ``status`` and ``inbox``.

    Two ways of counting, both kept: *conversations* looks at the first mention of a brand in each
    thread (the first response time of the field), *mentions* at every one. A share is of those
    whose thread could be read: ``unknown`` ones are in neither part. Minutes are of the clock that
    starts when the mention was published; ``by_platform`` has them by channel.
    """
    counts = store.case_counts(where)
    times = store.response_times(where)

    def part(rows: list[dict[str, Any]], answered: list[dict[str, Any]]) -> dict[str, Any]:
        by_state = {"answered": 0, "unanswered": 0, "unknown": 0}
        for row in rows:
            by_state[row["thread_state"]] += row["cases"]
        minutes = [(r["answered_at"] - r["published_at"]) / 60 for r in answered]
        known = by_state["answered"] + by_state["unanswered"]
        return {
            **by_state,
            "share_unanswered": kpi.share(by_state["unanswered"], known),
            "median_first_response_minutes": kpi.median(minutes),
            "p90_first_response_minutes": kpi.percentile(minutes, 0.9),
        }

    opening_counts = [r for r in counts if r["opening"]]
    opening_times = [r for r in times if r["opening"]]
    return {
        "conversations": part(opening_counts, opening_times),
        "mentions": part(counts, times),
        "by_platform": {
            platform: part(
                [r for r in opening_counts if r["platform"] == platform],
                [r for r in opening_times if r["platform"] == platform],
            )
            for platform in sorted({r["platform"] for r in counts})
        },
    }
