"""Did those who were forecast to leave stay away?"""

from datetime import date, timedelta

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from ulm_spark.config.clock import end_of
from ulm_spark.contracts.gold import CHURN_OUTCOMES
from ulm_spark.stats.binary import area_difference_interval, area_interval, area_under_curve, log_losses
from ulm_spark.stats.bootstrap import difference_interval, mean_interval
from ulm_spark.stats.measurement import Measurement, held_against, measured

MODEL = "gbt"


def observe_churn(scores: DataFrame, lines: DataFrame, as_of: date, horizon_days: int, zone: str) -> DataFrame:
    """Each scored user's forecast beside what happened.

    In:   gold.churn_scores of as_of; silver.order_lines, which must reach the horizon's end.
    Out:  key user_id; p_churn, risk_decile, recency_days (local days from the last purchase to as_of,
          null without one), has_churned.
    Rule: churned is no purchase line in the horizon_days local days after as_of.
    """
    horizon_end = F.lit(end_of(as_of + timedelta(days=horizon_days), zone))
    known_end = F.lit(end_of(as_of, zone))
    purchases = lines.where((F.col("line_type") == "purchase") & F.col("user_id").isNotNull())
    is_before = F.col("lined_at") < known_end
    by_user = (
        purchases.where(F.col("lined_at") < horizon_end)
        .groupBy("user_id")
        .agg(
            F.max(F.when(is_before, F.col("lined_on"))).alias("last_on"),
            F.max(~is_before).alias("bought_again"),
        )
    )
    return scores.join(by_user, on="user_id", how="left").select(
        "user_id",
        "p_churn",
        "risk_decile",
        F.datediff(F.lit(as_of), "last_on").alias("recency_days"),
        (~F.coalesce("bought_again", F.lit(False))).alias("has_churned"),
    )


def summarise_deciles(observed: DataFrame, as_of: date) -> DataFrame:
    """Forecast and outcome by tenth of risk: gold.churn_outcomes from observe_churn."""
    by_decile = observed.groupBy("risk_decile").agg(
        F.count("*").alias("n_users"),
        F.avg("p_churn").alias("mean_p_churn"),
        F.avg(F.col("has_churned").cast("double")).alias("churn_rate"),
    )
    return by_decile.withColumn("as_of", F.lit(as_of)).select(*CHURN_OUTCOMES.column_names)


def measure_churn(observed: pd.DataFrame, n_resamples: int, seed: int, protocol: str) -> list[Measurement]:
    """AUC against recency alone, log loss against the base rate.

    In:   observe_churn, as pandas.
    Rule: recency ranks users by days since the last purchase; the base rate is the outcome's own share,
          the best that any constant forecast could do. A lower log loss is better.
    Edge: none measured without a user; no AUC where all or none churned.
    """
    if observed.empty:
        return []
    ordered = observed.sort_values("user_id")  # the bootstrap draws by place
    p_churn = ordered["p_churn"].to_numpy(np.float64)
    recency = ordered["recency_days"].fillna(ordered["recency_days"].max()).to_numpy(np.float64)
    churned = ordered["has_churned"].to_numpy(np.bool_)
    n = len(ordered)
    losses = log_losses(p_churn, churned)
    base_losses = log_losses(np.full(n, churned.mean()), churned)
    loss = measured("churn", MODEL, "log_loss", mean_interval(losses, n_resamples, seed), n, protocol)
    difference = difference_interval(losses, base_losses, n_resamples, seed)
    found = [held_against(loss, "base rate", float(base_losses.mean()), difference)]
    if churned.all() or not churned.any():
        return found
    area = measured("churn", MODEL, "auc", area_interval(p_churn, churned, n_resamples, seed), n, protocol)
    difference = area_difference_interval(p_churn, recency, churned, n_resamples, seed)
    return [held_against(area, "recency", area_under_curve(recency, churned), difference), *found]
