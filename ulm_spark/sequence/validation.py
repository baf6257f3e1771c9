"""Does the model name what validation users did at their last instant, from all they did before?"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ulm_spark.sequence.models.network import NextItem
from ulm_spark.sequence.prior import Periods
from ulm_spark.sequence.ranks import Ranks
from ulm_spark.sequence.rows import PURCHASE_CODE, Bools, Int32s, Int64s, NumberT, Rows
from ulm_spark.stats.ranking import ndcg_at_k, reciprocal_rank_at_k

K = 10
_BATCH = 256


@dataclass(frozen=True)
class HeldOut:
    """Validation rows: prefix, all events before the last instant; items: [n, length] int32, those of the last instant,
    0 elsewhere; at_s: [n] the last instant."""

    prefix: Rows
    items: Int32s
    at_s: Int64s


@dataclass(frozen=True)
class Measured:
    """What validation found among the first k: means over n_users, nan where scores are no numbers. mrr: of 1 over the
    place of the first hit."""

    ndcg: float
    hit_rate: float
    mrr: float
    n_users: int


def is_validation(rows: Rows, share: float) -> Bools:
    """True for users whose last instant is held out: chosen by hash, with an event before it."""
    last = rows.at_s[:, -1:]
    has_before = (rows.is_item & (rows.at_s < last)).any(axis=1)
    return np.asarray(has_before & is_apart(rows, share))


def is_apart(rows: Rows, share: float) -> Bools:
    """True for users of whom training asks no task, those with one instant too: chosen by the same hash."""
    return np.asarray(rows.hash_place < share)


def hold_out(rows: Rows) -> HeldOut:
    """Splits each row at its last instant; the prefix is padded anew on the left."""
    length = rows.items.shape[1]
    is_last = rows.is_item & (rows.at_s == rows.at_s[:, -1:])
    prefix = rows.until(np.arange(len(rows)), length - is_last.sum(axis=1), length)
    return HeldOut(prefix, np.where(is_last, rows.items, 0).astype(np.int32), rows.at_s[:, -1])


def training_part(rows: Rows, share: float) -> Rows:
    """The rows as training sees them: those of validation users without their last instant."""
    chosen = np.flatnonzero(is_validation(rows, share))
    if len(chosen) == 0:
        return rows
    prefix = hold_out(rows.take(chosen)).prefix

    def left(values: NDArray[NumberT], held: NDArray[NumberT]) -> NDArray[NumberT]:
        values = values.copy()
        values[chosen] = held
        return values

    return Rows(
        rows.user_key,
        left(rows.items, prefix.items),
        left(rows.codes, prefix.codes),
        left(rows.at_s, prefix.at_s),
        left(rows.amounts, prefix.amounts),
    )


class Validator:
    """Hits among the first k over the validation rows of all ranks, full ranking of all items.

    length: of what the network is shown, the last events before those held out; whole rows without one. All events of a
    row count as seen.
    """

    def __init__(
        self,
        network: NextItem,
        rows: Rows,
        periods: Periods,
        ranks: Ranks,
        *,
        exclude_seen: bool,
        k: int = K,
        length: int | None = None,
    ) -> None:
        held = hold_out(rows)
        self._k = min(k, network.n_items)
        by_length = np.argsort(held.prefix.is_item.sum(axis=1), kind="stable")
        prefix, self._at_s = held.prefix.take(by_length), held.at_s[by_length]
        self._seen = np.where(prefix.codes == PURCHASE_CODE, prefix.items, 0) if exclude_seen else None
        self._prefix = prefix.last(length) if length is not None else prefix
        self._wanted = _distinct_unseen(held.items[by_length], self._seen)
        self._periods = periods.of(self._at_s).astype(np.int32)
        self._network, self._ranks = network, ranks
        self._rank: Callable[..., tuple[tf.Tensor, tf.Tensor]] = tf.function(self._best, reduce_retracing=True)

    def measure(self) -> Measured:
        """Means over users with a held-out item that may be named."""
        users = self.measure_users()
        *sums, n_users = self._ranks.add(np.append(users.sum(axis=0), len(users)))
        ndcg, hit_rate, mrr = (float(total / max(n_users, 1)) for total in sums)
        return Measured(ndcg, hit_rate, mrr, int(n_users))

    def measure_users(self) -> NDArray[np.float64]:
        """NDCG, hit and reciprocal rank of each such user of this rank, in an order that no network changes: [n, 3]."""
        found = [self._batch(start) for start in range(0, len(self._prefix), _BATCH)]
        return np.concatenate([np.zeros((0, 3)), *found])

    def _batch(self, start: int) -> NDArray[np.float64]:
        places = np.arange(start, min(start + _BATCH, len(self._prefix)))
        prefix, wanted = self._prefix.take(places).trimmed(), self._wanted[places]
        seen = np.zeros((len(places), 1), np.int32) if self._seen is None else self._seen[places]
        found, are_numbers = self._rank(prefix.items, prefix.codes, prefix.gaps(), self._periods[places], seen)
        top = found.numpy()
        n_wanted = (wanted > 0).sum(axis=1)
        is_hit = ((top[:, :, None] == wanted[:, None, :]).any(axis=2))[n_wanted > 0]
        gains = ndcg_at_k(is_hit, n_wanted[n_wanted > 0], self._k)
        first = reciprocal_rank_at_k(is_hit, self._k)
        users = np.asarray(np.stack([gains, is_hit.any(axis=1), first], axis=1), np.float64)
        return users if are_numbers else np.full_like(users, np.nan)

    def _best(
        self, items: tf.Tensor, codes: tf.Tensor, gaps: tf.Tensor, periods: tf.Tensor, seen: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The k best items of each row but the seen ones, ties by item: [n, K] int32; are all scores numbers?"""
        scores = self._network.score_all(self._network(items, codes, gaps)[:, -1], periods)
        row = tf.broadcast_to(tf.range(tf.shape(seen)[0])[:, None], tf.shape(seen))
        cells = tf.reshape(tf.stack([row, seen], axis=-1), [-1, 2])
        scores = tf.tensor_scatter_nd_min(scores, cells, tf.fill(tf.shape(cells)[:1], -np.inf))
        return tf.math.top_k(scores, self._k).indices, tf.reduce_all(scores < np.inf)


def _distinct_unseen(items: Int32s, seen: Int32s | None) -> Int32s:
    """The items of each row, each once and none that was seen; 0 elsewhere."""
    ordered = np.sort(items, axis=1)
    ordered[:, 1:][ordered[:, 1:] == ordered[:, :-1]] = 0
    if seen is not None:
        for start in range(0, len(ordered), _BATCH):
            part = slice(start, start + _BATCH)
            ordered[part][(ordered[part][:, :, None] == seen[part][:, None, :]).any(axis=2)] = 0
    return ordered
