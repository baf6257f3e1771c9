"""How wrong is what the heads say?"""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from ulm_spark.sequence.models.time_buckets import N_BUCKETS, time_bucket

_LOG_SCALE = (-4.0, 1.0)  # a wider lognormal has its mean where next to nobody's value lies
_HALF_LOG_TAU = 0.5 * float(np.log(2.0 * np.pi))
Answers = Mapping[str, tf.Tensor]


def head_losses(said: Mapping[str, tf.Tensor], known: Answers) -> dict[str, tuple[tf.Tensor, tf.Tensor]]:
    """For each task: (sum of losses, sum of weights) over the questions whose answer is known.

    In: said, what Heads gives; known, the fields of Queries as tensors.
    """
    found = losses_of(said, known)
    return {task: (tf.reduce_sum(loss * weight), tf.reduce_sum(weight)) for task, (loss, weight) in found.items()}


def losses_of(said: Mapping[str, tf.Tensor], known: Answers) -> dict[str, tuple[tf.Tensor, tf.Tensor]]:
    """For each task: loss and weight of each of n questions, [n] each. In: as head_losses."""
    rules = {
        "action": lambda s: (_among(s, known["next_code"]), known["has_next"]),
        "gap": lambda s: (gap_loss(s, known["until_next_s"], known["has_next"]), tf.ones_like(known["has_next"])),
        "churn": lambda s: (_odds(s, known["is_gone"]), known["has_outcome"]),
        "value": lambda s: (zero_inflated_lognormal_loss(s, known["value"]), known["has_outcome"]),
        "conversion": lambda s: (_odds(s, known["is_buying"]), known["has_visit"]),
    }
    return {task: rules[task](scores) for task, scores in said.items()}


def gap_loss(scores: tf.Tensor, until_s: tf.Tensor, has_next: tf.Tensor) -> tf.Tensor:
    """Negative log likelihood of the bucket of a time, or of one as late or later where nothing came until until_s.

    In:     scores [n, N_BUCKETS], until_s [n] int64, has_next [n] -> [n].
    Source: Kvamme & Borgan (2021), Continuous and discrete-time survival prediction with neural networks, Lifetime
            Data Analysis 27, equation 4, with a probability for each bucket.
    """
    bucket = time_bucket(until_s)
    is_left = tf.range(N_BUCKETS)[None, :] >= bucket[:, None]
    all_of = tf.reduce_logsumexp(scores, axis=-1)
    later = tf.reduce_logsumexp(tf.where(is_left, scores, tf.cast(-1e9, scores.dtype)), axis=-1)
    there = tf.gather(scores, bucket, batch_dims=1)
    return all_of - tf.where(has_next > 0, there, later)


def zero_inflated_lognormal_loss(said: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
    """Negative log likelihood of a value that is 0, or else lognormal: said [n, 3], value [n] -> [n].

    Source: Wang, Liu & Miao (2019), A Deep Probabilistic Model for Customer Lifetime Value Prediction, equation 5.
    """
    odds, mean, scale = tf.unstack(said, axis=-1)
    pays = tf.cast(value > 0, tf.float32)
    of_paying = tf.nn.sigmoid_cross_entropy_with_logits(pays, odds)
    log_scale = tf.clip_by_value(scale, *_LOG_SCALE)
    log_value = tf.math.log(tf.maximum(value, 1e-6))
    error = (log_value - mean) * tf.exp(-log_scale)
    of_value = log_value + log_scale + _HALF_LOG_TAU + 0.5 * tf.square(error)
    return of_paying + pays * of_value


def expected_value(said: tf.Tensor) -> tf.Tensor:
    """Mean of the zero-inflated lognormal: [n, 3] -> [n]."""
    odds, mean, scale = tf.unstack(said, axis=-1)
    spread = tf.exp(2.0 * tf.clip_by_value(scale, *_LOG_SCALE))
    return tf.sigmoid(odds) * tf.exp(tf.minimum(mean + 0.5 * spread, 30.0))


def _among(scores: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    return tf.nn.sparse_softmax_cross_entropy_with_logits(right, scores)


def _odds(scores: tf.Tensor, truth: tf.Tensor) -> tf.Tensor:
    return tf.nn.sigmoid_cross_entropy_with_logits(truth, scores[:, 0])
