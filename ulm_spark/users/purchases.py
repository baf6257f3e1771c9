"""How lately, how often and for how much does a user buy?"""

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ulm_spark.contracts.silver import MONEY
from ulm_spark.users.windows import days_since, in_last, known_before_end


def summarise_purchases(order_lines: DataFrame, as_of: date, zone: str) -> DataFrame:
    """One row of recency, frequency, money and returns per user, as known at the end of as_of.

    In:     silver.order_lines, any span; its restated columns are not read.
    Out:    key user_id; the purchase columns of gold.user_features.
    Rule:   an order belongs to the day of its first purchase line; a document that only returns is
            no order; money is net of the returns of the same days; units and products are items
            only, not postage or fees.
    Edge:   a user who has only returned has a negative revenue and null recency; return_rate
            passes 1 where goods come back that were bought before the lake begins; with several
            currencies the currency is that of the latest purchase, the last by name on a tie.
    """
    known = known_before_end(order_lines, "lined_at", as_of, zone)
    # All sums of the first grouping fit Spark's fast hash aggregate; sets are collected of its few rows only.
    order_days = known.groupBy("user_id", "order_id", "lined_on", "currency").agg(*_order_day_columns())
    purchases = order_days.groupBy("user_id").agg(*_user_columns(as_of))
    products = _count_products(known, as_of)
    joined = purchases.join(products, "user_id", how="left")
    return joined.select("user_id", *_feature_columns(as_of))


def _order_day_columns() -> tuple[Column, ...]:
    is_purchase = F.col("line_type") == "purchase"
    is_item_bought = is_purchase & F.col("is_item")
    is_item_returned = (F.col("line_type") == "return") & F.col("is_item")
    has_list_price = is_item_bought & F.col("list_price").isNotNull()
    return (
        F.max(F.when(is_purchase, F.col("lined_at"))).alias("purchased_at"),
        F.sum("amount").alias("net"),
        F.sum(F.when(is_purchase, F.col("amount"))).alias("gross"),
        F.sum(F.when(is_item_bought, F.col("quantity"))).alias("units"),
        F.sum(F.when(is_item_returned, F.col("quantity"))).alias("returned"),
        F.count_if(has_list_price).alias("n_listed"),
        F.count_if(has_list_price & (F.col("unit_price") < F.col("list_price"))).alias("n_cheaper"),
    )


def _user_columns(as_of: date) -> tuple[Column, ...]:
    has_purchase = F.col("purchased_at").isNotNull()
    in_30, in_90 = in_last(30, "lined_on", as_of), in_last(90, "lined_on", as_of)

    def orders_where(condition: Column) -> Column:
        return F.size(F.collect_set(F.when(has_purchase & condition, F.col("order_id"))))

    n_orders = orders_where(F.lit(True))
    return (
        F.collect_set(F.when(has_purchase, F.col("lined_on"))).alias("purchase_days"),
        n_orders.alias("n_orders_life"),
        # An order that began in the window has no purchase line before it.
        (n_orders - orders_where(~in_30)).alias("n_orders_30d"),
        (n_orders - orders_where(~in_90)).alias("n_orders_90d"),
        F.sum(F.when(in_30, F.col("net"))).alias("net_30d"),
        F.sum(F.when(in_90, F.col("net"))).alias("net_90d"),
        F.sum("net").alias("net_life"),
        F.sum("gross").alias("gross_life"),
        F.sum(F.when(in_90, F.col("units"))).alias("units_90d"),
        F.sum("units").alias("units_life"),
        F.sum("returned").alias("returned_life"),
        F.sum("n_listed").alias("n_listed"),
        F.sum("n_cheaper").alias("n_cheaper"),
        F.max(F.when(has_purchase, F.struct("purchased_at", "currency"))).alias("latest"),
    )


def _count_products(known: DataFrame, as_of: date) -> DataFrame:
    is_item_bought = (F.col("line_type") == "purchase") & F.col("is_item")
    pairs = known.where(is_item_bought & in_last(90, "lined_on", as_of)).select("user_id", "product_id").distinct()
    return pairs.groupBy("user_id").agg(F.count("product_id").alias("n_products_90d"))


def _feature_columns(as_of: date) -> tuple[Column, ...]:
    first_on, last_on = F.array_min("purchase_days"), F.array_max("purchase_days")
    n_gaps = F.size("purchase_days") - 1

    def money(name: str) -> Column:
        return F.coalesce(F.col(name), F.lit(0)).cast(MONEY)

    return (
        days_since(last_on, as_of).alias("recency_days"),
        F.size("purchase_days").alias("n_purchase_days"),
        days_since(first_on, as_of).alias("first_purchase_age_days"),
        F.col("n_orders_30d"),
        F.col("n_orders_90d"),
        F.col("n_orders_life"),
        money("net_30d").alias("net_revenue_30d"),
        money("net_90d").alias("net_revenue_90d"),
        money("net_life").alias("net_revenue_life"),
        F.col("latest.currency").alias("currency"),
        F.try_divide(F.col("gross_life").cast("double"), F.col("n_orders_life")).alias("mean_order_value"),
        F.when(n_gaps > 0, F.date_diff(last_on, first_on) / n_gaps).alias("mean_purchase_gap_days"),
        F.coalesce(F.col("units_90d"), F.lit(0)).alias("n_units_90d"),
        F.coalesce(F.col("n_products_90d"), F.lit(0)).cast("int").alias("n_products_90d"),
        F.try_divide(F.coalesce(F.col("returned_life"), F.lit(0)), F.col("units_life")).alias("return_rate"),
        F.try_divide(F.col("n_cheaper"), F.col("n_listed")).alias("discount_share"),
    )
