import pytest
from statsmodels.stats.proportion import proportion_confint

from ulm_spark.stats.proportion import wilson_interval


@pytest.mark.parametrize(("n_hits", "n"), [(0, 12), (12, 12), (3, 40), (117, 214)])
def test_it_equals_statsmodels_wilson_interval(n_hits: int, n: int) -> None:
    low, high = proportion_confint(n_hits, n, method="wilson")
    assert wilson_interval(n_hits / n, n) == pytest.approx((low, high), abs=1e-8)


def test_nothing_observed_says_nothing() -> None:
    assert wilson_interval(0.0, 0) == (0.0, 1.0)
