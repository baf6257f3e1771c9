"""What is a batch to name, and where?"""

from dataclasses import dataclass

import numpy as np

from ulm_spark.sequence.learning_conf import TargetsConf
from ulm_spark.sequence.rows import PURCHASE_CODE, Float32s, Int32s, Int64s, Rows


@dataclass(frozen=True)
class Targets:
    """m places of a batch with at least one target each.

    row, place: [m] int32, where. next_at_s: [m] int64, second of the event after the place. items: [m, n_events]
    int32. weights: likewise float32, 1 where the item is a target, else 0.
    """

    row: Int32s
    place: Int32s
    next_at_s: Int64s
    items: Int32s
    weights: Float32s

    def __len__(self) -> int:
        return len(self.row)

    def take(self, chosen: Int64s) -> "Targets":
        """The places at these numbers."""
        return Targets(
            self.row[chosen], self.place[chosen], self.next_at_s[chosen], self.items[chosen], self.weights[chosen]
        )


def draw_targets(rows: Rows, conf: TargetsConf, generator: np.random.Generator) -> Targets:
    """Places of each row, all, n_positions drawn with replacement among those with a next event, or with prefixes the
    last of these, and the targets.

    Rule: the items of the next n_events events, each once, but with exclude_repeats for the item at the place itself
          (a view, then its cart, is no next item) and, with exclude_seen, items bought at or before it.
    Edge: a row of one event has no place; a place without a target is left out.
    """
    row, place = _places(rows, conf, generator)
    length = rows.items.shape[1]
    slots = place[:, None] + 1 + np.arange(conf.n_events)
    is_target = (slots < length) & (rows.items[row, place] > 0)[:, None]
    slots = np.minimum(slots, length - 1)
    items, at_place = rows.items[row[:, None], slots], rows.items[row, place]
    if conf.exclude_repeats:
        is_target &= items != at_place[:, None]
    if conf.n_events > 1 or conf.exclude_seen:
        before, bought = _earlier_slots(rows)
        if conf.n_events > 1:  # named once a window
            is_target &= before[row[:, None], slots] <= place[:, None]
        if conf.exclude_seen:
            is_target &= bought[row[:, None], slots] > place[:, None]
    kept = np.flatnonzero(is_target.any(axis=1))
    next_at_s = rows.at_s[row[kept], place[kept] + 1]
    weights = is_target[kept].astype(np.float32)
    return Targets(row[kept].astype(np.int32), place[kept].astype(np.int32), next_at_s, items[kept], weights)


def _places(rows: Rows, conf: TargetsConf, generator: np.random.Generator) -> tuple[Int64s, Int64s]:
    """(row, place) of each place to learn from."""
    n_rows, length = rows.items.shape
    n_positions = conf.n_positions
    if conf.prefixes:
        return np.arange(n_rows), np.full(n_rows, length - 2)
    if n_positions == 0:
        row, place = np.nonzero(rows.is_item[:, :-1])
        return row, place
    first = np.minimum(length - rows.is_item.sum(axis=1), length - 2)
    drawn = generator.integers(first[:, None], length - 1, size=(n_rows, n_positions))
    return np.repeat(np.arange(n_rows), n_positions), drawn.ravel()


def _earlier_slots(rows: Rows) -> tuple[Int64s, Int64s]:
    """For each slot: the last slot before it with its item, -1 without; the first where it was bought, else length."""
    n_rows, length = rows.items.shape
    order = np.argsort(rows.items, axis=1, kind="stable")  # runs of one item, each by slot
    items = np.take_along_axis(rows.items, order, axis=1)
    is_same = np.zeros((n_rows, length), bool)
    is_same[:, 1:] = items[:, 1:] == items[:, :-1]
    slot_before = np.concatenate([np.full((n_rows, 1), -1), order[:, :-1]], axis=1)
    is_bought = np.take_along_axis(rows.codes, order, axis=1) == PURCHASE_CODE
    starts = np.flatnonzero(~is_same)
    bought_slots = np.where(is_bought, order, length).ravel()
    first_of_run = np.minimum.reduceat(bought_slots, starts) if len(starts) else bought_slots
    run = np.cumsum(~is_same.ravel()) - 1
    before, bought = np.empty((n_rows, length), np.int64), np.empty((n_rows, length), np.int64)
    np.put_along_axis(before, order, np.where(is_same, slot_before, -1), axis=1)
    np.put_along_axis(bought, order, first_of_run[run].reshape(n_rows, length), axis=1)
    return before, bought
