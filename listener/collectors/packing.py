"""Brands in, as few queries as a platform's search allows out: best-weighted spellings first. Pure.

A platform says what its search understands in a ``Grammar``; ``pack`` puts names, hashtags,
handles and misspellings into queries within it and tells what did not fit. Brands whose
exclusions, context words and languages agree share a query, since those hold for the whole of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from listener.mention import Query

if TYPE_CHECKING:
    from listener.collectors import Collector, Options
    from listener.matching import BrandTerms

Kind = Literal["term", "handle", "hashtag"]
MOST_VARIANTS = 50  # generated spellings of a name that are considered at all


@dataclass(frozen=True, slots=True)
class Grammar:
    """What a platform's search understands. ``None`` for a template: it cannot be asked for.

    ``max_length`` is in characters of the query as rendered; ``max_terms`` is how many alternatives
    one query may hold (1 where there is no OR). ``groups``: parentheses and context words work.
    """

    max_length: int | None = None
    max_terms: int | None = None
    max_queries: int = 8
    either: str = " OR "
    phrase: str = '"{}"'
    handle: str | None = "@{}"
    hashtag: str | None = "#{}"
    exclude: str | None = "-{}"
    language: str | None = None
    groups: bool = True
    always_quoted: bool = False
    kinds: frozenset[Kind] = frozenset({"term", "handle", "hashtag"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """One thing to look for: how it is written, for which brand, and how much it is worth
    (0..1)."""

    brand: str
    text: str
    kind: Kind
    weight: float


def pack(
    brands: Sequence[BrandTerms],
    collector_class: type[Collector],
    options: Options | None = None,
) -> tuple[list[Query], list[str]]:
    """The queries of a source, and what did not fit, one line each.

    A collector with endpoints of its own (mentions, feeds, hashtags) has its own ``plan_queries``;
    any other is packed by its ``grammar``; one that yields everything gets one query for all.
    """
    names = tuple(b.brand for b in brands)
    if collector_class.everything:
        terms = tuple(dict.fromkeys(c.text for c in candidates(brands, Grammar())))
        return [Query("all", names, terms)], []
    return collector_class.plan_queries(brands, options or collector_class.options())


def candidates(brands: Sequence[BrandTerms], grammar: Grammar) -> list[Candidate]:
    """What to look for in all brands, best first; each text once, for the brand that weighs it
    most."""
    best: dict[str, Candidate] = {}
    for brand in brands:
        for found in _of_brand(brand, grammar):
            key = f"{found.kind}:{found.text.lower()}"
            if key not in best or best[key].weight < found.weight:
                best[key] = found
    return sorted(best.values(), key=lambda c: (-c.weight, len(c.text), c.brand, c.text))


def _of_brand(brand: BrandTerms, grammar: Grammar) -> Iterator[Candidate]:
    suspended = {s.lower() for s in brand.suspended}
    given: list[Candidate] = []
    if "term" in grammar.kinds:
        given += [Candidate(brand.brand, n, "term", 1.0) for n in brand.names]
        given += [Candidate(brand.brand, m, "term", 0.9) for m in brand.misspellings]
    if grammar.hashtag is not None and "hashtag" in grammar.kinds:
        given += [Candidate(brand.brand, h.lstrip("#"), "hashtag", 0.97) for h in brand.hashtags]
    if grammar.handle is not None and "handle" in grammar.kinds:
        given += [Candidate(brand.brand, h.lstrip("@"), "handle", 0.98) for h in brand.handles]
    if brand.auto and "term" in grammar.kinds:
        from listener.misspellings import variants

        for name in brand.names:
            given += [
                Candidate(brand.brand, v.variant, "term", min(0.89, v.weight * 0.89))
                for v in variants(name, languages=brand.languages, limit=MOST_VARIANTS)
            ]
    for found in given:
        if found.text.strip() and found.text.lower() not in suspended:
            yield found


def search_queries(
    brands: Sequence[BrandTerms], grammar: Grammar, *, kind: str = "search"
) -> tuple[list[Query], list[str]]:
    """Greedy first fit, heaviest first: what fits nowhere and has no room for a new query is
    told."""
    by_name = {b.brand: b for b in brands}
    bins: list[Query] = []
    rules: list[tuple[Any, ...]] = []
    left: dict[str, list[str]] = {}
    words: dict[str, list[tuple[str, ...]]] = {}
    for found in candidates(brands, grammar):
        brand = by_name[found.brand]
        if _covered(found, words.setdefault(found.brand, []), grammar):
            continue
        if len(found.text) > (grammar.max_length or 10**6):
            left.setdefault(found.brand, []).append(found.text)
            continue
        rule = (
            brand.exclude,
            brand.context if grammar.groups else (),
            brand.languages if grammar.language is not None else (),
        )
        for index, query in enumerate(bins):
            grown = _with(query, found)
            if rules[index] == rule and fits(grown, grammar):
                bins[index] = grown
                words[found.brand].append(_words(found.text))
                break
        else:
            fresh = _start(found, brand, grammar, kind)
            if len(bins) < grammar.max_queries and fits(fresh, grammar):
                bins.append(fresh)
                rules.append(rule)
                words[found.brand].append(_words(found.text))
            else:
                left.setdefault(found.brand, []).append(found.text)
    told = [
        f"{name}: {len(texts)} spellings did not fit ({', '.join(texts[:8])}"
        + (", …)" if len(texts) > 8 else ")")
        for name, texts in left.items()
    ]
    return _named(bins, grammar, kind), told


def _words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\w+", text.lower()))


def _covered(found: Candidate, placed: Sequence[tuple[str, ...]], grammar: Grammar) -> bool:
    """Whether a shorter term finds it anyway: searches compare words, so Acme finds "Acme's
    kettle"."""
    if found.kind != "term" and grammar.max_terms != 1:
        return False
    own = _words(found.text)
    return any(
        own[i : i + len(words)] == words
        for words in placed
        for i in range(len(own) - len(words) + 1)
    )


