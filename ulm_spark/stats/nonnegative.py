"""Which weights, none below zero, explain an outcome best? From sums that can be added up anywhere."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

Floats = NDArray[np.float64]
_SINGULAR = 1e-10


@dataclass(frozen=True)
class Moments:
    """Sums over examples of numbers x and an outcome y.

    n: examples. x: [k], sums. xx: [k, k], sums of products. y, yy: of the outcome and its square. xy: [k].
    """

    n: int
    x: Floats
    xx: Floats
    y: float
    yy: float
    xy: Floats

    @property
    def covariance(self) -> Floats:
        """[k, k], of x over all examples."""
        return np.asarray(self.xx / self.n - np.outer(self.x, self.x) / self.n**2)

    @property
    def covariance_y(self) -> Floats:
        """[k], of x with the outcome."""
        return np.asarray(self.xy / self.n - self.x * self.y / self.n**2)

    @property
    def variance_y(self) -> float:
        """Of the outcome."""
        return self.yy / self.n - (self.y / self.n) ** 2


def nonnegative_weights(moments: Moments) -> Floats:
    """[k]: the weights w >= 0, of x in its own units, of least squares of y - a - w'x, with any constant a.

    Rule:   each x is standardised, so that all are judged on one scale, and its weight brought back to its unit;
            ||Aw - b|| is the same as with the data for any A, b with A'A and A'b their sums of products.
    Edge:   an x that never varies weighs 0; of several that vary alike the weights are one solution of many.
    Source: Lawson & Hanson (1974), Solving Least Squares Problems, chapter 23.
    """
    spread = np.sqrt(np.maximum(np.diag(moments.covariance), 0.0))
    varies = spread > 1e-9 * np.maximum(np.abs(moments.x) / moments.n, 1e-300)
    weights = np.zeros(len(spread))
    if not varies.any():
        return weights
    scale = spread[varies]
    alike = moments.covariance[np.ix_(varies, varies)] / np.outer(scale, scale)
    sizes, axes = np.linalg.eigh(alike)
    kept = sizes > _SINGULAR * sizes.max()
    root = np.sqrt(sizes[kept])
    design = root[:, None] * axes[:, kept].T
    aim = (axes[:, kept].T @ (moments.covariance_y[varies] / scale)) / root
    weights[varies] = nnls(design, aim)[0] / scale
    return weights


def correlation(moments: Moments, weights: Floats) -> float:
    """Pearson's correlation of w'x with the outcome; 0 where one of them never varies."""
    both = float(weights @ moments.covariance @ weights) * moments.variance_y
    return float(weights @ moments.covariance_y) / both**0.5 if both > 0 else 0.0
