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

from sentiment.errors import SentimentError

TOKENS_PER_BATCH = 2048
"""Keeps a batch's activations near the second-level cache; much larger batches were slower."""
ROWS = 64
"""Batches are filled up to a multiple of so many tokens, so that products come in few sizes: oneDNN
keeps a program for each size it has met, and a monitor that runs for weeks meets them all."""
LARGEST = 80.0
"""Scores of attention end here, up and down: bfloat16 and float32 can still hold the sum of their
powers of e, and no row's sum is nothing. On 1,500 posts they were at most 54, a row's largest at
least -40."""
RAGGED = 0.8
"""A batch may mix lengths down to this share of its longest: less padding than the mask costs."""


def best_dtype() -> torch.dtype:
    """bfloat16 where the CPU multiplies it in hardware (AMX or AVX-512 BF16), else float32.

    GROUNDSWELL_DTYPE overrides that; SentimentError where it names neither.
    """
    wish = os.environ.get("GROUNDSWELL_DTYPE", "")
    known = {"bfloat16": torch.bfloat16, "float32": torch.float32}
    if wish and wish not in known:
        raise SentimentError(f"GROUNDSWELL_DTYPE is {wish!r}; set it to {' or '.join(known)}")
    if wish:
        return known[wish]
    has = torch.cpu.get_capabilities()
    fast = has.get("amx_bf16") or has.get("amx_bf16_supported") or has.get("avx512_bf16")
    return torch.bfloat16 if fast else torch.float32


def _pack(p: dict[str, Tensor], layers: Sequence[str]) -> dict[str, Tensor]:
    """Lay the layers' matrices out once as oneDNN wants them, and drop the plain ones from ``p``.

    Without this, every product lays them out anew. These operators are torch's own (its compiler calls
    them), but not documented: where they are missing or refuse, the plain product does.
    """
    parts = ("qkv", "q", "kv", "ao", "fi", "fo")
    names = [f"{layer}.{part}" for layer in layers for part in parts if f"{layer}.{part}.w" in p]
    try:
        packed = {
            n: torch.ops.mkldnn._reorder_linear_weight(p[f"{n}.w"].contiguous()) for n in names
        }
        probe = torch.zeros(2, p[f"{names[0]}.w"].shape[1], dtype=torch.bfloat16)
        bias = p[f"{names[0]}.b"]
        torch.ops.mkldnn._linear_pointwise(probe, packed[names[0]], bias, "gelu", [], "none")
        rest = torch.zeros(2, len(bias), dtype=torch.bfloat16)
        torch.ops.mkldnn._linear_pointwise.binary(probe, rest, packed[names[0]], bias, "add")
    except (RuntimeError, AttributeError, TypeError):
        return {}
    for name in names:
        del p[f"{name}.w"]
    return packed


