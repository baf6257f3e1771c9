"""The best items of one user, exactly, without TensorFlow: every item is scored, the first k are kept.

The states come from the exported graph, where they stand beside the scores.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ulm_spark.sequence.rows import Float32s, Int64s

_BLOCK = 128  # items whose greatest score is looked at first


@dataclass(frozen=True)
class Vectors:
    """Items with a vector each. table: [n_items, dim]; offsets: [n_items], added to every user's scores."""

    table: Float32s
    offsets: Float32s

    def scores(self, state: Float32s) -> Float32s:
        """Of all items: state [dim] -> [n_items]; one product that reads the whole table."""
        return np.asarray(self.table @ state + self.offsets)


class Coded:
    """Items whose vectors are named by codes: each centroid is scored once, an item's score is a sum of n_splits.

    What a user costs are n_splits look-ups an item, and the look-up table of a split stays in the nearest cache.
    Source: Jégou, Douze & Schmid (2011), Product Quantization for Nearest Neighbor Search, IEEE TPAMI 33(1), III.
    """

    def __init__(self, codes: NDArray[np.uint8], centroids: Float32s, offsets: Float32s) -> None:
        """codes: [n_items, n_splits]; centroids: [n_splits, n_centroids, dim / n_splits]; offsets: [n_items]."""
        # NumPy would widen narrower codes anew for each user.
        self._codes = np.ascontiguousarray(codes.T.astype(np.intp))
        self._centroids, self._offsets = centroids, offsets
        self._part = np.empty(len(codes), np.float32)

    def scores(self, state: Float32s) -> Float32s:
        """Of all items: state [dim] -> [n_items]."""
        n_splits, _, width = self._centroids.shape
        near = np.einsum("jcw,jw->jc", self._centroids, state.reshape(n_splits, width))
        total = self._offsets.copy()
        for by_code, codes in zip(near, self._codes, strict=True):
            total += np.take(by_code, codes, out=self._part, mode="clip")
        return total


def best_items(scores: Float32s, k: int) -> Int64s:
    """Places of the k greatest scores, greatest first, ties by place: [k].

    Rule: the k-th greatest of the blocks' greatest scores bounds the k-th greatest of all from below, so that few
          scores are sorted.
    Edge: fewer than k scores are all given.
    """
    n_blocks = len(scores) // _BLOCK
    if n_blocks < k:
        return np.asarray(np.lexsort((np.arange(len(scores)), -scores))[:k])
    greatest = scores[: n_blocks * _BLOCK].reshape(n_blocks, _BLOCK).max(axis=1)
    bound = np.partition(greatest, n_blocks - k)[n_blocks - k]
    places = np.flatnonzero(scores >= bound)
    return np.asarray(places[np.lexsort((places, -scores[places]))][:k])
