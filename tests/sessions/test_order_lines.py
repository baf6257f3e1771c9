from collections import deque
from datetime import date

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.testing import assertDataFrameEqual

from tests.frames import rows_of, utc
from tests.sessions.shoppers import Row, at, event, key_of
from ulm_spark.contracts.silver import EVENTS, ORDER_LINES
from ulm_spark.sessions.order_lines import list_order_lines


def line_event(event_id: str, minutes: float, units: int, **columns: object) -> Row:
    """A purchase of so many units, or a return where units is below zero."""
    kind = "purchase" if units > 0 else "return"
    return event(event_id, at(minutes), event_type=kind, quantity=abs(units), unit_price=1, order_id="o", **columns)


def netted(frame: DataFrame) -> dict[str, int]:
    lines = list_order_lines(frame, "UTC", "EUR")
    return {row["line_id"]: row["netted_quantity"] for row in lines.select("line_id", "netted_quantity").collect()}


def test_a_purchase_and_its_return_become_signed_lines(spark: SparkSession) -> None:
    price = {"unit_price": "2.5", "list_price": 3, "currency": "GBP", "country": "France", "product_id": "p1"}
    rows = [
        event("b1", utc("2024-03-01T23:30:00"), event_type="purchase", quantity=4, order_id="100", **price),
        event("r1", utc("2024-03-05T10:00:00"), event_type="return", quantity=3, order_id="C101", **price),
        event("v1", utc("2024-03-01T10:00:00")),
        event("x1", utc("2024-03-01T10:00:00"), event_type="purchase", product_id=None),
    ]
    common = {
        "user_id": "u",
        "product_id": "p1",
        "is_item": True,
        "unit_price": "2.5",
        "list_price": 3,
        "currency": "GBP",
        "country": "France",
        "netted_quantity": 3,
    }
    bought = {
        "line_id": "b1",
        "order_id": "100",
        "line_type": "purchase",
        "lined_at": utc("2024-03-01T23:30:00"),
        "lined_on": date(2024, 3, 2),
        "quantity": 4,
        "amount": 10,
    }
    returned = {
        "line_id": "r1",
        "order_id": "C101",
        "line_type": "return",
        "lined_at": utc("2024-03-05T10:00:00"),
        "lined_on": date(2024, 3, 5),
        "quantity": 3,
        "amount": "-7.5",
    }
    assertDataFrameEqual(
        list_order_lines(rows_of(spark, EVENTS, rows), "Europe/Berlin", "EUR"),
        rows_of(spark, ORDER_LINES, [common | bought, common | returned]),
    )


def test_what_a_line_does_not_say_is_one_unit_free_of_charge_in_the_shops_currency(
    spark: SparkSession,
) -> None:
    lines = list_order_lines(rows_of(spark, EVENTS, [event("b", at(0), event_type="purchase")]), "UTC", "EUR")
    (row,) = lines.select("quantity", "unit_price", "amount", "currency", "netted_quantity").collect()
    assert tuple(row) == (1, 0, 0, "EUR", 0)


def test_without_order_ids_a_users_lines_of_a_kind_and_local_day_are_one_order(spark: SparkSession) -> None:
    rows = [
        event("a", utc("2024-03-01T12:00:00"), event_type="purchase"),
        event("b", utc("2024-03-01T22:59:00"), event_type="purchase"),
        event("c", utc("2024-03-01T23:00:00"), event_type="purchase"),
        event("d", utc("2024-03-01T22:59:00"), event_type="return"),
        event("guest", utc("2024-03-01T12:00:00"), event_type="purchase", user_id=None),
    ]
    lines = list_order_lines(rows_of(spark, EVENTS, rows), "Europe/Berlin", "EUR")
    first = key_of("u", "2024-03-01", "purchase")
    assert {row["line_id"]: row["order_id"] for row in lines.collect()} == {
        "a": first,
        "b": first,
        "c": key_of("u", "2024-03-02", "purchase"),
        "d": key_of("u", "2024-03-01", "return"),
        "guest": "guest",
    }


def test_a_return_takes_back_the_first_bought_first_and_never_more_than_was_bought(
    spark: SparkSession,
) -> None:
    cases = {
        "fifo": [("b1", 2), ("b2", 3), ("r1", -4)],
        "before": [("r1", -5), ("b1", 2), ("r2", -1)],
        "beyond": [("b1", 2), ("r1", -5), ("b2", 4), ("r2", -1)],
    }
    expected = {
        "fifo.b1": 2, "fifo.b2": 2, "fifo.r1": 4,
        "before.r1": 0, "before.b1": 1, "before.r2": 1,
        "beyond.b1": 2, "beyond.r1": 2, "beyond.b2": 1, "beyond.r2": 1,
    }  # fmt: skip
    rows = [
        line_event(f"{case}.{name}", minute, units, product_id=case)
        for case, lines in cases.items()
        for minute, (name, units) in enumerate(lines)
    ]
    assert netted(rows_of(spark, EVENTS, rows)) == expected


def test_of_one_instant_purchases_come_before_returns(spark: SparkSession) -> None:
    rows = [line_event("a-return", 0, -1), line_event("b-purchase", 0, 1)]
    assert netted(rows_of(spark, EVENTS, rows)) == {"a-return": 1, "b-purchase": 1}


def test_users_are_not_netted_against_each_other_and_guests_only_within_an_order(spark: SparkSession) -> None:
    rows = [
        line_event("mine", 0, 1, user_id="me"),
        line_event("yours", 1, -1, user_id="you"),
        line_event("guest", 2, 1, user_id=None) | {"order_id": "g1"},
        line_event("same", 3, -1, user_id=None) | {"order_id": "g1"},
        line_event("other", 4, -1, user_id=None) | {"order_id": "g2"},
    ]
    assert netted(rows_of(spark, EVENTS, rows)) == {"mine": 0, "yours": 0, "guest": 1, "same": 1, "other": 0}


@st.composite
def ledgers(draw: st.DrawFn) -> list[Row]:
    """Purchases and returns of some forty users and products, many at one instant."""
    units = st.integers(-6, 6).filter(bool)
    drawn = draw(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 4), st.integers(0, 9), units), min_size=300))
    return [
        line_event(f"{place:04}", minute, n_units, user_id=f"u{user}", product_id=f"p{product}")
        for place, (user, product, minute, n_units) in enumerate(drawn)
    ]


def queue_oracle(rows: list[Row]) -> dict[str, int]:
    """Nets unit by unit, with a queue for each user and product."""
    taken: dict[str, int] = {str(row["event_id"]): 0 for row in rows}
    queues: dict[tuple[object, object], deque[str]] = {}
    for row in sorted(rows, key=lambda r: (r["event_at"], r["event_type"], r["event_id"])):
        queue = queues.setdefault((row["user_id"], row["product_id"]), deque())
        line_id, units = str(row["event_id"]), int(str(row["quantity"]))
        if row["event_type"] == "purchase":
            queue.extend([line_id] * units)
            continue
        for _ in range(min(units, len(queue))):
            taken[queue.popleft()] += 1
            taken[line_id] += 1
    return taken


@settings(max_examples=3, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(rows=ledgers())
def test_netting_equals_a_queue_with_a_floor(spark: SparkSession, rows: list[Row]) -> None:
    assert netted(rows_of(spark, EVENTS, rows[::-1]).repartition(3)) == queue_oracle(rows)
