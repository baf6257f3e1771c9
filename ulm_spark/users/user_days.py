"""What did each user do on each local day?"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ulm_spark.contracts.user_days import USER_DAYS
from ulm_spark.users.day_acts import KEY, summarise_acts
from ulm_spark.users.day_orders import summarise_day_orders


def summarise_user_days(events: DataFrame, sessions: DataFrame, order_lines: DataFrame, zone: str) -> DataFrame:
    """One row per user and local day on which the user did something, or a visit of theirs closed.

    In:   silver.events, silver.sessions, silver.order_lines, any span of whole days; of orders with a line in the
          span all purchase lines.
    Out:  silver.user_days.
    Rule: events and lines count on their own local day, visits on the day by whose end they are closed, so
          that the rows of days up to d are what is known at the end of d, and nothing later changes them.
    Edge: a day on which nothing happened has no row; counts and sums of what did not happen are 0.
    """
    visits, orders = summarise_day_visits(sessions, zone), summarise_day_orders(order_lines)
    others = visits.join(orders, on=[*KEY], how="full")
    return summarise_acts(events, zone).join(others, on=[*KEY], how="full").select(*_contract_columns())


def summarise_day_visits(sessions: DataFrame, zone: str) -> DataFrame:
    """One row per user and local day on which visits of theirs closed.

    In:   silver.sessions, any span.
    Out:  key (user_id, day_on); the columns of silver.user_days that visits tell, from n_sessions to session_s.
    """
    return sessions.groupBy("user_id", closing_day(zone).alias("day_on")).agg(
        F.count(F.lit(1)).alias("n_sessions"),
        F.count_if("is_bounce").alias("n_bounces"),
        F.count_if(F.col("n_carts") > 0).alias("n_cart_sessions"),
        F.count_if("has_abandoned_cart").alias("n_abandoned_sessions"),
        F.count_if("has_purchase").alias("n_buying_sessions"),
        F.sum("n_events").alias("session_events"),
        F.sum("duration_s").alias("session_s"),
    )


def closing_day(zone: str) -> Column:
    """The local day by whose end a visit of silver.sessions is closed: closes_at is not after that day's end."""
    last_us = F.timestamp_micros(F.unix_micros("closes_at") - 1)
    return F.to_date(F.from_utc_timestamp(last_us, zone))


def _contract_columns() -> tuple[Column, ...]:
    """The contract's columns and types; what must not be null is 0, or nameless, where there is nothing to count."""
    columns = []
    for column in USER_DAYS.columns:
        value = F.col(column.name)
        if not column.nullable and column.name not in USER_DAYS.key:
            value = F.coalesce(value, F.array() if column.type.startswith("ARRAY") else F.lit(0))
        columns.append(value.cast(column.type).alias(column.name))
    return tuple(columns)
