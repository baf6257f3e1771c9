"""A block whose steps are let through by gates, and that knows how far and how long ago each event is.

Sources: the gates are those of Borisyuk et al. (2025), From Features to Transformers (LiGR), section 3, as taken up
by Tikhonovich et al. (2025), eSASRec, RecSys; the dense layers are SwiGLU, Shazeer (2020), GLU Variants Improve
Transformer; the biases see attention.py.
"""

import keras
import tensorflow as tf

from ulm_spark.sequence.models.attention import CausalAttention


@keras.saving.register_keras_serializable(package="ulm_spark")
class GatedBlock(keras.layers.Layer):
    """Attention, then gated dense layers, each let through by a gate: [batch, length, dim] -> the same."""

    def __init__(
        self,
        dim: int,
        n_heads: int,
        dropout: float,
        attention_dropout: float,
        n_distances: int,
        by_kind: bool = False,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.dim, self.n_heads, self.n_distances = dim, n_heads, n_distances
        self.dropout, self.attention_dropout, self.by_kind = dropout, attention_dropout, by_kind
        self.before_attention = keras.layers.LayerNormalization(epsilon=1e-6, name="before_attention")
        self.attention = CausalAttention(dim, n_heads, attention_dropout, n_distances, by_kind, name="attention")
        self.attention_gate = keras.layers.Dense(dim, activation="sigmoid", name="attention_gate")
        self.before_dense = keras.layers.LayerNormalization(epsilon=1e-6, name="before_dense")
        self.widen = keras.layers.Dense(2 * dim, name="widen")
        self.switch = keras.layers.Dense(2 * dim, activation="silu", name="switch")
        self.narrow = keras.layers.Dense(dim, name="narrow")
        self.dense_gate = keras.layers.Dense(dim, activation="sigmoid", name="dense_gate")
        self.drop = keras.layers.Dropout(dropout)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the weights of the inner layers."""
        attention = (self.before_attention, self.attention, self.attention_gate)
        for layer in (*attention, self.before_dense, self.widen, self.switch, self.dense_gate):
            layer.build(input_shape)
        self.narrow.build((*input_shape[:-1], 2 * self.dim))

    def call(
        self, states: tf.Tensor, may_see: tf.Tensor, buckets: tf.Tensor, pairs: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        """Both steps. may_see, buckets, pairs: as CausalAttention's."""
        attended = self.attention(self.before_attention(states), may_see, buckets, pairs, training=training)
        states = states + self.drop(attended * self.attention_gate(states), training=training)
        normed = self.before_dense(states)
        dense = self.narrow(self.widen(normed) * self.switch(normed))
        return states + self.drop(dense * self.dense_gate(states), training=training)

    def get_config(self) -> dict[str, object]:
        """What makes the layer again."""
        shape = {"dim": self.dim, "n_heads": self.n_heads, "n_distances": self.n_distances, "by_kind": self.by_kind}
        shares = {"dropout": self.dropout, "attention_dropout": self.attention_dropout}
        return {"name": self.name, **shape, **shares}
