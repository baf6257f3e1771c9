"""One step of learning: the loss of a batch, its gradient summed over ranks, one move of Adam.

Each rank gives sums, not means: sum of losses, sum of weights, gradient of the first. Their totals over
ranks, divided once, are the mean over all targets of the step, however they lie on the ranks.
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from ulm_spark.sequence.conf import TrainingConf
from ulm_spark.sequence.models.network import NextItem
from ulm_spark.sequence.prior import Periods
from ulm_spark.sequence.ranks import Ranks
from ulm_spark.sequence.rows import Float32s, Int32s, Rows, Targets

Batch = tuple[tf.Tensor, ...]
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


def full_loss(network: NextItem, states: tf.Tensor, periods: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of each target among all items: [batch, positions, targets]."""
    scores = network.score_all(states, periods)
    total = tf.reduce_logsumexp(scores[..., 1:], axis=-1, keepdims=True)  # padding is no item
    return total - tf.gather(scores, items, batch_dims=2)


def sampled_loss(
    network: NextItem,
    states: tf.Tensor,
    periods: tf.Tensor,
    items: tf.Tensor,
    negatives: tf.Tensor,
    negative_log_expected: tf.Tensor,
) -> tf.Tensor:
    """Cross-entropy of each target among itself and the negatives: with many negatives, that among all items.

    Rule:   a negative counts by score - log(expected draws), log Q; one equal to the target is left out. The
            target is there for certain, so it needs no correction.
    Source: Bengio & Senécal (2008), IEEE Transactions on Neural Networks 19(4), 713-722.
    """
    right = network.score_some(states, periods, items)
    wrong = network.score_shared(states, periods, negatives) - negative_log_expected
    is_target = items[..., None] == negatives
    against = tf.where(is_target, _NEVER, wrong[..., None, :])
    return tf.reduce_logsumexp(tf.concat([right[..., None], against], axis=-1), axis=-1) - right


class Stepper:
    """Takes steps with one network and one optimizer on every rank."""

    def __init__(self, network: NextItem, conf: TrainingConf, periods: Periods, ranks: Ranks) -> None:
        self.network = network
        self.optimizer = keras.optimizers.Adam(conf.learning_rate)
        self.optimizer.build(network.trainable_variables)
        self._periods = periods
        self._ranks = ranks
        self._n_items: int = network.shape["n_items"]
        self._n_sampled = conf.n_sampled if self._n_items > conf.full_softmax_items else 0
        self._take: Callable[[Batch], tuple[tf.Tensor, tf.Tensor]] = tf.function(self._step, reduce_retracing=True)

    @property
    def variables(self) -> list[keras.Variable]:
        """All that a step changes: weights and the optimizer's state, in a fixed order."""
        return [*self.network.trainable_variables, *self.optimizer.variables]

    def take(self, rows: Rows, targets: Targets, generator: np.random.Generator) -> tuple[float, float]:
        """One step; (sum of losses, sum of weights) over all ranks. generator: equal on all ranks."""
        next_periods = self._periods.of(targets.next_at_s).astype(np.int32)
        batch: list[object] = [rows.items, rows.codes, rows.gaps(), targets.places, next_periods]
        batch += [targets.items, targets.weights]
        if self._n_sampled:
            drawn = draw_negatives(self._n_items, self._n_sampled, generator)
            batch += [drawn.items, drawn.log_expected]
        losses, weights = self._take(tuple(tf.convert_to_tensor(part) for part in batch))
        return float(losses), float(weights)

    def _step(self, batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        items, codes, gaps, places, periods, target_items, weights, *sampling = batch
        variables = self.network.trainable_variables
        with tf.GradientTape() as tape:
            states = tf.gather(self.network(items, codes, gaps, training=True), places, batch_dims=1)
            losses = (
                sampled_loss(self.network, states, periods, target_items, *sampling)
                if sampling
                else full_loss(self.network, states, periods, target_items)
            )
            summed = tf.reduce_sum(losses * weights)
        gradients = tape.gradient(summed, [variable.value for variable in variables])
        if not sampling:  # the tied table has a dense part anyway
            gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
        *totals, loss, weight = self._ranks.add_gradients(gradients, [summed, tf.reduce_sum(weights)])
        scale = 1.0 / tf.maximum(weight, 1e-12)
        # Rows that travelled apart become one table here: Adam would square a row that comes twice twice.
        self.optimizer.apply([tf.convert_to_tensor(total) * scale for total in totals], variables)
        return loss, weight
