"""Random rows of a tiny shop in Tokyo for the metrics: with guests, reviews, answers, orders and spend."""

import random
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from pyspark.sql import DataFrame, SparkSession

from tests.frames import rows_of
from tests.users.shop_rows import AS_OF, ZONE, Row, at, event, line, random_shop
from ulm_spark.config.clock import end_of
from ulm_spark.contracts.marketing import MARKETING_SPEND
from ulm_spark.contracts.silver import EVENTS, ORDER_LINES, ORDERS, SESSIONS, SHOPPER_EVENT_TYPES
from ulm_spark.contracts.user_days import USER_DAYS
from ulm_spark.users.active_days import list_active_days
from ulm_spark.users.shop_metrics import ShopFacts


@dataclass(frozen=True)
class Shop:
    """Rows by table."""

    events: list[Row]
    sessions: list[Row]
    orders: list[Row]
    lines: list[Row]
    spend: list[Row]

    def frames(self, spark: SparkSession) -> ShopFacts:
        """The rows as frames of their contracts."""
        events = rows_of(spark, EVENTS, self.events)
        return ShopFacts(
            events,
            list_active_days(self.user_days(spark), AS_OF),
            rows_of(spark, SESSIONS, self.sessions),
            rows_of(spark, ORDERS, self.orders),
            rows_of(spark, ORDER_LINES, self.lines),
            rows_of(spark, MARKETING_SPEND, self.spend),
        )

    def user_days(self, spark: SparkSession) -> DataFrame:
        """What the events make of silver.user_days, as far as the metrics read it."""
        return rows_of(spark, USER_DAYS, days_of(self.events))

    def known(self) -> "Shop":
        """What the end of as_of knows."""
        end = end_of(AS_OF, ZONE)
        return Shop(
            [row for row in self.events if row["event_at"] < end],  # type: ignore[operator]
            [row for row in self.sessions if row["closes_at"] <= end],  # type: ignore[operator]
            [row for row in self.orders if row["ordered_at"] < end],  # type: ignore[operator]
            [row for row in self.lines if row["lined_at"] < end],  # type: ignore[operator]
            [row for row in self.spend if row["day_on"] <= AS_OF],  # type: ignore[operator]
        )

    def shuffled(self) -> "Shop":
        """The same rows in another order."""
        parts = (self.events, self.sessions, self.orders, self.lines, self.spend)
        return Shop(*(random.Random(2).sample(part, len(part)) for part in parts))


def days_of(events: list[Row]) -> list[Row]:
    """A row per user and local day of a shopper's events: how many, and the first channel."""
    of_day: dict[tuple[object, object], list[Row]] = {}
    for row in events:
        if row["user_id"] is not None and row["event_type"] in SHOPPER_EVENT_TYPES:
            of_day.setdefault((row["user_id"], row["event_on"]), []).append(row)
    days: list[Row] = []
    for (user, day), rows in of_day.items():
        named = [(row["event_at"], row["channel"]) for row in rows if row.get("channel") is not None]
        first = min(named)[1] if named else None  # type: ignore[type-var]
        days.append({"user_id": user, "day_on": day, "n_events": len(rows), "first_channel": first})
    return days


def orders_of(lines: list[Row]) -> list[Row]:
    """silver.orders of purchase lines, as far as the metrics read it."""
    orders: dict[object, Row] = {}
    for row in sorted(lines, key=lambda row: row["lined_at"]):  # type: ignore[arg-type, return-value]
        if row["line_type"] == "purchase" and row["order_id"] not in orders:
            when: Row = {"ordered_at": row["lined_at"], "ordered_on": row["lined_on"]}
            orders[row["order_id"]] = {"order_id": row["order_id"], "user_id": row["user_id"], **when}
    return list(orders.values())


def random_metric_shop(seed: int, n_users: int) -> Shop:
    """Rows from 120 days before as_of to 10 days after it."""
    events, sessions, lines = random_shop(seed, n_users)
    draw = random.Random(seed)
    for n in range(n_users * 4):
        user, when = draw.choice((f"u{draw.randrange(n_users)}", None)), at(draw.randint(-120, 10))
        events.append(event(f"r{n}", user, when, "review", rating=draw.choice((None, 1, 2, 3, 4, 5))))
        answer = {"nps": str(draw.randint(0, 10))}
        events.append(event(f"n{n}", user, at(draw.randint(-120, 10)), "click", attributes=answer))
        lines.append(line(f"g{n}", None, at(draw.randint(-120, 10)), order_id=f"g{n // 2}"))
    for n, days_ago in enumerate((0, 5, 29, 30, 60, 89, 90)):
        events += [event(f"w{n}{k}", f"new{n}", at(min(k - days_ago, 10)), "purchase", channel="ads") for k in (0, 9)]
        lines += [line(f"w{n}{k}", f"new{n}", at(min(k - days_ago, 10)), order_id=f"w{n}{k}") for k in (0, 9)]
    for row in sessions:
        row["has_purchase"] = draw.random() < 0.3
        row["n_views"] = draw.randrange(3)
    spend: list[Row] = []
    for day in range(-120, 10, 3):
        channel = draw.choice(("ads", "email"))
        paid: Row = {"amount": Decimal(draw.randint(0, 900)) / 100, "currency": "JPY", "source_line": day + 200}
        spend.append({"day_on": AS_OF + timedelta(days=day), "channel": channel, **paid})
    return Shop(events, sessions, orders_of(lines), lines, spend)
