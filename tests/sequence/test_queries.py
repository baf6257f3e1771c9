"""The answers to questions about an instant are what a look at the events after it says."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ulm_spark.sequence.conf import HeadsConf
from ulm_spark.sequence.queries import Queries, draw_queries
from ulm_spark.sequence.rows import DAY_S, PURCHASE_CODE, Rows

P = PURCHASE_CODE
CONF = HeadsConf(tasks=("churn",), horizon_days=2, n_queries=16, visit_gap_s=100)
Event = tuple[int, int, float]  # second, code, amount


def row_of(events: list[Event], length: int) -> Rows:
    n_padded = length - len(events)
    items = np.array([[0] * n_padded + [1] * len(events)], np.int32)
    codes, at_s, amounts = (np.array([[0] * n_padded + [event[part] for event in events]]) for part in (1, 0, 2))
    return Rows(np.zeros(1, np.uint64), items, codes.astype(np.int32), at_s, amounts.astype(np.float32))


def asked(events: list[Event], known_until_s: int, conf: HeadsConf = CONF) -> tuple[Rows, Queries]:
    row = row_of(events, len(events) + 2)
    return row, draw_queries(row, np.ones(1, bool), conf, known_until_s, np.random.default_rng(len(events)))


EVENTS = st.lists(st.tuples(st.integers(1, 4 * DAY_S), st.sampled_from([1, P])), min_size=1, max_size=7).map(
    lambda drawn: sorted((at_s, code, 5.0 if code == P else 0.0) for at_s, code in drawn)
)


@given(EVENTS, st.integers(4 * DAY_S, 8 * DAY_S))
def test_answers_are_those_of_the_rule(events: list[Event], known_until_s: int) -> None:
    row, queries = asked(events, known_until_s)
    assert len(queries) == CONF.n_queries
    for number in range(len(queries)):
        place = int(queries.place[number]) - 2
        now_s = int(row.at_s[0, place + 2] + queries.elapsed_s[number])
        assert events[0][0] <= now_s <= known_until_s
        assert place == sum(event[0] <= now_s for event in events) - 1
        later = events[place + 1 :]
        assert bool(queries.has_next[number]) == bool(later)
        if later:
            assert int(queries.next_code[number]) == later[0][1]
            assert int(queries.until_next_s[number]) == later[0][0] - now_s
        paid = [event[2] for event in later if event[1] == P and event[0] <= now_s + 2 * DAY_S]
        assert bool(queries.is_gone[number]) == (not paid)
        assert float(queries.value[number]) == sum(paid)
        assert bool(queries.has_outcome[number]) == (now_s + 2 * DAY_S <= known_until_s)


def test_a_visit_goes_on_until_a_silence() -> None:
    events = [(0, 1, 0.0), (50, 1, 0.0), (120, P, 5.0), (500, 1, 0.0), (900, P, 5.0)]
    _, queries = asked(events, 1000)
    known = queries.has_visit > 0
    says = dict(zip(queries.place[known] - 2, queries.is_buying[known], strict=True))
    assert says == {0: 1.0, 1: 1.0, 2: 0.0, 3: 0.0, 4: 0.0}
    assert (queries.elapsed_s[known] == 0).all()
    _, open_still = asked(events, 950)
    assert not open_still.has_visit[open_still.place - 2 == 4].any()


def test_of_rows_that_are_held_out_nothing_is_asked() -> None:
    row = row_of([(5, 1, 0.0)], 3)
    generator = np.random.default_rng(0)
    assert len(draw_queries(row, np.zeros(1, bool), CONF, 10, generator)) == 0
    assert len(draw_queries(Rows.blank(3), np.ones(1, bool), CONF, 10, generator)) == 0
