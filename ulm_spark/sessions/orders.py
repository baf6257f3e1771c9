"""Which orders do the purchase lines make up?"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ulm_spark.contracts.silver import MONEY, ORDERS


def summarise_orders(lines: DataFrame) -> DataFrame:
    """One row per order, from its purchase lines.

    In:   silver.order_lines.
    Out:  silver.orders.
    Rule: ordered_at, user, currency and country are those of the first line, by (lined_at, line_id),
          that has them. netted_amount values the units taken back at the price paid for them;
          is_cancelled where every unit was.
    Edge: a document that only returns is no order.
    """
    bought = lines.where(F.col("line_type") == "purchase")
    taken_back = F.col("netted_quantity") * F.col("unit_price")
    orders = bought.groupBy("order_id").agg(
        _first("user_id"),
        F.min("lined_at").alias("ordered_at"),
        F.min("lined_on").alias("ordered_on"),
        F.count("*").cast("int").alias("n_lines"),
        F.sum("quantity").alias("n_units"),
        F.sum("amount").cast(MONEY).alias("gross_amount"),
        F.sum(taken_back).cast(MONEY).alias("netted_amount"),
        (F.sum("netted_quantity") == F.sum("quantity")).alias("is_cancelled"),
        _first("currency"),
        _first("country"),
    )
    net = (F.col("gross_amount") - F.col("netted_amount")).cast(MONEY)
    return orders.withColumn("net_amount", net).select(*ORDERS.column_names)


def _first(name: str) -> Column:
    at = F.when(F.col(name).isNotNull(), F.struct("lined_at", "line_id"))
    return F.min_by(name, at).alias(name)
