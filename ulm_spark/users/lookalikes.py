"""Who acts like the users of a group? The nearest by what the behaviour model makes of their histories."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from ulm_spark.config.require import require, require_counts
from ulm_spark.contracts.outlook import USER_LOOKALIKES

_FOUND = "user_id STRING, similarity DOUBLE, seed_user_id STRING, model_path STRING"
_CELLS_AT_ONCE = 4_000_000  # similarities held at a time by one task: 16 MB
_MOST_USERS = 100_000_000  # a longer list ends Spark's driver
Finder = Callable[[Iterable[pd.DataFrame]], Iterable[pd.DataFrame]]


@dataclass(frozen=True)
class LookalikesConf:
    """Section ``lookalikes``.

    segment: of gold.user_segments, whose users are the seeds; null for those of seeds. seeds: user ids. max_seeds: of
    more, those whose ids' hashes come first. n_users: so many who are most like a seed.
    """

    segment: int | None = None
    seeds: tuple[str, ...] = ()
    max_seeds: int = 10_000
    n_users: int = 1_000

    def __post_init__(self) -> None:
        require_counts(self, "lookalikes", ("max_seeds", "n_users"))
        require(self.n_users <= _MOST_USERS, "lookalikes.n_users", self.n_users, f"at most {_MOST_USERS:,}")
        is_one = self.segment is None or not self.seeds
        require(is_one, "lookalikes.segment", self.segment, "null where seeds are named")


@dataclass(frozen=True)
class Seeds:
    """user_ids: ascending. vectors: [n_seeds, dim] float32 of length 1, small enough for each executor."""

    user_ids: tuple[str, ...]
    vectors: NDArray[np.float32]

    @classmethod
    def of(cls, embeddings: pd.DataFrame) -> "Seeds":
        """From rows of (user_id, embedding)."""
        ordered = embeddings.sort_values("user_id")
        if ordered.empty:
            return cls((), np.zeros((0, 1), np.float32))
        return cls(tuple(ordered["user_id"]), _of_length_1(np.array(ordered["embedding"].tolist(), np.float32)))


def choose_seeds(embeddings: DataFrame, seeds: DataFrame, max_seeds: int) -> DataFrame:
    """The embeddings of the seeds, at most max_seeds. In: gold.user_embeddings of a day; seeds (user_id)."""
    named = embeddings.join(seeds.select("user_id").distinct(), on="user_id", how="left_semi")
    return named.orderBy(F.xxhash64("user_id"), "user_id").limit(max_seeds).select("user_id", "embedding")


def find_lookalikes(embeddings: DataFrame, seeds: DataFrame, chosen: Seeds, as_of: date, n_users: int) -> DataFrame:
    """The n_users who are most like a seed.

    In:   gold.user_embeddings of as_of; seeds (user_id), who are all left out; chosen, of choose_seeds.
    Out:  gold.user_lookalikes.
    Rule: by falling cosine with the nearest chosen seed, ties by user_id. Exact: each user is held against each
          seed, in blocks of matrices; 1 million users and 10,000 seeds of 64 numbers are 6.4e11 multiplications.
    Edge: none without a chosen seed.
    """
    others = embeddings.join(seeds.select("user_id").distinct(), on="user_id", how="left_anti")
    found = others.select("user_id", "embedding", "model_path").mapInPandas(_finder(chosen), _FOUND)
    by_similarity = Window.orderBy(F.desc("similarity"), "user_id")
    placed = (
        found.orderBy(F.desc("similarity"), "user_id")
        .limit(n_users)
        .withColumn(
            "rank", F.row_number().over(by_similarity.rowsBetween(Window.unboundedPreceding, Window.currentRow))
        )
    )
    return placed.withColumn("as_of", F.lit(as_of)).select(*USER_LOOKALIKES.column_names)


def _finder(chosen: Seeds) -> Finder:
    n_at_once = max(1, _CELLS_AT_ONCE // max(len(chosen.user_ids), 1))

    def find(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        names = np.array(chosen.user_ids, object)
        for batch in batches:
            for start in range(0, len(batch) if len(names) else 0, n_at_once):
                part = batch.iloc[start : start + n_at_once]
                similarity = _of_length_1(np.stack(part["embedding"].to_list())) @ chosen.vectors.T
                nearest = similarity.argmax(axis=1)
                near = np.take_along_axis(similarity, nearest[:, None], axis=1)[:, 0].astype(np.float64)
                yield pd.DataFrame(
                    {
                        "user_id": part["user_id"].to_numpy(),
                        "similarity": near,
                        "seed_user_id": names[nearest],
                        "model_path": part["model_path"].to_numpy(),
                    }
                )

    return find


def _of_length_1(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)
