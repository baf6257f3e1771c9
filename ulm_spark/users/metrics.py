"""How many come, go on to buy, and come back: the shop's figures as of a day?"""

from datetime import date, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ulm_spark.config.clock import end_of
from ulm_spark.contracts.gold import DAILY_ACTIVITY, DATA_QUALITY, FUNNEL, RETENTION
from ulm_spark.contracts.silver import MONEY, SHOPPER_EVENT_TYPES
from ulm_spark.users.conversion import furthest_step

FUNNEL_DAYS = 30
FUNNEL_STEPS = ("visit", "view", "cart", "purchase")


def summarise_days(
    events: DataFrame, sessions: DataFrame, orders: DataFrame, lines: DataFrame, as_of: date, zone: str
) -> DataFrame:
    """One row per local day, as known at the end of as_of.

    In:   silver.events, silver.sessions, silver.orders, silver.order_lines, any span.
    Out:  gold.daily_activity: each day from the first with a shopper's or guest's event to as_of,
          quiet days too, with zeros.
    Rule: n_events and n_users count events of a known user; orders and revenue are guests' too. An order
          counts on its first line's day, revenue on each line's own. A session counts when begun: later
          events can extend it, not unmake its beginning.
    Edge: no row where nothing is known yet. A shop is taken to sell in one currency; of several on one
          day the first by name is shown.
    """
    end = F.lit(end_of(as_of, zone))
    is_shopping = F.col("event_type").isin(*SHOPPER_EVENT_TYPES)
    acted = (
        events.where(is_shopping & (F.col("event_at") < end))
        .groupBy(F.col("event_on").alias("day_on"))
        .agg(F.count("user_id").alias("n_events"), F.count_distinct("user_id").alias("n_users"))
    )
    begun = _by_day(sessions.where(F.col("started_at") < end), "session_on", F.count("*").alias("n_sessions"))
    ordered = _by_day(orders.where(F.col("ordered_at") < end), "ordered_on", F.count("*").alias("n_orders"))
    bought = F.when(F.col("line_type") == "purchase", F.col("amount")).otherwise(F.lit(0))
    sold = _by_day(
        lines.where(F.col("lined_at") < end),
        "lined_on",
        F.sum(bought).alias("gross_revenue"),
        F.sum("amount").alias("net_revenue"),
        F.min("currency").alias("currency"),
    )
    days = acted.agg(F.explode(F.sequence(F.min("day_on"), F.lit(as_of))).alias("day_on"))
    for part in (acted, begun, ordered, sold):
        days = days.join(part, on="day_on", how="left")
    return days.select(
        F.lit(as_of).alias("as_of"),
        "day_on",
        *(_or_zero(name, "bigint") for name in ("n_events", "n_sessions", "n_users", "n_orders")),
        *(_or_zero(name, MONEY) for name in ("gross_revenue", "net_revenue")),
        "currency",
    ).select(*DAILY_ACTIVITY.column_names)


def summarise_funnel(sessions: DataFrame, as_of: date, zone: str) -> DataFrame:
    """How many visits of the last 30 days got how far, as known at the end of as_of.

    In:   silver.sessions, any span.
    Out:  gold.funnel: always four rows.
    Rule: closed sessions begun in the 30 local days that end with as_of. A session reached a step if it
          has an event of it or of a later one: what was bought was seen.
    """
    is_closed = F.col("closes_at") <= F.lit(end_of(as_of, zone))
    is_recent = F.col("session_on") > F.lit(as_of - timedelta(days=FUNNEL_DAYS))
    steps = range(1, len(FUNNEL_STEPS) + 1)
    by_user = (
        sessions.where(is_closed & is_recent & (F.col("session_on") <= F.lit(as_of)))
        .select("user_id", furthest_step().alias("reached"))
        .groupBy("user_id")
        .agg(
            F.max("reached").alias("furthest"),
            *(F.count_if(F.col("reached") >= k).alias(f"n_{k}") for k in steps),
        )
    )
    totals = by_user.agg(F.array(*(_step(k) for k in steps)).alias("steps"))
    return totals.select(F.lit(as_of).alias("as_of"), F.inline("steps")).select(*FUNNEL.column_names)


def summarise_retention(lines: DataFrame, as_of: date, zone: str) -> DataFrame:
    """How many of each month's new buyers bought again in each later month, as known at the end of as_of.

    In:   silver.order_lines, any span.
    Out:  gold.retention: each cohort from its own month to that of as_of, months without a buyer too.
    Rule: purchases as made, local calendar months; later returns change nothing, since they would look
          ahead. Guests are in no cohort.
    """
    is_bought = (F.col("line_type") == "purchase") & F.col("user_id").isNotNull()
    bought = lines.where(is_bought & (F.col("lined_at") < F.lit(end_of(as_of, zone))))
    month_on = F.trunc("lined_on", "month")
    users = bought.groupBy("user_id").agg(F.min(month_on).alias("cohort_on"), F.collect_set(month_on).alias("months"))
    seen = (
        users.select("cohort_on", F.explode("months").alias("month_on"))
        .groupBy("cohort_on", _months("cohort_on", F.col("month_on")).alias("months_since"))
        .agg(F.count("*").alias("n_retained"))
    )
    life = _months("cohort_on", F.lit(as_of.replace(day=1)))
    grid = users.groupBy("cohort_on").agg(F.count("*").alias("n_users"))
    grid = grid.select("*", F.explode(F.sequence(F.lit(0), life)).alias("months_since"))
    month_ends_on = F.last_day(F.add_months("cohort_on", F.col("months_since")))
    return (
        grid.join(seen, on=["cohort_on", "months_since"], how="left")
        .select(
            F.lit(as_of).alias("as_of"),
            "cohort_on",
            "months_since",
            "n_users",
            _or_zero("n_retained", "bigint"),
            (month_ends_on <= F.lit(as_of)).alias("is_complete"),
        )
        .select(*RETENTION.column_names)
    )


def summarise_quality(events: DataFrame, quarantine: DataFrame, as_of: date) -> DataFrame:
    """What became of each source's rows: kept, or refused and why.

    In:   silver.events, bronze.quarantine.
    Out:  gold.data_quality.
    Rule: all that is in the lake when the run is made, also rows of days after as_of: it tells how good
          the input is, not what happened by a day.
    """
    outcomes = events.select("source", F.lit("kept").alias("outcome")).unionByName(
        quarantine.select("source", F.col("reason").alias("outcome"))
    )
    counted = outcomes.groupBy("source", "outcome").agg(F.count("*").alias("n_rows"))
    return counted.withColumn("as_of", F.lit(as_of)).select(*DATA_QUALITY.column_names)


def _by_day(frame: DataFrame, day: str, *figures: Column) -> DataFrame:
    return frame.groupBy(F.col(day).alias("day_on")).agg(*figures)


def _or_zero(name: str, dtype: str) -> Column:
    return F.coalesce(F.col(name), F.lit(0)).cast(dtype).alias(name)


def _step(k: int) -> Column:
    """One row of the funnel, from a frame of users with their furthest step and sessions by step."""
    return F.struct(
        F.lit(k).alias("step"),
        F.lit(FUNNEL_STEPS[k - 1]).alias("step_name"),
        F.coalesce(F.sum(f"n_{k}"), F.lit(0)).cast("bigint").alias("n_sessions"),
        F.count_if(F.col("furthest") >= k).alias("n_users"),
    )


def _months(since: str, until: Column) -> Column:
    """Whole months between two first days of months."""
    return F.months_between(until, F.col(since)).cast("int")
