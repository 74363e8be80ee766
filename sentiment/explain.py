"""What drove a spike: posts of the spike and of the time before in, ranked causes with evidence out.

Pure. Each cause is something that changed most against the baseline: a term, a theme, a region, a
platform, an author, a link, or a group of near-duplicates; each carries the keys of the posts behind
it, and every sentence is made from a cause or a count and cites such keys. Nothing is said that no
post shows.

Terms are ranked by the log-odds ratio with an informative Dirichlet prior, as a z-score (Monroe,
Colaresi and Quinn, "Fightin' Words", Political Analysis 2008): a word is no cause because it is
frequent, nor because it is rare.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

PRIOR = 200.0  # words of background that each side is believed to have said
STRONG = 2.6  # z-score from which a change is told: about one in two hundred by chance
KEYS = 5  # posts that a sentence cites
LEAST = 3  # posts a cause must show
PART = 0.05  # of the posts with a theme: what a theme of which there was nothing before must be
RISE = (
    0.1  # a term in so many more of the posts is told where few earlier posts leave odds unsure …
)
SURE = 3.5  # … by its share, from this z-score on: thousands of terms are looked at
HOUR = 3600

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
# Chinese and Japanese leave no spaces. Runs of ideographs are read as overlapping pairs (as search
# engines do), katakana as words; hiragana is mostly grammar, and is left out.
_UNSPACED = re.compile(
    r"[\u3400-\u9fff\uf900-\ufaff々]+|[\u30a1-\u30fa\u30fc-\u30fe]+|[\u3041-\u309f]+"
)
_HIRAGANA = re.compile(r"[\u3041-\u309f]")
_KATAKANA = re.compile(r"[\u30a1-\u30fe]")
_SKIP = re.compile(r"https?://\S+|www\.\S+|@\w+")
# Words that tell of no cause in languages that leave them between words; others rank low anyway,
# because they are as frequent in the baseline.
_COMMON_TEXT = """
a about after again all am an and any are as at be because been before but by can could did do
does doing don't down even for from get got had has have he her here him his how i i'm if in into
is it it's its just like me more my no not now of off on one only or our out over own please rt
she so some still such than thank thanks that that's the their them then there these they this
those to too up us very was we were what when where which who why will with would you your u ur im
dont amp via der die das und ist nicht ich auf mit ein eine el la los las de que y en un una no le
les et est pas des du o os e não do da em
"""
_COMMON = frozenset(_COMMON_TEXT.split())


@dataclass(frozen=True, slots=True)
class Item:
    """A post as the explanation needs it. Unknown is None; ``group`` is shared by near-duplicates."""

    key: str
    text: str
    created_at: int
    region: str | None = None
    platform: str | None = None
    author: str | None = None
    followers: int | None = None
    label: str | None = None
    group: str | None = None
    links: tuple[str, ...] = ()
    theme: str | None = None
    intent: str | None = None


@dataclass(frozen=True, slots=True)
class Driver:
    """Something that changed: a term, theme, intent, region, platform, author, link, or copies.

    ``now`` and ``before`` are shares in 0..1, of posts, and for theme, intent, region and platform of
    those that have one; ``posts`` of them show it. ``score`` orders the drivers of one kind (a
    z-score, or followers reached for authors); ``keys`` are the posts that show it, oldest first.
    """

    kind: str
    name: str
    posts: int
    now: float
    before: float
    score: float
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sentence:
    """One statement and the posts that it rests on."""

    text: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a spike was: drivers by kind and rank, copies, first post, turning point, sentences.

    ``placed`` posts have a known region, most of them ``main_region``; ``before`` posts were
    compared with. ``peak_at`` is the start of the busiest hour.
    """

    drivers: tuple[Driver, ...]
    posts: int
    unique: int
    placed: int
    main_region: str | None
    main_share: float | None
    before: int
    amplified_share: float | None
    first: str | None
    first_at: int | None
    peak_at: int | None
    turning_at: int | None
    turning_keys: tuple[str, ...]
    calm_at: int | None
    sentences: tuple[Sentence, ...]

    def of(self, kind: str) -> tuple[Driver, ...]:
        """The drivers of one kind, the strongest first."""
        return tuple(d for d in self.drivers if d.kind == kind)


