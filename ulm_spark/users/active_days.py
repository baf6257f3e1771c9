"""On which days was a user active?"""

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from ulm_spark.users.windows import known_before_end


def list_active_days(user_days: DataFrame, as_of: date) -> DataFrame:
    """One row per user and local day with an event of theirs, as known at the end of as_of.

    In:   silver.user_days, any span.
    Out:  key (user_id, active_on).
    Edge: a day on which a visit only closed, or an order line only lies, is not active.
    """
    known = user_days.where((F.col("day_on") <= F.lit(as_of)) & (F.col("n_events") > 0))
    return known.select("user_id", F.col("day_on").alias("active_on"))


def list_purchase_days(lines: DataFrame, as_of: date, zone: str) -> DataFrame:
    """One row per user and local day on which they bought, as known at the end of as_of.

    In:   silver.order_lines, any span.
    Out:  key (user_id, bought_on).
    Rule: purchases as made; later returns change nothing, since they would look ahead.
    Edge: guests' lines are left out.
    """
    known = known_before_end(lines, "lined_at", as_of, zone).where(F.col("line_type") == "purchase")
    return known.select("user_id", F.col("lined_on").alias("bought_on")).distinct()


def span_of(days: DataFrame, day: str) -> DataFrame:
    """First and last day of each user: user_id, first_on, last_on.

    In: one row per user and day.
    """
    return days.groupBy("user_id").agg(F.min(day).alias("first_on"), F.max(day).alias("last_on"))
