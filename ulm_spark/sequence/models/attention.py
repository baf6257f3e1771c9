"""Attention of an event to those before it, which may know how far and how long ago they are, and of what kind.

Sources: Vaswani et al. (2017), Attention Is All You Need, NeurIPS, 3.2; the biases by distance and by time are those
of Zhai et al. (2024), Actions Speak Louder than Words (HSTU), ICML, section 3.2.
"""

import keras
import tensorflow as tf

from ulm_spark.sequence.models.time_buckets import N_BUCKETS, time_bucket
from ulm_spark.sequence.rows import N_CODES


@keras.saving.register_keras_serializable(package="ulm_spark")
class CausalAttention(keras.layers.Layer):
    """states [batch, length, dim] -> the same; may_see: [batch, length, length] bool, True where the row's place may
    look at the column's. With n_distances, scores have a bias by head and distance in places, and by head and bucket
    of time between; n_distances is then the greatest length. With by_kind, one by head and pair of kinds of events.
    """

    def __init__(
        self,
        dim: int,
        n_heads: int,
        dropout: float,
        n_distances: int = 0,
        by_kind: bool = False,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.by_kind = by_kind
        self.dim, self.n_heads, self.dropout, self.n_distances = dim, n_heads, dropout, n_distances
        # A bias of the keys changes no attention; its gradient is rounding alone, which Adam would blow up.
        self.project = keras.layers.Dense(3 * dim, use_bias=False, name="project")
        self.join = keras.layers.Dense(dim, use_bias=False, name="join")
        self.drop = keras.layers.Dropout(dropout)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the weights."""
        self.project.build(input_shape)
        self.join.build(input_shape)
        if self.n_distances:
            shape = (self.n_heads, self.n_distances)
            self.by_distance = self.add_weight(shape=shape, initializer="zeros", name="by_distance")
            self.by_time = self.add_weight(shape=(N_BUCKETS, self.n_heads), initializer="zeros", name="by_time")
        if self.by_kind:
            shape = (N_CODES * N_CODES, self.n_heads)
            self.by_pair = self.add_weight(shape=shape, initializer="zeros", name="by_pair")

    def call(
        self, states: tf.Tensor, may_see: tf.Tensor, buckets: tf.Tensor, pairs: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        """buckets: [batch, length, length] of the time between places, read with n_distances alone; pairs: likewise, of
        their kinds, read with by_kind alone."""
        batch, length, width = tf.shape(states)[0], tf.shape(states)[1], self.dim // self.n_heads
        parts = tf.reshape(self.project(states), [batch, length, 3, self.n_heads, width])
        query, key, value = tf.unstack(tf.transpose(parts, [2, 0, 3, 1, 4]))  # each [batch, heads, length, width]
        scores = tf.matmul(query * width**-0.5, key, transpose_b=True)
        if self.n_distances:
            scores += tf.gather(self.by_distance.value, _distances(length), axis=1)
            scores += tf.transpose(tf.gather(self.by_time.value, buckets), [0, 3, 1, 2])
        if self.by_kind:
            scores += tf.transpose(tf.gather(self.by_pair.value, pairs), [0, 3, 1, 2])
        shares = tf.nn.softmax(tf.where(may_see[:, None], tf.cast(scores, tf.float32), -1e9))
        attention = self.drop(tf.cast(shares, value.dtype), training=training)
        attended = tf.transpose(tf.matmul(attention, value), [0, 2, 1, 3])
        return self.join(tf.reshape(attended, [batch, length, self.dim]))

    def get_config(self) -> dict[str, object]:
        """What makes the layer again."""
        shape = {"dim": self.dim, "n_heads": self.n_heads, "n_distances": self.n_distances, "by_kind": self.by_kind}
        return {"name": self.name, "dropout": self.dropout, **shape}


def causal_mask(is_item: tf.Tensor) -> tf.Tensor:
    """True where a place may look: [batch, length, length]. Events see events up to themselves.

    Every place sees itself, so that a padded one, which nobody reads, has a finite state.
    """
    length = tf.shape(is_item)[1]
    place = tf.range(length)
    not_later = place[None, :] <= place[:, None]
    itself = place[None, :] == place[:, None]
    return (not_later[None] & is_item[:, None, :]) | itself[None]


def buckets_between(gaps: tf.Tensor) -> tf.Tensor:
    """Bucket of the time from the column's event to the row's: gaps [batch, length] s -> [batch, length, length]."""
    at_s = tf.cumsum(tf.cast(gaps, tf.int64), axis=1)
    return time_bucket(at_s[:, :, None] - at_s[:, None, :])


def pairs_of(codes: tf.Tensor) -> tf.Tensor:
    """A number for each pair of kinds, the row's and the column's: codes [batch, length] -> [batch, length, length]."""
    return codes[:, :, None] * N_CODES + codes[:, None, :]


def _distances(length: tf.Tensor) -> tf.Tensor:
    """Places from the column's to the row's, 0 for what is later: [length, length]."""
    place = tf.range(length)
    return tf.maximum(place[:, None] - place[None, :], 0)
