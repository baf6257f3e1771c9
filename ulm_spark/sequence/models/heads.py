"""What a state says beyond the next item: each task reads the same state, the time since then, and plain facts."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from ulm_spark.sequence.facts import N_FACTS
from ulm_spark.sequence.models.time_buckets import N_BUCKETS, time_bucket
from ulm_spark.sequence.rows import N_CODES

WIDTHS = {"action": N_CODES, "gap": N_BUCKETS, "churn": 1, "value": 3, "conversion": 1}
# What is known of a user as a whole: few users have many instants of one outcome, and a state that names its user would
# tell what became of them.
_OUTCOMES = ("gap", "churn", "value")
_STATE_DROPOUT = 0.5  # for those
_MOST = 5.0  # deviations: a fact that is nearly always 0 would else be huge where it is not
_KNOTS = (-1.0, -0.5, 0.0, 0.5, 1.0, 2.0)  # deviations from a fact's mean
_WIDTH = 32  # narrow, so that a task is added to a trained trunk by few parameters


@keras.saving.register_keras_serializable(package="ulm_spark")
class Heads(keras.layers.Layer):
    """states [n, dim], elapsed_s [n] int64 s, facts [n, N_FACTS] -> for each task [n, width] float32.

    action: a score for each kind of event. gap: a score for each bucket of time_buckets, the time to the next event.
    churn, conversion: log odds. value: log odds of paying anything, then mean and log scale of the logarithm of what
    those pay who pay; the scale is one for all, since one for each would decide who is expected to pay most.
    Rule:   each task adds what a hidden layer makes of all and a sum over facts of a function of each alone, linear
            between knots, for few users leave little to learn beyond that.
    Source: Hastie & Tibshirani (1986), Generalized Additive Models, Statistical Science 1(3), 297-310, for the sum.
    """

    def __init__(self, tasks: Sequence[str], dim: int, dropout: float, name: str | None = None) -> None:
        super().__init__(name=name)
        self.tasks, self.dim, self.dropout = tuple(tasks), dim, dropout
        self.told = keras.layers.Dense(_WIDTH, activation="silu", name="told")
        self.hidden = {
            task: keras.layers.Dense(_WIDTH, activation="silu", name=f"{task}_hidden") for task in self.tasks
        }
        # What is said goes into losses: float32, whatever the rest computes in.
        self.last = {
            task: keras.layers.Dense(WIDTHS[task], dtype="float32", name=f"{task}_last") for task in self.tasks
        }
        self.plain = {
            task: keras.layers.Dense(
                WIDTHS[task], use_bias=False, kernel_initializer="zeros", dtype="float32", name=f"{task}_plain"
            )
            for task in self.tasks
        }
        self.drop = keras.layers.Dropout(dropout)
        self.drop_state = keras.layers.Dropout(_STATE_DROPOUT)

    def build(self, input_shape: object) -> None:
        """Makes the weights."""
        shape = (N_BUCKETS, _WIDTH)
        self.elapsed = self.add_weight(shape=shape, initializer=keras.initializers.RandomNormal(0.02), name="elapsed")
        self.mean = self.add_weight(shape=(N_FACTS,), initializer="zeros", trainable=False, name="mean")
        self.deviation = self.add_weight(shape=(N_FACTS,), initializer="ones", trainable=False, name="deviation")
        self.told.build((None, N_FACTS))
        for task in self.tasks:
            self.hidden[task].build((None, self.dim + 2 * _WIDTH))
            self.last[task].build((None, _WIDTH))
            self.plain[task].build((None, N_FACTS * (1 + len(_KNOTS))))
        kept = {"autocast": False, "trainable": "value" in self.tasks}
        self.log_scale = self.add_weight(shape=(), initializer="zeros", name="log_scale", **kept)

    def call(
        self,
        states: tf.Tensor,
        elapsed_s: tf.Tensor,
        facts: tf.Tensor,
        into_trunk: float = 1.0,
        training: bool = False,
    ) -> dict[str, tf.Tensor]:
        """What each task says. into_trunk: share of the gradient of gap, churn and value that goes on to the states."""
        since = tf.gather(self.elapsed.value, time_bucket(elapsed_s))
        scaled = tf.clip_by_value((facts - self.mean.value) / self.deviation.value, -_MOST, _MOST)
        told = self.drop(tf.concat([since, self.told(scaled)], axis=-1), training=training)
        held = into_trunk * states + (1.0 - into_trunk) * tf.stop_gradient(states)
        of_events = tf.concat([self.drop(states, training=training), told], axis=-1)
        of_outcomes = tf.concat([self.drop_state(held, training=training), told], axis=-1)
        known = {task: of_outcomes if task in _OUTCOMES else of_events for task in self.tasks}
        bent = tf.concat([scaled, *(tf.nn.relu(scaled - knot) for knot in _KNOTS)], axis=-1)
        said = {task: self.last[task](self.hidden[task](known[task])) + self.plain[task](bent) for task in self.tasks}
        if "value" in said:
            said["value"] = tf.where([False, False, True], self.log_scale.value, said["value"])
        return said

    def get_config(self) -> dict[str, object]:
        """What makes the layer again."""
        return {"name": self.name, "tasks": list(self.tasks), "dim": self.dim, "dropout": self.dropout}
