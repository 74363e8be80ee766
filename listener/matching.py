"""A post in, which keyword of which brand in which spelling, and where in the text.

One pass of an Aho-Corasick automaton (ahocorasick-rs, native) over many folded posts at once finds
every name, handle, hashtag, own misspelling, exclusion and context word of all brands; Python looks
only at what was hit. Single words that no pattern foresaw are judged by ``listener.channel`` the first
time they are met and remembered, so that a misspelling nobody listed is found at next to no cost.

How a name is taken: with ``context`` words configured, a name that is also an ordinary word (Delta,
Apple) needs evidence: a context word, an @ or #, a link, being addressed, or a capital inside a
sentence. A misspelling that only just falls short by itself is taken when such evidence stands by it.
"""

from __future__ import annotations

import gc
import hashlib
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from urllib.parse import urlsplit

import ahocorasick_rs
from rapidfuzz.distance import OSA

from listener.booleans import Query, original
from listener.channel import Channel, channel, skeleton, sound, unleet
from listener.confusables import latin_lookalike
from listener.folding import ASCII_TABLE, HUMPED, SPACELESS, fold, fold_with_tags, plain
from listener.mention import Match
from listener.misspellings import SPLIT_BACKED, THRESHOLD, bare, phrases, weight

CODE_VERSION = "1"
CONTEXT_HELP = 1.2  # log10 odds that a context word or an address adds to a spelling
_TOO_COMMON = 4.6  # Zipf from which on a name inside a longer word says nothing
ORDINARY = 3.8  # Zipf from which on a name counts as an ordinary word
_BATCH = 2000
_REMEMBERED = 1_000_000
_APOSTROPHES = "'’‘ʼ`´＇"
_ARABIC_PREFIXES = ("و", "ف", "ب", "ل", "ال", "وال", "بال", "لل")
_HEBREW_PREFIXES = ("ה", "ו", "ב", "ל", "מ", "ש", "כ")
_ORDINARY_MARKS = re.compile(rf"[\w\s.\-{_APOSTROPHES}]*")
_LONG_BLANKS = re.compile("   +")
_RUN = re.compile(r"(.)\1+")
_SPACE = re.compile(r"\s")
_LONGER_HANDLE = re.compile(
    # "@united-rebooked" names @united (X has no hyphen in a handle); "@acme-x.bsky.social" is another.
    r"@|[a-z0-9-]*(?:\.[a-z0-9-]+)*\.(?:social|com|net|org|app|io|dev|online|xyz)\b|-[\w-]+@"
)


@dataclass(frozen=True)
class BrandTerms:
    """What is looked for on behalf of one brand; as in keywords.yaml.

    ``misspellings`` are the user's own; ``auto`` adds the generated and the unforeseen ones;
    ``suspended`` are spellings that the audit has switched off; ``query`` is a boolean query that the
    post must meet as well, and whose words count as keywords.
    """

    brand: str
    names: tuple[str, ...]
    handles: tuple[str, ...] = ()
    hashtags: tuple[str, ...] = ()
    misspellings: tuple[str, ...] = ()
    auto: bool = True
    exclude: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    query: str | None = None
    languages: tuple[str, ...] = ("en",)
    suspended: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a candidate did or did not match: ``text[start:end]`` is it, ``reason`` a sentence."""

    brand: str
    keyword: str
    variant: str
    kind: str
    start: int
    end: int
    score: float
    matched: bool
    reason: str


@dataclass(slots=True)  # not frozen: a million of them are made, and freezing triples the time
class _Target:
    """What one pattern stands for: ``role`` is name, handle, hashtag, variant, exclude or context."""

    brand: int
    role: str
    keyword: str
    variant: str
    kind: str
    odds: float
    exact: str = ""  # what the original must read, where the variant holds symbols
    skip: int = 0  # folded characters before the name that belong to a prefix
    open_end: bool = False
    ordinary: bool = False


@dataclass(frozen=True, slots=True)
class _Fuzzy:
    """A word judged to be a brand's name misspelled; ``phrase`` is what must stand in the post."""

    brand: int
    keyword: str
    phrase: str
    kind: str
    odds: float


@dataclass(slots=True)
class _Candidate:
    target: _Target
    start: int
    end: int
    kind: str
    odds: float = 0.0
    plural: bool = False


