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


@pytest.mark.parametrize(
    ("phrase", "post"),
    [
        ("最悪", "マジで最悪です。アクメ"),
        ("差评", "这个产品真的差评太多了"),
        ("ห่วย", "บริการห่วยมากเลย"),
        ("acme最悪", "またacme最悪だった"),
        ("doesn't work", "The app doesn’t work"),
        ("doesn’t work", "The app doesn't work"),
        ("A&B fail", "A&amp;B fail again"),
        ("war zone", "in the war&nbsp;zone"),
        ("बेकार", "यह बेकार है"),
    ],
)
def test_a_phrase_is_found_as_people_write_it(phrase: str, post: str) -> None:
    rule = PhraseRule(phrase, "negative")
    assert first_match(post, [rule]) is rule


@pytest.mark.parametrize(
    ("phrase", "post"),
    [("चोर", "चोरी हो गई"), ("ok", "token"), ("ok最悪", "tok最悪"), ("最悪", "最善")],
)
def test_a_part_of_another_word_is_not_the_phrase(phrase: str, post: str) -> None:
    assert first_match(post, [PhraseRule(phrase, "negative")]) is None


def test_a_phrase_of_signs_alone_matches_too() -> None:
    rule = PhraseRule("🔥🔥", "positive")
    assert first_match("acme🔥🔥", [rule]) is rule


@pytest.mark.parametrize(
    ("phrase", "label"), [("sick", "great"), ("  ", "positive"), ("&nbsp;", "neutral")]
)
def test_a_rule_that_cannot_work_says_why(phrase: str, label: str) -> None:
    with pytest.raises(SentimentError, match=r"one of negative, neutral, positive|empty phrase"):
        PhraseRule(phrase, label)
