"""What do the lists look like? A few users with their history beside what each model recommends."""

from collections.abc import Collection
from datetime import date

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from ulm_spark.contracts.gold import RECOMMENDATION_EXAMPLES
from ulm_spark.recommend.interactions import known_item_events


def pick_examples(hits: DataFrame, n_examples: int) -> DataFrame:
    """A few users chosen by hash, so that nobody picks the flattering ones.

    In:   mark_hits: (model, user_id, ...), so only users who bought something relevant.
    Out:  distinct user_id, at most n_examples.
    Rule: users with lists of the most models first, then by hash of user_id.
    """
    users = hits.groupBy("user_id").agg(F.count("*").alias("n_models"))
    ordered = users.orderBy(F.desc("n_models"), F.xxhash64("user_id"), "user_id")
    return ordered.limit(n_examples).select("user_id")


def recent_history(
    events: DataFrame, users: DataFrame, as_of: date, zone: str, event_types: Collection[str], n_history: int
) -> DataFrame:
    """The last n_history items that each user touched by the end of as_of.

    In:   silver.events; event_types that count as touching; users (user_id).
    Out:  (user_id, list_name "history", place, product_id); place 1 the item touched last.
    Rule: an item stands where it was touched last; ties by product_id.
    """
    known = known_item_events(events, as_of, zone).where(F.col("event_type").isin(*event_types))
    touched = known.join(F.broadcast(users), on="user_id", how="left_semi")
    last = touched.groupBy("user_id", "product_id").agg(F.max("event_at").alias("last_at"))
    latest_first = (
        Window.partitionBy("user_id")
        .orderBy(F.desc("last_at"), "product_id")
        .rowsBetween(Window.unboundedPreceding, Window.currentRow)
    )
    placed = last.withColumn("place", F.row_number().over(latest_first)).where(F.col("place") <= n_history)
    return placed.select("user_id", F.lit("history").alias("list_name"), "place", "product_id")


def list_examples(
    users: DataFrame,
    history: DataFrame,
    recommendations: DataFrame,
    relevant: DataFrame,
    products: DataFrame,
    as_of: date,
    k: int,
) -> DataFrame:
    """The examples' histories and the first k places of their lists, with titles and hits.

    In:   users (user_id); recent_history; rows of gold.item_recommendations and the like, of one as_of;
          relevant (user_id, product_id); silver.products.
    Out:  gold.recommendation_examples.
    """
    listed = (
        recommendations.where(F.col("rank") <= k)
        .join(F.broadcast(users), on="user_id", how="left_semi")
        .select("user_id", F.col("model").alias("list_name"), F.col("rank").alias("place"), "product_id")
    )
    titles = products.select("product_id", "title")
    bought = relevant.select("user_id", "product_id", F.lit(True).alias("is_bought"))
    return (
        history.unionByName(listed)
        .join(titles, on="product_id", how="left")
        .join(bought, on=["user_id", "product_id"], how="left")
        .select("*", F.lit(as_of).alias("as_of"), F.coalesce("is_bought", F.lit(False)).alias("is_hit"))
        .select(*RECOMMENDATION_EXAMPLES.column_names)
    )
