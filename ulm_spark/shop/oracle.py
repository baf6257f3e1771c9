"""How well can anyone do here? The best forecasts that the planted laws allow, from the truth tables.

A model that knows the laws and each shopper's own parameters can't be beaten but by luck, so its
score is the ceiling for every model that is trained on this shop.
"""

from datetime import datetime, timedelta

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from ulm_spark.shop.purchases import PurchaseLaw

TOP = 10


def next_views(events: DataFrame, known_until: datetime) -> DataFrame:
    """Each shopper's last item of the chain before an instant and the first one after it.

    In:     truth.events.
    Out:    key user_id; product_id, next_id.
    Edge:   a shopper without a view on either side is absent.
    """
    chain = events.where(F.col("chain_step").isNotNull())
    is_known = F.col("event_at") < F.lit(known_until)
    sides = chain.groupBy("user_id").agg(
        F.max_by("product_id", F.when(is_known, F.col("chain_step"))).alias("product_id"),
        F.min_by("product_id", F.when(~is_known, F.col("chain_step"))).alias("next_id"),
    )
    return sides.where(F.col("product_id").isNotNull() & F.col("next_id").isNotNull())


def next_item_probabilities(
    current: DataFrame,
    users: DataFrame,
    items: DataFrame,
    successors: DataFrame,
    persona_items: DataFrame,
    successor_weight: float,
    known_until: datetime,
) -> DataFrame:
    """The probability of each item listed by an instant to be a shopper's next.

    In:     current with user_id and product_id, the last item looked at; the truth tables.
            successor_weight as truth.laws has it.
    Out:    key (user_id, product_id); probability, summing to 1 over a shopper's rows.
    Rule:   the law next_item of truth.laws.
    """
    mine = Window.partitionBy("user_id").rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    listed = items.where(F.col("listed_at") < F.lit(known_until)).select("product_id")
    taste = persona_items.join(listed, on="product_id", how="left_semi").withColumnRenamed("probability", "taste")
    followed = successors.select(
        F.col("product_id").alias("current_id"),
        F.col("successor_id").alias("product_id"),
        F.col("probability").alias("share"),
    )
    shoppers = current.select("user_id", F.col("product_id").alias("current_id")).join(
        users.select("user_id", "persona"), on="user_id", how="inner"
    )
    choices = (
        shoppers.join(taste, on="persona", how="inner")
        .where(F.col("product_id") != F.col("current_id"))
        .join(followed, on=["current_id", "product_id"], how="left")
        .withColumn("share", F.coalesce("share", F.lit(0.0)))
    )
    by_taste = (1 - successor_weight * F.sum("share").over(mine)) * F.col("taste") / F.sum("taste").over(mine)
    return choices.select("user_id", "product_id", (successor_weight * F.col("share") + by_taste).alias("probability"))


def next_item_ceiling(
    probabilities: DataFrame, views: DataFrame, events: DataFrame, known_until: datetime
) -> DataFrame:
    """NDCG@10 of the oracle's list and of the most viewed items, against the next item of next_views.

    Out:    key user_id; ndcg_oracle and ndcg_popularity as it came out; ndcg_expected: what the
            oracle's list is worth on average, the ceiling without luck.
    Rule:   one relevant item, so NDCG is 1 / log2(1 + rank), 0 beyond rank 10. Ties by product_id.
    """
    best_first = (
        Window.partitionBy("user_id")
        .orderBy(F.col("probability").desc(), "product_id")
        .rowsBetween(Window.unboundedPreceding, Window.currentRow)
    )
    ranked = probabilities.withColumn("rank", F.row_number().over(best_first)).where(F.col("rank") <= TOP)
    gain = 1 / F.log2(F.col("rank") + 1)
    oracle = (
        views.select("user_id", "next_id")
        .join(ranked, on="user_id", how="left")
        .groupBy("user_id", "next_id")
        .agg(
            F.coalesce(F.sum(F.when(F.col("product_id") == F.col("next_id"), gain)), F.lit(0.0)).alias("ndcg_oracle"),
            F.coalesce(F.sum(F.col("probability") * gain), F.lit(0.0)).alias("ndcg_expected"),
        )
    )
    known = events.where(F.col("chain_step").isNotNull() & (F.col("event_at") < F.lit(known_until)))
    counted = known.groupBy("product_id").agg(F.count("event_id").alias("n_views"))
    most_viewed = Window.orderBy(F.col("n_views").desc(), "product_id")
    popular = counted.withColumn("rank", F.row_number().over(most_viewed)).where(F.col("rank") <= TOP)
    gains = popular.select(F.col("product_id").alias("next_id"), gain.alias("ndcg_popularity"))
    joined = oracle.join(F.broadcast(gains), on="next_id", how="left")
    popularity = F.coalesce("ndcg_popularity", F.lit(0.0)).alias("ndcg_popularity")
    return joined.select("user_id", "ndcg_oracle", "ndcg_expected", popularity)