@dataclass
class _Names:
    """The index of names for words that no pattern foresaw."""

    words: dict[str, list[tuple[int, str, str, str]]] = field(default_factory=dict)
    keys: dict[str, set[str]] = field(default_factory=dict)
    parts: bool = False  # whether there are names of several words

    def add(self, word: str, brand: int, keyword: str, before: str, after: str) -> None:
        if len(word) < 4 or len(word) > 30 or SPACELESS.search(word):
            return
        self.parts |= bool(before or after)
        owners = self.words.setdefault(word, [])
        owners.append((brand, keyword, before, after))
        if len(owners) == 1:
            for key in _keys(word):
                self.keys.setdefault(key, set()).add(word)

    def near(self, token: str) -> set[str]:
        found: set[str] = set()
        for key in _keys(token):
            found.update(self.keys.get(key, ()))
        for meant in unleet(token):
            found.update(self.keys.get(meant[:7], ()))
        return {w for w in found if w != token and _reachable(w, token)}


def _keys(word: str) -> set[str]:
    """Deletion neighbourhood of the first seven letters (SymSpell's way), sound and skeleton."""
    head = word[:7]
    keys = {head, "~" + sound(word)}
    once = {head[:i] + head[i + 1 :] for i in range(len(head))}
    keys |= once
    if len(word) > 5:
        keys |= {w[:i] + w[i + 1 :] for w in once for i in range(len(w))}
    bones = skeleton(word)
    if len(bones) > 3:
        keys.add("%" + bones)
    keys.add(_RUN.sub(r"\1", word)[:7])
    return keys


def _reachable(name: str, token: str) -> bool:
    limit = 1 if len(name) < 6 else 2
    if OSA.distance(name, token, score_cutoff=limit) <= limit or sound(name) == sound(token):
        return True
    if token.startswith(name) and token[len(name) :].isdecimal():
        return True
    return (
        (skeleton(name) == skeleton(token) and len(token) < len(name))
        or _RUN.sub(r"\1", name) == _RUN.sub(r"\1", token)
        or name in unleet(token)
    )


