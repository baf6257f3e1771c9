"""How wrong is a batch? The losses of the next item: among all items, or among some that are drawn."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from ulm_spark.sequence.models.network import NextItem
from ulm_spark.sequence.rows import Float32s, Int32s

_NEVER = -1e9


@dataclass(frozen=True)
class Negatives:
    """Items that a step is told apart from, the same on every rank; log_expected: log of their expected draws."""

    items: Int32s
    log_expected: Float32s


def draw_negatives(n_items: int, n_sampled: int, generator: np.random.Generator) -> Negatives:
    """Items drawn with replacement, commoner ones oftener.

    Rule: p(i) = log((i + 1) / i) / log(n_items + 1) for i from 1, Zipf's law for a vocabulary that is
          numbered by falling count.
    """
    drawn = np.floor(np.exp(generator.random(n_sampled) * np.log(n_items + 1.0))).astype(np.int32)
    items = np.clip(drawn, 1, n_items)
    return Negatives(items, log_expected_draws(items, n_items, n_sampled))


def log_expected_draws(items: Int32s, n_items: int, n_sampled: int) -> Float32s:
    """Log of how often draw_negatives draws each item on average."""
    p = np.log1p(1.0 / np.maximum(items, 1)) / np.log(n_items + 1.0)
    return np.asarray(np.log(n_sampled * p), dtype=np.float32)


def draw_evenly(n_items: int, n_sampled: int, generator: np.random.Generator) -> Negatives:
    """Items drawn with replacement, each as often."""
    items = generator.integers(1, n_items + 1, n_sampled, dtype=np.int32)
    return Negatives(items, np.full(n_sampled, np.log(n_sampled / n_items), np.float32))


def is_of_history(items: tf.Tensor, n_items: int, negatives: tf.Tensor | None) -> tf.Tensor:
    """Is a negative an item of the row? items [n, length], 0 for padding; of negatives, or of all items, [n, ...]."""
    if negatives is not None:
        return tf.reduce_any(items[..., None] == negatives, axis=1)
    row = tf.broadcast_to(tf.range(tf.shape(items)[0])[:, None], tf.shape(items))
    slots, shape = tf.stack([row, items], axis=-1), [tf.shape(items)[0], n_items + 1]
    return tf.tensor_scatter_nd_update(tf.zeros(shape, tf.bool), slots, tf.ones_like(items, tf.bool))[:, 1:]


def full_loss(
    network: NextItem,
    states: tf.Tensor,
    periods: tf.Tensor,
    items: tf.Tensor,
    smoothing: float = 0.0,
    spared: tf.Tensor | None = None,
) -> tf.Tensor:
    """Cross-entropy of each target among all items: states [m, dim], items [m, k] -> [m, k].

    smoothing: share of the target's weight that all items share evenly (Szegedy et al., 2016, CVPR, section 7).
    spared: bool [m, n_items], items that a target is not told apart from, itself among them.
    """
    scores = network.score_items(states, periods)  # [m, n_items]; padding is no item
    first = tf.maximum(items[:, 0], 1) - 1
    if items.shape[1] == 1 and not smoothing and spared is None:
        return tf.nn.sparse_softmax_cross_entropy_with_logits(first, scores)[:, None]
    right = tf.gather(scores, tf.maximum(items, 1) - 1, batch_dims=1)
    if spared is None:  # the log of summed exponents, in one pass
        total = (tf.nn.sparse_softmax_cross_entropy_with_logits(first, scores) + right[:, 0])[:, None]
    else:
        wrong = tf.reduce_logsumexp(tf.where(spared, _NEVER, scores), axis=1, keepdims=True)
        total = wrong + tf.nn.softplus(right - wrong)
    if smoothing:
        right = (1.0 - smoothing) * right + smoothing * tf.reduce_mean(scores, axis=1, keepdims=True)
    return total - right


def sampled_loss(
    network: NextItem,
    states: tf.Tensor,
    periods: tf.Tensor,
    items: tf.Tensor,
    negatives: tf.Tensor,
    log_q: tf.Tensor,
    spared: tf.Tensor | None = None,
) -> tf.Tensor:
    """Cross-entropy of each target among itself and the negatives: with many negatives, that among all items.

    Rule:   a negative counts by score - log(expected draws), log Q; one equal to the target is left out. The
            target is there for certain, so it needs no correction. spared, bool [m, negatives], are left out.
    Source: Bengio & Senécal (2008), IEEE Transactions on Neural Networks 19(4), 713-722.
    """
    right = network.score_some(states, periods, items)
    wrong = network.score_shared(states, periods, negatives) - log_q
    is_out = _is_left_out(items, negatives, spared)
    against = tf.where(is_out, _NEVER, wrong[..., None, :])
    return tf.reduce_logsumexp(tf.concat([right[..., None], against], axis=-1), axis=-1) - right


def gbce_loss(
    network: NextItem,
    states: tf.Tensor,
    periods: tf.Tensor,
    items: tf.Tensor,
    negatives: tf.Tensor,
    calibration: float,
    spared: tf.Tensor | None = None,
) -> tf.Tensor:
    """Generalised binary cross-entropy: the probability of a target counts with a power below 1.

    Rule:   -(beta * log sigmoid(s+) + sum over negatives of log(1 - sigmoid(s-))) with
            beta = alpha * (t * (1 - 1 / alpha) + 1 / alpha) and alpha = n_sampled / (n_items - 1); negatives equal to
            the target are left out, and those spared, bool [m, negatives].
    Source: Petrov & Macdonald (2023), gSASRec, RecSys, 116-128, equations 9 and 10.
    """
    alpha = tf.cast(tf.shape(negatives)[0], tf.float32) / max(network.n_items - 1, 1)
    beta = alpha * (calibration * (1.0 - 1.0 / alpha) + 1.0 / alpha)
    right = network.score_some(states, periods, items)
    wrong = tf.nn.softplus(network.score_shared(states, periods, negatives))
    is_out = _is_left_out(items, negatives, spared)
    against = tf.reduce_sum(tf.where(is_out, 0.0, wrong[..., None, :]), axis=-1)
    return beta * tf.nn.softplus(-right) + against


def _is_left_out(items: tf.Tensor, negatives: tf.Tensor, spared: tf.Tensor | None) -> tf.Tensor:
    """[m, k, negatives]: is a negative the target itself, or spared?"""
    is_target = items[..., None] == negatives
    return is_target if spared is None else is_target | spared[:, None, :]
