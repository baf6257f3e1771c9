import numpy as np
import pytest

from tests.sequence.histories import rows
from ulm_spark.sequence import codes as codes_module
from ulm_spark.sequence.codes import codes_of_factors, codes_of_vectors, gram_of, item_factors, zipf_weights

HISTORIES = rows([[0, 1, 2, 2], [3, 1, 2, 4], [0, 0, 5, 3], [4, 5, 5, 5]])
HELD = np.array(
    [[0, 1, 1, 0, 0, 0], [0, 1, 1, 1, 1, 0], [0, 0, 0, 1, 0, 1], [0, 0, 0, 0, 1, 1]],
    float,
)


def test_items_of_a_history_count_once() -> None:
    vectors = np.random.default_rng(0).normal(size=(6, 2))
    np.testing.assert_allclose(gram_of(HISTORIES, vectors), HELD.T @ HELD @ vectors, atol=1e-12)


def test_factors_are_the_singular_vectors_of_users_and_items() -> None:
    drawn = np.random.default_rng(1)
    group_of_user, group_of_item = np.repeat([0, 1, 2], [120, 80, 40]), np.arange(40) % 3
    is_own = group_of_user[:, None] == group_of_item
    held = (drawn.random(is_own.shape) < np.where(is_own, 0.6, 0.03)).astype(float)
    found = item_factors(lambda vectors: held.T @ (held @ vectors), 39, 3, np.random.default_rng(2))
    expected = np.linalg.svd(held)[2][:3].T
    np.testing.assert_allclose(np.abs((found * expected).sum(axis=0)), 1.0, atol=1e-3)


def test_each_part_of_a_factor_holds_as_many_items_in_its_order() -> None:
    factors = np.random.default_rng(3).normal(size=(40, 2))
    codes = codes_of_factors(factors, 3, 8, np.random.default_rng(4))
    assert (codes.shape, codes.dtype) == ((40, 3), np.uint8)
    for split in range(2):
        assert np.bincount(codes[:, split]).tolist() == [5] * 8
        assert (np.diff(codes[np.argsort(factors[:, split]), split]) >= 0).all()
    assert len(set(codes[:, 2])) > 1  # without a factor of its own: random


def test_codes_of_equal_factors_are_no_order_of_the_items() -> None:
    codes = codes_of_factors(np.zeros((64, 1)), 1, 8, np.random.default_rng(5))[:, 0]
    assert np.bincount(codes).tolist() == [8] * 8
    assert (np.diff(codes.astype(int)) < 0).any()


def test_codes_of_vectors_stand_for_them() -> None:
    drawn = np.random.default_rng(6)
    near = drawn.normal(size=(2, 8, 3)).astype(np.float32)
    true = drawn.integers(0, 8, (300, 2))
    vectors = np.concatenate([near[0][true[:, 0]], near[1][true[:, 1]]], axis=1)
    codes, centroids = codes_of_vectors(vectors, np.ones(300), 2, 8, np.random.default_rng(7))
    put_together = np.concatenate([centroids[split][codes[:, split]] for split in range(2)], axis=1)
    assert (codes.dtype, centroids.shape) == (np.uint8, (2, 8, 3))
    assert np.square(put_together - vectors).mean() < 0.05 * vectors.var()


def test_common_items_are_met_best() -> None:
    vectors = np.random.default_rng(8).normal(size=(400, 4)).astype(np.float32)
    weights = zipf_weights(400)
    codes, centroids = codes_of_vectors(vectors, weights, 1, 16, np.random.default_rng(9))
    off = np.square(centroids[0][codes[:, 0]] - vectors).sum(axis=1)
    assert off[:8].mean() < 0.5 * off[200:].mean()
    even, near = codes_of_vectors(vectors, np.ones(400), 1, 16, np.random.default_rng(9))
    assert (weights * off).sum() < 0.7 * (weights * np.square(near[0][even[:, 0]] - vectors).sum(axis=1)).sum()


def test_a_sample_of_many_items_weighs_them_as_all_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codes_module, "_N_SAMPLED", 20_000)
    weights = zipf_weights(60_000)
    vectors = np.repeat([[0.0, 4.0], [1.0, 2.0]], [3_000, 57_000], axis=0).astype(np.float32)
    _, centroids = codes_of_vectors(vectors, weights, 1, 1, np.random.default_rng(4))
    expected = weights @ vectors / weights.sum()
    np.testing.assert_allclose(centroids[0, 0], expected, atol=0.03)
