"""What is known of one event: the item, what was done, how long after the event before, and how far back."""

import keras
import tensorflow as tf

from ulm_spark.sequence.rows import N_CODES

N_GAPS = 32  # powers of two of seconds: 2 ** 31 s are 68 years


@keras.saving.register_keras_serializable(package="ulm_spark")
class EventEmbedding(keras.layers.Layer):
    """items, codes: [batch, length] int32; gaps: [batch, length] int64 seconds -> [batch, length, dim] float32.

    Places count from the end, so a sequence padded to another length has the same vectors. Padded
    places give zeros. The item table also scores: see ``table``.
    """

    def __init__(self, n_items: int, length: int, dim: int, name: str | None = None) -> None:
        super().__init__(name=name)
        self.n_items, self.length, self.dim = n_items, length, dim

    def build(self, input_shape: object) -> None:
        """Makes the tables; index 0 is padding in each."""
        near_zero = keras.initializers.RandomNormal(stddev=0.02)
        unit = keras.initializers.RandomNormal(stddev=self.dim**-0.5)
        self.table = self.add_weight(shape=(self.n_items + 1, self.dim), initializer=unit, name="items")
        self.places = self.add_weight(shape=(self.length, self.dim), initializer=near_zero, name="places")
        self.codes = self.add_weight(shape=(N_CODES, self.dim), initializer=near_zero, name="codes")
        self.gaps = self.add_weight(shape=(N_GAPS, self.dim), initializer=near_zero, name="gaps")

    def call(self, items: tf.Tensor, codes: tf.Tensor, gaps: tf.Tensor) -> tf.Tensor:
        """The sum of the four vectors of each event."""
        seconds = tf.cast(tf.maximum(gaps, 0), tf.float32)
        bucket = tf.cast(tf.math.ceil(tf.math.log1p(seconds) / tf.math.log(2.0)), tf.int32)
        length = tf.shape(items)[1]
        vectors = tf.gather(self.table.value, items) * self.dim**0.5  # the scale of Vaswani et al. (2017), 3.4
        vectors += self.places.value[self.length - length :]
        vectors += tf.gather(self.codes.value, codes)
        vectors += tf.gather(self.gaps.value, tf.minimum(bucket, N_GAPS - 1))
        return vectors * tf.cast(items > 0, tf.float32)[..., None]

    def get_config(self) -> dict[str, object]:
        """What makes the layer again."""
        return {"name": self.name, "n_items": self.n_items, "length": self.length, "dim": self.dim}
