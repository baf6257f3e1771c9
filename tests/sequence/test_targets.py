from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.sequence.histories import rows
from ulm_spark.sequence.learning_conf import TargetsConf
from ulm_spark.sequence.rows import PURCHASE_CODE
from ulm_spark.sequence.targets import Targets, draw_targets

P = PURCHASE_CODE
CONF = TargetsConf(n_events=1, n_positions=64, exclude_seen=False)


def named(targets: Targets) -> set[tuple[int, int]]:
    """(place, item) of every target of the first row."""
    return {
        (int(place), int(item))
        for place, items, weights in zip(targets.place, targets.items, targets.weights, strict=True)
        for item, weight in zip(items, weights, strict=True)
        if weight
    }


def drawn(items: list[int], n_events: int, *, codes: list[int] | None = None, seen: bool = False) -> Targets:
    conf = replace(CONF, n_events=n_events, exclude_seen=seen)
    return draw_targets(rows([items], [codes] if codes else None), conf, np.random.default_rng(0))


def test_one_target_event_is_the_next_item() -> None:
    assert named(drawn([0, 1, 2, 3], 1)) == {(1, 2), (2, 3)}


def test_more_target_events_name_each_item_once() -> None:
    assert named(drawn([1, 2, 2, 3], 3)) == {(0, 2), (0, 3), (1, 3), (2, 3)}


def test_the_item_at_the_place_is_no_next_item() -> None:
    assert named(drawn([1, 1, 2], 1)) == {(1, 2)}


def test_items_bought_before_are_no_targets_where_seen_ones_are_excluded() -> None:
    assert named(drawn([1, 2, 1, 3], 1, codes=[P, 1, 1, 1], seen=True)) == {(0, 2), (2, 3)}
    assert named(drawn([1, 2, 1, 3], 1, codes=[1, 1, 1, 1], seen=True)) == {(0, 2), (1, 1), (2, 3)}


def test_a_row_of_one_event_or_none_has_no_place() -> None:
    assert len(drawn([0, 0, 1], 2)) == 0
    assert len(drawn([0, 0, 0], 2)) == 0


def test_an_item_that_comes_again_is_a_target_where_repeats_are_asked_for() -> None:
    again = draw_targets(rows([[1, 1, 2]]), replace(CONF, exclude_repeats=False), np.random.default_rng(0))
    assert named(again) == {(0, 1), (1, 2)}


def test_without_a_number_every_place_comes_once() -> None:
    every = draw_targets(rows([[0, 1, 2, 3], [4, 5, 6, 7]]), replace(CONF, n_positions=0), np.random.default_rng(0))
    places = list(zip(every.row.tolist(), every.place.tolist(), every.items[:, 0].tolist(), strict=True))
    assert places == [(0, 1, 2), (0, 2, 3), (1, 0, 5), (1, 1, 6), (1, 2, 7)]


EVENTS = st.lists(st.tuples(st.integers(1, 4), st.sampled_from([1, P])), min_size=2, max_size=9)


@given(EVENTS, st.integers(1, 4), st.booleans(), st.booleans())
def test_targets_are_those_of_the_rule(events: list[tuple[int, int]], n_events: int, seen: bool, repeats: bool) -> None:
    conf = TargetsConf(n_events=n_events, n_positions=0, exclude_seen=seen, exclude_repeats=repeats)
    items, codes = [item for item, _ in events], [code for _, code in events]
    expected = set()
    for place in range(len(events) - 1):
        bought = {item for item, code in events[: place + 1] if code == P}
        barred = (bought if seen else set()) | ({items[place]} if repeats else set())
        expected |= {(place, item) for item in items[place + 1 : place + 1 + n_events] if item not in barred}
    found = draw_targets(rows([[0, *items]], [[0, *codes]]), conf, np.random.default_rng(0))
    assert {(place - 1, item) for place, item in named(found)} == expected
    assert found.weights.sum() == len(expected)  # each once a window
