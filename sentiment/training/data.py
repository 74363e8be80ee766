"""Step 2: the training texts as token arrays, and the stream of batches drawn from them."""

from __future__ import annotations

import csv
import hashlib
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from sentiment.model import tokens_of
from sentiment.text import Spans, normalise, normalise_marked
from sentiment.training import intents

LABELS = ("negative", "neutral", "positive")
VAL_ONLY = ("bengali", "nepali")
"""Never trained on: their licences or their purpose forbid it."""

# How many times its own size each source is drawn in one unit of training. Small languages are
# drawn more often, but not so often that they are learned by heart.
REPEATS = {
    "english": 1.1, "arabic": 1.6, "french": 1.4, "german": 1.6, "italian": 1.5, "portuguese": 1.5,
    "spanish": 1.5, "hindi": 2.0, "thai": 0.7, "indonesian": 0.5, "hausa": 0.3, "igbo": 0.35,
    "yoruba": 0.4,
    "amharic": 0.6, "moroccan_arabic": 0.8, "nigerian_pidgin": 0.6, "mozambican_portuguese": 1.3,
    "kinyarwanda": 1.0, "algerian_arabic": 1.6, "twi": 0.7, "swahili": 1.5, "tsonga": 1.6,
    "airline": 0.4, "airline_pair": 0.35, "support": 0.4, "pair": 0.2, "template": 0.9,
    "composed": 0.5, "named": 0.4, "carried_spanish": 0.7, "carried_portuguese": 0.7,
    "carried_italian": 0.7, "carried_french": 0.7, "carried_german": 0.5, "carried_arabic": 0.5,
    "carried_hindi": 0.6, "carried_swahili": 0.3, "carried_mixed": 0.4, "read": 2.5,
}  # fmt: skip
NUSAX_REPEATS = 0.8
FINISH = {"airline": 0.6, "airline_pair": 2.5, "pair": 1.2, "template": 9.0}
"""The same for the last part of the run, where the target is learned: about a third of all draws."""


@dataclass(slots=True)
class Example:
    """One training text: token ids, which tokens are the target's, and what is known of it."""

    ids: list[int]
    marked: tuple[int, ...]  # token positions of the target; () is none
    label: int  # -100: unknown
    intent: int  # -100: unknown
    source: str


def read_tsv(path: Path) -> list[tuple[str, str]]:
    """Rows of a ``label<TAB>text`` file with a header."""
    rows = []
    with path.open(encoding="utf-8", newline="") as lines:
        next(lines)
        for line in lines:
            label, _, text = line.rstrip("\r\n").partition("\t")
            if label in LABELS:
                rows.append((label, text))
    return rows


def languages(root: Path) -> list[str]:
    """Names of the languages that may be trained on."""
    return sorted(p.parent.name for p in root.glob("*/train.tsv") if p.parent.name not in VAL_ONLY)


AIRLINES = {
    "united": r"@?united\b",
    "us airways": r"@?us ?air(?:ways)?\b",
    "american": r"@?american ?air(?:lines)?\b|\baa\b",
    "southwest": r"@?southwest(?:air)?\b|\bswa?\b",
    "delta": r"@?delta\b",
    "jetblue": r"@?jet ?blue\b",
    "virgin america": r"@?virgin(?: ?america)?\b|\bvx\b",
}
_AIRLINES = {
    name: re.compile(r"(?<!\w)(?:" + p + ")", re.IGNORECASE) for name, p in AIRLINES.items()
}


def airlines_named(text: str) -> dict[str, tuple[int, int]]:
    """The airlines that ``text`` names, each with the span of its first mention."""
    return {n: m.span() for n, p in _AIRLINES.items() if (m := p.search(text))}


def airline_spans(text: str, name: str) -> Spans:
    """Every place where ``text`` names the airline ``name``."""
    return tuple(m.span() for m in _AIRLINES[name].finditer(text))


def read_airline(path: Path) -> list[dict[str, str]]:
    """The airline rows, less those that name two airlines: they are the test of targets."""
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    return [r for r in rows if len(airlines_named(r["text"])) < 2]


_NAME = re.compile(
    r"@user|(?<=\s)[A-Z][a-z]{2,}(?: [A-Z][a-z]{2,})?|(?<=\s)#\w{3,}|[\u0e00-\u0e7f]{6,}"
)


