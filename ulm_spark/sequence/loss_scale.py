"""Losses of a network that computes in float16 are scaled, since small gradients would be 0 in it.

Source: Micikevicius et al. (2018), Mixed Precision Training, ICLR, 3.2; the numbers are those of
keras.optimizers.LossScaleOptimizer.
"""

import math
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

_FIRST, _GROWS_AFTER = 2.0**15, 2000


class LossScale:
    """What losses are multiplied with before their gradient is taken, and the gradient divided by after.

    A step with a number that is none is not made, and halves the scale; _GROWS_AFTER steps without one double it.
    Gradients are looked at once they are summed over ranks, where one that is none stays so: all ranks do the same.
    unit: by how much losses are greater than a mean, being sums; the first scale is smaller by it.
    """

    def __init__(self, unit: float) -> None:
        first = 2.0 ** math.floor(math.log2(_FIRST / unit))
        self._scale = keras.Variable(first, dtype="float32", trainable=False)
        self._n_good = keras.Variable(0, dtype="int64", trainable=False)

    @property
    def variables(self) -> list[keras.Variable]:
        """The state, in a fixed order."""
        return [self._scale, self._n_good]

    @property
    def value(self) -> tf.Tensor:
        """The scale as it is now."""
        return self._scale.value

    def guard(self, gradients: Sequence[tf.Tensor | tf.IndexedSlices], move: Callable[[], None]) -> None:
        """Calls move where all gradients are finite numbers, inside a step."""
        every = [g.values if isinstance(g, tf.IndexedSlices) else g for g in gradients]
        is_finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(values)) for values in every])

        def good() -> tf.Tensor:
            move()
            n_good = self._n_good.value + 1
            is_time = n_good >= _GROWS_AFTER
            self._scale.assign(tf.where(is_time, 2.0, 1.0) * self._scale.value)
            self._n_good.assign(tf.where(is_time, tf.zeros_like(n_good), n_good))
            return is_finite

        def bad() -> tf.Tensor:
            self._scale.assign(tf.maximum(0.5 * self._scale.value, 1.0))
            self._n_good.assign(0)
            return is_finite

        tf.cond(is_finite, good, bad)
