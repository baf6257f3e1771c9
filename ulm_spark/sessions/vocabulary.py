"""Which items can a sequence model name, and by which number?"""

from datetime import date

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from ulm_spark.config.clock import end_of
from ulm_spark.contracts.silver import ITEM_VOCABULARY


def item_events(events: DataFrame, event_types: tuple[str, ...], as_of: date, zone: str) -> DataFrame:
    """The events that sequences are made of, as known at the end of as_of.

    In:   silver.events, any span.
    Out:  grain and columns of events: a known user, an item that a shopper can choose, one of event_types.
    """
    is_known = F.col("event_at") < F.lit(end_of(as_of, zone))
    is_on_item = F.col("is_item") & F.col("product_id").isNotNull()
    is_wanted = F.col("event_type").isin(*event_types) & F.col("user_id").isNotNull()
    return events.where(is_known & is_on_item & is_wanted)


def number_items(
    events: DataFrame, event_types: tuple[str, ...], min_item_events: int, as_of: date, zone: str
) -> DataFrame:
    """The vocabulary of as_of: each item with its number, the commonest first.

    In:   silver.events, any span.
    Out:  silver.item_vocabulary of one as_of; item_index runs from 1 without holes.
    Rule: by falling count of the events that item_events keeps, ties by product_id; items with fewer
          than min_item_events are not named.
    """
    counted = (
        item_events(events, event_types, as_of, zone)
        .groupBy("product_id")
        .agg(F.count("*").alias("n_events"))
        .where(F.col("n_events") >= min_item_events)
    )
    # One partition numbers all items: a catalogue is small beside its events.
    order = Window.orderBy(F.desc("n_events"), "product_id").rowsBetween(Window.unboundedPreceding, Window.currentRow)
    return counted.select(
        F.lit(as_of).alias("as_of"),
        F.row_number().over(order).alias("item_index"),
        "product_id",
        "n_events",
    ).select(*ITEM_VOCABULARY.column_names)
