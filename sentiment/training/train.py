"""Step 3: one joint run on all languages, both heads and marked targets.

The rate decays with the share of the run that is done: of ``--examples``, or, with ``--minutes``, of
wall time (a shared machine has no fixed speed). Only the first is reproducible to the digit.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor

from sentiment.text import normalise
from sentiment.training import net
from sentiment.training.data import LABELS, Corpus, Example

Params = dict[str, Tensor]
MASK_TOKENS = 0.08
INTENT_WEIGHT = 0.15


@dataclass
class Run:
    """Settings of one run; all of them are written to the log."""

    minutes: float | None = None
    examples: int | None = None
    rate: float = 1.0e-4
    word_rate: float = 1.0e-4
    head_factor: float = 4.0
    layer_decay: float = 0.95
    weight_decay: float = 0.01
    smoothing: float = 0.05
    drop: float = 0.1
    layer_drop: float = 0.0
    tokens: int = 2048
    seed: int = 1
    warm: float = 0.05
    compile: bool = False
    peers: int = 1
    sync_every: int = 12
    average: float = 0.98
    average_every: int = 20
    average_from: float = 0.5
    save_minutes: float = 10.0
    val_minutes: float = 15.0
    val_languages: tuple[str, ...] = (
        "english", "arabic", "french", "german", "hindi", "italian", "portuguese", "spanish",
        "thai", "bengali", "nepali",
    )  # fmt: skip


def collate(
    batch: Sequence[Example], length: int, rng: np.random.Generator, p: float = 0.0
) -> tuple[Tensor, ...]:
    """Ids, types, additive mask (or an empty tensor), labels, intents."""
    width = min(length, max(len(e.ids) for e in batch))
    ids = np.full((len(batch), width), 1, np.int64)
    types = np.zeros((len(batch), width), np.int64)
    for i, e in enumerate(batch):
        row = e.ids if len(e.ids) <= width else [*e.ids[: width - 1], 2]
        ids[i, : len(row)] = row
        types[i, [k for k in e.marked if k < width]] = 1
    pad = ids == 1
    if p:
        hit = (
            (rng.random(ids.shape) < p * rng.integers(0, 2, (len(batch), 1))) & ~pad & (types == 0)
        )
        hit[:, 0] = False
        ids[hit] = 3
    mask = torch.zeros(0)
    if pad.any():
        mask = torch.zeros(len(batch), 1, 1, width).masked_fill_(
            torch.from_numpy(pad)[:, None, None], -1e4
        )
    labels = torch.tensor([e.label for e in batch])
    intents = torch.tensor([e.intent for e in batch])
    return torch.from_numpy(ids), torch.from_numpy(types), mask.bfloat16(), labels, intents


class Trainer:
    """Masters in float32, working copies in bfloat16, and the two optimisers."""

    def __init__(self, params: Params, hot: int, run: Run) -> None:
        self.run, self.hot = run, hot
        self.word = params["word"]
        self.names = [k for k in params if k != "word"]
        self.masters = [torch.nn.Parameter(params[k].float().clone()) for k in self.names]
        self.copies = {
            k: m.detach().bfloat16().requires_grad_()
            for k, m in zip(self.names, self.masters, strict=True)
        }
        self.m = torch.zeros(hot, self.word.shape[1])
        self.v = torch.zeros(hot, self.word.shape[1])
        self.optimiser = torch.optim.AdamW(self._groups(), betas=(0.9, 0.98), eps=1e-8, fused=True)
        self.steps, self.seen, self.progress = 0, 0, 0.0
        self.seen_everywhere = 0
        self.mean: list[Tensor] | None = None
        self.encode = torch.compile(self._encode, dynamic=True) if run.compile else self._encode

    def _groups(self) -> list[dict[str, Any]]:
        groups = []
        for name, master in zip(self.names, self.masters, strict=True):
            scale = self.run.layer_decay**net.LAYERS
            if name[0] == "l" and name[1].isdigit():
                scale = self.run.layer_decay ** (net.LAYERS - 1 - int(name[1:].split(".")[0]))
            if name.startswith(("cls", "int", "target")):
                scale = self.run.head_factor
            elif name.startswith("pool"):
                scale = 1.0
            decay = (
                self.run.weight_decay if master.dim() > 1 and name not in ("pos", "type") else 0.0
            )
            groups.append({"params": [master], "scale": scale, "weight_decay": decay, "lr": 0.0})
        return groups

    def _encode(self, x: Tensor, types: Tensor, mask: Tensor | None, drop: float) -> Tensor:
        x = net.embed(self.copies, x, types, drop)
        for i in range(net.LAYERS):
            x = net.layer(self.copies, x, mask, f"l{i}", self.run.layer_drop if drop else 0.0)
        return x

    def logits(
        self, ids: Tensor, types: Tensor, mask: Tensor, drop: float = 0.0
    ) -> tuple[Tensor, Tensor]:
        """Both heads for a collated batch, the current batch's word rows left in ``self.rows``."""
        self.unique, inverse = torch.unique(ids, return_inverse=True)
        self.rows = self.word[self.unique].requires_grad_(torch.is_grad_enabled())
        x = F.embedding(inverse, self.rows).bfloat16()
        x = self.encode(x, types, mask if mask.numel() else None, drop)
        return net.head(self.copies, x, types, "", drop)

    def step(self, batch: tuple[Tensor, ...], log_prior: Tensor) -> tuple[float, float]:
        """One update; returns the two losses."""
        ids, types, mask, labels, intents = batch
        logits, intent_logits = self.logits(ids, types, mask, self.run.drop)
        known = labels >= 0
        loss = torch.zeros(())
        if known.any():
            each = F.cross_entropy(
                (logits + log_prior)[known],
                labels[known],
                reduction="none",
                label_smoothing=self.run.smoothing,
            )
            loss = each.sum() / len(labels)
        side = torch.zeros(())
        if (intents >= 0).any():
            each = F.cross_entropy(intent_logits, intents, ignore_index=-100, reduction="none")
            side = each.sum() / len(labels)
        torch.autograd.backward(loss + INTENT_WEIGHT * side)
        self._update()
        self.seen += len(labels)
        return float(loss.detach()), float(side.detach())

    def rate(self) -> float:
        p, warm = self.progress, self.run.warm
        return p / warm if p < warm else max(0.0, (1 - p) / (1 - warm))

    @torch.no_grad()
    def _update(self) -> None:
        for name, master in zip(self.names, self.masters, strict=True):
            grad = self.copies[name].grad
            master.grad = None if grad is None else grad.float()
            self.copies[name].grad = None
        word_grad = self.rows.grad
        assert word_grad is not None
        norms = [m.grad.norm() for m in self.masters if m.grad is not None] + [word_grad.norm()]
        clip = min(1.0, 1.0 / (float(torch.stack(norms).norm()) + 1e-6))
        if clip < 1.0:
            torch._foreach_mul_([m.grad for m in self.masters if m.grad is not None], clip)
            word_grad.mul_(clip)
        factor = self.rate()
        for group in self.optimiser.param_groups:
            group["lr"] = self.run.rate * group["scale"] * factor
        self.optimiser.step()
        self.steps += 1
        warm_rows = self.unique < self.hot
        rows, g = self.unique[warm_rows], word_grad[warm_rows]
        m = self.m[rows].mul_(0.9).add_(g, alpha=0.1)
        v = self.v[rows].mul_(0.98).addcmul_(g, g, value=0.02)
        self.m[rows], self.v[rows] = m, v
        top = m / (1 - 0.9**self.steps)
        bottom = (v / (1 - 0.98**self.steps)).sqrt_().add_(1e-8)
        self.word[rows] -= self.run.word_rate * factor * top / bottom
        torch._foreach_copy_(
            [self.copies[k] for k in self.names], [m.detach() for m in self.masters]
        )
        if self.progress >= self.run.average_from and self.steps % self.run.average_every == 0:
            self._average()

    def _average(self) -> None:
        now = [*(m.detach() for m in self.masters), self.word[: self.hot]]
        if self.mean is None:
            self.mean = [t.clone() for t in now]
        else:
            torch._foreach_lerp_(self.mean, now, 1 - self.run.average)

    @torch.no_grad()
    def synchronise(self) -> None:
        """Average all peers' weights (local SGD): two runs of one thread waste less than one of two."""
        import torch.distributed as dist

        word = self.word[: self.hot]
        flat = torch.cat(
            [m.detach().reshape(-1) for m in self.masters]
            + [word.reshape(-1), torch.tensor([self.progress, self.seen])]
        )
        dist.all_reduce(flat)
        flat /= self.run.peers
        at = 0
        for target in [*(m.detach() for m in self.masters), word]:
            target.copy_(flat[at : at + target.numel()].view_as(target))
            at += target.numel()
        self.progress, self.seen_everywhere = (
            float(flat[-2]),
            round(float(flat[-1]) * self.run.peers),
        )
        torch._foreach_copy_(
            [self.copies[k] for k in self.names], [m.detach() for m in self.masters]
        )

    def params(self, average: bool = False) -> Params:
        """The weights as they are, or their running mean."""
        if average and self.mean is not None:
            word = torch.cat([self.mean[-1], self.word[self.hot :]])
            return {**dict(zip(self.names, self.mean, strict=False)), "word": word}
        return {
            **{k: m.detach() for k, m in zip(self.names, self.masters, strict=True)},
            "word": self.word,
        }

    def state(self) -> dict[str, Any]:
        return {
            "params": self.params(), "m": self.m, "v": self.v, "adam": self.optimiser.state_dict(),
            "steps": self.steps, "seen": self.seen, "progress": self.progress, "mean": self.mean,
            "hot": self.hot,
        }  # fmt: skip

    def restore(self, state: dict[str, Any], keep_moments: bool = True) -> None:
        """Continue a saved run (its weights were handed to the constructor)."""
        self.steps, self.seen, self.progress = state["steps"], state["seen"], state["progress"]
        self.mean = state["mean"]
        self.m, self.v = state["m"], state["v"]
        groups = [dict(g) for g in self.optimiser.param_groups]
        self.optimiser.load_state_dict(state["adam"])
        for new, old in zip(self.optimiser.param_groups, groups, strict=True):
            new.update({k: old[k] for k in ("scale", "weight_decay")})


