"""Step 6: the shipped files from a trained checkpoint: eight-bit rows, four-bit untouched word rows."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from sentiment.bundle import CONFIG, TOKENIZER, WEIGHTS
from sentiment.training import intents, net

LIMIT = 50_000_000
MAX_LENGTH = 128
FOUR_BIT_TAIL = 1_800
"""Trained word rows, the highest ids and so the rarest pieces, that four bits must do for: what the
target's matrices take, the word rows give, and the file stays under the limit."""


def eight_bits(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Rows in int8, one half-precision scale a row (half of the largest value over 127)."""
    scale = (matrix.abs().amax(1) / 127).clamp_min(1e-8).half()
    scale = scale.clamp_min(6e-8)
    q = (matrix / scale.float()[:, None]).round().clamp_(-127, 127).to(torch.int8)
    return q, scale


def four_bits(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Rows in four bits, two a byte (even value in the low half), a scale for every 32 values.

    The base itself came in such blocks, ``(q - 8) * scale`` with the value of largest magnitude at
    q = 0 (so that the scale's sign is the opposite of that value's): the same choice here gives rows
    that training left alone back to the bit.
    """
    rows, width = matrix.shape
    blocks = matrix.view(rows, width // 32, 32)
    top = blocks.gather(2, blocks.abs().argmax(2, keepdim=True)).squeeze(2)
    scale = (top / -8).half()
    safe = torch.where(scale == 0, torch.ones_like(scale), scale).float()
    q = ((blocks / safe[:, :, None]).round() + 8).clamp_(0, 15).to(torch.uint8).view(rows, width)
    return q[:, 0::2] | (q[:, 1::2] << 4), scale


def write(
    params: dict[str, Tensor], hot: int, tokenizer: Path, out: Path, settings: dict[str, Any]
) -> None:
    """Write weights, tokenizer and configuration to ``out``; refuse a weights file over the limit."""
    out.mkdir(parents=True, exist_ok=True)
    eight = hot - FOUR_BIT_TAIL
    stored: dict[str, Tensor] = {}
    for name, tensor in params.items():
        if name == "word":
            stored["word.hot"], stored["word.hot.scale"] = eight_bits(tensor[:eight])
            stored["word.cold"], stored["word.cold.scale"] = four_bits(tensor[eight:])
        elif tensor.dim() == 2 and tensor.shape[0] >= 256:
            stored[name], stored[f"{name}.scale"] = eight_bits(tensor)
        else:
            stored[name] = tensor.half()
    save_file({k: v.contiguous() for k, v in stored.items()}, str(out / WEIGHTS))
    size = (out / WEIGHTS).stat().st_size
    if size > LIMIT:
        raise ValueError(f"the weights file has {size:,} bytes; the limit is {LIMIT:,}")
    if tokenizer.resolve() != (out / TOKENIZER).resolve():
        (out / TOKENIZER).write_bytes(tokenizer.read_bytes())
    config = {
        "name": "groundswell",
        "version": settings["version"],
        "base": "intfloat/multilingual-e5-small (MIT)",
        "labels": ["negative", "neutral", "positive"],
        "intents": list(intents.INTENTS),
        "max_length": MAX_LENGTH,
        "shape": {
            "layers": net.LAYERS, "hidden": net.HIDDEN, "heads": net.HEADS, "inner": net.INNER,
            "eps": net.EPS, "vocabulary": params["word"].shape[0], "trained_rows": hot,
        },
        "exit": settings["exit"],
        "early": settings["early"],
        "sha256": {n: hashlib.sha256((out / n).read_bytes()).hexdigest() for n in (WEIGHTS, TOKENIZER)},
        "calibration": settings.get("calibration", neutral_calibration()),
    }  # fmt: skip
    save_config(out, config)


def neutral_calibration() -> dict[str, Any]:
    """No correction at all: what stands in the file until step 7 has run."""
    none: dict[str, Any] = {
        "shared": {"temperature": 1.0, "bias": [0.0, 0.0, 0.0], "share": 1.0},
        "languages": {},
    }
    return {"full": none, "fast": none}


def save_config(out: Path, config: dict[str, Any]) -> None:
    """Write the configuration, readable and in a stable order."""
    (out / CONFIG).write_text(
        json.dumps(config, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