class Matcher:
    """Finds all brands in posts. Building takes seconds for thousands of brands; build once, keep.

    ``version`` changes whenever the rules or this code's version change: it marks which matches in a
    store are out of date.
    """

    def __init__(self, brands: Sequence[BrandTerms]) -> None:
        self.brands = tuple(brands)
        rules = repr((CODE_VERSION, [_stable(b) for b in self.brands]))
        self.version = hashlib.sha256(rules.encode()).hexdigest()[:12]
        # A pattern's owners; (brand, spelling) alone for an own misspelling, until it is met: there may
        # be a million of them.
        self._patterns: dict[str, list[_Target] | tuple[int, str]] = {}
        self._names: dict[tuple[str, ...], _Names] = {}
        self._addresses: dict[str, list[tuple[int, str]]] = {}
        self._queries: dict[int, Query] = {}
        self._suspended: dict[int, frozenset[str]] = {}
        collecting = gc.isenabled()
        gc.disable()  # nothing made here is garbage, and looking for it doubles the time
        try:
            for index, brand in enumerate(self.brands):
                self._add(index, brand)
        finally:
            if collecting:
                gc.enable()
        self._targets = list(self._patterns.values())
        # Between the posts of a batch stand more blanks than any pattern holds.
        self._apart = " " * (
            5 + max((len(m) for m in map(_blanks, self._patterns) if m), default=0)
        )
        self._automaton = (
            ahocorasick_rs.AhoCorasick(
                list(self._patterns),
                store_patterns=False,
                matchkind=ahocorasick_rs.MatchKind.Standard,
            )
            if self._patterns
            else None
        )
        self._plain: set[str] = set()  # words known to be nothing
        self._fuzzy: dict[str, tuple[_Fuzzy, ...]] = {}

    def __len__(self) -> int:
        """How many patterns the automaton holds."""
        return len(self._targets)

    # -- building -----------------------------------------------------------------------------------

    def _add(self, index: int, brand: BrandTerms) -> None:
        model = channel(brand.languages) if brand.auto or brand.context else None
        self._suspended[index] = frozenset(bare(v) for v in brand.suspended)
        if brand.query:
            self._queries[index] = Query(brand.query)
        for name in brand.names:
            self._add_name(index, brand, name, model)
        for handle in brand.handles:
            self._add_handle(index, handle)
        for tag in brand.hashtags:
            tag = tag.lstrip("#＃")
            self._pattern(
                plain(tag), _Target(index, "hashtag", "#" + tag, "#" + tag, "hashtag", 3.0)
            )
        for spelling in brand.misspellings:
            if spelling.isascii() and spelling.isalnum():
                key = " " + spelling.lower()
                if key not in self._patterns:
                    self._patterns[key] = (index, spelling)
                    continue
            keyword = brand.names[0] if brand.names else brand.brand
            self._spelling(
                index, spelling, _Target(index, "variant", keyword, spelling, "own", 3.0)
            )
        for word in brand.exclude:
            self._spelling(index, word, _Target(index, "exclude", word, word, "exclude", 0.0))
        for word in brand.context:
            self._spelling(index, word, _Target(index, "context", word, word, "context", 0.0))

    def _add_name(self, index: int, brand: BrandTerms, name: str, model: Channel | None) -> None:
        base = bare(name)
        ordinary = bool(model and brand.context and model.words.zipf(base) >= ORDINARY)
        target = _Target(index, "name", name, name, "name", 3.0, ordinary=ordinary)
        self._spelling(index, name, target)
        if base != plain(name):
            self._pattern(base, target)
        words = name.split()
        for i, word in enumerate(words):
            if word.isupper() and word.isalpha() and 1 < len(word) < 5 and len(base) > 2:
                dotted = [plain(w) for w in words]
                dotted[i] = " ".join(word.lower()) + " "
                self._pattern(" ".join(dotted).rstrip(), target)
        self._addresses.setdefault(base.replace(" ", ""), []).append((index, name))
        if not brand.auto or model is None:
            return
        for spelling, kind, odds in phrases(name, languages=brand.languages):
            exact = _exact(spelling) if kind == "hyphen" else ""
            target = _Target(index, "variant", name, spelling, kind, odds - THRESHOLD, exact=exact)
            self._spelling(index, spelling, target)
        names = self._names.setdefault(brand.languages, _Names())
        words = base.split()
        if len(words) <= 3:
            names.add("".join(words), index, name, "", "")
        if len(words) > 1:
            for i, word in enumerate(words):
                names.add(word, index, name, " ".join(words[:i]), " ".join(words[i + 1 :]))

    def _add_handle(self, index: int, handle: str) -> None:
        shown = "@" + handle.lstrip("@＠")
        self._addresses.setdefault(_address(handle), []).append((index, shown))
        self._pattern(plain(handle), _Target(index, "handle", shown, shown, "handle", 3.0))

    def _spelling(self, index: int, spelling: str, target: _Target) -> None:
        """A pattern of a spelling; with symbols in it, the original is compared as well."""
        folded = plain(spelling)
        symbols = not spelling.isalpha() and not _ORDINARY_MARKS.fullmatch(spelling)
        exact = _exact(spelling) if symbols else target.exact
        if not folded:
            return
        hangul = "\uac00" <= folded[-1] <= "\ud7a3"
        if exact or hangul:
            target = _with(target, exact=exact, open_end=hangul)
        self._pattern(folded, target)
        raw = fold(spelling)[0].strip() if target.role == "name" else folded
        if raw != folded:
            self._pattern(raw, target)
        if (
            folded.isascii()
            and "&" not in spelling
            and (target.role != "name" or " " not in folded)
        ):
            return
        if "&" in spelling:
            for way in (spelling.replace("&", "&amp;"), spelling.replace("&", " & ")):
                self._pattern(
                    " ".join(fold(way)[0].split(" ")), _with(target, exact=_exact(spelling))
                )
        if target.role == "name" and " " in folded:
            self._pattern(folded.replace(" ", "  "), target)
        first = folded[0]
        prefixes: tuple[str, ...] = _ARABIC_PREFIXES if "\u0620" <= first <= "\u06ff" else ()
        prefixes = _HEBREW_PREFIXES if "\u05d0" <= first <= "\u05ea" else prefixes
        for prefix in prefixes if len(folded) > 2 else ():
            self._pattern(plain(prefix) + folded, _with(target, skip=len(plain(prefix))))

    def _pattern(self, folded: str, target: _Target) -> None:
        if not folded:
            return
        free = SPACELESS.match(folded) is not None
        key = folded if free else " " + folded
        owners = self._patterns.get(key)
        if owners is None:
            self._patterns[key] = [target]
            return
        if isinstance(owners, tuple):
            owners = self._patterns[key] = [self._own(*owners)]
        if target not in owners:
            owners.append(target)

    def _own(self, index: int, spelling: str) -> _Target:
        brand = self.brands[index]
        keyword = brand.names[0] if brand.names else brand.brand
        return _Target(index, "variant", keyword, spelling, "own", 3.0)

    def _owners(self, pattern: int) -> list[_Target]:
        owners = self._targets[pattern]
        if isinstance(owners, tuple):
            owners = self._targets[pattern] = [self._own(*owners)]
        return owners

    # -- matching -----------------------------------------------------------------------------------

    def match(
        self, text: str, *, addressed_to: Sequence[str] = (), links: Sequence[str] = ()
    ) -> list[Match]:
        """All brands in one post, at most one match for each place and brand, in order of place.

        ``addressed_to`` are handles that the post replies to; ``links`` its links as the platform
        expanded them. A match by these alone has the empty span (0, 0).
        """
        return self.match_many([text], addressed_to=[addressed_to], links=[links])[0]

    def match_many(
        self,
        texts: Sequence[str],
        *,
        addressed_to: Sequence[Sequence[str]] | None = None,
        links: Sequence[Sequence[str]] | None = None,
    ) -> list[list[Match]]:
        """As ``match`` for many posts, an order of magnitude faster than one by one."""
        out: list[list[Match]] = [[] for _ in texts]
        for first in range(0, len(texts), _BATCH):
            chunk = texts[first : first + _BATCH]
            found = self._candidates(chunk)
            extra: set[int] = set()
            if addressed_to is not None:
                extra.update(i for i in range(len(chunk)) if addressed_to[first + i])
            if links is not None:
                extra.update(i for i in range(len(chunk)) if links[first + i])
            for i in found.keys() | extra:
                out[first + i] = self._judge(
                    chunk[i],
                    found.get(i, []),
                    addressed_to[first + i] if addressed_to is not None else (),
                    links[first + i] if links is not None else (),
                )
        return out

    def explain(
        self, text: str, *, addressed_to: Sequence[str] = (), links: Sequence[str] = ()
    ) -> list[Explanation]:
        """Why each candidate in a post did or did not match, in order of place."""
        why: list[Explanation] = []
        found = self._candidates([text]).get(0, [])
        self._judge(text, found, addressed_to, links, why)
        taken = {(w.start, w.end, w.brand) for w in why}
        why += [n for n in self._near_misses(text) if (n.start, n.end, n.brand) not in taken]
        return sorted(why, key=lambda w: (w.start, w.end, not w.matched))

    def _candidates(self, texts: Sequence[str]) -> dict[int, list[_Candidate]]:
        """Post index → candidates, for one batch of posts."""
        even: list[int] = []
        other: list[int] = []
        for i, text in enumerate(texts):
            if text.isascii() and ("#" not in text or not HUMPED.search(text)):
                even.append(i)
            else:
                other.append(i)
        found: dict[int, list[_Candidate]] = {}
        if even:
            raw = [texts[i] for i in even]
            joined = (" " + self._apart.join(raw) + " ").translate(ASCII_TABLE)
            self._scan(joined, even, [len(t) for t in raw], None, texts, found)
        if other:
            pairs = [fold_with_tags(texts[i]) for i in other]
            joined = " " + self._apart.join(folded for folded, _ in pairs) + " "
            maps = [offsets for _, offsets in pairs]
            self._scan(joined, other, [len(folded) for folded, _ in pairs], maps, texts, found)
        return found

    def _scan(
        self,
        joined: str,
        posts: list[int],
        lengths: list[int],
        maps: list[list[int] | None] | None,
        texts: Sequence[str],
        found: dict[int, list[_Candidate]],
    ) -> None:
        starts = list(accumulate((n + len(self._apart) for n in lengths), initial=1))[:-1]

        def place(start: int, end: int) -> tuple[int, int, int]:
            which = bisect_right(starts, start) - 1
            base = starts[which]
            a, b = original(
                start - base, end - base, texts[posts[which]], maps[which] if maps else None
            )
            return posts[which], a, b

        if self._automaton is not None:
            for pattern, start, end in self._automaton.find_matches_as_indexes(
                joined, overlapping=True
            ):
                targets = self._owners(pattern)
                after = joined[end : end + 1]
                plural = False
                first = start + (joined[start] == " ")
                if after != " " and not SPACELESS.match(joined, first):
                    if after == "s" and joined[end + 1] == " ":
                        plural = True
                    elif not targets[0].open_end:
                        continue
                post, a, b = place(first, end + plural)
                for target in targets:
                    if plural and target.role not in ("name", "variant"):
                        continue
                    if target.skip:
                        _, a, b = place(first + target.skip, end)
                    found.setdefault(post, []).append(
                        _Candidate(target, a, b, target.kind, target.odds, plural)
                    )
        if self._names:
            hot = [fuzzy for word in self._words(joined) for fuzzy in self._fuzzy[word]]
            phrases = list(dict.fromkeys(f" {fuzzy.phrase} " for fuzzy in hot))
            finder = ahocorasick_rs.AhoCorasick(phrases, store_patterns=False) if phrases else None
            owners: dict[str, list[_Fuzzy]] = {}
            for fuzzy in hot:
                owners.setdefault(f" {fuzzy.phrase} ", []).append(fuzzy)
            spans = finder.find_matches_as_indexes(joined, overlapping=True) if finder else ()
            for which, start, end in spans:
                post, a, b = place(start + 1, end - 1)
                for f in owners[phrases[which]]:
                    target = _Target(f.brand, "fuzzy", f.keyword, f.phrase, f.kind, f.odds)
                    found.setdefault(post, []).append(_Candidate(target, a, b, f.kind, f.odds))

    def _words(self, joined: str) -> set[str]:
        """The words of a batch that are some name misspelled; new words are judged and remembered."""
        words = set(joined.split())
        if len(self._plain) > _REMEMBERED:
            self._plain.clear()
        if len(self._fuzzy) > _REMEMBERED // 10:
            self._fuzzy.clear()
        new = words - self._plain
        new.difference_update(self._fuzzy)
        for word in new:
            judged = self._decide(word)
            if judged:
                self._fuzzy[word] = judged
        self._plain |= new.difference(self._fuzzy)
        return words & self._fuzzy.keys()

    def _decide(self, word: str) -> tuple[_Fuzzy, ...]:
        if not 3 <= len(word) <= 25 or word.isdecimal():
            return ()
        listed = self._patterns.get(" " + word, ())
        if isinstance(listed, tuple) and listed:
            return ()
        if any(isinstance(t, _Target) and not t.exact for t in listed):
            return ()  # somebody's name, or a word that somebody listed
        out: list[_Fuzzy] = []
        for languages, names in self._names.items():
            model = channel(languages)
            zipf = model.words.zipf(word)
            if zipf >= (4.6 if names.parts else 3.4):
                continue  # too common a word to be anybody's misspelling
            near = names.near(word)
            out += _compounds(word, names, model)
            if not word.isascii():
                meant = latin_lookalike(word)
                if meant and meant in names.words:
                    for brand, keyword, before, after in names.words[meant]:
                        phrase = f"{before} {word} {after}".strip()
                        out.append(_Fuzzy(brand, keyword, phrase, "look-alike", 3.0))
            for name in near:
                judged = model.score(name, word)
                if judged is None:
                    continue
                odds, kind = judged
                for brand, keyword, before, after in names.words[name]:
                    backed = SPLIT_BACKED if before or after else 0.0
                    if odds + backed < THRESHOLD - CONTEXT_HELP:
                        continue
                    phrase = f"{before} {word} {after}".strip()
                    out.append(_Fuzzy(brand, keyword, phrase, kind, odds + backed - THRESHOLD))
        return tuple(out)

    # -- judging ------------------------------------------------------------------------------------

    def _judge(
        self,
        text: str,
        found: list[_Candidate],
        addressed_to: Sequence[str],
        links: Sequence[str],
        why: list[Explanation] | None = None,
    ) -> list[Match]:
        addressed = self._addressed(addressed_to)
        linked = self._linked(links)
        by_brand: dict[int, list[_Candidate]] = {}
        context: set[int] = set()
        for candidate in found:
            role = candidate.target.role
            brand = candidate.target.brand
            if role == "context":
                context.add(brand)
            by_brand.setdefault(brand, []).append(candidate)
        matches: list[Match] = []
        asked = self._queries.keys() - by_brand.keys()
        for brand in sorted({*by_brand, *addressed, *linked, *asked}):
            backed = brand in context or brand in addressed or brand in linked
            matches += self._judge_brand(
                text, brand, by_brand.get(brand, []), backed, addressed, linked, why
            )
        matches.sort(key=lambda m: (m.start, m.end, m.brand))
        return matches

    def _judge_brand(
        self,
        text: str,
        brand: int,
        found: list[_Candidate],
        backed: bool,
        addressed: dict[int, str],
        linked: dict[int, str],
        why: list[Explanation] | None,
    ) -> list[Match]:
        terms = self.brands[brand]
        taken: list[Match] = []
        excluded = next((c for c in found if c.target.role == "exclude" and _reads(text, c)), None)
        query = self._queries.get(brand)
        unmet = query is not None and not query.holds(text)
        strong = any(c.target.role in ("handle", "hashtag") and _signed(text, c) for c in found)
        for candidate in found:
            if candidate.target.role in ("exclude", "context"):
                continue
            match, reason = self._weigh(text, candidate, backed or strong)
            if excluded is not None:
                match, reason = (
                    None,
                    f"the post holds {excluded.target.keyword!r}, which is excluded",
                )
            elif unmet:
                match, reason = None, "the post does not meet the brand's query"
            elif match and _switched_off(match, self._suspended[brand]):
                match, reason = (
                    None,
                    "this spelling is suspended: too many of its matches were wrong",
                )
            if match:
                taken.append(match)
            if why is not None:
                why.append(_explanation(terms.brand, candidate, match, reason))
        if excluded is None and not unmet:
            if brand in addressed:
                keyword = addressed[brand]
                taken.append(Match(terms.brand, keyword, keyword, "handle", 0, 0, 0.95))
            if brand in linked:
                host = linked[brand]
                taken.append(Match(terms.brand, terms.names[0], host, "link", 0, 0, 0.9))
            if query is not None:
                for term, (start, end) in query.find(text):
                    taken.append(Match(terms.brand, term.text, term.text, "query", start, end, 0.9))
        return _best(taken)

    def _weigh(self, text: str, c: _Candidate, backed: bool) -> tuple[Match | None, str]:
        """One candidate's match, or None, and the reason in words."""
        target = c.target
        if target.exact:
            if not _reads(text, c):
                return None, f"{text[c.start : c.end]!r} is not written as {target.variant!r}"
            _widen(text, c)
        sign = text[c.start - 1] if c.start else ""
        if not _whole(text, c):
            return None, "it is a part of a longer word, handle or address"
        where = _in_link(text, c.start, c.end)
        if where == "path" or (where == "host" and target.role == "fuzzy"):
            return None, "it is only in a link, and not its host"
        if target.role == "fuzzy" and _inside_tag(text, c) and (c.end - c.start < 6 or c.odds < 1):
            return None, "it is a piece of a hashtag, too short to be sure of"
        if target.kind == "compound" and sign not in ("#", "＃"):
            return None, "it is a part of a longer word that is no hashtag"
        if target.role == "handle":
            return self._weigh_handle(text, c)
        if target.role == "hashtag" and sign not in ("#", "＃"):
            return None, "it has no # before it"
        kind, variant, odds = c.kind, target.variant, c.odds
        if target.role in ("fuzzy", "variant") and odds <= 0:
            if not backed:
                return None, (
                    f"close to {target.keyword!r} ({kind}), but as likely another word: "
                    f"log10 odds {odds + THRESHOLD:.1f}, {THRESHOLD} needed without context"
                )
            odds += CONTEXT_HELP
        if target.role == "name":
            kind = "plural" if c.plural else kind
            signed = {"@": "handle", "＠": "handle", "#": "hashtag", "＃": "hashtag"}.get(sign)
            signed = signed or ("hashtag" if _inside_tag(text, c) and not c.plural else None)
            kind = "link" if where == "host" else signed or kind
            if target.ordinary and not (backed or signed or where == "host" or _proper(text, c)):
                return (
                    None,
                    "it is also an ordinary word, and nothing in the post speaks for the brand",
                )
            odds = 3.0 if backed or kind != "name" or not target.ordinary else 0.5
        if kind == "split" and text[c.start : c.end].isalnum():
            kind = "hashtag"  # CamelCase, not a blank
        score = round(weight(odds + THRESHOLD), 3)
        shown = text[c.start : c.end].lower() if c.plural else variant
        match = Match(
            self.brands[target.brand].brand, target.keyword, shown, kind, c.start, c.end, score
        )
        return match, f"{kind} of {target.keyword!r}, score {score}"

    def _weigh_handle(self, text: str, c: _Candidate) -> tuple[Match | None, str]:
        if not _signed(text, c) or text[c.start - 1] not in "@＠":
            return None, "it has no @ before it"
        target = c.target
        match = Match(
            self.brands[target.brand].brand,
            target.keyword,
            target.variant,
            "handle",
            c.start,
            c.end,
            1.0,
        )
        return match, "the brand's handle"

    def _addressed(self, handles: Sequence[str]) -> dict[int, str]:
        out: dict[int, str] = {}
        for handle in handles:
            for brand, keyword in self._addresses.get(_address(handle), ()):
                out.setdefault(brand, keyword)
        return out

    def _linked(self, links: Sequence[str]) -> dict[int, str]:
        out: dict[int, str] = {}
        for link in links:
            try:
                host = urlsplit(link if "://" in link else "//" + link).hostname or ""
            except ValueError:
                continue
            for label in host.split(".")[:-1]:
                for brand, _ in self._addresses.get(bare(label).replace(" ", ""), ()):
                    out.setdefault(brand, host)
        return out

    def _near_misses(self, text: str) -> Iterable[Explanation]:
        """Words close to a name that the fast way passed over, with what spoke against them."""
        folded, offsets = fold(text)
        for found in re.finditer(r"[^ ]+", folded):
            word = found.group()
            for languages, names in self._names.items():
                model = channel(languages)
                for name in names.near(word):
                    judged = model.score(name, word)
                    zipf = model.words.zipf(word)
                    says = f"an ordinary word (Zipf {zipf:.1f})" if zipf > 2 else "too far from it"
                    odds = f"log10 odds {judged[0]:.1f}" if judged else "out of reach"
                    start, end = original(found.start(), found.end(), text, offsets)
                    for brand, keyword, before, after in names.words[name]:
                        need = f" beside {before or after!r}" if before or after else ""
                        yield Explanation(
                            self.brands[brand].brand, keyword, word, judged[1] if judged else "", start,
                            end, round(weight(judged[0]), 3) if judged else 0.0, False,
                            f"{word!r} is near {name!r}{need}, but {says}: {odds}, {THRESHOLD} needed",
                        )  # fmt: skip


