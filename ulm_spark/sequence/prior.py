"""How popular was each item when? What a score starts from, known before the event it is used for."""

from dataclasses import dataclass

import numpy as np

from ulm_spark.sequence.rows import DAY_S, Float32s, Float64s, Int64s, Rows

_MAX_PERIODS = 104
_PADDING_LOGIT = -30.0


@dataclass(frozen=True)
class Periods:
    """Equal stretches of time that end with known_until_s; period n_periods is what comes after it.

    What is older than the first period counts as in it.
    """

    known_until_s: int
    period_s: int
    n_periods: int

    @classmethod
    def back_to(cls, first_at_s: int, known_until_s: int, days: int) -> "Periods":
        """As many as reach back to an instant, at least 1 and at most 104."""
        period_s = days * DAY_S
        n_needed = -(-max(known_until_s - first_at_s, 1) // period_s)
        return cls(known_until_s, period_s, int(min(n_needed, _MAX_PERIODS)))

    def and_next(self) -> "Periods":
        """With the one after, in which nothing is known yet and recommendations are made."""
        return Periods(self.known_until_s + self.period_s, self.period_s, self.n_periods + 1)

    def of(self, at_s: Int64s) -> Int64s:
        """The period of each instant before known_until_s: 0 to n_periods - 1."""
        ago = (self.known_until_s - 1 - at_s) // self.period_s
        return np.asarray(np.clip(self.n_periods - 1 - ago, 0, self.n_periods - 1), dtype=np.int64)

    def count(self, rows: Rows, n_items: int) -> Float64s:
        """Events on each item in each period: [n_periods, n_items + 1]."""
        is_item = rows.is_item
        cell = self.of(rows.at_s[is_item]) * (n_items + 1) + rows.items[is_item]
        counted = np.bincount(cell, minlength=self.n_periods * (n_items + 1))
        return counted.reshape(self.n_periods, n_items + 1).astype(np.float64)


def prior_logits(counts: Float64s, days: int, half_life_days: float | None, smoothing: float) -> Float32s:
    """Log share of each item as known at the start of each period: [n_periods + 1, n_items + 1].

    In:   Periods.count over all rows.
    Rule: counts of the periods before, each period weighing 2 ** (-days / half_life_days) of the one
          after it, plus smoothing. The last row, the start of what is unknown, serves recommendations.
    """
    keep = 1.0 if half_life_days is None else 2.0 ** (-days / half_life_days)
    known = np.zeros((counts.shape[0] + 1, counts.shape[1]))
    for period in range(counts.shape[0]):
        known[period + 1] = keep * known[period] + counts[period]
    known += smoothing
    known[:, 0] = 0.0
    shares = known / known.sum(axis=1, keepdims=True)
    logits = np.log(np.maximum(shares, np.finfo(np.float32).tiny))
    logits[:, 0] = _PADDING_LOGIT  # padding is no item
    return np.asarray(logits, dtype=np.float32)


def no_prior(n_items: int) -> Float32s:
    """The same for each item, at any time: [1, n_items + 1]."""
    return np.zeros((1, n_items + 1), np.float32)
