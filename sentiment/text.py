"""Normalising a post before it is judged: the same function in training and in serving.

The public sentiment sets mask mentions as ``@user`` and links as ``http``; so do we, which also keeps
the model from learning who was written to. Everything else that carries feeling stays: case, emoji,
laughter, elongated words (cut to three repeats, since "sooooooo" and "soooo" mean the same).
"""

from __future__ import annotations

import html
import re

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


def normalise(text: str) -> str:
    """Return ``text`` as the model reads it: one line, mentions and links masked, repeats cut."""
    text = text[: 4 * MAX_CHARACTERS]
    if "&" in text:
        text = html.unescape(text)
    text = text.replace("\x00", "")
    if any("\ud800" <= c <= "\udfff" for c in text):  # half of a pair, which no tokenizer takes
        text = text.encode("utf-8", "replace").decode("utf-8")
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text.strip()[:MAX_CHARACTERS]


_OPEN, _CLOSE = "\ue000", "\ue001"
# Thai, Lao, Burmese, Khmer, kana and ideographs run on without spaces: there a word ends where it ends.
_JOINED = re.compile(
    r"(?![\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff])[\w@#]"
)


def normalise_marked(text: str, span: tuple[int, int]) -> tuple[str, tuple[int, int] | None]:
    """Normalise ``text`` and carry the character ``span`` of a brand along.

    The span grows to whole words (``@`` and ``#`` included), since masking replaces whole words; not
    in scripts that are written without spaces. The
    span comes back as None when it names nothing, or when a link that was masked had swallowed it.
    """
    start, end = max(0, span[0]), min(len(text), span[1])
    if start >= end:
        return normalise(text), None
    while start > 0 and _JOINED.match(text[start - 1]):
        start -= 1
    while end < len(text) and _JOINED.match(text[end]):
        end += 1
    text = text.replace(_OPEN, " ").replace(_CLOSE, " ")
    far = end - MAX_CHARACTERS // 2  # keep the brand inside what is read of a very long post
    if far > 0:
        text, start, end = text[far:], start - far, end - far
    out = normalise(f"{text[:start]}{_OPEN}{text[start:end]}{_CLOSE}{text[end:]}")
    first, last = out.find(_OPEN), out.find(_CLOSE)
    out = out.replace(_OPEN, "").replace(_CLOSE, "")
    if not 0 <= first < last - 1 or not out[first : last - 1].strip():
        return normalise(text), None
    return out, (first, last - 1)


_SENTENCE = re.compile(r"(?<=[.!?…。！？؟।])\s+|\s*[;\n]\s*")
_CONTRAST = re.compile(
    r",?\s+\b(?:but|unlike|while|whereas|although|though|pero|mais|aber|ma|mas|tapi|lekin)\b",
    re.IGNORECASE,
)


def window(text: str, span: tuple[int, int], width: int = 360) -> tuple[str, tuple[int, int]]:
    """Cut a long normalised ``text`` to the sentences around ``span``, about ``width`` characters.

    Returns the cut and the span inside it. A text that already fits comes back as it is.
    """
    if len(text) <= width:
        return text, span
    start, end = _sentence(text, span)
    if end - start < width:
        start = max(0, min(start, span[0] - (width - (end - start)) // 2))
        end = min(len(text), start + width)
    if end - start > width:
        start = max(start, span[0] - width // 2)
        end = min(end, start + width)
    while 0 < start < span[0] and not text[start - 1].isspace():
        start += 1
    return text[start:end], (span[0] - start, span[1] - start)


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
