"""Gated recurrent units over events.

Source: Hidasi & Karatzoglou (2018), Recurrent Neural Networks with Top-k Gains, CIKM, 843-852.
"""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="ulm_spark")
class GruStack(keras.layers.Layer):
    """Recurrent layers: vectors [batch, length, dim], is_item [batch, length] -> states [batch, length, dim].

    is_item is True where an event stands; padded places leave the state at zero.
    """

    def __init__(self, dim: int, n_layers: int, dropout: float, name: str | None = None) -> None:
        super().__init__(name=name)
        self.dim, self.n_layers, self.dropout = dim, n_layers, dropout
        # cuDNN's kernel wants padding on the right, ours is on the left.
        self.layers_ = [keras.layers.GRU(dim, return_sequences=True, use_cudnn=False) for _ in range(n_layers)]
        self.drop = keras.layers.Dropout(dropout)
        self.last = keras.layers.LayerNormalization(epsilon=1e-6)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the weights of the layers."""
        for layer in self.layers_:
            layer.build(input_shape)
        self.last.build(input_shape)

    def call(self, vectors: tf.Tensor, is_item: tf.Tensor, training: bool = False) -> tf.Tensor:
        """The state after each place."""
        states = vectors
        for layer in self.layers_:
            states = layer(self.drop(states, training=training), mask=is_item, training=training)
        return self.last(states)

    def get_config(self) -> dict[str, object]:
        """What makes the layer again."""
        return {"name": self.name, "dim": self.dim, "n_layers": self.n_layers, "dropout": self.dropout}
