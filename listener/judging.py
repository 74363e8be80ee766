"""Between the store's rows and the judge: a mention as an item to judge, a judgement as a score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from listener.store.stages import Score

if TYPE_CHECKING:
    from listener.store.base import Row
    from sentiment.model import Item, Judgement
    from sentiment.rules import PhraseRule


def item_of(row: Row, rules: Sequence[PhraseRule] = ()) -> Item:
    """A mention (``text, span_start, span_end, also``) with every place where its brand is named."""
    from sentiment.model import Item

    return Item(
        row["text"],
        target=(row["span_start"], row["span_end"]),
        also=spans_of(row["also"]),
        rules=rules,
    )


def spans_of(also: str) -> tuple[tuple[int, int], ...]:
    """The spans that "start:end start:end" holds."""
    pairs = (place.split(":") for place in also.split())
    return tuple((int(start), int(end)) for start, end in pairs)


def score_of(row: Row, said: Judgement) -> Score:
    """What is kept of ``said`` for the mention ``row``; a language that cannot be told is None."""
    language = None if said.language == "unknown" else said.language
    return Score(
        row["key"], row["brand"], said.label, said.negative, said.neutral, said.positive,
        said.confidence, language, said.intent, said.rule,
        (row["text"], row["span_start"], row["span_end"], row["also"]),
    )  # fmt: skip
