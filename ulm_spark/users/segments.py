"""Which groups of similar users does the shop have, and who belongs to which?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.ml import PipelineModel
from pyspark.ml.functions import vector_to_array
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ulm_spark.config.errors import RefusedError
from ulm_spark.contracts.gold import SEGMENT_PROFILES, USER_SEGMENTS
from ulm_spark.users.segment_choice import (
    Candidate,
    anchoring,
    centres_of,
    choose_candidate,
    fit_candidates,
    fit_stability,
)
from ulm_spark.users.segment_conf import HABITS, PURCHASES, SegmentConf
from ulm_spark.users.segment_history import Inherited, fit_inheritance
from ulm_spark.users.segment_names import name_segments
from ulm_spark.users.segment_profile import profile_assigned
from ulm_spark.users.segment_scale import fit_scaling


@dataclass(frozen=True)
class Segment:
    """One segment; centre: [n_features], its mean in scaled features."""

    number: int
    label: str
    centre: tuple[float, ...]


@dataclass(frozen=True)
class SegmentModel:
    """What places a user.

    pipeline: the fitted stages; they end with scaled and, unless all users are one segment, with cluster. segments:
    by cluster. name: of the model, empty where there were too few different users for one. metrics: as
    ops.segment_models keeps them.
    """

    pipeline: PipelineModel
    features: tuple[str, ...]
    segments: tuple[Segment, ...]
    name: str
    metrics: dict[str, float]
    n_sample: int

    @property
    def labels(self) -> dict[int, str]:
        """The label of each segment by its number, the lowest first."""
        return dict(sorted((segment.number, segment.label) for segment in self.segments))


@dataclass(frozen=True)
class _Fitted:
    """A pipeline whose clusters have no numbers yet; centres by cluster."""

    pipeline: PipelineModel
    features: tuple[str, ...]
    centres: tuple[tuple[float, ...], ...]
    chosen: Candidate | None
    candidates: tuple[Candidate, ...]
    n_sample: int


def fit_segments(features: DataFrame, conf: SegmentConf, earlier: DataFrame) -> SegmentModel:
    """Segments of one day's users, the model and k chosen by silhouette and stability.

    In:     gold.user_features of one day; earlier: gold.user_segments of earlier days, empty where there are none.
    Rule:   fitted on the max_sample users first by the hash of their id, in one partition and one
            order, so that the same users give the same segments. Of the models whose stability was measured and
            reaches min_stability the one with the best silhouette, ties to the smaller k; where none reaches it, the
            most stable. A segment that the last earlier day had keeps its number and name, as fit_inheritance says;
            the others are numbered by their users, the largest first.
    Edge:   k stays below the number of different users; where that leaves no k >= k_min, all users
            are one segment. A feature that no user has is left out.
    Errors: RefusedError where there is no user, or no feature with a value.
    """
    fitted = _fit_clusters(features, conf)
    placed = _clustered(_select(features, fitted.features), fitted.pipeline, fitted.centres).persist()
    try:
        profile = profile_assigned(placed.withColumnRenamed("cluster", "segment"), fitted.features).collect()
        buyers = features.select("user_id", (F.col("n_purchase_days") > 0).cast("int").alias("is_buyer"))
        shares = placed.join(buyers, on="user_id", how="inner").groupBy("cluster").agg(F.avg("is_buyer"))
        buyer_share: dict[int, float] = {row[0]: row[1] for row in shares.collect()}
        inherited = fit_inheritance(earlier, placed)
    finally:
        placed.unpersist()
    n_users: dict[int, int] = {row["segment"]: row["n_users"] for row in profile}
    order = sorted(n_users, key=lambda cluster: (-n_users[cluster], cluster))
    effects = [{row["feature"]: row["effect_size"] for row in profile if row["segment"] == c} for c in order]
    kept = [inherited.labels.get(cluster) for cluster in order]
    labels = dict(zip(order, name_segments(effects, [buyer_share[c] for c in order], kept), strict=True))
    numbers = inherited.number_all(order)
    segments = tuple(Segment(numbers[c], labels[c], centre) for c, centre in enumerate(fitted.centres))
    name = fitted.chosen.name if fitted.chosen else ""
    metrics = _metrics(fitted, inherited)
    return SegmentModel(fitted.pipeline, fitted.features, segments, name, metrics, fitted.n_sample)


def assign_segments(features: DataFrame, model: SegmentModel) -> DataFrame:
    """The segment of each user: that of the cluster in which the model puts the user.

    In:  gold.user_features. Out: gold.user_segments.
    """
    return _placed(features, model).withColumn("label", _label(model)).select(*USER_SEGMENTS.column_names)


def profile_segments(features: DataFrame, model: SegmentModel) -> DataFrame:
    """What sets each segment apart, feature by feature.

    In:   gold.user_features. Out: gold.segment_profiles.
    Rule: means in the feature's unit after the null rule; the effect size is Cohen's d against all
          users, on the logarithmic scale where the segments were made on it.
    """
    profile = profile_assigned(_placed(features, model), model.features)
    return profile.withColumn("label", _label(model)).select(*SEGMENT_PROFILES.column_names)


def _fit_clusters(features: DataFrame, conf: SegmentConf) -> _Fitted:
    selected = _select(features, conf.features or tuple(dict.fromkeys((*HABITS, *PURCHASES))))
    sample = selected.orderBy(F.xxhash64("user_id"), "user_id").limit(conf.max_sample).coalesce(1).persist()
    try:
        names = _choose_features(sample, conf.features)
        scaling = PipelineModel([*fit_scaling(sample, names).stages, *anchoring().stages])
        scaled = scaling.transform(sample).select("user_id", "scaled", "anchored").persist()
        try:
            n_sample = scaled.count()
            distinct = scaled.select(vector_to_array(F.col("scaled")).alias("scaled")).distinct()
            k_most = distinct.limit(conf.k_max + 1).count() - 1
            candidates = fit_stability(scaled, fit_candidates(scaled, conf, k_most), conf)
        finally:
            scaled.unpersist()
    finally:
        sample.unpersist()
    chosen = choose_candidate(candidates, conf.min_stability)
    if chosen is None:
        return _Fitted(scaling, names, ((0.0,) * len(names),), None, (), n_sample)
    pipeline = PipelineModel([*scaling.stages, chosen.fitted])
    centres = tuple(tuple(float(x) for x in centre) for centre in centres_of(chosen.fitted))
    return _Fitted(pipeline, names, centres, chosen, tuple(candidates), n_sample)


def _choose_features(sample: DataFrame, named: Sequence[str]) -> tuple[str, ...]:
    features = named or _measure_habits(sample)
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


def _measure_habits(sample: DataFrame) -> tuple[str, ...]:
    """HABITS where at least half of them differ from user to user, else PURCHASES."""
    differ = sample.agg(*((F.min(name) < F.max(name)).alias(name) for name in HABITS)).first()
    n_differing = sum(bool(differ[name]) for name in HABITS) if differ is not None else 0
    return HABITS if 2 * n_differing >= len(HABITS) else PURCHASES


def _metrics(fitted: _Fitted, inherited: Inherited) -> dict[str, float]:
    """For ops.segment_models: how many segments; every silhouette and stability; 1 at the model chosen."""
    silhouettes = {f"silhouette_{c.key}": c.silhouette for c in fitted.candidates}
    stabilities = {f"stability_{c.key}": c.stability for c in fitted.candidates}
    chosen: dict[str, float | None] = {}
    if fitted.chosen is not None:
        chosen = {f"is_chosen_{fitted.chosen.key}": 1.0, "silhouette": fitted.chosen.silhouette}
        chosen["stability"] = fitted.chosen.stability
    history = {"agreement_with_last": inherited.agreement, "n_kept_numbers": float(len(inherited.numbers))}
    found: Mapping[str, float | None] = {
        "n_segments": float(len(fitted.centres)),
        **chosen,
        **silhouettes,
        **stabilities,
        **(history if inherited.agreement is not None else {}),
    }
    return {name: value for name, value in found.items() if value is not None}


def _select(features: DataFrame, names: Sequence[str]) -> DataFrame:
    return features.select("as_of", "user_id", "tenure_days", *(f for f in names if f != "tenure_days"))


def _clustered(features: DataFrame, pipeline: PipelineModel, centres: Sequence[Sequence[float]]) -> DataFrame:
    """as_of, user_id, cluster, distance, known_X, scaled (an array)."""
    found = pipeline.transform(features).withColumn("scaled", vector_to_array(F.col("scaled")))
    if "cluster" not in found.columns:
        found = found.withColumn("cluster", F.lit(0))
    known = [name for name in found.columns if name.startswith("known_")]
    at = F.element_at(F.array(*(F.array(*map(F.lit, centre)) for centre in centres)), F.col("cluster") + 1)
    return found.select("as_of", "user_id", "cluster", _distance(at).alias("distance"), *known, "scaled")


def _placed(features: DataFrame, model: SegmentModel) -> DataFrame:
    """As _clustered, with segment, the number, in the place of cluster."""
    centres = [segment.centre for segment in model.segments]
    clustered = _clustered(_select(features, model.features), model.pipeline, centres)
    numbers = F.array(*(F.lit(segment.number) for segment in model.segments))
    return clustered.withColumn("segment", F.element_at(numbers, F.col("cluster") + 1)).drop("cluster")


def _distance(at: Column) -> Column:
    squares = F.zip_with("scaled", at, lambda x, c: (x - c) * (x - c))
    return F.sqrt(F.aggregate(squares, F.lit(0.0), lambda total, square: total + square))


def _label(model: SegmentModel) -> Column:
    texts = [part for number, label in model.labels.items() for part in (F.lit(number), F.lit(label))]
    return F.element_at(F.create_map(*texts), F.col("segment"))
