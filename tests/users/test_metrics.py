from datetime import date, datetime
from random import Random

import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.testing import assertDataFrameEqual

from tests.frames import rows_of, utc
from ulm_spark.config.clock import end_of
from ulm_spark.contracts.bronze import QUARANTINE
from ulm_spark.contracts.gold import DAILY_ACTIVITY, DATA_QUALITY, FUNNEL, RETENTION
from ulm_spark.contracts.silver import EVENTS, ORDER_LINES, ORDERS, SESSIONS
from ulm_spark.users.metrics import summarise_days, summarise_funnel, summarise_quality, summarise_retention

AS_OF = date(2024, 3, 3)
Row = dict[str, object]


def event(event_id: str, event_at: datetime, event_type: str, user_id: str | None, **columns: object) -> Row:
    when: Row = {"event_at": event_at, "event_on": event_at.date()}
    return {**when, "event_id": event_id, "event_type": event_type, "user_id": user_id, **columns}


def session(session_id: str, user_id: str, started_at: str, closes_at: str, **columns: object) -> Row:
    begun = utc(started_at)
    usual: Row = {"session_on": begun.date(), "started_at": begun, "closes_at": utc(closes_at)}
    return {**usual, "session_id": session_id, "user_id": user_id, **columns}


def line(line_id: str, user_id: str | None, lined_at: datetime, **columns: object) -> Row:
    usual: Row = {"line_type": "purchase", "amount": 10, "currency": "EUR", "quantity": 1, "is_item": True}
    when: Row = {"lined_at": lined_at, "lined_on": lined_at.date()}
    return {**usual, **when, "line_id": line_id, "order_id": line_id, "user_id": user_id, **columns}


def test_each_local_day_up_to_as_of_has_a_row_quiet_days_too(spark: SparkSession) -> None:
    day = date(2024, 3, 1)
    events = [
        event("1", utc("2024-03-01T10:00:00"), "view", "u"),
        event("2", utc("2024-03-01T11:00:00"), "cart", "u"),
        event("3", utc("2024-03-01T12:00:00"), "purchase", None),
        event("4", utc("2024-02-20T12:00:00"), "listing", None),
        event("5", utc("2024-03-03T23:00:00"), "view", "u", event_on=date(2024, 3, 4)),
    ]
    sessions = [session("s", "u", "2024-03-01T10:00:00", "2024-03-05T00:00:00")]
    orders = [{"order_id": "3", "ordered_at": utc("2024-03-01T12:00:00"), "ordered_on": day}]
    lines = [
        line("3", None, utc("2024-03-01T12:00:00"), amount="12.5"),
        line("6", None, utc("2024-03-03T22:59:59"), line_type="return", amount=-5),
        line("7", None, utc("2024-03-03T23:00:00"), lined_on=date(2024, 3, 4)),
    ]
    expected = [
        {
            "as_of": AS_OF,
            "day_on": day,
            "n_events": 2,
            "n_sessions": 1,
            "n_users": 1,
            "n_orders": 1,
            "gross_revenue": "12.5",
            "net_revenue": "12.5",
            "currency": "EUR",
        },
        {"as_of": AS_OF, "day_on": date(2024, 3, 2)},
        {"as_of": AS_OF, "day_on": AS_OF, "net_revenue": -5, "currency": "EUR"},
    ]
    days = summarise_days(
        rows_of(spark, EVENTS, events),
        rows_of(spark, SESSIONS, sessions),
        rows_of(spark, ORDERS, orders),
        rows_of(spark, ORDER_LINES, lines),
        AS_OF,
        "Europe/Berlin",
    )
    assertDataFrameEqual(days, rows_of(spark, DAILY_ACTIVITY, expected))


def test_a_session_reached_a_step_if_it_did_that_or_a_later_one(spark: SparkSession) -> None:
    sessions = [
        session("visit", "a", "2024-03-01T10:00:00", "2024-03-01T10:30:00"),
        session("bought unseen", "a", "2024-03-02T10:00:00", "2024-03-02T10:30:00", has_purchase=True),
        session("carted", "b", "2024-02-03T10:00:00", "2024-02-03T10:30:00", n_carts=1, n_views=2),
        session("viewed", "b", "2024-03-03T10:00:00", "2024-03-04T00:00:00", n_views=1),
        session("too old", "c", "2024-02-02T10:00:00", "2024-02-02T10:30:00", has_purchase=True),
        session("still open", "d", "2024-03-03T23:40:00", "2024-03-04T00:10:00", has_purchase=True),
    ]
    reached = [(1, "visit", 4, 2), (2, "view", 3, 2), (3, "cart", 2, 2), (4, "purchase", 1, 1)]
    names = ("step", "step_name", "n_sessions", "n_users")
    expected = [{"as_of": AS_OF, **dict(zip(names, step, strict=True))} for step in reached]
    funnel = summarise_funnel(rows_of(spark, SESSIONS, sessions), AS_OF, "UTC")
    assertDataFrameEqual(funnel, rows_of(spark, FUNNEL, expected))


def test_a_shop_without_sessions_has_a_funnel_of_zeros(spark: SparkSession) -> None:
    funnel = summarise_funnel(rows_of(spark, SESSIONS, []), AS_OF, "UTC")
    assert [tuple(row)[1:] for row in funnel.orderBy("step").collect()] == [
        (1, "visit", 0, 0),
        (2, "view", 0, 0),
        (3, "cart", 0, 0),
        (4, "purchase", 0, 0),
    ]


