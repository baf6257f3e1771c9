"""Item vectors put together from few centroids by codes of a byte: joint product quantisation.

Sources: Petrov & Macdonald (2024), RecJPQ: Training Large-Catalogue Sequential Recommenders, WSDM, section 4; the sum
of partial scores is that of Jégou et al. (2011), Product Quantization, IEEE TPAMI 33(1), 117-128, section III.
"""

import keras
import tensorflow as tf

from ulm_spark.sequence.models.items import ItemVectors

CODES = "codes"


@keras.saving.register_keras_serializable(package="ulm_spark")
class QuantisedItems(ItemVectors):
    """vector of item i = centroids[0, codes[i, 0]], centroids[1, codes[i, 1]] and so on, one behind the other.

    codes: [n_items + 1, n_splits] uint8, fixed; centroids: [n_splits, n_centroids, dim / n_splits]. Codes are random
    at first, see sequence/codes.py for better ones.
    """

    def __init__(
        self, n_items: int, dim: int, deviation: float, n_splits: int, n_centroids: int, name: str | None = None
    ) -> None:
        super().__init__(n_items, dim, deviation, name)
        self.n_splits, self.n_centroids = n_splits, n_centroids

    def build(self, input_shape: object) -> None:
        """Draws the codes, and makes the centroids."""
        shape = (self.n_items + 1, self.n_splits)
        self.codes = self.add_weight(shape=shape, initializer="zeros", trainable=False, dtype="uint8", name=CODES)
        self.codes.assign(keras.ops.cast(keras.random.randint(shape, 0, self.n_centroids), "uint8"))
        normal = keras.initializers.RandomNormal(stddev=self.deviation)
        of_all = (self.n_splits, self.n_centroids, self.dim // self.n_splits)
        self.centroids = self.add_weight(shape=of_all, initializer=normal, autocast=False, name="centroids")

    @property
    def tables(self) -> list[keras.Variable]:
        """None: a step touches most centroids."""
        return []

    @property
    def by_item(self) -> list[keras.Variable]:
        """The codes."""
        return [self.codes]

    def call(self, items: tf.Tensor) -> tf.Tensor:
        """The vectors of these items."""
        parts = zip(tf.unstack(self.centroids.value), self._by_split(), strict=True)
        vectors = [tf.gather(centroids, tf.gather(codes, items)) for centroids, codes in parts]
        return tf.cast(tf.concat(vectors, axis=-1), self.compute_dtype)

    def scores(self, states: tf.Tensor) -> tf.Tensor:
        """Each centroid is scored once, [n_centroids, n] a split; an item's score is the sum of those of its codes."""
        of_split = tf.split(states, self.n_splits, axis=1)
        parts = zip(tf.unstack(self.centroids.value), of_split, self._by_split(), strict=True)
        return tf.transpose(
            tf.add_n([tf.gather(tf.matmul(near, state, transpose_b=True), codes) for near, state, codes in parts])
        )

    def _by_split(self) -> list[tf.Tensor]:
        return list(tf.unstack(tf.cast(self.codes.value, tf.int32), axis=1))

    def get_config(self) -> dict[str, object]:
        """What makes the layer again."""
        return {**super().get_config(), "n_splits": self.n_splits, "n_centroids": self.n_centroids}
