# ruff: noqa: E501
"""Names carried between scripts, by rules: Latin into Cyrillic, Greek, Arabic, Hebrew, Devanagari and
Katakana, and from Cyrillic and Greek back. Coarse on purpose: these are spellings to look for, the common
one and its plainest rival, not a scholar's romanisation (rules after the languages' own habits for foreign
names: the Russian practical transcription, Hindi loan spelling, Japanese katakana orthography)."""

from __future__ import annotations

import re
from collections.abc import Sequence

_CYRILLIC = (
    ("sch", "ш"), ("tch", "ч"), ("sh", "ш"), ("ch", "ч"), ("zh", "ж"), ("ph", "ф"), ("th", "т"), ("kh", "х"),
    ("ck", "к"), ("qu", "кв"), ("oo", "у"), ("ee", "и"), ("ea", "и"), ("ya", "я"), ("yu", "ю"), ("yo", "йо"),
    ("ts", "ц"), ("x", "кс"), ("ce", "се"), ("ci", "си"), ("cy", "си"), ("a", "а"), ("b", "б"), ("c", "к"),
    ("d", "д"), ("e", "е"), ("f", "ф"), ("g", "г"), ("h", "х"), ("i", "и"), ("j", "дж"), ("k", "к"), ("l", "л"),
    ("m", "м"), ("n", "н"), ("o", "о"), ("p", "п"), ("q", "к"), ("r", "р"), ("s", "с"), ("t", "т"), ("u", "у"),
    ("v", "в"), ("w", "в"), ("y", "и"), ("z", "з"),
)  # fmt: skip
_GREEK = (
    ("th", "θ"), ("ph", "φ"), ("ch", "χ"), ("ps", "ψ"), ("ck", "κ"), ("ou", "ου"), ("oo", "ου"), ("sh", "σ"),
    ("x", "ξ"), ("a", "α"), ("b", "μπ"), ("c", "κ"), ("d", "ντ"), ("e", "ε"), ("f", "φ"), ("g", "γκ"),
    ("h", "χ"), ("i", "ι"), ("j", "τζ"), ("k", "κ"), ("l", "λ"), ("m", "μ"), ("n", "ν"), ("o", "ο"), ("p", "π"),
    ("q", "κ"), ("r", "ρ"), ("s", "σ"), ("t", "τ"), ("u", "ου"), ("v", "β"), ("w", "ου"), ("y", "ι"), ("z", "ζ"),
)  # fmt: skip
_ARABIC = (
    ("sh", "ش"), ("ch", "تش"), ("th", "ث"), ("kh", "خ"), ("gh", "غ"), ("ph", "ف"), ("ck", "ك"), ("oo", "و"),
    ("ee", "ي"), ("ou", "و"), ("ea", "ي"), ("x", "كس"), ("qu", "كو"), ("a", "ا"), ("b", "ب"), ("c", "ك"), ("d", "د"),
    ("e", ""), ("f", "ف"), ("g", "ج"), ("h", "ه"), ("i", "ي"), ("j", "ج"), ("k", "ك"), ("l", "ل"), ("m", "م"),
    ("n", "ن"), ("o", "و"), ("p", "ب"), ("q", "ق"), ("r", "ر"), ("s", "س"), ("t", "ت"), ("u", "و"), ("v", "ف"),
    ("w", "و"), ("y", "ي"), ("z", "ز"),
)  # fmt: skip
_HEBREW = (
    ("sh", "ש"), ("ch", "צ"), ("th", "ת"), ("ph", "פ"), ("ck", "ק"), ("oo", "ו"), ("ee", "י"), ("ou", "ו"),
    ("x", "קס"), ("a", "א"), ("b", "ב"), ("c", "ק"), ("d", "ד"), ("e", ""), ("f", "פ"), ("g", "ג"), ("h", "ה"),
    ("i", "י"), ("j", "ג"), ("k", "ק"), ("l", "ל"), ("m", "מ"), ("n", "נ"), ("o", "ו"), ("p", "פ"), ("q", "ק"),
    ("r", "ר"), ("s", "ס"), ("t", "ט"), ("u", "ו"), ("v", "ו"), ("w", "ו"), ("y", "י"), ("z", "ז"),
)  # fmt: skip
_HEBREW_FINAL = {"נ": "ן", "מ": "ם", "כ": "ך", "צ": "ץ"}
_DEVANAGARI = {
    "sh": "श", "ch": "च", "th": "थ", "ph": "फ", "kh": "ख", "gh": "घ", "bh": "भ", "dh": "ध", "ck": "क", "qu": "क्व",
    "x": "क्स", "b": "ब", "c": "क", "d": "ड", "f": "फ", "g": "ग", "h": "ह", "j": "ज", "k": "क", "l": "ल", "m": "म",
    "n": "न", "p": "प", "q": "क", "r": "र", "s": "स", "t": "ट", "v": "व", "w": "व", "y": "य", "z": "ज",
}  # fmt: skip
_MATRA = {"aa": "ा", "ee": "ी", "ea": "ी", "oo": "ू", "ai": "ै", "au": "ौ", "ou": "ाउ", "a": "ा", "e": "े",
          "i": "ि", "o": "ो", "u": "ु"}  # fmt: skip
_VOWEL = {"aa": "आ", "ee": "ई", "ea": "ई", "oo": "ऊ", "ai": "ऐ", "au": "औ", "ou": "आउ", "a": "अ", "e": "ए",
          "i": "इ", "o": "ओ", "u": "उ"}  # fmt: skip
