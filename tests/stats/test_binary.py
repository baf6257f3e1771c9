"""AUC and log loss against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from ulm_spark.stats.binary import area_difference_interval, area_interval, area_under_curve, log_losses
from ulm_spark.stats.bootstrap import resample_counts


def _sample() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(2)
    score = generator.random(400).round(2)  # with ties
    return score, generator.random(400) < score


def test_area_and_log_loss_equal_scikit_learn() -> None:
    score, outcome = _sample()
    assert area_under_curve(score, outcome) == pytest.approx(roc_auc_score(outcome, score), abs=1e-12)
    assert log_losses(score, outcome).mean() == pytest.approx(log_loss(outcome, score), rel=1e-9)


def test_resampled_areas_equal_those_of_the_repeated_users() -> None:
    score, outcome = _sample()
    counts = np.concatenate(list(resample_counts(len(score), 1000, seed=9))).astype(int)
    areas = [roc_auc_score(np.repeat(outcome, row), np.repeat(score, row)) for row in counts]
    found = area_interval(score, outcome, 1000, seed=9)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(areas, [0.025, 0.975])), abs=1e-12)


def test_a_score_beats_its_noisy_copy_by_a_paired_interval_above_zero() -> None:
    score, outcome = _sample()
    noisy = score + np.random.default_rng(1).normal(0, 1, len(score))
    found = area_difference_interval(score, noisy, outcome, 1000, seed=1)
    assert found.low > 0


def test_equal_scores_are_worth_one_half_and_one_kind_of_outcome_has_no_area() -> None:
    assert area_under_curve(np.ones(4), np.array([True, False, True, False])) == 0.5
    assert np.isnan(area_under_curve(np.arange(3.0), np.array([True, True, True])))


def test_a_certain_forecast_that_fails_costs_much_but_not_infinitely_much() -> None:
    assert log_losses(np.array([0.0]), np.array([True]))[0] == pytest.approx(-np.log(1e-15))
