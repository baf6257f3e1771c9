"""The vector of each item: what an event brings in, and what a state is held against to score."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="ulm_spark")
class ItemTable(keras.layers.Layer):
    """A vector of its own for each item: items [...] int32 -> [..., dim]; item 0 is padding.

    deviation: of the first values, which are drawn from a normal distribution.
    """

    def __init__(self, n_items: int, dim: int, deviation: float, name: str | None = None) -> None:
        super().__init__(name=name)
        self.n_items, self.dim, self.deviation = n_items, dim, deviation

    def build(self, input_shape: object) -> None:
        """Makes the table."""
        normal = keras.initializers.RandomNormal(stddev=self.deviation)
        self.table = self.add_weight(
            shape=(self.n_items + 1, self.dim), initializer=normal, autocast=False, name="items"
        )

    def call(self, items: tf.Tensor) -> tf.Tensor:
        """The vectors of these items, in what the network computes in: only those are turned into it."""
        return tf.cast(tf.gather(self.table.value, items), self.compute_dtype)

    def every(self) -> tf.Tensor:
        """The vectors of items 1 to n_items: [n_items, dim] float32."""
        return self.table.value[1:]

    def get_config(self) -> dict[str, object]:
        """What makes the layer again."""
        return {"name": self.name, "n_items": self.n_items, "dim": self.dim, "deviation": self.deviation}