@dataclass(frozen=True)
class Encoded:
    """One text as the encoder takes it: token ids, and the token positions of its target."""

    ids: list[int]
    target: tuple[int, ...] = ()


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
        heads = tuple(f"{self.prefix}{part}" for part in ("pool", "target", "cls", "int"))
        found = {
            k: v
            for k, v in tensors.items()
            if k.rsplit(".", 1)[0] in (*wanted, *heads)
            or k in wanted
            or any(k.startswith(f"{layer}.") for layer in self.layers)
        }
        for name in self.layers:
            self._fold_scale(found, name)
        _split(found, self.layers[-1], self.hidden)
        self.p = {k: v.to(dtype) for k, v in found.items()}
        self.packed = _pack(self.p, self.layers) if dtype == torch.bfloat16 else {}

    def _fold_scale(self, p: dict[str, Tensor], name: str) -> None:
        """Let the queries come out of their matrix already divided by the root of the head's size."""
        scale = torch.ones(3 * self.hidden)
        scale[: self.hidden] = 1.0 / math.sqrt(self.hidden // self.heads)
        p[f"{name}.qkv.w"] = p[f"{name}.qkv.w"] * scale[:, None]
        p[f"{name}.qkv.b"] = p[f"{name}.qkv.b"] * scale

    def _linear(self, x: Tensor, name: str, gelu: bool = False) -> Tensor:
        """One linear step, GELU fused into it where the weights are packed."""
        bias = self.p[f"{name}.b"]
        if name in self.packed:
            after: tuple[str, list[float], str] = ("gelu", [], "none") if gelu else ("none", [], "")
            out: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.packed[name], bias, *after)
            return out
        y = F.linear(x, self.p[f"{name}.w"], bias)
        return F.gelu(y) if gelu else y

    def _added(self, x: Tensor, name: str, rest: Tensor) -> Tensor:
        """``rest`` and one linear step of ``x``, added in the product itself where the weights are
        packed."""
        bias = self.p[f"{name}.b"]
        if name in self.packed:
            out: Tensor = torch.ops.mkldnn._linear_pointwise.binary(
                x, rest, self.packed[name], bias, "add"
            )
            return out
        return rest + F.linear(x, self.p[f"{name}.w"], bias)

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
        # Only the first token and the target's are read in the end: the last layer does no others.
        marked = [[i for i in item.target if i < width] for item in batch]
        read = torch.zeros(len(batch), 1 + max(map(len, marked)), dtype=torch.long)
        ragged = False
        for i, item in enumerate(batch):
            row = item.ids if len(item.ids) <= width else [*item.ids[: width - 1], item.ids[-1]]
            ids[i, : len(row)] = torch.tensor(row)
            ragged |= len(row) < width
            if marked[i]:
                types[i, marked[i]] = 1
                read[i, 1 : 1 + len(marked[i])] = torch.tensor(marked[i])
        mask = None
        if ragged:
            mask = torch.zeros(len(batch), 1, 1, width, dtype=self.dtype)
            mask.masked_fill_((ids == 1)[:, None, None], -1e4)
        x = self.p["word"][ids] + self.p["pos"][:width] + self.p["type"][types]
        x = F.layer_norm(x, (self.hidden,), self.p["eln.w"], self.p["eln.b"], self.eps)
        x = _stepped(x.flatten(0, 1))
        for name in self.layers[:-1]:
            x = self._layer(x, mask, name, (len(batch), width))
        x = self._last(x, mask, self.layers[-1], (len(batch), width), read)
        return self._heads(x, read[:, 1:] > 0)

    def _layer(self, x: Tensor, mask: Tensor | None, name: str, shape: tuple[int, int]) -> Tensor:
        """``x`` holds the tokens of ``shape`` (posts, width) row by row, then rows of no meaning."""
        n, t = shape
        qkv = self._linear(x, f"{name}.qkv")[: n * t].view(n, t, 3, self.heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        return self._rest(x, self._attend(q, k, v, mask, len(x)), name)

    def _last(
        self, x: Tensor, mask: Tensor | None, name: str, shape: tuple[int, int], read: Tensor
    ) -> Tensor:
        """The last layer for the tokens at ``read`` [n, m] alone; the same numbers for less work."""
        (n, t), h = shape, self.hidden
        kv = self._linear(x, f"{name}.kv")[: n * t].view(n, t, 2, self.heads, -1)
        k, v = kv.permute(2, 0, 3, 1, 4)
        tokens = x[: n * t].view(n, t, h)
        picked = _stepped(tokens.gather(1, read[:, :, None].expand(-1, -1, h)).flatten(0, 1))
        q = self._linear(picked, f"{name}.q")[: read.numel()].view(
            n, -1, self.heads, h // self.heads
        )
        out = self._rest(picked, self._attend(q.transpose(1, 2), k, v, mask, len(picked)), name)
        return out[: read.numel()].view(n, -1, h)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, rows: int) -> Tensor:
        """Queries [n, heads, m, d] read keys and values [n, heads, t, d]; gives [rows, hidden]."""
        n, heads, m, d = q.shape
        if m == k.shape[2] and n == TOKENS_PER_BATCH // m:
            # Two plain products are faster, but each new shape keeps memory: only for full batches.
            scores = torch.bmm(q.reshape(-1, m, d), k.reshape(-1, m, d).transpose(1, 2))
            if mask is not None:
                scores = (scores.view(n, heads, m, m) + mask).view(-1, m, m)
            # torch's softmax of rows whose length is no power of two took a sixth of the whole time.
            weight = scores.clamp_(-LARGEST, LARGEST).exp_()
            context = torch.bmm(weight, v.reshape(-1, m, d)) / weight.sum(-1, keepdim=True)
            context = context.view(n, heads, m, d)
        else:
            context = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=1.0)
        out = q.new_empty(rows, heads * d)
        out[n * m :] = 0
        out[: n * m].view(n, m, heads, d).copy_(context.transpose(1, 2))
        return out

    def _rest(self, x: Tensor, context: Tensor, name: str) -> Tensor:
        p, h = self.p, (self.hidden,)
        x = self._added(context, f"{name}.ao", x)
        x = F.layer_norm(x, h, p[f"{name}.aln.w"], p[f"{name}.aln.b"], self.eps)
        x = self._added(self._linear(x, f"{name}.fi", gelu=True), f"{name}.fo", x)
        return F.layer_norm(x, h, p[f"{name}.oln.w"], p[f"{name}.oln.b"], self.eps)

    def _heads(self, x: Tensor, marked: Tensor) -> tuple[Tensor, Tensor]:
        """Both heads read the first token and, where a target is marked, the mean of its tokens.

        ``x`` is [n, 1 + m, hidden], the first token before the target's; ``marked`` [n, m] says which
        of the latter there are.
        """
        p, e = self.p, self.prefix
        first = F.linear(x[:, 0], p[f"{e}pool.w"], p[f"{e}pool.b"])
        if marked.numel():
            share = marked.to(x.dtype) / marked.sum(1, keepdim=True).clamp_min(1).to(x.dtype)
            target = torch.einsum("bth,bt->bh", x[:, 1:], share)
            first = first + F.linear(target, p[f"{e}target.w"])
        pooled = torch.tanh(first)
        return (
            F.linear(pooled, p[f"{e}cls.w"], p[f"{e}cls.b"]).float(),
            F.linear(pooled, p[f"{e}int.w"], p[f"{e}int.b"]).float(),
        )


def _stepped(x: Tensor) -> Tensor:
    """Rows filled up to a multiple of ROWS: each new size of a product costs memory for good."""
    missing = -len(x) % ROWS
    return F.pad(x, (0, 0, 0, missing)) if missing else x


def _split(p: dict[str, Tensor], name: str, hidden: int) -> None:
    """The last layer's queries apart from its keys and values: fewer tokens ask than are asked."""
    for kind in "wb":
        joined = p.pop(f"{name}.qkv.{kind}")
        p[f"{name}.q.{kind}"] = joined[:hidden].contiguous()
        p[f"{name}.kv.{kind}"] = joined[hidden:].contiguous()
