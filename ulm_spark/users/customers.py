"""How many users and buyers does each day bring, and how many of them are new?"""

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from ulm_spark.contracts.metrics import DAILY_CUSTOMERS
from ulm_spark.users.active_days import list_purchase_days, span_of
from ulm_spark.users.windows import every_day


def summarise_customers(active_days: DataFrame, lines: DataFrame, as_of: date, zone: str) -> DataFrame:
    """Active and new users and buyers by local day, as known at the end of as_of.

    In:   list_active_days of as_of; silver.order_lines, any span.
    Out:  gold.daily_customers: each day from the first user's first event to as_of, quiet days too.
    Rule: new are those whose first event, or first purchase, in the lake is of the day; each user is new once.
    Edge: guests are no users; no row where no user was active.
    """
    bought = list_purchase_days(lines, as_of, zone)
    counts = {
        "n_active_users": (active_days, "active_on"),
        "n_new_users": (span_of(active_days, "active_on"), "first_on"),
        "n_buyers": (bought, "bought_on"),
        "n_new_buyers": (span_of(bought, "bought_on"), "first_on"),
    }
    told = None
    for name, (frame, day) in counts.items():
        part = frame.groupBy(F.col(day).alias("day_on")).agg(F.count("*").alias(name))
        told = part if told is None else told.join(part, on="day_on", how="left")
    assert told is not None
    days = every_day(told, as_of, tuple(counts))
    return days.withColumn("as_of", F.lit(as_of)).select(*DAILY_CUSTOMERS.column_names)
