"""What facts say is what a look at the events up to the instant says, and nothing later."""

from dataclasses import replace

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from ulm_spark.sequence.facts import N_FACTS, facts_of
from ulm_spark.sequence.rows import DAY_S, N_CODES, PURCHASE_CODE, Rows

P = PURCHASE_CODE
N_SPANS = 6
LENGTH = 8
EVENTS = st.lists(
    st.tuples(st.integers(1, 100 * DAY_S), st.sampled_from([1, 4, P]), st.integers(1, 99)), min_size=1, max_size=LENGTH
)
Event = tuple[int, int, int]


def row_of(events: list[Event]) -> Rows:
    padded = [(0, 0, 0)] * (LENGTH - len(events)) + sorted(events)
    at_s, codes, amounts = (np.array([[event[part] for event in padded]]) for part in range(3))
    paid = np.where(codes == P, amounts, 0).astype(np.float32)
    return Rows(np.zeros(1, np.uint64), (codes > 0).astype(np.int32), codes.astype(np.int32), at_s, paid)


def facts(rows: Rows, place: int, elapsed_s: int) -> np.ndarray:  # type: ignore[type-arg]
    asked = (np.zeros(1, np.int32), np.full(1, place, np.int32), np.full(1, elapsed_s, np.int64))
    found = facts_of(rows, *asked, LENGTH)
    assert found.shape == (1, N_FACTS)
    return np.expm1(found[0].astype(np.float64))


@settings(deadline=None)  # the first call waits for imports
@given(EVENTS, st.integers(0, 40 * DAY_S))
def test_facts_are_counted_by_the_rule(events: list[Event], elapsed_s: int) -> None:
    rows = row_of(events)
    told = facts(rows, LENGTH - 1, elapsed_s)
    now_s = int(rows.at_s[0, -1]) + elapsed_s
    table = pd.DataFrame(sorted(events), columns=["at_s", "code", "amount"])
    bought = table[table["code"] == P]
    spans = [1800, DAY_S, 7 * DAY_S, 30 * DAY_S, 90 * DAY_S, 10**9]
    counts = [
        ((table["code"] == code) & (now_s - table["at_s"] < span)).sum() for span in spans for code in range(1, N_CODES)
    ]
    paid = [bought[now_s - bought["at_s"] < span]["amount"].sum() for span in spans[2:]]
    days = [bought.groupby(bought["at_s"] // DAY_S)["at_s"].min()]
    n_days = [(now_s - days[0] < span).sum() for span in spans[3:]]
    since = [
        now_s - table["at_s"].max(),
        now_s - bought["at_s"].max() if len(bought) else 0,
        now_s - table["at_s"].min(),
    ]
    gaps = days[0].sort_values().diff().dropna()
    mean = gaps.mean() if len(gaps) else 0.0
    times = [*since, gaps.iloc[-1] if len(gaps) else 0.0, mean]
    ratio = since[1] / DAY_S / max(mean / DAY_S, 1e-3) if mean else 0.0
    expected = [
        *counts,
        *paid,
        *n_days,
        *(np.array(times) / DAY_S),
        ratio,
        bought["amount"].sum() / max(len(days[0]), 1),
    ]
    np.testing.assert_allclose(told, expected, rtol=2e-4, atol=1e-5)


@settings(deadline=None)
@given(EVENTS, st.integers(0, LENGTH - 1))
def test_later_events_and_padding_change_no_fact(events: list[Event], n_later: int) -> None:
    rows = row_of(events)
    place = max(LENGTH - 1 - n_later, LENGTH - len(events))
    later = np.arange(LENGTH) > place
    other = replace(rows, codes=np.where(later, P, rows.codes), amounts=np.where(later, 7, rows.amounts))
    np.testing.assert_array_equal(facts(rows, place, 5), facts(other, place, 5))
    first = LENGTH - len(events)
    np.testing.assert_array_equal(facts(rows.last(len(events)), place - first, 5), facts(rows, place, 5))


def test_events_further_back_than_the_length_change_no_fact() -> None:
    events = [(hour * 3600, P if hour % 2 else 1, 5) for hour in range(1, LENGTH + 1)]
    rows = row_of(events)
    asked = (np.zeros(1, np.int32), np.full(1, LENGTH - 1, np.int32), np.full(1, 60, np.int64))
    few = rows.last(3)
    there = (asked[0], np.full(1, 2, np.int32), asked[2])
    np.testing.assert_array_equal(facts_of(rows, *asked, 3), facts_of(few, *there, 3))


def test_no_instant_has_no_facts() -> None:
    none = np.zeros(0, np.int32)
    assert facts_of(Rows.empty(4), none, none, none.astype(np.int64), 4).shape == (0, N_FACTS)
