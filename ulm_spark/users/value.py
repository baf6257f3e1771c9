"""What is each user worth by what they do: V, the weighted sum of behaviour?"""

from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from ulm_spark.contracts.value import USER_VALUE_SERIES, USER_VALUES
from ulm_spark.users.value_conf import ValueConf
from ulm_spark.users.windows import in_last

_EXACT = "decimal(38,9)"  # sums of doubles would tell the order of the rows


def score_users(
    user_days: DataFrame, as_of: date, conf: ValueConf, learned_weights: dict[str, float] | None
) -> DataFrame:
    """The value of each user, as known at the end of as_of.

    In:   silver.user_days, any span; learned_weights as conf.weights, or None.
    Out:  gold.user_values.
    Rule: V = sum of weight times count over the window; ten views, five searches and a purchase, weighing .3, .2 and
          .5, are 4.5. User number r of n by (value_score descending, user_id) is in the first tier whose shares up
          to it reach r / n.
    Edge: a user without behaviour in the window scores 0; a score not above 0 is in the last tier.
    """
    in_window = in_last(conf.window_days, "day_on", as_of)
    counted = (
        user_days.where(F.col("day_on") <= F.lit(as_of))
        .groupBy("user_id")
        .agg(*(_count(name, in_window).alias(name) for name in conf.behaviours))
    )
    learned = F.lit(None).cast("double") if learned_weights is None else _weighted(learned_weights)
    scored = counted.select("user_id", _weighted(conf.weights).alias("value_score"), learned.alias("learned_score"))
    ranked = _with_rank(scored).withColumn("rank_share", F.col("rank") / F.col("n_users"))
    columns = {"as_of": F.lit(as_of), "tier": _tier(conf)}
    return ranked.select(*(columns.get(name, F.col(name)).alias(name) for name in USER_VALUES.column_names))


def list_series(user_days: DataFrame, as_of: date, conf: ValueConf) -> DataFrame:
    """V of each user by period, the latest ending with as_of.

    In:   silver.user_days, any span.
    Out:  gold.user_value_series.
    Rule: each period from the user's first day on has a row, 0 where nothing was done.
    """
    ago = F.floor(F.date_diff(F.lit(as_of), "day_on") / conf.period_days).cast("int")
    worth = sum((F.lit(conf.weights[name]) * F.col(f"n_{name}") for name in conf.behaviours), F.lit(0.0))
    days = user_days.where(F.col("day_on") <= F.lit(as_of)).select(
        "user_id", ago.alias("ago"), worth.cast(_EXACT).alias("worth")
    )
    in_period = (F.sum(F.when(F.col("ago") == k, F.col("worth"))) for k in range(conf.series_periods))
    users = days.groupBy("user_id").agg(F.max("ago").alias("first_ago"), F.array(*in_period).alias("worths"))
    periods = users.select("user_id", "first_ago", F.posexplode("worths").alias("ago", "worth"))
    columns = {
        "as_of": F.lit(as_of),
        "period_on": F.date_sub(F.lit(as_of), (F.col("ago") * conf.period_days).cast("int")),
        "value_score": F.coalesce(F.col("worth"), F.lit(0)).cast("double"),
    }
    known = periods.where(F.col("ago") <= F.col("first_ago"))
    return known.select(*(columns.get(name, F.col(name)).alias(name) for name in USER_VALUE_SERIES.column_names))


def _count(behaviour: str, condition: Column) -> Column:
    return F.coalesce(F.sum(F.when(condition, F.col(f"n_{behaviour}"))), F.lit(0))


def _weighted(weights: dict[str, float]) -> Column:
    """Always summed in the same order, of whole numbers, so that equal behaviour scores equally."""
    parts = (F.lit(float(weights[name])) * F.col(name) for name in sorted(weights))
    return F.round(sum(parts, F.lit(0.0)), 9)


def _with_rank(scored: DataFrame) -> DataFrame:
    """Adds rank (1 to n_users by value_score descending, user_id) and n_users, without a sort of all in one task.

    The rank is the place within users of nearly one score plus the users above them.
    """
    cell = F.floor(F.signum("value_score") * F.log1p(F.abs("value_score")) * 100).cast("int")
    cells = scored.groupBy(cell.alias("cell")).agg(F.count(F.lit(1)).alias("n"))
    above = Window.orderBy(F.col("cell").desc()).rowsBetween(Window.unboundedPreceding, -1)
    all_cells = Window.partitionBy(F.lit(0)).rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    offsets = cells.select(
        "cell",
        F.coalesce(F.sum("n").over(above), F.lit(0)).alias("n_above"),
        F.sum("n").over(all_cells).alias("n_users"),
    )
    best_first = (
        Window.partitionBy("cell")
        .orderBy(F.col("value_score").desc(), "user_id")
        .rowsBetween(Window.unboundedPreceding, Window.currentRow)
    )
    placed = scored.withColumn("cell", cell).withColumn("place", F.row_number().over(best_first))
    joined = placed.join(F.broadcast(offsets), on="cell", how="inner")
    return joined.withColumn("rank", F.col("place") + F.col("n_above"))


def _tier(conf: ValueConf) -> Column:
    last = conf.tier_names[-1]
    reached, tier = 0.0, F.when(F.col("value_score") <= 0, last)
    for name, share in zip(conf.tier_names[:-1], conf.tier_shares, strict=False):
        reached += share
        tier = tier.when(F.col("rank") <= F.floor(F.col("n_users") * round(reached, 9) + 1e-9), name)
    return tier.otherwise(last)
