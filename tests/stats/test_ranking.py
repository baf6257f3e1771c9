"""Ranking metrics against hand-computed rows and scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from ulm_spark.stats.ranking import (
    hit_rate_at_k,
    hits_at_ranks,
    ndcg_at_k,
    recall_at_k,
    reciprocal_rank_at_k,
)


def test_hand_computed_rows() -> None:
    hits = hits_at_ranks([[1, 3], [], [2], [5]], k=3)
    n_relevant = np.array([2, 4, 1, 1])
    gained = 1 + 1 / math.log2(4)
    ideal = 1 + 1 / math.log2(3)
    assert ndcg_at_k(hits, n_relevant, 3) == pytest.approx([gained / ideal, 0, 1 / math.log2(3), 0])
    assert hit_rate_at_k(hits, 3).tolist() == [1, 0, 1, 0]
    assert recall_at_k(hits, n_relevant, 3).tolist() == [1, 0, 1, 0]
    assert reciprocal_rank_at_k(hits, 3).tolist() == [1, 0, 0.5, 0]


def test_the_ideal_list_holds_no_more_than_k_items() -> None:
    hits = np.ones((1, 3), dtype=np.bool_)
    assert ndcg_at_k(hits, np.array([50]), 3).tolist() == [1.0]
    assert recall_at_k(hits, np.array([50]), 3).tolist() == [3 / 50]


def test_a_list_shorter_than_k_counts_as_filled_with_misses() -> None:
    hits = np.array([[True]])
    assert ndcg_at_k(hits, np.array([2]), 10) == pytest.approx([1 / (1 + 1 / math.log2(3))])
    assert hit_rate_at_k(hits, 10).tolist() == [1]


@pytest.mark.parametrize("k", [1, 5, 10])
def test_ndcg_equals_scikit_learn(k: int) -> None:
    generator = np.random.default_rng(3)
    relevance = generator.random((40, 30)) < 0.2
    relevance[:, 0] = True
    scores = generator.random((40, 30))
    order = np.argsort(-scores, axis=1)
    hits = np.take_along_axis(relevance, order, axis=1)
    mine = ndcg_at_k(hits, relevance.sum(axis=1), k)
    theirs = [ndcg_score([row], [score], k=k) for row, score in zip(relevance, scores, strict=True)]
    assert mine == pytest.approx(theirs, abs=1e-12)


def test_users_without_a_relevant_item_are_refused() -> None:
    with pytest.raises(ValueError, match="Leave such users out"):
        ndcg_at_k(np.zeros((1, 3), dtype=np.bool_), np.array([0]), 3)


@given(st.lists(st.integers(1, 12), unique=True, min_size=1), st.integers(0, 5), st.integers(1, 12))
def test_every_metric_is_between_0_and_1_and_1_for_the_ideal_list(ranks: list[int], more: int, k: int) -> None:
    n_relevant = np.array([len(ranks) + more])
    hits = hits_at_ranks([ranks], 12)
    ideal = hits_at_ranks([list(range(1, min(int(n_relevant[0]), 12) + 1))], 12)
    values = (ndcg_at_k(hits, n_relevant, k)[0], hit_rate_at_k(hits, k)[0], recall_at_k(hits, n_relevant, k)[0])
    assert all(0 <= value <= 1 for value in values)
    assert ndcg_at_k(ideal, n_relevant, k)[0] == pytest.approx(1)
