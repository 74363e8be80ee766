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
    # zero-width space, byte-order mark, bidi marks, variation selectors, skin tones: no feeling in them.
    # ZWJ and ZWNJ stay: they carry spelling in Indic and Persian scripts.
    (re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]"), ""),
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
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text.strip()[:MAX_CHARACTERS]
