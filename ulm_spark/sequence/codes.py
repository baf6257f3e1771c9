"""Which items share a centroid? Codes of a byte, from the histories before training, or from vectors after it."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import vq
from scipy.sparse import csr_array

from ulm_spark.sequence.rows import Float32s, Float64s, Rows

Codes = NDArray[np.uint8]
_N_ROUNDS, _N_MOVES = 5, 25
_N_SAMPLED = 100_000  # of the vectors, whose centroids are those of all


def item_factors(
    gram: Callable[[Float64s], Float64s], n_items: int, n_factors: int, generator: np.random.Generator
) -> Float64s:
    """The first right singular vectors of the matrix of users and items: [n_items + 1, n_factors]; row 0 is padding.

    In:     gram, which gives A' A V of any V [n_items + 1, k]; each call reads the histories once.
    Rule:   subspace iteration with as many columns more, and the vectors within the last subspace.
    Source: Halko, Martinsson & Tropp (2011), SIAM Review 53(2), algorithms 4.4 and 5.3.
    """
    n_columns = min(2 * n_factors, n_items)
    basis = np.linalg.qr(generator.normal(size=(n_items + 1, n_columns)))[0]
    for _ in range(_N_ROUNDS):
        basis = np.linalg.qr(gram(basis))[0]
    _, turn = np.linalg.eigh(basis.T @ gram(basis))
    return np.asarray((basis @ turn)[:, ::-1][:, :n_factors])


def gram_of(rows: Rows, vectors: Float64s) -> Float64s:
    """A' A V for the matrix A of these rows, 1 where a user's history holds an item: [n_items + 1, k]."""
    row, place = np.nonzero(rows.is_item)
    cells = (np.ones(len(row)), (row, rows.items[row, place]))
    held = csr_array(cells, shape=(len(rows), len(vectors)))
    held.sum_duplicates()
    held.data[:] = 1.0
    return np.asarray(held.T @ (held @ vectors))


def codes_of_factors(factors: Float64s, n_splits: int, n_centroids: int, generator: np.random.Generator) -> Codes:
    """Each factor cut into n_centroids parts of as many items: [n, n_splits], ties at random.

    Edge:   where there are fewer factors than splits the rest of the codes is random.
    Source: Petrov & Macdonald (2024), RecJPQ, WSDM, section 4.2.
    """
    codes = generator.integers(0, n_centroids, (len(factors), n_splits), dtype=np.uint8)
    for split, factor in enumerate(factors.T):
        order = np.lexsort((generator.random(len(factor)), factor))
        codes[order, split] = np.arange(len(factor)) * n_centroids // len(factor)
    return codes


def codes_of_vectors(
    vectors: Float32s, weights: Float64s, n_splits: int, n_centroids: int, generator: np.random.Generator
) -> tuple[Codes, Float32s]:
    """Codes and centroids that stand for trained vectors: [n, n_splits], [n_splits, n_centroids, dim / n_splits].

    In:     weights [n], how much it counts that an item's vector is met: common items decide what lists are worth.
    Rule:   k-means in each part of the vectors; where they are many on a sample, in which an item comes as often as it
            counts.
    Source: Jégou, Douze & Schmid (2011), Product Quantization for Nearest Neighbor Search, IEEE TPAMI 33(1), II.B.
    """
    sample, counts = np.arange(len(vectors)), weights
    if len(vectors) > _N_SAMPLED:
        drawn = generator.choice(len(vectors), _N_SAMPLED, p=weights / weights.sum())
        sample, n_drawn = np.unique(drawn, return_counts=True)
        counts = n_drawn.astype(np.float64)
    codes, centroids = [], []
    for part in np.split(vectors.astype(np.float64), n_splits, axis=1):
        found = _weighted_means(part[sample], counts, n_centroids, generator)
        codes.append(vq(part, found)[0])
        centroids.append(found)
    return np.stack(codes, axis=1).astype(np.uint8), np.stack(centroids).astype(np.float32)


def zipf_weights(n_items: int) -> Float64s:
    """What items count that are numbered by falling count, where the counts are not at hand: [n_items]."""
    return 1.0 / np.arange(1.0, n_items + 1.0)


def _weighted_means(points: Float64s, weights: Float64s, n_centroids: int, generator: np.random.Generator) -> Float64s:
    """Lloyd's k-means with weights: [n_centroids, width]. A centroid without points stays.

    Source: Arthur & Vassilvitskii (2007), k-means++, SODA, for where it begins.
    """
    centroids = np.repeat(points[[generator.choice(len(points), p=weights / weights.sum())]], n_centroids, axis=0)
    far = np.full(len(points), np.inf)
    for number in range(1, n_centroids):  # each far from those before it
        far = np.minimum(far, weights * np.square(points - centroids[number - 1]).sum(axis=1))
        centroids[number] = points[generator.choice(len(points), p=far / far.sum()) if far.any() else 0]
    for _ in range(_N_MOVES):
        nearest = vq(points, centroids)[0]
        held = np.bincount(nearest, weights, n_centroids)
        sums = np.stack([np.bincount(nearest, weights * column, n_centroids) for column in points.T], axis=1)
        centroids = np.where(held[:, None] > 0, sums / np.maximum(held, 1e-300)[:, None], centroids)
    return centroids
