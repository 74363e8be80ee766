"""From what users configure to the patterns of one automaton, and who owns each of them."""

from __future__ import annotations

import gc
import re
from collections.abc import Sequence
from dataclasses import replace

from listener.booleans import Query
from listener.channel import Channel, channel
from listener.evidence import APOSTROPHES, exact_reading
from listener.folding import SPACELESS, fold, plain
from listener.misspellings import THRESHOLD, bare, phrases
from listener.terms import BrandTerms, Target, address
from listener.unforeseen import Names

ORDINARY = 3.8  # Zipf from which on a name counts as an ordinary word
_ARABIC_PREFIXES = ("و", "ف", "ب", "ل", "ال", "وال", "بال", "لل")
_HEBREW_PREFIXES = ("ה", "ו", "ב", "ל", "מ", "ש", "כ")
_ORDINARY_MARKS = re.compile(rf"[\w\s.\-{APOSTROPHES}]*")
_LONG_BLANKS = re.compile("   +")


class Patterns:
    """The patterns of all brands: folded text, set off by blanks, to those who look for it."""

    def __init__(self, brands: Sequence[BrandTerms]) -> None:
        self.brands = tuple(brands)
        # A pattern's owners; (brand, spelling) alone for an own misspelling, until it is met: there may
        # be a million of them.
        self.owned: dict[str, list[Target] | tuple[int, str]] = {}
        self.names: dict[tuple[str, ...], Names] = {}
        self.addresses: dict[str, list[tuple[int, str]]] = {}
        self.queries: dict[int, Query] = {}
        self.suspended: dict[int, frozenset[str]] = {}
        collecting = gc.isenabled()
        gc.disable()  # nothing made here is garbage, and looking for it doubles the time
        try:
            for index, brand in enumerate(self.brands):
                self._add(index, brand)
        finally:
            if collecting:
                gc.enable()
        self._by_number = list(self.owned.values())
        # Between the posts of a batch stand more blanks than any pattern holds.
        self.apart = " " * (5 + max((len(m) for m in map(_blanks, self.owned) if m), default=0))

    def owners(self, pattern: int) -> list[Target]:
        """Who looks for the pattern of this number."""
        owners = self._by_number[pattern]
        if isinstance(owners, tuple):
            owners = self._by_number[pattern] = [self._own(*owners)]
        return owners

    def listed(self, word: str) -> bool:
        """Whether a word is somebody's name, or one that somebody listed: no misspelling, then."""
        owners = self.owned.get(" " + word)
        if owners is None:
            return False
        return isinstance(owners, tuple) or any(not target.exact for target in owners)

    def _add(self, index: int, brand: BrandTerms) -> None:
        model = channel(brand.languages) if brand.auto or brand.context else None
        self.suspended[index] = frozenset(bare(v) for v in brand.suspended)
        if brand.query:
            self.queries[index] = Query(brand.query)
        for name in brand.names:
            self._add_name(index, brand, name, model)
        for handle in brand.handles:
            self._add_handle(index, handle)
        for tag in brand.hashtags:
            tag = tag.lstrip("#＃")
            self._pattern(
                plain(tag), Target(index, "hashtag", "#" + tag, "#" + tag, "hashtag", 3.0)
            )
        for spelling in brand.misspellings:
            if spelling.isascii() and spelling.isalnum():
                key = " " + spelling.lower()
                if key not in self.owned:
                    self.owned[key] = (index, spelling)
                    continue
            keyword = brand.names[0] if brand.names else brand.brand
            self._spelling(index, spelling, Target(index, "variant", keyword, spelling, "own", 3.0))
        for word in brand.exclude:
            self._spelling(index, word, Target(index, "exclude", word, word, "exclude", 0.0))
        for word in brand.context:
            self._spelling(index, word, Target(index, "context", word, word, "context", 0.0))

    def _add_name(self, index: int, brand: BrandTerms, name: str, model: Channel | None) -> None:
        base = bare(name)
        ordinary = bool(model and brand.context and model.words.zipf(base) >= ORDINARY)
        target = Target(index, "name", name, name, "name", 3.0, ordinary=ordinary)
        self._spelling(index, name, target)
        if base != plain(name):
            self._pattern(base, target)
        words = name.split()
        for i, word in enumerate(words):
            if word.isupper() and word.isalpha() and 1 < len(word) < 5 and len(base) > 2:
                dotted = [plain(w) for w in words]
                dotted[i] = " ".join(word.lower()) + " "
                self._pattern(" ".join(dotted).rstrip(), target)
        self.addresses.setdefault(base.replace(" ", ""), []).append((index, name))
        if not brand.auto or model is None:
            return
        for spelling, kind, odds in phrases(name, languages=brand.languages):
            exact = exact_reading(spelling) if kind == "hyphen" else ""
            target = Target(index, "variant", name, spelling, kind, odds - THRESHOLD, exact=exact)
            self._spelling(index, spelling, target)
        names = self.names.setdefault(brand.languages, Names())
        words = base.split()
        if len(words) <= 3:
            names.add("".join(words), index, name, "", "")
        if len(words) > 1:
            for i, word in enumerate(words):
                names.add(word, index, name, " ".join(words[:i]), " ".join(words[i + 1 :]))

    def _add_handle(self, index: int, handle: str) -> None:
        shown = "@" + handle.lstrip("@＠")
        self.addresses.setdefault(address(handle), []).append((index, shown))
        self._pattern(plain(handle), Target(index, "handle", shown, shown, "handle", 3.0))

    def _spelling(self, index: int, spelling: str, target: Target) -> None:
        """A pattern of a spelling; with symbols in it, the original is compared as well."""
        folded = plain(spelling)
        symbols = not spelling.isalpha() and not _ORDINARY_MARKS.fullmatch(spelling)
        exact = exact_reading(spelling) if symbols else target.exact
        if not folded:
            return
        hangul = "\uac00" <= folded[-1] <= "\ud7a3"
        if exact or hangul:
            target = replace(target, exact=exact, open_end=hangul)
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
                    " ".join(fold(way)[0].split(" ")),
                    replace(target, exact=exact_reading(spelling)),
                )
        if target.role == "name" and " " in folded:
            self._pattern(folded.replace(" ", "  "), target)
        first = folded[0]
        prefixes: tuple[str, ...] = _ARABIC_PREFIXES if "\u0620" <= first <= "\u06ff" else ()
        prefixes = _HEBREW_PREFIXES if "\u05d0" <= first <= "\u05ea" else prefixes
        for prefix in prefixes if len(folded) > 2 else ():
            self._pattern(plain(prefix) + folded, replace(target, skip=len(plain(prefix))))

    def _pattern(self, folded: str, target: Target) -> None:
        if not folded:
            return
        free = SPACELESS.match(folded) is not None
        key = folded if free else " " + folded
        owners = self.owned.get(key)
        if owners is None:
            self.owned[key] = [target]
            return
        if isinstance(owners, tuple):
            owners = self.owned[key] = [self._own(*owners)]
        if target not in owners:
            owners.append(target)

    def _own(self, index: int, spelling: str) -> Target:
        brand = self.brands[index]
        keyword = brand.names[0] if brand.names else brand.brand
        return Target(index, "variant", keyword, spelling, "own", 3.0)


def _blanks(pattern: str) -> str:
    """The longest run of blanks in a pattern, where it is longer than the usual."""
    return max(_LONG_BLANKS.findall(pattern), key=len) if "   " in pattern else ""