def explain(
    spike: Sequence[Item],
    baseline: Sequence[Item],
    *,
    calm_at: int | None = None,
    brand_words: Iterable[str] = (),
    most: int = 5,
    hours: Mapping[int, int] | None = None,
    complete_until: int | None = None,
    new_themes: Collection[str] = (),
) -> Explanation:
    """Explain the posts of a spike by what changed against the baseline's.

    ``calm_at``: when the counts went back to usual (the spike's end), None while it lasts.
    ``brand_words``: the brand's own names, which every post has and none is told by.
    ``hours``: posts by the start of their hour, where ``spike`` holds only some of them.
    ``complete_until``: an hour that ends later is not over, so that few posts in it are no fall.
    ``new_themes``: of these the brand had no post before the spike, anywhere; the baseline of one
    region and one judgement may be too small to show that.
    """
    ordered = sorted(spike, key=lambda item: (item.created_at, item.key))
    originals = _first_of_groups(ordered)
    before = _first_of_groups(sorted(baseline, key=lambda item: item.created_at))
    drivers: list[Driver] = []
    names = {word for name in brand_words for word in _words(name)}
    drivers += _terms(originals, before, names)[:most]
    drivers += _themes(originals, before, new_themes)[:most]
    for kind, field in (("intent", _intent), ("region", _region), ("platform", _platform)):
        drivers += _shares(kind, originals, before, field)[:most]
    drivers += _shares("link", ordered, baseline, lambda item: set(item.links))[:most]
    drivers += _authors(ordered)[:most]
    drivers += _copies(ordered)[:most]
    peak_at, turning_at, turning_keys = _turning_point(ordered, hours, complete_until)
    places = Counter(item.region for item in ordered if item.region is not None)
    main = min(places, key=lambda name: (-places[name], name), default=None)
    amplified = None if not ordered else 1 - len(originals) / len(ordered)
    found = Explanation(
        drivers=tuple(drivers),
        posts=len(ordered),
        unique=len(originals),
        placed=places.total(),
        main_region=main,
        main_share=None if main is None else places[main] / places.total(),
        before=len(baseline),
        amplified_share=amplified,
        first=ordered[0].key if ordered else None,
        first_at=ordered[0].created_at if ordered else None,
        peak_at=peak_at,
        turning_at=turning_at,
        turning_keys=turning_keys,
        calm_at=calm_at,
        sentences=(),
    )
    sentences = tuple(_sentences(found, ordered))
    return Explanation(
        **{name: getattr(found, name) for name in Explanation.__slots__ if name != "sentences"},
        sentences=sentences,
    )


def _first_of_groups(ordered: Sequence[Item]) -> list[Item]:
    """Each near-duplicate group once, by its first post: a copied text is one voice."""
    seen: set[str] = set()
    out = []
    for item in ordered:
        name = item.group or item.key
        if name not in seen:
            seen.add(name)
            out.append(item)
    return out


def _theme(item: Item) -> set[str]:
    return {item.theme} if item.theme else set()


def _intent(item: Item) -> set[str]:
    return {item.intent} if item.intent else set()


def _region(item: Item) -> set[str]:
    return {item.region} if item.region else set()


def _platform(item: Item) -> set[str]:
    return {item.platform} if item.platform else set()


def _words(text: str) -> list[str]:
    words: list[str] = []
    for found in _WORD.findall(_SKIP.sub(" ", text)):
        word = found.replace("’", "'").casefold()
        if _UNSPACED.search(word):
            words += _unspaced(word)
        else:
            words.append(word)
    return words


def _unspaced(word: str) -> list[str]:
    """Terms of a run of letters without spaces; "" keeps what stands apart from being paired."""
    out: list[str] = []
    at = 0
    for run in _UNSPACED.finditer(word):
        out += [word[at : run.start()], ""]
        at, part = run.end(), run.group()
        if _KATAKANA.match(part):
            out.append(part)
        elif not _HIRAGANA.match(part):
            pairs = [part[i : i + 2] for i in range(len(part) - 1)] or [part]
            for pair in pairs:
                out += [pair, ""]
        out.append("")
    return [*out, word[at:]]


