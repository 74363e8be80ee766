"""Phrase rules: what a brand's own people know better than any model."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from sentiment.text import RUN_ON

LABELS = ("negative", "neutral", "positive")

# Vowel signs of India's scripts are no letters to Python, but चोरी is another word than चोर.
_SIGNS = "".join(c for c in map(chr, range(0x900, 0xE00)) if unicodedata.category(c)[0] == "M")
_LETTER = rf"(?![{RUN_ON}])[\w{_SIGNS}]"  # before or after which a word is not whole
_APOSTROPHES = str.maketrans(dict.fromkeys("’‘ʼ＇", "'"))


@dataclass(frozen=True)
class PhraseRule:
    """Posts that hold ``phrase`` (whole words, any case, any white space) get ``label``.

    In scripts without spaces it may stand anywhere. Apostrophes may be straight or curled, and
    entities of HTML (``&amp;``) are read as what they stand for.
    """

    phrase: str
    label: str

    def __post_init__(self) -> None:
        from sentiment.errors import SentimentError

        if self.label not in LABELS:
            raise SentimentError(
                f"phrase rule {self.phrase!r} has the label {self.label!r}; "
                f"use one of {', '.join(LABELS)}"
            )
        if not plain(self.phrase).strip():
            raise SentimentError(
                "a phrase rule has an empty phrase; write the words it should match"
            )


def plain(text: str) -> str:
    """``text`` with its entities read and its apostrophes straight, as phrases are compared."""
    return (html.unescape(text) if "&" in text else text).translate(_APOSTROPHES)


@lru_cache(maxsize=4096)
def _pattern(phrase: str) -> re.Pattern[str]:
    phrase = plain(phrase).strip()
    words = r"\s+".join(re.escape(w) for w in phrase.split())
    left = rf"(?<!{_LETTER})" if re.match(_LETTER, phrase) else ""
    right = rf"(?!{_LETTER})" if re.match(_LETTER, phrase[-1]) else ""
    return re.compile(left + words + right, re.IGNORECASE)


def first_match(text: str, rules: Sequence[PhraseRule]) -> PhraseRule | None:
    """Return the rule that decides ``text``: the longest phrase found, the earlier rule on a tie."""
    text = plain(text)
    found = [rule for rule in rules if _pattern(rule.phrase).search(text)]
    return max(found, key=lambda rule: len(rule.phrase), default=None)