def _compounds(word: str, names: _Names, model: Channel) -> list[_Fuzzy]:
    """Names written together with an ordinary word: ``jetbluefail``, ``lovejetblue``."""
    out: list[_Fuzzy] = []
    if len(word) < 8 or model.words.zipf(word) > 1.5:
        return out
    for cut in range(3, len(word) - 2):
        for name, rest, common in ((word[:cut], word[cut:], 3.5), (word[cut:], word[:cut], 4.0)):
            owners = names.words.get(name) if len(name) > 4 else None
            if owners and model.words.zipf(rest) >= common and model.words.zipf(name) < _TOO_COMMON:
                for brand, keyword, before, after in owners:
                    if not before and not after:
                        out.append(_Fuzzy(brand, keyword, word, "compound", 1.0))
    return out


def _stable(brand: BrandTerms) -> tuple[object, ...]:
    values = {**brand.__dict__, "suspended": sorted(brand.suspended)}
    return tuple(sorted((k, repr(v)) for k, v in values.items()))


def _with(target: _Target, **changes: object) -> _Target:
    from dataclasses import replace

    return replace(target, **changes)  # type: ignore[arg-type]


def _blanks(pattern: str) -> str:
    """The longest run of blanks in a pattern, where it is longer than the usual."""
    return max(_LONG_BLANKS.findall(pattern), key=len) if "   " in pattern else ""


