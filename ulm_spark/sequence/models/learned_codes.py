"""Item vectors whose codes are learned with them: while training each item keeps a vector of its own, of which only
the nearest centroids are used.

Source: Chen, Li & Sun (2020), Differentiable Product Quantization for End-to-End Embedding Compression, ICML, 2.4;
the straight-through gradient is that of van den Oord et al. (2017), Neural Discrete Representation Learning, NeurIPS.
"""

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ulm_spark.sequence.models.items import TABLE, ItemVectors
from ulm_spark.sequence.models.quantised_items import CODES


@keras.saving.register_keras_serializable(package="ulm_spark")
class LearnedCodes(ItemVectors):
    """Vectors as QuantisedItems', whose codes name the centroids nearest to each part of the items' own vectors.

    The gradient of a vector goes to its centroids, and as if it were the item's own to that too. Exported are codes.
    """

    def __init__(
        self, n_items: int, dim: int, deviation: float, n_splits: int, n_centroids: int, name: str | None = None
    ) -> None:
        super().__init__(n_items, dim, deviation, name)
        self.n_splits, self.n_centroids = n_splits, n_centroids

    def build(self, input_shape: object) -> None:
        """Makes the items' own vectors and the centroids."""
        normal = keras.initializers.RandomNormal(stddev=self.deviation)
        self.table = self.add_weight(shape=(self.n_items + 1, self.dim), initializer=normal, autocast=False, name=TABLE)
        shape = (self.n_splits, self.n_centroids, self.dim // self.n_splits)
        self.centroids = self.add_weight(shape=shape, initializer=normal, autocast=False, name="centroids")

    @property
    def tables(self) -> list[keras.Variable]:
        """The items' own vectors."""
        return [self.table]

    @property
    def by_item(self) -> list[keras.Variable]:
        """The items' own vectors."""
        return [self.table]

    def call(self, items: tf.Tensor) -> tf.Tensor:
        """The vectors of these items."""
        own = tf.gather(self.table.value, items)
        parts = zip(tf.unstack(self.centroids.value), tf.split(own, self.n_splits, axis=-1), strict=True)
        near = tf.concat([tf.gather(centroids, _nearest(part, centroids)) for centroids, part in parts], axis=-1)
        return tf.cast(near + (own - tf.stop_gradient(own)), self.compute_dtype)

    def scores(self, states: tf.Tensor) -> tf.Tensor:
        """One matrix product."""
        return tf.matmul(states, self.every(), transpose_b=True)

    def codes(self) -> NDArray[np.uint8]:
        """The codes of all items as they are now: [n_items + 1, n_splits]."""
        parts = zip(tf.unstack(self.centroids.value), tf.split(self.table.value, self.n_splits, axis=-1), strict=True)
        codes = [_nearest(part, centroids).numpy() for centroids, part in parts]
        return np.asarray(np.stack(codes, axis=1), dtype=np.uint8)

    def served_weights(self) -> dict[str, NDArray[np.generic]]:
        """Codes take the place of the items' own vectors."""
        return {self.centroids.path: self.centroids.numpy(), f"{self.path}/{CODES}": self.codes()}

    def get_config(self) -> dict[str, object]:
        """What makes the layer again."""
        return {**super().get_config(), "n_splits": self.n_splits, "n_centroids": self.n_centroids}


def _nearest(part: tf.Tensor, centroids: tf.Tensor) -> tf.Tensor:
    """The nearest centroid of each: part [..., width], centroids [n_centroids, width] -> [...] int32."""
    half_squares = 0.5 * tf.reduce_sum(tf.square(centroids), axis=1)
    return tf.argmax(tf.tensordot(part, centroids, [[-1], [1]]) - half_squares, axis=-1, output_type=tf.int32)
