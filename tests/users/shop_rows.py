"""Rows of a tiny shop in Tokyo: literal ones by short calls, random ones by seed."""

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from pyspark.sql import DataFrame, SparkSession

from tests.frames import rows_of
from ulm_spark.contracts.silver import EVENTS, ORDER_LINES, SESSIONS

ZONE = "Asia/Tokyo"
AS_OF = date(2024, 3, 31)
Row = dict[str, object]


def at(day: int, hour: int = 12) -> datetime:
    """Noon, or another local hour, that many days after as_of."""
    local = datetime(AS_OF.year, AS_OF.month, AS_OF.day, hour, tzinfo=ZoneInfo(ZONE)) + timedelta(days=day)
    return local.astimezone(UTC)


def _local(instant: datetime) -> date:
    return instant.astimezone(ZoneInfo(ZONE)).date()


def event(event_id: str, user_id: str | None, event_at: datetime, event_type: str, **more: object) -> Row:
    """A row of silver.events."""
    core: Row = {"event_id": event_id, "user_id": user_id, "event_at": event_at, "event_type": event_type}
    return {**core, "event_on": _local(event_at), **more}


def session(session_id: str, user_id: str, started_at: datetime, **more: object) -> Row:
    """A row of silver.sessions of a single event."""
    core: Row = {"session_id": session_id, "user_id": user_id, "started_at": started_at, "n_events": 1}
    return {**core, "session_on": _local(started_at), "closes_at": started_at + timedelta(minutes=30), **more}


def line(line_id: str, user_id: str | None, lined_at: datetime, **more: object) -> Row:
    """A row of silver.order_lines: one item at a price of ten unless told."""
    row: Row = {
        "line_id": line_id, "order_id": f"o-{user_id}", "line_type": "purchase", "user_id": user_id,
        "product_id": "p1", "is_item": True, "quantity": 1, "unit_price": Decimal(10), "currency": "JPY",
        "lined_at": lined_at, "lined_on": _local(lined_at), **more,
    }  # fmt: skip
    quantity, price = row["quantity"], row["unit_price"]
    assert isinstance(quantity, int)
    assert isinstance(price, Decimal)
    return {**row, "amount": price * quantity * (1 if row["line_type"] == "purchase" else -1)}


def random_shop(seed: int, n_users: int) -> tuple[list[Row], list[Row], list[Row]]:
    """Events, sessions and order lines from 120 days before as_of to 10 days after it."""
    draw = random.Random(seed)
    events, sessions, lines = [], [], []
    for n in range(n_users * 40):
        user = f"u{draw.randrange(n_users)}"
        when = at(draw.randint(-120, 10), 0) + timedelta(seconds=draw.randrange(86_400))
        kind = draw.choice(("view", "view", "search", "cart", "purchase", "return"))
        traits: Row = {
            "category": draw.choice(("a", "b/c", "d", None)),
            "device": draw.choice(("app", "mobile", None)),
            "channel": draw.choice(("ads", "email", None)),
        }
        events.append(event(f"e{n}", user, when, kind, **traits))
        if draw.random() < 0.3:
            n_carts = draw.randrange(3)
            sizes: Row = {"n_events": draw.randint(1, 9), "duration_s": draw.randrange(5_000), "n_carts": n_carts}
            sessions.append(
                session(f"s{n}", user, when, has_abandoned_cart=n_carts > 0 and draw.random() < 0.5, **sizes)
            )
        if kind in ("purchase", "return"):
            bought: Row = {
                "order_id": f"o{user}-{n // 60}" if kind == "purchase" else f"c{n}", "line_type": kind,
                "product_id": f"p{draw.randrange(6)}", "is_item": draw.random() < 0.9, "quantity": draw.randint(1, 5),
                "unit_price": Decimal(draw.randint(1, 40)) / 4, "list_price": draw.choice((None, Decimal(8))),
            }  # fmt: skip
            lines.append(line(f"e{n}", user, when, **bought))
    return events, sessions, lines


def shop_frames(
    spark: SparkSession, events: list[Row], sessions: list[Row], lines: list[Row]
) -> tuple[DataFrame, DataFrame, DataFrame]:
    """The rows as frames of their contracts."""
    return rows_of(spark, EVENTS, events), rows_of(spark, SESSIONS, sessions), rows_of(spark, ORDER_LINES, lines)
