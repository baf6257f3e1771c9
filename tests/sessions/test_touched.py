"""A change of events restates the visits that it can reach, as if all events were cut anew."""

from collections import Counter
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from tests.frames import rows_of, texts_of
from tests.sessions.shoppers import Row, at, event
from tests.sessions.test_cut import ALL_CUTS, BERLIN, shopping
from ulm_spark.contracts.silver import EVENTS, SESSIONS
from ulm_spark.sessions.cut import SessionRules
from ulm_spark.sessions.sessionize import sessionize
from ulm_spark.sessions.touched import (
    Stretch,
    may_hold,
    may_reach,
    reached_events,
    reached_extents,
    stretches_of,
    touched_spans,
    touched_visits,
)

FEW = settings(max_examples=2, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("rules", [SessionRules(), ALL_CUTS], ids=["gap", "all cuts"])
@FEW
@given(rows=shopping(), n_gone=st.integers(0, 40), n_late=st.integers(1, 40))
def test_restated_visits_and_untouched_ones_are_those_of_all_events(
    spark: SparkSession, rules: SessionRules, rows: list[Row], n_gone: int, n_late: int
) -> None:
    gone, late, stay = rows[:n_gone], rows[n_gone : n_gone + n_late], rows[n_gone + n_late :]
    before = rows_of(spark, SESSIONS, _cut(spark, gone + stay, rules))
    after = rows_of(spark, EVENTS, late + stay)
    spans = touched_spans(rows_of(spark, EVENTS, gone + late), rules.gap_s)
    visits = touched_visits(before, spans, rules, BERLIN)
    anew = sessionize(reached_events(after, reached_extents(spans, visits)), rules, BERLIN)
    untouched = Counter(texts_of(before)) - Counter(texts_of(visits.select(*before.columns)))
    assert sorted([*untouched.elements(), *texts_of(anew)]) == texts_of(sessionize(after, rules, BERLIN))


def _cut(spark: SparkSession, rows: list[Row], rules: SessionRules) -> list[Row]:
    """Sessions as plain rows: a frame over them is cheap to ask several times."""
    table = sessionize(rows_of(spark, EVENTS, rows), rules, BERLIN).toArrow()
    return [dict(row) for row in table.to_pylist()]


def test_only_visits_within_the_gap_of_a_change_are_reached(spark: SparkSession) -> None:
    rows = [event("a", at(0)), event("b", at(60)), event("c", at(200)), event("d", at(65), user_id="other")]
    sessions = sessionize(rows_of(spark, EVENTS, rows), SessionRules(), "UTC")
    bridge = rows_of(spark, EVENTS, [event("late", at(30)), event("listing", at(200), event_type="listing")])
    spans = touched_spans(bridge, 1800)
    visits = touched_visits(sessions, spans, SessionRules(), "UTC")
    assert sorted(row["started_at"] for row in visits.collect()) == [
        at(0).replace(tzinfo=None),
        at(60).replace(tzinfo=None),
    ]
    everything = rows_of(spark, EVENTS, [*rows, event("late", at(30))])
    assert sorted(row["event_id"] for row in reached_events(everything, reached_extents(spans, visits)).collect()) == [
        "a",
        "b",
        "late",
    ]


def test_days_are_the_shops_and_a_visit_of_many_days_may_be_reached_from_each(spark: SparkSession) -> None:
    late_at = at(22 * 60 + 45)
    late = touched_spans(rows_of(spark, EVENTS, [event("late", late_at)]), 1800)
    stretches = [Stretch(*row) for row in stretches_of(late, BERLIN, margin_s=1800).orderBy("day").collect()]
    assert [stretch.day for stretch in stretches] == [date(2024, 3, 1), date(2024, 3, 2)]
    ends = {"started_at": late_at, "ended_at": late_at}
    sessions = [
        {"session_id": "before", "session_on": date(2024, 2, 27), "duration_s": 86_400, **ends},
        {"session_id": "long", "session_on": date(2024, 2, 20), "duration_s": 86_401, **ends},
        {"session_id": "day before", "session_on": date(2024, 2, 29), **ends},
        {"session_id": "after", "session_on": date(2024, 3, 3), **ends},
        {"session_id": "over", "session_on": date(2024, 3, 1), **dict.fromkeys(ends, at(22 * 60 + 14))},
        {"session_id": "not begun", "session_on": date(2024, 3, 1), **dict.fromkeys(ends, at(23 * 60 + 16))},
    ]
    frame = rows_of(spark, SESSIONS, sessions)
    assert {row[0] for row in frame.where(may_reach(stretches, SessionRules())).collect()} == {"long", "day before"}
    assert frame.where(may_reach(stretches, ALL_CUTS)).count() == 6


def test_only_events_in_a_stretch_are_looked_for_and_of_many_stretches_all_of_their_days(spark: SparkSession) -> None:
    days = [date(2024, 3, 1), date(2024, 3, 2)]
    rows = [{**event(str(day), at(60 * 24 * n + 5)), "event_on": day} for n, day in enumerate(days)]
    rows += [{**event("out", at(7)), "event_on": days[0]}]
    frame = rows_of(spark, EVENTS, rows)
    stretches = [
        Stretch(day, us, us, 1) for n, day in enumerate(days) if (us := int(at(60 * 24 * n + 5).timestamp() * 1e6))
    ]
    assert {row["event_id"] for row in frame.where(may_hold(stretches)).collect()} == {str(day) for day in days}
    assert frame.where(may_hold(stretches * 30)).count() == 3
