"""A pool's rows, cut into steps."""

import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from tests.sequence.histories import KNOWN_UNTIL_S, SMALL, history, rows
from ulm_spark.sequence.batches import Ahead, Batch, cut, examples_of
from ulm_spark.sequence.conf import TrainingConf
from ulm_spark.sequence.learning_conf import TargetsConf
from ulm_spark.sequence.rows import Rows, pad_left


def pool(n_users: int) -> Rows:
    if n_users == 0:
        return Rows.empty(9)
    return rows(pad_left([np.array(history(user)["item_indices"]) for user in range(n_users)], 9).tolist())


def cut_by(seed: int, n_steps: int = 4, n_users: int = 21, *, by_length: bool = False, rank: int = 0) -> list[Batch]:
    conf = replace(SMALL, feed=replace(SMALL.feed, by_length=by_length))
    return list(cut_pool(pool(n_users), conf, seed, n_steps, rank))


def cut_pool(of: Rows, conf: TrainingConf, seed: int, n_steps: int, rank: int = 0) -> Iterator[Batch]:
    return cut(of, examples_of(of, conf), np.ones(len(of), bool), n_steps, conf, KNOWN_UNTIL_S, (seed,), rank)


@pytest.mark.parametrize("by_length", [True, False])
def test_every_row_is_in_one_batch(by_length: bool) -> None:
    batches = cut_by(3, by_length=by_length)
    assert sorted(key for batch in batches for key in batch.rows.user_key.tolist()) == list(range(21))
    assert sorted(batch.n_rows for batch in batches) == [5, 5, 5, 6]


def test_a_seed_decides_rows_and_targets() -> None:
    some, same, other = cut_by(3), cut_by(3), cut_by(4)
    keys = [[batch.rows.user_key.tolist() for batch in batches] for batches in (some, same, other)]
    assert keys[0] == keys[1] != keys[2]
    for one, two in zip(some, same, strict=True):
        np.testing.assert_array_equal(one.targets.items, two.targets.items)


def test_batches_by_length_hold_little_padding_and_come_in_the_same_order_on_all_ranks() -> None:
    batches = cut_by(3, by_length=True)
    ranges = sorted((int(n.min()), int(n.max())) for n in (batch.rows.is_item.sum(axis=1) for batch in batches))
    assert all(before[1] <= after[0] for before, after in pairwise(ranges))
    assert [batch.rows.items.shape[1] for batch in batches] == [
        max(2, int(batch.rows.is_item.sum(axis=1).max())) for batch in batches
    ]
    widths = [[batch.rows.items.shape[1] for batch in cut_by(3, by_length=True, rank=rank)] for rank in range(3)]
    assert widths[0] == widths[1] == widths[2]


@pytest.mark.parametrize("by_length", [True, False])
def test_each_place_is_learned_once_from_all_that_came_before_it(by_length: bool) -> None:
    whole = rows([[0, 0, 5, 6, 7], [0, 0, 0, 0, 8], [1, 2, 3, 4, 5]])
    targets = TargetsConf(n_events=1, n_positions=0, exclude_seen=False, exclude_repeats=False, prefixes=True)
    conf = replace(SMALL, targets=targets, feed=replace(SMALL.feed, by_length=by_length))
    found = []
    for batch in cut_pool(whole, conf, seed=3, n_steps=2):
        assert batch.n_rows == len(batch.rows) == len(batch.targets) == 3
        for row, place, items in zip(batch.targets.row, batch.targets.place, batch.targets.items, strict=True):
            known = batch.rows.items[row, : place + 1]
            found.append((known[known > 0].tolist(), items.tolist()))
    assert sorted(found) == [
        ([1], [2]),
        ([1, 2], [3]),
        ([1, 2, 3], [4]),
        ([1, 2, 3, 4], [5]),
        ([5], [6]),
        ([5, 6], [7]),
    ]


def test_windows_of_a_long_history_name_each_event_once_and_see_no_more_than_the_model() -> None:
    whole = rows([[0, 0, 0, 1, 2, 3], [4, 5, 6, 7, 8, 9], [0, 0, 0, 0, 0, 3], [0, 1, 2, 3, 4, 5]])
    targets = TargetsConf(n_events=1, n_positions=0, exclude_seen=False, exclude_repeats=False, n_windows=2)
    conf = replace(SMALL, targets=targets, model=replace(SMALL.model, max_length=3))
    batches = list(cut_pool(whole, conf, seed=3, n_steps=2))
    seen = [
        (items[items > 0].tolist(), sorted(batch.targets.items[batch.targets.row == number, 0].tolist()))
        for batch in batches
        for number, items in enumerate(batch.rows.items)
    ]
    windows = [[1, 2, 3], [4, 5], [5, 6, 7], [7, 8, 9], [3], [1, 2, 3], [3, 4, 5]]
    assert sorted(seen) == sorted((window, window[1:]) for window in windows)
    assert [batch.n_rows for batch in batches] == [4, 3]


def test_fewer_rows_than_steps_make_steps_without_targets() -> None:
    batches = cut_by(3, n_steps=4, n_users=2)
    assert sorted(batch.n_rows for batch in batches) == [0, 0, 1, 1]
    assert all(len(batch.targets) == 0 for batch in batches if batch.n_rows == 0)
    assert len(cut_by(3, n_steps=2, n_users=0)) == 2
    assert cut_by(3, n_steps=0, n_users=0) == []


def test_what_is_made_ahead_comes_in_order_and_waiting_is_told() -> None:
    def slow() -> Iterator[int]:
        for number in range(3):
            time.sleep(0.02)
            yield number

    ahead = Ahead(slow, 2)
    assert list(ahead) == [0, 1, 2]
    assert ahead.waited_s > 0.01


def test_an_error_made_ahead_is_raised_where_it_would_have_come() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("found no row")

    found = []
    with pytest.raises(ValueError, match="found no row"):
        found.extend(Ahead(broken, 2))
    assert found == [1]
    ahead = iter(Ahead(broken, 2))
    assert next(ahead) == 1


def test_a_reader_that_stops_early_leaves_no_thread_behind() -> None:
    ended = []

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            ended.append(True)

    reader = iter(Ahead(endless, 2))
    next(reader)
    reader.close()  # type: ignore[attr-defined]
    assert ended == [True]
