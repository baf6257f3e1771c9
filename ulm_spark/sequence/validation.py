"""Does the model name what validation users did at their last instant, from all they did before?"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ulm_spark.sequence.feed import filled
from ulm_spark.sequence.models.network import NextItem
from ulm_spark.sequence.prior import Periods
from ulm_spark.sequence.ranks import Ranks
from ulm_spark.sequence.rows import PURCHASE_CODE, Bools, Int32s, Int64s, Rows
from ulm_spark.stats.ranking import ndcg_at_k

K = 10
_BATCH = 256


@dataclass(frozen=True)
class HeldOut:
    """Validation rows: prefix, all events before the last instant; items: [n, length] int32, those of the last instant,
    0 elsewhere; at_s: [n] the last instant."""

    prefix: Rows
    items: Int32s
    at_s: Int64s


def is_validation(rows: Rows, share: float) -> Bools:
    """True for users whose last instant is held out: chosen by hash, with an event before it."""
    last = rows.at_s[:, -1:]
    has_before = (rows.is_item & (rows.at_s < last)).any(axis=1)
    place = (rows.user_key >> np.uint64(11)) * 2.0**-53  # the hash as a number from 0 up to 1
    return np.asarray(has_before & (place < share))


def hold_out(rows: Rows) -> HeldOut:
    """Splits each row at its last instant; the prefix is padded anew on the left."""
    length = rows.items.shape[1]
    is_last = rows.is_item & (rows.at_s == rows.at_s[:, -1:])
    n_last = is_last.sum(axis=1)
    source = np.arange(length)[None, :] - n_last[:, None]
    row = np.arange(len(rows))[:, None]

    def moved(values: Int32s | Int64s) -> Int64s:
        return np.where(source >= 0, values[row, np.maximum(source, 0)], 0).astype(np.int64)

    prefix = Rows(
        rows.user_key,
        moved(rows.items).astype(np.int32),
        moved(rows.codes).astype(np.int32),
        moved(rows.at_s),
    )
    return HeldOut(prefix, np.where(is_last, rows.items, 0).astype(np.int32), rows.at_s[:, -1])


def training_part(rows: Rows, share: float) -> Rows:
    """The rows as training sees them: those of validation users without their last instant."""
    chosen = np.flatnonzero(is_validation(rows, share))
    if len(chosen) == 0:
        return rows
    prefix = hold_out(rows.take(chosen)).prefix
    items, codes, at_s = rows.items.copy(), rows.codes.copy(), rows.at_s.copy()
    items[chosen], codes[chosen], at_s[chosen] = prefix.items, prefix.codes, prefix.at_s
    return Rows(rows.user_key, items, codes, at_s)


class Validator:
    """NDCG@10 over the validation rows of all ranks, full ranking of all items."""

    def __init__(self, network: NextItem, rows: Rows, periods: Periods, ranks: Ranks, *, exclude_seen: bool) -> None:
        held = hold_out(rows)
        self._ranks = ranks
        self._exclude_seen = exclude_seen
        self._held = held
        self._periods = periods.of(held.at_s)
        self._network = network
        self._score: Callable[..., tf.Tensor] = tf.function(self._scores, reduce_retracing=True)

    def _scores(self, items: tf.Tensor, codes: tf.Tensor, gaps: tf.Tensor, periods: tf.Tensor) -> tf.Tensor:
        return self._network.score_all(self._network(items, codes, gaps)[:, -1], periods)

    def ndcg(self) -> tuple[float, int]:
        """(mean NDCG@10, users it is over); users whose held-out items were all bought before do not count."""
        total, n_users = 0.0, 0
        for start in range(0, len(self._held.prefix), _BATCH):
            found = self._batch(np.arange(start, min(start + _BATCH, len(self._held.prefix))))
            total += float(found.sum())
            n_users += len(found)
        sums = self._ranks.add_counts(total, n_users)
        return (sums[0] / sums[1] if sums[1] else 0.0), int(sums[1])

    def _batch(self, places: Int64s) -> NDArray[np.float64]:
        prefix = filled(self._held.prefix.take(places), _BATCH)
        periods = np.resize(self._periods[places], _BATCH)
        scores = self._score(prefix.items, prefix.codes, prefix.gaps(), periods).numpy()[: len(places)]
        prefix = prefix.take(np.arange(len(places)))
        row = np.arange(len(places))[:, None]
        is_relevant = np.zeros(scores.shape, bool)
        is_relevant[row, self._held.items[places]] = True
        if self._exclude_seen:
            bought = np.where(prefix.codes == PURCHASE_CODE, prefix.items, 0)
            scores[row, bought] = -np.inf
            is_relevant[row, bought] = False
        scores[:, 0], is_relevant[:, 0] = -np.inf, False
        top = np.argsort(-scores, axis=1, kind="stable")[:, :K]
        n_relevant = is_relevant.sum(axis=1)
        counts = n_relevant > 0
        return ndcg_at_k(np.take_along_axis(is_relevant, top, axis=1)[counts], n_relevant[counts], K)
