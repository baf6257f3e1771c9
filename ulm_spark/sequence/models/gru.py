"""Gated recurrent units over events.

Source: Hidasi & Karatzoglou (2018), Recurrent Neural Networks with Top-k Gains, CIKM, 843-852.
"""

import keras

from ulm_spark.sequence.models.recurrent import Recurrent


@keras.saving.register_keras_serializable(package="ulm_spark")
class GruStack(Recurrent):
    """Layers of gated recurrent units."""

    def make_layer(self, name: str) -> keras.layers.Layer:
        """One layer; cuDNN's kernel wants padding on the right, ours is on the left."""
        return keras.layers.GRU(self.dim, return_sequences=True, use_cudnn=False, name=name)
