"""How do sequences of any length become arrays? Padded on the left."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ulm_spark.contracts.silver import SHOPPER_EVENT_TYPES

PURCHASE_CODE = 1 + SHOPPER_EVENT_TYPES.index("purchase")
N_CODES = 1 + len(SHOPPER_EVENT_TYPES)
DAY_S = 86_400
Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]
Float32s = NDArray[np.float32]
Float64s = NDArray[np.float64]
Bools = NDArray[np.bool_]
NumberT = TypeVar("NumberT", bound=np.generic)


@dataclass(frozen=True)
class Rows:
    """Sequences padded **on the left** with zeros, so that the last event always stands in the last place.

    user_key: [n] uint64 below 2 ** 63, a hash of user_id. items, codes: [n, length] int32. at_s: [n, length] int64,
    the event's second since 1970, 0 where padded. amounts: [n, length] float32, what a purchase paid, else 0.
    """

    user_key: NDArray[np.uint64]
    items: Int32s
    codes: Int32s
    at_s: Int64s
    amounts: Float32s

    def __len__(self) -> int:
        return len(self.user_key)

    @property
    def is_item(self) -> Bools:
        """True where an event stands, False where padded: [n, length]."""
        return self.items > 0

    def take(self, places: NDArray[np.int64]) -> "Rows":
        """The rows at these places."""
        of_user = self.user_key[places]
        return Rows(of_user, self.items[places], self.codes[places], self.at_s[places], self.amounts[places])

    def slice(self, start: int, end: int) -> "Rows":
        """The rows from start up to end, which share their memory with these."""
        kept = np.s_[start:end]
        return Rows(self.user_key[kept], self.items[kept], self.codes[kept], self.at_s[kept], self.amounts[kept])

    def last(self, length: int) -> "Rows":
        """The last places of each row."""
        kept = np.s_[:, -length:]
        return Rows(self.user_key, self.items[kept], self.codes[kept], self.at_s[kept], self.amounts[kept])

    @property
    def hash_place(self) -> Float64s:
        """The hash of each user as a number from 0 up to 1, by which shares of users are chosen: [n]."""
        return np.asarray((self.user_key >> np.uint64(10)) * 2.0**-53, np.float64)

    def trimmed(self) -> "Rows":
        """The rows without the places where all are padded, but for the last 2."""
        return self.last(max(int(self.is_item.sum(axis=1).max(initial=0)), 2))

    def until(self, row: Int64s, end: Int64s, length: int) -> "Rows":
        """Of each of these rows the length places before its end, which then stand last; padded on the left."""
        source = end[:, None] - length + np.arange(length)
        is_there, source, at = source >= 0, np.maximum(source, 0), row[:, None]

        def moved(values: NDArray[NumberT]) -> NDArray[NumberT]:
            return np.where(is_there, values[at, source], np.zeros((), values.dtype))

        return Rows(self.user_key[row], moved(self.items), moved(self.codes), moved(self.at_s), moved(self.amounts))

    def gaps(self) -> Int64s:
        """Seconds since the event before; 0 for the first and where padded: [n, length]."""
        gaps = np.diff(self.at_s, axis=1, prepend=self.at_s[:, :1])
        is_first = np.concatenate([np.ones((len(self), 1), bool), ~self.is_item[:, :-1]], axis=1)
        return np.where(self.is_item & ~is_first, gaps, 0)

    @classmethod
    def empty(cls, length: int) -> "Rows":
        """No row."""
        return cls.blank(length).take(np.zeros(0, np.int64))

    @classmethod
    def blank(cls, length: int) -> "Rows":
        """One row without events."""
        blank = np.zeros((1, length), np.int32)
        return cls(np.zeros(1, np.uint64), blank, blank, blank.astype(np.int64), blank.astype(np.float32))

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
            np.concatenate([part.amounts for part in parts]),
        )


def pad_left(values: Sequence[NDArray[np.int64]], length: int) -> Int64s:
    """The last ``length`` values of each array, on the right; zeros before them: [n, length]."""
    n_values = np.fromiter(map(len, values), np.int64, len(values))
    flat = np.concatenate([*values, np.zeros(0, np.int64)])
    return pad_flat(flat, n_values, length)


def pad_flat(flat: NDArray[NumberT], n_values: Int64s, length: int) -> NDArray[NumberT]:
    """As pad_left, of arrays that lie behind each other, n_values of each."""
    if not len(flat):
        return np.zeros((len(n_values), length), flat.dtype)
    ends = np.cumsum(n_values)[:, None]
    places = ends - length + np.arange(length)
    is_value = places >= ends - n_values[:, None]
    return np.where(is_value, flat[np.maximum(places, 0)], np.zeros((), flat.dtype))


def times_of(gaps: Int64s, last_s: Int64s) -> Int64s:
    """Second of each event from the gaps between them: [n, length]; wrong where padded."""
    return np.asarray(last_s[:, None] - ago_of(gaps))


def ago_of(gaps: Int64s) -> Int64s:
    """Seconds from each event to the last one, from the gaps before each: [n, length]; wrong where padded."""
    after = np.concatenate([gaps[:, 1:], np.zeros((len(gaps), 1), np.int64)], axis=1)
    return np.asarray(np.cumsum(after[:, ::-1], axis=1)[:, ::-1])
