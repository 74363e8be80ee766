"""The shipped weights as a standard transformers checkpoint, for other tools and for comparison."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torch import Tensor

from sentiment.bundle import FOLDER, TOKENIZER, read_config, read_tensors
from sentiment.rules import LABELS


def export(out: Path, folder: Path = FOLDER) -> Path:
    """Write a ``BertForSequenceClassification`` folder with the full model's weights in float32.

    What transformers cannot hold stays behind: the second head, the fast exit, the calibration.
    """
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    shape, length = read_config(folder)["shape"], read_config(folder)["max_length"]
    config = BertConfig(
        vocab_size=shape["vocabulary"],
        hidden_size=shape["hidden"],
        num_hidden_layers=shape["layers"],
        num_attention_heads=shape["heads"],
        intermediate_size=shape["inner"],
        max_position_embeddings=length,
        layer_norm_eps=shape["eps"],
        pad_token_id=1,
        id2label=dict(enumerate(LABELS)),
        label2id={name: i for i, name in enumerate(LABELS)},
    )
    model = BertForSequenceClassification(config)
    model.load_state_dict(_renamed(read_tensors(folder), shape["layers"], shape["hidden"]))
    model.train(False)
    model.save_pretrained(out)
    marks = {"bos": "<s>", "eos": "</s>", "cls": "<s>", "sep": "</s>"}
    marks |= {"unk": "<unk>", "pad": "<pad>", "mask": "<mask>"}
    tokenizer: Any = PreTrainedTokenizerFast  # it carries no types
    tokenizer(
        tokenizer_file=str(folder / TOKENIZER),
        model_max_length=length,
        model_input_names=["input_ids", "attention_mask"],
        **{f"{name}_token": mark for name, mark in marks.items()},
    ).save_pretrained(out)
    (out / "source.json").write_text(
        json.dumps({"from": read_config(folder)["sha256"]}), encoding="utf-8"
    )
    return out


def _renamed(t: dict[str, Tensor], layers: int, hidden: int) -> dict[str, Tensor]:
    out = {
        "bert.embeddings.word_embeddings.weight": t["word"],
        "bert.embeddings.position_embeddings.weight": t["pos"],
        "bert.embeddings.token_type_embeddings.weight": t["type"],
        "bert.pooler.dense.weight": t["pool.w"],
        "bert.pooler.dense.bias": t["pool.b"],
        "classifier.weight": t["cls.w"],
        "classifier.bias": t["cls.b"],
    }
    parts = {
        "ao": "attention.output.dense", "aln": "attention.output.LayerNorm",
        "fi": "intermediate.dense", "fo": "output.dense", "oln": "output.LayerNorm",
    }  # fmt: skip
    kinds = {"w": "weight", "b": "bias"}
    for short, long in kinds.items():
        out[f"bert.embeddings.LayerNorm.{long}"] = t[f"eln.{short}"]
        for i in range(layers):
            for a, b in parts.items():
                out[f"bert.encoder.layer.{i}.{b}.{long}"] = t[f"l{i}.{a}.{short}"]
            for n, name in enumerate(("query", "key", "value")):
                rows = t[f"l{i}.qkv.{short}"][n * hidden : (n + 1) * hidden]
                out[f"bert.encoder.layer.{i}.attention.self.{name}.{long}"] = rows.contiguous()
    return out
