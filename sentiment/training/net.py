"""The encoder while it is trained: BERT's equations on bfloat16 copies of float32 masters.

Written out by hand, since this is what makes training on two CPU cores bearable: one fused
query-key-value product, eager attention (the flash backward is slow on a CPU), no casts inside the
step, and embeddings updated only at the rows that a batch touches.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

HIDDEN, LAYERS, HEADS, INNER, EPS = 384, 12, 12, 1536, 1e-12
MARK = 0.1
"""How far the target's token type starts from the plain one, a value: as large as a word's own spread.
A fifth of that was never noticed in a whole run."""
NAMES = (
    "qkv.w",
    "qkv.b",
    "ao.w",
    "ao.b",
    "aln.w",
    "aln.b",
    "fi.w",
    "fi.b",
    "fo.w",
    "fo.b",
    "oln.w",
    "oln.b",
)


def layer(
    p: dict[str, Tensor], x: Tensor, mask: Tensor | None, name: str, drop: float = 0.0
) -> Tensor:
    """One post-norm BERT layer; ``x`` is [batch, tokens, hidden], ``mask`` additive or None."""
    n, t, h = x.shape
    d = h // HEADS
    qkv = F.linear(x, p[f"{name}.qkv.w"], p[f"{name}.qkv.b"]).view(n, t, 3, HEADS, d)
    q, k, v = qkv.permute(2, 0, 3, 1, 4)
    scores = torch.matmul(q * (1.0 / math.sqrt(d)), k.transpose(-1, -2))
    if mask is not None:
        scores = scores + mask
    context = torch.matmul(scores.softmax(-1), v).transpose(1, 2).reshape(n, t, h)
    a = F.linear(context, p[f"{name}.ao.w"], p[f"{name}.ao.b"])
    x = F.layer_norm(x + a, (h,), p[f"{name}.aln.w"], p[f"{name}.aln.b"], EPS)
    f = F.linear(
        F.gelu(F.linear(x, p[f"{name}.fi.w"], p[f"{name}.fi.b"])),
        p[f"{name}.fo.w"],
        p[f"{name}.fo.b"],
    )
    if drop:
        f = F.dropout(f, drop)
    return F.layer_norm(x + f, (h,), p[f"{name}.oln.w"], p[f"{name}.oln.b"], EPS)


def embed(p: dict[str, Tensor], rows: Tensor, types: Tensor, drop: float = 0.0) -> Tensor:
    """Word rows [batch, tokens, hidden] plus position and type, normalised."""
    x = rows + p["pos"][: rows.shape[1]] + p["type"][types]
    x = F.layer_norm(x, (HIDDEN,), p["eln.w"], p["eln.b"], EPS)
    return F.dropout(x, drop) if drop else x


def head(
    p: dict[str, Tensor], x: Tensor, types: Tensor, prefix: str, drop: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Sentiment and intent logits from the first token and, where one is marked, from the target's."""
    first = F.linear(x[:, 0], p[f"{prefix}pool.w"], p[f"{prefix}pool.b"])
    if types.any():
        first = first + F.linear(at_target(x, types), p[f"{prefix}target.w"])
    pooled = torch.tanh(first)
    if drop:
        pooled = F.dropout(pooled, drop)
    return (
        F.linear(pooled, p[f"{prefix}cls.w"], p[f"{prefix}cls.b"]).float(),
        F.linear(pooled, p[f"{prefix}int.w"], p[f"{prefix}int.b"]).float(),
    )


def at_target(x: Tensor, types: Tensor) -> Tensor:
    """Mean of the target's tokens, [batch, hidden]; zeros where none is marked."""
    marked = types.to(x.dtype)
    return torch.einsum("bth,bt->bh", x, marked / marked.sum(1, keepdim=True).clamp_min(1))


def from_base(
    raw: dict[str, Tensor], keep: list[int], positions: int, intents: int, seed: int
) -> dict[str, Tensor]:
    """Parameters, float32, from the base's tensors; new heads, the pooler starts as identity."""
    g = torch.Generator().manual_seed(seed)
    word = raw["emb.word"].view(-1, HIDDEN)
    p = {
        "word": word[torch.tensor(keep)].clone(),
        "pos": raw["emb.pos"].view(-1, HIDDEN)[:positions].clone(),
        "type": raw["emb.type"].view(2, HIDDEN).clone(),
        "eln.w": raw["emb.ln.w"].clone(),
        "eln.b": raw["emb.ln.b"].clone(),
    }
    p["type"][1] = p["type"][0] + MARK * torch.randn(HIDDEN, generator=g)
    for i in range(LAYERS):
        t = {k[len(f"l{i}.") :]: v for k, v in raw.items() if k.startswith(f"l{i}.")}
        p[f"l{i}.qkv.w"] = torch.cat([t[f"{k}.w"].view(HIDDEN, HIDDEN) for k in "qkv"])
        p[f"l{i}.qkv.b"] = torch.cat([t[f"{k}.b"] for k in "qkv"])
        p[f"l{i}.ao.w"], p[f"l{i}.ao.b"] = t["ao.w"].view(HIDDEN, HIDDEN).clone(), t["ao.b"]
        p[f"l{i}.aln.w"], p[f"l{i}.aln.b"] = t["aln.w"], t["aln.b"]
        p[f"l{i}.fi.w"], p[f"l{i}.fi.b"] = t["fi.w"].view(INNER, HIDDEN).clone(), t["fi.b"]
        p[f"l{i}.fo.w"], p[f"l{i}.fo.b"] = t["fo.w"].view(HIDDEN, INNER).clone(), t["fo.b"]
        p[f"l{i}.oln.w"], p[f"l{i}.oln.b"] = t["oln.w"], t["oln.b"]
    add_heads(p, "", intents, g)
    return {k: v.contiguous().float() for k, v in p.items()}


def add_heads(p: dict[str, Tensor], prefix: str, intents: int, g: torch.Generator) -> None:
    """A pooler that starts as identity, a target's share that starts as nothing, a three-class head
    and an intent head, in place."""
    p[f"{prefix}pool.w"], p[f"{prefix}pool.b"] = torch.eye(HIDDEN), torch.zeros(HIDDEN)
    p[f"{prefix}target.w"] = torch.zeros(HIDDEN, HIDDEN)
    for name, n in (("cls", 3), ("int", intents)):
        p[f"{prefix}{name}.w"] = 0.02 * torch.randn(n, HIDDEN, generator=g)
        p[f"{prefix}{name}.b"] = torch.zeros(n)
