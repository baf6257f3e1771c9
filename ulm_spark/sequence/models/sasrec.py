"""The block of the plain causal Transformer.

Source: Kang & McAuley (2018), Self-Attentive Sequential Recommendation, ICDM, 197-206; layers are
normalised before attention (Xiong et al., 2020, ICML), which trains without a warm-up.
"""

import keras
import tensorflow as tf

from ulm_spark.sequence.models.attention import CausalAttention


@keras.saving.register_keras_serializable(package="ulm_spark")
class CausalBlock(keras.layers.Layer):
    """Attention to what came before, then two dense layers: [batch, length, dim] -> the same."""

    def __init__(
        self, dim: int, n_heads: int, dropout: float, attention_dropout: float, name: str | None = None
    ) -> None:
        super().__init__(name=name)
        self.dim, self.n_heads = dim, n_heads
        self.dropout, self.attention_dropout = dropout, attention_dropout
        self.before_attention = keras.layers.LayerNormalization(epsilon=1e-6, name="before_attention")
        self.attention = CausalAttention(dim, n_heads, attention_dropout, name="attention")
        self.before_dense = keras.layers.LayerNormalization(epsilon=1e-6, name="before_dense")
        self.widen = keras.layers.Dense(2 * dim, activation="relu", name="widen")
        self.narrow = keras.layers.Dense(dim, name="narrow")
        self.drop = keras.layers.Dropout(dropout)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the weights of the inner layers."""
        for layer in (self.before_attention, self.attention, self.before_dense, self.widen):
            layer.build(input_shape)
        self.narrow.build((*input_shape[:-1], 2 * self.dim))

    def call(
        self, states: tf.Tensor, may_see: tf.Tensor, buckets: tf.Tensor, pairs: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        """Both steps, each added to what it started from. may_see, buckets, pairs: as CausalAttention's."""
        attended = self.attention(self.before_attention(states), may_see, buckets, pairs, training=training)
        states = states + self.drop(attended, training=training)
        dense = self.narrow(self.widen(self.before_dense(states)))
        return states + self.drop(dense, training=training)

    def get_config(self) -> dict[str, object]:
        """What makes the layer again."""
        shares = {"dropout": self.dropout, "attention_dropout": self.attention_dropout}
        return {"name": self.name, "dim": self.dim, "n_heads": self.n_heads, **shares}
