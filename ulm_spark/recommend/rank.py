"""Which items does a user get? Every item scored, what was bought left out, the best n kept."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from ulm_spark.contracts.gold import ITEM_RECOMMENDATIONS

_CELLS_AT_ONCE = 8_000_000  # scores held at a time by one task: 32 MB in single precision
_LISTED = "user_id STRING, rank INT, product_id STRING, score DOUBLE"
Scores = NDArray[np.float32] | NDArray[np.float64]
BatchMapper = Callable[[Iterable[pa.RecordBatch]], Iterable[pa.RecordBatch]]


@dataclass(frozen=True)
class ItemMatrix:
    """All items that can be recommended, small enough for each executor.

    product_ids: ascending. vectors: [n_items, rank] float32 or float64.
    """

    product_ids: tuple[str, ...]
    vectors: Scores

    @classmethod
    def of_factors(cls, items: pd.DataFrame) -> "ItemMatrix":
        """From rows of (product_id, vector)."""
        ordered = items.sort_values("product_id")
        vectors = np.array(ordered["vector"].tolist(), dtype=np.float32).reshape(len(ordered), -1)
        return cls(tuple(ordered["product_id"]), vectors)

    @classmethod
    def of_scores(cls, items: pd.DataFrame) -> "ItemMatrix":
        """From rows of (product_id, score): the same score for every user whose vector is (1)."""
        ordered = items.sort_values("product_id")
        return cls(tuple(ordered["product_id"]), ordered["score"].to_numpy(np.float64).reshape(-1, 1))


def recommend_top(
    users: DataFrame, seen: DataFrame | None, items: ItemMatrix, model: str, as_of: date, top_n: int
) -> DataFrame:
    """The top_n items for each user, best first.

    In:     users (user_id, vector), one row per user; seen (user_id, product_id) pairs to leave out, or
            None; items broadcast with the function.
    Out:    gold.item_recommendations.
    Rule:   score = dot product; ties by product_id; rank 1 the best.
    Edge:   a user who saw all but m < top_n items gets m; one who saw all is absent.
    """
    if seen is None:
        asked = users.select("user_id", "vector", F.lit(None).cast("array<string>").alias("seen"))
    else:
        lists = seen.groupBy("user_id").agg(F.collect_set("product_id").alias("seen"))
        asked = users.join(lists, on="user_id", how="left").select("user_id", "vector", "seen")
    listed = asked.mapInArrow(_lister(items, top_n), _LISTED)
    return listed.select(
        F.lit(as_of).alias("as_of"), "user_id", F.lit(model).alias("model"), "rank", "product_id", "score"
    ).select(*ITEM_RECOMMENDATIONS.column_names)


def recommend_both(
    users: DataFrame,
    seen: DataFrame | None,
    factors: ItemMatrix,
    popularity: ItemMatrix,
    as_of: date,
    top_n: int,
) -> DataFrame:
    """The lists of ALS (factors) and of popularity (scores) for the same users, by the same rules."""
    by_als = recommend_top(users, seen, factors, "als", as_of, top_n)
    readers = users.select("user_id", F.array(F.lit(1.0)).alias("vector"))
    return by_als.unionByName(recommend_top(readers, seen, popularity, "popularity", as_of, top_n))


def top_places(scores: Scores, n: int) -> NDArray[np.int64]:
    """The columns of the n greatest scores of each row, greatest first, ties by column: [n_rows, n].

    In: scores [n_rows, n_columns] with n not above n_columns. A full sort is spared: the n-th
    greatest score says what is above it, and the first columns of those equal to it fill up.
    """
    n_rows, n_columns = scores.shape
    if n == 0:
        return np.empty((n_rows, 0), dtype=np.int64)
    threshold = np.partition(scores, n_columns - n, axis=1)[:, n_columns - n, None]
    is_above = np.greater(scores, threshold)
    is_equal = scores == threshold
    n_open = n - is_above.sum(axis=1, keepdims=True)
    is_chosen = is_above | (is_equal & (np.cumsum(is_equal, axis=1) <= n_open))
    places = np.nonzero(is_chosen)[1].reshape(n_rows, n)
    order = np.argsort(-np.take_along_axis(scores, places, axis=1), axis=1, kind="stable")
    return np.take_along_axis(places, order, axis=1)


def _lister(items: ItemMatrix, top_n: int) -> BatchMapper:
    n_users_at_once = max(1, _CELLS_AT_ONCE // max(1, len(items.product_ids)))

    def list_users(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        product_ids = pa.array(items.product_ids, pa.string())
        for batch in batches:
            for start in range(0, batch.num_rows, n_users_at_once):
                yield _listed(batch.slice(start, n_users_at_once), items.vectors, product_ids, top_n)

    return list_users


def _listed(batch: pa.RecordBatch, vectors: Scores, product_ids: pa.Array, top_n: int) -> pa.RecordBatch:
    user_ids, user_vectors, seen = batch.column(0), batch.column(1), batch.column(2)
    matrix = user_vectors.flatten().to_numpy().reshape(batch.num_rows, -1)
    scores = matrix @ vectors.T
    places = pc.fill_null(pc.index_in(seen.flatten(), value_set=product_ids), -1).to_numpy()
    rows = pc.list_parent_indices(seen).to_numpy()
    is_listed = places >= 0
    scores[rows[is_listed], places[is_listed]] = -np.inf
    n = min(top_n, len(product_ids))
    top = top_places(scores, n)
    top_scores = np.take_along_axis(scores, top, axis=1)
    is_open = np.isfinite(top_scores)
    row, rank = np.nonzero(is_open)
    columns = [
        user_ids.take(pa.array(row)),
        pa.array(rank + 1, pa.int32()),
        product_ids.take(pa.array(top[is_open])),
        pa.array(top_scores[is_open], pa.float64()),
    ]
    return pa.RecordBatch.from_arrays(columns, names=["user_id", "rank", "product_id", "score"])
