"""How surprising a count is: upper tails of the negative binomial and the over-dispersed binomial.

All functions take and return arrays and use numpy alone, because the detectors judge thousands of
series at each tick. Both tails are regularised incomplete beta functions; that one is evaluated by
its continued fraction with the modified Lentz method (Press and others, Numerical Recipes, 6.4).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

_TINY = 1e-300
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680)


def log_gamma(x: ArrayLike) -> Array:
    """Natural logarithm of the gamma function for x > 0: Stirling's series after shifting by 8."""
    z = np.array(x, dtype=np.float64)
    shift = np.zeros_like(z)
    small = z < 8
    if small.any():
        product = np.ones_like(z)
        for step in range(8):
            product = np.where(small, product * (z + step), product)
        shift = np.where(small, np.log(product), 0.0)
        z = np.where(small, z + 8, z)
    inverse = 1 / z
    square = inverse * inverse
    series = np.zeros_like(z)
    for term in reversed(_STIRLING):
        series = series * square + term
    result: Array = (z - 0.5) * np.log(z) - z + 0.5 * np.log(2 * np.pi) + series * inverse - shift
    return result


def beta_tail(x: ArrayLike, a: ArrayLike, b: ArrayLike) -> Array:
    """The regularised incomplete beta function I_x(a, b), elementwise, for a, b > 0."""
    x_, a_, b_ = np.broadcast_arrays(
        np.asarray(x, float), np.asarray(a, float), np.asarray(b, float)
    )
    x_ = np.clip(x_, 0.0, 1.0)
    swap = x_ > (a_ + 1) / (a_ + b_ + 2)
    front_x = np.where(swap, 1 - x_, x_)
    front_a, front_b = np.where(swap, b_, a_), np.where(swap, a_, b_)
    with np.errstate(divide="ignore", under="ignore", invalid="ignore", over="ignore"):
        log_front = (
            log_gamma(front_a + front_b)
            - log_gamma(front_a)
            - log_gamma(front_b)
            + front_a * np.log(front_x)
            + front_b * np.log1p(-front_x)
        )
        front = np.exp(log_front) / front_a
    value = np.where(front > 0, front * _fraction(front_x, front_a, front_b), 0.0)
    return np.clip(np.where(swap, 1 - value, value), 0.0, 1.0)


def _fraction(x: Array, a: Array, b: Array) -> Array:
    """The continued fraction of the incomplete beta function, for x below (a + 1) / (a + b + 2)."""
    c = np.ones_like(x)
    d = _guard(1 - (a + b) * x / (a + 1))
    d = 1 / d
    h = d.copy()
    for m in range(1, 300):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / _guard(1 + even * d)
        c = _guard(1 + even / c)
        h = h * d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d = 1 / _guard(1 + odd * d)
        c = _guard(1 + odd / c)
        step = d * c
        h = h * step
        if np.all(np.abs(step - 1) < 1e-10):
            break
    return h


def _guard(value: Array) -> Array:
    return np.where(np.abs(value) < _TINY, _TINY, value)


def negative_binomial_tail(count: ArrayLike, mean: ArrayLike, dispersion: ArrayLike) -> Array:
    """P(Y >= count) where Y has this mean and variance mean + dispersion * mean**2."""
    y, mu, alpha = np.broadcast_arrays(
        np.asarray(count, float), np.asarray(mean, float), np.asarray(dispersion, float)
    )
    mu = np.maximum(mu, 1e-9)
    size = 1 / np.maximum(alpha, 1e-6)  # 1e-6 is Poisson for every count that people post
    tail = beta_tail(mu / (mu + size), np.maximum(y, 0.5), size)
    return np.where(y <= 0, 1.0, tail)


def share_tail(
    count: ArrayLike, total: ArrayLike, share: ArrayLike, dispersion: ArrayLike
) -> Array:
    """P(Y >= count) of ``total`` posts where each is one with probability ``share``.

    ``dispersion`` is the correlation between posts of one bucket: the variance is
    n p (1 - p) (1 + (n - 1) dispersion). It is taken as that many fewer independent posts.
    """
    y, n, p, rho = np.broadcast_arrays(
        np.asarray(count, float),
        np.asarray(total, float),
        np.asarray(share, float),
        np.asarray(dispersion, float),
    )
    scale = 1 / (1 + np.maximum(n - 1, 0) * np.maximum(rho, 0))
    hits, rest = y * scale, (n - y) * scale
    tail = beta_tail(np.clip(p, 1e-9, 1 - 1e-9), np.maximum(hits, 1e-3), np.maximum(rest, 0) + 1)
    return np.where(y <= 0, 1.0, tail)
