import numpy as np
import pytest
from scipy.sparse import csr_array

from ulm_spark.stats.pagerank import rank_nodes


def solved(matrix: np.ndarray, damping: float) -> np.ndarray:
    """The fixed point by a dense linear solver: (1 - d P') p = (1 - d) / n."""
    n = len(matrix)
    sums = matrix.sum(axis=1, keepdims=True)
    step = np.where(sums > 0, matrix / np.where(sums > 0, sums, 1), 1 / n)
    return np.linalg.solve(np.eye(n) - damping * step.T, np.full(n, (1 - damping) / n))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("damping", [0.5, 0.85])
def test_ranks_equal_those_of_a_dense_linear_solver(seed: int, damping: float) -> None:
    random = np.random.default_rng(seed)
    matrix = random.random((30, 30)) * (random.random((30, 30)) < 0.15)
    matrix[3] = 0  # a node without links out
    ranks = rank_nodes(csr_array(matrix), damping)
    np.testing.assert_allclose(ranks, solved(matrix, damping), atol=1e-9, rtol=0)
    assert ranks.sum() == pytest.approx(1, abs=1e-12)


def test_the_middle_of_a_star_is_the_greatest_and_its_tips_are_alike() -> None:
    star = np.zeros((5, 5))
    star[0, 1:] = star[1:, 0] = 2.0
    ranks = rank_nodes(csr_array(star))
    assert ranks[0] == pytest.approx((0.15 / 5 + 0.85 * 4 * 0.15 / 5) / (1 - 0.85**2), abs=1e-12)
    assert np.ptp(ranks[1:]) == 0


def test_no_nodes_have_no_ranks_and_one_has_all() -> None:
    assert rank_nodes(csr_array((0, 0))).tolist() == []
    assert rank_nodes(csr_array((1, 1))).tolist() == [1.0]
