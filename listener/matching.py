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

import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate, filterfalse
from urllib.parse import urlsplit

import ahocorasick_rs

from listener.booleans import original
from listener.channel import channel
from listener.evidence import best, in_link, inside_tag, proper, reads, signed, whole, widen
from listener.folding import ASCII_TABLE, HUMPED, SPACELESS, fold, fold_with_tags
from listener.mention import Match
from listener.misspellings import THRESHOLD, bare, weight
from listener.patterns import Patterns
from listener.terms import CONTEXT_HELP, BrandTerms, Candidate, Explanation, Fuzzy, Target, address
from listener.unforeseen import decide

__all__ = ["BrandTerms", "Explanation", "Matcher"]

CODE_VERSION = "2"
_BATCH = 2000
_REMEMBERED = 1_000_000


class Matcher:
    """Finds all brands in posts. Building takes seconds for thousands of brands; build once, keep.

    ``version`` changes whenever the rules or this code's version change: it marks which matches in a
    store are out of date.
    """

    def __init__(self, brands: Sequence[BrandTerms]) -> None:
        self.brands = tuple(brands)
        rules = repr((CODE_VERSION, [_stable(b) for b in self.brands]))
        self.version = hashlib.sha256(rules.encode()).hexdigest()[:12]
        self._known = Patterns(self.brands)
        self._automaton = (
            ahocorasick_rs.AhoCorasick(list(self._known.owned), store_patterns=False)
            if self._known.owned
            else None
        )
        self._plain: set[str] = set()  # words known to be nothing
        self._fuzzy: dict[str, tuple[Fuzzy, ...]] = {}

    def __len__(self) -> int:
        """How many patterns the automaton holds."""
        return len(self._known.owned)

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
        matched = {(w.start, w.end, w.brand) for w in why if w.matched}
        why = [w for w in why if w.matched or (w.start, w.end, w.brand) not in matched]
        taken = {(w.start, w.end, w.brand) for w in why}
        why += [n for n in self._near_misses(text) if (n.start, n.end, n.brand) not in taken]
        return sorted(why, key=lambda w: (w.start, w.end, not w.matched))

    def _candidates(self, texts: Sequence[str]) -> dict[int, list[Candidate]]:
        """Post index → candidates, for one batch of posts."""
        even: list[int] = []
        other: list[int] = []
        for i, text in enumerate(texts):
            if text.isascii() and ("#" not in text or not HUMPED.search(text)):
                even.append(i)
            else:
                other.append(i)
        found: dict[int, list[Candidate]] = {}
        if even:
            raw = [texts[i] for i in even]
            joined = (" " + self._known.apart.join(raw) + " ").translate(ASCII_TABLE)
            self._scan(joined, even, [len(t) for t in raw], None, texts, found)
        if other:
            pairs = [fold_with_tags(texts[i]) for i in other]
            joined = " " + self._known.apart.join(folded for folded, _ in pairs) + " "
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
        found: dict[int, list[Candidate]],
    ) -> None:
        starts = list(accumulate((n + len(self._known.apart) for n in lengths), initial=1))[:-1]

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
                targets = self._known.owners(pattern)
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
                        Candidate(target, a, b, target.kind, target.odds, plural)
                    )
        if self._known.names:
            hot = [fuzzy for word in self._words(joined) for fuzzy in self._fuzzy[word]]
            phrases = list(dict.fromkeys(f" {fuzzy.phrase} " for fuzzy in hot))
            finder = ahocorasick_rs.AhoCorasick(phrases, store_patterns=False) if phrases else None
            owners: dict[str, list[Fuzzy]] = {}
            for fuzzy in hot:
                owners.setdefault(f" {fuzzy.phrase} ", []).append(fuzzy)
            spans = finder.find_matches_as_indexes(joined, overlapping=True) if finder else ()
            for which, start, end in spans:
                post, a, b = place(start + 1, end - 1)
                for f in owners[phrases[which]]:
                    target = Target(f.brand, "fuzzy", f.keyword, f.phrase, f.kind, f.odds)
                    found.setdefault(post, []).append(Candidate(target, a, b, f.kind, f.odds))

    def _words(self, joined: str) -> set[str]:
        """The words of a batch that are some name misspelled; new words are judged and remembered."""
        if len(self._plain) > _REMEMBERED:
            self._plain.clear()
        if len(self._fuzzy) > _REMEMBERED // 10:
            self._fuzzy.clear()
        # Nearly all words are known to be nothing: they are passed over without leaving C.
        rest = set(filterfalse(self._plain.__contains__, joined.split()))
        hot = rest & self._fuzzy.keys()
        for word in rest - hot:
            judged = self._judge_word(word)
            if judged:
                self._fuzzy[word] = judged
                hot.add(word)
            else:
                self._plain.add(word)
        return hot

    def _judge(
        self,
        text: str,
        found: list[Candidate],
        addressed_to: Sequence[str],
        links: Sequence[str],
        why: list[Explanation] | None = None,
    ) -> list[Match]:
        addressed = self._addressed(addressed_to)
        linked = self._linked(links)
        by_brand: dict[int, list[Candidate]] = {}
        context: set[int] = set()
        for candidate in found:
            role = candidate.target.role
            brand = candidate.target.brand
            if role == "context":
                context.add(brand)
            by_brand.setdefault(brand, []).append(candidate)
        matches: list[Match] = []
        asked = self._known.queries.keys() - by_brand.keys()
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
        found: list[Candidate],
        backed: bool,
        addressed: dict[int, str],
        linked: dict[int, str],
        why: list[Explanation] | None,
    ) -> list[Match]:
        terms = self.brands[brand]
        taken: list[Match] = []
        excluded = next((c for c in found if c.target.role == "exclude" and reads(text, c)), None)
        query = self._known.queries.get(brand)
        unmet = query is not None and not query.holds(text)
        strong = any(c.target.role in ("handle", "hashtag") and signed(text, c) for c in found)
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
            elif match and _switched_off(match, self._known.suspended[brand]):
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
        return best(taken)

    def _weigh(self, text: str, c: Candidate, backed: bool) -> tuple[Match | None, str]:
        """One candidate's match, or None, and the reason in words."""
        target = c.target
        if target.exact:
            if not reads(text, c):
                return None, f"{text[c.start : c.end]!r} is not written as {target.variant!r}"
            widen(text, c)
        sign = text[c.start - 1] if c.start else ""
        if not whole(text, c):
            return None, "it is a part of a longer word, handle or address"
        where = in_link(text, c.start, c.end)
        if where == "path" or (where == "host" and target.role == "fuzzy"):
            return None, "it is only in a link, and not its host"
        if target.role == "fuzzy" and inside_tag(text, c) and (c.end - c.start < 6 or c.odds < 1):
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
            signed = signed or ("hashtag" if inside_tag(text, c) and not c.plural else None)
            kind = "link" if where == "host" else signed or kind
            if target.ordinary and not (backed or signed or where == "host" or proper(text, c)):
                return (
                    None,
                    "it is also an ordinary word, and nothing in the post speaks for the brand",
                )
            odds = 3.0 if backed or kind != "name" or not target.ordinary else 0.5
        if kind == "split" and text[c.start : c.end].isalnum():
            kind = "hashtag"  # CamelCase, not a blank
        score = round(weight(odds + THRESHOLD), 3)
        spelled = target.role == "variant" and target.kind != "own"
        if target.role == "fuzzy" or spelled or kind == "plural":
            score = min(score, 0.99)  # the name itself ranks above every misspelling of it
        shown = text[c.start : c.end].lower() if c.plural else variant
        match = Match(
            self.brands[target.brand].brand, target.keyword, shown, kind, c.start, c.end, score
        )
        return match, f"{kind} of {target.keyword!r}, score {score}"

    def _weigh_handle(self, text: str, c: Candidate) -> tuple[Match | None, str]:
        if not signed(text, c):
            return None, "it has no @ or # before it"
        target, brand = c.target, self.brands[c.target.brand].brand
        if text[c.start - 1] in "@＠":
            match = Match(brand, target.keyword, target.variant, "handle", c.start, c.end, 1.0)
            return match, "the brand's handle"
        # Nobody writes #alaskaair of anything else: a handle is a made-up word.
        tag = "#" + target.variant.lstrip("@")
        match = Match(brand, target.keyword, tag, "hashtag", c.start, c.end, 0.98)
        return match, "the brand's handle as a hashtag"

    def _addressed(self, handles: Sequence[str]) -> dict[int, str]:
        out: dict[int, str] = {}
        for handle in handles:
            for brand, keyword in self._known.addresses.get(address(handle), ()):
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
                for brand, _ in self._known.addresses.get(bare(label).replace(" ", ""), ()):
                    out.setdefault(brand, host)
        return out

    def _near_misses(self, text: str) -> Iterable[Explanation]:
        """Words close to a name that the fast way passed over, with what spoke against them."""
        folded, offsets = fold(text)
        for found in re.finditer(r"[^ ]+", folded):
            word = found.group()
            for languages, names in self._known.names.items():
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

    def _judge_word(self, word: str) -> tuple[Fuzzy, ...]:
        if not 3 <= len(word) <= 25 or word.isdecimal() or self._known.listed(word):
            return ()
        return decide(word, self._known.names)


def _stable(brand: BrandTerms) -> tuple[object, ...]:
    values = {**brand.__dict__, "suspended": sorted(brand.suspended)}
    return tuple(sorted((k, repr(v)) for k, v in values.items()))


def _switched_off(match: Match, suspended: frozenset[str]) -> bool:
    return (
        match.kind not in ("name", "handle", "hashtag", "link") and bare(match.variant) in suspended
    )


def _explanation(brand: str, c: Candidate, match: Match | None, reason: str) -> Explanation:
    variant = match.variant if match else c.target.variant
    kind, score = (match.kind, match.score) if match else (c.kind, 0.0)
    return Explanation(
        brand, c.target.keyword, variant, kind, c.start, c.end, score, match is not None, reason
    )
