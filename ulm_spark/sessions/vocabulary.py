"""Which items and categories can a sequence model name, and by which numbers?"""

from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from ulm_spark.contracts.sequences import CATEGORY_VOCABULARY, ITEM_VOCABULARY

_FIRST, _HERE, _LAST = Window.unboundedPreceding, Window.currentRow, Window.unboundedFollowing
_NUMBERED = ("item_index", "product_id", "category_index", "category", "price_band")
_VERSION_DIGITS = 16


def number_items(items: DataFrame, n_price_bands: int, as_of: date) -> DataFrame:
    """The vocabulary of as_of: each item with its number, its category's and its price band.

    In:   catalogue.describe_items' frame of as_of.
    Out:  as_of; item_index, from 1 without holes; product_id; n_events; category; category_index, from 1
          without holes; price_band; vocabulary_version, the same in all rows.
    Rule: items by falling n_events, ties by product_id. Categories likewise, by the events of their items.
          Within each currency the items are parted into n_price_bands of as many items each: the band is
          1 plus, rounded down, n_price_bands times the share of the currency's items that are cheaper,
          so items of one price share the lowest band that one of them would have. No rate is needed: an
          item is cheap or dear among those sold in its currency.
    Edge: 0 for an item without a category, or without a price. Fewer prices than bands leave bands empty.
    """
    # One partition numbers all items: a catalogue is small beside its events.
    by_count = Window.orderBy(F.desc("n_events"), "product_id").rowsBetween(_FIRST, _HERE)
    by_category = Window.orderBy(F.desc_nulls_last("n_category_events"), "category").rowsBetween(_FIRST, _HERE)
    of_category = F.sum("n_events").over(Window.partitionBy("category").rowsBetween(_FIRST, _LAST))
    has_category = F.col("category").isNotNull()
    return (
        items.withColumn("price_band", _price_band(n_price_bands))
        .withColumn("n_category_events", F.when(has_category, of_category))
        .withColumn("category_index", F.when(has_category, F.dense_rank().over(by_category)).otherwise(F.lit(0)))
        .withColumn("item_index", F.row_number().over(by_count))
        .withColumns({"as_of": F.lit(as_of), "vocabulary_version": _version()})
        .drop("n_category_events", "price", "currency")
    )


def list_items(numbered: DataFrame) -> DataFrame:
    """silver.item_vocabulary of one as_of. In: number_items' frame."""
    return numbered.select(*ITEM_VOCABULARY.column_names)


def list_categories(numbered: DataFrame) -> DataFrame:
    """silver.category_vocabulary of one as_of. In: number_items' frame."""
    named = numbered.where(F.col("category_index") > 0)
    of_category = named.groupBy("as_of", "category_index", "category", "vocabulary_version")
    return of_category.agg(F.sum("n_events").alias("n_events")).select(*CATEGORY_VOCABULARY.column_names)


def _price_band(n_bands: int) -> Column:
    of_currency = Window.partitionBy("currency")
    n_cheaper = F.rank().over(of_currency.orderBy("price").rowsBetween(_FIRST, _HERE)) - 1
    n_priced = F.count("price").over(of_currency.rowsBetween(_FIRST, _LAST))
    band = 1 + F.floor(n_cheaper * n_bands / n_priced)
    return F.when(F.col("price").isNotNull(), band).otherwise(F.lit(0)).cast("int")


def _version() -> Column:
    """16 hex digits of what the numbers mean: of all rows' numbers and names, and not of the day or the counts."""
    row = F.xxhash64(*_NUMBERED)
    # XOR needs no order, and no two rows are equal.
    whole = F.bit_xor(row).over(Window.partitionBy().rowsBetween(_FIRST, _LAST))
    return F.lower(F.lpad(F.hex(whole), _VERSION_DIGITS, "0"))
