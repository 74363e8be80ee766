from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer

from sentiment import bundle
from sentiment.encoder import TOKENS_PER_BATCH, Encoded, Encoder, Said, _products, best_dtype
from sentiment.errors import SentimentError
from sentiment.model import LABELS, UNSURE, Bundled, Item, load, tokens_of, use_threads
from sentiment.rules import PhraseRule
from sentiment.training.export import ThreeVoices, export


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("I love this phone, best purchase in years 😍", "positive"),
        ("Worst airline ever, they lost my bag and nobody answers", "negative"),
        ("The meeting is on Thursday at 5pm in room 12", "neutral"),
        ("Das ist wirklich furchtbar, nie wieder", "negative"),
        ("me encanta, muchísimas gracias", "positive"),
        ("c'est nul, je suis très déçu du service", "negative"),
        ("هذا المنتج سيء جدا ولا أنصح به", "negative"),
        ("แย่มาก ไม่ซื้ออีกแล้ว", "negative"),
        ("যো ধন্যবাদ, খুব ভালো লাগলো", "positive"),
    ],
)
def test_plain_posts_get_the_plain_label(bundled: Bundled, text: str, label: str) -> None:
    said = bundled.judge([Item(text)])[0]
    assert said.label == label
    assert sum(said.probabilities) == pytest.approx(1.0)
    assert said.confidence == max(said.probabilities)


def test_the_label_is_toward_the_marked_brand(bundled: Bundled) -> None:
    text = "love my new Pixel, unlike the @acme brick it replaced"
    pixel, acme = text.index("Pixel"), text.index("@acme")
    toward = bundled.judge([Item(text, (pixel, pixel + 5)), Item(text, (acme, acme + 5))])
    assert [said.label for said in toward] == ["positive", "negative"]


class Reader:
    """In the encoder's place: keeps what it was given to read."""

    length = 128

    def logits(self, batch: list[Encoded]) -> Said:
        self.batch = batch
        none = torch.zeros(len(batch), 3)
        return Said(none, none, torch.zeros(len(batch), 1))


@pytest.fixture(scope="module")
def reading() -> tuple[Bundled, Reader]:
    """The bundled judge with its tokenizer alone."""
    if not (bundle.FOLDER / bundle.TOKENIZER).is_file():
        pytest.skip("needs the bundled tokenizer, which is not in this checkout")
    judge, reader = Bundled.__new__(Bundled), Reader()
    judge._tokenizer = Tokenizer.from_file(str(bundle.FOLDER / bundle.TOKENIZER))
    judge._encoder = reader  # type: ignore[assignment]
    return judge, reader


@pytest.mark.parametrize(
    "before",
    [
        "这家餐厅的服务太差了，等了两个小时才上菜，味道也很糟糕，环境又脏又吵，我再也不会来了，"
        * 5,
        "ìṣẹ́ wọn kò dára rárá, mo dúró fún wákàtí méjì, ẹ̀rọ náà sì ti bàjẹ́ pátápátá ní ọjọ́ kejì, "
        * 4,
        "ዕብራይስጥ፣ ጥቁርና፣ ዝንጅብልም፣ ቅቤ፣ ሽንኩርት፣ ቆሎ፣ ጭቅጭቅ፣ ዠማ፣ ጰጰስ፣ " * 9,
        "ﷺ " * 150,
    ],
    ids=["Chinese", "Yoruba", "Amharic", "one sign, many tokens"],
)
def test_the_brand_is_among_the_tokens_that_are_read(
    reading: tuple[Bundled, Reader], before: str
) -> None:
    judge, reader = reading
    text = before + " Acme 太棒了！"
    start = text.index("Acme")
    judge.score([("Acme is fine", ((0, 4),)), (text, ((start, start + 4),)), ("hm", ())])
    read = reader.batch[1]
    assert read.target
    assert max(read.target) < reader.length - 1
    assert "Acme" in judge._tokenizer.decode([read.ids[i] for i in read.target])
    assert len(read.ids) > 20, "what stands before it is read too, as far as it fits"
    assert [bool(e.target) for e in reader.batch] == [True, True, False]


