import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ulm_spark.sequence.top_items import Coded, Vectors, best_items

DRAWN = np.random.default_rng(0)
CODES = DRAWN.integers(0, 16, (5_000, 4), dtype=np.uint8)
CENTROIDS = DRAWN.normal(size=(4, 16, 3)).astype(np.float32)
OFFSETS = DRAWN.normal(size=5_000).astype(np.float32)
TABLE = np.concatenate([CENTROIDS[split][CODES[:, split]] for split in range(4)], axis=1)


def test_sums_of_parts_are_the_scores_of_whole_vectors() -> None:
    coded, whole = Coded(CODES, CENTROIDS, OFFSETS), Vectors(TABLE, OFFSETS)
    for state in DRAWN.normal(size=(3, 12)).astype(np.float32):
        np.testing.assert_allclose(coded.scores(state), TABLE @ state + OFFSETS, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(whole.scores(state), TABLE @ state + OFFSETS, rtol=1e-6)


def test_scores_of_one_user_stay_when_the_next_is_scored() -> None:
    coded = Coded(CODES, CENTROIDS, OFFSETS)
    first = coded.scores(np.ones(12, np.float32))
    kept = first.copy()
    coded.scores(np.zeros(12, np.float32))
    np.testing.assert_array_equal(first, kept)


@given(
    arrays(np.float32, st.integers(1, 3_000), elements=st.integers(-20, 20).map(np.float32)),
    st.integers(1, 30),
)
def test_the_best_are_those_of_a_full_sort_ties_by_place(scores: np.ndarray, k: int) -> None:  # type: ignore[type-arg]
    expected = np.lexsort((np.arange(len(scores)), -scores))[:k]
    np.testing.assert_array_equal(best_items(scores, k), expected)


@pytest.mark.parametrize("n_items", [1_280, 1_281, 1_407])
def test_items_behind_the_last_whole_block_are_seen(n_items: int) -> None:
    scores = np.zeros(n_items, np.float32)
    scores[-1] = 1.0
    assert best_items(scores, 2).tolist() == [n_items - 1, 0]
