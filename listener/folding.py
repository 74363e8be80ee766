"""Folding a post for comparison: case, width, accents, punctuation, with the way back to the post.

A folded text holds lower-case letters and digits of any script, ``_`` and single-character blanks for
all else; words of scripts without spaces (Thai, Japanese, Chinese …) are set off by blanks from words
of other scripts. ``offsets[i]`` is the index in the original of the folded character ``i`` and None
stands for "the same index", the common case, so that nothing is paid for plain English.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

# Letters that Unicode does not decompose, but that people type without their stroke.
_PLAIN = {
    "æ": "ae", "œ": "oe", "ß": "ss", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ħ": "h",
    "ı": "i", "ŋ": "n", "ŧ": "t", "ĸ": "k", "ſ": "s", "ə": "e",
    # Persian and Arabic keyboards disagree about these; readers do not.
    "ي": "ی", "ى": "ی", "ك": "ک", "ة": "ه", "أ": "ا", "إ": "ا", "آ": "ا", "ٱ": "ا", "ؤ": "و",
}  # fmt: skip
# Joiners, soft hyphens and variation selectors are drawn as nothing: they part no word.
_NOTHING = frozenset("\u00ad\u034f\u200c\u200d\u2060\ufeff\u0640")
_SPACELESS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\ua9e0-\ua9ff\uaa60-\uaa7f\uf900-\ufaff\U00020000-\U0003ffff"
)
SPACELESS = re.compile(f"[{_SPACELESS}]")
_SEAM = re.compile(
    f"(?<=[{_SPACELESS}])(?=[^ {_SPACELESS}])|(?<=[^ {_SPACELESS}])(?=[{_SPACELESS}])"
)
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z])(?=[0-9])")
_TAG = re.compile(r"[#＃](\w*[a-z0-9A-Z][A-Z0-9]\w*)")

HUMPED = re.compile(r"#\w*(?:[a-z0-9][A-Z]|[A-Z][A-Z][a-z]|[A-Za-z][0-9])")


def _erased(char: str) -> bool:
    """Marks that writers leave out at will: accents, Arabic and Hebrew vowel signs."""
    code = ord(char)
    return (
        0x0300 <= code <= 0x036F
        or 0x064B <= code <= 0x065F
        or code == 0x0670
        or 0x0591 <= code <= 0x05C7
        or 0xFE00 <= code <= 0xFE0F
        or 0xE0100 <= code <= 0xE01EF
        or char in _NOTHING
    )


class _Table(dict[int, str]):
    """Code point → its folded form, worked out when first met and kept."""

    def __init__(self) -> None:
        super().__init__()
        self.uneven: set[str] = set()  # characters that do not fold to exactly one

    def __missing__(self, code: int) -> str:
        char = chr(code)
        folded = self[code] = "".join(_fold_one(char))
        if len(folded) != 1:
            self.uneven.add(char)
        return folded


def _fold_one(char: str) -> list[str]:
    out: list[str] = []
    for part in unicodedata.normalize("NFKC", char).lower():
        for piece in unicodedata.normalize("NFD", _PLAIN.get(part, part)):
            if not _erased(piece):
                out.append(_PLAIN.get(piece, piece))  # noqa: PERF401
    whole = unicodedata.normalize("NFC", "".join(out))
    if not whole:
        return [] if _erased(char) else [" "]
    return [
        c if c == "_" or c.isalnum() or unicodedata.category(c)[0] == "M" else " " for c in whole
    ]


_TABLE = _Table()
ASCII_TABLE = {i: _TABLE[i] for i in range(128)}


def fold(text: str) -> tuple[str, list[int] | None]:
    """The folded text and its offsets (None where each index is the same); see the module."""
    if text.isascii():
        return text.translate(ASCII_TABLE), None
    if not unicodedata.is_normalized("NFC", text) or _HALF_MARKS.search(text):
        return _seams(*_fold_clusters(text))
    folded = text.translate(_TABLE)
    if _TABLE.uneven.isdisjoint(text):
        return _seams(folded, None)
    offsets = [i for i, c in enumerate(text) for _ in _TABLE[ord(c)]]
    return _seams(folded, offsets)


_HALF_MARKS = re.compile("[\uff9e\uff9f]")


def _fold_clusters(text: str) -> tuple[str, list[int]]:
    """Text with combining marks apart from their letters: each cluster is composed, then folded."""
    out: list[str] = []
    offsets: list[int] = []
    start = 0
    for i in range(1, len(text) + 1):
        if i < len(text) and (
            unicodedata.combining(text[i])
            or text[i] in "\uff9e\uff9f"
            or "\u1160" <= text[i] <= "\u11ff"
        ):
            continue
        for char in unicodedata.normalize("NFKC", text[start:i]):
            folded = _TABLE[ord(char)]
            out.append(folded)
            offsets.extend([start] * len(folded))
        start = i
    return "".join(out), offsets


def _seams(folded: str, offsets: list[int] | None) -> tuple[str, list[int] | None]:
    """Sets a blank between scripts without spaces and all others."""
    if not SPACELESS.search(folded):
        return folded, offsets
    cuts = [m.start() for m in _SEAM.finditer(folded)]
    if not cuts:
        return folded, offsets
    source = offsets if offsets is not None else list(range(len(folded)))
    pieces: list[str] = []
    mapped: list[int] = []
    last = 0
    for cut in cuts:
        pieces += [folded[last:cut], " "]
        mapped += source[last:cut]
        mapped.append(source[cut])
        last = cut
    pieces.append(folded[last:])
    mapped += source[last:]
    return "".join(pieces), mapped


def plain(text: str) -> str:
    """The folded text alone, blanks collapsed: how names and patterns are compared."""
    if text.isascii() and text.isalnum():
        return text.lower()
    return " ".join(fold(text)[0].split())


def searched(text: str) -> str:
    """A text as it is searched: letters as ``fold`` has them, all else ("100%", "R$") as it stands.

    Marks that are letters stay: the vowel signs of Indic scripts, Thai, Japanese and Korean, й and ў.
    """
    if text.isascii():  # most posts, for which lower() says the same sooner
        return text.lower()
    return unicodedata.normalize("NFC", text).translate(_SEARCHED)


def says(text: str, words: str) -> bool:
    """Whether a text holds words that went through :func:`searched`."""
    if words.isascii() and not text.isascii() and not _SPELT.search(text):
        # Without marks and other scripts: what is not here is nowhere, at a third of the cost.
        bare = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").lower()
        if words.encode() not in bare:
            return False
    return words in searched(text)


# What a keyboard sets by itself in place of what was typed.
_TYPED = {"’": "'", "‘": "'", "ʼ": "'", "“": '"', "”": '"', "‐": "-", "–": "-", "—": "-"}
# Letters that are searched as ASCII, and have none in Unicode's own decomposition.
_SPELT = re.compile(
    "[æœßøđðþłħıŋŧĸəÆŒẞØĐÐÞŁĦŊŦƏŉǢǣǼǽǾǿᴭᵊᵑᶞₔℏꟸꟹ\U00010783\U00010795\U000107a2\U0001d6a4"
    "’‘ʼ“”‐‑–—︱︲﹘]"
)


class _Searched(dict[int, str]):
    """Code point → its form in :func:`searched`, worked out when first met and kept."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        if char in "йўЙЎ":  # letters of their own, which nobody writes without the breve
            form = char.lower()
        else:
            parts = unicodedata.normalize("NFKC", char).casefold()
            spelt = "".join(_PLAIN.get(part, _TYPED.get(part, part)) for part in parts)
            pieces = (c for c in unicodedata.normalize("NFD", spelt) if not _erased(c))
            form = unicodedata.normalize("NFC", "".join(_PLAIN.get(c, c) for c in pieces))
        self[code] = form
        return form


_SEARCHED = _Searched()


def fold_words(words: list[str]) -> list[str]:
    """Many composed words at once, each folded; thirty times as fast as one by one."""
    table = _Table()
    table[10] = "\n"
    return "\n".join(words).translate(table).split("\n") if words else []


def fold_with_tags(text: str) -> tuple[str, list[int] | None]:
    """As ``fold``, and the words of CamelCase hashtags once more, apart, behind the text."""
    folded, offsets = fold(text)
    if "#" not in text and "＃" not in text:
        return folded, offsets
    extra: list[str] = []
    mapped: list[int] = []
    for tag in _TAG.finditer(text):
        first = tag.start(1)
        cuts = [first, *(first + m.start() for m in _HUMP.finditer(tag.group(1))), tag.end(1)]
        if len(cuts) < 3:
            continue
        extra.append(" ")
        mapped.append(first)
        for a, b in pairwise(cuts):
            word, inner = fold(text[a:b])
            extra += [" ", word]
            mapped.append(a)
            mapped += [a + i for i in (inner if inner is not None else range(len(word)))]
    if not extra:
        return folded, offsets
    source = offsets if offsets is not None else list(range(len(folded)))
    return folded + "".join(extra) + " ", [*source, *mapped, len(text)]
