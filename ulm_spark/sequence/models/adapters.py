"""A trained trunk tuned for one task or one shop by few parameters.

Source: Hu et al. (2022), LoRA: Low-Rank Adaptation of Large Language Models, ICLR; the layers are Keras' own.
"""

import keras
import numpy as np
from numpy.typing import NDArray

from ulm_spark.sequence.models.network import NextItem


def adapt(network: NextItem, rank: int) -> None:
    """Freezes the network but for its heads, a change of low rank beside each matrix of the body, and the body's small
    weights: scales, and what attention adds by distance, time and kinds.

    Edge: recurrent layers are frozen whole.
    """
    network.events.trainable = False
    network.bias.trainable = False
    for layer in network.body._flatten_layers():
        if isinstance(layer, keras.layers.Dense):
            layer.enable_lora(rank)
            if layer.bias is not None:
                layer.bias.trainable = False
        elif isinstance(layer, keras.layers.RNN):
            layer.trainable = False


def merged_weights(network: NextItem) -> dict[str, NDArray[np.generic]]:
    """The weights by path, adapters taken into their matrices: those of a network without adapters."""
    dense = {
        layer._kernel.path: layer
        for layer in network._flatten_layers()
        if isinstance(layer, keras.layers.Dense) and getattr(layer, "lora_enabled", False)
    }
    return {
        weight.path: np.asarray(dense[weight.path].kernel) if weight.path in dense else weight.numpy()
        for weight in network.weights
        if "lora_kernel" not in weight.path
    }


def n_trainable(network: NextItem) -> int:
    """Parameters that a training moves."""
    return sum(int(np.prod(variable.shape)) for variable in network.trainable_variables)
