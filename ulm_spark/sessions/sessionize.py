"""What happened in each visit?"""

from functools import reduce
from operator import add

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ulm_spark.contracts.silver import MONEY, SESSIONS, SHOPPER_EVENT_TYPES
from ulm_spark.sessions.cut import US, VISIT, SessionRules, cut_visits, local_day, session_id
from ulm_spark.sessions.fragments import MONEY_PARTS, TAGS, condense_events, currency_of, n_of, place_of


def sessionize(events: DataFrame, rules: SessionRules, zone: str) -> DataFrame:
    """One row per visit, from all events that the lake knows.

    In:   silver.events.
    Out:  silver.sessions.
    Rule: visits as cut_visits finds them. revenue sums unit_price times quantity over purchases, where a
          purchase without quantity is one unit and one without price is free; its currency is the
          first purchase's that has one. Of currencies, channels, campaigns and devices that events of
          one instant say differently, the first in the alphabet counts. A session is bound to change
          until closes_at, which is the first instant at which no event can extend it.
    Edge: events are summed up where they lie (condense_events), then exchanged; their fragments are
          exchanged once more, by user.
    """
    visits = summarise_visits(cut_visits(condense_events(events, rules, zone), rules, zone), rules)
    return name_products(visits, events).select(*_columns(rules.gap_s, zone))


def summarise_visits(fragments: DataFrame, rules: SessionRules) -> DataFrame:
    """One row per visit, from its fragments; products still as hashes."""
    return fragments.groupBy(*VISIT).agg(
        F.max("until_us").alias("ended_us"),
        *(F.sum(n_of(kind)).cast("int").alias(n_of(kind)) for kind in SHOPPER_EVENT_TYPES),
        F.sum("cart_parts").alias("cart_parts"),
        F.sum("paid_parts").alias("paid_parts"),
        F.min_by("landing", place_of("landing", rules)).alias("landing"),
        F.max_by("exit", place_of("exit", rules)).alias("exit"),
        *(F.min(F.when(F.col(tag).isNotNull(), F.struct("from_us", tag)))[tag].alias(tag) for tag in TAGS),
        F.min(place_of("paid_in", rules)).alias("paid_in"),
    )


def name_products(visits: DataFrame, events: DataFrame) -> DataFrame:
    """Visits with landing_product_id and exit_product_id instead of hashes.

    Edge: of products with one hash (one pair in 37 times ten to the 18) the first in the alphabet counts.
    """
    # Distinct first, which Spark does by hashing: the least of many texts it finds by sorting all events. The count
    # is asked for because Spark leaves out a distinct below a least value.
    counted = events.where(F.col("product_id").isNotNull()).groupBy("product_id").agg(F.count(F.lit(1)).alias("n"))
    named = counted.where(F.col("n") > 0).groupBy(F.xxhash64("product_id").alias("hash"))
    products = named.agg(F.min("product_id").alias("product_id"))
    for end in ("landing", "exit"):
        of_end = products.select(F.col("hash").alias(end), F.col("product_id").alias(f"{end}_product_id"))
        visits = visits.join(of_end, on=end, how="left")
    return visits


def _columns(gap_s: int, zone: str) -> list[Column]:
    n_events = reduce(add, (F.col(n_of(kind)) for kind in SHOPPER_EVENT_TYPES))
    us = F.col("ended_us") - F.col("started_us")
    bought, in_cart = F.col("n_purchases") > 0, F.col("n_carts") > 0
    looked = F.col("n_views") + F.col("n_clicks") > 0
    columns = {
        "session_id": session_id(),
        "started_at": F.timestamp_micros("started_us"),
        "ended_at": F.timestamp_micros("ended_us"),
        "closes_at": F.timestamp_micros(F.col("ended_us") + gap_s * US + 1),
        "session_on": local_day(F.timestamp_micros("started_us"), zone),
        "duration_s": F.floor(us / US),
        "mean_dwell_s": F.when(n_events > 1, us / US / (n_events - 1)),
        "n_events": n_events,
        "funnel_step": F.when(bought, "purchase").when(in_cart, "cart").when(looked, "view").otherwise("visit"),
        "currency": currency_of(F.col("paid_in.tie")),
        "cart_value": _money(F.greatest(F.coalesce("cart_parts", F.lit(0)), F.lit(0))),
        "revenue": _money(F.coalesce("paid_parts", F.lit(0))),
        "is_bounce": n_events == 1,
        "has_purchase": bought,
        "has_abandoned_cart": in_cart & ~bought,
    }
    return [columns.get(name, F.col(name)).alias(name) for name in SESSIONS.column_names]


def _money(parts: Column) -> Column:
    return (parts.cast("decimal(22,0)") / MONEY_PARTS).cast(MONEY)