def terms_of(text: str) -> set[str]:
    """Single words and pairs of neighbouring words; a post counts for each term once.

    Chinese and Japanese are cut at pairs of ideographs and at katakana words. Scripts without spaces
    that are not (Thai, Lao, Khmer, Burmese) come out as whole phrases, which seldom repeat.
    """
    words = _words(text)
    telling = [w if len(w) > 1 and w not in _COMMON and not w.isdigit() else "" for w in words]
    pairs = {f"{a} {b}" for a, b in pairwise(telling) if a and b and a != b}
    return {w for w in telling if w} | pairs


def _terms(posts: Sequence[Item], before: Sequence[Item], names: set[str]) -> list[Driver]:
    here = [terms_of(item.text) for item in posts]
    there = Counter(term for item in before for term in terms_of(item.text))
    counted = Counter(term for terms in here for term in terms)
    total, total_before = counted.total(), there.total()
    background = total + total_before
    found = []
    for term, count in counted.items():
        if count < LEAST or any(word in names for word in term.split()):
            continue
        past = there[term]
        prior = PRIOR * (count + past) / background
        # Half a word at least stands against a term, or posts of one word would divide by nothing.
        a = math.log((count + prior) / max(0.5, total + PRIOR - count - prior))
        b = math.log((past + prior) / max(0.5, total_before + PRIOR - past - prior))
        score = (a - b) / math.sqrt(1 / (count + prior) + 1 / (past + prior))
        risen = _rise(count, len(posts), past, len(before))
        if risen >= SURE and count / len(posts) - past / max(len(before), 1) >= RISE:
            score = max(score, risen)
        if score >= STRONG:
            keys = [item.key for item, terms in zip(posts, here, strict=True) if term in terms]
            found.append(
                Driver(
                    kind="term",
                    name=term,
                    posts=count,
                    now=count / len(posts),
                    before=past / max(len(before), 1),
                    score=score,
                    keys=tuple(keys),
                )
            )
    found.sort(key=lambda d: (-d.score, d.name))
    return _without_parts(found)


def _without_parts(found: list[Driver]) -> list[Driver]:
    """A pair says more than its words: drop words that hardly occur outside a kept pair."""
    kept: list[Driver] = []
    pairs = [d for d in found if " " in d.name]
    for driver in found:
        if " " not in driver.name and any(
            driver.name in pair.name.split() and pair.posts >= 0.6 * driver.posts for pair in pairs
        ):
            continue
        kept.append(driver)
    return kept


def _themes(posts: Sequence[Item], before: Sequence[Item], new: Collection[str]) -> list[Driver]:
    """Themes that rose, and those that began: by how many posts, where the past is too short to say."""
    found = _shares("theme", posts, before, _theme)
    told = {d.name for d in found}
    themed = [item for item in posts if item.theme]
    for name, count in Counter(item.theme for item in themed if item.theme in new).items():
        if before and name and name not in told and count >= max(LEAST, PART * len(themed)):
            keys = tuple(item.key for item in themed if item.theme == name)
            found.append(Driver("theme", name, count, count / len(themed), 0.0, 0.0, keys))
    return sorted(found, key=lambda d: (-d.score, -d.posts, d.name))


def _shares(
    kind: str,
    posts: Sequence[Item],
    before: Sequence[Item],
    values: Callable[[Item], set[str]],
) -> list[Driver]:
    """Values whose share of posts rose beyond chance."""
    here = [values(item) for item in posts]
    counted = Counter(v for some in here for v in some)
    n = sum(bool(some) for some in here) if kind != "link" else len(posts)
    past = [values(item) for item in before]
    counted_before = Counter(v for some in past for v in some)
    m = sum(bool(some) for some in past) if kind != "link" else len(before)
    found = []
    for value, count in counted.items():
        if count < LEAST or not n:
            continue
        score = _rise(count, n, counted_before[value], m)
        # What all of a few posts had before seems to rise by the half post that is added.
        if score >= STRONG and count * max(m, 1) > counted_before[value] * n:
            keys = [item.key for item, some in zip(posts, here, strict=True) if value in some]
            found.append(
                Driver(
                    kind,
                    value,
                    count,
                    count / n,
                    counted_before[value] / max(m, 1),
                    score,
                    tuple(keys),
                )
            )
    return sorted(found, key=lambda d: (-d.score, d.name))


def _rise(count: int, n: int, before: int, m: int) -> float:
    """The z-score of ``count`` of n against ``before`` of m (two proportions, half a post added)."""
    now, then = (count + 0.5) / (n + 1), (before + 0.5) / (m + 1)
    pooled = (count + before + 0.5) / (n + m + 1)
    spread = math.sqrt(max(pooled * (1 - pooled), 1e-9) * (1 / (n + 1) + 1 / (m + 1)))
    return (now - then) / spread


