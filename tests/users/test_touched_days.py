"""Which days of users and products a change of events, visits or lines can reach."""

from datetime import timedelta

from pyspark.sql import DataFrame, SparkSession

from tests.frames import rows_of
from tests.users.shop_rows import AS_OF, ZONE, Row, at, event, line, session
from ulm_spark.config.clock import end_of
from ulm_spark.contracts.silver import EVENTS, ORDER_LINES, SESSIONS
from ulm_spark.contracts.table import Table
from ulm_spark.users.touched_days import may_close_on, touched_product_days, touched_user_days

DAY = timedelta(days=1)


def feed(spark: SparkSession, table: Table, *changes: tuple[str, int, Row]) -> DataFrame:
    """A change feed: of each row what happened to it, and in which version."""
    rows = [{**row, "_change_type": told, "_commit_version": version} for told, version, row in changes]
    return rows_of(spark, f"{table.schema_ddl}, _change_type STRING, _commit_version BIGINT", rows)


def reached(spark: SparkSession, events: DataFrame, lines: DataFrame, known: list[Row]) -> set[tuple[str, int]]:
    """Users and how many days after as_of."""
    visit = session("s", "visitor", at(-9, 23), closes_at=end_of(AS_OF - 9 * DAY, ZONE) + timedelta(seconds=1))
    visits = feed(spark, SESSIONS, ("delete", 5, visit))
    found = touched_user_days(events, visits, lines, rows_of(spark, ORDER_LINES, known), ZONE)
    return {(row["user_id"], (row["day_on"] - AS_OF).days) for row in found.collect()}


def test_a_change_reaches_its_day_and_a_visit_the_day_on_which_it_closed(spark: SparkSession) -> None:
    events = feed(
        spark,
        EVENTS,
        ("insert", 4, event("e1", "u", at(-1), "view")),
        ("delete", 4, event("e2", "w", at(-2), "view")),
        ("insert", 4, event("e3", "seller", at(-3), "listing")),
        ("insert", 4, event("e4", None, at(-4), "view")),
    )
    assert reached(spark, events, feed(spark, ORDER_LINES), []) == {("u", -1), ("w", -2), ("visitor", -8)}


def test_a_purchase_line_reaches_the_other_days_of_its_order(spark: SparkSession) -> None:
    known = [line("l1", "u", at(-5), order_id="o"), line("l2", "u", at(2), order_id="o"), line("l3", "u", at(0))]
    lines = feed(
        spark,
        ORDER_LINES,
        ("insert", 7, known[0]),
        ("insert", 8, line("r1", "u", at(-1), order_id="o-u", line_type="return")),
        ("insert", 9, line("g", None, at(0))),
    )
    assert reached(spark, feed(spark, EVENTS), lines, known) == {("u", -5), ("u", 2), ("u", -1), ("visitor", -8)}


def test_a_line_that_was_only_netted_reaches_nothing_and_one_with_another_price_its_day(spark: SparkSession) -> None:
    first = line("l1", "u", at(0))
    second = line("l2", "w", at(0))
    lines = feed(
        spark,
        ORDER_LINES,
        ("update_preimage", 7, first),
        ("update_postimage", 7, {**first, "netted_quantity": 1}),
        ("update_preimage", 7, second),
        ("update_postimage", 7, {**second, "amount": 3}),
        # Gone in one version and back in another: a run in between may have seen it so.
        ("delete", 8, line("l3", "x", at(0))),
        ("insert", 9, line("l3", "x", at(0))),
    )
    assert reached(spark, feed(spark, EVENTS), lines, []) == {("w", 0), ("x", 0), ("visitor", -8)}


def test_only_visits_that_close_on_the_days_are_looked_at(spark: SparkSession) -> None:
    end = end_of(AS_OF, ZONE)
    closing = (end - DAY, end - DAY + timedelta(microseconds=1), end, end + timedelta(microseconds=1), end + 3 * DAY)
    sessions = rows_of(spark, SESSIONS, [session(f"{n}", "u", end, closes_at=when) for n, when in enumerate(closing)])

    def found(*days: int) -> set[str]:
        near = sessions.where(may_close_on([AS_OF + n * DAY for n in days], ZONE))
        return {row["session_id"] for row in near.collect()}

    assert found() == set()
    assert found(0) == {"1", "2"}
    assert found(3, 1) == {"3", "4"}
    assert found(*range(0, 200, 2)) == {"1", "2", "3", "4"}


def test_a_change_reaches_the_day_of_its_product(spark: SparkSession) -> None:
    events = feed(
        spark,
        EVENTS,
        ("insert", 4, event("e1", None, at(-1), "view", product_id="p")),
        ("delete", 4, event("e2", "u", at(-2), "view", product_id="q")),
        ("insert", 4, event("e3", None, at(-3), "listing", product_id="p")),
        ("insert", 4, event("e4", "u", at(-4), "search")),
    )
    found = {(row["product_id"], (row["day_on"] - AS_OF).days) for row in touched_product_days(events).collect()}
    assert found == {("p", -1), ("q", -2)}
