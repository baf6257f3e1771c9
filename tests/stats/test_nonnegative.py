"""Non-negative least squares from sums, beside scipy's and scikit-learn's own on the data."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression

from ulm_spark.stats.nonnegative import Moments, correlation, nonnegative_weights

Floats = NDArray[np.float64]


def moments(x: Floats, y: Floats) -> Moments:
    return Moments(len(x), x.sum(axis=0), x.T @ x, float(y.sum()), float(y @ y), x.T @ y)


def planted(seed: int, n: int = 400) -> tuple[Floats, Floats]:
    draw = np.random.default_rng(seed)
    x = draw.poisson([20.0, 3.0, 1.0, 0.5], size=(n, 4)).astype(np.float64)
    return x, 5 + x @ np.asarray([0.1, -1.0, 4.0, 0.0]) + draw.normal(size=n)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_weights_are_those_of_a_regression_on_the_data_that_allows_none_below_zero(seed: int) -> None:
    x, y = planted(seed)
    spread = x.std(axis=0)
    oracle = LinearRegression(positive=True).fit(x / spread, y).coef_ / spread
    assert nonnegative_weights(moments(x, y)) == pytest.approx(oracle, abs=1e-7)
    assert nonnegative_weights(moments(x, y))[1] == 0


def test_a_number_that_never_varies_weighs_nothing_and_twins_share() -> None:
    x, y = planted(5)
    twins = np.column_stack([x[:, 2], x[:, 2], np.full(len(x), 7.0)])
    weights = nonnegative_weights(moments(twins, y))
    assert weights[2] == 0
    assert weights[:2].sum() == pytest.approx(nonnegative_weights(moments(x[:, 2:3], y))[0], rel=1e-6)
    assert nonnegative_weights(moments(np.ones((9, 2)), np.arange(9.0))).tolist() == [0, 0]


def test_correlation_is_that_of_the_data() -> None:
    x, y = planted(6)
    weights = np.asarray([0.3, 0.2, 0.5, 0.0])
    assert correlation(moments(x, y), weights) == pytest.approx(np.corrcoef(x @ weights, y)[0, 1])
    assert correlation(moments(x, y), np.zeros(4)) == 0
