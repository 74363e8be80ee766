"""The bundled files: configuration, checksum, and the weights as they lie on disk.

Rows are stored in eight bits with one half-precision scale a row. Word rows that no training touched
are stored as the base model has them: four bits, a scale for every 32 values (training/quantise.py).
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentiment.errors import SentimentError

if TYPE_CHECKING:
    from torch import Tensor

FOLDER = Path(__file__).parent / "weights"
WEIGHTS, TOKENIZER, CONFIG = "model.safetensors", "tokenizer.json", "config.json"
_REINSTALL = "reinstall groundswell, or run `git checkout -- sentiment/weights` in a clone"


def read_config(folder: Path = FOLDER) -> dict[str, Any]:
    """Return the bundled configuration, or raise SentimentError with one sentence."""
    path = folder / CONFIG
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SentimentError(f"the bundled model has no {path}; {_REINSTALL}") from None
    except ValueError as error:
        raise SentimentError(f"{path} is damaged ({error}); {_REINSTALL}") from None
    return config


def verify(folder: Path, config: dict[str, Any]) -> None:
    """Check both files against the checksums in the configuration."""
    for name in (WEIGHTS, TOKENIZER):
        path = folder / name
        if not path.is_file():
            raise SentimentError(f"the bundled model's {path} is missing; {_REINSTALL}")
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        wanted = config["sha256"][name]
        if found != wanted:
            raise SentimentError(
                f"{path} is damaged: its checksum starts with {found[:12]}, not {wanted[:12]}; "
                f"{_REINSTALL}"
            )


def version_of(config: dict[str, Any]) -> str:
    """Name of these weights with this calibration: it changes when either does."""
    calibration = json.dumps(config.get("calibration", {}), sort_keys=True)
    seed = config["sha256"][WEIGHTS] + config["sha256"][TOKENIZER] + calibration
    return f"{config['name']}-{config['version']}+{hashlib.sha256(seed.encode()).hexdigest()[:8]}"


def read_tensors(folder: Path) -> dict[str, Tensor]:
    """Return every tensor of the file as float32, word rows joined into one table ``word``."""
    from safetensors.torch import load_file

    stored = load_file(str(folder / WEIGHTS))
    out: dict[str, Tensor] = {}
    for name, tensor in stored.items():
        if name.endswith(".scale"):
            continue
        scale = stored.get(f"{name}.scale")
        out[name] = tensor.float() if scale is None else dequantise(tensor, scale)
    import torch

    out["word"] = torch.cat([out.pop("word.hot"), out.pop("word.cold")])
    return out


def dequantise(stored: Tensor, scale: Tensor) -> Tensor:
    """Eight bits with a scale a row, or (uint8) four bits with a scale for every 32 values."""
    import torch

    if stored.dtype == torch.int8:
        return stored.float() * scale.float()[:, None]
    rows, half = stored.shape
    nibbles = torch.stack([stored & 15, stored >> 4], dim=-1).reshape(rows, 2 * half)
    blocks = nibbles.float().sub_(8.0).view(rows, -1, 32)
    return (blocks * scale.float()[:, :, None]).view(rows, 2 * half)
