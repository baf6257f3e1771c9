import numpy as np

from tests.sequence.histories import rows
from ulm_spark.sequence.rows import PURCHASE_CODE, Targets, draw_targets, pad_left, times_of

P = PURCHASE_CODE


def named(targets: Targets) -> set[tuple[int, int]]:
    """(place, item) of every target of the first row."""
    return {
        (int(place), int(item))
        for place, items, weights in zip(targets.places[0], targets.items[0], targets.weights[0], strict=True)
        for item, weight in zip(items, weights, strict=True)
        if weight
    }


def drawn(items: list[int], target_events: int, *, codes: list[int] | None = None, seen: bool = False) -> Targets:
    generator = np.random.default_rng(0)
    return draw_targets(rows([items], [codes] if codes else None), 64, target_events, generator, exclude_seen=seen)


def test_padding_is_on_the_left_and_keeps_the_last_values() -> None:
    padded = pad_left([np.array([1, 2]), np.array([3, 4, 5, 6]), np.array([], np.int64)], 3)
    assert padded.tolist() == [[0, 1, 2], [4, 5, 6], [0, 0, 0]]


def test_times_follow_from_gaps_and_the_last_instant() -> None:
    assert times_of(np.array([[0, 5, 10]]), np.array([100])).tolist() == [[85, 90, 100]]


def test_gaps_begin_with_zero_at_the_first_event_kept() -> None:
    assert rows([[0, 1, 2]], hours=[[0, 4, 6]]).gaps().tolist() == [[0, 0, 7200]]


def test_one_target_event_is_the_next_item() -> None:
    assert named(drawn([0, 1, 2, 3], 1)) == {(1, 2), (2, 3)}


def test_more_target_events_name_each_item_once() -> None:
    assert named(drawn([1, 2, 2, 3], 3)) == {(0, 2), (0, 3), (1, 3), (2, 3)}


def test_the_item_at_the_place_is_no_next_item() -> None:
    assert named(drawn([1, 1, 2], 1)) == {(1, 2)}


def test_items_bought_before_are_no_targets_where_seen_ones_are_excluded() -> None:
    assert named(drawn([1, 2, 1, 3], 1, codes=[P, 1, 1, 1], seen=True)) == {(0, 2), (2, 3)}
    assert named(drawn([1, 2, 1, 3], 1, codes=[1, 1, 1, 1], seen=True)) == {(0, 2), (1, 1), (2, 3)}


def test_a_row_of_one_event_or_none_weighs_nothing() -> None:
    assert float(drawn([0, 0, 1], 2).weights.sum()) == 0.0
    assert float(drawn([0, 0, 0], 2).weights.sum()) == 0.0
