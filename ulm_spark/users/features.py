"""What is known about each user at the end of a day?"""

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ulm_spark.contracts.gold import USER_FEATURES
from ulm_spark.users.activity import summarise_activity, summarise_tastes
from ulm_spark.users.purchases import summarise_purchases
from ulm_spark.users.visits import summarise_visits


def build_features(events: DataFrame, sessions: DataFrame, order_lines: DataFrame, as_of: date, zone: str) -> DataFrame:
    """One row per user who did anything by the end of as_of; nothing later moves it.

    In:     silver.events, silver.sessions, silver.order_lines, any span.
    Out:    gold.user_features of the day as_of.
    Rule:   windows of n days are local days that end with as_of; counts and money are zero, means
            and shares null, where there is nothing to count.
    Edge:   orders and sessions are made of events, so every buyer and visitor has an event.
    """
    # Each summary ends in one shuffle by user_id, so the joins below need none.
    joined = summarise_activity(events, as_of, zone)
    for summary in (
        summarise_tastes(events, as_of, zone),
        summarise_visits(sessions, as_of, zone),
        summarise_purchases(order_lines, as_of, zone),
    ):
        joined = joined.join(summary, "user_id", how="left")
    return joined.withColumn("as_of", F.lit(as_of)).select(*_contract_columns())


def _contract_columns() -> tuple[Column, ...]:
    """The contract's columns and types; what must not be null is zero without a row to count."""
    return tuple(
        (F.col(c.name) if c.nullable or c.name in USER_FEATURES.key else F.coalesce(F.col(c.name), F.lit(0)))
        .cast(c.type)
        .alias(c.name)
        for c in USER_FEATURES.columns
    )