def _start(found: Candidate, brand: BrandTerms, grammar: Grammar, kind: str) -> Query:
    """A query of one term. Exclusions and context are left out where they would not leave it
    room."""
    exclude = brand.exclude if grammar.exclude is not None else ()
    query = Query(
        kind,
        (),
        (),
        exclude=exclude,
        context=brand.context if grammar.groups else (),
        languages=brand.languages if grammar.language is not None else (),
    )
    query = _with(query, found)
    while query.exclude and not fits(query, grammar):
        query = replace(query, exclude=query.exclude[:-1])
    return query if fits(query, grammar) else replace(query, context=(), languages=())


def _with(query: Query, found: Candidate) -> Query:
    brands = tuple(dict.fromkeys((*query.brands, found.brand)))
    if found.kind == "handle":
        return replace(query, brands=brands, handles=(*query.handles, found.text))
    if found.kind == "hashtag":
        return replace(query, brands=brands, hashtags=(*query.hashtags, found.text))
    return replace(query, brands=brands, terms=(*query.terms, found.text))


def fits(query: Query, grammar: Grammar) -> bool:
    """Whether the query, as it would be sent, is within the platform's limits."""
    size = len(query.terms) + len(query.handles) + len(query.hashtags)
    if grammar.max_terms is not None and size > grammar.max_terms:
        return False
    return grammar.max_length is None or len(render(query, grammar)) <= grammar.max_length


def _named(bins: Sequence[Query], grammar: Grammar, kind: str) -> list[Query]:
    """Names that stay the same while a query grows or shrinks by a spelling: they key the
    cursors."""
    named: list[Query] = []
    for query in bins:
        if grammar.max_terms == 1:
            label = (query.terms + query.handles + query.hashtags)[0].lower()
        else:
            label = "+".join(sorted(query.brands))
        name = f"{kind}:{label}"
        again = sum(1 for other in named if other.name.partition("#")[0] == name)
        named.append(replace(query, name=f"{name}#{again + 1}" if again else name))
    return named


def render(query: Query, grammar: Grammar) -> str:
    """The query as the platform's search reads it."""
    terms = [quoted(term, grammar) for term in query.terms]
    others = [grammar.handle.format(h) for h in query.handles if grammar.handle is not None]
    others += [grammar.hashtag.format(h) for h in query.hashtags if grammar.hashtag is not None]
    if query.context and terms and grammar.groups:
        context = grammar.either.join(quoted(c, grammar) for c in query.context)
        spelled = _group(grammar.either.join(terms), len(terms))
        named = f"{spelled} {_group(context, len(query.context))}"
        wanted = [f"({named})" if others else named, *others]
    else:
        wanted = [*terms, *others]
    text = grammar.either.join(wanted)
    exclude = [
        grammar.exclude.format(quoted(word, grammar))
        for word in query.exclude
        if grammar.exclude is not None
    ]
    languages = [grammar.language.format(code) for code in query.languages if grammar.language]
    if grammar.groups:
        text = _group(text, len(wanted) if exclude or languages else 1)
        language = _group(grammar.either.join(languages), len(languages))
        return " ".join(part for part in (text, *exclude, language) if part)
    return " ".join([text, *exclude])


def _group(text: str, size: int) -> str:
    return f"({text})" if size > 1 else text


def quoted(term: str, grammar: Grammar) -> str:
    """A term as a phrase when it has more than letters and digits; its own quotes are dropped."""
    bare = term.replace('"', " ").strip()
    operators = {"or", "and", "not"}
    plain = bare.replace("_", "").isalnum() and bare.lower() not in operators
    plain = plain and not grammar.always_quoted
    return bare if plain else grammar.phrase.format(bare)
