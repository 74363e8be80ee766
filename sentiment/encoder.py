"""The bundled encoder: BERT's equations in one file, in bfloat16 where the CPU can, else float32.

Why by hand rather than ``transformers.BertModel``: one fused query-key-value product, texts sorted by
length so that a batch carries next to no padding, and a dtype chosen by what the CPU has give several
times the speed with the same labels (benchmarks/scoring.py measures both side by side).
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

TOKENS_PER_BATCH = 2048
"""Keeps a batch's activations near the second-level cache; much larger batches were slower."""
RAGGED = 0.9
"""A batch may mix lengths down to this share of its longest: less padding than the mask costs."""


def best_dtype() -> torch.dtype:
    """bfloat16 where the CPU multiplies it in hardware (AMX or AVX-512 BF16), else float32."""
    wish = os.environ.get("GROUNDSWELL_DTYPE", "")
    if wish:
        return {"bfloat16": torch.bfloat16, "float32": torch.float32}[wish]
    has = torch.cpu.get_capabilities()
    fast = has.get("amx_bf16") or has.get("amx_bf16_supported") or has.get("avx512_bf16")
    return torch.bfloat16 if fast else torch.float32


def _pack(p: dict[str, Tensor], layers: Sequence[str]) -> dict[str, Tensor]:
    """Lay the layers' matrices out once as oneDNN wants them, and drop the plain ones from ``p``.

    Without this, every product lays them out anew. These operators are torch's own (its compiler calls
    them), but not documented: where they are missing or refuse, the plain product does.
    """
    names = [f"{layer}.{part}" for layer in layers for part in ("qkv", "ao", "fi", "fo")]
    try:
        packed = {
            n: torch.ops.mkldnn._reorder_linear_weight(p[f"{n}.w"].contiguous()) for n in names
        }
        probe = torch.zeros(2, p[f"{names[0]}.w"].shape[1], dtype=torch.bfloat16)
        bias = p[f"{names[0]}.b"]
        torch.ops.mkldnn._linear_pointwise(probe, packed[names[0]], bias, "gelu", [], "none")
    except (RuntimeError, AttributeError, TypeError):
        return {}
    for name in names:
        del p[f"{name}.w"]
    return packed


@dataclass(frozen=True)
class Encoded:
    """One text as the encoder takes it: token ids, and the token positions of its target."""

    ids: list[int]
    target: tuple[int, int] | None = None


class Encoder:
    """The shared layers, both exits, both heads."""

    def __init__(
        self, tensors: dict[str, Tensor], config: dict[str, Any], *, fast: bool, dtype: torch.dtype
    ) -> None:
        shape = config["shape"]
        self.hidden, self.heads, self.eps = shape["hidden"], shape["heads"], shape["eps"]
        self.length: int = config["max_length"]
        self.dtype = dtype
        shared = config["exit"]["after"] if fast else shape["layers"]
        self.layers = [f"l{i}" for i in range(shared)]
        self.prefix = "exit." if fast else ""
        if fast:
            self.layers += [f"exit.l{i}" for i in range(config["exit"]["layers"])]
        wanted = ("word", "pos", "type", "eln")
        heads = tuple(f"{self.prefix}{part}" for part in ("pool", "cls", "int"))
        self.p = {
            k: v.to(dtype)
            for k, v in tensors.items()
            if k.rsplit(".", 1)[0] in (*wanted, *heads)
            or k in wanted
            or any(k.startswith(f"{layer}.") for layer in self.layers)
        }

        self.packed = _pack(self.p, self.layers) if dtype == torch.bfloat16 else {}

    def _linear(self, x: Tensor, name: str, gelu: bool = False) -> Tensor:
        """One linear step, GELU fused into it where the weights are packed."""
        bias = self.p[f"{name}.b"]
        if name in self.packed:
            after: tuple[str, list[float], str] = ("gelu", [], "none") if gelu else ("none", [], "")
            out: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.packed[name], bias, *after)
            return out
        y = F.linear(x, self.p[f"{name}.w"], bias)
        return F.gelu(y) if gelu else y

    @torch.inference_mode()
    def logits(self, batch: Sequence[Encoded]) -> tuple[Tensor, Tensor]:
        """Sentiment [n, 3] and intent [n, k] logits, float32, in the order given."""
        lengths = [min(len(e.ids), self.length) for e in batch]
        order = sorted(range(len(batch)), key=lengths.__getitem__, reverse=True)
        first = torch.zeros(len(batch), self.p[f"{self.prefix}cls.b"].shape[0])
        second = torch.zeros(len(batch), self.p[f"{self.prefix}int.b"].shape[0])
        at = 0
        while at < len(order):
            width = lengths[order[at]]
            most = max(1, TOKENS_PER_BATCH // width)
            stop = at + 1
            while stop < len(order) and stop - at < most and lengths[order[stop]] >= RAGGED * width:
                stop += 1
            rows = order[at:stop]
            first[rows], second[rows] = self._batch([batch[i] for i in rows], width)
            at = stop
        return first, second

    def _batch(self, batch: list[Encoded], width: int) -> tuple[Tensor, Tensor]:
        ids = torch.ones(len(batch), width, dtype=torch.long)
        types = torch.zeros(len(batch), width, dtype=torch.long)
        ragged = False
        for i, item in enumerate(batch):
            row = item.ids if len(item.ids) <= width else [*item.ids[: width - 1], item.ids[-1]]
            ids[i, : len(row)] = torch.tensor(row)
            ragged |= len(row) < width
            if item.target:
                types[i, item.target[0] : min(item.target[1], width)] = 1
        mask = None
        if ragged:
            mask = torch.zeros(len(batch), 1, 1, width, dtype=self.dtype)
            mask.masked_fill_((ids == 1)[:, None, None], -1e4)
        x = self.p["word"][ids] + self.p["pos"][:width] + self.p["type"][types]
        x = F.layer_norm(x, (self.hidden,), self.p["eln.w"], self.p["eln.b"], self.eps)
        for name in self.layers:
            x = self._layer(x, mask, name)
        return self._heads(x[:, 0])

    def _layer(self, x: Tensor, mask: Tensor | None, name: str) -> Tensor:
        p, (n, t, h) = self.p, x.shape
        d = h // self.heads
        qkv = self._linear(x, f"{name}.qkv").view(n, t, 3, self.heads, d)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        scores = torch.matmul(q * (1.0 / math.sqrt(d)), k.transpose(-1, -2))
        if mask is not None:
            scores += mask
        context = torch.matmul(scores.softmax(-1), v).transpose(1, 2).reshape(n, t, h)
        x = x + self._linear(context, f"{name}.ao")
        x = F.layer_norm(x, (h,), p[f"{name}.aln.w"], p[f"{name}.aln.b"], self.eps)
        x = x + self._linear(self._linear(x, f"{name}.fi", gelu=True), f"{name}.fo")
        return F.layer_norm(x, (h,), p[f"{name}.oln.w"], p[f"{name}.oln.b"], self.eps)

    def _heads(self, first: Tensor) -> tuple[Tensor, Tensor]:
        p, e = self.p, self.prefix
        pooled = torch.tanh(F.linear(first, p[f"{e}pool.w"], p[f"{e}pool.b"]))
        return (
            F.linear(pooled, p[f"{e}cls.w"], p[f"{e}cls.b"]).float(),
            F.linear(pooled, p[f"{e}int.w"], p[f"{e}int.b"]).float(),
        )
