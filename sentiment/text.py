"""Normalising a post before it is judged: the same function in training and in serving.

The public sentiment sets mask mentions as ``@user`` and links as ``http``; so do we, which also keeps
the model from learning who was written to. Everything else that carries feeling stays: case, emoji,
laughter, elongated words (cut to three repeats, since "sooooooo" and "soooo" mean the same).
"""

from __future__ import annotations

import html
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator

MENTION = "@user"
LINK = "http"
MAX_CHARACTERS = 2_000
"""Longer posts are cut here before tokenising; the model itself reads the first 128 tokens or so."""

_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    # zero-width space, byte-order mark, bidi marks, variation selectors, skin tones: no feeling.
    # ZWJ and ZWNJ stay: they carry spelling in Indic and Persian scripts.
    (
        re.compile(
            "[\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]"
        ),
        "",
    ),
    (re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE), LINK),
    (re.compile(r"\bt\.co/\S+|\bpic\.twitter\.com/\S+", re.IGNORECASE), LINK),
    # Not an e-mail address: a mention starts a word. Fediverse handles carry their host.
    (re.compile(r"(?<![\w@])@[\w](?:[\w.\-]*\w)?(?:@[\w.\-]+\w)?"), MENTION),
    (re.compile(r"([^\d\s])\1{3,}"), r"\1\1\1"),
    (re.compile(r"\s+"), " "),
)

_HALF = re.compile("[\ud800-\udfff]")
"""Half of a pair of surrogates, which no tokenizer takes."""


def normalise(text: str) -> str:
    """Return ``text`` as the model reads it: one line, mentions and links masked, repeats cut."""
    text = text[: 4 * MAX_CHARACTERS]
    if "&" in text:
        text = html.unescape(text)
    text = text.replace("\x00", "")
    if _HALF.search(text):
        text = text.encode("utf-8", "replace").decode("utf-8")
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text.strip()[:MAX_CHARACTERS]


Spans = tuple[tuple[int, int], ...]
"""Where a text names one brand, in characters: the place that was asked for first. () is nowhere."""

