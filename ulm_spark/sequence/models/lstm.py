"""Long short-term memory over events.

Source: Hochreiter & Schmidhuber (1997), Long Short-Term Memory, Neural Computation 9(8), 1735-1780.
"""

import keras

from ulm_spark.sequence.models.recurrent import Recurrent


@keras.saving.register_keras_serializable(package="ulm_spark")
class LstmStack(Recurrent):
    """Layers of LSTM."""

    def make_layer(self, name: str) -> keras.layers.Layer:
        """One layer; cuDNN's kernel wants padding on the right, ours is on the left."""
        return keras.layers.LSTM(self.dim, return_sequences=True, use_cudnn=False, name=name)
