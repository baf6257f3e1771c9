import numpy as np

from tests.sequence.histories import rows
from ulm_spark.sequence.rows import pad_left, times_of


def test_padding_is_on_the_left_and_keeps_the_last_values() -> None:
    padded = pad_left([np.array([1, 2]), np.array([3, 4, 5, 6]), np.array([], np.int64)], 3)
    assert padded.tolist() == [[0, 1, 2], [4, 5, 6], [0, 0, 0]]


def test_times_follow_from_gaps_and_the_last_instant() -> None:
    assert times_of(np.array([[0, 5, 10]]), np.array([100])).tolist() == [[85, 90, 100]]


def test_gaps_begin_with_zero_at_the_first_event_kept() -> None:
    assert rows([[0, 1, 2]], hours=[[0, 4, 6]]).gaps().tolist() == [[0, 0, 7200]]