def _address(handle: str) -> str:
    return plain(handle.strip().lstrip("@＠"))


def _exact(text: str) -> str:
    """Case and accents folded, blanks dropped, symbols kept."""
    low = unicodedata.normalize("NFKD", text.replace("&amp;", "&")).casefold()
    return "".join(c for c in low if not unicodedata.combining(c) and not c.isspace())


def _reads(text: str, c: _Candidate) -> bool:
    """Whether the original reads as the target's symbols say; edges may lie outside of the span."""
    wanted = c.target.exact
    if not wanted:
        return True
    margin = len(c.target.variant)
    return wanted in _exact(text[max(0, c.start - margin) : c.end + margin])


def _widen(text: str, c: _Candidate) -> None:
    """Takes symbols at the edges of the variant (``$potify``, ``Disney+``) into the span."""
    shown = c.target.variant
    if c.start and not shown[0].isalnum() and text[c.start - 1] == shown[0]:
        c.start -= 1
    if not shown[-1].isalnum() and text[c.end : c.end + 1] == shown[-1]:
        c.end += 1


def _signed(text: str, c: _Candidate) -> bool:
    return bool(c.start) and text[c.start - 1] in "@＠#＃" and _whole(text, c)


def _whole(text: str, c: _Candidate) -> bool:
    """Whether a candidate is a handle of its own, not the start or the end of a longer one."""
    before = text[c.start - 1] if c.start else ""
    if before and before in "@＠":
        return not _LONGER_HANDLE.match(text, c.end) or bool(
            c.start > 1 and text[c.start - 2].isalnum()
        )
    if before and before in _APOSTROPHES and c.start > 1 and text[c.start - 2].isalnum():
        # l'Oréal and d'Apple are elisions; "don't mobile" is not T-Mobile.
        return len(c.target.keyword.split("-")[0].split()[0]) > 2
    return True


