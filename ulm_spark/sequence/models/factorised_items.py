"""Item vectors of low rank: few numbers for each item, and a matrix that widens those of all.

Source: Lan et al. (2020), ALBERT: A Lite BERT for Self-supervised Learning of Language Representations, ICLR, 3.1.
"""

import keras
import tensorflow as tf

from ulm_spark.sequence.models.items import ItemVectors


@keras.saving.register_keras_serializable(package="ulm_spark")
class FactorisedItems(ItemVectors):
    """vectors [n_items + 1, dim] = factors [n_items + 1, rank] @ widen [rank, dim]."""

    def __init__(self, n_items: int, dim: int, deviation: float, rank: int, name: str | None = None) -> None:
        super().__init__(n_items, dim, deviation, name)
        self.rank = rank

    def build(self, input_shape: object) -> None:
        """Makes both; the vectors begin with the deviation of a table's."""
        normal = keras.initializers.RandomNormal(stddev=self.deviation)
        self.factors = self.add_weight(
            shape=(self.n_items + 1, self.rank), initializer=normal, autocast=False, name="factors"
        )
        even = keras.initializers.RandomNormal(stddev=self.rank**-0.5)
        self.widen = self.add_weight(shape=(self.rank, self.dim), initializer=even, name="widen")

    @property
    def tables(self) -> list[keras.Variable]:
        """The factors."""
        return [self.factors]

    @property
    def by_item(self) -> list[keras.Variable]:
        """The factors."""
        return [self.factors]

    def call(self, items: tf.Tensor) -> tf.Tensor:
        """The vectors of these items."""
        factors = tf.cast(tf.gather(self.factors.value, items), self.compute_dtype)
        return tf.matmul(factors, tf.cast(self.widen.value, self.compute_dtype))

    def scores(self, states: tf.Tensor) -> tf.Tensor:
        """The states narrowed, then one product with the factors."""
        narrow = tf.matmul(states, self.widen.value, transpose_b=True)
        return tf.transpose(tf.matmul(self.factors.value, narrow, transpose_b=True))

    def get_config(self) -> dict[str, object]:
        """What makes the layer again."""
        return {**super().get_config(), "rank": self.rank}
