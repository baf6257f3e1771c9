"""A causal Transformer over events.

Source: Kang & McAuley (2018), Self-Attentive Sequential Recommendation, ICDM, 197-206; layers are
normalised before attention (Xiong et al., 2020, ICML), which trains without a warm-up.
"""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="ulm_spark")
class CausalBlock(keras.layers.Layer):
    """Attention to what came before, then two dense layers: [batch, length, dim] -> the same.

    may_see: [batch, length, length] bool, True where the row's place may look at the column's.
    """

    def __init__(self, dim: int, n_heads: int, dropout: float, name: str | None = None) -> None:
        super().__init__(name=name)
        self.dim, self.n_heads, self.dropout = dim, n_heads, dropout
        self.before_attention = keras.layers.LayerNormalization(epsilon=1e-6)
        # A bias of the keys changes no attention; its gradient is rounding alone, which Adam would blow up.
        self.attention = keras.layers.MultiHeadAttention(n_heads, dim // n_heads, dropout=dropout, use_bias=False)
        self.before_dense = keras.layers.LayerNormalization(epsilon=1e-6)
        self.widen = keras.layers.Dense(2 * dim, activation="gelu")
        self.narrow = keras.layers.Dense(dim)
        self.drop = keras.layers.Dropout(dropout)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the weights of the inner layers."""
        self.before_attention.build(input_shape)
        self.attention.build(input_shape, input_shape)
        self.before_dense.build(input_shape)
        self.widen.build(input_shape)
        self.narrow.build((*input_shape[:-1], 2 * self.dim))

    def call(self, states: tf.Tensor, may_see: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Both steps, each added to what it started from."""
        normed = self.before_attention(states)
        attended = self.attention(normed, normed, attention_mask=may_see, training=training)
        states = states + self.drop(attended, training=training)
        dense = self.narrow(self.widen(self.before_dense(states)))
        return states + self.drop(dense, training=training)

    def get_config(self) -> dict[str, object]:
        """What makes the layer again."""
        return {"name": self.name, "dim": self.dim, "n_heads": self.n_heads, "dropout": self.dropout}


@keras.saving.register_keras_serializable(package="ulm_spark")
class SasRec(keras.layers.Layer):
    """A stack of causal blocks: vectors [batch, length, dim], is_item [batch, length] -> states [batch, length, dim].

    is_item is True where an event stands; a padded place is never looked at.
    """

    def __init__(self, dim: int, n_blocks: int, n_heads: int, dropout: float, name: str | None = None) -> None:
        super().__init__(name=name)
        self.dim, self.n_blocks, self.n_heads, self.dropout = dim, n_blocks, n_heads, dropout
        self.blocks = [CausalBlock(dim, n_heads, dropout) for _ in range(n_blocks)]
        self.drop = keras.layers.Dropout(dropout)
        self.last = keras.layers.LayerNormalization(epsilon=1e-6)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the weights of the blocks."""
        for block in self.blocks:
            block.build(input_shape)
        self.last.build(input_shape)

    def call(self, vectors: tf.Tensor, is_item: tf.Tensor, training: bool = False) -> tf.Tensor:
        """The state after each place."""
        may_see = causal_mask(is_item)
        states = self.drop(vectors, training=training)
        for block in self.blocks:
            states = block(states, may_see, training=training)
        return self.last(states)

    def get_config(self) -> dict[str, object]:
        """What makes the layer again."""
        shape = {"dim": self.dim, "n_blocks": self.n_blocks, "n_heads": self.n_heads, "dropout": self.dropout}
        return {"name": self.name, **shape}


def causal_mask(is_item: tf.Tensor) -> tf.Tensor:
    """True where a place may look: [batch, length, length]. Events see events up to themselves.

    Every place sees itself, so that a padded one, which nobody reads, has a finite state.
    """
    length = tf.shape(is_item)[1]
    place = tf.range(length)
    not_later = place[None, :] <= place[:, None]
    itself = place[None, :] == place[:, None]
    return (not_later[None] & is_item[:, None, :]) | itself[None]
