"""Any other three-class checkpoint: a hub id or a local folder, through transformers."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sentiment.calibration import Calibration
from sentiment.errors import SentimentError
from sentiment.model import Judge, Key, Scored, use_threads
from sentiment.rules import LABELS
from sentiment.text import clause

_NAMES = {
    "negative": 0, "neg": 0, "0_negative": 0, "bad": 0, "negativo": 0, "negatif": 0,
    "neutral": 1, "neu": 1, "ntr": 1, "mixed": 1, "neutre": 1, "neutro": 1,
    "positive": 2, "pos": 2, "good": 2, "positivo": 2, "positif": 2,
}  # fmt: skip


def label_order(id2label: Mapping[int, str]) -> list[int]:
    """For each output of a checkpoint, which of our labels it is.

    Names in any order and case are read; ``LABEL_0``-``LABEL_2`` (a checkpoint without names) are taken
    as negative, neutral, positive, the order of TweetEval and of XLM-T.
    """
    names = [str(id2label[i]).strip().lower() for i in sorted(id2label)]
    numbered = all(re.fullmatch(r"label_\d|\d", name) for name in names)
    order = [int(name[-1]) if numbered else _NAMES.get(name, -1) for name in names]
    if sorted(order) != [0, 1, 2]:
        raise SentimentError(
            f"the checkpoint's labels are {', '.join(names)}; three are needed: {', '.join(LABELS)}. "
            "Set id2label in its config.json, or choose a three-class sentiment model"
        )
    return order


class Hub(Judge):
    """A transformers checkpoint. It knows no targets: the clause around the brand is scored."""

    def __init__(self, name: str, *, threads: int | None = None) -> None:
        import torch

        super().__init__()
        use_threads(threads)
        self._torch: Any = torch
        # A folder may have an @ in its name; only a hub id has a revision after one.
        folder = Path(name) if Path(name).is_dir() else None
        source, _, revision = (name, "", "") if folder else name.partition("@")
        self._tokenizer, self._model = _read(name, source, revision)
        self._model.eval()
        self._order = label_order(self._model.config.id2label)
        most = min(int(getattr(self._tokenizer, "model_max_length", 512)), 512)
        positions = int(getattr(self._model.config, "max_position_embeddings", most + 2))
        self._length = min(most, 128, max(8, positions - 2))
        self.calibration = Calibration()
        if folder:
            source, commit = folder.resolve().name, _digest(folder)
        else:
            commit = getattr(self._model.config, "_commit_hash", None) or revision or "unknown"
        self.version = f"hub:{source}@{str(commit)[:12]}"
        self.description = f"{self.version}, float32, not calibrated"

    def score(self, texts: Sequence[Key]) -> list[Scored]:
        """Batches of 32 sorted by length; outputs put into our label order."""
        read = [clause(text, spans[0]) if spans else text for text, spans in texts]
        order = sorted(range(len(read)), key=lambda i: len(read[i]))
        out: list[Scored | None] = [None] * len(read)
        for at in range(0, len(order), 32):
            picked = order[at : at + 32]
            batch = self._tokenizer(
                [read[i] or " " for i in picked],
                padding=True,
                truncation=True,
                max_length=self._length,
                return_tensors="pt",
            )
            with self._torch.inference_mode():
                logits = self._model(**batch).logits.float().tolist()
            for i, row in zip(picked, logits, strict=True):
                ours = [0.0, 0.0, 0.0]
                for value, place in zip(row, self._order, strict=True):
                    ours[place] = value
                out[i] = Scored((ours[0], ours[1], ours[2]))
        return [s for s in out if s is not None]


def _read(name: str, source: str, revision: str) -> tuple[Any, Any]:
    """Tokenizer and model of a checkpoint, or SentimentError with one sentence.

    transformers fills up what a checkpoint lacks, an empty vocabulary or random weights, and goes on;
    such a model would say anything.
    """
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from transformers.utils.logging import get_verbosity, set_verbosity

    kind: dict[str, Any] = {"revision": revision} if revision else {}
    told = get_verbosity()
    set_verbosity(logging.ERROR)  # no report of many lines beside our sentence
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, **kind)
        model, found = AutoModelForSequenceClassification.from_pretrained(
            source, output_loading_info=True, ignore_mismatched_sizes=True, **kind
        )
    except Exception as error:  # damaged files raise whatever their readers raise
        raise SentimentError(_reason(name, error)) from error
    finally:
        set_verbosity(told)
    amiss = sorted({*found["missing_keys"], *(key for key, *_ in found["mismatched_keys"])})
    if amiss:
        some = ", ".join(amiss[:3]) + (f" and {len(amiss) - 3} more" if len(amiss) > 3 else "")
        raise SentimentError(
            f"the weights of {name!r} do not fit its config.json: {some} are missing or of another "
            "size; choose a checkpoint that was trained to classify, or copy its files anew"
        )
    pieces, wanted = len(tokenizer), int(getattr(model.config, "vocab_size", 0) or 0)
    if 2 * pieces < wanted:
        raise SentimentError(
            f"{name!r} has no usable tokenizer: it knows {pieces} pieces of words, the weights "
            f"{wanted}; put the tokenizer's files (tokenizer.json or its vocabulary) beside config.json"
        )
    return tokenizer, model


def _digest(folder: Path) -> str:
    """Of all that a folder's checkpoint is read from: new weights in an old place are another model."""
    seed = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in (".safetensors", ".bin", ".json", ".txt", ".model") and path.is_file():
            with path.open("rb") as stream:
                seed.update(path.name.encode() + hashlib.file_digest(stream, "sha256").digest())
    return seed.hexdigest()


def _reason(name: str, error: Exception) -> str:
    """One sentence for what went wrong, from the many that transformers may raise."""
    if Path(name).is_dir():
        return f"the folder {name} holds no usable checkpoint: {_first(error)}"
    text = str(error).lower()
    if any(
        w in text
        for w in ("connect", "offline", "resolve", "timed out", "cached", "reach", "proxy")
    ):
        return (
            f"cannot reach the hub for {name!r} and no copy of it is on this machine; go online once, "
            "give the path of a local folder, or use the bundled model"
        )
    return f"cannot load {name!r} (neither a local folder nor a usable hub id): {_first(error)}"


def _first(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    said = lines[0][:200] if lines else ""
    return said if " " in said else f"{type(error).__name__} {said}".strip()
