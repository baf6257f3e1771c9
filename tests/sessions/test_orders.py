from datetime import date

from pyspark.sql import SparkSession
from pyspark.testing import assertDataFrameEqual

from tests.frames import rows_of, utc
from ulm_spark.contracts.silver import ORDER_LINES, ORDERS
from ulm_spark.sessions.orders import summarise_orders

Row = dict[str, object]


def line(line_id: str, order_id: str, when: str, units: int, price: str, netted: int, **columns: object) -> Row:
    lined_at = utc(when)
    usual: Row = {
        "line_id": line_id,
        "order_id": order_id,
        "line_type": "purchase",
        "lined_at": lined_at,
        "lined_on": lined_at.date(),
        "quantity": units,
        "unit_price": price,
        "amount": units * float(price),
        "currency": "GBP",
        "netted_quantity": netted,
    }
    return usual | columns


def test_an_order_sums_its_purchase_lines_and_what_returns_took_back(spark: SparkSession) -> None:
    lines = [
        line("l1", "100", "2024-03-01T10:00:00", 4, "2.5", 3, country="France"),
        line("l0", "100", "2024-03-01T10:01:00", 1, "7", 0, user_id="u", country="Spain"),
        line("l2", "200", "2024-03-02T10:00:00", 2, "1.25", 2),
        *(line(f"l{n}", "400", "2024-03-02T11:00:00", 2_000_000_000, "0", 0) for n in (4, 5)),
        line("l3", "C300", "2024-03-03T10:00:00", 3, "2.5", 3, line_type="return", amount="-7.5", user_id="u"),
    ]
    orders = [
        {
            "order_id": "100",
            "user_id": "u",
            "ordered_at": utc("2024-03-01T10:00:00"),
            "ordered_on": date(2024, 3, 1),
            "n_lines": 2,
            "n_units": 5,
            "gross_amount": 17,
            "netted_amount": "7.5",
            "net_amount": "9.5",
            "currency": "GBP",
            "country": "France",
        },
        {
            "order_id": "200",
            "ordered_at": utc("2024-03-02T10:00:00"),
            "ordered_on": date(2024, 3, 2),
            "n_lines": 1,
            "n_units": 2,
            "gross_amount": "2.5",
            "netted_amount": "2.5",
            "net_amount": 0,
            "currency": "GBP",
            "is_cancelled": True,
        },
        {
            "order_id": "400",
            "ordered_at": utc("2024-03-02T11:00:00"),
            "ordered_on": date(2024, 3, 2),
            "n_lines": 2,
            "n_units": 4_000_000_000,
            "gross_amount": 0,
            "netted_amount": 0,
            "net_amount": 0,
            "currency": "GBP",
        },
    ]
    assertDataFrameEqual(summarise_orders(rows_of(spark, ORDER_LINES, lines)), rows_of(spark, ORDERS, orders))
