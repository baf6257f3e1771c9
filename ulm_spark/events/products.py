"""What is known of each product, from what events and listings said of it."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ulm_spark.contracts.silver import PRODUCTS

_WHEN = ("event_at", "event_id")


def summarise_products(events: DataFrame) -> DataFrame:
    """One row per product that any event named.

    In:   silver.events, any span.
    Out:  silver.products.
    Rule: of each attribute the latest value that an event said, ties by event_id; an event that
          says nothing of it takes nothing away. list_price is the latest list price, else the
          latest unit price, with the currency of the same event.
    Edge: events without a product count for none.
    """
    attributes = {
        "title": F.col("title"),
        "title_zh": F.try_element_at("attributes", F.lit("title_zh")),
        "description": F.try_element_at("attributes", F.lit("description")),
        "category": F.col("category"),
        "brand": F.col("brand"),
        "is_item": F.col("is_item"),
    }
    said = events.where(F.col("product_id").isNotNull()).select(
        "product_id",
        *_WHEN,
        *(value.alias(name) for name, value in attributes.items()),
        *(_price(name).alias(name) for name in ("list_price", "unit_price")),
    )
    summary = said.groupBy("product_id").agg(
        *(_latest(name).alias(name) for name in attributes),
        F.coalesce(_latest("list_price"), _latest("unit_price")).alias("price"),
        F.min("event_at").alias("first_seen_at"),
        F.max("event_at").alias("last_seen_at"),
    )
    priced = summary.withColumns({"list_price": F.col("price.amount"), "currency": F.col("price.currency")})
    return priced.select(*PRODUCTS.column_names)


def _price(name: str) -> Column:
    price = F.struct(F.col(name).alias("amount"), F.col("currency").alias("currency"))
    return F.when(F.col(name).isNotNull(), price)


def _latest(name: str) -> Column:
    """The value of the latest event that has one: max_by leaves out rows whose order is null."""
    when = F.when(F.col(name).isNotNull(), F.struct(*_WHEN))
    return F.max_by(name, when)
