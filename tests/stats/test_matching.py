"""Pairs of groups against all permutations."""

from itertools import permutations

import numpy as np
import pytest

from ulm_spark.stats.matching import jaccard_overlaps, match_groups


def test_the_pairing_has_most_in_common_of_all() -> None:
    n_joint = np.random.default_rng(3).integers(1, 50, (5, 5))
    best = max(sum(n_joint[i, p[i]] for i in range(5)) for p in permutations(range(5)))
    found = match_groups(n_joint)
    assert sorted(found.values()) == list(range(5))
    assert sum(n_joint[i, j] for i, j in found.items()) == best


def test_groups_with_nothing_in_common_are_no_pair() -> None:
    assert match_groups(np.array([[0, 9, 0], [0, 0, 0]])) == {0: 1}
    assert match_groups(np.zeros((0, 3), dtype=np.int64)) == {}
    with pytest.raises(ValueError, match="expected a matrix"):
        match_groups(np.zeros(3, dtype=np.int64))


def test_the_overlap_is_shared_over_either() -> None:
    found = jaccard_overlaps(np.array([[6, 2], [0, 0]]))
    assert found.tolist() == [[6 / 8, 2 / 8], [0.0, 0.0]]
