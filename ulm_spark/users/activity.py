"""How long, how lately and how often does a user act, and on what, where and how?"""

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ulm_spark.contracts.silver import SHOPPER_EVENT_TYPES
from ulm_spark.users.windows import days_since, in_last, known_before_end

_BITS = 45


def summarise_activity(events: DataFrame, as_of: date, zone: str) -> DataFrame:
    """One row of event counts per user, as known at the end of as_of.

    In:     silver.events, any span.
    Out:    key user_id; tenure_days, inactive_days, n_active_days_90d, n_views_30d, n_searches_30d,
            n_carts_30d.
    Rule:   windows are local days and end with as_of; a listing is nobody's event.
    Edge:   events without a user are left out.
    """
    known = _shopper_events(events, as_of, zone).select("user_id", "event_on", "event_type")
    days_ago = days_since(F.col("event_on"), as_of)
    recent = in_last(30, "event_on", as_of)

    def counted(event_type: str) -> Column:
        return F.count_if(recent & (F.col("event_type") == event_type)).cast("int")

    return known.groupBy("user_id").agg(
        days_since(F.min("event_on"), as_of).alias("tenure_days"),
        days_since(F.max("event_on"), as_of).alias("inactive_days"),
        (_days_in_bits(days_ago, 0) + _days_in_bits(days_ago, _BITS)).cast("int").alias("n_active_days_90d"),
        counted("view").alias("n_views_30d"),
        counted("search").alias("n_searches_30d"),
        counted("cart").alias("n_carts_30d"),
    )


def summarise_tastes(events: DataFrame, as_of: date, zone: str) -> DataFrame:
    """What a user touches and how they come: one row per user, as known at the end of as_of.

    In:     silver.events, any span.
    Out:    key user_id; n_categories_90d, category_entropy (nats), top_category, channel, device.
    Rule:   a touch is an event that names the category; entropy is -sum p ln p over the shares of
            touches; ties in count go to the first name, ties in time (channel) too.
    Edge:   a user without category, channel and device is absent.
    """
    known = _shopper_events(events, as_of, zone)
    combinations = known.groupBy(
        "user_id",
        F.when(in_last(90, "event_on", as_of), F.col("category")).alias("category"),
        "device",
        "channel",
    ).agg(F.count(F.lit(1)).alias("n"), F.min("event_at").alias("first_at"))
    names = ("category", "device", "channel")
    traits = F.explode(F.array(*(F.struct(F.lit(name).alias("trait"), F.col(name).alias("value")) for name in names)))
    values = (
        combinations.select("user_id", "n", "first_at", traits.alias("t"))
        .select("user_id", "n", "first_at", "t.trait", "t.value")
        .where(F.col("value").isNotNull())
        .groupBy("user_id", "trait", "value")
        .agg(F.sum("n").alias("n"), F.min("first_at").alias("first_at"))
    )
    return (
        values.groupBy("user_id")
        .agg(
            F.sort_array(F.collect_list(_where_trait("category", F.col("n")))).alias("touches"),
            F.min(_where_trait("category", _most_used())).alias("top"),
            F.min(_where_trait("device", _most_used())).alias("device"),
            F.min(_where_trait("channel", F.struct("first_at", "value"))).alias("channel"),
        )
        .select(
            "user_id",
            F.size("touches").alias("n_categories_90d"),
            _entropy("touches").alias("category_entropy"),
            F.col("top.value").alias("top_category"),
            F.col("channel.value").alias("channel"),
            F.col("device.value").alias("device"),
        )
    )


def _shopper_events(events: DataFrame, as_of: date, zone: str) -> DataFrame:
    return known_before_end(events, "event_at", as_of, zone).where(F.col("event_type").isin(*SHOPPER_EVENT_TYPES))


def _days_in_bits(days_ago: Column, first: int) -> Column:
    """Distinct days among 45, counted in the bits of one long.

    A count of distinct days would shuffle every (user, day); a bit mask shuffles one number a user.
    """
    is_inside = (days_ago >= first) & (days_ago < first + _BITS)
    # The shift is bounded to the window: outside it the branch is not taken, but Spark may still evaluate it.
    bit = F.call_function("shiftleft", F.lit(1).cast("bigint"), F.pmod(days_ago, F.lit(_BITS)).cast("int"))
    return F.bit_count(F.coalesce(F.bit_or(F.when(is_inside, bit)), F.lit(0).cast("bigint")))


def _where_trait(trait: str, value: Column) -> Column:
    return F.when(F.col("trait") == trait, value)


def _most_used() -> Column:
    """Its minimum is the value with the largest count, the first by name among equals."""
    return F.struct((-F.col("n")).alias("falling_n"), F.col("value"))


def _entropy(counts: str) -> Column:
    """ln N - (sum n ln n) / N; summed in sorted order, so that the last bit never changes."""
    n_all = F.aggregate(counts, F.lit(0).cast("bigint"), lambda total, n: total + n)
    n_log_n = F.aggregate(counts, F.lit(0.0), lambda total, n: total + n * F.ln(n))
    # Rounding of the logarithms can leave -1e-16 for a single category.
    return F.when(F.size(counts) > 0, F.greatest(F.ln(n_all) - n_log_n / n_all, F.lit(0.0)))
