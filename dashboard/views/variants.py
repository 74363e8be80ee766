"""How each spelling fares: what it finds, what only it finds, and how much of that is right."""

from __future__ import annotations

import streamlit as st

from dashboard import data, figures, frame, pieces
from dashboard.frame import Scope

SHOWN = 60


def show(stamp: str, at: Scope) -> None:
    records = data.variants(stamp)
    brands = at.where.brands
    kept = [r for r in records if not brands or r.brand in brands]
    frame.html(
        pieces.notice(
            "plain",
            "A spelling's precision comes from the posts that people have set right in Mentions "
            "(✕ not this brand, or a judgement); without any it is unknown.",
        )
    )
    trouble = st.session_state.pop("trouble", None)
    if trouble:
        frame.html(pieces.notice("fault", pieces.safe(trouble)))
    frame.html(pieces.heading(f"{len(kept)} spellings have matched", "all time, most hits first"))
    frame.html(
        '<div class="gs-wide">'
        + pieces.plain_table(
            ("Spelling", "of", "kind", "hits", "only by it", "looked at", "right"),
            [
                (
                    r.variant,
                    r.brand,
                    r.kind,
                    _found(r.brand, r.variant, r.kind, figures.count(r.hits)),
                    figures.count(r.only),
                    figures.count(r.reviewed),
                    _right(r.precision, r.low, r.high),
                )
                for r in kept[:SHOWN]
            ],
        )
        + "</div>"
    )
    doubtful = [r for r in kept if r.suspend or r.suspended]
    frame.html(pieces.heading("Switched off, or better so", f"{len(doubtful)} spellings"))
    if not doubtful:
        frame.html(pieces.nothing("No spelling is known to find more wrong posts than right ones."))
    for r in doubtful:
        with st.container(horizontal=True, vertical_alignment="center"):
            name = _found(r.brand, r.variant, r.kind, pieces.safe(r.variant))
            frame.html(f"<b>{name}</b> ({pieces.safe(r.brand)})")
            frame.html(f'<span class="gs-scope">{pieces.safe(r.reason or "switched off")}</span>')
            st.button(
                "Switch on" if r.suspended else "Switch off",
                key=f"v:{r.brand}:{r.variant}",
                on_click=_switch,
                args=(r.brand, r.variant, not r.suspended),
            )


def _found(brand: str, variant: str, kind: str, words: str) -> str:
    """A link to all that a spelling found, where a person says how much of it is right."""
    return pieces.inside(
        "mentions", words, brand=brand, span="all", spelling=variant, kind=kind
    )  # fmt: skip


def _right(precision: float | None, low: float | None, high: float | None) -> str:
    if precision is None:
        return "unknown"
    return f"{figures.percent(precision)} % ({figures.percent(low)}–{figures.percent(high)})"


def _switch(brand: str, variant: str, off: bool) -> None:
    problem = data.suspend(brand, variant, off)
    if problem:
        st.session_state["trouble"] = problem


frame.open_page("Spellings", show, living=False, by_brand=True)
