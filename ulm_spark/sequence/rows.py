"""How do sequences of any length become arrays? Padding, places to learn from, and what to name there."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ulm_spark.contracts.silver import SHOPPER_EVENT_TYPES

PURCHASE_CODE = 1 + SHOPPER_EVENT_TYPES.index("purchase")
N_CODES = 1 + len(SHOPPER_EVENT_TYPES)
DAY_S = 86_400
Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]
Float32s = NDArray[np.float32]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Rows:
    """Sequences padded **on the left** with zeros, so that the last event always stands in the last place.

    user_key: [n] uint64, a hash of user_id. items, codes: [n, length] int32. at_s: [n, length] int64,
    the event's second since 1970, 0 where padded.
    """

    user_key: NDArray[np.uint64]
    items: Int32s
    codes: Int32s
    at_s: Int64s

    def __len__(self) -> int:
        return len(self.user_key)

    @property
    def is_item(self) -> Bools:
        """True where an event stands, False where padded: [n, length]."""
        return self.items > 0

    def take(self, places: NDArray[np.int64]) -> "Rows":
        """The rows at these places."""
        return Rows(self.user_key[places], self.items[places], self.codes[places], self.at_s[places])

    def gaps(self) -> Int64s:
        """Seconds since the event before; 0 for the first and where padded: [n, length]."""
        gaps = np.diff(self.at_s, axis=1, prepend=self.at_s[:, :1])
        is_first = np.concatenate([np.ones((len(self), 1), bool), ~self.is_item[:, :-1]], axis=1)
        return np.where(self.is_item & ~is_first, gaps, 0)

    @classmethod
    def empty(cls, length: int) -> "Rows":
        """No row."""
        return cls(
            np.zeros(0, np.uint64),
            np.zeros((0, length), np.int32),
            np.zeros((0, length), np.int32),
            np.zeros((0, length), np.int64),
        )

    @classmethod
    def join(cls, parts: list["Rows"], length: int) -> "Rows":
        """All rows of the parts, in order."""
        if not parts:
            return cls.empty(length)
        return cls(
            np.concatenate([part.user_key for part in parts]),
            np.concatenate([part.items for part in parts]),
            np.concatenate([part.codes for part in parts]),
            np.concatenate([part.at_s for part in parts]),
        )


@dataclass(frozen=True)
class Targets:
    """What a batch is to name.

    places: [n, n_positions] int32, where in the sequence. next_at_s: [n, n_positions] int64, second of
    the event after the place. items: [n, n_positions, target_events] int32. weights: likewise float32,
    1 where the item is a target, else 0.
    """

    places: Int32s
    next_at_s: Int64s
    items: Int32s
    weights: Float32s


def pad_left(values: list[NDArray[np.int64]], length: int) -> Int64s:
    """The last ``length`` values of each array, on the right; zeros before them: [n, length]."""
    padded = np.zeros((len(values), length), np.int64)
    for row, value in enumerate(values):
        kept = value[-length:]
        if len(kept):
            padded[row, length - len(kept) :] = kept
    return padded


def times_of(gaps: Int64s, last_s: Int64s) -> Int64s:
    """Second of each event from the gaps between them: [n, length]; wrong where padded."""
    after = np.concatenate([gaps[:, 1:], np.zeros((len(gaps), 1), np.int64)], axis=1)
    return np.asarray(last_s[:, None] - np.cumsum(after[:, ::-1], axis=1)[:, ::-1])


def draw_targets(
    rows: Rows, n_positions: int, target_events: int, generator: np.random.Generator, *, exclude_seen: bool
) -> Targets:
    """Places drawn with replacement among those that have an event and a next one, and the targets there.

    Rule: the items of the next target_events events, each once, but for the item at the place itself
          (a view, then its cart, is no next item) and, with exclude_seen, items bought at or before it.
    Edge: a row of one event has weights 0 everywhere.
    """
    n_rows, length = rows.items.shape
    first = np.minimum(length - rows.is_item.sum(axis=1), length - 2)
    places = generator.integers(first[:, None], length - 1, size=(n_rows, n_positions))
    slots = places[..., None] + 1 + np.arange(target_events)
    is_inside = slots < length
    slots = np.minimum(slots, length - 1)
    row = np.arange(n_rows)[:, None, None]
    items, at_place = rows.items[row, slots], rows.items[row[..., 0], places]
    before, bought = _earlier_slots(rows)
    is_target = is_inside & (at_place > 0)[..., None] & (items != at_place[..., None])
    is_target &= before[row, slots] <= places[..., None]  # named once a window
    if exclude_seen:
        is_target &= bought[row, slots] > places[..., None]
    next_at_s = rows.at_s[row[..., 0], places + 1]
    return Targets(places.astype(np.int32), next_at_s, items, is_target.astype(np.float32))


def _earlier_slots(rows: Rows) -> tuple[Int64s, Int64s]:
    """For each slot: the last slot before it with its item, -1 without; the first where it was bought, else length."""
    length = rows.items.shape[1]
    slots = np.arange(length)
    is_same = rows.items[:, :, None] == rows.items[:, None, :]
    is_before = is_same & (slots[None, :] < slots[:, None])
    before = np.where(is_before, slots, -1).max(axis=2)
    is_bought = is_same & (rows.codes == PURCHASE_CODE)[:, None, :]
    bought = np.where(is_bought, slots, length).min(axis=2)
    return before, bought