def test_a_cohort_is_followed_month_by_month_to_the_month_of_as_of(spark: SparkSession) -> None:
    lines = [
        line("1", "a", utc("2024-01-31T10:00:00")),
        line("2", "a", utc("2024-03-01T10:00:00")),
        line("3", "b", utc("2024-01-01T10:00:00")),
        line("4", "c", utc("2024-03-03T10:00:00")),
        line("5", "c", utc("2024-02-01T10:00:00"), line_type="return"),
        line("6", None, utc("2024-01-01T10:00:00")),
        line("7", "b", utc("2024-03-04T00:00:00")),
    ]
    january, march = date(2024, 1, 1), date(2024, 3, 1)
    cells = [(january, 0, 2, 2, True), (january, 1, 2, 0, True), (january, 2, 2, 1, False), (march, 0, 1, 1, False)]
    expected = [dict(zip(RETENTION.column_names, (AS_OF, *cell), strict=True)) for cell in cells]
    retention = summarise_retention(rows_of(spark, ORDER_LINES, lines), AS_OF, "UTC")
    assertDataFrameEqual(retention, rows_of(spark, RETENTION, expected))


def test_the_last_day_of_a_month_completes_it(spark: SparkSession) -> None:
    lines = rows_of(spark, ORDER_LINES, [line("1", "a", utc("2024-02-01T10:00:00"))])
    complete = [
        summarise_retention(lines, day, "UTC").first()["is_complete"] for day in (date(2024, 2, 28), date(2024, 2, 29))
    ]
    assert complete == [False, True]


def test_retention_equals_pandas_cohorts(spark: SparkSession) -> None:
    random = Random(7)
    days = pd.date_range("2023-01-01", "2024-03-03", tz="UTC")
    lines = [line(str(n), f"u{random.randrange(60)}", random.choice(days).to_pydatetime()) for n in range(500)]
    bought = pd.DataFrame(lines)
    bought["month"] = bought["lined_at"].dt.year * 12 + bought["lined_at"].dt.month
    bought["cohort"] = bought.groupby("user_id")["month"].transform("min")
    kept = bought.assign(since=bought["month"] - bought["cohort"]).groupby(["cohort", "since"])["user_id"].nunique()
    rows = summarise_retention(rows_of(spark, ORDER_LINES, lines), AS_OF, "UTC").collect()
    found = {(r["cohort_on"].year * 12 + r["cohort_on"].month, r["months_since"]): r["n_retained"] for r in rows}
    assert {cell: n for cell, n in found.items() if n} == kept.to_dict()
    sizes = {(r["cohort_on"].year * 12 + r["cohort_on"].month): r["n_users"] for r in rows}
    assert sizes == bought.groupby("cohort")["user_id"].nunique().to_dict()


def test_every_row_of_a_source_is_kept_or_has_its_reason(spark: SparkSession) -> None:
    events = [{"event_id": "1", "source": "clicks"}, {"event_id": "2", "source": "clicks"}]
    refused = [
        {"source": "clicks", "reason": "duplicate"},
        {"source": "clicks", "reason": "duplicate", "source_line": 2},
        {"source": "invoices", "reason": "bad_event_at"},
    ]
    outcomes = [("clicks", "kept", 2), ("clicks", "duplicate", 2), ("invoices", "bad_event_at", 1)]
    expected = [dict(zip(DATA_QUALITY.column_names, (AS_OF, *outcome), strict=True)) for outcome in outcomes]
    quality = summarise_quality(rows_of(spark, EVENTS, events), rows_of(spark, QUARANTINE, refused), AS_OF)
    assertDataFrameEqual(quality, rows_of(spark, DATA_QUALITY, expected))


def figures(events: DataFrame, sessions: DataFrame, orders: DataFrame, lines: DataFrame) -> list[str]:
    """Every row of the tables that must not look past as_of, as JSON."""
    tables = (
        summarise_days(events, sessions, orders, lines, AS_OF, "UTC"),
        summarise_funnel(sessions, AS_OF, "UTC"),
        summarise_retention(lines, AS_OF, "UTC"),
    )
    day, funnel, retention = (table.select(F.to_json(F.struct("*"))) for table in tables)
    return sorted(row[0] for row in day.union(funnel).union(retention).collect())


def test_nothing_that_happens_after_the_day_changes_its_figures(spark: SparkSession) -> None:
    random = Random(1)
    instants = [
        random.choice(pd.date_range("2024-02-20", "2024-03-09", freq="6h", tz="UTC")).to_pydatetime()
        for _ in range(200)
    ]
    users = [f"u{random.randrange(9)}" for _ in instants]
    shopped = list(enumerate(zip(users, instants, strict=True)))
    events = [event(str(n), when, "view", user) for n, (user, when) in shopped]
    sessions = [
        {"session_id": str(n), "user_id": user, "started_at": when, "closes_at": when, "session_on": when.date()}
        for n, (user, when) in shopped
    ]
    orders = [{"order_id": str(n), "ordered_at": when, "ordered_on": when.date()} for n, (_, when) in shopped]
    lines = [line(str(n), user, when) for n, (user, when) in shopped]
    frames = [
        (rows_of(spark, EVENTS, events), "event_at"),
        (rows_of(spark, SESSIONS, sessions), "started_at"),
        (rows_of(spark, ORDERS, orders), "ordered_at"),
        (rows_of(spark, ORDER_LINES, lines), "lined_at"),
    ]
    end = F.lit(end_of(AS_OF, "UTC"))
    known = [frame.where(F.col(instant) < end) for frame, instant in frames]
    assert figures(*known) == figures(*(frame for frame, _ in frames))
