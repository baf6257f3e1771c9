import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.testing import assertDataFrameEqual

from tests.frames import rows_of, utc
from tests.sessions.shoppers import Row, at, cut, event, key_of
from ulm_spark.config.errors import ConfigError
from ulm_spark.contracts.silver import EVENTS, SESSIONS
from ulm_spark.sessions.sessionize import SessionRules, assign_sessions, sessionize

GAP_S = 1800
FEW = settings(max_examples=3, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def sessions_of(frame: DataFrame) -> dict[str, str]:
    return {row["event_id"]: row["session_id"] for row in assign_sessions(frame, GAP_S).collect()}


def test_a_gap_of_exactly_the_limit_stays_one_session_and_a_microsecond_more_does_not(
    spark: SparkSession,
) -> None:
    events = rows_of(spark, EVENTS, [event("a", at(0)), event("b", at(30)), event("c", at(60, us=1))])
    first, second = key_of("u", "a"), key_of("u", "c")
    assert sessions_of(events) == {"a": first, "b": first, "c": second}


def test_guests_and_listings_belong_to_no_session(spark: SparkSession) -> None:
    rows = [
        event("guest", at(0), user_id=None),
        event("listing", at(1), event_type="listing"),
        event("search", at(2), event_type="search", product_id=None),
    ]
    assert sessions_of(rows_of(spark, EVENTS, rows)) == {"search": key_of("u", "search")}


def test_a_session_sums_up_its_events(spark: SparkSession) -> None:
    rows = [
        event("e1", utc("2024-03-01T23:50:00"), event_type="search", product_id=None),
        event("e2", utc("2024-03-01T23:50:00"), product_id="p1", channel="ads", campaign="spring"),
        event("e3", utc("2024-03-01T23:52:00.5"), product_id="p2", channel="email", device="app"),
        event("e4", utc("2024-03-01T23:53:00"), event_type="click", product_id="p2"),
        event("e5", utc("2024-03-01T23:54:00"), event_type="cart", product_id="p2", currency="USD"),
        event("e6", utc("2024-03-01T23:55:00"), event_type="remove", product_id="p2"),
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
        "session_id": key_of("u", "e1"),
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
        "n_products": 4,
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
        sessionize(rows_of(spark, EVENTS, rows), GAP_S, "Europe/Berlin"), rows_of(spark, SESSIONS, [expected])
    )


def test_a_cart_is_abandoned_only_where_nothing_is_bought_and_one_event_is_a_bounce(
    spark: SparkSession,
) -> None:
    rows = [
        event("a1", at(0), user_id="a", event_type="cart"),
        event("b1", at(0), user_id="b", event_type="cart"),
        event("b2", at(1), user_id="b", event_type="purchase"),
    ]
    sessions = sessionize(rows_of(spark, EVENTS, rows), GAP_S, "UTC").orderBy("user_id")
    flags = sessions.select("user_id", "is_bounce", "has_purchase", "has_abandoned_cart", "currency").collect()
    assert [tuple(row) for row in flags] == [("a", True, False, True, None), ("b", False, True, False, None)]


def test_events_at_one_instant_are_ordered_by_event_id(spark: SparkSession) -> None:
    rows = [event("b", at(0), product_id="second"), event("a", at(0), product_id="first")]
    (session,) = sessionize(rows_of(spark, EVENTS, rows), GAP_S, "UTC").collect()
    assert session["session_id"] == key_of("u", "a")
    assert (session["landing_product_id"], session["exit_product_id"]) == ("first", "second")


def test_a_session_can_be_extended_until_it_closes_and_not_from_then_on(spark: SparkSession) -> None:
    closes_at = at(30, us=1)
    rows = [
        event("a", at(0), user_id="still"),
        event("b", at(30), user_id="still"),
        event("c", at(0), user_id="closed"),
        event("d", closes_at, user_id="closed"),
    ]
    sessions = sessionize(rows_of(spark, EVENTS, rows), GAP_S, "UTC")
    assert sessions.where("user_id = 'still'").count() == 1
    closed = sessions.where("user_id = 'closed'").orderBy("started_at").select("closes_at", "n_events").collect()
    assert [tuple(row) for row in closed] == [
        (closes_at.replace(tzinfo=None), 1),
        (at(60, us=2).replace(tzinfo=None), 1),
    ]


def test_the_events_are_exchanged_once(spark: SparkSession, capsys: pytest.CaptureFixture[str]) -> None:
    sessionize(rows_of(spark, EVENTS, [event("a", at(0))]), GAP_S, "UTC").explain()
    plan = capsys.readouterr().out
    assert plan.count("Exchange") == 1
    assert "Exchange hashpartitioning(user_id" in plan


@st.composite
def shopping(draw: st.DrawFn) -> list[Row]:
    """Many users' events on a grid of half the gap, so that gaps at and about the limit are common."""
    points = st.tuples(st.integers(0, 25), st.integers(0, 60), st.integers(0, 1), st.sampled_from("abc"))
    drawn = draw(st.lists(points, min_size=150, max_size=250))
    return [
        event(f"{place:03}", at(15 * slot, us), user_id=f"u{user}", product_id=product)
        for place, (user, slot, us, product) in enumerate(drawn)
    ]


@FEW
@given(rows=shopping(), seed=st.integers(0, 1000))
def test_any_order_of_arrival_gives_the_sessions_of_a_walk_through_time(
    spark: SparkSession, rows: list[Row], seed: int
) -> None:
    arrived = random.Random(seed).sample(rows, len(rows))
    assert sessions_of(rows_of(spark, EVENTS, arrived).repartition(3)) == cut(rows, GAP_S)


@FEW
@given(rows=shopping())
def test_an_event_after_the_day_changes_no_session_that_was_closed_by_then(
    spark: SparkSession, rows: list[Row]
) -> None:
    end = at(7 * 60 + 30)
    all_events = rows_of(spark, EVENTS, rows)
    known = all_events.where(F.col("event_at") < F.lit(end))
    now, later = (
        sessionize(frame, GAP_S, "UTC").where(F.col("closes_at") <= F.lit(end)).toJSON().collect()
        for frame in (known, all_events)
    )
    assert sorted(now) == sorted(later)
    assert now


def test_a_gap_below_a_second_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"sessions\.gap_s: found 0; expected whole seconds"):
        SessionRules(gap_s=0)