def _authors(posts: Sequence[Item]) -> list[Driver]:
    """Who was heard by most: followers of each author that posted, where they are known."""
    by_author: dict[str, list[Item]] = {}
    for item in posts:
        if item.author and item.followers:
            by_author.setdefault(item.author, []).append(item)
    found = [
        Driver(
            kind="author",
            name=author,
            posts=len(items),
            now=len(items) / len(posts),
            before=0.0,
            score=float(max(item.followers or 0 for item in items)),
            keys=tuple(item.key for item in items),
        )
        for author, items in by_author.items()
    ]
    return sorted(found, key=lambda d: (-d.score, d.name))


def _copies(posts: Sequence[Item]) -> list[Driver]:
    """Texts that were passed on: near-duplicate groups by size."""
    groups: dict[str, list[Item]] = {}
    for item in posts:
        if item.group:
            groups.setdefault(item.group, []).append(item)
    found = [
        Driver(
            kind="copies",
            name=group,
            posts=len(items),
            now=len(items) / len(posts),
            before=0.0,
            score=float(len(items)),
            keys=tuple(item.key for item in items),
        )
        for group, items in groups.items()
        if len(items) >= LEAST
    ]
    return sorted(found, key=lambda d: (-d.score, d.name))


def _turning_point(
    posts: Sequence[Item], counted: Mapping[int, int] | None, complete_until: int | None
) -> tuple[int | None, int | None, tuple[str, ...]]:
    """The busiest hour; the hour after it, from which posts became fewer for good; its last posts.

    The latter are None and empty while no whole hour with posts lies after the busiest: it may still
    be growing.
    """
    hours = counted or Counter(item.created_at // HOUR * HOUR for item in posts)
    if not hours:
        return None, None, ()
    peak = max(hours, key=lambda hour: (hours[hour], -hour))
    over = float("inf") if complete_until is None else complete_until
    if not any(hour > peak and hour + HOUR <= over for hour in hours):
        return peak, None, ()
    inside = [item.key for item in posts if item.created_at // HOUR * HOUR == peak]
    return peak, peak + HOUR, tuple(inside[-KEYS:])


def _sentences(found: Explanation, posts: Sequence[Item]) -> Iterable[Sentence]:
    if not posts:
        return
    by_key = {item.key: item for item in posts}
    terms = found.of("term")[:3]
    if terms:
        said = ", ".join(
            f"“{d.name}” ({_percent(d.now)} of posts, {_percent(d.before)} before)" for d in terms
        )
        keys = tuple(dict.fromkeys(key for d in terms for key in d.keys[:2]))
        yield Sentence(f"What changed most in the words: {said}.", keys)
    for kind, text in (
        (
            "theme",
            "The theme that grew most is {name}, of {posts} posts: {now} of those with a theme, "
            "{before} before.",
        ),
        ("intent", "More of them read as {name}: {now} of those read for it, {before} before."),
        ("region", "{name} stands out: {now} of the posts with a known place, {before} before."),
        ("platform", "It is stronger on {name}: {now} of posts, {before} before."),
        ("link", "{posts} posts share the link {name}."),
    ):
        for d in found.of(kind)[:1]:
            yield Sentence(
                text.format(
                    name=d.name, posts=d.posts, now=_percent(d.now), before=_percent(d.before)
                ),
                d.keys[:KEYS],
            )
    for d in found.of("author")[:1]:
        yield Sentence(
            f"The author with most followers is {d.name} ({d.score:,.0f}).", d.keys[:KEYS]
        )
    copies = found.of("copies")
    if copies and found.amplified_share:
        yield Sentence(
            f"{_percent(found.amplified_share)} of the {found.posts} posts are copies; the most"
            f" copied text appears {copies[0].posts} times.",
            copies[0].keys[:KEYS],
        )
    if found.first is not None:
        first = by_key[found.first]
        yield Sentence(f"The first of them was written at {_when(first.created_at)}.", (first.key,))
    if found.turning_at is not None:
        yield Sentence(f"Posts became fewer from {_when(found.turning_at)} on.", found.turning_keys)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 or share == 0 else "under 1 %"


def _when(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
