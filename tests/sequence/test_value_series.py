import numpy as np
import pytest
from numpy.typing import NDArray

from ulm_spark.config.errors import TrainingError
from ulm_spark.sequence.value_series import SeriesConf, ValueSeries, fit_value_series, predict_next_value

CARRIED, LEVEL = 0.5, 10.0
Values = NDArray[np.float64]


def planted(n_customers: int, n_periods: int, seed: int) -> Values:
    """An autoregression: half of what a period is above the level, the next is too, but for noise."""
    generator = np.random.default_rng(seed)
    values = np.empty((n_customers, n_periods))
    values[:, 0] = LEVEL + 2.3 * generator.normal(size=n_customers)
    for period in range(1, n_periods):
        noise = 2.0 * generator.normal(size=n_customers)
        values[:, period] = LEVEL + CARRIED * (values[:, period - 1] - LEVEL) + noise
    return np.maximum(values, 0.0)


@pytest.fixture(scope="module")
def model() -> ValueSeries:
    return fit_value_series(planted(800, 16, 0), SeriesConf(max_epochs=25))


def squared_error(found: Values, truth: Values) -> float:
    return float(np.mean((found - truth) ** 2))


def test_a_planted_autoregression_is_foretold_better_than_by_its_last_value(model: ValueSeries) -> None:
    later = planted(2000, 13, 1)
    known, truth = later[:, :-1], later[:, -1]
    found = squared_error(predict_next_value(model, known), truth)
    assert found < 0.85 * squared_error(known[:, -1], truth)
    assert found < 1.08 * squared_error(LEVEL + CARRIED * (known[:, -1] - LEVEL), truth)  # the law itself


def test_periods_before_a_customer_came_change_nothing(model: ValueSeries) -> None:
    values = planted(5, 6, 2)
    longer = np.concatenate([np.full((5, 4), np.nan), values], axis=1)
    np.testing.assert_allclose(predict_next_value(model, longer), predict_next_value(model, values), rtol=1e-5)


def test_mostly_empty_periods_are_foretold_on_average() -> None:
    generator = np.random.default_rng(3)
    rate = np.repeat([0.05, 0.6], 300)[:, None]
    values = (generator.random((600, 13)) < rate) * generator.lognormal(3.0, 1.0, (600, 13))
    model = fit_value_series(values[:, :-1], SeriesConf(max_epochs=25))
    found = predict_next_value(model, values[:, :-1])
    assert (found >= 0).all()
    for group in (slice(0, 300), slice(300, 600)):
        assert found[group].mean() == pytest.approx(values[group].mean(), rel=0.35)


def test_a_series_of_one_period_or_without_value_is_refused() -> None:
    for values in (np.ones((3, 1)), np.zeros((3, 5))):
        with pytest.raises(TrainingError, match="expected 2 periods or more, and some value"):
            fit_value_series(values)
