"""Where does one visit end and the next begin?"""

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from ulm_spark.config.require import require
from ulm_spark.contracts.silver import MONEY, SESSIONS, SHOPPER_EVENT_TYPES
from ulm_spark.sessions.keys import key_of

_US = 1_000_000
_NEEDED = (
    "event_id", "event_at", "event_type", "user_id", "product_id",
    "unit_price", "currency", "quantity", "channel", "campaign", "device",
)  # fmt: skip


@dataclass(frozen=True)
class SessionRules:
    """Section ``sessions``.

    gap_s: the silence, in seconds, that a visit survives; one microsecond more begins the next visit.
    """

    gap_s: int = 1800

    def __post_init__(self) -> None:
        require(self.gap_s >= 1, "sessions.gap_s", self.gap_s, "whole seconds, at least 1")


def assign_sessions(events: DataFrame, gap_s: int) -> DataFrame:
    """The shopper's events, each with the session_id of its visit.

    In:   silver.events, or any frame with event_id (unique), event_at, event_type and user_id.
    Out:  the columns of events, and session_id; grain unchanged.
    Rule: a visit ends where the user's next event comes more than gap_s later; a gap of exactly gap_s
          stays one visit. Events are ordered by (event_at, event_id), never by arrival.
    Edge: listings and events without user_id belong to no visit and are left out.
    """
    visited = _with_first_event(events, gap_s)
    session_id = key_of(F.col("user_id"), F.col("first_event_id"))
    return visited.select(*events.columns, session_id.alias("session_id"))


def sessionize(events: DataFrame, gap_s: int, zone: str) -> DataFrame:
    """One row per visit, from all events that the lake knows.

    In:   silver.events.
    Out:  silver.sessions.
    Rule: as assign_sessions. revenue sums unit_price times quantity over purchases, where a purchase
          without quantity is one unit and one without price is free; its currency is the first
          purchase's that has one. A session is bound to change until closes_at, which is the first
          instant at which no event can extend it.
    Edge: one exchange of the events, by user_id, since a visit lies within a user.
    """
    visited = _with_first_event(events.select(*_NEEDED), gap_s)
    visits = visited.groupBy("user_id", "first_event_id").agg(*_counts(), *_firsts(), *_sales())
    us = F.unix_micros("ended_at") - F.unix_micros("started_at")
    bought = F.col("n_purchases") > 0
    return visits.select(
        "*",
        key_of(F.col("user_id"), F.col("first_event_id")).alias("session_id"),
        F.timestamp_micros(F.unix_micros("ended_at") + gap_s * _US + 1).alias("closes_at"),
        F.to_date(F.from_utc_timestamp("started_at", zone)).alias("session_on"),
        F.floor(us / _US).alias("duration_s"),
        (F.col("n_events") == 1).alias("is_bounce"),
        bought.alias("has_purchase"),
        ((F.col("n_carts") > 0) & ~bought).alias("has_abandoned_cart"),
    ).select(*SESSIONS.column_names)


def _with_first_event(events: DataFrame, gap_s: int) -> DataFrame:
    """Shopper events with place (1 is the user's first) and the event_id of their visit's first event."""
    in_time = Window.partitionBy("user_id").orderBy("event_at", "event_id")
    so_far = in_time.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    at_us = F.unix_micros("event_at")
    silence_us = at_us - F.lag(at_us).over(in_time)
    begins = F.coalesce(silence_us > gap_s * _US, F.lit(True))
    # The running last of the opening events' ids numbers the visits as a running sum of the
    # openings would, and is at once what session_id is made of.
    return (
        events.where(F.col("user_id").isNotNull() & F.col("event_type").isin(*SHOPPER_EVENT_TYPES))
        .select(
            "*",
            F.row_number().over(so_far).alias("place"),
            F.when(begins, F.col("event_id")).alias("opening_event_id"),
        )
        .withColumn("first_event_id", F.last("opening_event_id", ignorenulls=True).over(so_far))
        .drop("opening_event_id")
    )


def _counts() -> list[Column]:
    counted = {
        "n_views": "view", "n_searches": "search", "n_clicks": "click", "n_carts": "cart",
        "n_removes": "remove", "n_purchases": "purchase", "n_returns": "return", "n_reviews": "review",
    }  # fmt: skip
    return [
        F.min("event_at").alias("started_at"),
        F.max("event_at").alias("ended_at"),
        F.count("*").cast("int").alias("n_events"),
        *(F.count_if(F.col("event_type") == kind).cast("int").alias(name) for name, kind in counted.items()),
        # A set, not count(distinct): Spark plans the latter as two more aggregations of all events.
        F.size(F.collect_set("product_id")).alias("n_products"),
    ]


def _firsts() -> list[Column]:
    return [
        _first("product_id").alias("landing_product_id"),
        F.max_by("product_id", _place_of("product_id")).alias("exit_product_id"),
        *(_first(name).alias(name) for name in ("channel", "campaign", "device")),
    ]


def _sales() -> list[Column]:
    is_purchase = F.col("event_type") == "purchase"
    paid = F.coalesce(F.col("unit_price") * F.coalesce("quantity", F.lit(1)), F.lit(0))
    revenue = F.sum(F.when(is_purchase, paid).otherwise(F.lit(0)))
    bought_in = F.when(is_purchase, F.col("currency"))
    place = F.when(bought_in.isNotNull(), F.col("place"))
    return [revenue.cast(MONEY).alias("revenue"), F.min_by(bought_in, place).alias("currency")]


def _first(name: str) -> Column:
    return F.min_by(name, _place_of(name))


def _place_of(name: str) -> Column:
    """The event's place where it has a value of that name; min_by and max_by pass over null places."""
    return F.when(F.col(name).isNotNull(), F.col("place"))