def churn_ceiling(
    users: DataFrame,
    events: DataFrame,
    clocks: DataFrame,
    law: PurchaseLaw,
    known_until: datetime,
    active_days: int,
    horizon_days: int,
) -> DataFrame:
    """The best forecasts of no purchase in the horizon, for shoppers who bought in the active window.

    In:     the truth tables; law with the parameters in truth.laws.
    Out:    key user_id; is_churned, the outcome; the probability of it with growing knowledge:
            p_from_history (the law's four parameters and the purchases so far), p_from_parameters
            (the shopper's own rate and dropout probability too), p_from_state (alive or not, too).
    Rule:   all on the persona's clock; a purchase is dated by its first event.
    Edge:   a horizon that ends after the simulation gives no rows.
    Source: Fader, Hardie & Lee (2005), Marketing Science 24(2), 275-284; P(alive) after Fader, Hardie & Lee
            (2008), Computing P(alive) using the BG/NBD model.
    """
    ends_at = known_until + timedelta(days=horizon_days)
    active_from = known_until - timedelta(days=active_days)
    histories = _histories(events, known_until, ends_at).where(F.col("last_at") >= F.lit(active_from))
    shoppers = histories.join(
        users.select("user_id", "persona", "purchases_per_week", "p_drop", "dropped_at"), on="user_id", how="inner"
    ).withColumns({"known_until": F.lit(known_until), "ends_at": F.lit(ends_at)})
    for instant in ("first_at", "last_at", "known_until", "ends_at"):
        shoppers = _read_clock(shoppers, clocks, instant)
    silent = F.col("known_until_weeks") - F.col("last_at_weeks")
    horizon = F.col("ends_at_weeks") - F.col("known_until_weeks")
    rate, p_drop, is_repeater = F.col("purchases_per_week"), F.col("p_drop"), F.col("n_repeats") > 0
    none_if_alive = F.exp(-rate * horizon)
    stayed = (1 - p_drop) * F.exp(-rate * silent)
    p_alive = F.when(is_repeater, stayed / (p_drop + stayed)).otherwise(1.0)
    is_dead = F.coalesce(F.col("dropped_at") < F.lit(known_until), F.lit(False))
    return shoppers.select(
        "user_id",
        "is_churned",
        _from_history(law, horizon).alias("p_from_history"),
        (1 - p_alive * (1 - none_if_alive)).alias("p_from_parameters"),
        F.when(is_dead, 1.0).otherwise(none_if_alive).alias("p_from_state"),
    )


def _histories(events: DataFrame, known_until: datetime, ends_at: datetime) -> DataFrame:
    """Purchases by shopper: n_repeats, first_at, last_at as known, and whether none came in the horizon."""
    orders = (
        events.where(F.col("event_type") == "purchase")
        .groupBy("user_id", "session_id")
        .agg(F.min("event_at").alias("ordered_at"))
    )
    is_known = F.col("ordered_at") < F.lit(known_until)
    is_outcome = ~is_known & (F.col("ordered_at") < F.lit(ends_at))
    known_at = F.when(is_known, F.col("ordered_at"))
    return orders.groupBy("user_id").agg(
        (F.count(known_at) - 1).alias("n_repeats"),
        F.min(known_at).alias("first_at"),
        F.max(known_at).alias("last_at"),
        (F.count(F.when(is_outcome, True)) == 0).alias("is_churned"),
    )


def _read_clock(shoppers: DataFrame, clocks: DataFrame, instant: str) -> DataFrame:
    """Adds what the persona's clock shows at an instant, between whole hours in proportion."""
    hours = clocks.select("persona", F.col("hour_at").alias("from_at"), F.col("clock_weeks").alias("from_weeks"))
    until = clocks.select(
        "persona",
        (F.col("hour_at") - F.expr("INTERVAL 1 HOUR")).alias("from_at"),
        F.col("clock_weeks").alias("until_weeks"),
    )
    edges = hours.join(until, on=["persona", "from_at"], how="left")
    placed = shoppers.withColumn("from_at", F.date_trunc("hour", instant)).join(
        edges, on=["persona", "from_at"], how="inner"
    )
    part = (F.unix_millis(instant) - F.unix_millis("from_at")) / 3_600_000
    # The last hour mark has no next one, and needs none.
    rise = F.coalesce(F.col("until_weeks") - F.col("from_weeks"), F.lit(0.0))
    return placed.withColumn(f"{instant}_weeks", F.col("from_weeks") + part * rise).drop(
        "from_at", "from_weeks", "until_weeks"
    )


def _from_history(law: PurchaseLaw, horizon: Column) -> Column:
    """No purchase in the horizon, given only the law and the purchases so far: the rate is integrated out."""
    repeats = F.col("n_repeats")
    shape = F.lit(law.r) + repeats
    age = law.alpha + F.col("known_until_weeks") - F.col("first_at_weeks")
    age_at_last = law.alpha + F.col("last_at_weeks") - F.col("first_at_weeks")
    odds = F.when(repeats > 0, law.a / (law.b + repeats - 1) * F.pow(age / age_at_last, shape)).otherwise(0.0)
    return 1 - (1 - F.pow(age / (age + horizon), shape)) / (1 + odds)
