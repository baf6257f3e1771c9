"""How long does a user wait from one purchase to the next, and does it get longer?"""

from dataclasses import dataclass

import numpy as np

from ulm_spark.stats.histories import Asked, Floats, Ints, Mask, between, marked_within, ratio, running_sums


@dataclass(frozen=True)
class Gaps:
    """The gaps between successive marked days up to each question's day, as exact sums.

    All [n] int64: n_gaps; total, the sum of the gaps in days; squares, that of their squares; weighted, that of k
    times gap k with k from 1; last, the last gap; since, days from the last marked day to the question's day. Without a
    marked day, and without a gap, what needs one is 0.
    """

    n_gaps: Ints
    total: Ints
    squares: Ints
    weighted: Ints
    last: Ints
    since: Ints

    @property
    def mean(self) -> Floats:
        """Mean gap; NaN without one."""
        return ratio(self.total, self.n_gaps)

    @property
    def deviation(self) -> Floats:
        """Standard deviation with n - 1; NaN below two gaps."""
        n = self.n_gaps
        # n times the sum of squared deviations is whole: no rounding before the one division.
        return np.sqrt(ratio(n * self.squares - self.total**2, np.where(n > 1, n * (n - 1), 0)))

    @property
    def trend(self) -> Floats:
        """Slope of the least squares line of gap k over k; NaN below three gaps.

        Formula: (sum k g - (n + 1) / 2 sum g) / (n (n^2 - 1) / 12).
        """
        n = self.n_gaps
        return ratio(12 * self.weighted - 6 * (n + 1) * self.total, np.where(n > 2, n * (n * n - 1), 0))

    @property
    def overdue(self) -> Floats:
        """Days since the last marked day over the mean gap; NaN without a gap."""
        return ratio(self.since * self.n_gaps, np.where(self.n_gaps > 0, self.total, 0))


def summarise_gaps(is_marked: Mask, asked: Asked) -> Gaps:
    """The gaps between the days whose rows are marked.

    In:  is_marked [n_rows]; asked, with n questions.
    """
    rows, places = marked_within(is_marked, asked.span(None))
    days, users = asked.histories.day[rows], asked.histories.user[rows]
    follows = np.append(False, users[1:] == users[:-1]) if len(rows) else np.zeros(0, dtype=np.bool_)
    gaps: Ints = np.where(follows, np.diff(days, prepend=0), 0)
    # Place of each marked row among its user's, from 0: the k of the gap that ends there.
    begins = np.maximum.accumulate(np.where(follows, 0, np.arange(len(rows)))) if len(rows) else rows
    order: Ints = np.arange(len(rows)) - begins
    has_one = places.end > places.first
    last = np.where(has_one, places.end - 1, 0)

    last_day = np.append(days, 0)[np.where(has_one, last, -1)]
    return Gaps(
        n_gaps=np.where(has_one, places.end - places.first - 1, 0),
        total=between(running_sums(gaps), places),
        squares=between(running_sums(gaps**2), places),
        weighted=between(running_sums(gaps * order), places),
        last=np.where(has_one, np.append(gaps, 0)[last], 0),
        since=np.where(has_one, asked.day - last_day, 0),
    )
