"""The early voice: what it reads, and that serving reads the same."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from sentiment import bundle
from sentiment.encoder import Encoded, Encoder
from sentiment.training import early
from sentiment.training.data import Example

LENGTH = 72


def test_the_head_learns_what_the_labels_say_and_divides_out_how_common_they_are() -> None:
    """Three clouds of which one is four times as common: the prior takes log 4 off its advantage."""
    g = torch.Generator().manual_seed(4)
    centres = torch.eye(3, 8) * 3
    labels = torch.tensor([0] * 2000 + [1] * 500 + [2] * 500)
    means = centres[labels] + torch.randn(len(labels), 8, generator=g)
    shares = torch.tensor([4 / 6, 1 / 6, 1 / 6]).log().expand(len(labels), 3)
    own, loss = early.fit(early.Features(means, labels, shares))
    plain, _ = early.fit(early.Features(means, labels, torch.zeros_like(shares)))
    assert F.linear(centres, own["early.w"], own["early.b"]).argmax(1).tolist() == [0, 1, 2]
    between = (centres[0] + centres[1]) / 2
    a, b = (F.linear(between, p["early.w"], p["early.b"]) for p in (plain, own))
    lost = float((a[0] - a[1]) - (b[0] - b[1]))
    assert lost == pytest.approx(early.SHARE * math.log(4), abs=0.3)
    assert 0.0 < loss < 0.4


@pytest.fixture(scope="module")
def params() -> early.Params:
    if not (bundle.FOLDER / bundle.WEIGHTS).is_file():
        pytest.skip("needs the bundled weights, which are not in this checkout")
    return bundle.read_tensors(bundle.FOLDER)


def example(*ids: int, marked: tuple[int, ...] = ()) -> Example:
    return Example([0, *ids, 2], marked, 0, -100, "made")


def test_a_marked_post_is_read_at_its_target_and_padding_is_not_read(params: early.Params) -> None:
    half = {k: v.bfloat16() for k, v in params.items()}
    plain, marked = example(500, 600, 700), example(500, 600, 700, marked=(2,))
    longer = example(*range(500, 520))
    alone = early.middle(half, [plain], LENGTH)
    beside = early.middle(half, [plain, longer], LENGTH)
    assert torch.allclose(alone[0], beside[0], atol=0.05)
    assert (early.middle(half, [marked], LENGTH) - alone).abs().max() > 0.5


def test_serving_reads_what_the_head_was_fitted_on(params: early.Params) -> None:
    made = [example(500, 600, 700), example(500, 600, 700, 800, marked=(2, 3)), example(900)]
    encoder = Encoder(params, bundle.read_config(), fast=False, dtype=torch.float32)
    x, batch = encoder._embed([Encoded(e.ids, e.marked) for e in made], 6)
    for name in (*encoder.shared, *encoder.between):
        x = encoder._layer(x, batch, name)
    means = early.middle(params, made, LENGTH)
    wanted = F.linear(means, params["early.w"], params["early.b"])
    assert torch.allclose(encoder._early(x, batch), wanted, atol=0.01)
    assert torch.std(wanted, dim=0).min() > 0.1, "the three posts differ"
