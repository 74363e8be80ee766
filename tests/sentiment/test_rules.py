from __future__ import annotations

import pytest

from sentiment.errors import SentimentError
from sentiment.rules import PhraseRule, first_match


def test_a_phrase_matches_whole_words_in_any_case_and_spacing() -> None:
    rule = PhraseRule("sick deals", "positive")
    assert first_match("These SICK   deals!", [rule]) is rule
    assert first_match("homesick deals", [rule]) is None


def test_the_longest_phrase_decides() -> None:
    short, long = PhraseRule("war", "negative"), PhraseRule("war zone", "neutral")
    assert first_match("meet me in the war zone", [short, long]) is long


def test_a_phrase_of_signs_alone_matches_too() -> None:
    rule = PhraseRule("🔥🔥", "positive")
    assert first_match("acme🔥🔥", [rule]) is rule


@pytest.mark.parametrize(("phrase", "label"), [("sick", "great"), ("  ", "positive")])
def test_a_rule_that_cannot_work_says_why(phrase: str, label: str) -> None:
    with pytest.raises(SentimentError, match=r"one of negative, neutral, positive|empty phrase"):
        PhraseRule(phrase, label)
