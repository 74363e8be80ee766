"""Copies come together, strangers do not, memory stays as it is."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from listener.duplicates import SHORTEST, Grouper, core, flood, letters

WORDS = (  # noqa: SIM905
    "flight delayed again hours waiting gate nobody tells anything bag lost service phone hold "
    "tomorrow money back please help crew great thanks seat booking cancelled weather airport line "
    "why never answer email refund voucher hotel night children tired angry calm coffee water plane"
).split()


def post(rng: random.Random) -> str:
    return " ".join(rng.choices(WORDS, k=14))


def edited(text: str, share: float, rng: random.Random) -> str:
    chars = list(text)
    for _ in range(int(len(chars) * share)):
        i = rng.randrange(len(chars))
        chars[i : i + 1] = rng.choice(([], [rng.choice("abcdefgh ")], [chars[i], "x"]))
    return "".join(chars)


def test_lightly_edited_copies_join_and_others_do_not() -> None:
    rng = random.Random(1)
    grouper = Grouper(window=5000)
    posts = [post(rng) for _ in range(600)]
    assert [grouper.add(str(i), p) for i, p in enumerate(posts)] == [str(i) for i in range(600)]
    joined = sum(grouper.add(f"c{i}", edited(p, 0.10, rng)) == str(i) for i, p in enumerate(posts))
    assert joined / 600 >= 0.95


def test_dress_does_not_matter() -> None:
    grouper = Grouper()
    assert grouper.add("a", "Delta lost my bag again, what a day! https://t.co/abc") == "a"
    for key, text in {
        "b": "RT @someone: Delta lost my bag again, what a day! https://t.co/xyz",
        "c": "@delta DELTA lost my bag again — what a day!!!",
        "d": "Delta lost my bag again, what a day! via @thing",
    }.items():
        assert grouper.add(key, text) == "a"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("@united thank you!", "@jetblue Thank you"),
        ("@united just sent! Thanks :)", "@united just sent - thank you!"),
        ("@united your customer service is crap.", "@united your customer service is terrible"),
        ("@jetblue thank you very much!", "@delta @someone Thank you both very much!!"),
        # Only the handles of the thread, and what each says of it is an emoji.
        ("@ana @tesco @aldi @bea @cy @dee 👏👏👏", "@ana @tesco @aldi @bea @cy @eve"),
        ("", ""),
    ],
)
def test_what_people_say_in_their_own_few_words_is_no_copy(one: str, other: str) -> None:
    grouper = Grouper()
    assert (grouper.add("a", one), grouper.add("b", other)) == ("a", "b")


def test_a_short_text_with_the_same_link_is_a_copy() -> None:
    grouper = Grouper()
    assert grouper.add("a", "Win big https://spam.example/1") == "a"
    assert grouper.add("b", "win  big https://spam.example/1") == "a"
    assert grouper.add("c", "win big https://spam.example/2") == "c"
    assert Grouper(earlier=grouper.groups()).add("d", "win big https://spam.example/1") == "a"


def test_scripts_without_blanks_say_more_in_fewer_letters() -> None:
    grouper = Grouper()
    assert grouper.add("a", "荷物がまだ届きません") == "a"
    assert grouper.add("b", "荷物がまだ届きません！") == "a"
    assert grouper.add("c", "ありがとう") == "c"
    assert grouper.add("d", "ありがとう") == "d"


def test_the_window_is_kept_and_groups_still_heard_of_stay() -> None:
    rng = random.Random(2)
    grouper = Grouper(window=50)
    first = post(rng)
    grouper.add("first", first)
    for i in range(400):
        grouper.add(str(i), post(rng))
        assert grouper.add(f"again{i}", first) == "first"
    assert len(grouper) == 50
    assert len(grouper._same) <= 50
    quiet = Grouper(window=50)
    quiet.add("first", first)
    for i in range(60):
        quiet.add(str(i), post(rng))
    assert quiet.add("late", first) == "late"


def test_state_can_be_kept_and_taken_up() -> None:
    rng = random.Random(3)
    posts = [post(rng) for _ in range(40)]
    grouper = Grouper()
    for i, p in enumerate(posts):
        grouper.add(str(i), p)
    later = Grouper(earlier=list(grouper.groups()))
    assert [later.add(f"n{i}", edited(p, 0.03, rng)) for i, p in enumerate(posts)] == [
        str(i) for i in range(40)
    ]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(max_size=80), max_size=12))
def test_any_text_has_a_group_that_exists(texts: list[str]) -> None:
    grouper = Grouper(window=5)
    keys = {str(i) for i in range(len(texts))}
    for i, text in enumerate(texts):
        assert grouper.add(str(i), text) in keys
        if letters(core(text)) >= SHORTEST:
            assert grouper.add(f"again{i}", text) in keys


def test_floods_are_marked_and_people_are_not() -> None:
    machine = flood([(1000 + i, f"bot{i}") for i in range(12)])
    assert machine.flood
    assert "12 copies within one minute" in machine.reason
    assert flood([(i * 300, "one") for i in range(12)]).flood
    people = flood([(i * 40, f"person{i}") for i in range(30)])
    assert not people.flood
    assert people.authors == 30
    assert flood([(i * 400, None) for i in range(30)]).authors is None
    with pytest.raises(ValueError, match="at least one"):
        Grouper(window=0)
