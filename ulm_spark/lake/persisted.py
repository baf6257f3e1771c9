"""A frame that is computed once for several uses, and freed whatever happens."""

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark import StorageLevel
from pyspark.sql import DataFrame


@contextmanager
def persisted(frame: DataFrame, level: StorageLevel = StorageLevel.MEMORY_AND_DISK) -> Iterator[DataFrame]:
    """Keeps the frame's rows while the block runs; they are computed at its first action."""
    frame.persist(level)
    try:
        yield frame
    finally:
        frame.unpersist()