@torch.no_grad()
def predict(
    trainer: Trainer, tokenizer: Tokenizer, texts: Sequence[str], length: int = 128
) -> tuple[Tensor, Tensor]:
    """Logits of both heads in the order of ``texts``."""
    encoded = [e.ids for e in tokenizer.encode_batch([normalise(t) for t in texts])]
    order = sorted(range(len(texts)), key=lambda i: len(encoded[i]))
    out, side = (
        torch.zeros(len(texts), 3),
        torch.zeros(len(texts), trainer.copies["int.b"].shape[0]),
    )
    rng = np.random.default_rng(0)
    for at in range(0, len(order), 64):
        picked = order[at : at + 64]
        batch = collate([Example(encoded[i], (), 0, 0, "") for i in picked], length, rng)
        a, b = trainer.logits(batch[0], batch[1], batch[2])
        out[picked], side[picked] = a, b
    return out, side


def scores(gold: Sequence[int], guess: Sequence[int]) -> tuple[float, float]:
    """Macro recall and macro F1 over three classes."""
    table = np.zeros((3, 3))
    np.add.at(table, (np.asarray(gold), np.asarray(guess)), 1)
    hit = table.diagonal()
    recall = hit / np.maximum(table.sum(1), 1)
    f1 = 2 * hit / np.maximum(table.sum(0) + table.sum(1), 1)
    return float(recall.mean()), float(f1.mean())


