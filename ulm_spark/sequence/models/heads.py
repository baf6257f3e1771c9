"""What a state says beyond the next item: each task reads the same state and the time that has gone by since."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from ulm_spark.sequence.models.time_buckets import N_BUCKETS, time_bucket
from ulm_spark.sequence.rows import N_CODES

WIDTHS = {"action": N_CODES, "gap": N_BUCKETS, "churn": 1, "value": 3, "conversion": 1}


@keras.saving.register_keras_serializable(package="ulm_spark")
class Heads(keras.layers.Layer):
    """states [n, dim], elapsed_s [n] int64 s -> for each task [n, width] float32.

    action: a score for each kind of event. gap: a score for each bucket of time_buckets, the time to the next event.
    churn, conversion: log odds. value: log odds of paying anything, then mean and log scale of the logarithm of what
    those pay who pay.
    """

    def __init__(self, tasks: Sequence[str], dim: int, dropout: float, name: str | None = None) -> None:
        super().__init__(name=name)
        self.tasks, self.dim, self.dropout = tuple(tasks), dim, dropout
        self.hidden = {task: keras.layers.Dense(dim, activation="gelu", name=f"{task}_hidden") for task in self.tasks}
        # What is said goes into losses: float32, whatever the rest computes in.
        self.last = {
            task: keras.layers.Dense(WIDTHS[task], dtype="float32", name=f"{task}_last") for task in self.tasks
        }
        self.drop = keras.layers.Dropout(dropout)

    def build(self, input_shape: object) -> None:
        """Makes the weights."""
        shape = (N_BUCKETS, self.dim)
        self.elapsed = self.add_weight(shape=shape, initializer=keras.initializers.RandomNormal(0.02), name="elapsed")
        for task in self.tasks:
            self.hidden[task].build((None, 2 * self.dim))
            self.last[task].build((None, self.dim))

    def call(self, states: tf.Tensor, elapsed_s: tf.Tensor, training: bool = False) -> dict[str, tf.Tensor]:
        """What each task says."""
        since = tf.gather(self.elapsed.value, time_bucket(elapsed_s))
        both = self.drop(tf.concat([states, since], axis=-1), training=training)
        return {task: self.last[task](self.hidden[task](both)) for task in self.tasks}

    def get_config(self) -> dict[str, object]:
        """What makes the layer again."""
        return {"name": self.name, "tasks": list(self.tasks), "dim": self.dim, "dropout": self.dropout}
