"""A stack of recurrent layers, whatever their cell."""

import keras
import tensorflow as tf


class Recurrent(keras.layers.Layer):
    """Recurrent layers: vectors [batch, length, dim], is_item [batch, length] -> states [batch, length, dim].

    is_item is True where an event stands; padded places leave the state at zero.
    """

    def __init__(self, dim: int, n_layers: int, dropout: float, name: str | None = None) -> None:
        super().__init__(name=name)
        self.dim, self.n_layers, self.dropout = dim, n_layers, dropout
        self.layers_ = [self.make_layer(f"layer_{number}") for number in range(n_layers)]
        self.drop = keras.layers.Dropout(dropout)
        self.last = keras.layers.LayerNormalization(epsilon=1e-6, name="last")

    def make_layer(self, name: str) -> keras.layers.Layer:
        """One layer of the cell."""
        raise NotImplementedError

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the weights of the layers."""
        for layer in self.layers_:
            layer.build(input_shape)
        self.last.build(input_shape)

    def call(
        self, vectors: tf.Tensor, is_item: tf.Tensor, gaps: tf.Tensor, codes: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        """The state after each place; gaps and codes are in the vectors already."""
        states = vectors
        for layer in self.layers_:
            states = layer(self.drop(states, training=training), mask=is_item, training=training)
        return self.last(states)

    def get_config(self) -> dict[str, object]:
        """What makes the layer again."""
        return {"name": self.name, "dim": self.dim, "n_layers": self.n_layers, "dropout": self.dropout}
