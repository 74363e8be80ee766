"""Themes of complaint: which stored theme a post joins, and which new ones the rest make. Pure.

A theme is how often each term stands in its posts. A post is compared with it by the cosine of their
terms, each weighed by how seldom it is among all complaints of the brand; so a theme stays itself from
day to day, whatever else is said. What joins no theme is factored by scikit-learn's non-negative matrix
factorisation (Lee and Seung, Nature 1999), each factor a list of terms that go together; a factor is a
theme when posts enough are close to it. The same posts in the same order give the same themes.
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sentiment.explain import terms_of

JOIN = 0.20  # cosine from which a post joins a theme that is there …
FOUND = 0.26  # … and from which it helps to found one
SAME = 0.5  # cosine of two themes from which they are one
LEAST = 8  # posts that found a theme, at least …
PART = 0.05  # … and this part of the posts that no theme has
PER_THEME = 80  # posts for each factor that is looked for
FEW, FACTORS = 3, 8  # looked for at least and at most, at one time
RARE = 3  # posts in which a term must stand to found a theme
TERMS = 60  # terms by which a theme is known
KEPT = 200  # terms kept of a theme, and …
WORDS = 20_000  # … of a brand
SHARE = 0.05  # of a theme's posts that a term must stand in to tell it

# Words that say how somebody feels or that somebody speaks, and of what they never say a thing. Those
# of other languages are weighed down by being frequent.
_EMPTY_TEXT = """
also already always another anyone bad best can't come couldn't didn't doesn't else every everyone
feel go going good got great guys hear i'd i'll i've isn't keep know last let let's long lot make may
maybe mean might need needs never new next nice nothing people probably put ready really right said
say says see seems should since someone something soon stop suck sucks sure take tell terrible thing
things think though today told tomorrow took trying until use used want wanted wasn't way we're we've
went won't work worse worst would wow yes yesterday yet you're you've absolutely actually ever
"""
_EMPTY = frozenset(_EMPTY_TEXT.split())

Terms = frozenset[str]
Weights = dict[str, float]


@dataclass(slots=True)
class Vocabulary:
    """In how many of ``posts`` complaints of a brand each term stood. Grows."""

    posts: int = 0
    seen: Counter[str] = field(default_factory=Counter)

    def weight(self, term: str) -> float:
        """How much a term says; 0 of one that is hardly known."""
        seen = self.seen.get(term, 0)
        return math.log((1 + self.posts) / (1 + seen)) + 1 if seen >= 2 else 0.0

    def add(self, posts: Sequence[Terms]) -> None:
        self.posts += len(posts)
        self.seen.update(term for terms in posts for term in terms)

    def forget(self, waiting: Sequence[Terms]) -> None:
        """Drop what only one post ever said, unless that one still waits: it may be a name."""
        here = {term for terms in waiting for term in terms}
        kept = {t: n for t, n in self.seen.items() if n > 1 or t in here}
        self.seen = Counter(_most(kept, WORDS))


@dataclass(slots=True)
class Theme:
    """A theme by its terms: in how many of its ``posts`` each stands. ``id`` never changes."""

    id: int
    posts: int = 0
    terms: Counter[str] = field(default_factory=Counter)

    def add(self, posts: Sequence[Terms], vocabulary: Vocabulary) -> None:
        """Take posts in; of their terms, those that the vocabulary knows from other posts too."""
        self.posts += len(posts)
        self.terms.update(t for terms in posts for t in terms if vocabulary.weight(t))
        if len(self.terms) > 2 * KEPT:
            self.terms = Counter(_most(self.terms, KEPT))

    def weights(self, vocabulary: Vocabulary) -> Weights:
        """Its terms by weight, of length 1: what posts are compared with."""
        found = {
            term: n / self.posts * vocabulary.weight(term)
            for term, n in self.terms.items()
            if n / self.posts >= SHARE
        }
        top = sorted(found.items(), key=lambda item: (-item[1], item[0]))[:TERMS]
        return _unit(dict(top))

    def name(self, vocabulary: Vocabulary, most: int = 3) -> str:
        """Its most telling terms: those of many of its posts and of few others."""
        told = []
        for term, n in self.terms.items():
            share = n / max(1, self.posts)
            usual = (vocabulary.seen.get(term, 0) + 1) / (vocabulary.posts + 1)
            if share >= SHARE and share > usual:
                told.append((share * math.log(share / usual), term))
        names: list[str] = []
        for _, term in sorted(told, key=lambda item: (-item[0], item[1])):
            words = set(term.split())
            if not any(words & set(name.split()) for name in names):
                names.append(term)
        return ", ".join(names[:most]) or "not named"


def _most(counted: Mapping[str, int], most: int) -> dict[str, int]:
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:most])


def terms(text: str, names: Iterable[str] = ()) -> Terms:
    """The terms of a post without those of the brand's own names."""
    left_out = _EMPTY.union(word for name in names for word in terms_of(name))
    return frozenset(t for t in terms_of(text) if not left_out.intersection((t, *t.split())))


