"""The answers to questions about an instant are what a look at the events after it says."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ulm_spark.sequence.facts import facts_of
from ulm_spark.sequence.learning_conf import HeadsConf
from ulm_spark.sequence.queries import Queries, draw_queries, fixed_queries
from ulm_spark.sequence.rows import DAY_S, PURCHASE_CODE, Rows

P = PURCHASE_CODE
CONF = HeadsConf(tasks=("churn",), horizon_days=2, n_queries=16, visit_gap_s=100, fact_events=4)
Event = tuple[int, int, float]  # second, code, amount


def row_of(events: list[Event], length: int) -> Rows:
    n_padded = length - len(events)
    items = np.array([[0] * n_padded + [1] * len(events)], np.int32)
    codes, at_s, amounts = (np.array([[0] * n_padded + [event[part] for event in events]]) for part in (1, 0, 2))
    return Rows(np.zeros(1, np.uint64), items, codes.astype(np.int32), at_s, amounts.astype(np.float32))


def asked(events: list[Event], known_until_s: int, n_rows: int = 1) -> tuple[Rows, Queries]:
    length = len(events) + 2
    rows = row_of(events, length).take(np.zeros(n_rows, np.int64))
    return draw_queries(rows, np.ones(n_rows, bool), CONF, length, known_until_s, np.random.default_rng(len(events)))


EVENTS = st.lists(st.tuples(st.integers(1, 4 * DAY_S), st.sampled_from([1, P])), min_size=1, max_size=7).map(
    lambda drawn: sorted((at_s, code, 5.0 if code == P else 0.0) for at_s, code in drawn)
)


@given(EVENTS, st.integers(4 * DAY_S, 8 * DAY_S))
def test_answers_are_those_of_the_rule(events: list[Event], known_until_s: int) -> None:
    seen, queries = asked(events, known_until_s)
    assert len(queries) == CONF.n_queries
    for number in range(len(queries)):
        now_s = int(seen.at_s[0, queries.place[number]] + queries.elapsed_s[number])
        assert events[0][0] <= now_s <= known_until_s
        place = sum(event[0] <= now_s for event in events) - 1
        assert int(seen.at_s[0, queries.place[number]]) == events[place][0]
        later = events[place + 1 :]
        assert bool(queries.has_next[number]) == bool(later)
        if later:
            assert int(queries.next_code[number]) == later[0][1]
            assert int(queries.until_next_s[number]) == later[0][0] - now_s
        else:
            assert int(queries.until_next_s[number]) == known_until_s - now_s
        paid = [event[2] for event in later if event[1] == P and event[0] <= now_s + 2 * DAY_S]
        assert bool(queries.is_gone[number]) == (not paid)
        assert float(queries.value[number]) == sum(paid)
        is_over = now_s + 2 * DAY_S <= known_until_s
        if queries.elapsed_s[number] > 0:
            assert bool(queries.has_outcome[number]) == is_over
        else:  # of an event no outcome is asked, unless it happened at any second that was drawn
            assert is_over or not queries.has_outcome[number]


def test_a_visit_goes_on_until_a_silence() -> None:
    events = [(0, 1, 0.0), (50, 1, 0.0), (120, P, 5.0), (500, 1, 0.0), (900, P, 5.0)]
    seen, queries = asked(events, 1000, n_rows=40)
    known = queries.has_visit > 0
    at_s = seen.at_s[queries.row, queries.place][known]
    says = dict(zip(at_s.tolist(), queries.is_buying[known].tolist(), strict=True))
    assert says == {0: 1.0, 50: 1.0, 120: 0.0, 500: 0.0, 900: 0.0}
    assert (queries.elapsed_s[known] <= CONF.visit_gap_s).all()
    still, open_still = asked(events, 950, n_rows=40)
    is_last = still.at_s[open_still.row, open_still.place] == 900
    assert is_last.any()
    assert not open_still.has_visit[is_last].any()


def test_a_window_is_the_last_events_or_ends_with_the_one_before_its_first_instant() -> None:
    events = [(hour * 3600, P if hour % 3 == 0 else 1, 5.0) for hour in range(1, 13)]
    rows = row_of(events, 12).take(np.zeros(50, np.int64))
    seen, queries = draw_queries(rows, np.ones(50, bool), CONF, 4, 13 * 3600, np.random.default_rng(3))
    assert seen.is_item.all()  # what is cut off may have come before, so that no shorter window is known whole
    assert len(set(seen.at_s[:, -1].tolist())) > 4
    main = np.arange(50)
    np.testing.assert_array_equal(queries.row[main], main)
    is_whole = seen.at_s[:, -1] == 12 * 3600
    assert 0.4 < is_whole.mean() < 0.8
    assert (queries.place[main] == 3)[~is_whole].all()
    assert ((queries.place >= 0) & (queries.place <= 3)).all()
    at_end = np.flatnonzero(queries.place == 3)
    asked_of = (queries.row[at_end], queries.place[at_end], queries.elapsed_s[at_end])
    np.testing.assert_array_equal(queries.facts[at_end], facts_of(seen, *asked_of, 4))


def test_half_of_the_instants_are_those_of_events_of_which_no_outcome_is_asked() -> None:
    events = [(hour * 3600, 1, 0.0) for hour in range(10)]
    _, queries = asked(events, 40 * DAY_S, n_rows=100)
    is_event = queries.elapsed_s == 0
    assert 0.4 < is_event.mean() < 0.6
    assert not queries.has_outcome[is_event].any()
    assert queries.has_outcome[~is_event].mean() > 0.9


def test_instants_lie_in_the_last_days_that_are_asked_about() -> None:
    events = [(day * DAY_S, 1, 0.0) for day in range(1, 9)]
    rows = row_of(events, 10).take(np.zeros(50, np.int64))
    late = replace(CONF, asked_days=3)
    seen, queries = draw_queries(rows, np.ones(50, bool), late, 10, 10 * DAY_S, np.random.default_rng(5))
    at_s = seen.at_s[queries.row, queries.place] + queries.elapsed_s
    assert (at_s >= 7 * DAY_S).all()
    assert set(at_s[queries.elapsed_s == 0] // DAY_S) == {7, 8}
    gone = row_of(events[:2], 10).take(np.zeros(5, np.int64))
    seen, queries = draw_queries(gone, np.ones(5, bool), late, 10, 10 * DAY_S, np.random.default_rng(5))
    assert (seen.at_s[queries.row, queries.place] == 2 * DAY_S).all()
    assert (queries.elapsed_s >= 5 * DAY_S).all()


def test_of_full_rows_without_more_than_a_model_sees_nothing_is_asked() -> None:
    full = row_of([(hour * 3600, 1, 0.0) for hour in range(4)], 4)
    seen, queries = draw_queries(full, np.ones(1, bool), CONF, 4, DAY_S, np.random.default_rng(0))
    assert len(queries) == 0
    np.testing.assert_array_equal(seen.items, full.items)


def test_fixed_questions_of_a_user_stay_the_same_beside_others() -> None:
    one, other = row_of([(5, 1, 0.0), (900, P, 5.0)], 4), row_of([(30, 1, 0.0), (60, 1, 0.0)], 4)
    other = replace(other, user_key=np.ones(1, np.uint64))
    seen, alone = fixed_queries(one, 3, CONF, 4, 4 * DAY_S, 1)
    both, beside = fixed_queries(Rows.join([other, one], 4), 3, CONF, 4, 4 * DAY_S, 1)
    chosen = beside.row >= 3
    np.testing.assert_array_equal(both.take(np.arange(3, 6)).at_s, seen.at_s)
    for name in ("place", "elapsed_s", "value", "facts"):
        np.testing.assert_array_equal(getattr(beside, name)[chosen], getattr(alone, name))
    assert len(fixed_queries(Rows.empty(4), 3, CONF, 4, 4 * DAY_S, 1)[1]) == 0


def test_of_rows_that_are_held_out_nothing_is_asked() -> None:
    row, generator = row_of([(5, 1, 0.0)], 3), np.random.default_rng(0)
    assert len(draw_queries(row, np.zeros(1, bool), CONF, 3, 10, generator)[1]) == 0
    assert len(draw_queries(Rows.blank(3), np.ones(1, bool), CONF, 3, 10, generator)[1]) == 0