def validate(
    trainer: Trainer, corpus: Corpus, names: Sequence[str], most: int = 700
) -> dict[str, float]:
    """Macro F1 by language (macro recall for english), on at most ``most`` rows a language."""
    out = {}
    for name in names:
        rows = corpus.val[name][: (2000 if name == "english" else most)]
        logits, _ = predict(trainer, corpus.tokenizer, [t for _, t in rows])
        recall, f1 = scores([LABELS.index(lab) for lab, _ in rows], logits.argmax(1).tolist())
        out[name] = round(100 * (recall if name == "english" else f1), 1)
    return out


@dataclass
class Clock:
    """Share of the run that is done, by wall time or by examples, a resumed part included."""

    run: Run
    start: float
    begun: float = field(default_factory=time.monotonic)

    def progress(self, seen: int) -> float:
        if self.run.examples is not None:
            return min(1.0, seen / self.run.examples)
        assert self.run.minutes is not None
        done = (time.monotonic() - self.begun) / (60 * self.run.minutes)
        return min(1.0, self.start + (1 - self.start) * done)


def train(
    trainer: Trainer, corpus: Corpus, run: Run, folder: Path, log: Path, rank: int = 0
) -> None:
    """Run to the end of the schedule, saving and validating on the way; only peer 0 writes."""
    priors = corpus.priors()
    log_priors = {k: torch.tensor(v).log() for k, v in priors.items()}
    seed = run.seed + trainer.steps + 100_003 * rank
    rng = np.random.default_rng(seed)
    clock = Clock(run, trainer.progress)
    saved = checked = begun = time.monotonic()
    seen0, losses = trainer.seen, [0.0, 0.0]
    chief = rank == 0
    if chief:
        write(
            log,
            {
                "event": "start",
                "run": run.__dict__,
                "progress": trainer.progress,
                "threads": torch.get_num_threads(),
            },
        )
    for local, batch in enumerate(corpus.batches(seed, run.tokens)):
        trainer.progress = clock.progress(trainer.seen)
        if run.peers > 1 and local % run.sync_every == 0:
            trainer.synchronise()
            if trainer.progress >= 1.0:
                break
        elif run.peers == 1 and trainer.progress >= 1.0:
            break
        prior = torch.stack([log_priors[e.source] for e in batch])
        pair = trainer.step(collate(batch, corpus.length, rng, MASK_TOKENS), prior)
        losses = [0.98 * a + 0.02 * b for a, b in zip(losses, pair, strict=True)]
        now = time.monotonic()
        if chief and trainer.steps % 50 == 0:
            speed = (trainer.seen - seen0) / (now - begun)
            print(
                f"{trainer.steps} {trainer.progress:.4f} seen {trainer.seen} {speed:.1f}/s "
                f"loss {losses[0]:.4f} {losses[1]:.4f}",
                flush=True,
            )
        if chief and now - saved > 60 * run.save_minutes:
            saved = now
            save(trainer, folder / "last.pt")
        if chief and now - checked > 60 * run.val_minutes:
            checked = now
            write(
                log,
                {
                    "event": "val",
                    "seen": trainer.seen,
                    "progress": trainer.progress,
                    "loss": losses,
                    **validate(trainer, corpus, run.val_languages),
                },
            )
    if not chief:
        return
    save(trainer, folder / "last.pt")
    write(
        log,
        {
            "event": "end",
            "seen": trainer.seen,
            "seconds": time.monotonic() - begun,
            "loss": losses,
            **validate(trainer, corpus, run.val_languages),
        },
    )


def save(trainer: Trainer, path: Path) -> None:
    """Write beside and rename, so that a kill never leaves half a file."""
    part = path.with_suffix(".part")
    torch.save(trainer.state(), part)
    part.replace(path)


def write(log: Path, row: dict[str, Any]) -> None:
    """Append one JSON line."""
    with log.open("a", encoding="utf-8") as out:
        out.write(json.dumps(row, default=str) + "\n")
    print(json.dumps(row, default=str), flush=True)