def nearest(
    post: Terms, themes: Mapping[int, Weights], vocabulary: Vocabulary
) -> tuple[int | None, float]:
    """The theme most like a post, and how like (0..1); None where nothing is shared."""
    weights = _unit({term: vocabulary.weight(term) for term in sorted(post)})
    best, likest = None, 0.0
    for theme_id in sorted(themes):
        like = alike(weights, themes[theme_id])
        if like > likest:
            best, likest = theme_id, like
    return best, likest


def alike(one: Weights, other: Weights) -> float:
    """The cosine of two lists of weights of length 1."""
    if len(other) < len(one):
        one, other = other, one
    return sum(weight * other[term] for term, weight in one.items() if term in other)


def _unit(weights: Weights) -> Weights:
    length = math.sqrt(sum(w * w for w in weights.values()))
    return {term: w / length for term, w in weights.items() if w} if length else {}


def discover(posts: Sequence[Terms], vocabulary: Vocabulary) -> list[list[int]]:
    """Groups of posts (as places in ``posts``) that speak of one thing, the largest first.

    Few posts, or posts that share nothing, give none.
    """
    least = max(LEAST, math.ceil(PART * len(posts)))
    if len(posts) < least:
        return []
    counted = Counter(term for post in posts for term in post)
    words = sorted(t for t, n in counted.items() if n >= RARE and vocabulary.weight(t))
    place = {term: i for i, term in enumerate(words)}
    rows = [_unit({t: vocabulary.weight(t) for t in sorted(post)}) for post in posts]
    factors, strongest = _factors(rows, place, min(FACTORS, max(FEW, len(posts) // PER_THEME)))
    groups = []
    for number, factor in enumerate(factors):
        top = sorted(factor.items(), key=lambda item: (-item[1], item[0]))[:TERMS]
        known = _unit(dict(top))
        members = [
            i for i, row in enumerate(rows) if strongest[i] == number and alike(row, known) >= FOUND
        ]
        if len(members) >= least:
            groups.append(members)
    return sorted(groups, key=lambda group: (-len(group), group))


def _factors(
    rows: Sequence[Weights], place: Mapping[str, int], most: int
) -> tuple[list[Weights], list[int]]:
    """The factors of the posts as weights of terms, and the strongest factor of each post."""
    from scipy.sparse import csr_matrix  # 0.3 s, and most ticks look for no theme
    from sklearn.decomposition import NMF

    values, across, down = [], [], []
    for i, row in enumerate(rows):
        for term, weight in row.items():
            if term in place:
                values.append(weight)
                across.append(place[term])
                down.append(i)
    most = min(most, len(place), len(rows))
    if not values or not most:
        return [], [0] * len(rows)
    matrix = csr_matrix((values, (down, across)), shape=(len(rows), len(place)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # near enough is enough, and no error at all has no root
        model = NMF(most, init="nndsvd", max_iter=100, tol=1e-3, random_state=0)
        strength = model.fit_transform(matrix)
    names = list(place)
    factors = [
        {names[i]: float(value) for i, value in enumerate(line) if value > 0}
        for line in model.components_
    ]
    return factors, [int(best) for best in strength.argmax(axis=1)]
