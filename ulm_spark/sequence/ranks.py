"""Which of the processes am I, and how do they add up? The few Horovod calls that training needs.

Horovod's Keras optimizer and callbacks do not average under Keras 3, so gradients are summed here by name.
"""

import os
from collections.abc import Sequence

import horovod.tensorflow as hvd
import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray


class Ranks:
    """The processes of one training; one alone works the same way."""

    def __init__(self) -> None:
        hvd.init()
        self.rank = int(hvd.rank())
        self.size = int(hvd.size())
        self._local_rank = int(hvd.local_rank())

    @property
    def is_first(self) -> bool:
        """True in the process that writes."""
        return self.rank == 0

    def use_own_device(self, n_threads: int) -> None:
        """One GPU a process where the host has any, and that many threads; before TensorFlow's first computation."""
        gpus = tf.config.list_physical_devices("GPU")
        if gpus:
            mine = gpus[self._local_rank % len(gpus)]
            tf.config.set_visible_devices(mine, "GPU")
            tf.config.experimental.set_memory_growth(mine, True)
        if n_threads:
            os.environ["OMP_NUM_THREADS"] = str(n_threads)
            tf.config.threading.set_intra_op_parallelism_threads(n_threads)
            tf.config.threading.set_inter_op_parallelism_threads(n_threads)

    def add(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The sum over ranks of an array."""
        return np.asarray(hvd.allreduce(tf.constant(values, tf.float64), op=hvd.Sum).numpy())

    def add_counts(self, *counts: float) -> list[float]:
        """The sums over ranks of some numbers."""
        return [float(total) for total in self.add(np.array(counts, np.float64))]

    def most(self, value: int) -> int:
        """The greatest value of any rank."""
        return int(hvd.allreduce(tf.constant([value], tf.int64), op=hvd.Max).numpy()[0])

    def least(self, value: int) -> int:
        """The smallest value of any rank."""
        return -self.most(-value)

    def add_gradients(self, gradients: Sequence[tf.Tensor], others: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """The sums over ranks of gradients and other tensors, inside a step.

        Dense tensors go in one message. A sparse gradient (sampled items of a large vocabulary) goes
        as its rows, which is less than the whole table.
        """
        tensors = [*gradients, *others]
        dense = [place for place, tensor in enumerate(tensors) if not isinstance(tensor, tf.IndexedSlices)]
        summed: list[tf.Tensor] = list(tensors)
        for place, total in zip(dense, hvd.grouped_allreduce([tensors[p] for p in dense], op=hvd.Sum), strict=True):
            summed[place] = total
        for place, tensor in enumerate(tensors):
            if isinstance(tensor, tf.IndexedSlices):
                values, indices = hvd.allgather(tensor.values), hvd.allgather(tensor.indices)
                summed[place] = tf.IndexedSlices(values, indices, tensor.dense_shape)
        return summed

    def share_from_first(self, variables: Sequence[keras.Variable]) -> None:
        """Gives every rank the first one's values."""
        for place, variable in enumerate(variables):
            variable.assign(hvd.broadcast(variable.value, root_rank=0, name=f"share.{place}"))

    def share_numbers(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """The first rank's numbers."""
        return np.asarray(hvd.broadcast(tf.constant(numbers, tf.float64), root_rank=0).numpy())
