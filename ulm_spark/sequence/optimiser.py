"""From a gradient to a move of the weights: Adam, its rate along the training, and the running mean of weights."""

import math
from collections.abc import Sequence

import keras
import tensorflow as tf

from ulm_spark.sequence.learning_conf import OptimiserConf

_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-7  # those of keras.optimizers.Adam


class Optimiser:
    """Moves weights, and keeps their running mean where asked to.

    n_steps: moves of a whole training, over which the rate decays. tables: those of the weights whose gradient comes as
    rows.
    """

    def __init__(
        self,
        weights: Sequence[keras.Variable],
        conf: OptimiserConf,
        n_steps: int,
        tables: Sequence[keras.Variable] = (),
    ) -> None:
        self._conf, self._n_steps, self._weights = conf, max(n_steps, 1), list(weights)
        names = {id(table) for table in tables}
        self._is_table = [id(weight) in names for weight in self._weights]
        self._row_adams = [RowAdam(weight) for weight in self._weights if id(weight) in names]
        dense = [weight for weight in self._weights if id(weight) not in names]
        self._adam = _adam(conf, dense)
        self._n_taken = keras.Variable(0, dtype="int64", trainable=False)
        self._means = [keras.Variable(weight.numpy(), trainable=False) for weight in self._weights if conf.average]

    @property
    def variables(self) -> list[keras.Variable]:
        """The optimiser's state, in a fixed order."""
        of_rows = [variable for adam in self._row_adams for variable in adam.variables]
        return [self._n_taken, *self._adam.variables, *of_rows, *self._means]

    @property
    def averaged(self) -> list[keras.Variable]:
        """What is validated and exported for each weight: its running mean, or itself."""
        return self._means or self._weights

    def apply(self, gradients: Sequence[tf.Tensor | tf.IndexedSlices]) -> None:
        """One move, inside a step. gradients: of the weights in order; of tables as rows, each at most once."""
        conf = self._conf
        if conf.clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, conf.clip_norm)
        step = tf.cast(self._n_taken.value, tf.float32)
        rate = self.rate(step)
        rows = [gradient for gradient, is_table in zip(gradients, self._is_table, strict=True) if is_table]
        for adam, gradient in zip(self._row_adams, rows, strict=True):
            adam.apply(gradient, rate, step)
        self._adam.learning_rate.assign(rate)
        dense = [gradient for gradient, is_table in zip(gradients, self._is_table, strict=True) if not is_table]
        if dense:
            self._adam.apply(dense)
        self._n_taken.assign_add(1)
        if conf.average:
            # Early means forget faster, so that the first weights, drawn at random, do not stay in them.
            keep = tf.minimum(conf.average, (1.0 + step) / (10.0 + step))
            for mean, weight in zip(self._means, self._weights, strict=True):
                mean.assign(keep * mean.value + (1.0 - keep) * weight.value)

    def rate(self, step: tf.Tensor) -> tf.Tensor:
        """The rate of a step, counted from 0: up evenly while warming, then down a half cosine."""
        conf = self._conf
        warm = tf.minimum(1.0, (step + 1.0) / max(conf.warmup_steps, 1))
        way = tf.clip_by_value((step - conf.warmup_steps) / max(self._n_steps - conf.warmup_steps, 1), 0.0, 1.0)
        rest = conf.decay + (1.0 - conf.decay) * 0.5 * (1.0 + tf.cos(math.pi * way))
        return conf.learning_rate * warm * rest


def _adam(conf: OptimiserConf, weights: list[keras.Variable]) -> keras.optimizers.Optimizer:
    if conf.weight_decay == 0:
        adam = keras.optimizers.Adam(conf.learning_rate)
    else:
        adam = keras.optimizers.AdamW(conf.learning_rate, weight_decay=conf.weight_decay)
        # Vectors of one dimension are scales and offsets.
        adam.exclude_from_weight_decay([weight for weight in weights if len(weight.shape) < 2])
    adam.build(weights)
    return adam


class RowAdam:
    """Adam for a table of which a step touches few rows: only those are read and written.

    A row's moments do not fade while it is not touched, as in TensorFlow Addons' LazyAdam. Rows decay by no weight
    decay.
    Source: Kingma & Ba (2015), Adam, ICLR, algorithm 1.
    """

    def __init__(self, table: keras.Variable) -> None:
        self._table = table
        self.variables = [keras.Variable(tf.zeros(table.shape), trainable=False) for _ in range(2)]

    def apply(self, gradient: tf.IndexedSlices, rate: tf.Tensor, step: tf.Tensor) -> None:
        """One move of the rows of a gradient, each of which comes once."""
        rows, values = gradient.indices, gradient.values
        first, second = (variable.value for variable in self.variables)
        mean = _BETA_1 * tf.gather(first, rows) + (1.0 - _BETA_1) * values
        square = _BETA_2 * tf.gather(second, rows) + (1.0 - _BETA_2) * tf.square(values)
        first.scatter_update(tf.IndexedSlices(mean, rows))
        second.scatter_update(tf.IndexedSlices(square, rows))
        bias = tf.sqrt(1.0 - tf.pow(_BETA_2, step + 1.0)) / (1.0 - tf.pow(_BETA_1, step + 1.0))
        self._table.value.scatter_sub(tf.IndexedSlices(rate * bias * mean / (tf.sqrt(square) + _EPSILON), rows))
