"""The bundled encoder: BERT's equations in one file, in bfloat16 where the CPU can, else float32.

Why by hand rather than ``transformers.BertModel``: one fused query-key-value product, texts sorted by
length so that a batch carries next to no padding, and a dtype chosen by what the CPU has give several
times the speed with the same labels (benchmarks/scoring.py measures both side by side).
"""

from __future__ import annotations

import ctypes
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
LEAST_ROWS = 64
"""Products are filled up to so many rows or twice, four times ... as many, so that they come in few
sizes: oneDNN writes a program for each size it meets (up to ten milliseconds) and keeps it, and a
monitor that runs for weeks meets them all."""
PAD = 1
"""The vocabulary's piece that fills a row up."""
LARGEST = 80.0
"""Scores of attention end here, up and down: bfloat16 and float32 can still hold the sum of their
powers of e, and no row's sum is nothing. On 1,500 posts they were at most 54, a row's largest at
least -40."""
TIDY_EVERY = 32
"""Batches after which memory is given back: it costs some 15 ms, a batch some 70."""
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


@dataclass(frozen=True)
class Said:
    """What the encoder says of n posts, float32, in the order given.

    ``logits`` [n, 3] are the last layer's with the exit's share (the exit's alone when ``fast``),
    ``early`` [n, 3] the early voice's, of which calibration adds a share by language (zeros when
    ``fast``), ``intents`` [n, k] the second head's.
    """

    logits: Tensor
    early: Tensor
    intents: Tensor


@dataclass(frozen=True)
class _Batch:
    """What the layers need to know of ``n`` posts of ``width`` tokens each."""

    n: int
    width: int
    padding: Tensor | None
    """[n, width], true where a row was filled up; None where none was."""
    target: Tensor
    """[n, width], true where the brand is."""
    read: Tensor
    """[n, 1 + m], the tokens that the heads read: the first, then the target's (0 where there are
    fewer)."""


