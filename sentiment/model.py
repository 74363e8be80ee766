"""Judging posts: load once, score batches.

Importing this module does not import torch; :func:`load` does. A judge takes items (a text, perhaps the
span of the brand in it) and gives a :class:`Judgement` each: three calibrated probabilities that sum to
one, the label, how sure that is, the language, and what the post wants (the second head).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentiment import language as languages
from sentiment.calibration import Calibration
from sentiment.errors import SentimentError
from sentiment.rules import LABELS, PhraseRule, first_match
from sentiment.text import Spans, normalise, normalise_marked, window

if TYPE_CHECKING:
    from sentiment.encoder import Encoded

__all__ = ["LABELS", "UNSURE", "Item", "Judge", "Judgement", "PhraseRule", "load"]

Key = tuple[str, Spans]
"""A normalised text and where it names the brand: what a score is kept by."""
UNSURE = "unsure"
MODELS = "bundled, fast, a folder, or owner/name of the hub"
CACHED = 50_000
"""Scores kept by normalised text and target: reposts and campaigns are judged once."""
CHUNK = 4_096
"""Texts handed to the encoder at once: enough to sort by length, little enough to stay small."""


@dataclass(frozen=True)
class Item:
    """One post to judge. ``target`` is the character span of the brand in ``text``: with it, the label
    is how the post feels about that brand; without it, about anything. ``also`` are further places
    where it is named, perhaps otherwise (``@acme_help``, "Acme Bank"). ``language`` skips detection."""

    text: str
    target: tuple[int, int] | None = None
    also: Spans = ()
    language: str | None = None
    rules: Sequence[PhraseRule] = ()


@dataclass(frozen=True)
class Judgement:
    """What the judge says of one post; probabilities sum to 1.

    ``label`` is the likeliest of :data:`LABELS`, or ``unsure`` where a threshold was asked for and the
    confidence lies below it. ``rule`` names the phrase that decided instead of the model (its label
    then has confidence 1). ``intent`` is None where the model has no second head.
    """

    label: str
    negative: float
    neutral: float
    positive: float
    confidence: float
    language: str
    intent: str | None = None
    intent_confidence: float | None = None
    rule: str | None = None

    @property
    def probabilities(self) -> tuple[float, float, float]:
        """In the order of :data:`LABELS`."""
        return (self.negative, self.neutral, self.positive)


@dataclass(frozen=True)
class Scored:
    """Raw scores of one text, before calibration: what the cache keeps."""

    logits: tuple[float, float, float]
    intents: tuple[float, ...] = ()
    early: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """What the early voice adds, by a share that hangs on the language."""


class Judge:
    """Shared by the bundled model and any other: cache, language, calibration, rules, threshold."""

    version: str
    description: str
    calibration: Calibration
    intents: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._cache: OrderedDict[Key, Scored] = OrderedDict()

    def score(self, texts: Sequence[Key]) -> list[Scored]:
        """Score normalised texts with their target spans; each kind of model has its own."""
        raise NotImplementedError

    def judge(self, items: Sequence[Item], *, threshold: float | None = None) -> list[Judgement]:
        """Judge ``items``, in their order; below ``threshold`` (0 to 1) a label is ``unsure``."""
        if threshold is not None and not 0 <= threshold <= 1:
            raise SentimentError(f"the threshold is {threshold}; it must lie between 0 and 1")
        out: list[Judgement] = []
        for at in range(0, len(items), CHUNK):
            out += self._judge(items[at : at + CHUNK], threshold)
        return out

    def _judge(self, items: Sequence[Item], threshold: float | None) -> list[Judgement]:
        keys = [_key(item) for item in items]
        scored = self.scores(keys)
        told = iter(languages.detect([i.text for i in items if i.language is None]))
        out = []
        for item, key in zip(items, keys, strict=True):
            code = item.language if item.language is not None else next(told).code
            out.append(self._judgement(scored[key], code, item, threshold))
        return out

    def scores(self, keys: Sequence[Key]) -> dict[Key, Scored]:
        """Scores of normalised texts with their spans, from the cache where they are known."""
        found = {key: self._cache[key] for key in keys if key in self._cache}
        fresh = [key for key in dict.fromkeys(keys) if key not in found]
        found.update(zip(fresh, self.score(fresh), strict=True) if fresh else ())
        for key in fresh:
            self._cache[key] = found[key]
        while len(self._cache) > CACHED:
            self._cache.popitem(last=False)
        return found

    def _judgement(
        self, scored: Scored, code: str, item: Item, threshold: float | None
    ) -> Judgement:
        p = self.calibration.apply(scored.logits, code, scored.early)
        best = max(range(3), key=p.__getitem__)
        intent, sure = _best_intent(scored.intents, self.intents)
        said = Judgement(LABELS[best], *p, p[best], code, intent, sure)
        rule = first_match(item.text, item.rules) if item.rules else None
        if rule is not None:
            n, o, q = (float(name == rule.label) for name in LABELS)
            said = replace(said, negative=n, neutral=o, positive=q, confidence=1.0)
            return replace(said, label=rule.label, rule=rule.phrase)
        if threshold is not None and said.confidence < threshold:
            return replace(said, label=UNSURE)
        return said


class Bundled(Judge):
    """The model that ships with the product; ``fast`` leaves the encoder early, at a stated cost."""

    def __init__(self, folder: Path, *, fast: bool, threads: int | None) -> None:
        from tokenizers import Tokenizer

        from sentiment import bundle

        super().__init__()
        config = bundle.read_config(folder)
        bundle.verify(folder, config)
        use_threads(threads)
        from sentiment.encoder import Encoder, best_dtype, give_back_memory

        self.config = config
        self.dtype = best_dtype()
        self.version = bundle.version_of(config) + ("-fast" if fast else "")
        self.intents = tuple(config["intents"])
        self.calibration = Calibration.from_config(
            config["calibration"]["fast" if fast else "full"]
        )
        self._tokenizer = Tokenizer.from_file(str(folder / bundle.TOKENIZER))
        self._encoder = Encoder(bundle.read_tensors(folder), config, fast=fast, dtype=self.dtype)
        give_back_memory()
        self.description = f"{self.version}, {str(self.dtype).removeprefix('torch.')} on this CPU"

    def score(self, texts: Sequence[Key]) -> list[Scored]:
        """Tokenise in one call, run the encoder on batches of like length."""
        read = [window(text, spans) for text, spans in texts]
        tokenise = self._tokenizer.encode_batch_fast
        if any(spans for _, spans in read):
            tokenise = self._tokenizer.encode_batch  # the fast one keeps no offsets
        encodings = tokenise([text for text, _ in read])
        for i, (encoding, (_, spans)) in enumerate(zip(encodings, read, strict=True)):
            if spans and self._missed(encoding, spans):
                read[i], encodings[i] = self._nearer(*texts[i]) or (read[i], encoding)
        said = self._encoder.logits(
            [_encoded(e, spans) for e, (_, spans) in zip(encodings, read, strict=True)]
        )
        return [
            Scored((a[0], a[1], a[2]), tuple(b), (c[0], c[1], c[2]))
            for a, b, c in zip(
                said.logits.tolist(), said.intents.tolist(), said.early.tolist(), strict=True
            )
        ]

    def _missed(self, encoding: Any, spans: Spans) -> bool:
        """Whether the tokens that are read end before the first span."""
        if len(encoding.ids) < self._encoder.length:
            return False
        tokens = tokens_of(encoding.offsets, spans[:1])
        return not tokens or tokens[0] >= self._encoder.length - 1

    def _nearer(self, text: str, spans: Spans) -> tuple[Key, Any] | None:
        """``text`` cut closer to its first span, until that is read.

        The window is in characters, and in Chinese or Amharic a hundred of them may be more tokens
        than the model reads. None where no cut is close enough.
        """
        width = self._encoder.length
        while width > 1:
            cut = window(text, spans, width)
            encoding = self._tokenizer.encode(cut[0])
            if not self._missed(encoding, cut[1]):
                return cut, encoding
            width //= 2
        return None


def _encoded(encoding: Any, spans: Spans) -> Encoded:
    from sentiment.encoder import Encoded

    if not spans:
        return Encoded(encoding.ids)
    return Encoded(encoding.ids, tokens_of(encoding.offsets, spans))


def tokens_of(offsets: Sequence[tuple[int, int]], spans: Spans) -> tuple[int, ...]:
    """Positions of the tokens, given by their character ``offsets``, that lie on one of ``spans``."""
    return tuple(
        i for i, (a, b) in enumerate(offsets) if any(a < end and b > start for start, end in spans)
    )


def is_model(name: str) -> bool:
    """Whether ``name`` can be a model's; a hub id is taken as it is, and asked for at load."""
    folder = bool(name.strip()) and Path(name).is_dir()
    return name in ("bundled", "fast") or folder or "/" in name


