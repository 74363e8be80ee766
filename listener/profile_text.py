"""Profile text taken apart: flags, coordinates and the parts that may name a place. Pure text work."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

LONGEST = 200  # characters looked at; platforms allow 30 to 150


class Part(NamedTuple):
    """A stretch of the text that may name one place."""

    text: str
    comma: bool  # set off from the part before by a comma: a state or country is likely


class Taken(NamedTuple):
    """What a profile text holds. ``flags`` are (ISO code, region or None); degrees are (lat, lon)."""

    parts: tuple[Part, ...]
    flags: tuple[tuple[str, str | None], ...]
    coordinates: tuple[float, float] | None


_SEPARATOR = re.compile(
    r"[/|\\•·∙●~+;→←↔➡>»<«()\[\]{}!?*=\"“”„…\n\r\t_^¦‖｜／、。，・✈]|\s[-–—]+\s|[–—]|\s?&\s?|:"
    r"|\s(?:and|und|et|y|to|via|but|or|x|vs|then|by way of|formerly|now in|born in|e)\s",
    re.IGNORECASE,
)
_SYMBOL = re.compile(
    "[\u2190-\u2bff\ufe0f\u20e3\U0001f000-\U0001f0ff\U0001f190-\U0001faff\U000e0000-\U000e007f]+"
)
_LINK = re.compile(
    r"(?:https?://|www\.)\S+|\S+@\S+\.\S+|(?<!\w)@\w+|\b[\w-]+\.(?:com|org|net|me|ly|co)(?:/\S*)?\b"
)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_SPACED = re.compile(r"(?<!\w)(?:\w ){3,}\w(?!\w)")
_DOTTED = re.compile(r"(?<=[A-Za-z]{2})\.(?=[A-Za-z]{2})|(?<=[a-z]{3})\.\s+(?=[A-Z])")
# Names of people, firms and stories that hold a place's name.
_NAMESAKES = re.compile(
    r"carmen san ?diego|paris hilton|american airlines|virgin america|us air(?:ways)?\b"
    r"|united states of europe|jack london|london bridge is|kentucky fried|indiana jones"
    r"|(?:new york|la|l\.a\.|washington) times|miami vice|hannah montana|texas hold ?'?em",
    re.IGNORECASE,
)
_HASHTAG = re.compile(r"#(\w+)")
_FLAG = re.compile("[\U0001f1e6-\U0001f1ff]{2}")
_TAGS = re.compile("\U0001f3f4([\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6})\U000e007f")
_DECIMAL = re.compile(
    r"(?<![\d.])([-+]?\d{1,2}\.\d{2,})\s*°?\s*([NS]?)\s*[,;/\s]\s*([-+]?\d{1,3}\.\d{2,})"
    r"\s*°?\s*([EW]?)(?![\d.])",
    re.IGNORECASE,
)
_ANGLE = (
    r"(\d{1,3}(?:\.\d+)?)\s*°\s*(?:(\d{1,2}(?:\.\d+)?)\s*['′’]\s*)?"
    r"(?:(\d{1,2}(?:\.\d+)?)\s*(?:''|[\"″”])\s*)?"
)
_DEGREES = re.compile(
    rf"([NS]?)\s*{_ANGLE}([NS]?)[\s,/]*([EWO]?)\s*{_ANGLE}([EWO]?)", re.IGNORECASE
)
_SMALL_CAPS = str.maketrans("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘǫʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnopqrstuvwyz")
# Boxed and circled capitals that compatibility normalisation leaves alone.
_BOXED = {start + n: chr(ord("A") + n) for start in (0x1F130, 0x1F150, 0x1F170) for n in range(26)}
_FLAG_PARTS = {
    "gbeng": "England",
    "gbsct": "Scotland",
    "gbwls": "Wales",
    "gbnir": "Northern Ireland",
    "ustx": "Texas",
    "usca": "California",
}


def _flags(text: str) -> tuple[tuple[tuple[str, str | None], ...], str]:
    """The flags in the text, and the text without them."""
    found: list[tuple[str, str | None]] = []
    for match in _TAGS.finditer(text):
        tag = "".join(chr(ord(c) - 0xE0000) for c in match[1])
        if tag in _FLAG_PARTS:
            found.append((tag[:2].upper(), _FLAG_PARTS[tag]))
    for pair in _FLAG.findall(text):
        found += [("".join(chr(ord(c) - 0x1F1E6 + ord("A")) for c in pair), None)]
    return tuple(found), _FLAG.sub("|", _TAGS.sub("|", text))


def _angle(degrees: str, minutes: str | None, seconds: str | None, *sides: str) -> float:
    size = float(degrees) + float(minutes or 0) / 60 + float(seconds or 0) / 3600
    return -size if any(side.upper() in ("S", "W", "O") for side in sides if side) else size


def coordinates_in(text: str) -> tuple[float, float] | None:
    """(lat, lon) in degrees written in the text, as phones wrote them ("ÜT: 40.7,-74.0")."""
    pair: tuple[float, float] | None = None
    if "°" in text and (match := _DEGREES.search(text)):
        n = match.groups()
        pair = _angle(n[1], n[2], n[3], n[0], n[4]), _angle(n[6], n[7], n[8], n[5], n[9])
    elif match := _DECIMAL.search(text):
        lat, lon = float(match[1]), float(match[3])
        pair = -lat if match[2] in ("S", "s") else lat, -lon if match[4] in ("W", "w") else lon
    if pair and abs(pair[0]) <= 90 and abs(pair[1]) <= 180:
        return pair
    return None


def camel_split(text: str) -> str:
    """ "PlanoTexas" as "Plano Texas"."""
    return _CAMEL.sub(" ", text)


def _hashtag(match: re.Match[str]) -> str:
    return f"|{camel_split(match[1])}|"


def take_apart(text: str) -> Taken:
    """Flags, coordinates and parts of a profile text; never fails, whatever the text holds."""
    text = text[:LONGEST]
    flags: tuple[tuple[str, str | None], ...] = ()
    if not text.isascii():
        flags, text = _flags(text)
        text = unicodedata.normalize("NFKC", text.translate(_BOXED).translate(_SMALL_CAPS))
    spot = None
    if "." in text or "°" in text:
        spot = coordinates_in(text)
    text = _DOTTED.sub(",", _NAMESAKES.sub("|", _LINK.sub("|", text)))
    if "#" in text:
        text = _HASHTAG.sub(_hashtag, text)
    if not text.isascii():
        text = _SYMBOL.sub("|", text)
    text = _SPACED.sub(lambda m: m[0].replace(" ", ""), text)
    parts = []
    for stretch in _SEPARATOR.split(text):
        comma = False
        for piece in stretch.split(","):
            piece = piece.strip(" .-'’`#@\u200b\u200e\u200f")
            if piece:
                parts.append(Part(piece, comma))
            comma = True
    return Taken(tuple(parts[:12]), flags, spot)
