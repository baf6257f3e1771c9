"""How likely is it that an active buyer buys nothing in the next weeks?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import reduce

from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.classification import GBTClassifier, LogisticRegression
from pyspark.ml.feature import Imputer, SQLTransformer, VectorAssembler
from pyspark.ml.functions import vector_to_array
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from ulm_spark.config.errors import RefusedError
from ulm_spark.contracts.features import USER_FEATURES
from ulm_spark.contracts.gold import CHURN_SCORES
from ulm_spark.predict.churn_conf import ChurnConf
from ulm_spark.predict.churn_quality import measure_holdout
from ulm_spark.predict.labels import active_buyers

CHURN_FEATURES = USER_FEATURES.numeric_names
_ROWS_A_PARTITION = 100_000


@dataclass(frozen=True)
class ChurnModel:
    """Boosted trees with the null rule before them, and what was measured on the label day held out."""

    pipeline: PipelineModel
    metrics: dict[str, float]
    n_rows: int
    label_days: tuple[date, ...]


def fit_churn(examples: Sequence[DataFrame], conf: ChurnConf) -> ChurnModel:
    """Gradient-boosted trees on all label days, measured by a first fit without the last of them.

    In:     a frame of label_churn for each label day: gold.user_features' columns, is_churned.
    Rule:   a null takes the median of the users that have the feature; a feature without any value
            is left out. One order and, up to max_rows of 100,000, one partition, so that the same
            examples give the same trees.
    Edge:   with a single label day, or one outcome only in it or before it, nothing is measured.
    Errors: RefusedError where examples are too few or know one outcome only.
    """
    rows = _numeric(reduce(DataFrame.unionByName, examples), conf.max_rows).persist()
    try:
        counts = _measure_counts_by_day(rows)
        _refuse_too_few(counts, conf)
        features = _measure_filled_features(rows)
        days = tuple(sorted(counts))
        held_on, before = days[-1], days[:-1]
        metrics: dict[str, float] = {"n_label_days": float(len(days))}
        if _has_both({held_on: counts[held_on]}) and _has_both({day: counts[day] for day in before}):
            metrics |= _measure_held(rows, features, held_on, conf)
        n_rows = sum(stayed + churned for stayed, churned in counts.values())
        metrics["churn_rate"] = sum(churned for _, churned in counts.values()) / n_rows
        return ChurnModel(_fit_trees(rows, features, conf), metrics, n_rows, days)
    finally:
        rows.unpersist()


def score_churn(features: DataFrame, pipeline: PipelineModel, active_days: int, horizon_days: int) -> DataFrame:
    """The churn probability and risk tenth of each active buyer.

    In:     gold.user_features of one day; the pipeline of a ChurnModel and the days it was fitted for.
    Out:    gold.churn_scores.
    Rule:   user number r of n by (p_churn, user_id) is in tenth floor(10 (r - 1) / n) + 1.
    Edge:   with fewer than ten users some tenths are empty.
    """
    population = active_buyers(features, active_days).select("as_of", "user_id", *_doubles(CHURN_FEATURES))
    scored = pipeline.transform(population).select("as_of", "user_id", _p_churn().alias("p_churn"))
    return (
        _with_rank(scored)
        .withColumn("horizon_days", F.lit(horizon_days))
        .withColumn("risk_decile", (F.floor((F.col("rank") - 1) * 10 / F.col("n_users")) + 1).cast("int"))
        .select(*CHURN_SCORES.column_names)
    )


def _with_rank(scored: DataFrame) -> DataFrame:
    """Adds rank (1 to n_users by p_churn, user_id) and n_users, without a sort of all users in one task.

    The rank is the place within a thousandth of probability plus the users in the thousandths below.
    """
    cell = F.floor(F.col("p_churn") * 1000).cast("int")
    cells = scored.groupBy(cell.alias("cell")).agg(F.count(F.lit(1)).alias("n"))
    below = Window.orderBy("cell").rowsBetween(Window.unboundedPreceding, -1)
    all_cells = Window.partitionBy(F.lit(0)).rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    offsets = cells.select(
        "cell",
        F.coalesce(F.sum("n").over(below), F.lit(0)).alias("n_below"),
        F.sum("n").over(all_cells).alias("n_users"),
    )
    inside = (
        Window.partitionBy("cell")
        .orderBy("p_churn", "user_id")
        .rowsBetween(Window.unboundedPreceding, Window.currentRow)
    )
    placed = scored.withColumn("cell", cell).withColumn("place", F.row_number().over(inside))
    return placed.join(F.broadcast(offsets), "cell", how="inner").withColumn("rank", F.col("place") + F.col("n_below"))


def _numeric(examples: DataFrame, max_rows: int) -> DataFrame:
    """as_of, user_id, label and the features as doubles; at most max_rows, in one order.

    Sorted by a hash of the user: a sample takes whole users, and no column's order leaks into it.
    """
    label = F.col("is_churned").cast("double").alias("label")
    numeric = examples.select("as_of", "user_id", label, *_doubles(CHURN_FEATURES))
    ordered = numeric.orderBy(F.xxhash64("user_id"), "user_id", "as_of").limit(max_rows)
    if max_rows <= _ROWS_A_PARTITION:
        return ordered.coalesce(1)
    n_parts = -(-max_rows // _ROWS_A_PARTITION)
    return ordered.repartition(n_parts, "user_id").sortWithinPartitions("user_id", "as_of")


def _doubles(features: Sequence[str]) -> tuple[Column, ...]:
    return tuple(F.col(name).cast("double").alias(name) for name in features)


def _measure_counts_by_day(rows: DataFrame) -> dict[date, tuple[int, int]]:
    """Users who stayed and who churned, by label day."""
    counted = rows.groupBy("as_of").agg(F.count_if(F.col("label") == 0), F.count_if(F.col("label") == 1)).collect()
    return {row[0]: (row[1], row[2]) for row in counted}


def _has_both(counts: dict[date, tuple[int, int]]) -> bool:
    return sum(stayed for stayed, _ in counts.values()) > 0 and sum(churned for _, churned in counts.values()) > 0


def _refuse_too_few(counts: dict[date, tuple[int, int]], conf: ChurnConf) -> None:
    n_stayed = sum(stayed for stayed, _ in counts.values())
    n_churned = sum(churned for _, churned in counts.values())
    if min(n_stayed, n_churned) < conf.min_class_rows:
        raise RefusedError(
            f"churn: found {n_stayed} examples of users who bought again and {n_churned} of users who did not, on "
            f"{len(counts)} label days; expected at least churn.min_class_rows = {conf.min_class_rows} of each. "
            "Ingest more history, choose a later as_of, or another churn.horizon_days or churn.active_days."
        )


def _measure_filled_features(rows: DataFrame) -> tuple[str, ...]:
    counts = rows.agg(*(F.count(name).alias(name) for name in CHURN_FEATURES)).collect()[0]
    return tuple(name for name in CHURN_FEATURES if counts[name] > 0)


def _fit_trees(rows: DataFrame, features: Sequence[str], conf: ChurnConf) -> PipelineModel:
    known = [f"known_{name}" for name in features]
    trees = GBTClassifier(
        featuresCol="inputs",
        labelCol="label",
        maxIter=conf.max_iter,
        maxDepth=conf.max_depth,
        stepSize=conf.step_size,
        minInstancesPerNode=conf.min_leaf_rows,
        seed=conf.seed,
    )
    stages: list[Imputer | VectorAssembler | GBTClassifier] = [
        Imputer(strategy="median", inputCols=list(features), outputCols=known),
        VectorAssembler(inputCols=known, outputCol="inputs"),
        trees,
    ]
    return Pipeline(stages=[*stages]).fit(rows)


def _fit_recency(rows: DataFrame) -> PipelineModel:
    """The baseline: a logistic regression on the logarithm of recency alone."""
    stages: list[SQLTransformer | VectorAssembler | LogisticRegression] = [
        SQLTransformer(statement="SELECT *, log1p(recency_days) AS log_recency FROM __THIS__"),
        VectorAssembler(inputCols=["log_recency"], outputCol="inputs"),
        LogisticRegression(featuresCol="inputs", labelCol="label"),
    ]
    return Pipeline(stages=[*stages]).fit(rows)


def _p_churn() -> Column:
    return vector_to_array(F.col("probability"))[1]


def _measure_held(rows: DataFrame, features: Sequence[str], held_on: date, conf: ChurnConf) -> dict[str, float]:
    """Both models fitted before held_on, measured on its users."""
    is_held = F.col("as_of") == F.lit(held_on)
    before, held = rows.where(~is_held), rows.where(is_held)
    have_values = set(_measure_filled_features(before))
    trees = _fit_trees(before, [name for name in features if name in have_values], conf)
    recency = _fit_recency(before)
    scored = recency.transform(trees.transform(held).select("label", "recency_days", _p_churn().alias("p_trees")))
    outcomes = scored.select("label", "p_trees", _p_churn().alias("p_recency"))
    base_rate = before.agg(F.avg("label")).collect()[0][0]
    return measure_holdout(outcomes, base_rate)
