"""From raw scores to probabilities that mean what they say, language by language.

``p = (1 - noise) softmax((logits + share * early + bias) / temperature) + noise / 3``. The temperature
makes confidence match accuracy (Guo et al. 2017); the noise mixes in chance, so that confidence stops
where agreement with val's labels does, whether the labels or the model are to blame. The bias moves the
line between classes, and the share says how much the early voice counts, both where a language's own
val says that it helps. All are chosen in training/calibrate.py; a language without its own entry uses
the shared one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Scale:
    """One temperature, biases in the order negative, neutral, positive, the noise (0 to 1), and the
    share of the early voice (0: it is not heard)."""

    temperature: float = 1.0
    bias: tuple[float, float, float] = (0.0, 0.0, 0.0)
    noise: float = 0.0
    share: float = 1.0


@dataclass(frozen=True)
class Calibration:
    """The shared scale, and the languages that have their own."""

    shared: Scale = Scale()
    languages: Mapping[str, Scale] = field(default_factory=dict)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Calibration:
        """Read the ``calibration`` part of the bundled configuration."""
        return cls(_scale(config["shared"]), {k: _scale(v) for k, v in config["languages"].items()})

    def apply(
        self, logits: Sequence[float], language: str, early: Sequence[float] = (0.0, 0.0, 0.0)
    ) -> tuple[float, float, float]:
        """Probabilities of negative, neutral, positive for one text in ``language``.

        ``early`` is what the early voice says, for models that have one.
        """
        scale = self.languages.get(language, self.shared)
        heard = added(logits, early, scale.share)
        p = softmax([(x + b) / scale.temperature for x, b in zip(heard, scale.bias, strict=True)])
        keep, rest = 1 - scale.noise, scale.noise / 3
        return (keep * p[0] + rest, keep * p[1] + rest, keep * p[2] + rest)


def _scale(raw: Mapping[str, Any]) -> Scale:
    a, b, c = raw["bias"]
    noise = float(raw.get("noise", 0.0))
    share = float(raw.get("share", 1.0))
    return Scale(float(raw["temperature"]), (float(a), float(b), float(c)), noise, share)


def added(logits: Sequence[float], early: Sequence[float], share: float) -> list[float]:
    """The logits with ``share`` of the early voice's."""
    return [x + share * y for x, y in zip(logits, early, strict=True)]


def softmax(logits: Sequence[float]) -> list[float]:
    """Softmax of a few numbers, in plain floats."""
    top = max(logits)
    e = [math.exp(x - top) for x in logits]
    total = sum(e)
    return [x / total for x in e]