READ = Path(__file__).with_name("hindi_read.tsv")


def verify(text: str, digest: str, what: str) -> None:
    """Raise ValueError if ``text`` is not the post whose SHA-256 begins with ``digest``."""
    if not hashlib.sha256(text.encode()).hexdigest().startswith(digest):
        raise ValueError(f"{what} is not the post that was labelled")


def reread(rows: Sequence[tuple[str, str]], part: str) -> list[tuple[str, str]]:
    """The Hindi rows of ``part`` (train or val) with our own labels; what has none is left out.

    The labels that came with that set agree with a reader's little more often than chance would (35 %
    on val, 42 % on train), so the posts were read and labelled anew, by row and a prefix of their
    SHA-256; not those of train that stand in the English set too.
    """
    out = []
    for line in READ.read_text(encoding="utf-8").splitlines()[1:]:
        which, row, digest, label = line.split("\t")
        if which == part:
            text = rows[int(row)][1]
            verify(text, digest, f"row {row} of hindi/{part}.tsv")
            out.append((label, text))
    return out


class Corpus:
    """All training examples by source, and an endless shuffled stream of them by weight."""

    def __init__(self, shared: Path, tokenizer: Tokenizer, length: int = 72, seed: int = 1) -> None:
        self.tokenizer = tokenizer
        self.length = length
        self.rng = random.Random(seed)
        self.by_source: dict[str, list[Example]] = {}
        self._languages(shared / "sentiment")
        self._airline(shared / "airline" / "tweets.csv")
        self._support(shared / "support_threads" / "twcs_head.csv")

    def encode(self, text: str, spans: Spans = ()) -> tuple[list[int], tuple[int, ...]]:
        e = self.tokenizer.encode(text)
        return e.ids, tokens_of(e.offsets, spans)

    def _languages(self, root: Path) -> None:
        self.val: dict[str, list[tuple[str, str]]] = {}
        for folder in sorted(root.glob("*/val.tsv")):
            self.val[folder.parent.name] = read_tsv(folder)
        self.val["hindi"] = reread(self.val["hindi"], "val")
        held = {normalise(t).lower() for rows in self.val.values() for _, t in rows}
        self.texts: dict[str, list[tuple[str, str]]] = {}
        for name in languages(root):
            posts = read_tsv(root / name / "train.tsv")
            posts = reread(posts, "train") if name == "hindi" else posts
            rows = [(lab, normalise(t)) for lab, t in posts]
            rows = [(lab, t) for lab, t in rows if t and t.lower() not in held]
            self.texts[name] = rows
            found = []
            for (label, text), e in zip(
                rows, self.tokenizer.encode_batch([t for _, t in rows]), strict=True
            ):
                intent = intents.of_post(text, label)
                found.append(
                    Example(
                        e.ids,
                        (),
                        LABELS.index(label),
                        intents.INTENTS.index(intent) if intent else -100,
                        name,
                    )
                )
            self.by_source[name] = found

    def _airline(self, path: Path) -> None:
        rows = read_airline(path)
        singles, self.airline_texts, self.airline_posts = [], [], []
        for row in rows:
            label, text = row["airline_sentiment"], row["text"]
            named = next(iter(airlines_named(text)), None)
            spans = airline_spans(text, named) if named else ()
            intent = intents.of_airline(text, label, float(row["airline_sentiment_confidence"]))
            out, found = (
                normalise_marked(text, spans[0], spans[1:]) if spans else (normalise(text), ())
            )
            ids, marked = self.encode(out, found)
            code = intents.INTENTS.index(intent) if intent else -100
            singles.append(Example(ids, marked, LABELS.index(label), code, "airline"))
            if marked:
                singles.append(Example(ids, (), LABELS.index(label), code, "airline"))
                self.airline_texts.append((label, ids, marked))
                self.airline_posts.append((out, found[0], LABELS.index(label)))
        self.rng.shuffle(singles)
        self.by_source["airline"] = singles[:14000]
        self.by_source["airline_pair"] = [self._airline_pair() for _ in range(12000)]
        self.by_source["pair"] = [self._pair() for _ in range(14000)]

    def _airline_pair(self) -> Example:
        """Two posts on two airlines, one after the other; the label is that of the marked one."""
        a, b = self.rng.sample(self.airline_texts, 2)
        for _ in range(6):  # prefer two different labels: only they teach which one counts
            if a[0] != b[0] and len(a[1]) + len(b[1]) < self.length:
                break
            a, b = self.rng.sample(self.airline_texts, 2)
        return self._join(a, b, "airline_pair")

    def _pair(self) -> Example:
        """Two posts in one language, one after the other, a random word of one of them marked."""
        name = self.rng.choice(list(self.texts))
        picked = []
        for _ in range(2):
            for _ in range(8):
                label, text = self.rng.choice(self.texts[name])
                words = list(re.finditer(r"\w{3,}", text))
                if words and len(text) < 150:
                    break
            spans = (self.rng.choice(words).span(),) if words else ()
            picked.append((label, *self.encode(text, spans)))
        return self._join(picked[0], picked[1], "pair")

    def _join(
        self,
        a: tuple[str, list[int], tuple[int, ...]],
        b: tuple[str, list[int], tuple[int, ...]],
        source: str,
    ) -> Example:
        ids = a[1][:-1] + b[1][1:]
        if self.rng.random() < 0.5:
            return Example(ids, a[2], LABELS.index(a[0]), -100, source)
        shift = len(a[1]) - 2
        marked = tuple(i + shift for i in b[2])
        return Example(ids, marked, LABELS.index(b[0]), -100, source)

    def _support(self, path: Path) -> None:
        with path.open(encoding="utf-8", newline="") as lines:
            rows = [r["text"] or "" for r in csv.DictReader(lines) if r["inbound"] == "True"]
        found = []
        for text in map(normalise, rows):
            intent = intents.of_support(text)
            if intent:
                found.append(
                    Example(
                        self.encode(text)[0], (), -100, intents.INTENTS.index(intent), "support"
                    )
                )
        self.by_source["support"] = found

    def add_plain(self, source: str, rows: Iterable[tuple[int, str]]) -> None:
        """Add posts (label, text) without a target and without an intent."""
        self.by_source[source] = [
            Example(self.encode(normalise(text))[0], (), label, -100, source)
            for label, text in rows
        ]

    def add_marked(self, source: str, rows: Iterable[tuple[str, tuple[int, int], int]]) -> None:
        """Add posts with a marked span and a label toward it."""
        found = []
        for text, span, label in rows:
            ids, marked = self.encode(*normalise_marked(text, span))
            found.append(Example(ids, marked, label, -100, source))
        self.by_source[source] = found

    def posts_with_a_name(self, name: str) -> list[tuple[str, tuple[int, int], int]]:
        """Short posts of one language, each with the span of a mention or, failing that, of a name."""
        out = []
        for label, text in self.texts[name]:
            if len(text) < 140 and (found := _NAME.search(text)):
                out.append((text, found.span(), LABELS.index(label)))
        return out

    def priors(self) -> dict[str, list[float]]:
        """Share of each label by source, smoothed: what the balanced loss divides out."""
        out = {}
        for name, found in self.by_source.items():
            counts = np.array([sum(e.label == k for e in found) for k in range(3)], float) + 10.0
            out[name] = (counts / counts.sum()).tolist()
        return out

    def repeats(self, name: str) -> float:
        return REPEATS.get(name, NUSAX_REPEATS)

    def stream(self, seed: int) -> Iterator[Example]:
        """Endless: each source shuffled and passed through in full before it comes again."""
        rng = random.Random(seed)
        names = list(self.by_source)
        weights = [len(self.by_source[n]) * self.repeats(n) for n in names]
        order: dict[str, list[int]] = {n: [] for n in names}
        while True:
            name = rng.choices(names, weights)[0]
            if not order[name]:
                order[name] = list(range(len(self.by_source[name])))
                rng.shuffle(order[name])
            yield self.by_source[name][order[name].pop()]

    def batches(self, seed: int, tokens: int, pool: int = 3000) -> Iterator[list[Example]]:
        """Batches of texts of like length, at most ``tokens`` tokens each, padding included."""
        rng = random.Random(seed + 7)
        stream = self.stream(seed)
        while True:
            drawn = [next(stream) for _ in range(pool)]
            drawn.sort(key=lambda e: (min(len(e.ids), self.length), rng.random()))
            out: list[list[Example]] = [[]]
            for e in drawn:
                if (len(out[-1]) + 1) * min(len(e.ids), self.length) > tokens:
                    out.append([])
                out[-1].append(e)
            rng.shuffle(out)
            yield from out
