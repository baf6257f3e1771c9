"""Which segment of today is which of the last time?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from ulm_spark.stats.agreement import adjusted_rand_index
from ulm_spark.stats.matching import jaccard_overlaps, match_groups

KEEPS_NUMBER, KEEPS_LABEL = 0.25, 0.5


@dataclass(frozen=True)
class Inherited:
    """What a refit takes over from the last earlier day.

    numbers: by cluster, the number it keeps; labels: by cluster, the label it keeps. next_number: the first
    that no segment ever had. agreement: adjusted Rand index over the users of both days, None where there are none.
    """

    numbers: dict[int, int]
    labels: dict[int, str]
    next_number: int
    agreement: float | None = None

    def number_all(self, clusters: Sequence[int]) -> dict[int, int]:
        """A number for every cluster: the one it keeps, else new ones in the order given."""
        new = [cluster for cluster in clusters if cluster not in self.numbers]
        return {**self.numbers, **{cluster: self.next_number + place for place, cluster in enumerate(new)}}


def fit_inheritance(earlier: DataFrame, placed: DataFrame) -> Inherited:
    """The numbers and labels that today's clusters keep.

    In:   earlier: gold.user_segments of earlier days, any number of them; placed: user_id, cluster.
    Rule: over the users of both days, clusters and the segments of the last earlier day are paired so that most
          users lie in a pair; a pair keeps its number where the two overlap by a quarter (Jaccard), its label too where
          by half. Numbers of segments that are gone are never given again.
    Edge: without an earlier day nothing is kept, and numbers begin with 0. The name of a single segment of all
          users is not kept.
    """
    last = earlier.agg(F.max("as_of").alias("as_of"), F.max("segment").alias("highest")).collect()[0]
    if last["as_of"] is None:
        return Inherited({}, {}, 0)
    before = earlier.where(F.col("as_of") == F.lit(last["as_of"])).select("user_id", "segment", "label")
    joint = before.join(placed.select("user_id", "cluster"), on="user_id", how="inner")
    cells = joint.groupBy("segment", "label", "cluster").count().orderBy("segment", "cluster").collect()
    if not cells:
        return Inherited({}, {}, last["highest"] + 1)
    segments = sorted({row["segment"] for row in cells})
    clusters = sorted({row["cluster"] for row in cells})
    texts = {row["segment"]: row["label"] for row in cells}
    n_joint = np.zeros((len(segments), len(clusters)), dtype=np.int64)
    for row in cells:
        n_joint[segments.index(row["segment"]), clusters.index(row["cluster"])] = row["count"]
    overlap = jaccard_overlaps(n_joint)
    pairs = [(segments[i], clusters[j], overlap[i, j]) for i, j in match_groups(n_joint).items()]
    at, of = np.nonzero(n_joint)
    return Inherited(
        {cluster: segment for segment, cluster, share in pairs if share >= KEEPS_NUMBER},
        {cluster: texts[segment] for segment, cluster, share in pairs if share >= KEEPS_LABEL and len(segments) > 1},
        last["highest"] + 1,
        adjusted_rand_index(at, of, n_joint[at, of]),
    )
