"""In what does a segment differ from all users, and by how much?"""

from collections.abc import Sequence

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

_DIGITS = 9


def profile_assigned(placed: DataFrame, features: Sequence[str]) -> DataFrame:
    """One row per day, segment and feature with means and effect size.

    In:     as_of, user_id, segment, known_X by feature, and scaled, an array in the features' order.
    Rule:   effect_size = (mean in the segment - mean of all) / population standard deviation of
            all, on the scaled feature; rounded to 9 digits, so that the order of a sum does not show.
    Edge:   a feature that is the same for all has effect 0.
    Source: Cohen (1988), Statistical Power Analysis for the Behavioral Sciences, section 2.2.
    """
    cells = F.array(
        *(
            F.struct(F.lit(f).alias("feature"), F.col(f"known_{f}").alias("known"), F.col("scaled")[i].alias("scaled"))
            for i, f in enumerate(features)
        )
    )
    sums = (
        placed.select("as_of", "segment", F.explode(cells).alias("cell"))
        .select("as_of", "segment", "cell.feature", "cell.known", "cell.scaled")
        .groupBy("as_of", "segment", "feature")
        .agg(
            F.count(F.lit(1)).alias("n_users"),
            F.sum("known").alias("sum_known"),
            F.sum("scaled").alias("sum_scaled"),
            F.sum(F.col("scaled") * F.col("scaled")).alias("sum_squares"),
        )
    )
    of_all = Window.partitionBy("as_of", "feature").rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    n_all = F.sum("n_users").over(of_all)
    mean_all = F.sum("sum_scaled").over(of_all) / n_all
    variance = F.sum("sum_squares").over(of_all) / n_all - mean_all * mean_all
    return sums.select(
        "as_of",
        "segment",
        "feature",
        "n_users",
        (F.col("sum_known") / F.col("n_users")).alias("segment_mean"),
        (F.sum("sum_known").over(of_all) / n_all).alias("overall_mean"),
        (F.col("sum_scaled") / F.col("n_users") - mean_all).alias("difference"),
        # Sums of squares near zero are rounding, not spread.
        F.when(variance > 1e-12, F.sqrt(variance)).alias("deviation"),
    ).select(
        "as_of",
        "segment",
        "feature",
        "n_users",
        F.round("segment_mean", _DIGITS).alias("segment_mean"),
        F.round("overall_mean", _DIGITS).alias("overall_mean"),
        F.coalesce(F.round(F.col("difference") / F.col("deviation"), _DIGITS), F.lit(0.0)).alias("effect_size"),
    )
