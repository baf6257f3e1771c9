import pytest
from hypothesis import HealthCheck, given, settings
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.testing import assertDataFrameEqual

from tests.frames import rows_of, utc
from tests.sessions.shoppers import Row, at, event, session_key
from tests.sessions.test_cut import shopping
from ulm_spark.contracts.silver import EVENTS, SESSIONS
from ulm_spark.sessions.cut import SessionRules
from ulm_spark.sessions.fragments import condense_events
from ulm_spark.sessions.sessionize import sessionize

RULES = SessionRules()
FEW = settings(max_examples=3, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def test_a_session_sums_up_its_events(spark: SparkSession) -> None:
    rows = [
        event("e1", utc("2024-03-01T23:50:00"), event_type="search", product_id=None),
        event("e2", utc("2024-03-01T23:50:00"), product_id="p1", channel="ads", campaign="spring"),
        event("e3", utc("2024-03-01T23:52:00.5"), product_id="p2", channel="email", device="app"),
        event("e4", utc("2024-03-01T23:53:00"), event_type="click", product_id="p2"),
        event("e5", utc("2024-03-01T23:54:00"), event_type="cart", product_id="p2", unit_price=4, quantity=2),
        event("e6", utc("2024-03-01T23:55:00"), event_type="remove", product_id="p2", unit_price=3),
        event(
            "e7",
            utc("2024-03-01T23:56:00"),
            event_type="purchase",
            product_id="p1",
            unit_price="2.5",
            quantity=3,
        ),
        event(
            "e8",
            utc("2024-03-01T23:56:00"),
            event_type="purchase",
            product_id="p3",
            unit_price=1,
            currency="EUR",
        ),
        event("e9", utc("2024-03-01T23:57:00"), event_type="return", product_id="p3", unit_price=1, quantity=1),
        event("f0", utc("2024-03-01T23:58:00.9"), event_type="review", product_id="p4", rating=5),
    ]
    expected = {
        "session_id": session_key(utc("2024-03-01T23:50:00")),
        "user_id": "u",
        "started_at": utc("2024-03-01T23:50:00"),
        "ended_at": utc("2024-03-01T23:58:00.9"),
        "closes_at": utc("2024-03-02T00:28:00.900001"),
        "session_on": utc("2024-03-02T00:00:00").date(),
        "duration_s": 480,
        "n_events": 10,
        "n_views": 2,
        "n_searches": 1,
        "n_clicks": 1,
        "n_carts": 1,
        "n_removes": 1,
        "n_purchases": 2,
        "n_returns": 1,
        "n_reviews": 1,
        "mean_dwell_s": 480.9 / 9,
        "funnel_step": "purchase",
        "cart_value": "5",
        "landing_product_id": "p1",
        "exit_product_id": "p4",
        "channel": "ads",
        "campaign": "spring",
        "device": "app",
        "revenue": "8.5",
        "currency": "EUR",
        "has_purchase": True,
    }
    assertDataFrameEqual(
        sessionize(rows_of(spark, EVENTS, rows), RULES, "Europe/Berlin"), rows_of(spark, SESSIONS, [expected])
    )


def test_a_cart_is_abandoned_only_where_nothing_is_bought_and_one_event_is_a_bounce(
    spark: SparkSession,
) -> None:
    rows = [
        event("a1", at(0), user_id="a", event_type="cart"),
        event("b1", at(0), user_id="b", event_type="cart"),
        event("b2", at(1), user_id="b", event_type="purchase"),
    ]
    sessions = sessionize(rows_of(spark, EVENTS, rows), RULES, "UTC").orderBy("user_id")
    flags = sessions.select("user_id", "is_bounce", "has_purchase", "has_abandoned_cart", "currency").collect()
    assert [tuple(row) for row in flags] == [("a", True, False, True, None), ("b", False, True, False, None)]


def test_what_events_of_one_instant_say_does_not_hang_on_their_order(spark: SparkSession) -> None:
    rows = [
        event(f"{place}", at(0), product_id=f"p{place}", channel=f"c{place % 7}", device=f"d{place % 5}")
        for place in range(40)
    ]
    one, other = (sessionize(rows_of(spark, EVENTS, some), RULES, "UTC").collect() for some in (rows, rows[::-1]))
    assert one == other
    (session,) = one
    assert (session["channel"], session["device"], session["n_events"]) == ("c0", "d0", 40)
    assert session["landing_product_id"] != session["exit_product_id"]


def test_a_session_can_be_extended_until_it_closes_and_not_from_then_on(spark: SparkSession) -> None:
    closes_at = at(30, us=1)
    rows = [
        event("a", at(0), user_id="still"),
        event("b", at(30), user_id="still"),
        event("c", at(0), user_id="closed"),
        event("d", closes_at, user_id="closed"),
    ]
    sessions = sessionize(rows_of(spark, EVENTS, rows), RULES, "UTC")
    assert sessions.where("user_id = 'still'").count() == 1
    closed = sessions.where("user_id = 'closed'").orderBy("started_at").select("closes_at", "n_events").collect()
    assert [tuple(row) for row in closed] == [
        (closes_at.replace(tzinfo=None), 1),
        (at(60, us=2).replace(tzinfo=None), 1),
    ]


def test_events_are_summed_up_before_they_are_exchanged(
    spark: SparkSession, capsys: pytest.CaptureFixture[str]
) -> None:
    condense_events(rows_of(spark, EVENTS, [event("a", at(0))]), RULES, "UTC").explain()
    plan = capsys.readouterr().out
    below = plan[plan.index("Exchange hashpartitioning(user_id") :]
    assert "HashAggregate" in below
    assert "SortAggregate" not in plan
    assert "ObjectHashAggregate" not in plan


@FEW
@given(rows=shopping())
def test_an_event_after_the_day_changes_no_session_that_was_closed_by_then(
    spark: SparkSession, rows: list[Row]
) -> None:
    end = at(7 * 60 + 30)
    all_events = rows_of(spark, EVENTS, rows)
    known = all_events.where(F.col("event_at") < F.lit(end))
    now, later = (
        sessionize(frame, RULES, "UTC").where(F.col("closes_at") <= F.lit(end)).toJSON().collect()
        for frame in (known, all_events)
    )
    assert sorted(now) == sorted(later)
    assert now
