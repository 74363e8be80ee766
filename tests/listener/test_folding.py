"""How a text is searched: case and accents do not matter, letters and signs do."""

from __future__ import annotations

import unicodedata

import pytest

from listener.folding import says, searched


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("un café", "cafe"), ("un cafe", "café"), ("un cafe\u0301", "café"), ("NÃO", "nao"),
        ("dla Łodzi", "lodzi"), ("smørrebrød", "smorrebrod"), ("Việt Nam đó", "viet nam do"),
        ("ёлка", "елка"), ("Καλός", "καλος"), ("ПАРАЎ", "параў"), ("אֶחָד", "אחד"), ("مُحَمَّد", "محمد"),
        ("ｆｕｌｌ", "full"), ("it doesn’t", "doesn't"), ("it doesn't", "doesn’t"),
        ("Straße", "STRASSE"),
        ("100% für R$ 5", "fur r$ 5"), ("gi\u0306t", "git"),
        ("한글", "한글"), ("\u1112\u1161\u11ab", "한"),
        ("#quen\u2060daro", "quendaro"),
    ],
)  # fmt: skip
def test_a_search_finds_words_however_they_are_accented(text: str, words: str) -> None:
    assert says(text, searched(words))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("के", "को"), ("कि", "की"), ("ที่", "ท่"), ("か", "が"), ("が", "か"), ("мой", "мои"),
        ("한", "하"), ("ক", "কা"), ("100%", "100 "), ("c++", "c--"), ("café", "cafes"),
    ],
)  # fmt: skip
def test_marks_that_are_letters_tell_words_apart(text: str, words: str) -> None:
    assert not says(text, searched(words))


def test_no_letter_is_lost_to_the_quick_look_before_a_search() -> None:
    """``says`` looks for ASCII words in what is left of a text without marks and other scripts."""
    for code in range(0x80, 0x110000):
        letter = chr(code)
        if unicodedata.category(letter) in ("Cn", "Co", "Cs"):
            continue
        form = searched(letter)
        for words in {form, *form}:
            assert not words or says(f"é{letter}", words), hex(code)
