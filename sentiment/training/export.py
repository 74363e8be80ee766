"""The shipped weights as a transformers checkpoint, for other tools and for comparison."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast
from transformers.modeling_outputs import SequenceClassifierOutput
from transformers.models.bert.modeling_bert import BertLayer

from sentiment.bundle import FOLDER, TOKENIZER, read_config, read_tensors
from sentiment.rules import LABELS


class ThreeVoices(BertForSequenceClassification):  # type: ignore[no-untyped-call]
    """The full model in transformers' own layers: last layer, early exit and early voice added up.

    Without a target: that is a matter of our own encoder.
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config)
        hidden, labels = config.hidden_size, len(LABELS)
        layer: Any = BertLayer  # it carries no types
        self.leaving = torch.nn.ModuleList(layer(config) for _ in range(config.exit_layers))
        self.exit_pooler = torch.nn.Linear(hidden, hidden)
        self.exit_classifier = torch.nn.Linear(hidden, labels)
        self.early = torch.nn.Linear(hidden, labels)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, **_: Any
    ) -> SequenceClassifierOutput:
        """Logits [n, 3] of token ids [n, t], 1 where a token is none of padding."""
        read = self.bert(input_ids, attention_mask=attention_mask, output_hidden_states=True)
        x = read.hidden_states[self.config.exit_after]
        wall = (1.0 - attention_mask[:, None, None].to(x.dtype)) * torch.finfo(x.dtype).min
        for layer in self.leaving:
            found = layer(x, wall)
            x = found[0] if isinstance(found, tuple) else found
        left = self.exit_classifier(torch.tanh(self.exit_pooler(x[:, 0])))
        middle = read.hidden_states[self.config.early_after]
        here = attention_mask[..., None].to(middle.dtype)
        early = self.early((middle * here).sum(1) / here.sum(1))
        last = self.classifier(read.pooler_output)
        said = last + self.config.exit_share * left + self.config.early_share * early
        return SequenceClassifierOutput(logits=said)


def export(out: Path, folder: Path = FOLDER) -> Path:
    """Write a :class:`ThreeVoices` folder with the full model's weights in float32.

    What that cannot hold stays behind: the second head, targets, the calibration but for the shared
    share of the early voice. Read as a plain
    ``BertForSequenceClassification`` it is the last layer's voice alone.
    """
    settings = read_config(folder)
    shape, length = settings["shape"], settings["max_length"]
    config = BertConfig.from_dict(
        {
            "vocab_size": shape["vocabulary"],
            "hidden_size": shape["hidden"],
            "num_hidden_layers": shape["layers"],
            "num_attention_heads": shape["heads"],
            "intermediate_size": shape["inner"],
            "max_position_embeddings": length,
            "layer_norm_eps": shape["eps"],
            "pad_token_id": 1,
            "id2label": dict(enumerate(LABELS)),
            "label2id": {name: i for i, name in enumerate(LABELS)},
            "exit_after": settings["exit"]["after"],
            "exit_layers": settings["exit"]["layers"],
            "exit_share": settings["exit"]["share"],
            "early_after": settings["early"]["after"],
            "early_share": settings["calibration"]["full"]["shared"]["share"],
        }
    )
    model = ThreeVoices(config)
    model.load_state_dict(
        _renamed(read_tensors(folder), shape["layers"], settings["exit"]["layers"], shape["hidden"])
    )
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
    (out / "source.json").write_text(json.dumps({"from": settings["sha256"]}), encoding="utf-8")
    return out


def _renamed(t: dict[str, Tensor], layers: int, leaving: int, hidden: int) -> dict[str, Tensor]:
    out = {
        "bert.embeddings.word_embeddings.weight": t["word"],
        "bert.embeddings.position_embeddings.weight": t["pos"],
        "bert.embeddings.token_type_embeddings.weight": t["type"],
        "bert.pooler.dense.weight": t["pool.w"],
        "bert.pooler.dense.bias": t["pool.b"],
        "classifier.weight": t["cls.w"],
        "classifier.bias": t["cls.b"],
        "exit_pooler.weight": t["exit.pool.w"],
        "exit_pooler.bias": t["exit.pool.b"],
        "exit_classifier.weight": t["exit.cls.w"],
        "exit_classifier.bias": t["exit.cls.b"],
        "early.weight": t["early.w"],
        "early.bias": t["early.b"],
    }
    parts = {
        "ao": "attention.output.dense", "aln": "attention.output.LayerNorm",
        "fi": "intermediate.dense", "fo": "output.dense", "oln": "output.LayerNorm",
    }  # fmt: skip
    names = {f"l{i}": f"bert.encoder.layer.{i}" for i in range(layers)}
    names |= {f"exit.l{i}": f"leaving.{i}" for i in range(leaving)}
    for short, long in (("w", "weight"), ("b", "bias")):
        out[f"bert.embeddings.LayerNorm.{long}"] = t[f"eln.{short}"]
        for ours, theirs in names.items():
            for a, b in parts.items():
                out[f"{theirs}.{b}.{long}"] = t[f"{ours}.{a}.{short}"]
            for n, name in enumerate(("query", "key", "value")):
                rows = t[f"{ours}.qkv.{short}"][n * hidden : (n + 1) * hidden]
                out[f"{theirs}.attention.self.{name}.{long}"] = rows.contiguous()
    return out
