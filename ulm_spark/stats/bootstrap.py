"""How sure is a number? Percentile bootstrap intervals, resampling whole users.

Source: Efron & Tibshirani (1993), An Introduction to the Bootstrap, section 13.3 (percentile interval).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_CELLS_AT_ONCE = 4_000_000  # 32 MB of resample counts


@dataclass(frozen=True)
class Interval:
    """A value with its 2.5% and 97.5% bounds."""

    value: float
    low: float
    high: float


def resample_counts(n: int, n_resamples: int, seed: int) -> Iterator[Floats]:
    """How often each of n rows is drawn, resample by resample, in blocks of [n_block, n] whole numbers.

    Rule: n draws with replacement a resample; the same arguments give the same counts, so that
    metrics and models measured on the same rows share their resamples.
    """
    if n < 1 or n_resamples < 1:
        raise ValueError(f"resample_counts: found {n} rows, {n_resamples} resamples; expected 1 or more of each.")
    generator = np.random.default_rng(seed)
    block = max(1, _CELLS_AT_ONCE // n)
    for start in range(0, n_resamples, block):
        size = min(block, n_resamples - start)
        drawn = generator.integers(0, n, size=(size, n))
        drawn += np.arange(size)[:, None] * n
        yield np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)


def mean_interval(values: Floats, n_resamples: int, seed: int) -> Interval:
    """The mean of one value per user, with its interval over users."""
    n = len(values)
    means = np.concatenate([counts @ values / n for counts in resample_counts(n, n_resamples, seed)])
    return percentile_interval(float(np.mean(values)), means)


def difference_interval(values: Floats, baseline: Floats, n_resamples: int, seed: int) -> Interval:
    """The mean of value less baseline of the same users, with its interval: the paired difference."""
    if values.shape != baseline.shape:
        raise ValueError(f"difference_interval: found shapes {values.shape}, {baseline.shape}; expected one.")
    return mean_interval(values - baseline, n_resamples, seed)


def percentile_interval(value: float, resampled: Floats) -> Interval:
    """The 2.5% and 97.5% quantiles of what the resamples gave; NaN ones do not count."""
    low, high = np.nanquantile(resampled, [0.025, 0.975])
    return Interval(value, float(low), float(high))
