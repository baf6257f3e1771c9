"""Where visits end: literal rows for each rule, and a walk through time for all of them together."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from tests.frames import rows_of, utc
from tests.sessions.shoppers import Row, at, cut, event, session_key
from ulm_spark.config.errors import ConfigError
from ulm_spark.contracts.silver import EVENTS
from ulm_spark.sessions.cut import SessionRules, assign_sessions
from ulm_spark.sessions.sessionize import sessionize

FEW = settings(max_examples=2, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
BERLIN = "Europe/Berlin"
ALL_CUTS = SessionRules(longest_s=4000, cut_at_midnight=True, cut_on_campaign=True)


def sessions_of(frame: DataFrame, rules: SessionRules, zone: str = "UTC") -> dict[str, str]:
    return {row["event_id"]: row["session_id"] for row in assign_sessions(frame, rules, zone).collect()}


def test_a_gap_of_exactly_the_limit_stays_one_session_and_a_microsecond_more_does_not(spark: SparkSession) -> None:
    events = rows_of(spark, EVENTS, [event("a", at(0)), event("b", at(30)), event("c", at(60, us=1))])
    first, second = session_key(at(0)), session_key(at(60, us=1))
    assert sessions_of(events, SessionRules()) == {"a": first, "b": first, "c": second}


def test_guests_and_listings_belong_to_no_session(spark: SparkSession) -> None:
    rows = [
        event("guest", at(0), user_id=None),
        event("listing", at(1), event_type="listing"),
        event("search", at(2), event_type="search", product_id=None),
    ]
    assert sessions_of(rows_of(spark, EVENTS, rows), SessionRules()) == {"search": session_key(at(2))}


def test_midnight_is_the_shops_and_campaigns_cut_where_another_is_named(spark: SparkSession) -> None:
    before, after = utc("2024-03-01T22:59:59"), utc("2024-03-01T23:00:00")
    rows = [
        event("a", before, campaign="spring"),
        event("b", after),
        event("c", at(0), user_id="v"),
        event("d", at(1), user_id="v", campaign="spring"),
        event("e", at(2), user_id="v"),
        event("f", at(3), user_id="v", campaign="spring"),
        event("g", at(4), user_id="v", campaign="autumn"),
    ]
    events = rows_of(spark, EVENTS, rows)
    by_day = sessions_of(events, SessionRules(cut_at_midnight=True), BERLIN)
    assert (by_day["a"], by_day["b"]) == (session_key(before), session_key(after))
    assert len({by_day[name] for name in "cdefg"}) == 1
    by_campaign = sessions_of(events, SessionRules(cut_on_campaign=True), BERLIN)
    spring, autumn = session_key(at(1), "v", "spring"), session_key(at(4), "v", "autumn")
    assert [by_campaign[name] for name in "cdefg"] == [session_key(at(0), "v"), spring, spring, spring, autumn]
    assert by_campaign["a"] == by_campaign["b"] == session_key(before, opened_by="spring")


def test_a_visit_without_a_silence_is_cut_every_longest_s_from_its_first_event(spark: SparkSession) -> None:
    rows = [event(f"{place:02}", at(20 * place)) for place in range(8)]
    found = sessions_of(rows_of(spark, EVENTS, rows), SessionRules(longest_s=3600))
    assert [found[f"{place:02}"] for place in range(8)] == [session_key(at(60 * (place // 3))) for place in range(8)]


@st.composite
def shopping(draw: st.DrawFn) -> list[Row]:
    """Many users' events on a grid of half the gap, so that gaps at and about the limit are common."""
    tags = st.tuples(st.sampled_from("abc"), st.sampled_from([None, None, "x", "y"]))
    points = st.tuples(st.integers(0, 25), st.integers(0, 60), st.integers(0, 1), tags)
    drawn = draw(st.lists(points, min_size=150, max_size=250))
    return [
        event(f"{place:03}", at(15 * slot, us), user_id=f"u{user}", product_id=product, campaign=campaign)
        for place, (user, slot, us, (product, campaign)) in enumerate(drawn)
    ]


@pytest.mark.parametrize("rules", [SessionRules(), ALL_CUTS], ids=["gap", "all cuts"])
@FEW
@given(rows=shopping(), seed=st.integers(0, 1000))
def test_any_order_of_arrival_gives_the_sessions_of_a_walk_through_time(
    spark: SparkSession, rules: SessionRules, rows: list[Row], seed: int
) -> None:
    arrived = rows_of(spark, EVENTS, random.Random(seed).sample(rows, len(rows))).repartition(3)
    expected = cut(rows, rules, BERLIN)
    assert sessions_of(arrived, rules, BERLIN) == expected
    summed = {row["session_id"]: row["n_events"] for row in sessionize(arrived, rules, BERLIN).collect()}
    assert summed == {key: list(expected.values()).count(key) for key in set(expected.values())}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"gap_s": 0}, r"sessions\.gap_s: found 0; expected whole seconds, at least 1"),
        ({"longest_s": -1}, r"sessions\.longest_s: found -1; expected whole seconds, or 0"),
    ],
)
def test_rules_that_make_no_sense_are_refused(settings: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SessionRules(**settings)
