"""Which group of one partition is which of another?"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment


def match_groups(n_joint: NDArray[np.int64]) -> dict[int, int]:
    """Pairs the groups of two partitions one to one, so that most things lie in a pair.

    In:     n_joint[i, j], the things in group i of the first and j of the second partition.
    Out:    j by i; min(shape) pairs at most.
    Rule:   the assignment with the largest sum of n_joint.
    Edge:   groups with nothing in common are no pair.
    Source: Kuhn (1955), Naval Research Logistics Quarterly 2, 83-97.
    """
    if n_joint.ndim != 2:
        raise ValueError(f"match_groups: found an array of shape {n_joint.shape}; expected a matrix.")
    rows, columns = linear_sum_assignment(n_joint, maximize=True)
    return {int(i): int(j) for i, j in zip(rows, columns, strict=True) if n_joint[i, j] > 0}


def jaccard_overlaps(n_joint: NDArray[np.int64]) -> NDArray[np.float64]:
    """Things in both groups over things in either, for every pair of groups.

    In:     as for match_groups.
    Edge:   0 where both groups are empty.
    Source: Jaccard (1912), New Phytologist 11, 37-50; Hennig (2007), Computational Statistics & Data Analysis 52,
            258-271, who calls a group that overlaps by less than half dissolved.
    """
    joint = n_joint.astype(np.float64)
    either = joint.sum(axis=1, keepdims=True) + joint.sum(axis=0, keepdims=True) - joint
    return np.divide(joint, either, out=np.zeros_like(joint), where=either > 0)