class Encoder:
    """The shared layers, the two exits, the early voice, both heads.

    The full model's sentiment is the last layer's, plus ``exit.share`` of the early exit's, plus a
    share of the early voice: a linear head on the mean of a middle layer's tokens.
    Three depths err differently, and most in languages with few posts or none. ``fast`` stops at the
    exit.
    """

    def __init__(
        self, tensors: dict[str, Tensor], config: dict[str, Any], *, fast: bool, dtype: torch.dtype
    ) -> None:
        shape = config["shape"]
        self.hidden, self.heads, self.eps = shape["hidden"], shape["heads"], shape["eps"]
        self.length: int = config["max_length"]
        self.dtype, self.fast = dtype, fast
        self.done = 0
        after: int = config["exit"]["after"]
        self.exit_share: float = config["exit"]["share"]
        early: int = config["early"]["after"]
        names = [f"l{i}" for i in range(after if fast else shape["layers"])]
        self.shared, self.between, self.upper = names[:after], names[after:early], names[early:]
        self.leaving = [f"exit.l{i}" for i in range(config["exit"]["layers"])]
        layers = [*names, *self.leaving]
        ends = [self.leaving[-1]] if fast else [self.leaving[-1], self.upper[-1]]
        kinds = ("pool.", "target.", "cls.", "int.")
        heads: tuple[str, ...] = tuple(f"exit.{kind}" for kind in kinds)
        if not fast:
            heads += (*kinds, "early.")
        found = {
            k: v
            for k, v in tensors.items()
            if k in ("word", "pos", "type")
            or k.startswith(("eln.", *heads, *(f"{layer}." for layer in layers)))
        }
        for name in layers:
            self._fold_scale(found, name)
            if name in ends:
                _split(found, name, self.hidden)
            else:
                _add_ones(found, name, self.heads)
        types = found.pop("type")
        found["pos"], found["mark"] = found["pos"] + types[0], types[1] - types[0]
        # The heads read one or two rows a post: they are fastest, and exact, in float32.
        self.p = {k: v if k.startswith(heads) else v.to(dtype) for k, v in found.items()}
        self.packed = _pack(self.p, layers) if dtype == torch.bfloat16 else {}

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
    def logits(self, batch: Sequence[Encoded]) -> Said:
        """What each voice says of each post."""
        lengths = [min(len(e.ids), self.length) for e in batch]
        order = sorted(range(len(batch)), key=lengths.__getitem__, reverse=True)
        labels = self.p["exit.cls.b"].shape[0]
        first, early = torch.zeros(len(batch), labels), torch.zeros(len(batch), labels)
        second = torch.zeros(len(batch), self.p["exit.int.b"].shape[0])
        at = 0
        while at < len(order):
            width = _wide(lengths[order[at]])
            most = max(1, TOKENS_PER_BATCH // width)
            stop = at + 1
            while stop < len(order) and stop - at < most and lengths[order[stop]] >= RAGGED * width:
                stop += 1
            rows = order[at:stop]
            first[rows], early[rows], second[rows] = self._judge([batch[i] for i in rows], width)
            at = stop
            self.done += 1
            if self.done % TIDY_EVERY == 0:
                give_back_memory()
        return Said(first, early, second)

    def _judge(self, posts: list[Encoded], width: int) -> tuple[Tensor, Tensor | float, Tensor]:
        x, batch = self._embed(posts, width)
        for name in self.shared:
            x = self._layer(x, batch, name)
        left = self._finish(x, batch, self.leaving, "exit.")
        if self.fast:
            return left[0], 0.0, left[1]
        for name in self.between:
            x = self._layer(x, batch, name)
        early = self._early(x, batch)
        first, second = self._finish(x, batch, self.upper, "")
        return first + self.exit_share * left[0], early, second

    def _embed(self, posts: list[Encoded], width: int) -> tuple[Tensor, _Batch]:
        ids = torch.full((len(posts), width), PAD)
        target = torch.zeros(len(posts), width, dtype=torch.bool)
        # Only the first token and the target's are read in the end: the last layer does no others.
        marked = [[i for i in post.target if i < width] for post in posts]
        read = torch.zeros(len(posts), 1 + max(map(len, marked)), dtype=torch.long)
        ragged = False
        for i, post in enumerate(posts):
            row = post.ids if len(post.ids) <= width else [*post.ids[: width - 1], post.ids[-1]]
            ids[i, : len(row)] = torch.tensor(row)
            ragged |= len(row) < width
            if marked[i]:
                target[i, marked[i]] = True
                read[i, 1 : 1 + len(marked[i])] = torch.tensor(marked[i])
        x = self.p["word"][ids].add_(self.p["pos"][:width])
        if read.shape[1] > 1:
            x[target] += self.p["mark"]
        x = F.layer_norm(x, (self.hidden,), self.p["eln.w"], self.p["eln.b"], self.eps)
        padding = ids == PAD if ragged else None
        return _stepped(x.flatten(0, 1)), _Batch(len(posts), width, padding, target, read)

    def _finish(
        self, x: Tensor, batch: _Batch, layers: Sequence[str], prefix: str
    ) -> tuple[Tensor, Tensor]:
        """The rest of the way to one of the two ends, and what its heads say."""
        for name in layers[:-1]:
            x = self._layer(x, batch, name)
        return self._heads(self._last(x, batch, layers[-1]), batch.read[:, 1:] > 0, prefix)

    def _early(self, x: Tensor, batch: _Batch) -> Tensor:
        """The early voice, on the mean of the target's tokens or, without one, of all: [n, 3]."""
        tokens = x[: batch.n * batch.width].view(batch.n, batch.width, self.hidden).float()
        seen = torch.ones_like(batch.target) if batch.padding is None else ~batch.padding
        read = torch.where(batch.target.any(1, keepdim=True), batch.target, seen)
        mean = torch.einsum("bth,bt->bh", tokens, read / read.sum(1, keepdim=True))
        return F.linear(mean, self.p["early.w"], self.p["early.b"])

    def _layer(self, x: Tensor, batch: _Batch, name: str) -> Tensor:
        """``x`` holds the batch's tokens row by row, then rows of no meaning."""
        n, t = batch.n, batch.width
        d = self.hidden // self.heads
        joined = self._linear(x, f"{name}.qkv")[: n * t]
        q, k, v = joined.tensor_split([self.hidden, 2 * self.hidden], dim=1)
        if n == TOKENS_PER_BATCH // t:
            if batch.padding is not None:
                v.index_fill_(0, batch.padding.flatten().nonzero().flatten(), 0.0)
            context = _products(_by_head(q, n, d), _by_head(k, n, d), _by_head(v, n, d + 1))
        else:  # each new shape of a plain product keeps memory: only full batches get one
            q, k = q.view(n, t, -1, d), k.view(n, t, -1, d)
            context = _attend(q, k, v.view(n, t, -1, d + 1)[..., :d], batch.padding)
        return self._rest(x, self._rows(context, n, len(x)), name)

    def _last(self, x: Tensor, batch: _Batch, name: str) -> Tensor:
        """The last layer for the tokens that the heads read; the same numbers for less work."""
        n, t, h = batch.n, batch.width, self.hidden
        k, v = self._linear(x, f"{name}.kv")[: n * t].view(n, t, 2, self.heads, -1).unbind(2)
        wanted = batch.read[:, :, None].expand(-1, -1, h)
        picked = _stepped(x[: n * t].view(n, t, h).gather(1, wanted).flatten(0, 1))
        rows = batch.read.numel()
        q = self._linear(picked, f"{name}.q")[:rows].view(n, -1, self.heads, h // self.heads)
        context = self._rows(_attend(q, k, v, batch.padding), n, len(picked))
        return self._rest(picked, context, name)[:rows].view(n, -1, h)

    def _rows(self, context: Tensor, n: int, rows: int) -> Tensor:
        """[n, heads, m, d] or [n * heads, m, d] token by token: [rows, hidden], the rest 0."""
        m, d = context.shape[-2:]
        out = context.new_empty(rows, self.hidden)
        out[n * m :] = 0
        out[: n * m].view(n, m, self.heads, d).copy_(
            context.view(n, self.heads, m, d).transpose(1, 2)
        )
        return out

    def _rest(self, x: Tensor, context: Tensor, name: str) -> Tensor:
        p, h = self.p, (self.hidden,)
        x = self._added(context, f"{name}.ao", x)
        x = F.layer_norm(x, h, p[f"{name}.aln.w"], p[f"{name}.aln.b"], self.eps)
        x = self._added(self._linear(x, f"{name}.fi", gelu=True), f"{name}.fo", x)
        return F.layer_norm(x, h, p[f"{name}.oln.w"], p[f"{name}.oln.b"], self.eps)

    def _heads(self, x: Tensor, marked: Tensor, e: str) -> tuple[Tensor, Tensor]:
        """Both heads read the first token and, where a target is marked, the mean of its tokens.

        ``x`` is [n, 1 + m, hidden], the first token before the target's; ``marked`` [n, m] says which
        of the latter there are, ``e`` the prefix of the heads' names.
        """
        p, x = self.p, x.float()
        first = F.linear(x[:, 0], p[f"{e}pool.w"], p[f"{e}pool.b"])
        if marked.numel():
            share = marked.to(x.dtype) / marked.sum(1, keepdim=True).clamp_min(1).to(x.dtype)
            target = torch.einsum("bth,bt->bh", x[:, 1:], share)
            first = first + F.linear(target, p[f"{e}target.w"])
        pooled = torch.tanh(first)
        return (
            F.linear(pooled, p[f"{e}cls.w"], p[f"{e}cls.b"]),
            F.linear(pooled, p[f"{e}int.w"], p[f"{e}int.b"]),
        )


def _wide(length: int) -> int:
    """The width of a batch whose longest post has ``length`` tokens.

    Each width is a size of attention's products (see LEAST_ROWS): the longer, the fewer there are.
    """
    step = 1 if length <= 16 else 2 if length <= 64 else 4
    return -(-length // step) * step


def give_back_memory() -> None:
    """Hand what was freed back to the system. glibc would keep the 180 MB that unpacking the weights
    took, and some 3 MB more with each batch, in pieces too small for the next one."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError, TypeError):
        return  # another C library, which has its own ways


def _by_head(x: Tensor, n: int, d: int) -> Tensor:
    """[n * t, heads * d] as [n * heads, t, d]."""
    heads = x.shape[1] // d
    return x.view(n, -1, heads, d).transpose(1, 2).reshape(n * heads, -1, d)


def _products(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention as two plain products; the last column of ``v`` is one (nothing where a token is
    padding), so that the second product gives the sum of the weights too.

    torch's softmax of rows whose length is no power of two took a sixth of the whole time.
    """
    weight = torch.bmm(q, k.transpose(1, 2)).clamp_(-LARGEST, LARGEST).exp_()
    sums = torch.bmm(weight, v)
    return sums[..., :-1] / sums[..., -1:]


def _attend(q: Tensor, k: Tensor, v: Tensor, padding: Tensor | None) -> Tensor:
    """Queries [n, m, heads, d] read keys and values [n, t, heads, d]; gives [n, heads, m, d]."""
    seen = None if padding is None else ~padding[:, None, None]
    return F.scaled_dot_product_attention(
        q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), attn_mask=seen, scale=1.0
    ).contiguous()


def _stepped(x: Tensor) -> Tensor:
    """Rows filled up to LEAST_ROWS, or twice, four times ... as many."""
    wanted = LEAST_ROWS
    while wanted < len(x):
        wanted *= 2
    return F.pad(x, (0, 0, 0, wanted - len(x))) if wanted > len(x) else x


def _add_ones(p: dict[str, Tensor], name: str, heads: int) -> None:
    """A value more for each head that is always one: attention's product then sums its weights too."""
    weight, bias = p[f"{name}.qkv.w"], p[f"{name}.qkv.b"]
    h = weight.shape[1]
    values = F.pad(weight[2 * h :].view(heads, -1, h), (0, 0, 0, 1)).flatten(0, 1)
    constants = F.pad(bias[2 * h :].view(heads, -1), (0, 1), value=1.0).flatten()
    p[f"{name}.qkv.w"] = torch.cat([weight[: 2 * h], values])
    p[f"{name}.qkv.b"] = torch.cat([bias[: 2 * h], constants])


def _split(p: dict[str, Tensor], name: str, hidden: int) -> None:
    """The last layer's queries apart from its keys and values: fewer tokens ask than are asked."""
    for kind in "wb":
        joined = p.pop(f"{name}.qkv.{kind}")
        p[f"{name}.q.{kind}"] = joined[:hidden].contiguous()
        p[f"{name}.kv.{kind}"] = joined[hidden:].contiguous()