_HERE, _ALSO, _CLOSE = "\ue000", "\ue001", "\ue002"
_MARKS = re.compile(f"[{_HERE}{_ALSO}{_CLOSE}]")
RUN_ON = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Thai, Lao, Burmese, Khmer, kana and ideographs, as a class of a pattern: they run on without spaces,
and a word ends where it ends."""
_ALONE = re.compile(rf"[{RUN_ON}]")
_JOINED = re.compile(rf"(?:(?![{RUN_ON}])[\w@#])+")
Grow = Callable[[int, int], tuple[int, int]]
"""From a place in a text to the whole words that it touches."""


def normalise_marked(text: str, span: tuple[int, int], also: Spans = ()) -> tuple[str, Spans]:
    """Normalise ``text`` and carry along the character ``span`` of a brand in it.

    The span grows to whole words (``@`` and ``#`` included), since masking replaces whole words; not
    in scripts that are written without spaces. ``also`` are other places where the text names that
    brand, perhaps by another of its names. Where it says the first name again, plainly, as a handle
    or as a hashtag, that place is marked too: once handles are masked, nothing else tells that both
    are the same brand. Returns no spans where ``span`` names nothing, or where a link that was masked
    had swallowed it.
    """
    start, end = max(0, span[0]), min(len(text), span[1])
    if start >= end:
        return normalise(text), ()
    text = _MARKS.sub(" ", text)
    whole = _whole_words(text)
    start, end = whole(start, end)
    places = {whole(a, b) for a, b in also if 0 <= a < b <= len(text)}
    places |= set(_named_again(text, start, end, whole))
    far = end - MAX_CHARACTERS // 2  # keep the brand inside what is read of a very long post
    if far > 0:
        text, start, end = text[far:], max(0, start - far), end - far
        places = {(a - far, b - far) for a, b in places if a >= far}
    text = text[: 4 * MAX_CHARACTERS]  # no more of it is normalised
    places = {p for p in places if p[1] <= len(text)}
    marked, at = "", 0
    apart = {p for p in places if p[1] <= start or p[0] >= end}
    for a, b in sorted({(start, end)} | apart, key=lambda p: (p[0], -p[1])):
        if a < at:  # two of its names overlap: the first and longest has the mark
            continue
        marked += f"{text[at:a]}{_HERE if a == start else _ALSO}{text[a:b]}{_CLOSE}"
        at = b
    return _unmarked(normalise(marked + text[at:]))


def _whole_words(text: str) -> Grow:
    """What makes a place in ``text`` whole words. The text is walked once, however many places ask."""
    runs = [match.span() for match in _JOINED.finditer(text)]
    starts = [start for start, _ in runs]

    def run_at(position: int) -> tuple[int, int] | None:
        found = bisect_right(starts, position) - 1
        return runs[found] if found >= 0 and position < runs[found][1] else None

    def grow(start: int, end: int) -> tuple[int, int]:
        before, after = run_at(start - 1), run_at(end)
        return before[0] if before else start, after[1] if after else end

    return grow


def _named_again(text: str, start: int, end: int, whole: Grow) -> Iterator[tuple[int, int]]:
    """The other whole words of ``text`` that are the one at [start, end), but for case and sign.

    A handle that is masked already says no more than that somebody was named.
    """
    name = text[start:end].strip("@#")
    if len(name) < 2 or text[start:end] == MENTION:
        return
    last, seen = 0, (-1, -1)
    for match in re.finditer(re.escape(name), text, re.IGNORECASE):
        a, b = whole(*match.span())
        if (a, b) == seen:  # a word that holds the name many times is looked at once
            continue
        seen = (a, b)
        apart = a >= last and (b <= start or a >= end)
        if apart and text[a:b].strip("@#").casefold() == name.casefold():
            yield a, b
            last = b


def _unmarked(text: str) -> tuple[str, Spans]:
    """``text`` without the marks, and the spans that they held; none if the first was swallowed."""
    out, spans, here, opened = "", [], None, None
    for piece in re.split(f"([{_HERE}{_ALSO}{_CLOSE}])", text):
        if piece in (_HERE, _ALSO):
            opened = (piece, len(out))
        elif piece != _CLOSE:
            out += piece
        elif opened is not None:
            if opened[0] == _HERE:
                here = (opened[1], len(out))
            else:
                spans.append((opened[1], len(out)))
            opened = None
    if here is None or not out[slice(*here)].strip():
        return normalise(out), ()
    return out, (here, *(s for s in spans if out[slice(*s)].strip()))


# Chinese and Japanese put no white space after a sentence.
_SENTENCE = re.compile(r"(?<=[.!?…؟।])\s+|(?<=[。！？])[」』）”]*\s*|\s*[;\n]\s*")
_CONTRAST = re.compile(
    r",?\s+\b(?:but|unlike|while|whereas|although|though|pero|mais|aber|ma|mas|tapi|lekin)\b",
    re.IGNORECASE,
)


def window(text: str, spans: Spans, width: int = 360) -> tuple[str, Spans]:
    """Cut a long normalised ``text`` to the sentences around the first span, some ``width`` characters.

    Returns the cut and the spans that lie inside it. A text that already fits comes back as it is.
    """
    if len(text) <= width or not spans:
        return text, spans
    span = spans[0]
    start, end = _sentence(text, span)
    if end - start < width:
        start = max(0, min(start, span[0] - (width - (end - start)) // 2))
        end = min(len(text), start + width)
    if end - start > width:
        start = max(start, span[0] - width // 2)
        end = min(end, start + width)
    while 0 < start < span[0] and not _word_begins(text, start):
        start += 1
    inside = (span, *(s for s in spans[1:] if start <= s[0] and s[1] <= end))
    return text[start:end], tuple((a - start, b - start) for a, b in inside)


def _word_begins(text: str, at: int) -> bool:
    return text[at - 1].isspace() or _ALONE.search(text, at - 1, at + 1) is not None


def clause(text: str, span: tuple[int, int]) -> str:
    """Return the clause around ``span``: what a model that knows no targets is given to read."""
    start, end = _sentence(text, span)
    for match in _CONTRAST.finditer(text, start, end):
        if match.end() <= span[0]:
            start = match.start()
        elif match.start() >= span[1]:
            end = match.start()
            break
    return text[start:end].strip(" ,") or text


def _sentence(text: str, span: tuple[int, int]) -> tuple[int, int]:
    start, end = 0, len(text)
    for match in _SENTENCE.finditer(text):
        if match.end() <= span[0]:
            start = match.end()
        elif match.start() >= span[1]:
            end = match.start()
            break
    return start, end
