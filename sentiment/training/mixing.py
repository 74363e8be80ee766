"""Averages of weights: of runs beside each other, of new and old, of the lower layers and the base.

The shares of the shipped file were chosen on val (and on the two-brand posts, which a larger share of
the new helps and a larger share of the base harms).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

LOWER = 6
"""Layers below this are the lower ones."""
OF_BASE = 0.2
"""What the lower layers take of the base: languages that the training lacks live on it."""

Params = dict[str, Tensor]


def mix(
    runs: Sequence[Params], old: Params, share: float, lower: float, base: Params | None = None
) -> Params:
    """``share`` of the mean of ``runs`` and the rest of ``old``; ``lower`` for the lower layers.

    With ``base``, the lower layers then take OF_BASE of it. All hold the same tensors by name.
    """
    out = {}
    for name in runs[0]:
        new = torch.stack([run[name].float() for run in runs]).mean(0)
        below = is_lower(name)
        mixed = torch.lerp(old[name].float(), new, lower if below else share)
        if below and base is not None:
            mixed = torch.lerp(mixed, base[name].float(), OF_BASE)
        out[name] = mixed
    return out


def is_lower(name: str) -> bool:
    """Whether a tensor ("l3.qkv.w") belongs to one of the lower layers."""
    layer = name.partition(".")[0]
    return layer[:1] == "l" and layer[1:].isdigit() and int(layer[1:]) < LOWER
