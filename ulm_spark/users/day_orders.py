"""What did each user buy and give back on each local day?"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ulm_spark.users.day_acts import KEY, sorted_names


def summarise_day_orders(order_lines: DataFrame) -> DataFrame:
    """One row per user and local day with an order line of theirs.

    In:   silver.order_lines, any span that has all purchase lines of the orders in it; its restated columns are
          not read.
    Out:  key (user_id, day_on); the columns of silver.user_days that lines tell, from n_orders to products.
    Rule: an order counts once for a user, on the day of their first purchase line in it; a document that only
          returns is no order. Units and products are of items only, not postage or fees; money is of all lines.
    Edge: guests' lines are left out.
    """
    lines = order_lines.where(F.col("user_id").isNotNull()).withColumn("day_on", F.col("lined_on"))
    sums = lines.groupBy(*KEY).agg(*_sums())
    bought = lines.where(F.col("line_type") == "purchase")
    began = bought.groupBy("user_id", "order_id").agg(F.min("day_on").alias("day_on"))
    orders = began.groupBy(*KEY).agg(F.count(F.lit(1)).alias("n_orders"))
    units = bought.where("is_item").groupBy(*KEY, "product_id").agg(F.sum("quantity").cast("int").alias("n"))
    products = units.groupBy(*KEY).agg(sorted_names(F.struct(F.col("product_id").alias("name"), "n")).alias("products"))
    return sums.join(orders, on=[*KEY], how="left").join(products, on=[*KEY], how="left")


def _sums() -> tuple[Column, ...]:
    is_purchase = F.col("line_type") == "purchase"
    is_item_bought = is_purchase & F.col("is_item")
    is_item_returned = (F.col("line_type") == "return") & F.col("is_item")
    is_listed = is_item_bought & F.col("list_price").isNotNull()
    return (
        F.count_if(is_purchase).alias("n_lines"),
        F.sum(F.when(is_item_bought, F.col("quantity"))).alias("n_units"),
        F.sum(F.when(is_item_returned, F.col("quantity"))).alias("n_units_returned"),
        F.count_if(is_listed).alias("n_listed_lines"),
        F.count_if(is_listed & (F.col("unit_price") < F.col("list_price"))).alias("n_discounted_lines"),
        F.sum(F.when(is_purchase, F.col("amount"))).alias("gross_amount"),
        F.sum("amount").alias("net_amount"),
        F.max(F.struct(is_purchase.alias("is_purchase"), "lined_at", "currency"))["currency"].alias("currency"),
    )
