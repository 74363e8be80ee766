"""Labelled posts carried over to sister languages that have few of their own.

A label survives a crude translation: what the small languages lack is words of feeling, not grammar.
Spanish, Portuguese, Italian and French come from Apertium (rules and lexica, no model); German, Arabic,
Hindi and Swahili from FreeDict's word lists, a random share of the words of each post replaced (Qin et
al. 2020, "CoSDA-ML"). ``mixed`` takes each word from any of eight lists, as that paper does: it ties
words of one meaning together, whatever their script. Both are Debian packages; README.md names them.
Bengali and Nepali stay untouched: they are the test of what happens to a language that the training
never saw.
"""

from __future__ import annotations

import gzip
import random
import re
import shutil
import subprocess
from collections import ChainMap
from collections.abc import Mapping, Sequence
from pathlib import Path

TO_SPANISH = {
    "english": ("eng-spa",), "portuguese": ("pt-es",), "french": ("fr-es",), "italian": ("ita-spa",),
    "spanish": (),
}  # fmt: skip
FROM_SPANISH = {
    "spanish": (), "portuguese": ("es-pt_BR",), "italian": ("spa-ita",), "french": ("es-fr",),
}  # fmt: skip
"""Modes of Apertium: every way leads over Spanish, which has a pair with each."""
FREEDICT = {
    "german": "eng-deu", "arabic": "eng-ara", "hindi": "eng-hin", "swahili": "eng-swh",
}  # fmt: skip
MIXED = (*FREEDICT.values(), "eng-tur", "eng-ell", "eng-hun", "eng-rus")
DICTIONARIES = Path("/usr/share/dictd")
PACKAGES = (
    "apertium cg3 apertium-eng-spa apertium-es-pt apertium-spa-ita apertium-fr-es "
    "dict-freedict-eng-deu dict-freedict-eng-ara dict-freedict-eng-hin dict-freedict-eng-swh "
    "dict-freedict-eng-tur dict-freedict-eng-ell dict-freedict-eng-hun dict-freedict-eng-rus"
)
_MASKS = {"@user": "Xusrx", "http": "Xlnkx"}
_WORD = re.compile(r"(?<![@#\w'’])[A-Za-z]+(?![\w'’])")
_HEAD = re.compile(r"([A-Za-z]+) /[^/]*/(?: <[^>]*>)?$")
_NOTE = re.compile(r"<[^>]*>|\[[^\]]*\]|\([^)]*\)|\{[^}]*\}|^\s*\d+\.")
_JUNK = re.compile(r"[.:/~]|\d")
_VOWELS = re.compile("[\u064b-\u0652]")  # Arabic vowel marks, which nobody types
Post = tuple[int, str]


class MissingTool(RuntimeError):
    """Apertium or a dictionary is not installed."""


