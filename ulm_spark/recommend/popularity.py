"""Which items does everybody buy just now? The baseline that a recommender must beat."""

from datetime import date, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from ulm_spark.config.clock import start_of
from ulm_spark.recommend.interactions import known_item_events


def rank_popular(events: DataFrame, as_of: date, zone: str, popularity_days: int) -> DataFrame:
    """How many users bought each item lately.

    In:     silver.events, any span.
    Out:    key product_id; score DOUBLE, one row per item bought by the end of as_of.
    Rule:   distinct buyers in the popularity_days local days that end with as_of, plus a fraction below
            1 that grows with the buyers of all time and so only decides between equals.
    Edge:   an item nobody bought in the window has a score below 1; guests do not count.
    """
    first_day = as_of - timedelta(days=popularity_days - 1)
    purchases = known_item_events(events, as_of, zone).where(F.col("event_type") == "purchase")
    recent_buyer = F.when(F.col("event_at") >= F.lit(start_of(first_day, zone)), F.col("user_id"))
    n_buyers_life = F.countDistinct("user_id")
    fraction = n_buyers_life / (n_buyers_life + F.lit(1.0))
    return purchases.groupBy("product_id").agg((F.countDistinct(recent_buyer) + fraction).alias("score"))
