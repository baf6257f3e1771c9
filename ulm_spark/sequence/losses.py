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


def full_loss(
    network: NextItem, states: tf.Tensor, periods: tf.Tensor, items: tf.Tensor, smoothing: float = 0.0
) -> tf.Tensor:
    """Cross-entropy of each target among all items: states [m, dim], items [m, k] -> [m, k].

    smoothing: share of the target's weight that all items share evenly (Szegedy et al., 2016, CVPR, section 7).
    """
    scores = network.score_items(states, periods)  # [m, n_items]; padding is no item
    first = tf.maximum(items[:, 0], 1) - 1
    if items.shape[1] == 1 and not smoothing:
        return tf.nn.sparse_softmax_cross_entropy_with_logits(first, scores)[:, None]
    right = tf.gather(scores, tf.maximum(items, 1) - 1, batch_dims=1)
    total = tf.nn.sparse_softmax_cross_entropy_with_logits(first, scores) + right[:, 0]  # the log of summed exponents
    if smoothing:
        right = (1.0 - smoothing) * right + smoothing * tf.reduce_mean(scores, axis=1, keepdims=True)
    return total[:, None] - right


def sampled_loss(
    network: NextItem, states: tf.Tensor, periods: tf.Tensor, items: tf.Tensor, negatives: tf.Tensor, log_q: tf.Tensor
) -> tf.Tensor:
    """Cross-entropy of each target among itself and the negatives: with many negatives, that among all items.

    Rule:   a negative counts by score - log(expected draws), log Q; one equal to the target is left out. The
            target is there for certain, so it needs no correction.
    Source: Bengio & Senécal (2008), IEEE Transactions on Neural Networks 19(4), 713-722.
    """
    right = network.score_some(states, periods, items)
    wrong = network.score_shared(states, periods, negatives) - log_q
    is_target = items[..., None] == negatives
    against = tf.where(is_target, _NEVER, wrong[..., None, :])
    return tf.reduce_logsumexp(tf.concat([right[..., None], against], axis=-1), axis=-1) - right


def gbce_loss(
    network: NextItem,
    states: tf.Tensor,
    periods: tf.Tensor,
    items: tf.Tensor,
    negatives: tf.Tensor,
    calibration: float,
) -> tf.Tensor:
    """Generalised binary cross-entropy: the probability of a target counts with a power below 1.

    Rule:   -(beta * log sigmoid(s+) + sum over negatives of log(1 - sigmoid(s-))) with
            beta = alpha * (t * (1 - 1 / alpha) + 1 / alpha) and alpha = n_sampled / (n_items - 1); negatives equal to
            the target are left out.
    Source: Petrov & Macdonald (2023), gSASRec, RecSys, 116-128, equations 9 and 10.
    """
    alpha = tf.cast(tf.shape(negatives)[0], tf.float32) / max(network.n_items - 1, 1)
    beta = alpha * (calibration * (1.0 - 1.0 / alpha) + 1.0 / alpha)
    right = network.score_some(states, periods, items)
    wrong = tf.nn.softplus(network.score_shared(states, periods, negatives))
    is_target = items[..., None] == negatives
    against = tf.reduce_sum(tf.where(is_target, 0.0, wrong[..., None, :]), axis=-1)
    return beta * tf.nn.softplus(-right) + against
