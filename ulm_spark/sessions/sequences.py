"""What did each user last touch, in order, as a model reads it?"""

from dataclasses import dataclass
from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.window import WindowSpec

from ulm_spark.config.require import require
from ulm_spark.contracts.sequences import SEQUENCES
from ulm_spark.contracts.silver import SHOPPER_EVENT_TYPES
from ulm_spark.sessions.catalogue import is_of_sequences, known_events
from ulm_spark.sessions.cut import US, shopper_events

_NUMBERS = ("item_index", "category_index", "price_band")


@dataclass(frozen=True)
class SequenceRules:
    """Section ``sequences``.

    event_types: kinds of shopper event that make a sequence.
    max_length: a user's last so many events are kept.
    min_item_events: an item with fewer events by as_of gets no number and is left out.
    n_price_bands: into so many bands of as many items each the prices of a currency are parted.
    n_files: files that a day's sequences are dealt out to, the same number of rows to each, up to one.
    Delta writes one row group a file, and each rank of a training reads whole row groups: with a multiple
    of the ranks they are even.
    """

    event_types: tuple[str, ...] = ("view", "cart", "purchase")
    max_length: int = 200
    min_item_events: int = 1
    n_price_bands: int = 10
    n_files: int = 8

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.event_types if kind not in SHOPPER_EVENT_TYPES]
        are_kinds = not unknown and 0 < len(set(self.event_types)) == len(self.event_types)
        expected = f"distinct kinds out of {', '.join(SHOPPER_EVENT_TYPES)}"
        require(are_kinds, "sequences.event_types", ", ".join(self.event_types) or "nothing", expected)
        for name in ("max_length", "min_item_events", "n_price_bands", "n_files"):
            require(getattr(self, name) >= 1, f"sequences.{name}", getattr(self, name), "at least 1")


def build_sequences(
    events: DataFrame,
    vocabulary: DataFrame,
    rules: SequenceRules,
    gap_s: int,
    as_of: date,
    zone: str,
    currency: str,
) -> DataFrame:
    """Each user's last events on items, oldest first, as known at the end of as_of.

    In:   silver.events, any span; silver.item_vocabulary of the same as_of alone. gap_s is the silence that a
          visit survives. currency is the shop's.
    Out:  silver.sequences of one as_of.
    Rule: events on items of the vocabulary, ordered by (event_at, event_id); the last max_length of
          them. Category and price band are the item's as of as_of, also for older events: a view seldom
          says a price, and a number means the same in a history as for an item that a model may name.
          gap_seconds is whole seconds since the event before it in the array. dwell_seconds is whole
          seconds to the user's next shopper event of any kind known by then, in the same order: no
          second counts for two looks, and midnight ends none.
    Edge: a user without such an event is absent. dwell_seconds is 0 where nothing is known to follow
          within gap_s: how long the last look of a visit took, nobody saw.
    """
    last = _last_steps(_timed(known_events(events, as_of, zone), rules, gap_s, currency), vocabulary, rules.max_length)
    step = F.struct("event_at", "event_id", "event_code", "dwell_s", "amount", *_NUMBERS)
    by_user = last.groupBy("user_id").agg(
        F.array_sort(F.collect_list(step)).alias("steps"), F.max("vocabulary_version").alias("vocabulary_version")
    )
    return by_user.select(
        F.lit(as_of).alias("as_of"),
        "user_id",
        F.size("steps").alias("n_items"),
        F.col("steps.item_index").alias("item_indices"),
        F.col("steps.event_code").alias("event_codes"),
        _gaps().alias("gap_seconds"),
        F.col("steps.category_index").alias("category_indices"),
        F.col("steps.price_band").alias("price_bands"),
        F.col("steps.dwell_s").alias("dwell_seconds"),
        F.col("steps.amount").alias("amounts"),
        F.element_at("steps", -1)["event_at"].alias("last_event_at"),
        "vocabulary_version",
    ).select(*SEQUENCES.column_names)


def _timed(known: DataFrame, rules: SequenceRules, gap_s: int, currency: str) -> DataFrame:
    """The events that sequences are made of, each with the seconds to the user's next event of any kind."""
    of_sequences = is_of_sequences(rules.event_types).alias("is_wanted")
    kept = ("user_id", "event_at", "event_id", "product_id")
    timed = shopper_events(known).select(*kept, _code(), _amount(currency), of_sequences)
    until_next_us = F.unix_micros(F.lag("event_at").over(_latest_first())) - F.unix_micros("event_at")
    dwell_s = F.when(until_next_us <= gap_s * US, F.floor(until_next_us / US)).otherwise(F.lit(0))
    return timed.withColumn("dwell_s", dwell_s.cast("bigint")).where("is_wanted")


def _last_steps(timed: DataFrame, vocabulary: DataFrame, max_length: int) -> DataFrame:
    numbers = vocabulary.select("product_id", *_NUMBERS, "vocabulary_version")
    place = F.row_number().over(_latest_first().rowsBetween(Window.unboundedPreceding, Window.currentRow))
    coded = timed.join(numbers, on="product_id", how="inner")
    return coded.withColumn("place", place).where(F.col("place") <= max_length)


def _latest_first() -> WindowSpec:
    return Window.partitionBy("user_id").orderBy(F.desc("event_at"), F.desc("event_id"))


def _code() -> Column:
    """1 plus the event type's place in SHOPPER_EVENT_TYPES."""
    kinds = F.array(*(F.lit(kind) for kind in SHOPPER_EVENT_TYPES))
    return F.array_position(kinds, F.col("event_type")).cast("int").alias("event_code")


def _amount(currency: str) -> Column:
    """What was paid, in the shop's currency; 0 for what is no purchase in it."""
    is_paid = (F.col("event_type") == "purchase") & (F.coalesce("currency", F.lit(currency)) == currency)
    paid = F.coalesce("quantity", F.lit(1)) * F.col("unit_price").cast("double")
    return F.coalesce(F.when(is_paid, paid), F.lit(0.0)).alias("amount")


def _gaps() -> Column:
    """Whole seconds between neighbouring steps; 0 for the first."""

    def since_last(step: Column, place: Column) -> Column:
        earlier = F.get("steps", place - 1)  # null before the first
        us = F.unix_micros(step["event_at"]) - F.unix_micros(earlier["event_at"])
        return F.coalesce(F.floor(us / US), F.lit(0).cast("bigint"))

    return F.transform("steps", since_last)
