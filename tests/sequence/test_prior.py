import numpy as np

from tests.sequence.histories import KNOWN_UNTIL_S, rows
from ulm_spark.sequence.prior import Periods, prior_logits
from ulm_spark.sequence.rows import DAY_S


def test_periods_end_with_what_is_known() -> None:
    periods = Periods.back_to(KNOWN_UNTIL_S - 15 * DAY_S, KNOWN_UNTIL_S, days=7)
    assert periods.n_periods == 3
    ago_s = np.array([1, 7 * DAY_S, 7 * DAY_S + 1, 15 * DAY_S, 900 * DAY_S])
    assert periods.of(KNOWN_UNTIL_S - ago_s).tolist() == [2, 2, 1, 0, 0]


def test_what_comes_after_all_periods_is_in_the_next() -> None:
    periods = Periods(KNOWN_UNTIL_S, 7 * DAY_S, 2)
    at_s = KNOWN_UNTIL_S + np.array([-8 * DAY_S, -1, 0, 7 * DAY_S - 1])
    assert periods.and_next().of(at_s).tolist() == [0, 1, 2, 2]
    assert periods.of(at_s).tolist() == [0, 1, 1, 1]


def test_counts_fall_into_their_period() -> None:
    periods = Periods.back_to(KNOWN_UNTIL_S - DAY_S, KNOWN_UNTIL_S, days=7)
    assert periods.count(rows([[0, 1, 2], [2, 2, 1]]), n_items=3).tolist() == [[0, 2, 3, 0]]


def test_a_period_knows_only_the_periods_before_it() -> None:
    counts = np.array([[0.0, 8.0, 0.0], [0.0, 0.0, 4.0]])
    shares = np.exp(prior_logits(counts, days=7, half_life_days=7.0, smoothing=1.0))
    assert np.allclose(shares[0, 1:], [0.5, 0.5])
    assert np.allclose(shares[1, 1:], [0.9, 0.1])
    assert np.allclose(shares[2, 1:], [0.5, 0.5])  # 8 halved and 4 new, each with 1
    assert shares[2, 0] < 1e-9


def test_without_a_half_life_nothing_is_forgotten() -> None:
    counts = np.array([[0.0, 8.0, 0.0], [0.0, 0.0, 4.0]])
    shares = np.exp(prior_logits(counts, days=7, half_life_days=None, smoothing=1.0))
    assert np.allclose(shares[2, 1:], [9 / 14, 5 / 14])
