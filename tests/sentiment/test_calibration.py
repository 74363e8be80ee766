from __future__ import annotations

import numpy as np
import pytest

from sentiment.calibration import Calibration, Scale, softmax
from sentiment.training.calibrate import (
    Rows,
    ece,
    fit_bias,
    fit_scale,
    gap_by_source,
    own_scale,
    quality,
)


def test_a_language_uses_its_own_scale_and_others_the_shared_one() -> None:
    calibration = Calibration(Scale(2.0), {"en": Scale(1.0, (0.0, 0.0, 1.0))})
    assert calibration.apply((0, 0, 0), "en")[2] == pytest.approx(softmax([0, 0, 1])[2])
    noisy = Calibration(Scale(noise=0.4))
    assert noisy.apply((50, 0, 0), "xx") == pytest.approx((0.6 + 0.4 / 3, 0.4 / 3, 0.4 / 3))
    assert calibration.apply((2, 0, 0), "xx")[0] == pytest.approx(softmax([1, 0, 0])[0])
    assert sum(calibration.apply((5, -3, 0.2), "xx")) == pytest.approx(1.0)


def overconfident(n: int, seed: int = 0) -> Rows:
    """Logits three times too large: a temperature near 3 puts them right."""
    rng = np.random.default_rng(seed)
    true = rng.normal(size=(n, 3)) * 1.2
    p = np.exp(true) / np.exp(true).sum(1, keepdims=True)
    labels = np.array([rng.choice(3, p=row) for row in p])
    return Rows(true * 2.0, labels, np.zeros(n, dtype=np.int64))


def test_the_temperature_undoes_overconfidence() -> None:
    rows = overconfident(3000)
    temperature, noise = fit_scale(rows, (0, 0, 0))
    assert temperature == pytest.approx(2.0, abs=0.3)
    assert noise <= 0.1
    assert ece(rows, 1.0, (0, 0, 0)) > 0.1 > 0.04 > ece(rows, 2.0, (0, 0, 0))


def test_labels_that_nothing_foretells_are_told_from_overconfidence() -> None:
    rows = overconfident(4000)
    rng = np.random.default_rng(4)
    labels = np.where(rng.random(4000) < 0.4, rng.integers(0, 3, 4000), rows.labels)
    noisy = Rows(rows.logits * 2, labels, rows.source)
    temperature, noise = fit_scale(noisy, (0, 0, 0))
    assert noise > 0.25
    alone = min(ece(noisy, t / 10, (0, 0, 0)) for t in range(3, 100))
    assert ece(noisy, temperature, (0, 0, 0), noise) < alone


def test_a_bias_is_found_where_one_label_is_never_chosen() -> None:
    rows = overconfident(2000)
    tilted = Rows(rows.logits + np.array([-1.2, 0.0, 0.0]), rows.labels, rows.source)
    bias = fit_bias(tilted, "f1")
    assert bias[0] > 0.4
    assert quality(tilted, bias, "f1").mean() > quality(tilted, (0, 0, 0), "f1").mean() + 0.01
    own = own_scale(tilted, (2.0, (0.0, 0.0, 0.0), 0.0), "f1")
    assert own is not None
    assert own["gain"] > 0


def test_few_rows_get_no_scale_of_their_own() -> None:
    assert own_scale(overconfident(100), (1.0, (0.0, 0.0, 0.0), 0.0), "f1") is None


def test_sources_that_err_in_opposite_ways_do_not_cancel() -> None:
    """One language, two sources: four in ten wrong here and none there are not "two in ten wrong"."""
    p = np.tile([0.8, 0.1, 0.1], (200, 1))
    labels = np.array([0] * 60 + [1] * 40 + [0] * 100)
    rows = Rows(np.log(p), labels, np.repeat([0, 1], 100))
    assert ece(rows, 1.0, (0, 0, 0)) == pytest.approx(0.0, abs=1e-9)
    assert gap_by_source(rows, p) == pytest.approx(0.2)
