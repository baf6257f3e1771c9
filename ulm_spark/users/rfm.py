"""How recently, how often and for how much did each customer buy, next to the others?"""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from ulm_spark.contracts.segments import RFM_CELLS, RFM_GRID, USER_RFM
from ulm_spark.contracts.silver import MONEY

N_SCORES = 5


def score_rfm(features: DataFrame) -> DataFrame:
    """Three scores a customer, each a fifth of the day's customers.

    In:     gold.user_features. Out: gold.user_rfm.
    Rule:   score = 1 + floor(5 (w + t / 2) / n), with n customers, w of them worse and t as good, the customer
            included: fifths by exact rank where no two are equal, and one score for equal values, that of their
            mean rank. In whole numbers, so that no rounding decides.
    Edge:   users who never bought are absent; a single customer has the score 3.
    Source: Hughes (1994), Strategic Database Marketing, chapter 6.
    """
    bought = features.where(F.col("recency_days").isNotNull()).select(
        "as_of",
        "user_id",
        "recency_days",
        F.col("n_purchase_days").alias("frequency"),
        F.col("net_revenue_life").cast(MONEY).alias("monetary"),
        "currency",
    )
    scored = bought
    for name, score, value in (
        ("recency_days", "recency_score", -F.col("recency_days")),
        ("frequency", "frequency_score", F.col("frequency")),
        ("monetary", "monetary_score", F.col("monetary")),
    ):
        scored = scored.join(_scores(bought, name, value).withColumnRenamed("score", score), on=["as_of", name])
    return scored.withColumn("rfm_segment", _cell()).select(*USER_RFM.column_names)


def sum_rfm_grid(scored: DataFrame) -> DataFrame:
    """Users and revenue of every cell that has users.

    In: gold.user_rfm. Out: gold.rfm_grid.
    """
    cells = scored.groupBy("as_of", "recency_score", "frequency_score", "monetary_score", "rfm_segment")
    one_currency = F.when(F.min("currency") == F.max("currency"), F.min("currency"))
    sums = cells.agg(
        F.count(F.lit(1)).alias("n_users"),
        F.sum("monetary").cast(MONEY).alias("revenue"),
        one_currency.alias("currency"),
    )
    return sums.select(*RFM_GRID.column_names)


def _scores(bought: DataFrame, name: str, value: Column) -> DataFrame:
    """The score of each value of a column: as_of, the column, score. Different values alone meet in one task."""
    counted = bought.groupBy("as_of", name).agg(F.count(F.lit(1)).alias("n"))
    of_day = Window.partitionBy("as_of")
    n_all = F.sum("n").over(of_day.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing))
    n_up_to = F.sum("n").over(of_day.orderBy(value).rowsBetween(Window.unboundedPreceding, Window.currentRow))
    place = (2 * n_up_to - F.col("n")) * N_SCORES
    return counted.select("as_of", name, (1 + (place - place % (2 * n_all)) / (2 * n_all)).cast("int").alias("score"))


def _cell() -> Column:
    names = F.array(*(F.array(*map(F.lit, RFM_CELLS[score])) for score in range(1, N_SCORES + 1)))
    return F.element_at(F.element_at(names, F.col("recency_score")), F.col("frequency_score"))
