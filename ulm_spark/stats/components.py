"""How many principal components are kept, and which way does each point?"""

import numpy as np
from numpy.typing import NDArray


def count_components(ratios: NDArray[np.float64], explained: float, most: int) -> int:
    """The least number of components that explain so much of the variance.

    In:   ratios: each component's share of the variance, the largest first.
    Rule: shares that differ from the limit by rounding reach it; most at most.
    Edge: 0 where there is no variance: ratios are not numbers then.
    """
    if ratios.size == 0 or not np.isfinite(ratios).all():
        return 0
    reached = np.flatnonzero(np.cumsum(ratios) >= explained - 1e-12)
    n_needed = int(reached[0]) + 1 if reached.size else ratios.size
    return min(n_needed, most)


def orient_components(loadings: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same axes, each pointing so that its largest loading by size is above 0.

    In:     [n_components, n_features].
    Rule:   loadings that differ by rounding are equal, and the first of them decides.
    Source: Bro, Acar & Kolda (2008), Journal of Chemometrics 22, 135-140, on why a sign must be chosen at all.
    """
    sizes = np.round(np.abs(loadings), 9)
    decisive = loadings[np.arange(len(loadings)), sizes.argmax(axis=1)]
    return np.where(decisive < 0, -1.0, 1.0)[:, None] * loadings
