"""Which groups of similar users does the shop have, and who belongs to which?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pyspark.ml import PipelineModel
from pyspark.ml.clustering import KMeans, KMeansModel
from pyspark.ml.evaluation import ClusteringEvaluator
from pyspark.ml.functions import vector_to_array
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ulm_spark.config.errors import RefusedError
from ulm_spark.config.require import require
from ulm_spark.contracts.gold import SEGMENT_PROFILES, USER_SEGMENTS
from ulm_spark.users.segment_names import name_segments
from ulm_spark.users.segment_profile import profile_assigned
from ulm_spark.users.segment_scale import NUMERIC_FEATURES, fit_scaling

_FEATURES = (
    "recency_days",
    "inactive_days",
    "n_orders_life",
    "net_revenue_life",
    "return_rate",
    "discount_share",
    "n_sessions_30d",
    "cart_abandon_rate",
    "n_categories_90d",
)


@dataclass(frozen=True)
class SegmentConf:
    """Section ``segments``.

    k_min, k_max: numbers of segments tried, both included. seed: of the k-means starts. features:
    numeric columns of gold.user_features that say who is alike. max_sample: users the centres and
    the silhouette are fitted on; all users are assigned. max_iter: k-means iterations at most.
    """

    k_min: int = 4
    k_max: int = 7
    seed: int = 7
    features: tuple[str, ...] = _FEATURES
    max_sample: int = 20_000
    max_iter: int = 20

    def __post_init__(self) -> None:
        found = f"{self.k_min} and {self.k_max}"
        require(2 <= self.k_min <= self.k_max, "segments.k_min, segments.k_max", found, "2 <= k_min <= k_max")
        unknown = [name for name in self.features if name not in NUMERIC_FEATURES]
        are_features = not unknown and 0 < len(set(self.features)) == len(self.features)
        expected = f"distinct numeric columns of gold.user_features: {', '.join(NUMERIC_FEATURES)}"
        require(are_features, "segments.features", ", ".join(unknown or self.features) or "none", expected)
        is_enough = self.max_sample >= 100 and self.max_iter >= 1
        found = f"{self.max_sample} and {self.max_iter}"
        expected = "at least 100 users and one iteration"
        require(is_enough, "segments.max_sample, segments.max_iter", found, expected)


@dataclass(frozen=True)
class SegmentModel:
    """What places a user: the fitted pipeline, and its centres renumbered by size.

    centres: [n_segments][n_features] in scaled features. labels: by segment. silhouettes: by k,
    empty where there were too few different users to choose.
    """

    pipeline: PipelineModel
    features: tuple[str, ...]
    centres: tuple[tuple[float, ...], ...]
    labels: tuple[str, ...]
    silhouettes: dict[int, float]
    n_sample: int

    @property
    def metrics(self) -> dict[str, float]:
        """What was measured, for ops.segment_models: k, the mean silhouette, and that of each k tried."""
        measured = {f"silhouette_k{k}": value for k, value in self.silhouettes.items()}
        best = {"silhouette": max(measured.values())} if measured else {}
        return {"n_segments": float(len(self.centres)), **best, **measured}

    @property
    def scaling(self) -> PipelineModel:
        """The stages that make ``scaled``, without the k-means that follows."""
        return PipelineModel([s for s in self.pipeline.stages if not isinstance(s, KMeansModel)])


def fit_segments(features: DataFrame, conf: SegmentConf) -> SegmentModel:
    """K-means segments of one day's users, k chosen by the mean silhouette.

    In:     gold.user_features of one day.
    Rule:   fitted on the max_sample users first by the hash of their id, in one partition and one
            order, so that the same users give the same segments; the smallest k wins a tie;
            segment 0 is the largest by all users.
    Edge:   k stays below the number of different users; where that leaves no k >= k_min, all users
            are one segment. A feature that no user has is left out.
    Errors: RefusedError where there is no user, or no feature with a value.
    """
    selected = features.select("as_of", "user_id", "tenure_days", *(f for f in conf.features if f != "tenure_days"))
    sample = selected.orderBy(F.xxhash64("user_id"), "user_id").limit(conf.max_sample).coalesce(1).persist()
    try:
        names = _choose_features(sample, conf.features)
        scaling = fit_scaling(sample, names)
        scaled = scaling.transform(sample).select("user_id", "scaled").persist()
        try:
            n_sample = scaled.count()
            k_means, silhouettes = _choose_k(scaled, conf)
        finally:
            scaled.unpersist()
    finally:
        sample.unpersist()
    if k_means is None:
        centres = np.zeros((1, len(names)))
        pipeline = scaling
    else:
        centres = np.array(k_means.clusterCenters())
        pipeline = PipelineModel([*scaling.stages, k_means])
    unnamed = SegmentModel(pipeline, names, _as_tuples(centres), ("",) * len(centres), silhouettes, n_sample)
    return _fit_names_by_size(features, unnamed)


def assign_segments(features: DataFrame, model: SegmentModel) -> DataFrame:
    """The segment of each user: that of the nearest centre, the lower number on a tie.

    In:  gold.user_features. Out: gold.user_segments.
    """
    placed = _placed(features, model)
    return placed.withColumn("label", _label(model)).select(*USER_SEGMENTS.column_names)


def profile_segments(features: DataFrame, model: SegmentModel) -> DataFrame:
    """What sets each segment apart, feature by feature.

    In:   gold.user_features. Out: gold.segment_profiles.
    Rule: means in the feature's unit after the null rule; the effect size is Cohen's d against all
          users, on the logarithmic scale where the segments were made on it.
    """
    profile = profile_assigned(_placed(features, model), model.features)
    return profile.withColumn("label", _label(model)).select(*SEGMENT_PROFILES.column_names)


def _choose_features(sample: DataFrame, features: Sequence[str]) -> tuple[str, ...]:
    counts = sample.agg(F.count(F.lit(1)).alias("n_users"), *(F.count(f).alias(f) for f in features)).first()
    if counts is None or counts["n_users"] == 0:
        raise RefusedError(
            "gold.user_features: found no users for the day; expected at least one. "
            "Ingest events up to the day, then run build_user_features."
        )
    names = tuple(f for f in features if counts[f] > 0)
    if not names:
        raise RefusedError(
            f"segments.features: found no user with a value in {', '.join(features)}; expected one column with values. "
            "Name other columns in the config."
        )
    return names


def _choose_k(scaled: DataFrame, conf: SegmentConf) -> tuple[KMeansModel | None, dict[int, float]]:
    n_different = (
        scaled.select(vector_to_array(F.col("scaled")).alias("scaled")).distinct().limit(conf.k_max + 1).count()
    )
    evaluator = ClusteringEvaluator(featuresCol="scaled", predictionCol="cluster")
    best: KMeansModel | None = None
    silhouettes: dict[int, float] = {}
    for k in range(conf.k_min, min(conf.k_max, n_different - 1) + 1):
        k_means = KMeans(
            featuresCol="scaled", predictionCol="cluster", k=k, seed=conf.seed, maxIter=conf.max_iter, initSteps=2
        )
        model = k_means.fit(scaled)
        silhouette = evaluator.evaluate(model.transform(scaled))
        if best is None or silhouette > max(silhouettes.values()):
            best = model
        silhouettes[k] = silhouette
    return best, silhouettes


def _fit_names_by_size(features: DataFrame, model: SegmentModel) -> SegmentModel:
    """The model with its segments renumbered by their users, largest first, and named by their effects."""
    placed = _placed(features, model)
    is_buyer = F.col("n_purchase_days") > 0
    buyers = features.select("user_id", is_buyer.alias("is_buyer"))
    profile = profile_assigned(placed, model.features).collect()
    shares = placed.join(buyers, "user_id", how="inner").groupBy("segment").agg(F.avg(F.col("is_buyer").cast("int")))
    buyer_share: dict[int, float] = {row[0]: row[1] for row in shares.collect()}
    n_users: dict[int, int] = {row["segment"]: row["n_users"] for row in profile}
    order = sorted(n_users, key=lambda segment: (-n_users[segment], segment))
    effects = [{row["feature"]: row["effect_size"] for row in profile if row["segment"] == old} for old in order]
    labels = name_segments(effects, [buyer_share[old] for old in order])
    centres = tuple(model.centres[old] for old in order)
    return SegmentModel(model.pipeline, model.features, centres, labels, model.silhouettes, model.n_sample)


def _placed(features: DataFrame, model: SegmentModel) -> DataFrame:
    """as_of, user_id, segment, distance, known_X, scaled (an array)."""
    wanted = features.select("as_of", "user_id", "tenure_days", *(f for f in model.features if f != "tenure_days"))
    scaled = model.scaling.transform(wanted).withColumn("scaled", vector_to_array(F.col("scaled")))
    distances = F.array(*(_distance(centre) for centre in model.centres))
    return (
        scaled.withColumn("distances", distances)
        .withColumn("distance", F.array_min("distances"))
        .withColumn("segment", (F.array_position("distances", F.col("distance")) - 1).cast("int"))
        .select("as_of", "user_id", "segment", "distance", *(f"known_{f}" for f in model.features), "scaled")
    )


def _distance(centre: Sequence[float]) -> Column:
    at = F.array(*(F.lit(float(x)) for x in centre))
    squares = F.zip_with("scaled", at, lambda x, c: (x - c) * (x - c))
    return F.sqrt(F.aggregate(squares, F.lit(0.0), lambda total, square: total + square))


def _label(model: SegmentModel) -> Column:
    return F.element_at(F.array(*(F.lit(label) for label in model.labels)), F.col("segment") + 1)


def _as_tuples(centres: npt.NDArray[np.float64]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(x) for x in centre) for centre in centres)
