"""Conversion and customers by local day."""

from datetime import date, timedelta

from pyspark.sql import SparkSession
from pyspark.testing import assertDataFrameEqual

from tests.frames import rows_of, texts_of
from tests.users.metric_rows import random_metric_shop
from tests.users.metrics_oracle import days_of, known
from tests.users.shop_rows import AS_OF, ZONE, Row, at, line, session
from ulm_spark.contracts.metrics import DAILY_CONVERSION, DAILY_CUSTOMERS
from ulm_spark.contracts.silver import ORDER_LINES, SESSIONS
from ulm_spark.users.conversion import summarise_conversion
from ulm_spark.users.customers import summarise_customers

ACTIVE = "user_id STRING, active_on DATE"


def day(n: int) -> date:
    return AS_OF + timedelta(days=n)


def test_what_was_bought_was_seen_and_quiet_days_have_no_rate(spark: SparkSession) -> None:
    rows = [
        session("bounced", "a", at(-2)),
        session("viewed", "a", at(-2, 13), n_views=2),
        session("clicked", "f", at(-2, 16), n_clicks=1),
        session("carted unseen", "b", at(-2, 14), n_carts=1),
        session("bought", "c", at(-2, 15), has_purchase=True),
        session("visited", "c", at(0)),
        session("still open", "d", at(0, 23), closes_at=at(1, 1), has_purchase=True),
        session("closes with the day", "e", at(0, 23), closes_at=at(1, 0)),
        session("of tomorrow", "d", at(1), has_purchase=True),
    ]
    expected = [
        (AS_OF, day(-2), 5, 4, 2, 1, 4 / 5, 2 / 4, 1 / 2, 1 / 5),
        (AS_OF, day(-1), 0, 0, 0, 0, None, None, None, None),
        (AS_OF, day(0), 2, 0, 0, 0, 0.0, None, None, 0.0),
    ]
    told = summarise_conversion(rows_of(spark, SESSIONS, rows), AS_OF, ZONE)
    names = DAILY_CONVERSION.column_names
    assertDataFrameEqual(told, rows_of(spark, DAILY_CONVERSION, [dict(zip(names, r, strict=True)) for r in expected]))


def test_a_user_and_a_buyer_is_new_once(spark: SparkSession) -> None:
    active = rows_of(
        spark, ACTIVE, [{"user_id": u, "active_on": day(n)} for u, n in (("a", -2), ("a", 0), ("b", 0), ("c", -2))]
    )
    lines = [
        line("1", "a", at(-2)),
        line("2", "a", at(0)),
        line("3", "b", at(0)),
        line("4", "b", at(0, 14), order_id="another"),
        line("5", "c", at(-2), line_type="return"),
        line("6", None, at(0)),
        line("7", "c", at(1)),
    ]
    told = summarise_customers(active, rows_of(spark, ORDER_LINES, lines), AS_OF, ZONE)
    expected = [(AS_OF, day(-2), 2, 2, 1, 1), (AS_OF, day(-1), 0, 0, 0, 0), (AS_OF, day(0), 2, 1, 2, 1)]
    names = DAILY_CUSTOMERS.column_names
    assertDataFrameEqual(told, rows_of(spark, DAILY_CUSTOMERS, [dict(zip(names, r, strict=True)) for r in expected]))


def test_an_empty_shop_has_no_days(spark: SparkSession) -> None:
    assert summarise_conversion(rows_of(spark, SESSIONS, []), AS_OF, ZONE).count() == 0
    none = rows_of(spark, ACTIVE, [])
    assert summarise_customers(none, rows_of(spark, ORDER_LINES, []), AS_OF, ZONE).count() == 0


def test_days_equal_plain_loops_in_any_order_and_the_future_moves_nothing(spark: SparkSession) -> None:
    shop = random_metric_shop(3, 8)
    facts = shop.frames(spark)
    customers = summarise_customers(facts.active_days, facts.lines, AS_OF, ZONE)
    bought = [row for row in known(shop.lines, "lined_at", AS_OF) if row["line_type"] == "purchase"]
    sets = [days_of(known(shop.events, "event_at", AS_OF), "event_on"), days_of(bought, "lined_on")]
    for row in customers.collect():
        on = row.day_on
        found = [[sum(on in d for d in s.values()), sum(on == min(d) for d in s.values())] for s in sets]
        assert [row.n_active_users, row.n_new_users, row.n_buyers, row.n_new_buyers] == found[0] + found[1]
    by_day: dict[object, list[Row]] = {}
    for one in shop.known().sessions:
        by_day.setdefault(one["session_on"], []).append(one)
    conversion = summarise_conversion(facts.sessions, AS_OF, ZONE)
    for row in conversion.collect():
        visits = by_day.get(row.day_on, [])
        carted = [v for v in visits if v["has_purchase"] or v["n_carts"]]
        assert (row.n_sessions, row.n_cart_sessions) == (len(visits), len(carted))
        assert row.n_purchase_sessions == sum(bool(v["has_purchase"]) for v in visits)
    for other in (shop.known().frames(spark), shop.shuffled().frames(spark)):
        assert texts_of(summarise_conversion(other.sessions, AS_OF, ZONE)) == texts_of(conversion)
        again = summarise_customers(other.active_days, other.lines, AS_OF, ZONE)
        assert texts_of(again) == texts_of(customers)
