"""What is known of an item beside its number: category, price band. Items that nobody has seen have them too."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from ulm_spark.sequence.snapshot import ItemAttribute


@keras.saving.register_keras_serializable(package="ulm_spark")
class ItemAttributes(keras.layers.Layer):
    """The sum of the vectors of an item's attributes: items [...] int32 -> [..., dim].

    sizes: number of values of each attribute, by name. Value 0, unknown, has a vector as others have; padding has it.
    """

    def __init__(self, n_items: int, dim: int, sizes: Mapping[str, int], name: str | None = None) -> None:
        super().__init__(name=name)
        self.n_items, self.dim, self.sizes = n_items, dim, dict(sizes)

    def build(self, input_shape: object) -> None:
        """Makes the vectors of values, and for each attribute the value of each item."""
        near_zero = keras.initializers.RandomNormal(stddev=0.02)
        self.vectors = {
            name: self.add_weight(shape=(size + 1, self.dim), initializer=near_zero, name=name)
            for name, size in self.sizes.items()
        }
        self.values = {
            name: self.add_weight(
                shape=(self.n_items + 1,), initializer="zeros", dtype="int32", trainable=False, name=f"{name}_of_item"
            )
            for name in self.sizes
        }

    def tell(self, attributes: Sequence[ItemAttribute]) -> None:
        """Sets the value of each item."""
        for attribute in attributes:
            self.values[attribute.name].assign(np.array([0, *attribute.of_item], np.int32))

    def call(self, items: tf.Tensor) -> tf.Tensor:
        """The sums for these items."""
        return tf.add_n(
            [tf.gather(self.vectors[name].value, tf.gather(self.values[name].value, items)) for name in self.sizes]
        )

    def scores(self, states: tf.Tensor) -> tf.Tensor:
        """Products of states [n, dim] float32 with the sums of items 0 to n_items: [n, n_items + 1]."""
        of_values = {name: tf.matmul(states, self.vectors[name].value, transpose_b=True) for name in self.sizes}
        return tf.add_n([tf.gather(of_values[name], self.values[name].value, axis=1) for name in self.sizes])

    def get_config(self) -> dict[str, object]:
        """What makes the layer again."""
        return {"name": self.name, "n_items": self.n_items, "dim": self.dim, "sizes": self.sizes}
