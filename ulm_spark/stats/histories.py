"""What lies in a window of each user's history? Sums, days and firsts over rows sorted by user and day."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_DAY_BITS = 20  # days since 1970 up to the year 4840
_FIRST_MONDAY = 4  # 1970-01-05, as days since 1970-01-01


@dataclass(frozen=True)
class Histories:
    """The rows of several users, one a day, sorted by user and then day.

    user: [n_rows] int64, 0 to n_users - 1, never falling. day: [n_rows] int64, days since 1970-01-01, rising within a
    user.
    """

    user: Ints
    day: Ints

    def rows_until(self, user: Ints, day: Ints) -> Ints:
        """[n] int64: the first row behind all rows of each user up to the day, that day included."""
        return np.searchsorted(self._keys, (user << _DAY_BITS) + day, side="right").astype(np.int64)

    @cached_property
    def _keys(self) -> Ints:
        keys: Ints = (self.user << _DAY_BITS) + self.day
        return keys

    @cached_property
    def is_weekend(self) -> Mask:
        """[n_rows]: True where the day is a Saturday or a Sunday."""
        return (self.day - _FIRST_MONDAY) % 7 >= 5


@dataclass(frozen=True)
class Spans:
    """Stretches of rows, one a question: rows first to end - 1, none where they are equal. Both [n] int64."""

    first: Ints
    end: Ints

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True)
class Asked:
    """Questions about histories: each of one user as of the end of one day.

    user, day: [n] int64, as in Histories; a user may be asked about on several days.
    """

    histories: Histories
    user: Ints
    day: Ints

    def span(self, window_days: int | None) -> Spans:
        """Each question's rows within the window of so many days that ends with its day; None: all up to it."""
        day_before = np.full_like(self.day, -1) if window_days is None else np.maximum(self.day - window_days, -1)
        first = self.histories.rows_until(self.user, day_before)
        return Spans(first, self.histories.rows_until(self.user, self.day))


def running_sums(values: Ints | Mask) -> Ints:
    """[n_rows + 1] int64: at row r the sum of the values before it."""
    sums = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(values, out=sums[1:])
    return sums


def between(sums: Ints, spans: Spans) -> Ints:
    """[n] int64: what was summed up over each span; exact, as differences of running_sums."""
    differences: Ints = sums[spans.end] - sums[spans.first]
    return differences


def ratio(numerator: Ints, denominator: Ints) -> Floats:
    """[n] float64: NaN where the denominator is 0."""
    found = np.full(len(numerator), np.nan)
    np.divide(numerator, denominator, out=found, where=denominator != 0)
    return found


def marked_within(is_marked: Mask, spans: Spans) -> tuple[Ints, Spans]:
    """The marked rows [n_marked], and which of them, by place in that list, lie within each span."""
    rows = np.flatnonzero(is_marked).astype(np.int64)
    places = Spans(
        np.searchsorted(rows, spans.first, side="left").astype(np.int64),
        np.searchsorted(rows, spans.end, side="left").astype(np.int64),
    )
    return rows, places


def first_marked(is_marked: Mask, spans: Spans) -> Ints:
    """[n] int64: the first marked row of each span, -1 without one."""
    rows, places = marked_within(is_marked, spans)
    has_one = places.end > places.first
    return np.where(has_one, np.append(rows, -1)[np.where(has_one, places.first, -1)], -1)


def last_marked(is_marked: Mask, spans: Spans) -> Ints:
    """[n] int64: the last marked row of each span, -1 without one."""
    rows, places = marked_within(is_marked, spans)
    has_one = places.end > places.first
    return np.where(has_one, np.append(rows, -1)[np.where(has_one, places.end - 1, -1)], -1)
