"""Which days count as the last n days, and what was known at the end of a day?"""

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


def days_since(day: Column, as_of: date) -> Column:
    """Local days from a day to as_of; 0 on the day itself, null for null."""
    return F.date_diff(F.lit(as_of), day)
