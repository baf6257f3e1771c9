"""Which of the processes am I, and how do they add up? The few Horovod calls that training needs.

Horovod's Keras optimizer and callbacks do not average under Keras 3, so gradients are summed here by name.
"""

import os
from collections.abc import Sequence
from typing import TypeAlias

import horovod.tensorflow as hvd
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ulm_spark.sequence.conf import Compression

Gradient: TypeAlias = "tf.Tensor | tf.IndexedSlices"


class Ranks:
    """The processes of one training; one alone works the same way."""

    def __init__(self) -> None:
        hvd.init()
        self.rank = int(hvd.rank())
        self.size = int(hvd.size())
        self._local_rank = int(hvd.local_rank())

    @staticmethod
    def is_first_now() -> bool:
        """True in the process that writes, after ranks have come and gone too."""
        return int(hvd.rank()) == 0

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

    def most(self, value: int) -> int:
        """The greatest value of any rank."""
        return int(hvd.allreduce(tf.constant([value], tf.int64), op=hvd.Max).numpy()[0])

    def least(self, value: int) -> int:
        """The smallest value of any rank."""
        return -self.most(-value)

    def add_gradients(
        self,
        gradients: Sequence[Gradient],
        others: Sequence[tf.Tensor],
        compression: Compression = "none",
        unit: float = 1.0,
    ) -> list[Gradient]:
        """The sums over ranks of gradients and other tensors, inside a step.

        Dense gradients go in one message, with fp16 as 16 bits of how many units they are and the others beside it.
        The rows of a table (sampled items of a large vocabulary) go to their owners and come back summed, which is
        less than all of it.
        """
        summed: list[Gradient] = [self.add_rows(g) if isinstance(g, tf.IndexedSlices) else g for g in gradients]
        dense = [place for place, gradient in enumerate(gradients) if not isinstance(gradient, tf.IndexedSlices)]
        sent = [gradients[place] for place in dense]
        if compression == "fp16":
            sent = [tf.cast(gradient / unit, tf.float16) for gradient in sent]
        # A message holds numbers of one kind.
        groups = [sent, others] if compression == "fp16" else [[*sent, *others]]
        sums = groups if self.size == 1 else [hvd.grouped_allreduce(group, op=hvd.Sum) for group in groups if group]
        totals = [total for group in sums for total in group]
        for place, total in zip(dense, totals[: len(dense)], strict=True):
            summed[place] = tf.cast(total, tf.float32) * unit if compression == "fp16" else total
        return [*summed, *totals[len(dense) :]]

    def add_rows(self, rows: tf.IndexedSlices) -> tf.IndexedSlices:
        """The sums over ranks of rows of a table, each row once, in the same order on all ranks.

        Rule: a row's owner is the rank of its number modulo size. Ranks send rows, each summed at home first, to
              their owners; those add them up and send the sums to all. A row that all ranks touch, as a popular item
              is, so travels once to everyone and not once from everyone.
        """
        mine = _each_once(rows)
        if self.size == 1:
            return mine
        owner = tf.cast(mine.indices % self.size, tf.int32)
        order = tf.argsort(owner, stable=True)
        n_for = tf.math.bincount(owner, minlength=self.size, maxlength=self.size)
        indices, _ = hvd.alltoall(tf.gather(mine.indices, order), n_for)
        values, _ = hvd.alltoall(tf.gather(mine.values, order), n_for)
        owned = _each_once(tf.IndexedSlices(values, indices, rows.dense_shape))
        return tf.IndexedSlices(hvd.allgather(owned.values), hvd.allgather(owned.indices), rows.dense_shape)

    def share_arrays(self, arrays: Sequence[NDArray[np.generic]]) -> list[NDArray[np.generic]]:
        """The first rank's arrays; every rank gives as many of the same shapes."""
        return [
            np.asarray(hvd.broadcast(tf.constant(array), root_rank=0, name=f"share.{place}").numpy())
            for place, array in enumerate(arrays)
        ]


def _each_once(rows: tf.IndexedSlices) -> tf.IndexedSlices:
    """The rows with those of one number added up."""
    indices, place = tf.unique(rows.indices)
    values = tf.math.unsorted_segment_sum(rows.values, place, tf.shape(indices)[0])
    return tf.IndexedSlices(values, indices, rows.dense_shape)
