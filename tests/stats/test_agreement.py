import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from ulm_spark.stats.agreement import adjusted_rand_index, normalised_mutual_information


def index_of(first: np.ndarray, second: np.ndarray) -> float:
    """The index of two label vectors, by way of their joint counts."""
    pairs, counts = np.unique(np.stack([first, second], axis=1), axis=0, return_counts=True)
    return adjusted_rand_index(pairs[:, 0], pairs[:, 1], counts)


@pytest.mark.parametrize("seed", range(20))
def test_the_index_equals_scikit_learns(seed: int) -> None:
    random = np.random.default_rng(seed)
    n_things, n_groups = int(random.integers(2, 400)), int(random.integers(1, 60))
    first = random.integers(0, n_groups, n_things)
    second = np.where(random.random(n_things) < 0.3, random.integers(0, n_groups, n_things), first)
    assert index_of(first, second) == pytest.approx(adjusted_rand_score(first, second), abs=1e-12)
    pairs, counts = np.unique(np.stack([first, second], axis=1), axis=0, return_counts=True)
    shared = normalised_mutual_information(pairs[:, 0], pairs[:, 1], counts)
    assert shared == pytest.approx(normalized_mutual_info_score(first, second), abs=1e-12)


def test_the_same_partition_under_other_names_is_one() -> None:
    assert index_of(np.array([1, 1, 2, 3]), np.array([7, 7, 9, 8])) == 1.0
    assert adjusted_rand_index(np.array(["a", "b"]), np.array([2, 1]), np.array([3, 2])) == 1.0


@pytest.mark.parametrize("labels", [[1, 1, 1], [1, 2, 3], [1], []])
def test_trivial_partitions_agree(labels: list[int]) -> None:
    cells = np.unique(np.array(labels, dtype=np.int64), return_counts=True)
    assert adjusted_rand_index(cells[0], cells[0], cells[1]) == 1.0
    assert normalised_mutual_information(cells[0], cells[0], cells[1]) == pytest.approx(1.0, abs=1e-12)


def test_one_group_tells_nothing_of_several() -> None:
    first, second = np.array([1, 1, 1]), np.array([1, 2, 3])
    assert normalised_mutual_information(first, second, np.array([2, 3, 4])) == 0.0


def test_counts_beyond_four_billion_pairs_do_not_overflow() -> None:
    groups = np.array([0, 1])
    assert adjusted_rand_index(groups, groups, np.array([3_000_000_000, 5])) == pytest.approx(1.0)


def test_vectors_of_unlike_length_are_refused() -> None:
    with pytest.raises(ValueError, match="three vectors of one length"):
        adjusted_rand_index(np.array([1]), np.array([1]), np.array([1, 2]))
    with pytest.raises(ValueError, match="normalised_mutual_information: found shapes"):
        normalised_mutual_information(np.array([1]), np.array([1]), np.array([1, 2]))
