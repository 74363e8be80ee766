"""Phrase rules: what a brand's own people know better than any model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

LABELS = ("negative", "neutral", "positive")


@dataclass(frozen=True)
class PhraseRule:
    """Posts that hold ``phrase`` (whole words, any case, any white space) get ``label``."""

    phrase: str
    label: str

    def __post_init__(self) -> None:
        from sentiment.errors import SentimentError

        if self.label not in LABELS:
            raise SentimentError(
                f"phrase rule {self.phrase!r} has the label {self.label!r}; "
                f"use one of {', '.join(LABELS)}"
            )
        if not self.phrase.strip():
            raise SentimentError(
                "a phrase rule has an empty phrase; write the words it should match"
            )


@lru_cache(maxsize=4096)
def _pattern(phrase: str) -> re.Pattern[str]:
    words = r"\s+".join(re.escape(w) for w in phrase.split())
    left = r"(?<!\w)" if re.match(r"\w", phrase.strip()) else ""
    right = r"(?!\w)" if re.search(r"\w$", phrase.strip()) else ""
    return re.compile(left + words + right, re.IGNORECASE)


def first_match(text: str, rules: Sequence[PhraseRule]) -> PhraseRule | None:
    """Return the rule that decides ``text``: the longest phrase found, the earlier rule on a tie."""
    found = [rule for rule in rules if _pattern(rule.phrase).search(text)]
    return max(found, key=lambda rule: len(rule.phrase), default=None)