_KANA = {
    "": "アイウエオ", "k": "カキクケコ", "s": "サシスセソ", "t": "タチツテト", "n": "ナニヌネノ", "h": "ハヒフヘホ",
    "m": "マミムメモ", "y": "ヤイユエヨ", "r": "ラリルレロ", "l": "ラリルレロ", "w": "ワイウエオ", "g": "ガギグゲゴ",
    "z": "ザジズゼゾ", "d": "ダディドゥデド", "b": "バビブベボ", "p": "パピプペポ", "c": "カシクセコ", "q": "カキクケコ",
}  # fmt: skip
_KANA_MORE = {
    "f": ("ファ", "フィ", "フ", "フェ", "フォ"), "v": ("バ", "ビ", "ブ", "ベ", "ボ"),
    "j": ("ジャ", "ジ", "ジュ", "ジェ", "ジョ"), "sh": ("シャ", "シ", "シュ", "シェ", "ショ"),
    "ch": ("チャ", "チ", "チュ", "チェ", "チョ"), "d": ("ダ", "ディ", "ドゥ", "デ", "ド"),
    "t": ("タ", "ティ", "トゥ", "テ", "ト"),
}  # fmt: skip
_ALONE = {
    "t": "ト",
    "d": "ド",
    "n": "ン",
    "m": "ム",
    "j": "ジ",
    "ch": "チ",
    "sh": "シュ",
    "x": "クス",
}
_FROM_CYRILLIC = dict(zip("абвгдезийклмнопрстуфыэіїєґ", "abvgdeziiklmnoprstufyeiieg", strict=True)) | {
    "ж": "zh", "х": "h", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ю": "yu", "я": "ya", "ь": "", "ъ": ""}  # fmt: skip
_FROM_GREEK = dict(zip("αβγδεζηικλμνξοπρστυφω", "avgdeziiklmnxoprstyfo", strict=True)) | {
    "θ": "th", "χ": "ch", "ψ": "ps", "ς": "s"}  # fmt: skip
_SCRIPT_OF = {
    "ru": "cyrillic", "uk": "cyrillic", "bg": "cyrillic", "mk": "cyrillic", "sr": "cyrillic", "el": "greek",
    "ar": "arabic", "fa": "arabic", "ur": "arabic", "he": "hebrew", "hi": "devanagari", "mr": "devanagari",
    "ne": "devanagari", "ja": "katakana",
}  # fmt: skip


def into(base: str, languages: Sequence[str]) -> list[str]:
    """The Latin name ``base`` (folded) in the scripts of these languages, one or two spellings each."""
    if not base.replace(" ", "").isascii() or not base.replace(" ", "").isalpha() or len(base) < 3:
        return []
    out: list[str] = []
    for script in dict.fromkeys(_SCRIPT_OF[x[:2]] for x in languages if x[:2] in _SCRIPT_OF):
        words = base.split()
        if script == "cyrillic":
            out.append(" ".join(_rewrite(w, _CYRILLIC) for w in words))
            if re.search("[iy]$", base):
                out.append(re.sub("и$", "ай", out[-1]))
            if "e" in base and "и" not in out[-1][-1:]:
                out.append(re.sub("е$", "", out[-1]))
        elif script == "greek":
            out.append(" ".join(re.sub("σ$", "ς", _rewrite(w, _GREEK)) for w in words))
        elif script == "arabic":
            out.append(" ".join(_rewrite(w, _ARABIC) for w in words))
        elif script == "hebrew":
            done = [_rewrite(w, _HEBREW) for w in words]
            out.append(" ".join(w[:-1] + _HEBREW_FINAL.get(w[-1], w[-1]) for w in done if w))
        elif script == "devanagari":
            out.append(" ".join(_devanagari(w) for w in words))
        else:
            out.append("".join(_katakana(w) for w in words))
    return [x for x in dict.fromkeys(out) if len(x) > 2]


def latin(name: str) -> str | None:
    """A Cyrillic or Greek name in Latin letters; None for a name of other scripts."""
    low = name.lower()
    for table in (_FROM_CYRILLIC, _FROM_GREEK):
        if any(c in table for c in low):
            return "".join(table.get(c, c if c == " " or c.isascii() else "") for c in low)
    return None


def _rewrite(word: str, rules: Sequence[tuple[str, str]]) -> str:
    table = dict(rules)
    word = re.sub(r"([b-df-hj-np-tv-z])\1", r"\1", word)
    return re.sub("|".join(k for k, _ in rules), lambda m: table[m.group()], word)


def _devanagari(word: str) -> str:
    word = re.sub(r"([b-df-hj-np-tv-z])\1", r"\1", word)
    keys = sorted((*_DEVANAGARI, *_MATRA), key=len, reverse=True)
    out, after_consonant = "", False
    for part in re.findall("|".join(keys), word):
        if part in _DEVANAGARI:
            out += ("्" if after_consonant else "") + _DEVANAGARI[part]
            after_consonant = True
        else:
            out += _MATRA[part] if after_consonant else _VOWEL[part]
            after_consonant = False
    return out


def _katakana(word: str) -> str:
    word = re.sub("([bdfgklmprstvz])e$", r"\1", word.replace("ph", "f").replace("ck", "k"))
    word = re.sub(r"([b-df-hj-np-tv-z])\1", r"\1", word.replace("oo", "u").replace("ee", "i"))
    out = ""
    for onset, vowel in re.findall(r"(sh|ch|[b-df-hj-np-tv-z]?)([aeiou]?)", word):
        if vowel:
            row: Sequence[str] = _KANA_MORE.get(onset) or tuple(_KANA.get(onset, _KANA[""]))
            out += row["aiueo".index(vowel)]
        elif onset:
            row = _KANA_MORE.get(onset) or tuple(_KANA.get(onset, _KANA[""]))
            out += _ALONE.get(onset) or row[2]
    return out
