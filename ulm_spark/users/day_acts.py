"""What did each user do on each local day, told by their events?"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ulm_spark.contracts.silver import SHOPPER_EVENT_TYPES
from ulm_spark.contracts.user_days import FILTERS_ATTRIBUTE, SENTIMENT_ATTRIBUTE

KEY = ("user_id", "day_on")
_PLURALS = {"search": "searches", "purchase": "purchases"}
_PARTS_OF_DAY = {"night_events": 0, "morning_events": 6, "afternoon_events": 12, "evening_events": 18}
_HOURS_OF_PART = 6
_PARTS = 10_000  # of a sentiment, so that sums are of whole numbers
_NAMED = {
    "hours": "hour",
    "categories": "category",
    "brands": "brand",
    "price_bands": "price_band",
    "devices": "device",
    "channels": "channel",
}


def summarise_acts(events: DataFrame, zone: str) -> DataFrame:
    """One row per user and local day with an event of theirs.

    In:   silver.events, any span.
    Out:  key (user_id, day_on); the columns of silver.user_days that events tell, from n_events to channels.
    Rule: a filter is named where its text is not blank; a sentiment counts where its text is a number from -1 to 1, and
          is rounded to four digits; a price band is floor(log2(unit_price)), in words of digits.
    Edge: listings and events without user_id are left out. Events are summed up by name where they lie, so that
          a user with a million events on a day sends on no more rows than they have names.
    """
    acts = _measured(events, zone)
    counts = acts.groupBy(*KEY).agg(*_sums())
    return counts.join(_count_names(acts), on=[*KEY], how="left")


def _measured(events: DataFrame, zone: str) -> DataFrame:
    """The shopper's events by what is counted of them."""
    kind = F.col("event_type")
    is_review, is_search = kind == "review", kind == "search"
    filters = F.try_element_at("attributes", F.lit(FILTERS_ATTRIBUTE))
    sentiment = F.try_element_at("attributes", F.lit(SENTIMENT_ATTRIBUTE)).try_cast("DECIMAL(20,18)")
    hour = F.hour(F.from_utc_timestamp("event_at", zone))
    band = F.when(F.col("unit_price") > 0, F.floor(F.log2(F.col("unit_price").cast("double"))))
    known = events.where(F.col("user_id").isNotNull() & kind.isin(*SHOPPER_EVENT_TYPES))
    return known.select(
        "user_id",
        F.col("event_on").alias("day_on"),
        F.unix_micros("event_at").alias("us"),
        "event_type",
        hour.alias("hour_of_day"),
        (is_search & (F.trim(filters) != "")).alias("is_filtered"),
        F.when(is_review, F.col("rating")).alias("rating"),
        F.when(is_review & sentiment.between(-1, 1), F.round(sentiment * _PARTS)).cast("bigint").alias("sentiment"),
        F.lpad(hour.cast("string"), 2, "0").alias("hour"),
        "category",
        "brand",
        band.cast("string").alias("price_band"),
        "device",
        "channel",
    )


def _sums() -> tuple[Column, ...]:
    """Of numbers of fixed width alone, which Spark sums up by hashing."""

    def of_part(first: int) -> Column:
        return F.col("hour_of_day").between(first, first + _HOURS_OF_PART - 1)

    return (
        F.count(F.lit(1)).alias("n_events"),
        *(
            F.count_if(F.col("event_type") == kind).alias(f"n_{_PLURALS.get(kind, f'{kind}s')}")
            for kind in SHOPPER_EVENT_TYPES
        ),
        F.count_if("is_filtered").alias("n_filtered_searches"),
        F.count("rating").alias("n_ratings"),
        F.sum("rating").alias("rating_sum"),
        F.count("sentiment").alias("n_sentiments"),
        (F.sum("sentiment") / F.lit(_PARTS)).cast("DECIMAL(18,4)").alias("sentiment_sum"),
        *(F.count_if(of_part(first)).alias(name) for name, first in _PARTS_OF_DAY.items()),
    )


def _count_names(acts: DataFrame) -> DataFrame:
    """Per user and day the events by hour, category and so on, and the first channel."""
    named = F.array(*(F.struct(F.lit(kind).alias("kind"), F.col(name).alias("name")) for kind, name in _NAMED.items()))
    names = acts.select(*KEY, "us", F.inline(named)).where(F.col("name").isNotNull())
    counts = names.groupBy(*KEY, "kind", "name").agg(
        F.count(F.lit(1)).cast("int").alias("n"), F.min("us").alias("first_us")
    )
    is_channel = F.col("kind") == "channels"
    return counts.groupBy(*KEY).agg(
        F.min(F.when(is_channel, F.struct("first_us", "name")))["name"].alias("first_channel"),
        *(sorted_names(F.when(F.col("kind") == kind, F.struct("name", "n"))).alias(kind) for kind in _NAMED),
    )


def sorted_names(named: Column) -> Column:
    """An aggregate: named counts that are not null, each name once in the group, sorted by name."""
    return F.sort_array(F.collect_list(named))
