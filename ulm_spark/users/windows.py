"""Which days count as the last n days, and what was known at the end of a day?"""

from collections.abc import Sequence
from datetime import date, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ulm_spark.config.clock import end_of


def known_before_end(frame: DataFrame, instant: str, as_of: date, zone: str) -> DataFrame:
    """The rows of named users whose instant lies before the end of the local day as_of."""
    return frame.where(F.col("user_id").isNotNull() & (F.col(instant) < F.lit(end_of(as_of, zone))))


def in_last(n_days: int, day: str, as_of: date) -> Column:
    """True where the local day is one of the n days that end with as_of; as_of itself is the first."""
    return F.col(day) > F.lit(as_of - timedelta(days=n_days))


def every_day(counted: DataFrame, as_of: date, counts: Sequence[str]) -> DataFrame:
    """Every local day from the first of counted to as_of: day_on and the counts, 0 where counted lacks the day.

    In: counted has one row per day_on, none after as_of.
    """
    days = counted.agg(F.explode(F.sequence(F.min("day_on"), F.lit(as_of))).alias("day_on"))
    filled = [F.coalesce(F.col(name), F.lit(0)).cast("bigint").alias(name) for name in counts]
    return days.join(counted, on="day_on", how="left").select("day_on", *filled)
