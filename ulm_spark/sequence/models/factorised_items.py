"""Item vectors of low rank: few numbers for each item, and a matrix that widens those of all.

Sources: Lan et al. (2020), ALBERT: A Lite BERT for Self-supervised Learning of Language Representations, ICLR, 3.1; for
numbers of few bits Zhou et al. (2016), DoReFa-Net, arXiv:1606.06160, 2.3, and for the straight-through gradient
Bengio et al. (2013), arXiv:1308.3432.
"""

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ulm_spark.sequence.models.items import ItemVectors
from ulm_spark.sequence.rows import Float32s

_WIDE = 0.5  # deviation of the first factors that are squeezed, before they are


@keras.saving.register_keras_serializable(package="ulm_spark")
class FactorisedItems(ItemVectors):
    """vectors [n_items + 1, dim] = factors [n_items + 1, rank] @ widen [rank, dim].

    bits: factors are squeezed between -1 and 1 and rounded to one of 2 ** bits numbers wherever they are used, and
    learn as if they were not rounded; 0 for neither.
    """

    def __init__(
        self, n_items: int, dim: int, deviation: float, rank: int, bits: int = 0, name: str | None = None
    ) -> None:
        super().__init__(n_items, dim, deviation, name)
        self.rank, self.bits = rank, bits

    def build(self, input_shape: object) -> None:
        """Makes both; the vectors begin with the deviation of a table's."""
        normal = keras.initializers.RandomNormal(stddev=self.deviation)
        self.factors = self.add_weight(
            shape=(self.n_items + 1, self.rank), initializer=normal, autocast=False, name="factors"
        )
        widened = self.rank**-0.5 if self.bits == 0 else self.rank**-0.5 / self._squeeze
        even = keras.initializers.RandomNormal(stddev=widened)
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
        factors = tf.cast(self.rounded(tf.gather(self.factors.value, items)), self.compute_dtype)
        return tf.matmul(factors, tf.cast(self.widen.value, self.compute_dtype))

    def scores(self, states: tf.Tensor) -> tf.Tensor:
        """The states narrowed, then one product with the factors."""
        narrow = tf.matmul(states, self.widen.value, transpose_b=True)
        return tf.transpose(tf.matmul(self.rounded(self.factors.value), narrow, transpose_b=True))

    def rounded(self, factors: tf.Tensor) -> tf.Tensor:
        """Factors as they are used."""
        if not self.bits:
            return factors
        most = 2.0**self.bits - 1.0
        within = tf.tanh(factors * self._squeeze)
        steps = tf.round((within + 1.0) * (0.5 * most))
        return within + tf.stop_gradient(steps * (2.0 / most) - 1.0 - within)

    def from_rounded(self, rounded: Float32s) -> Float32s:
        """Factors that are used as these are, numbers from -1 to 1."""
        most = 2.0**self.bits - 1.0
        within = np.clip(rounded, 0.5 / most - 1.0, 1.0 - 0.5 / most)
        return np.asarray(np.arctanh(within) / self._squeeze, dtype=np.float32)

    def served_weights(self) -> dict[str, NDArray[np.generic]]:
        """Factors are rounded ones."""
        return {**super().served_weights(), self.factors.path: self.rounded(self.factors.value).numpy()}

    @property
    def _squeeze(self) -> float:
        """So factors are as small as a table's numbers, and learn as quickly."""
        return _WIDE / self.deviation

    def get_config(self) -> dict[str, object]:
        """What makes the layer again."""
        return {**super().get_config(), "rank": self.rank, "bits": self.bits}
