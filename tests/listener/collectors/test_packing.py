"""Packing: as few queries as the grammar allows, best first; what did not fit is told."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from listener.collectors import Collector, registered
from listener.collectors.hackernews import HackerNews
from listener.collectors.packing import Grammar, candidates, pack, render, search_queries
from listener.collectors.x import X, XOptions
from listener.matching import BrandTerms

X_GRAMMAR = Grammar(max_length=512, max_queries=2)


def brand(name: str = "Acme", **more: object) -> BrandTerms:
    return BrandTerms(name, (name,), **{"auto": False, **more})  # type: ignore[arg-type]


def test_brands_that_share_their_rules_share_a_query() -> None:
    queries, left = search_queries([brand("Acme"), brand("Kettle"), brand("Tea Co")], X_GRAMMAR)
    assert [render(q, X_GRAMMAR) for q in queries] == ['Acme OR Kettle OR "Tea Co"']
    assert queries[0].brands == ("Acme", "Kettle", "Tea Co")
    assert left == []


def test_exclusions_hold_for_their_brand_alone() -> None:
    brands = [brand("Delta", exclude=("delta variant", "river")), brand("Acme")]
    queries, _ = search_queries(brands, X_GRAMMAR)
    assert [render(q, X_GRAMMAR) for q in queries] == [
        "Acme",
        'Delta -"delta variant" -river',
    ]


def test_context_words_stand_beside_names_but_not_beside_handles() -> None:
    one = brand("Delta", context=("flight", "gate"), handles=("delta",), hashtags=("flydelta",))
    (query,), _ = search_queries([one], X_GRAMMAR)
    assert render(query, X_GRAMMAR) == "(Delta (flight OR gate)) OR @delta OR #flydelta"


def test_a_longer_spelling_that_a_shorter_one_finds_is_not_asked_for_twice() -> None:
    one = BrandTerms("Delta", ("Delta", "Delta Air Lines"), misspellings=("detla",), auto=False)
    (query,), left = search_queries([one], X_GRAMMAR)
    assert query.terms == ("Delta", "detla")
    assert left == []


def test_generated_misspellings_fill_the_query_best_first_and_the_rest_is_told() -> None:
    one = BrandTerms("Lufthansa", ("Lufthansa",), misspellings=("luffti",))
    narrow = Grammar(max_length=80, max_queries=1)
    (query,), left = search_queries([one], narrow)
    assert len(render(query, narrow)) <= 80
    assert query.terms[:2] == ("Lufthansa", "luffti")  # names, then the user's own, then generated
    weights = [c.weight for c in candidates([one], narrow)]
    assert weights == sorted(weights, reverse=True)
    assert len(left) == 1
    assert re.match(r"Lufthansa: \d+ spellings did not fit \(", left[0])


def test_suspended_spellings_are_left_out() -> None:
    one = BrandTerms(
        "Acme", ("Acme",), misspellings=("acne",), auto=False, suspended=frozenset({"acne"})
    )
    assert [c.text for c in candidates([one], X_GRAMMAR)] == ["Acme"]


def test_one_term_a_query_where_there_is_no_or() -> None:
    one = BrandTerms("Acme", ("Acme Tea",), misspellings=("akme",), hashtags=("acme",), auto=False)
    queries, _ = HackerNews.plan_queries([one], HackerNews.options())
    assert [(q.name, HackerNews.query_text(q)) for q in queries] == [
        ("search:acme tea", '"Acme Tea"'),
        ("search:akme", '"akme"'),
    ]


def test_names_stay_when_a_spelling_is_added_so_that_the_cursor_holds() -> None:
    before, _ = search_queries([brand("Acme")], X_GRAMMAR)
    after, _ = search_queries([brand("Acme", misspellings=("akme",))], X_GRAMMAR)
    assert [q.name for q in before] == [q.name for q in after] == ["search:Acme"]


def test_operators_and_quotes_in_names_stay_words() -> None:
    one = BrandTerms("Odd", ("OR", 'the "best" tea', "C&A", "snake_case"), auto=False)
    (query,), _ = search_queries([one], X_GRAMMAR)
    assert render(query, X_GRAMMAR) == '"OR" OR "C&A" OR snake_case OR "the  best  tea"'


NAMES = st.text(st.characters(categories=("Lu", "Ll", "Nd", "Zs", "Po")), min_size=1, max_size=30)
BRANDS = st.lists(
    st.builds(
        lambda n, names, ex, ctx: BrandTerms(
            f"b{n}", tuple(names), exclude=tuple(ex), context=tuple(ctx), auto=False
        ),
        st.integers(0, 10**6), st.lists(NAMES, min_size=1, max_size=12),
        st.lists(NAMES, max_size=6), st.lists(NAMES, max_size=4),
    ),
    min_size=1, max_size=4, unique_by=lambda b: b.brand,
)  # fmt: skip


@given(BRANDS)
@settings(max_examples=20, deadline=None)
def test_every_query_of_every_platform_keeps_to_its_grammar(brands: list[BrandTerms]) -> None:
    for platform, found in registered().items():
        if found.everything or not issubclass(found, Collector):
            continue
        queries, left = pack(brands, found)
        names = [q.name for q in queries]
        assert len(names) == len(set(names)), platform
        limit = found.grammar.max_length if found.grammar else found.max_query_length
        for query in queries:
            if query.name.startswith("search:"):
                assert len(found.query_text(query)) <= (limit or 10**6), platform
        assert all(isinstance(line, str) for line in left)


@given(BRANDS)
@settings(max_examples=40, deadline=None)
def test_nothing_is_dropped_in_silence(brands: list[BrandTerms]) -> None:
    queries, left = X.plan_queries(brands, XOptions(max_queries=50))
    placed = " ".join(X.query_text(q) for q in queries).lower()
    for one in brands:
        for name in one.names:
            word = name.replace('"', " ").strip().lower()
            told = any(line.startswith(one.brand) for line in left)
            assert not word or told or word in placed or _covered(word, queries)


def _covered(word: str, queries: list[object]) -> bool:
    tokens = re.findall(r"\w+", word)
    texts = [re.findall(r"\w+", t.lower()) for q in queries for t in q.terms]  # type: ignore[attr-defined]
    return any(tokens[i : i + len(t)] == t for t in texts for i in range(len(tokens) - len(t) + 1))
