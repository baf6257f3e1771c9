"""Which users' days can a change of events, visits or order lines reach?"""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ulm_spark.config.clock import end_of, start_of
from ulm_spark.contracts.silver import SHOPPER_EVENT_TYPES
from ulm_spark.users.day_orders import KEY
from ulm_spark.users.user_days import closing_day

_MOST_RUNS = 50  # a condition that a planner still takes quickly
_LINE = (
    "line_id", "user_id", "order_id", "line_type", "product_id", "is_item", "lined_at", "lined_on", "quantity",
    "unit_price", "list_price", "amount", "currency",
)  # fmt: skip


def touched_user_days(
    events: DataFrame, sessions: DataFrame, lines: DataFrame, order_lines: DataFrame, zone: str
) -> DataFrame:
    """The days of users whose row of silver.user_days may have changed.

    In:   changes of silver.events, silver.sessions and silver.order_lines: rows that came, went, or are as they
          were before an update or after it, with _change_type and _commit_version; silver.order_lines as it is now.
    Out:  key (user_id, day_on).
    Rule: the day of each event and line, the day on which each visit closed, and the days of all lines of an order in
          which a purchase line changed, since the order counts on the day of its first.
    Edge: a line of which only netted_quantity changed touches nothing.
    """
    bought = _changed(lines)
    orders = bought.where(F.col("line_type") == "purchase").select("user_id", "order_id").distinct()
    of_orders = order_lines.join(orders, on=["user_id", "order_id"], how="left_semi")
    acts = events.where(F.col("event_type").isin(*SHOPPER_EVENT_TYPES))
    found = (
        acts.select("user_id", F.col("event_on").alias("day_on")),
        sessions.select("user_id", closing_day(zone).alias("day_on")),
        bought.select("user_id", F.col("lined_on").alias("day_on")),
        of_orders.select("user_id", F.col("lined_on").alias("day_on")),
    )
    return reduce(DataFrame.unionByName, found).where(F.col("user_id").isNotNull()).select(*KEY).distinct()


def touched_product_days(events: DataFrame) -> DataFrame:
    """The days of products whose row of silver.product_days may have changed.

    In:   changes of silver.events, as for touched_user_days.
    Out:  key (product_id, day_on).
    """
    acts = events.where(F.col("event_type").isin(*SHOPPER_EVENT_TYPES) & F.col("product_id").isNotNull())
    return acts.select("product_id", F.col("event_on").alias("day_on")).distinct()


def lines_of_days(order_lines: DataFrame, touched: DataFrame, on_days: Column) -> DataFrame:
    """Of silver.order_lines all lines of the orders that have one on a touched day.

    on_days: a condition of literals on lined_on that is true for all of these days.
    """
    is_touched = [F.col("line.user_id") == F.col("touched.user_id"), F.col("line.lined_on") == F.col("touched.day_on")]
    near = order_lines.where(on_days).alias("line").join(touched.alias("touched"), on=is_touched, how="left_semi")
    orders = near.select("user_id", "order_id").distinct()
    return order_lines.join(orders, on=["user_id", "order_id"], how="left_semi")


def may_close_on(days: Sequence[date], zone: str) -> Column:
    """True for visits that close on one of the days, and of many stretches of days for those between them too.

    Of literals, so that files without such visits are not opened.
    """
    runs: list[tuple[date, date]] = []
    for day in sorted(days):
        if runs and day - runs[-1][1] <= timedelta(days=1):
            runs[-1] = (runs[-1][0], day)
        else:
            runs.append((day, day))
    if len(runs) > _MOST_RUNS:
        runs = [(runs[0][0], runs[-1][1])]
    closes_at = F.col("closes_at")
    within = ((closes_at > F.lit(start_of(a, zone))) & (closes_at <= F.lit(end_of(b, zone))) for a, b in runs)
    return reduce(or_, within, F.lit(False))


def _changed(lines: DataFrame) -> DataFrame:
    """Changed lines, without those that one commit left as they were but for columns that nobody reads here."""
    is_gone = F.col("_change_type").isin("delete", "update_preimage")
    n = F.sum(F.when(is_gone, -1).otherwise(1))
    return lines.groupBy(*_LINE, "_commit_version").agg(n.alias("n")).where(F.col("n") != 0)