def test_a_text_whose_brand_is_read_is_tokenised_once(
    reading: tuple[Bundled, Reader], monkeypatch: pytest.MonkeyPatch
) -> None:
    judge, reader = reading
    monkeypatch.setattr(judge, "_nearer", None)  # a second look would fail
    judge.score([("Acme 太棒了，" + "我非常喜欢，" * 50, ((0, 4),)), ("Acme is fine", ((0, 4),))])
    marked = [judge._tokenizer.decode([e.ids[i] for i in e.target]) for e in reader.batch]
    assert marked == ["Acme", "Acme"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("score", [-300.0, 0.0, 300.0])
def test_attention_is_a_mean_however_large_its_scores_are(dtype: torch.dtype, score: float) -> None:
    """Every token is as like every other, and the last is padding: each reads the others' mean."""
    heads, m, d = 6, 33, 4
    q = torch.zeros(heads, m, d, dtype=dtype)
    q[..., 0] = score
    k = torch.zeros_like(q)
    k[..., 0] = 1.0
    v = torch.ones(heads, m, d + 1, dtype=dtype)
    v[..., :d] = torch.arange(m, dtype=dtype)[:, None]
    v[:, -1] = 0.0
    read = _products(q, k, v)
    assert torch.allclose(read.float(), torch.full((heads, m, d), 15.5), rtol=0.01)


@pytest.fixture(scope="session")
def exact(bundled: Bundled) -> Encoder:
    """The full model in float32."""
    tensors = bundle.read_tensors(bundle.FOLDER)
    return Encoder(tensors, bundle.read_config(), fast=False, dtype=torch.float32)


def encoded(judge: Bundled, text: str, name: str = "") -> Encoded:
    found = judge._tokenizer.encode(text)
    at = text.index(name) if name else 0
    return Encoded(found.ids, tokens_of(found.offsets, ((at, at + len(name)),) if name else ()))


def test_a_post_reads_alike_alone_and_in_a_full_batch(bundled: Bundled, exact: Encoder) -> None:
    """Padding, neighbours and the way attention is reckoned leave no trace in any of the voices."""
    posts = [
        encoded(
            bundled, "the crew of acme was " + "very " * (20 + i % 5) + "kind, unlike bolt", name
        )
        for i, name in enumerate(["", "acme", "bolt"] * (TOKENS_PER_BATCH // 90))
    ]
    assert len({len(p.ids) for p in posts}) > 3
    together, alone = exact.logits(posts), [exact.logits([post]) for post in posts[:30]]
    for voice in ("logits", "early"):
        beside = getattr(together, voice)
        by_itself = torch.cat([getattr(said, voice) for said in alone])
        assert torch.allclose(beside[:30], by_itself, atol=1e-3)
        assert not torch.allclose(beside[1], beside[2], atol=0.1), "two brands, two labels"


def test_transformers_own_layers_say_the_same(
    bundled: Bundled, exact: Encoder, tmp_path: Path
) -> None:
    """The exported checkpoint, read by transformers, has our logits: all three voices."""
    model = ThreeVoices.from_pretrained(export(tmp_path))
    texts = ["I love it", "worst airline ever, they lost my bag", "la reunión es el jueves a las 5"]
    ids = [bundled._tokenizer.encode(text).ids for text in texts]
    width = max(map(len, ids))
    with torch.inference_mode():
        said = model(
            torch.tensor([row + [1] * (width - len(row)) for row in ids]),
            torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in ids]),
        ).logits
    ours = exact.logits([Encoded(row) for row in ids])
    share = bundled.calibration.shared.share
    assert torch.allclose(said, ours.logits + share * ours.early, atol=1e-3)
    assert [LABELS[i] for i in said.argmax(1)] == ["positive", "negative", "neutral"]


def test_a_span_that_no_token_stands_for_ends_the_search(reading: tuple[Bundled, Reader]) -> None:
    judge, reader = reading
    text = "很差，" * 200 + "\x07"
    judge.score([(text, ((600, 601),))])
    assert reader.batch[0].target == ()


RESIDENT = """
import ctypes
from pathlib import Path
from sentiment.model import load
def resident():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024
judge = load("bundled")
before = resident()
ctypes.CDLL(None).malloc_trim(0)
print(before - resident())
"""


def test_loading_keeps_no_memory_that_it_does_not_use(bundled: Bundled) -> None:
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("only glibc can be asked to hand memory back")
    run = [sys.executable, "-c", RESIDENT]
    said = subprocess.run(
        run, check=True, capture_output=True, text=True, cwd=bundle.FOLDER.parents[1]
    )
    assert float(said.stdout) < 20, "MB that were free and not given back"


def test_order_batching_and_cache_change_nothing(bundled: Bundled) -> None:
    texts = ["great " * n + "service" for n in range(1, 60)] + ["awful", "awful", ""]
    together = bundled.judge([Item(t) for t in texts])
    fresh = load("bundled").judge([Item(t) for t in reversed(texts)])
    assert [j.label for j in together] == [j.label for j in reversed(fresh)]
    assert together[-3] == together[-2]


def test_empty_and_hostile_texts_get_an_answer(bundled: Bundled) -> None:
    texts = ["", " ", "\x00\x00", "a" * 100_000, "😂" * 5000, "\ud800 odd", "\ue000\ue001"]
    said = bundled.judge([Item(t, (0, 3)) for t in texts] + [Item(t) for t in texts])
    assert len(said) == 14
    assert all(0 <= p <= 1 for j in said for p in j.probabilities)


def test_unsure_only_when_asked(bundled: Bundled) -> None:
    items = [Item("hm"), Item("I absolutely love it, thank you so much!")]
    assert UNSURE not in {j.label for j in bundled.judge(items)}
    assert {j.label for j in bundled.judge(items, threshold=1.0)} == {UNSURE}
    with pytest.raises(SentimentError, match="between 0 and 1"):
        bundled.judge(items, threshold=60)


def test_a_phrase_rule_overrides_and_says_so(bundled: Bundled) -> None:
    rules = (PhraseRule("war zone", "neutral"),)
    text = "best night in the war zone ever, love it"
    said = bundled.judge([Item(text, rules=rules)], threshold=0.99)[0]
    assert (said.label, said.rule, said.confidence) == ("neutral", "war zone", 1.0)
    assert bundled.judge([Item(text)])[0].rule is None


def test_intents_come_in_the_same_pass(bundled: Bundled) -> None:
    said = bundled.judge([Item("@acme where is my order? still waiting, this is ridiculous")])[0]
    assert said.intent in bundled.intents
    assert said.intent_confidence is not None
    assert 0 < said.intent_confidence <= 1


def test_a_given_language_is_believed(bundled: Bundled) -> None:
    assert bundled.judge([Item("ok", language="sw")])[0].language == "sw"


@pytest.mark.parametrize("name", [bundle.WEIGHTS, bundle.TOKENIZER, bundle.CONFIG])
def test_a_missing_file_is_one_clear_sentence(bundled: Bundled, tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(bundle.FOLDER, tmp_path / "weights")
    (folder / name).unlink()
    with pytest.raises(SentimentError, match=f"{name}.*(missing|has no)|has no .*{name}"):
        Bundled(folder, fast=False, threads=None)


def test_a_damaged_file_is_one_clear_sentence(bundled: Bundled, tmp_path: Path) -> None:
    folder = shutil.copytree(bundle.FOLDER, tmp_path / "weights")
    with (folder / bundle.WEIGHTS).open("r+b") as weights:
        weights.seek(1_000_000)
        weights.write(b"\x00\x01\x02\x03")
    with pytest.raises(SentimentError, match="damaged") as caught:
        Bundled(folder, fast=False, threads=None)
    assert "\n" not in str(caught.value)
    (folder / bundle.CONFIG).write_text("{", encoding="utf-8")
    with pytest.raises(SentimentError, match="damaged"):
        Bundled(folder, fast=False, threads=None)


def test_where_a_process_cannot_tell_its_cores_all_are_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    used: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", used.append)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)  # as on macOS
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    use_threads(None)
    assert used == [7]


def test_a_number_format_that_there_is_not_is_named_with_those_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GROUNDSWELL_DTYPE", "fp16")
    with pytest.raises(SentimentError, match="'fp16'; set it to bfloat16 or float32"):
        best_dtype()
    monkeypatch.setenv("GROUNDSWELL_DTYPE", "float32")
    assert best_dtype() == torch.float32


def test_the_version_changes_with_weights_and_with_calibration() -> None:
    config = {
        "name": "g", "version": "1", "sha256": {bundle.WEIGHTS: "a", bundle.TOKENIZER: "b"},
        "calibration": {"full": 1},
    }  # fmt: skip
    first = bundle.version_of(config)
    changed = json.loads(json.dumps(config))
    changed["calibration"]["full"] = 2
    assert bundle.version_of(changed) != first
    changed = json.loads(json.dumps(config))
    changed["sha256"][bundle.WEIGHTS] = "c"
    assert bundle.version_of(changed) != first


def test_the_weights_file_is_small_enough_for_git(bundled: Bundled) -> None:
    assert (bundle.FOLDER / bundle.WEIGHTS).stat().st_size <= 50_000_000
