"""What happened to each product on each local day?"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ulm_spark.contracts.silver import SHOPPER_EVENT_TYPES
from ulm_spark.contracts.user_days import PRODUCT_DAYS

_KEY = ("product_id", "day_on")


def summarise_product_days(events: DataFrame) -> DataFrame:
    """One row per product and local day with an event of a shopper or guest on it.

    In:   silver.events, any span of whole days.
    Out:  silver.product_days.
    Rule: a purchase without quantity is one unit; the category is that of most events that name one, ties the first by
          name; the currency is the first by name of those of prices above 0.
    Edge: listings, and events without product, are left out. A shop is taken to sell in one currency: price_sum adds up
          prices of several as they are.
    """
    is_priced = F.col("unit_price") > 0
    acts = events.where(F.col("event_type").isin(*SHOPPER_EVENT_TYPES) & F.col("product_id").isNotNull())
    by_category = acts.groupBy("product_id", F.col("event_on").alias("day_on"), "category", "currency").agg(
        F.count(F.lit(1)).alias("n_events"),
        *(
            F.count_if(F.col("event_type") == kind).alias(name)
            for name, kind in (("n_views", "view"), ("n_carts", "cart"), ("n_purchases", "purchase"))
        ),
        F.sum(F.when(F.col("event_type") == "purchase", F.coalesce("quantity", F.lit(1)))).alias("n_units"),
        F.count_if(is_priced).alias("n_priced"),
        F.sum(F.when(is_priced, F.col("unit_price"))).alias("price_sum"),
    )
    sums = ("n_events", "n_views", "n_carts", "n_purchases", "n_units", "n_priced", "price_sum")
    # A category may have rows of several currencies.
    of_category = by_category.groupBy(*_KEY, "category").agg(
        *(F.sum(name).alias(name) for name in sums),
        F.min(F.when(F.col("n_priced") > 0, F.col("currency"))).alias("currency"),
    )
    most = F.when(F.col("category").isNotNull(), F.struct((-F.col("n_events")).alias("falling_n"), "category"))
    days = of_category.groupBy(*_KEY).agg(
        F.min(most)["category"].alias("category"),
        *(F.sum(name).alias(name) for name in sums),
        F.min("currency").alias("currency"),
    )
    return days.select(*_contract_columns())


def _contract_columns() -> tuple[Column, ...]:
    return tuple(
        (F.col(c.name) if c.nullable or c.name in _KEY else F.coalesce(F.col(c.name), F.lit(0)))
        .cast(c.type)
        .alias(c.name)
        for c in PRODUCT_DAYS.columns
    )
