from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.text import MAX_CHARACTERS, clause, normalise, normalise_marked, window


@pytest.mark.parametrize(
    ("post", "read"),
    [
        ("@acme you lost my bag https://t.co/abc", "@user you lost my bag http"),
        ("write to help@acme.com", "write to help@acme.com"),
        ("soooooo   gooood!!!!!!", "sooo goood!!!"),
        ("call 1000000 or 0000", "call 1000000 or 0000"),
        ("thanks&amp;bye\n\nsee www.acme.com/x", "thanks&bye see http"),
        ("ask @acme@mastodon.social.", "ask @user."),
        ("great 👍🏽 ❤️", "great 👍 ❤"),
        ("\u200b  \ufeff", ""),
    ],
)
def test_a_post_reads_as_the_training_texts_do(post: str, read: str) -> None:
    assert normalise(post) == read


@given(st.text(max_size=300))
def test_normalising_twice_changes_nothing_more_than_once(post: str) -> None:
    once = normalise(post)
    assert len(once) <= MAX_CHARACTERS
    assert "\n" not in once
    assert once == once.strip()


PLACES = st.tuples(st.integers(-5, 130), st.integers(-5, 130))


@given(st.text(max_size=120), PLACES, st.lists(PLACES, max_size=4))
def test_marked_spans_lie_inside_the_text_and_apart(
    post: str, span: tuple[int, int], also: list[tuple[int, int]]
) -> None:
    text, spans = normalise_marked(post, span, tuple(also))
    assert all(0 <= a < b <= len(text) for a, b in spans)
    assert sorted(spans) == sorted(set(spans))
    ordered = sorted(spans)
    assert all(b <= c for (_, b), (c, _) in itertools.pairwise(ordered))


def test_the_mark_follows_its_brand_through_masking() -> None:
    post = "love my new Pixel, unlike the @acme_help brick it replaced"
    start = post.index("acme")
    text, spans = normalise_marked(post, (start, start + 4))
    assert text == "love my new Pixel, unlike the @user brick it replaced"
    assert [text[slice(*span)] for span in spans] == ["@user"]


def test_a_name_that_is_said_again_is_marked_again_and_the_asked_place_comes_first() -> None:
    post = "@Acme we love acmeland but #acme is late. @globex is not. Fix it ACME"
    start = post.rindex("ACME")
    text, spans = normalise_marked(post, (start, start + 4))
    assert text == "@user we love acmeland but #acme is late. @user is not. Fix it ACME"
    assert [text[slice(*span)] for span in spans] == ["ACME", "@user", "#acme"]
    assert spans[1] == (0, 5), "the handle of the same name, not the other brand's"


def test_a_brand_is_marked_by_its_other_names_too() -> None:
    post = "@acmehelp your bank is a joke, Acme Bank lost me. @globex never would"
    bank = post.index("Acme Bank")
    text, spans = normalise_marked(post, (1, 9), ((bank, bank + 9), (bank, bank + 4), (90, 99)))
    assert text == "@user your bank is a joke, Acme Bank lost me. @user never would"
    assert [text[slice(*span)] for span in spans] == ["@user", "Acme Bank"]
    assert spans[0] == (0, 5)


def test_a_masked_handle_is_no_name_that_could_be_said_again() -> None:
    assert normalise_marked("@user is better than @user", (0, 5))[1] == ((0, 5),)
    assert normalise_marked("@user is better than @user", (21, 26))[1] == ((21, 26),)


@pytest.mark.parametrize("again", ["quendaro", "#quendaro", "@quendaro", "quendaro@", "quendaro "])
def test_a_name_said_ten_thousand_times_costs_no_more_than_reading_it(again: str) -> None:
    post = "Quendaro " + again * 10_000
    size = len(again)
    also = tuple((9 + n * size, 9 + (n + 1) * size) for n in range(10_000))
    begun = time.process_time()
    assert normalise_marked(post, (0, 8))[1][0] == (0, 8)
    assert normalise_marked(post, (0, 8), also)[1][0] == (0, 8)
    assert time.process_time() - begun < 1, "it took minutes while each place walked its whole word"


def test_two_brands_of_a_text_without_spaces_have_a_mark_each() -> None:
    post = "オーロラ航空は最高だけど北斗航空は最悪です"
    for brand in ("オーロラ航空", "北斗航空"):
        start = post.index(brand)
        assert normalise_marked(post, (start, start + len(brand))) == (
            post,
            ((start, start + len(brand)),),
        )
    handle = "昨日@acmeは最悪でした"
    assert normalise_marked(handle, (3, 7)) == ("昨日@userは最悪でした", ((2, 7),))
    again = "北斗航空は最悪、もう北斗航空には乗らない"
    assert normalise_marked(again, (0, 4))[1] == ((0, 4), (10, 14))


def test_a_brand_inside_a_link_is_no_target() -> None:
    post = "look https://acme.com/deal now"
    text, spans = normalise_marked(post, (13, 17))
    assert text == "look http now"
    assert [text[slice(*span)] for span in spans] in ([], ["http"])


def test_a_brand_at_the_end_of_a_very_long_post_is_still_read() -> None:
    post = "word " * 3000 + "acme is awful"
    start = post.index("acme")
    text, spans = normalise_marked(post, (start, start + 4))
    assert [text[slice(*span)] for span in spans] == ["acme"]


def test_a_long_post_is_cut_to_the_sentences_around_its_brand() -> None:
    filler = "Nothing of note happened on this day in town. " * 20
    post = filler + "But acme was a delight. " + filler
    start = post.index("acme")
    cut, spans = window(post, ((start, start + 4), (0, 7)))
    assert len(cut) <= 360
    assert "acme was a delight" in cut
    assert [cut[slice(*span)] for span in spans] == ["acme"], "what lies outside has no mark"


def test_a_sentence_without_white_space_after_it_ends_too() -> None:
    post = "服务太差了。我讨厌Globex！「Acme很好。」我非常喜欢。"
    globex, acme = post.index("Globex"), post.index("Acme")
    assert clause(post, (globex, globex + 6)) == "我讨厌Globex！"
    assert clause(post, (acme, acme + 4)) == "「Acme很好。"


def test_a_long_post_without_spaces_keeps_what_stands_before_its_brand() -> None:
    post = "服务太差了，等了两个小时才上菜，" * 30 + "Acme太差了"
    start = post.index("Acme")
    cut, spans = window(post, ((start, start + 4),), 100)
    assert 50 < len(cut) <= 100
    assert [cut[slice(*span)] for span in spans] == ["Acme"]


def test_a_clause_stops_at_the_contrast() -> None:
    post = "Pixel is lovely, but acme broke twice. Fine."
    pixel, acme = post.index("Pixel"), post.index("acme")
    assert clause(post, (pixel, pixel + 5)) == "Pixel is lovely"
    assert clause(post, (acme, acme + 4)) == "but acme broke twice."
