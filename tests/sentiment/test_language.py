from __future__ import annotations

import pytest

from sentiment.language import UNKNOWN, detect


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("I really do not know what to think about this", "en"),
        ("je ne sais pas du tout ce qu'il faut en penser", "fr"),
        ("ich weiß wirklich nicht, was ich davon halten soll", "de"),
        ("สินค้าดีมากเลยครับ ส่งไวด้วย", "th"),
        ("এই ফোনটা একদম ভালো না", "bn"),
        ("यह फोन बिल्कुल अच्छा नहीं है और बहुत महंगा है", "hi"),
        ("yaar ye phone bahut accha hai, sab log le lo", "hi"),
        ("abeg una wey dey sell this thing, wetin dey happen", "pcm"),
        ("これはとても良いですね、ありがとう", "ja"),
        # words of Twi's and Pidgin's lists that others use every day
        ("Ne delujejo plačila na spletni strani", "sl"),
        ("Wo kann man denn hier ne Rechnung bekommen?", "de"),
        ("I am going to be late and this must not be my day", "en"),
    ],
)
def test_it_tells_the_language(text: str, code: str) -> None:
    assert detect([text])[0].code == code


@pytest.mark.parametrize(
    "text", ["", "   ", "😂😂😂", "@user http", "12345 !!!", "https://example.com/le/la/les"]
)
def test_it_says_unknown_where_there_is_nothing_to_go_by(text: str) -> None:
    found = detect([text])[0]
    assert (found.code, found.confidence) == (UNKNOWN, 0.0)


def test_confidence_is_a_share_and_order_is_kept() -> None:
    found = detect(
        ["Questo è davvero bellissimo, grazie", "", "Das ist wirklich sehr schön, danke"]
    )
    assert [f.code for f in found] == ["it", UNKNOWN, "de"]
    assert all(0 <= f.confidence <= 1 for f in found)
