"""What does a new buyer cost, by channel?"""

from collections.abc import Sequence
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from ulm_spark.contracts.metrics import CHANNEL_ACQUISITION
from ulm_spark.contracts.silver import MONEY
from ulm_spark.users.active_days import list_purchase_days, span_of
from ulm_spark.users.windows import in_last

UNKNOWN = "unknown"


def summarise_acquisition(
    user_days: DataFrame, lines: DataFrame, spend: DataFrame, as_of: date, zone: str, window_days: Sequence[int]
) -> DataFrame:
    """New buyers, spend and cost of acquisition by channel and window, as known at the end of as_of.

    In:   silver.user_days, silver.order_lines, silver.marketing_spend, any span.
    Out:  gold.channel_acquisition: of each window the channels with spend or a new buyer.
    Rule: a new buyer is a user whose first purchase in the lake is in the window; the channel is that of the
          user's first event that has one (first touch), ties in time by name. cac = spend of the window on the
          channel / new buyers of it. What brought buyers who were won outside the window is not in it.
    Edge: null, never 0, where the lake has no spend for the channel or the channel no new buyer; spend of 0 is
          spend. Channels are compared by name as events and files write them.
    """
    firsts = span_of(list_purchase_days(lines, as_of, zone), "bought_on")
    channels = first_channels(user_days, as_of)
    won = firsts.join(channels, on="user_id", how="left").select(
        F.coalesce("channel", F.lit(UNKNOWN)).alias("channel"), F.col("first_on").alias("day_on"), F.lit(1).alias("one")
    )
    paid = spend.where(F.col("day_on") <= F.lit(as_of)).select("channel", "day_on", "amount", "currency")
    facts = won.unionByName(paid, allowMissingColumns=True)
    windows = F.explode(F.array(*(F.lit(n) for n in window_days))).alias("window_days")
    is_inside = F.date_diff(F.lit(as_of), F.col("day_on")) < F.col("window_days")
    told = (
        facts.where(in_last(max(window_days), "day_on", as_of))
        .select("*", windows)
        .where(is_inside)
        .groupBy("window_days", "channel")
        .agg(
            F.count("one").alias("n_new_buyers"),
            F.sum("amount").cast(MONEY).alias("spend"),
            F.min("currency").alias("currency"),
        )
    )
    cac = F.try_divide(F.col("spend").cast("double"), F.col("n_new_buyers").cast("double"))
    return told.withColumns({"as_of": F.lit(as_of), "cac": cac}).select(*CHANNEL_ACQUISITION.column_names)


def first_channels(user_days: DataFrame, as_of: date) -> DataFrame:
    """The channel of each user's first event that has one, ties in time by name: user_id, channel.

    In: silver.user_days, any span.
    """
    known = user_days.where((F.col("day_on") <= F.lit(as_of)) & F.col("first_channel").isNotNull())
    first = F.min(F.struct("day_on", "first_channel")).alias("first")
    return known.groupBy("user_id").agg(first).select("user_id", F.col("first.first_channel").alias("channel"))
