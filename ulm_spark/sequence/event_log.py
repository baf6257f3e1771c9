"""What a training measured, as TensorBoard reads it."""

from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf
from tensorflow.core.framework.summary_pb2 import DATA_CLASS_SCALAR, SummaryMetadata

# What tensorboard's own tf.summary.scalar writes; that package is no dependency of TensorFlow any more.
_SCALAR = SummaryMetadata(plugin_data={"plugin_name": "scalars"}, data_class=DATA_CLASS_SCALAR)


class EventLog:
    """Event files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._writer = tf.summary.create_file_writer(str(folder))

    def write(self, numbers: Mapping[str, float], epoch: int) -> None:
        """One point of each curve."""
        with self._writer.as_default():
            for name, number in numbers.items():
                tf.summary.write(name, tf.constant(number, tf.float32), step=epoch, metadata=_SCALAR)
        self._writer.flush()
