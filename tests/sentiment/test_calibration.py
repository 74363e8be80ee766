from __future__ import annotations

import numpy as np
import pytest

from sentiment.calibration import Calibration, Scale, softmax
from sentiment.training.calibrate import Rows, ece, fit_bias, fit_temperature, own_scale, quality


def test_a_language_uses_its_own_scale_and_others_the_shared_one() -> None:
    calibration = Calibration(Scale(2.0), {"en": Scale(1.0, (0.0, 0.0, 1.0))})
    assert calibration.apply((0, 0, 0), "en")[2] == pytest.approx(softmax([0, 0, 1])[2])
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
    assert fit_temperature(rows, (0, 0, 0)) == pytest.approx(2.0, abs=0.3)
    assert ece(rows, 1.0, (0, 0, 0)) > 0.1 > 0.04 > ece(rows, 2.0, (0, 0, 0))


def test_a_bias_is_found_where_one_label_is_never_chosen() -> None:
    rows = overconfident(2000)
    tilted = Rows(rows.logits + np.array([-1.2, 0.0, 0.0]), rows.labels, rows.source)
    bias = fit_bias(tilted, "f1")
    assert bias[0] > 0.4
    assert quality(tilted, bias, "f1").mean() > quality(tilted, (0, 0, 0), "f1").mean() + 0.01
    own = own_scale(tilted, (2.0, (0.0, 0.0, 0.0)), "f1")
    assert own is not None
    assert own["gain"] > 0


def test_few_rows_get_no_scale_of_their_own() -> None:
    assert own_scale(overconfident(100), (1.0, (0.0, 0.0, 0.0)), "f1") is None