def make(
    rng: random.Random, posts: Mapping[str, Sequence[Post]], count: int
) -> dict[str, list[Post]]:
    """For each sister language: posts (label, text) carried over from ``posts`` of the others.

    About ``count`` come from English, labels in equal parts; the Romance languages also get all posts
    of one another, which come through far better.
    """
    english = balanced(rng, posts["english"], count * 4 // 3)
    out: dict[str, list[Post]] = {name: [] for name in (*FROM_SPANISH, *FREEDICT)}
    for source, modes in TO_SPANISH.items():
        rows = english if source == "english" else list(posts[source])
        spanish = translate([text for _, text in rows], modes)
        for target, further in FROM_SPANISH.items():
            if source == target:
                continue
            made = [
                (label, new)
                for (label, _), new in zip(rows, translate(spanish, further), strict=True)
            ]
            out[target] += well_carried(rows, made) if source == "english" else made
    lists = {code: _dictionary(code) for code in MIXED}
    for target, code in FREEDICT.items():
        made = [
            (label, mix(rng, text, lists[code], rng.uniform(0.3, 0.8))) for label, text in english
        ]
        out[target] += well_carried(english, made)
    more = balanced(rng, posts["english"], count * 2)
    out["mixed"] = [
        (label, mix(rng, text, joined(rng, list(lists.values())), rng.uniform(0.3, 0.9)))
        for label, text in more
    ]
    return out


def joined(rng: random.Random, lists: Sequence[dict[str, list[str]]]) -> Mapping[str, list[str]]:
    """Two of ``lists`` as one: a post of eight languages at once is no post that anybody writes."""
    first, second = rng.sample(lists, 2)
    return ChainMap(first, second)


def balanced(rng: random.Random, posts: Sequence[Post], count: int) -> list[Post]:
    """``count`` posts drawn without replacement, a third of each label."""
    out = []
    for label in range(3):
        mine = [p for p in posts if p[0] == label]
        out += rng.sample(mine, min(count // 3, len(mine)))
    return out


def well_carried(old: Sequence[Post], new: Sequence[Post]) -> list[Post]:
    """Drop the quarter of each label that came through most as it was: it teaches nothing new."""
    kept = [kept_words(a, b) for (_, a), (_, b) in zip(old, new, strict=True)]
    out = []
    for label in range(3):
        mine = sorted((k, p) for k, p in zip(kept, new, strict=True) if p[0] == label)
        out += [p for _, p in mine[: len(mine) * 3 // 4]]
    return out


def kept_words(old: str, new: str) -> float:
    """Share of the words of ``old`` that stand in ``new`` unchanged."""
    before = [w.lower() for w in _WORD.findall(old)]
    after = {w.lower() for w in _WORD.findall(new)}
    return sum(w in after for w in before) / max(1, len(before))


def translate(texts: Sequence[str], modes: Sequence[str]) -> list[str]:
    """Each text through Apertium's ``modes``; masks survive, line breaks become spaces."""
    if not modes:
        return list(texts)
    program = shutil.which("apertium")
    if program is None:
        raise MissingTool(f"apertium is not installed; apt-get install {PACKAGES}")
    lines = [_hide(t) for t in texts]
    for mode in modes:
        told = subprocess.run(  # noqa: S603 - our own list of modes; the texts go to its input
            [program, "-u", mode],
            input="\n".join(lines) + "\n",
            capture_output=True,
            text=True,
            check=False,
        )
        if told.returncode:
            raise MissingTool(f"apertium {mode}: {told.stderr.strip()}; apt-get install {PACKAGES}")
        lines = told.stdout.rstrip("\n").split("\n")
    if len(lines) != len(texts):
        raise RuntimeError(f"apertium gave {len(lines)} lines for {len(texts)}")
    return [_show(line) for line in lines]


def _hide(text: str) -> str:
    text = " ".join(text.split()).replace("’", "'")
    text = re.sub(r"\bi\b", "I", text)
    for mask, word in _MASKS.items():
        text = text.replace(mask, word)
    return text + " ." if text and text[-1].isalnum() else text or "."


def _show(line: str) -> str:
    for mask, word in _MASKS.items():
        line = re.sub(word, mask, line, flags=re.IGNORECASE)
    return " ".join(line.removesuffix(" .").split())


def mix(rng: random.Random, text: str, words: Mapping[str, Sequence[str]], share: float) -> str:
    """``text`` with about ``share`` of the words that ``words`` knows replaced."""

    def one(match: re.Match[str]) -> str:
        found = words.get(match[0].lower())
        return rng.choice(found) if found and rng.random() < share else match[0]

    return _WORD.sub(one, text)


def _dictionary(code: str) -> dict[str, list[str]]:
    path = DICTIONARIES / f"freedict-{code}.dict.dz"
    if not path.exists():
        raise MissingTool(f"{path} is missing; apt-get install {PACKAGES}")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return read_dictionary(lines.read().splitlines())


def read_dictionary(lines: Sequence[str]) -> dict[str, list[str]]:
    """The translations of every single English word of a dictd text, one an entry, at most four."""
    words: dict[str, list[str]] = {}
    heads: list[str] = []
    for line in lines:
        if found := _HEAD.match(line):
            heads.append(found[1].lower())
        elif heads and line.strip():
            said = re.split(r"[,;،]", _NOTE.sub("", line).replace("~", " ").strip())[0].strip(
                " .!?"
            )
            said = _VOWELS.sub("", said)
            for head in heads:
                known = words.setdefault(head, [])
                if said and len(said.split()) < 4 and not _JUNK.search(said) and len(known) < 4:
                    known.append(said)
            heads = []
    return {head: said for head, said in words.items() if said}
