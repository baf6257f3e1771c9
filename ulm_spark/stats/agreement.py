"""How alike are two ways to part the same things into groups?"""

import numpy as np
from numpy.typing import NDArray


def adjusted_rand_index(first: NDArray[np.generic], second: NDArray[np.generic], n_joint: NDArray[np.int64]) -> float:
    """The Rand index of two partitions, corrected for chance: 1 is the same, 0 what chance gives.

    In:     the non-empty cells of the contingency table: first[k] and second[k] name a group of either
            partition (any sortable labels, no pair twice), n_joint[k] the things in both.
    Rule:   (sum over pairs of cells - expected) / (mean of the margins' sums - expected), a sum being of
            n choose 2.
    Edge:   1.0 where both partitions are one group, or both all single things, or there are none.
    Source: Hubert & Arabie (1985), Journal of Classification 2, 193-218, equation 5.
    """
    _refuse_misfits("adjusted_rand_index", first, second, n_joint)
    together = _pairs(n_joint)
    in_first = _pairs(_margin(first, n_joint))
    in_second = _pairs(_margin(second, n_joint))
    total = int(n_joint.sum())
    all_pairs = total * (total - 1) / 2
    expected = in_first * in_second / all_pairs if all_pairs else 0.0
    most = (in_first + in_second) / 2
    if most == expected:
        return 1.0
    return (together - expected) / (most - expected)


def normalised_mutual_information(
    first: NDArray[np.generic], second: NDArray[np.generic], n_joint: NDArray[np.int64]
) -> float:
    """How much two partitions tell of each other: 1 is the same, 0 nothing.

    In:     as adjusted_rand_index.
    Rule:   I(first; second) / mean of the two entropies.
    Edge:   1.0 where both partitions are one group, or there are none; not corrected for chance, so
            partitions into many small groups agree above 0 by chance.
    Source: Danon, Diaz-Guilera, Duch & Arenas (2005), J. Stat. Mech. P09008, equation 2.
    """
    _refuse_misfits("normalised_mutual_information", first, second, n_joint)
    in_first, in_second, both = (
        _entropy(counts) for counts in (_margin(first, n_joint), _margin(second, n_joint), n_joint)
    )
    mean = (in_first + in_second) / 2
    if mean == 0:
        return 1.0
    return min(max((in_first + in_second - both) / mean, 0.0), 1.0)


def _refuse_misfits(where: str, *vectors: NDArray[np.generic]) -> None:
    shapes = [vector.shape for vector in vectors]
    if len(set(shapes)) != 1 or vectors[0].ndim != 1:
        raise ValueError(f"{where}: found shapes {', '.join(map(str, shapes))}; expected three vectors of one length.")


def _entropy(counts: NDArray[np.int64]) -> float:
    shares = counts[counts > 0] / max(int(counts.sum()), 1)
    return float(-(shares * np.log(shares)).sum())


def _margin(labels: NDArray[np.generic], n_joint: NDArray[np.int64]) -> NDArray[np.int64]:
    groups, place = np.unique(labels, return_inverse=True)
    sums = np.zeros(len(groups), dtype=np.int64)
    np.add.at(sums, place, n_joint)
    return sums


def _pairs(counts: NDArray[np.int64]) -> float:
    wide = counts.astype(np.float64)
    return float((wide * (wide - 1) / 2).sum())