def _inside_tag(text: str, c: _Candidate) -> bool:
    """Whether a candidate is a piece of a longer #CamelCase tag."""
    first = c.start
    while first and (text[first - 1].isalnum() or text[first - 1] == "_"):
        first -= 1
    if not first or text[first - 1] not in "#＃":
        return False
    return first < c.start or text[c.end : c.end + 1].isalnum()


def _in_link(text: str, start: int, end: int) -> str:
    """ "host", "path" or "" for a span inside a web address or outside of any."""
    first = start
    while first and not _SPACE.match(text[first - 1]):
        first -= 1
        if start - first > 300:
            return ""
    word = text[first:end].lower()
    at = word.find("://")
    if at < 0:
        if not word.startswith("www."):
            return ""
        at = 1
    return "path" if re.search(r"[/?#]", word[at + 3 :]) else "host"


def _proper(text: str, c: _Candidate) -> bool:
    """A capital that the place in the sentence does not explain."""
    word = text[c.start : c.end]
    if not word[:1].isupper() or text.isupper():
        return False
    before = text[: c.start].rstrip(" \"'“‘(@#")
    return bool(before) and before[-1] not in ".!?…\n:" and not (word.isupper() and len(word) > 4)


def _switched_off(match: Match, suspended: frozenset[str]) -> bool:
    return (
        match.kind not in ("name", "handle", "hashtag", "link") and bare(match.variant) in suspended
    )


def _best(matches: list[Match]) -> list[Match]:
    """One match for each place: the longest, then the best scored, wins over what overlaps it."""
    matches.sort(
        key=lambda m: (
            m.kind == "compound",
            m.start - m.end,
            -m.score,
            m.kind != "name",
            m.keyword,
            m.variant,
        )
    )
    kept: list[Match] = []
    for match in matches:
        empty = match.start == match.end
        if empty and (kept or any(m.end > m.start for m in matches)):
            continue
        if all(match.end <= k.start or match.start >= k.end for k in kept):
            kept.append(match)
    return kept


def _explanation(brand: str, c: _Candidate, match: Match | None, reason: str) -> Explanation:
    variant = match.variant if match else c.target.variant
    kind, score = (match.kind, match.score) if match else (c.kind, 0.0)
    return Explanation(
        brand, c.target.keyword, variant, kind, c.start, c.end, score, match is not None, reason
    )
