"""Item vectors that items share: each is a sum of a few of k vectors, weighted by numbers of its own.

Two items are the same only where all their buckets and numbers are.
Source: Svenstrup, Hansen & Winther (2017), Hash Embeddings for Efficient Word Representations, NeurIPS, section 2. Its
hash functions are kept as numbers of buckets drawn once, so that an item keeps its own when items are numbered anew.
"""

import keras
import tensorflow as tf

from ulm_spark.sequence.models.items import ItemVectors


@keras.saving.register_keras_serializable(package="ulm_spark")
class HashedItems(ItemVectors):
    """vector of item i = sum over j of weights[i, j] * buckets[numbers[i, j]].

    numbers: [n_items + 1, n_hashes] int32, fixed; weights likewise float32; buckets: [n_buckets, dim].
    """

    def __init__(
        self, n_items: int, dim: int, deviation: float, n_buckets: int, n_hashes: int, name: str | None = None
    ) -> None:
        super().__init__(n_items, dim, deviation, name)
        self.n_buckets, self.n_hashes = n_buckets, n_hashes

    def build(self, input_shape: object) -> None:
        """Draws the numbers, and makes the weights; the vectors begin with the deviation of a table's."""
        shape = (self.n_items + 1, self.n_hashes)
        self.numbers = self.add_weight(shape=shape, initializer="zeros", trainable=False, dtype="int32", name="numbers")
        self.numbers.assign(keras.random.randint(shape, 0, self.n_buckets))
        even = keras.initializers.Constant(self.n_hashes**-0.5)
        self.shares = self.add_weight(shape=shape, initializer=even, autocast=False, name="weights")
        normal = keras.initializers.RandomNormal(stddev=self.deviation)
        self.buckets = self.add_weight(
            shape=(self.n_buckets, self.dim), initializer=normal, autocast=False, name="buckets"
        )

    @property
    def tables(self) -> list[keras.Variable]:
        """The weights and the buckets."""
        return [self.shares, self.buckets]

    @property
    def by_item(self) -> list[keras.Variable]:
        """The weights and the numbers of the buckets."""
        return [self.shares, self.numbers]

    def call(self, items: tf.Tensor) -> tf.Tensor:
        """The vectors of these items."""
        numbers, shares = tf.gather(self.numbers.value, items), tf.gather(self.shares.value, items)
        vectors = tf.reduce_sum(tf.gather(self.buckets.value, numbers) * shares[..., None], axis=-2)
        return tf.cast(vectors, self.compute_dtype)

    def scores(self, states: tf.Tensor) -> tf.Tensor:
        """Each bucket is scored once, [n_buckets, n]; an item's score is the sum of those of its own."""
        by_bucket = tf.matmul(self.buckets.value, states, transpose_b=True)
        numbers, shares = tf.unstack(self.numbers.value, axis=1), tf.unstack(self.shares.value, axis=1)
        parts = [tf.gather(by_bucket, j) * share[:, None] for j, share in zip(numbers, shares, strict=True)]
        return tf.transpose(tf.add_n(parts))

    def get_config(self) -> dict[str, object]:
        """What makes the layer again."""
        return {**super().get_config(), "n_buckets": self.n_buckets, "n_hashes": self.n_hashes}
