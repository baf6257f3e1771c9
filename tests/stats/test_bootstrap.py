"""Bootstrap intervals: seeded, paired, and as wide as theory says."""

import numpy as np
import pytest
from scipy import stats

from ulm_spark.stats import bootstrap
from ulm_spark.stats.bootstrap import difference_interval, mean_interval, resample_counts


def test_each_resample_draws_as_many_rows_as_there_are() -> None:
    counts = np.concatenate(list(resample_counts(7, 50, seed=1)))
    assert counts.shape == (50, 7)
    assert (counts.sum(axis=1) == 7).all()


def test_the_block_size_does_not_change_the_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.concatenate(list(resample_counts(9, 20, seed=2)))
    monkeypatch.setattr(bootstrap, "_CELLS_AT_ONCE", 27)
    assert np.array_equal(whole, np.concatenate(list(resample_counts(9, 20, seed=2))))


def test_the_interval_of_a_mean_is_near_the_normal_one() -> None:
    values = np.random.default_rng(0).normal(3, 2, 2000)
    found = mean_interval(values, 4000, seed=5)
    error = values.std() / np.sqrt(len(values))
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error)
    assert found.high == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error)


def test_the_interval_agrees_with_scipy() -> None:
    values = np.random.default_rng(1).exponential(1.0, 300)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=5000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    mine = mean_interval(values, 5000, seed=0)
    assert (mine.low, mine.high) == pytest.approx((theirs.low, theirs.high), abs=0.02)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    values = np.random.default_rng(1).random(100)
    assert mean_interval(values, 1000, 3) == mean_interval(values, 1000, 3)
    assert mean_interval(values, 1000, 3) != mean_interval(values, 1000, 4)


def test_pairing_takes_out_what_users_have_in_common() -> None:
    generator = np.random.default_rng(4)
    common = generator.normal(0, 10, 500)
    found = difference_interval(common + 0.1 + generator.normal(0, 0.1, 500), common, 1000, seed=1)
    assert 0.08 < found.low < 0.1 < found.high < 0.12


def test_a_difference_needs_the_same_users() -> None:
    with pytest.raises(ValueError, match="expected one"):
        difference_interval(np.zeros(3), np.zeros(4), 1000, 1)


def test_nothing_to_resample_is_refused() -> None:
    with pytest.raises(ValueError, match="1 or more"):
        mean_interval(np.zeros(1)[:0], 1000, 1)
