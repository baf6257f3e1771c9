import numpy as np
import pytest

from tests.sequence.histories import KNOWN_UNTIL_S, rows
from ulm_spark.sequence.blocks import block_of, rows_of
from ulm_spark.sequence.fact_scale import fact_scale
from ulm_spark.sequence.facts import facts_of
from ulm_spark.sequence.ranks import Ranks
from ulm_spark.sequence.rows import Rows, pad_left, times_of
from ulm_spark.sequence.validation import is_apart

N_MANY = 120_000


def many_users() -> Rows:
    """A purchase each, at one of the last hundred days."""
    ids = np.array([f"user-{number}" for number in range(N_MANY)], object)
    ones, number = np.ones(N_MANY, np.int64), np.arange(N_MANY)
    last_us = (KNOWN_UNTIL_S - 86_400 * (1 + number % 100)) * 1_000_000
    arrays = [(ones, ones), (3 * ones, ones), (0 * ones, ones), (5.0 + number % 7, ones)]
    return rows_of([block_of(ids, last_us, arrays, 2)], 2)


def test_padding_is_on_the_left_and_keeps_the_last_values() -> None:
    padded = pad_left([np.array([1, 2]), np.array([3, 4, 5, 6]), np.array([], np.int64)], 3)
    assert padded.tolist() == [[0, 1, 2], [4, 5, 6], [0, 0, 0]]


def test_times_follow_from_gaps_and_the_last_instant() -> None:
    assert times_of(np.array([[0, 5, 10]]), np.array([100])).tolist() == [[85, 90, 100]]


def test_gaps_begin_with_zero_at_the_first_event_kept() -> None:
    assert rows([[0, 1, 2]], hours=[[0, 4, 6]]).gaps().tolist() == [[0, 0, 7200]]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_share_of_users_is_that_share(share: float) -> None:
    many = many_users()
    assert many.hash_place.max() < 1.0
    assert is_apart(many, share).mean() == pytest.approx(share, abs=0.005)


def test_facts_are_measured_on_some_of_many_users() -> None:
    many, ranks = many_users(), Ranks()
    numbers, last = np.arange(N_MANY, dtype=np.int32), np.ones(N_MANY, np.int32)
    facts = facts_of(many, numbers, last, KNOWN_UNTIL_S - many.at_s[:, -1], 2).astype(np.float64)
    mean, deviation = fact_scale([many], N_MANY, 2, KNOWN_UNTIL_S, ranks)
    moves = facts.std(axis=0) > 1e-3
    assert moves.any()
    np.testing.assert_allclose(mean, facts.mean(axis=0), atol=0.02)
    np.testing.assert_allclose(deviation[moves], facts.std(axis=0)[moves], rtol=0.02)
    np.testing.assert_array_equal(deviation[~moves], 1.0)
