"""Themes: what founds one, what joins it, and that it stays itself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sentiment.themes import Terms, Theme, Vocabulary, alike, discover, nearest, terms

BAGS = "my bag was lost at baggage claim {}"
PHONE = "on hold for hours with your phone line {}"
OTHER = ("seat {} broken", "wifi {} down", "crew {} rude", "meal {} cold", "app {} crashes")


def made(n: int = 30) -> tuple[list[Terms], Vocabulary]:
    texts = [BAGS.format(f"b{i}") for i in range(n)] + [PHONE.format(f"p{i}") for i in range(n)]
    texts += [OTHER[i % 5].format(f"o{i}") for i in range(10)]
    posts = [terms(text) for text in texts]
    vocabulary = Vocabulary()
    vocabulary.add(posts)
    return posts, vocabulary


def test_what_is_said_together_makes_a_theme_and_the_rest_none() -> None:
    posts, vocabulary = made(80)
    groups = discover(posts, vocabulary)
    assert [set(g) for g in groups] == [set(range(80)), set(range(80, 160))]
    assert discover(posts[:3], vocabulary) == []
    assert discover([], vocabulary) == []


def test_the_same_posts_give_the_same_themes() -> None:
    posts, vocabulary = made(60)
    assert discover(posts, vocabulary) == discover(list(posts), vocabulary)


def test_a_post_joins_what_it_speaks_of_and_nothing_when_it_speaks_of_nothing_known() -> None:
    posts, vocabulary = made()
    bags, phone = Theme(1), Theme(2)
    bags.add(posts[:30], vocabulary)
    phone.add(posts[30:60], vocabulary)
    known = {t.id: t.weights(vocabulary) for t in (bags, phone)}
    found, like = nearest(terms("where is my lost bag?"), known, vocabulary)
    assert found == 1
    assert like > 0.25
    assert nearest(terms("still on hold, your phone line"), known, vocabulary)[0] == 2
    assert nearest(terms("zzz unheard of"), known, vocabulary) == (None, 0.0)
    assert alike(known[1], known[1]) > 0.999
    assert alike(known[1], known[2]) == 0.0


def test_a_name_is_of_what_is_told_there_and_not_elsewhere() -> None:
    posts, vocabulary = made()
    bags = Theme(1)
    bags.add(posts[:30], vocabulary)
    assert set(bags.name(vocabulary).replace(",", "").split()) <= {
        "bag",
        "lost",
        "baggage",
        "claim",
    }
    assert Theme(2).name(vocabulary) == "not named"


def test_a_word_that_one_post_has_is_forgotten() -> None:
    posts = [terms("my name is Wilhelmina and my bag is lost"), terms("my bag is lost")]
    vocabulary, theme = Vocabulary(), Theme(1)
    vocabulary.add(posts)
    theme.add(posts, vocabulary)
    assert "wilhelmina" not in theme.terms
    assert theme.terms["bag"] == 2
    vocabulary.forget(posts[:1])
    assert "wilhelmina" in vocabulary.seen, "another post may still say it"
    vocabulary.forget(posts[1:])
    assert "wilhelmina" not in vocabulary.seen
    assert vocabulary.seen["bag"] == 2


def test_the_brand_itself_is_no_term() -> None:
    assert terms("Aurora Air lost my bag", ("Aurora Air",)) >= {"lost", "bag"}
    assert "aurora" not in " ".join(terms("Aurora Air lost my bag", ("Aurora Air",)))


@given(st.lists(st.text(max_size=60), max_size=40))
def test_no_text_breaks_it(texts: list[str]) -> None:
    posts = [terms(text) for text in texts]
    vocabulary = Vocabulary()
    vocabulary.add(posts)
    for group in discover(posts, vocabulary):
        assert set(group) <= set(range(len(posts)))
        theme = Theme(1)
        theme.add([posts[i] for i in group], vocabulary)
        for i in group:
            assert 0 <= nearest(posts[i], {1: theme.weights(vocabulary)}, vocabulary)[1] <= 1.000001
