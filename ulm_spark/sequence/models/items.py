"""The vector of each item: what an event brings in, and what a state is held against to score."""

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

TABLE = "items"


class ItemVectors(keras.layers.Layer):
    """A vector for each item, however kept: items [...] int32 -> [..., dim]; item 0 is padding.

    deviation: of the numbers of the first vectors.
    """

    def __init__(self, n_items: int, dim: int, deviation: float, name: str | None = None) -> None:
        super().__init__(name=name)
        self.n_items, self.dim, self.deviation = n_items, dim, deviation

    @property
    def tables(self) -> list[keras.Variable]:
        """Weights to learn of which some items touch few rows."""
        raise NotImplementedError

    @property
    def by_item(self) -> list[keras.Variable]:
        """Weights, learned or fixed, with a row for each item."""
        raise NotImplementedError

    def every(self) -> tf.Tensor:
        """The vectors of items 0 to n_items: [n_items + 1, dim] float32."""
        return tf.cast(self(tf.range(self.n_items + 1)), tf.float32)

    def scores(self, states: tf.Tensor) -> tf.Tensor:
        """Products of states [n, dim] with the vectors of items 0 to n_items: [n, n_items + 1].

        Where vectors are made of parts they are not put together for it, so that a large vocabulary stays small.
        """
        raise NotImplementedError

    def served_weights(self) -> dict[str, NDArray[np.generic]]:
        """By path the weights of the layer of these vectors as they are used, whose kind is ItemsConf.served."""
        return {weight.path: weight.numpy() for weight in self.weights}

    def get_config(self) -> dict[str, object]:
        """What makes the layer again."""
        return {"name": self.name, "n_items": self.n_items, "dim": self.dim, "deviation": self.deviation}


@keras.saving.register_keras_serializable(package="ulm_spark")
class ItemTable(ItemVectors):
    """A vector of its own for each item."""

    def build(self, input_shape: object) -> None:
        """Makes the table."""
        normal = keras.initializers.RandomNormal(stddev=self.deviation)
        self.table = self.add_weight(shape=(self.n_items + 1, self.dim), initializer=normal, autocast=False, name=TABLE)

    @property
    def tables(self) -> list[keras.Variable]:
        """The table."""
        return [self.table]

    @property
    def by_item(self) -> list[keras.Variable]:
        """The table."""
        return [self.table]

    def call(self, items: tf.Tensor) -> tf.Tensor:
        """The vectors of these items, in what the network computes in: only those are turned into it."""
        return tf.cast(tf.gather(self.table.value, items), self.compute_dtype)

    def every(self) -> tf.Tensor:
        """The table."""
        return self.table.value

    def scores(self, states: tf.Tensor) -> tf.Tensor:
        """One matrix product, with the table as it lies: an exported file would hold it twice."""
        return tf.transpose(tf.matmul(self.table.value, states, transpose_b=True))
