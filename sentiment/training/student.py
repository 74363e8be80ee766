"""Step 4: the early exit. The lower layers stay; a few layers of its own learn from the rest.

The exit reads the shared encoder after layer ``AFTER`` and runs ``LAYERS`` of its own, started as
copies of the next layer and the last. It learns the full model's probabilities (Hinton et al. 2015)
on the training texts, and their labels. The shared part costs a forward pass and no backward.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sentiment.training import intents, net
from sentiment.training.data import Corpus
from sentiment.training.train import Params, collate, write

AFTER, LAYERS = 4, 2
SYNC_EVERY = 8
SHARE = 0.25
"""Of the exit's logits in what the full model says; up to 1 val knows little difference."""
START_FROM = (4, 11)
"""Layers of the full model that the exit's own layers start as."""


def start(params: Params, seed: int = 1) -> Params:
    """The exit's parameters: copies of two layers and of the heads."""
    out = {}
    for i, source in enumerate(START_FROM[:LAYERS]):
        for part in net.NAMES:
            out[f"exit.l{i}.{part}"] = params[f"l{source}.{part}"].clone()
    for part in ("pool", "cls", "int"):
        for kind in "wb":
            out[f"exit.{part}.{kind}"] = params[f"{part}.{kind}"].clone()
    out["exit.target.w"] = params["target.w"].clone()
    return out


def train(
    params: Params,
    corpus: Corpus,
    log: Path,
    *,
    minutes: float,
    rate: float = 4e-4,
    seed: int = 3,
    peers: int = 1,
    begin: Params | None = None,
) -> Params:
    """Distil for ``minutes``; returns the exit's parameters in float32. Peers average theirs."""
    half = {k: v.bfloat16() for k, v in params.items()}
    own = {k: torch.nn.Parameter(v.float()) for k, v in (begin or start(params)).items()}
    optimiser = torch.optim.AdamW(list(own.values()), lr=rate, betas=(0.9, 0.98), weight_decay=0.01)
    log_priors = {k: torch.tensor(v).log() for k, v in corpus.priors().items()}
    rng = np.random.default_rng(seed)
    begun, seen, smooth = time.monotonic(), 0, 0.0
    for step, batch in enumerate(corpus.batches(seed, 2048)):
        done = (time.monotonic() - begun) / (60 * minutes)
        if peers > 1 and step % SYNC_EVERY == 0:
            done = _average(own, peers, done)
        if done >= 1 and (peers == 1 or step % SYNC_EVERY == 0):
            break
        done = min(done, 1.0)
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1.0, step / 60) * (1 - done)
        ids, types, mask, labels, wants = collate(batch, corpus.length, rng, 0.0)
        prior = torch.stack([log_priors[e.source] for e in batch])
        loss = _loss(half, own, (ids, types, mask, labels, wants), prior)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(list(own.values()), 1.0)
        optimiser.step()
        seen += len(batch)
        smooth = float(loss.detach()) if not step else 0.98 * smooth + 0.02 * float(loss.detach())
        if step % 50 == 0:
            print(f"exit {step} {done:.3f} seen {seen} loss {smooth:.4f}", flush=True)
    write(log, {"event": "exit", "seen": seen, "minutes": minutes, "loss": smooth, "rate": rate})
    return {k: v.detach() for k, v in own.items()}


@torch.no_grad()
def _average(own: Mapping[str, Tensor], peers: int, done: float) -> float:
    """Average the exit's parameters over all peers; returns the mean of how far they are."""
    import torch.distributed as dist

    flat = torch.cat([p.reshape(-1) for p in own.values()] + [torch.tensor([done])])
    dist.all_reduce(flat)
    flat /= peers
    at = 0
    for p in own.values():
        p.copy_(flat[at : at + p.numel()].view_as(p))
        at += p.numel()
    return float(flat[-1])


def _loss(
    half: Params, own: Mapping[str, Tensor], batch: tuple[Tensor, ...], prior: Tensor
) -> Tensor:
    ids, types, mask, labels, _ = batch
    extra = mask if mask.numel() else None
    with torch.no_grad():
        x = net.embed(half, half["word"][ids], types)
        for i in range(net.LAYERS):
            if i == AFTER:
                middle = x
            x = net.layer(half, x, extra, f"l{i}")
        teacher, teacher_intents = net.head(half, x, types, "")
    copies = {k: v.bfloat16() for k, v in own.items()}
    y = middle
    for i in range(LAYERS):
        y = net.layer(copies, y, extra, f"exit.l{i}")
    guess, guess_intents = net.head(copies, y, types, "exit.")
    loss = F.kl_div(guess.log_softmax(1), teacher.softmax(1), reduction="batchmean")
    loss = loss + 0.15 * F.kl_div(
        guess_intents.log_softmax(1), teacher_intents.softmax(1), reduction="batchmean"
    )
    known = labels >= 0
    if known.any():
        loss = loss + 0.3 * F.cross_entropy(
            (guess + prior)[known], labels[known], label_smoothing=0.05
        )
    return loss


assert len(intents.INTENTS) == 6
