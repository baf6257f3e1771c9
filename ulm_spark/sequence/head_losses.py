"""How wrong is what the heads say?"""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from ulm_spark.sequence.models.time_buckets import time_bucket

_HALF_LOG_TAU = 0.5 * float(np.log(2.0 * np.pi))
Answers = Mapping[str, tf.Tensor]


def head_losses(said: Mapping[str, tf.Tensor], known: Answers) -> dict[str, tuple[tf.Tensor, tf.Tensor]]:
    """For each task: (sum of losses, sum of weights) over the questions whose answer is known.

    In: said, what Heads gives; known, the fields of Queries as tensors.
    """
    rules = {
        "action": lambda s: (_among(s, known["next_code"]), known["has_next"]),
        "gap": lambda s: (_among(s, time_bucket(known["until_next_s"])), known["has_next"]),
        "churn": lambda s: (_odds(s, known["is_gone"]), known["has_outcome"]),
        "value": lambda s: (zero_inflated_lognormal_loss(s, known["value"]), known["has_outcome"]),
        "conversion": lambda s: (_odds(s, known["is_buying"]), known["has_visit"]),
    }
    found = {}
    for task, scores in said.items():
        losses, weights = rules[task](scores)
        found[task] = (tf.reduce_sum(losses * weights), tf.reduce_sum(weights))
    return found


def zero_inflated_lognormal_loss(said: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
    """Negative log likelihood of a value that is 0, or else lognormal: said [n, 3], value [n] -> [n].

    Source: Wang, Liu & Miao (2019), A Deep Probabilistic Model for Customer Lifetime Value Prediction, equation 5.
    """
    odds, mean, scale = tf.unstack(said, axis=-1)
    pays = tf.cast(value > 0, tf.float32)
    of_paying = tf.nn.sigmoid_cross_entropy_with_logits(pays, odds)
    log_scale = tf.clip_by_value(scale, -4.0, 4.0)
    log_value = tf.math.log(tf.maximum(value, 1e-6))
    error = (log_value - mean) * tf.exp(-log_scale)
    of_value = log_value + log_scale + _HALF_LOG_TAU + 0.5 * tf.square(error)
    return of_paying + pays * of_value


def expected_value(said: tf.Tensor) -> tf.Tensor:
    """Mean of the zero-inflated lognormal: [n, 3] -> [n]."""
    odds, mean, scale = tf.unstack(said, axis=-1)
    spread = tf.exp(2.0 * tf.clip_by_value(scale, -4.0, 4.0))
    return tf.sigmoid(odds) * tf.exp(tf.minimum(mean + 0.5 * spread, 30.0))


def _among(scores: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    return tf.nn.sparse_softmax_cross_entropy_with_logits(right, scores)


def _odds(scores: tf.Tensor, truth: tf.Tensor) -> tf.Tensor:
    return tf.nn.sigmoid_cross_entropy_with_logits(truth, scores[:, 0])
