"""Another checkpoint than the bundled one: a small one made here, in the standard format."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sentiment.errors import SentimentError
from sentiment.hub import label_order
from sentiment.model import Item, load


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (("negative", "neutral", "positive"), [0, 1, 2]),
        (("POS", "Neg", "NEU"), [2, 0, 1]),
        (("LABEL_0", "LABEL_1", "LABEL_2"), [0, 1, 2]),
        (("Positive", "Negative", "Mixed"), [2, 0, 1]),
    ],
)
def test_the_label_order_is_read_from_the_checkpoint(
    names: tuple[str, ...], order: list[int]
) -> None:
    assert label_order(dict(enumerate(names))) == order


@pytest.mark.parametrize(
    "names",
    [
        ("bad", "good"),
        ("1 star", "2 stars", "3 stars"),
        ("a", "b", "c"),
        ("1", "2", "3"),
        ("LABEL_1", "LABEL_1", "LABEL_2"),
    ],
)
def test_labels_that_cannot_be_read_are_named(names: tuple[str, ...]) -> None:
    with pytest.raises(SentimentError, match="three are needed"):
        label_order(dict(enumerate(names)))


def make_checkpoint(folder: Path, names: tuple[str, ...]) -> Path:
    """A tiny BERT that reads one word: good lifts output 0, bad lifts output 1, table output 2."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        "good",
        "bad",
        "table",
        "pixel",
        "acme",
        "but",
        "is",
    ]
    tokens = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    tokens.normalizer = normalizers.Lowercase()
    tokens.pre_tokenizer = pre_tokenizers.Whitespace()
    tokens.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    PreTrainedTokenizerFast(
        tokenizer_object=tokens,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=40, num_labels=3,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    config.id2label = dict(enumerate(names))
    config.label2id = {name: i for i, name in enumerate(names)}
    model = BertForSequenceClassification(config)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.005)
    ids = torch.tensor([[2, 5, 3], [2, 6, 3], [2, 7, 3]])
    for _ in range(600):
        optimiser.zero_grad()
        loss = model(input_ids=ids, labels=torch.tensor([0, 1, 2])).loss
        loss.backward()
        optimiser.step()
        if float(loss.detach()) < 0.02:
            break
    model.save_pretrained(folder)
    return folder


@pytest.mark.filterwarnings("ignore")
def test_a_local_checkpoint_judges_in_its_label_order(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "tiny", ("POSITIVE", "NEGATIVE", "NEUTRAL"))
    judge = load(str(folder))
    said = judge.judge([Item("good"), Item("bad"), Item("table"), Item("")])
    assert [j.label for j in said[:3]] == ["positive", "negative", "neutral"]
    assert len(said) == 4
    assert said[0].intent is None
    assert judge.version.startswith("hub:tiny@")
    text = "pixel is good, but acme is bad"
    start = text.index("acme")
    assert judge.judge([Item(text, (start, start + 4))])[0].label == "negative"


def test_a_hub_out_of_reach_is_one_clear_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import huggingface_hub.constants as constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(SentimentError, match="cannot reach the hub") as caught:
        load("cardiffnlp/twitter-xlm-roberta-base-sentiment")
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_checkpoint_says_so(tmp_path: Path) -> None:
    with pytest.raises(SentimentError, match="holds no usable checkpoint"):
        load(str(tmp_path))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(
        tmp_path_factory.mktemp("made") / "tiny", ("NEGATIVE", "NEUTRAL", "POSITIVE")
    )


def truncate(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:2000])


def lose_the_tokenizer(folder: Path) -> None:
    for path in (*folder.glob("tokenizer*"), *folder.glob("special*")):
        path.unlink()


def set_config(**values: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        file = folder / "config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **values}))

    return change


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lose_the_tokenizer, "no usable tokenizer: it knows 5 pieces of words, the weights 12"),
        (truncate, "holds no usable checkpoint"),
        (
            lambda f: (f / "tokenizer.json").write_text('{"broken": 1}'),
            "holds no usable checkpoint",
        ),
        (set_config(hidden_size=32), "do not fit its config.json"),
        (set_config(num_hidden_layers=2), "do not fit its config.json"),
    ],
    ids=["no tokenizer", "truncated", "broken tokenizer", "another size", "a layer is missing"],
)
def test_a_damaged_checkpoint_is_one_clear_sentence(
    checkpoint: Path, tmp_path: Path, damage: Callable[[Path], object], said: str
) -> None:
    folder = shutil.copytree(checkpoint, tmp_path / "damaged")
    damage(folder)
    with pytest.raises(SentimentError, match=said) as caught:
        load(str(folder))
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore")
def test_a_folders_version_is_its_content_whatever_its_spelling(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(checkpoint, tmp_path / "mine@v2")
    monkeypatch.chdir(tmp_path)
    version = load("mine@v2").version
    assert {load(name).version for name in ("./mine@v2", "mine@v2/", str(folder))} == {version}
    set_config(id2label={0: "POS", 1: "NEG", 2: "NEU"})(folder)
    assert load("mine@v2").version != version


@pytest.mark.parametrize("name", ["bundeled", "", "my-checkpoint"])
def test_a_name_that_can_be_no_model_is_refused_at_once(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SentimentError, match="allowed are bundled, fast, a folder, or owner/name"):
        load(name)
