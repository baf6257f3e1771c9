"""Which rows of which tables does the report of a day show?"""

from collections.abc import Callable
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from ulm_spark.contracts import gold, metrics, ops, segments, stages
from ulm_spark.contracts.table import Table

Read = Callable[[Table], DataFrame]

OWN_JOB = "build_report"
OF_THE_DAY = (
    gold.DAILY_ACTIVITY,
    gold.FUNNEL,
    gold.RETENTION,
    gold.SEGMENT_PROFILES,
    segments.RFM_GRID,
    stages.STAGE_TRANSITIONS,
    gold.DATA_QUALITY,
    *metrics.TABLES,
)
# What needs an outcome: a day's own slice is empty until the outcome is in the lake.
LATEST = (gold.CHURN_OUTCOMES, gold.RECOMMENDATION_EXAMPLES, gold.MODEL_QUALITY)
MODELS = (ops.SEGMENT_MODELS, ops.STAGE_MODELS, ops.CHURN_MODELS, ops.ALS_MODELS, ops.SEQUENCE_MODELS)


def select_slices(read: Read, as_of: date) -> dict[str, DataFrame]:
    """A frame for each field of ReportTables, a few thousand rows together.

    In:   read gives the frame of a table, as a run of the ledger does.
    Rule: what has a row per user is summed up here. The report's own runs are left out: the page would
          differ from one run to the next.
    Edge: of what needs an outcome, the latest slice not after as_of.
    """
    slices = {table.noun: _of_day(read, table, as_of) for table in OF_THE_DAY}
    slices |= {table.noun: _latest(read, table, as_of) for table in LATEST}
    slices["runs"] = _of_day(read, ops.RUNS, as_of).where(F.col("job") != F.lit(OWN_JOB))
    slices["models"] = _models(read, as_of)
    scores = _of_day(read, gold.CHURN_SCORES, as_of)
    slices["churn_deciles"] = _deciles(scores)
    slices["segment_risk"] = _risk(_of_day(read, gold.USER_SEGMENTS, as_of), scores)
    counted = _of_day(read, stages.USER_STAGES, as_of).groupBy("stage", "model_stage")
    slices["stage_counts"] = counted.agg(F.count("*").alias("n_users"))
    return slices


def _of_day(read: Read, table: Table, as_of: date) -> DataFrame:
    return read(table).where(F.col("as_of") == F.lit(as_of)).select(*table.column_names)


def _latest(read: Read, table: Table, as_of: date) -> DataFrame:
    known = read(table).where(F.col("as_of") <= F.lit(as_of))
    latest = known.agg(F.max("as_of").alias("as_of"))
    return known.join(latest, on="as_of", how="left_semi").select(*table.column_names)


def _models(read: Read, as_of: date) -> DataFrame:
    parts = [
        _of_day(read, table, as_of).select("as_of", F.lit(table.writer).alias("model"), "n_rows", "metrics")
        for table in MODELS
    ]
    together = parts[0]
    for part in parts[1:]:
        together = together.unionByName(part)
    return together


def _deciles(scores: DataFrame) -> DataFrame:
    return scores.groupBy("risk_decile").agg(
        F.count("*").alias("n_users"),
        F.round(F.avg("p_churn"), 9).alias("mean_p_churn"),  # a sum's last digits hang on its order
        F.max("horizon_days").alias("horizon_days"),
    )


def _risk(segments: DataFrame, scores: DataFrame) -> DataFrame:
    """Mean forecast churn of each segment, over its users who were scored."""
    scored = segments.select("user_id", "segment").join(scores.select("user_id", "p_churn"), on="user_id", how="inner")
    return scored.groupBy("segment").agg(
        F.count("*").alias("n_scored"), F.round(F.avg("p_churn"), 9).alias("mean_p_churn")
    )
