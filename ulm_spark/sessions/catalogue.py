"""What was known of each item at the end of a day, and how often sequences name it?"""

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ulm_spark.config.clock import end_of

_SAID = ("product_id", "category", "list_price", "unit_price", "currency")


def known_events(events: DataFrame, as_of: date, zone: str) -> DataFrame:
    """The events that happened before the end of as_of. In: silver.events, any span."""
    return events.where(F.col("event_at") < F.lit(end_of(as_of, zone)))


def is_of_sequences(event_types: tuple[str, ...]) -> Column:
    """True for an event that sequences are made of: by a known user, on an item that a shopper can choose, one of
    event_types. Never null."""
    is_on_item = F.col("is_item") & F.col("product_id").isNotNull()
    return is_on_item & F.col("event_type").isin(*event_types) & F.col("user_id").isNotNull()


def describe_items(
    events: DataFrame, event_types: tuple[str, ...], min_item_events: int, as_of: date, zone: str, currency: str
) -> DataFrame:
    """One row per item that sequences can name, with what was known of it at the end of as_of.

    In:   silver.events, any span. currency is the shop's, for prices without one.
    Out:  product_id; n_events, those of sequences; category, null where none was said; price and its
          currency, both null where none above 0 was said.
    Rule: category is the latest that any event or listing said, of several at one instant the last by
          text. price is the latest list price, else the latest unit price: a list price stays where it
          is while an offer runs. Of several at one instant the highest counts, then the last currency.
    Edge: items with fewer than min_item_events events of sequences are left out.
    """
    # Few rows say something new, so that what each product's events say is counted by hash first, without a sort.
    said = (
        known_events(events, as_of, zone)
        .where(F.col("product_id").isNotNull())
        .withColumn("currency", F.coalesce("currency", F.lit(currency)))
        .groupBy(*_SAID)
        .agg(
            F.max(F.unix_micros("event_at")).alias("at_us"),
            F.count_if(is_of_sequences(event_types)).alias("n_events"),
        )
    )
    summary = said.groupBy("product_id").agg(
        F.sum("n_events").alias("n_events"),
        F.max(F.when(F.col("category").isNotNull(), F.struct("at_us", "category")))["category"].alias("category"),
        F.coalesce(_latest_price("list_price"), _latest_price("unit_price")).alias("said"),
    )
    priced = summary.withColumns({"price": F.col("said.price"), "currency": F.col("said.currency")}).drop("said")
    return priced.where(F.col("n_events") >= min_item_events)


def _latest_price(name: str) -> Column:
    said = F.struct("at_us", F.col(name).alias("price"), "currency")
    return F.max(F.when(F.col(name) > 0, said))
