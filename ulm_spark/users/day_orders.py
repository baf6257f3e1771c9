"""What did each user buy and give back on each local day?"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

KEY = ("user_id", "day_on")


def sum_orders(order_lines: DataFrame) -> tuple[DataFrame, DataFrame, DataFrame]:
    """Rows per user and local day with an order line of theirs, whose sums tell what was bought and given back.

    In:   silver.order_lines, any span that has all purchase lines of the orders in it; its restated columns are
          not read.
    Out:  user_id, day_on, and columns of silver.user_days: in the first, one row a user and day, those of lines, in
          the second n_orders, in the third products.
    Rule: an order counts once for a user, on the day of their first purchase line in it; a document that only
          returns is no order. Units and products are of items only, not postage or fees; money is of all lines.
    Edge: guests' lines are left out.
    """
    lines = order_lines.where(F.col("user_id").isNotNull()).withColumn("day_on", F.col("lined_on"))
    bought = lines.where(F.col("line_type") == "purchase")
    began = bought.groupBy("user_id", "order_id").agg(F.min("day_on").alias("day_on"))
    unit = F.struct(F.col("product_id").alias("name"), F.col("quantity").cast("bigint").alias("n"))
    return (
        lines.groupBy(*KEY).agg(*_sums()),
        began.select(*KEY, F.lit(1).alias("n_orders")),
        bought.where("is_item").select(*KEY, F.array(unit).alias("products")),
    )


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
