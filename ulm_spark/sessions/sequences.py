"""What did each user last touch, in order, as a model reads it?"""

from dataclasses import dataclass
from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from ulm_spark.config.require import require
from ulm_spark.contracts.silver import SEQUENCES, SHOPPER_EVENT_TYPES
from ulm_spark.sessions.vocabulary import item_events

_US = 1_000_000


@dataclass(frozen=True)
class SequenceRules:
    """Section ``sequences``.

    event_types: kinds of shopper event that make a sequence.
    max_length: a user's last so many events are kept.
    min_item_events: an item with fewer events by as_of gets no number and is left out.
    n_files: files that a day's sequences are written to; Delta writes one row group a file, and each
    rank of a training reads whole row groups, so have at least as many as ranks.
    """

    event_types: tuple[str, ...] = ("view", "cart", "purchase")
    max_length: int = 50
    min_item_events: int = 1
    n_files: int = 8

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.event_types if kind not in SHOPPER_EVENT_TYPES]
        are_kinds = not unknown and 0 < len(set(self.event_types)) == len(self.event_types)
        expected = f"distinct kinds out of {', '.join(SHOPPER_EVENT_TYPES)}"
        require(are_kinds, "sequences.event_types", ", ".join(self.event_types) or "nothing", expected)
        for name in ("max_length", "min_item_events", "n_files"):
            require(getattr(self, name) >= 1, f"sequences.{name}", getattr(self, name), "at least 1")


def build_sequences(
    events: DataFrame, vocabulary: DataFrame, rules: SequenceRules, as_of: date, zone: str
) -> DataFrame:
    """Each user's last events on items, oldest first, as known at the end of as_of.

    In:   silver.events, any span; silver.item_vocabulary of the same as_of alone.
    Out:  silver.sequences of one as_of, spread over rules.n_files partitions by a hash of user_id and
          sorted within, so that the same rows always lie in the same files.
    Rule: events on items of the vocabulary, ordered by (event_at, event_id); the last max_length of
          them. gap_seconds is whole seconds since the event before it in the array.
    Edge: a user without such an event is absent.
    """
    numbers = vocabulary.select("product_id", "item_index")
    coded = (
        item_events(events, rules.event_types, as_of, zone)
        .select("user_id", "event_at", "event_id", "product_id", _code().alias("event_code"))
        .join(numbers, on="product_id", how="inner")
    )
    latest_first = Window.partitionBy("user_id").orderBy(F.desc("event_at"), F.desc("event_id"))
    place = F.row_number().over(latest_first.rowsBetween(Window.unboundedPreceding, Window.currentRow))
    last = coded.withColumn("place", place).where(F.col("place") <= rules.max_length)
    step = F.struct("event_at", "event_id", "item_index", "event_code")
    sequences = last.groupBy("user_id").agg(F.array_sort(F.collect_list(step)).alias("steps"))
    return (
        sequences.select(
            F.lit(as_of).alias("as_of"),
            "user_id",
            F.size("steps").alias("n_items"),
            F.col("steps.item_index").alias("item_indices"),
            F.col("steps.event_code").alias("event_codes"),
            _gaps().alias("gap_seconds"),
            F.element_at("steps", -1)["event_at"].alias("last_event_at"),
        )
        .select(*SEQUENCES.column_names)
        .repartition(rules.n_files, "user_id")
        .sortWithinPartitions("as_of", "user_id")
    )


def _code() -> Column:
    """1 plus the event type's place in SHOPPER_EVENT_TYPES."""
    kinds = F.array(*(F.lit(kind) for kind in SHOPPER_EVENT_TYPES))
    return F.array_position(kinds, F.col("event_type")).cast("int")


def _gaps() -> Column:
    """Whole seconds between neighbouring steps; 0 for the first."""

    def since_last(step: Column, place: Column) -> Column:
        earlier = F.get("steps", place - 1)  # null before the first
        us = F.unix_micros(step["event_at"]) - F.unix_micros(earlier["event_at"])
        return F.coalesce(F.floor(us / _US), F.lit(0).cast("bigint"))

    return F.transform("steps", since_last)
