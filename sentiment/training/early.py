"""Step 5: the early voice, a linear head on a middle layer, added to what the last layer says.

What the upper layers know of a language with 1,800 posts they know partly by heart, and what they make
of a language without posts is least sure. The middle of the encoder is nearer to what every language
shares (its layers transfer best: Pires et al. 2019, Muller et al. 2021), and a linear reading of the
mean of its tokens has little to overfit with. Alone it is several points worse; added to the last
layer's scores it mends some of its mistakes, and costs one mean and one small product.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sentiment.training import net
from sentiment.training.data import Corpus, Example
from sentiment.training.train import Params, collate

AFTER = 7
SHARE = 0.85
"""Of the early voice's own logits, beside the last layer's: 0.3 to 1.0 are much alike on val."""
EXAMPLES, STEPS, BATCH, RATE, DECAY = 150_000, 3_000, 2_048, 2e-3, 1e-3


@dataclass
class Features:
    """What the middle layer gives of n posts: means [n, hidden] of all tokens, or of the target's."""

    means: Tensor
    labels: Tensor
    log_priors: Tensor


def features(params: Params, corpus: Corpus, count: int, seed: int) -> Features:
    """Read ``count`` labelled examples of the corpus's stream up to the middle layer."""
    drawn = list(islice((e for e in corpus.stream(seed) if e.label >= 0), count))
    log_priors = {k: torch.tensor(v).log() for k, v in corpus.priors().items()}
    means = torch.zeros(len(drawn), net.HIDDEN)
    half = {k: v.bfloat16() for k, v in params.items()}
    order = sorted(range(len(drawn)), key=lambda i: len(drawn[i].ids))
    for at in range(0, len(order), 64):
        rows = order[at : at + 64]
        means[rows] = middle(half, [drawn[i] for i in rows], corpus.length)
    return Features(
        means,
        torch.tensor([e.label for e in drawn]),
        torch.stack([log_priors[e.source] for e in drawn]),
    )


@torch.no_grad()
def middle(half: Params, batch: list[Example], length: int) -> Tensor:
    """Mean over the tokens (over the target's where one is marked) after layer AFTER, [n, hidden]."""
    ids, types, mask, *_ = collate(batch, length, np.random.default_rng(0))
    x = net.embed(half, half["word"][ids], types)
    for i in range(AFTER):
        x = net.layer(half, x, mask if mask.numel() else None, f"l{i}")
    marked = types.any(1, keepdim=True)
    return net.at_target(x.float(), torch.where(marked, types == 1, ids != 1))


def fit(found: Features, seed: int = 1) -> tuple[Params, float]:
    """The linear head, times SHARE, and its last loss: balanced cross-entropy and a penalty."""
    middle_of, spread = found.means.mean(0), found.means.std(0) + 1e-4
    x = (found.means - middle_of) / spread
    rng = torch.Generator().manual_seed(seed)
    w = torch.zeros(3, x.shape[1], requires_grad=True)
    b = torch.zeros(3, requires_grad=True)
    optimiser = torch.optim.AdamW([w, b], lr=RATE, weight_decay=DECAY)
    for step in range(STEPS):
        for group in optimiser.param_groups:
            group["lr"] = RATE * (1 - step / STEPS)
        rows = torch.randint(len(x), (BATCH,), generator=rng)
        loss = F.cross_entropy(
            F.linear(x[rows], w, b) + found.log_priors[rows],
            found.labels[rows],
            label_smoothing=0.05,
        )
        optimiser.zero_grad()
        torch.autograd.backward(loss + DECAY * w.square().sum())
        optimiser.step()
    with torch.no_grad():
        plain = w / spread
        own = {"early.w": SHARE * plain, "early.b": SHARE * (b - plain @ middle_of)}
    return own, float(loss.detach())
