from __future__ import annotations

import numpy as np
import pytest

from sentiment.calibration import Calibration, Scale, softmax
from sentiment.training import calibrate
from sentiment.training.calibrate import (
    Rows,
    ece,
    fit,
    fit_bias,
    fit_scale,
    fit_tilt,
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


def test_a_language_hears_as_much_of_the_early_voice_as_its_scale_says() -> None:
    calibration = Calibration.from_config(
        {
            "shared": {"temperature": 1.0, "bias": [0, 0, 0], "share": 0.5},
            "languages": {"bn": {"temperature": 1.0, "bias": [0, 0, 0], "share": 3.0}},
        }
    )
    logits, early = (1.0, 0.0, 0.0), (-1.0, 0.0, 2.0)
    assert calibration.apply(logits, "en", early) == pytest.approx(softmax([0.5, 0.0, 1.0]))
    assert calibration.apply(logits, "bn", early) == pytest.approx(softmax([-2.0, 0.0, 6.0]))
    assert calibration.apply(logits, "bn") == pytest.approx(softmax([1.0, 0.0, 0.0]))


def overconfident(n: int, seed: int = 0) -> Rows:
    """Logits three times too large: a temperature near 3 puts them right."""
    rng = np.random.default_rng(seed)
    true = rng.normal(size=(n, 3)) * 1.2
    p = np.exp(true) / np.exp(true).sum(1, keepdims=True)
    labels = np.array([rng.choice(3, p=row) for row in p])
    return Rows(true * 2.0, labels, np.zeros(n, dtype=np.int64), np.zeros((n, 3)))


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
    noisy = Rows(rows.logits * 2, labels, rows.source, rows.early)
    temperature, noise = fit_scale(noisy, (0, 0, 0))
    assert noise > 0.25
    alone = min(ece(noisy, t / 10, (0, 0, 0)) for t in range(3, 100))
    assert ece(noisy, temperature, (0, 0, 0), noise) < alone


def test_a_bias_is_found_where_one_label_is_never_chosen() -> None:
    rows = overconfident(2000)
    tilted = Rows(rows.logits + np.array([-1.2, 0.0, 0.0]), rows.labels, rows.source, rows.early)
    bias = fit_bias(tilted, "f1")
    assert bias[0] > 0.4
    assert quality(tilted, bias, "f1").mean() > quality(tilted, (0, 0, 0), "f1").mean() + 0.01
    own = own_scale(tilted, Scale(2.0), "f1")
    assert own is not None
    assert own["gain"] > 0


def test_few_rows_get_no_scale_of_their_own() -> None:
    assert own_scale(overconfident(100), Scale(), "f1") is None


def split(n: int, seed: int, of_early: float) -> Rows:
    """Rows whose truth lies to ``of_early`` (0 to 1) in the early voice, else in the logits."""
    whole = overconfident(n, seed)
    noise = np.random.default_rng(seed + 1).normal(size=(2, n, 3))
    return Rows(
        (1 - of_early) * whole.logits + noise[0],
        whole.labels,
        whole.source,
        of_early * whole.logits + noise[1],
    )


def test_the_early_voice_counts_where_it_knows_more() -> None:
    at_home, abroad = split(1500, 2, 0.1), split(1500, 4, 0.8)
    assert fit_tilt(at_home, 0.5, "f1")[0] <= 0.5
    assert fit_tilt(abroad, 0.5, "f1")[0] >= 1.0
    found = fit({"aa": at_home, "ab": split(1500, 6, 0.1), "bn": abroad})
    assert found["shared"]["share"] < found["languages"]["bn"]["share"]
    assert found["languages"]["bn"]["gain"] > 0.02
    assert all(found["languages"].get(code, {"gain": 0.0})["gain"] == 0.0 for code in ("aa", "ab"))


def test_the_bias_hangs_less_on_the_luck_of_the_rows_than_one_highest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Twelve samples of one truth, which wants 1.2 for the first label and nothing for the last."""
    rows = overconfident(24_000, 3)
    tilted = Rows(rows.logits + np.array([-1.2, 0.0, 0.0]), rows.labels, rows.source, rows.early)
    samples = [tilted.part(np.arange(24_000) % 12 == k) for k in range(12)]
    steady = [fit_bias(sample, "f1") for sample in samples]
    monkeypatch.setattr(calibrate, "BAGS", 1)
    single = [fit_bias(sample, "f1") for sample in samples]
    assert np.mean(steady, axis=0) == pytest.approx([1.2, 0.0, 0.0], abs=0.2)
    assert np.std(steady, axis=0).max() < 0.75 * np.std(single, axis=0).max()
    on_all = [
        np.mean([quality(tilted, b, "f1").mean() for b in found]) for found in (steady, single)
    ]
    assert on_all[0] > on_all[1] + 0.001


def test_sources_that_err_in_opposite_ways_do_not_cancel() -> None:
    """One language, two sources: four in ten wrong here and none there are not "two in ten wrong"."""
    p = np.tile([0.8, 0.1, 0.1], (200, 1))
    labels = np.array([0] * 60 + [1] * 40 + [0] * 100)
    rows = Rows(np.log(p), labels, np.repeat([0, 1], 100), np.zeros((200, 3)))
    assert ece(rows, 1.0, (0, 0, 0)) == pytest.approx(0.0, abs=1e-9)
    assert gap_by_source(rows, p) == pytest.approx(0.2)
