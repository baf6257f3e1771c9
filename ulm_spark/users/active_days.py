"""On which days was a user active?"""

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from ulm_spark.contracts.silver import SHOPPER_EVENT_TYPES
from ulm_spark.users.windows import known_before_end


def list_active_days(events: DataFrame, as_of: date, zone: str) -> DataFrame:
    """One row per user and local day with an event of theirs, as known at the end of as_of.

    In:   silver.events, any span.
    Out:  key (user_id, active_on).
    Rule: a shopper's event of any kind makes a day active; a listing is nobody's event.
    Edge: events without a user are left out.
    """
    known = known_before_end(events, "event_at", as_of, zone).where(F.col("event_type").isin(*SHOPPER_EVENT_TYPES))
    return known.select("user_id", F.col("event_on").alias("active_on")).distinct()


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
