"""Letters of other scripts that are drawn like Latin ones, for words that mix scripts to slip by.

A short table of the pairs that Unicode's confusables list (UTS #39) has for small letters.
"""

from __future__ import annotations

_LATIN = dict(zip("авсԁеԍһіјкӏмпорԛѕтцѵԝхуʏзг", "abcdeghijklmnopqstuvwxyyzr", strict=True)) | dict(
    zip("αβεικνορτυχγω", "abeiknoptuxyw", strict=True)
)


def latin_lookalike(word: str) -> str | None:
    """The Latin word that ``word`` is drawn like, None where a letter has no Latin twin, or where the
    whole word is of another script and so needs no disguise."""
    mixed = any("a" <= c <= "z" for c in word)
    out = "".join(c if c.isascii() else _LATIN.get(c, "\0") for c in word)
    return out if mixed and "\0" not in out and not word.isascii() else None