def load(model: str = "bundled", *, threads: int | None = None) -> Judge:
    """Load a judge: ``bundled``, ``fast``, a local folder, or a hub id (``owner/name[@revision]``).

    Raises SentimentError where the name is none of these, the files are missing or damaged, or the hub
    cannot be reached.
    """
    if not is_model(model):
        raise SentimentError(f"there is no model {model!r}; allowed are {MODELS}")
    if model in ("bundled", "fast"):
        from sentiment.bundle import FOLDER

        return Bundled(FOLDER, fast=model == "fast", threads=threads)
    from sentiment.hub import Hub

    return Hub(model, threads=threads)


def use_threads(threads: int | None) -> None:
    """Let torch use ``threads`` cores (all that this process may run on, when None)."""
    import os

    # Waiting threads must soon sleep: beside a dashboard and a collector, spinning for milliseconds (as
    # is usual) made judging several times slower; not spinning at all costs a quiet machine a tenth.
    # Some 0.2 ms bridge the gap between two products. OpenMP reads this once, when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "5000")
    import torch

    if threads is not None and threads < 1:
        raise SentimentError(f"threads is {threads}; it must be 1 or more")
    torch.set_num_threads(threads or cores())


def cores() -> int:
    """How many cores this process may run on."""
    import os

    allowed = getattr(os, "sched_getaffinity", None)  # macOS has no such thing
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def in_batches(items: Iterator[Item], size: int) -> Iterator[list[Item]]:
    """Group a stream of items into lists of at most ``size``."""
    batch: list[Item] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _key(item: Item) -> Key:
    if item.target is None:
        return normalise(item.text), ()
    return normalise_marked(item.text, item.target, item.also)


def _best_intent(logits: Sequence[float], names: Sequence[str]) -> tuple[str | None, float | None]:
    from sentiment.calibration import softmax

    if not logits or not names:
        return None, None
    p = softmax(logits)
    best = max(range(len(p)), key=p.__getitem__)
    return names[best], p[best]


def describe(judge: Judge) -> dict[str, Any]:
    """What `groundswell status` and the pages say of the model in use."""
    return {"version": judge.version, "description": judge.description}
