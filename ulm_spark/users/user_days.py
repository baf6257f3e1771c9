"""What did each user do on each local day?"""

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ulm_spark.contracts.user_days import NAMED_COUNTS, USER_DAYS
from ulm_spark.users.chunks import SCALE, in_type, together
from ulm_spark.users.day_acts import sum_acts
from ulm_spark.users.day_orders import sum_orders
from ulm_spark.users.day_sums import MARKS, PARTS, SUMS, TOLD, merge_days


def summarise_user_days(events: DataFrame, sessions: DataFrame, order_lines: DataFrame, zone: str) -> DataFrame:
    """One row per user and local day on which the user did something, or a visit of theirs closed.

    In:   silver.events, silver.sessions, silver.order_lines, any span of whole days; of orders with a line in the
          span all purchase lines.
    Out:  silver.user_days.
    Rule: events and lines count on their own local day, visits on the day by whose end they are closed, so
          that the rows of days up to d are what is known at the end of d, and nothing later changes them.
    Edge: a day on which nothing happened has no row; counts and sums of what did not happen are 0.
    """
    # All are sums of the same rows: they go through one exchange together, and are added up behind it.
    lines, orders, units = sum_orders(order_lines)
    parts = {"visits": sum_visits(sessions, zone), "lines": lines, "orders": orders, "units": units}
    told = reduce(DataFrame.unionByName, (_told(*part) for part in parts.items()), sum_acts(events, zone))
    merged = together(told).mapInArrow(merge_days, ", ".join(f"{name} {kind}" for name, kind in SUMS.items()))
    dated = merged.withColumn("day_on", F.date_from_unix_date("day"))
    return dated.select(*(in_type(c.name, c.type) for c in USER_DAYS.columns))


def sum_visits(sessions: DataFrame, zone: str) -> DataFrame:
    """Each visit as a row of the day by whose end it is closed.

    In:   silver.sessions, any span.
    Out:  user_id, day_on, several rows each; the columns of silver.user_days that visits tell, from
          n_sessions to session_s.
    """
    return sessions.select(
        "user_id",
        closing_day(zone).alias("day_on"),
        F.lit(1).alias("n_sessions"),
        F.col("is_bounce").cast("int").alias("n_bounces"),
        (F.col("n_carts") > 0).cast("int").alias("n_cart_sessions"),
        F.col("has_abandoned_cart").cast("int").alias("n_abandoned_sessions"),
        F.col("has_purchase").cast("int").alias("n_buying_sessions"),
        F.col("n_events").alias("session_events"),
        (F.col("n_events") - 1).alias("session_steps"),
        F.col("duration_s").alias("session_s"),
    )


def closing_day(zone: str) -> Column:
    """The local day by whose end a visit of silver.sessions is closed: closes_at is not after that day's end."""
    last_us = F.timestamp_micros(F.unix_micros("closes_at") - 1)
    return F.to_date(F.from_utc_timestamp(last_us, zone))


def _told(name: str, part: DataFrame) -> DataFrame:
    """The part's rows as rows of TOLD."""
    decimals = {column for column, kind in part.dtypes if kind.startswith("decimal")}
    numbers = (F.col(n) * SCALE if n in decimals else F.col(n) for n in PARTS[name])
    products = F.col("products") if "products" in part.columns else F.array().cast(NAMED_COUNTS)
    columns = {
        "day": F.unix_date("day_on"),
        "part": F.lit(list(PARTS).index(name)),
        "numbers": F.array(*(F.coalesce(number.cast("bigint"), F.lit(0)) for number in numbers)),
        "names": F.transform(products, lambda entry: F.concat(F.lit(MARKS["products"]), entry["name"])),
        "counts": F.transform(products, lambda entry: entry["n"]),
    }
    found = (columns.get(c, F.col(c) if c in part.columns else F.lit(None)) for c in TOLD)
    return part.select(*(value.cast(kind).alias(c) for value, (c, kind) in zip(found, TOLD.items(), strict=True)))
