"""How do rows get from Delta's files to a rank? One pool at a time, read by Petastorm or by pyarrow alone.

Both read the same row groups into the same blocks, so that a training can change from one to the other.
"""

import pickle
import sqlite3
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
import pyarrow as pa
from diskcache import FanoutCache
from petastorm import TransformSpec, make_batch_reader
from pyarrow import ArrowException
from pyarrow.parquet import ParquetFile

from ulm_spark.config.errors import TrainingError
from ulm_spark.sequence.blocks import Lists, block_of, first_key, is_whole, refused, rows_of
from ulm_spark.sequence.conf import FeedConf
from ulm_spark.sequence.plan import Pool
from ulm_spark.sequence.rows import Rows
from ulm_spark.sequence.snapshot import ARRAYS, COLUMNS
from ulm_spark.sequence.storage import open_file, path_of, storage_of

_BLOCK = "block"
_CACHE_ROW_BYTES = 1_000
# What the libraries raise of a cache whose files were torn.
_TORN = (ValueError, TypeError, AttributeError, KeyError, EOFError, MemoryError, pickle.UnpicklingError, sqlite3.Error)
# Petastorm reads by pyarrow's older interface; the pinned pyarrow warns of its end at each row group.
warnings.filterwarnings("ignore", category=FutureWarning, module=r"petastorm\.")


class Blocks(Protocol):
    """What reads a rank's row groups of a pool as blocks, in any order."""

    def blocks(self, pool: Pool) -> Iterator[bytes]:
        """The blocks."""
        ...


class Feed:
    """The rows of one rank, pool by pool."""

    def __init__(self, conf: FeedConf, length: int, rank: int, size: int) -> None:
        self._conf, self._length, self._rank, self._size = conf, length, rank, size
        reader = PetastormBlocks if conf.kind == "petastorm" else ArrowBlocks
        self._reader: Blocks = reader(conf, length, rank, size)

    def read(self, pool: Pool) -> Rows:
        """The rank's rows of the pool, in the same order whatever the order that row groups were read in.

        Errors: TrainingError for a file that cannot be read, or has other rows than its footer said or than the table's
        contract allows, and for a cache that cannot be used.
        """
        try:
            blocks = self._blocks(pool)
        except (OSError, ArrowException) as error:
            raise TrainingError(
                f"feed: found a file of pool {pool.number} that cannot be read ({error}); expected the snapshot's. "
                "Files are gone or broken: run train_sequence again, and keep VACUUM away."
            ) from error
        rows, expected = rows_of(blocks, self._length), self._expected(pool)
        if len(rows) != expected:
            raise TrainingError(
                f"feed: found {len(rows)} rows in pool {pool.number}; expected {expected}. Files were changed since "
                "the snapshot was taken: run train_sequence again."
            )
        return rows

    def _blocks(self, pool: Pool) -> list[bytes]:
        """In the order of their users."""
        if not self._conf.cache:
            return sorted(self._reader.blocks(pool), key=first_key)
        try:
            Path(self._conf.cache).mkdir(parents=True, exist_ok=True)
            blocks = list(self._reader.blocks(pool))
        except (*_TORN, FileExistsError, NotADirectoryError, PermissionError) as error:
            raise self._torn(repr(error)) from error
        if not all(is_whole(block, self._length) for block in blocks):
            raise self._torn("a part of a row group")
        return sorted(blocks, key=first_key)

    def _torn(self, what: str) -> TrainingError:
        return TrainingError(
            f"training.feed.cache: found {what} in {self._conf.cache}; expected a folder to write to, with what was "
            "written there. Remove it, or name another, and run train_sequence again."
        )

    def _expected(self, pool: Pool) -> int:
        return pool.rank_rows(self._rank, self._size)


class PetastormBlocks:
    """By Petastorm: its workers pad, and hand on one block for each row group, which its cache keeps on disk."""

    def __init__(self, conf: FeedConf, length: int, rank: int, size: int) -> None:
        self._conf, self._rank, self._size = conf, rank, size
        fields = [(_BLOCK, np.bytes_, (), False)]
        self._spec = TransformSpec(_Blocked(length), edit_fields=fields, selected_fields=[_BLOCK])
        self._cache: dict[str, object] = {"cache_type": "null"}
        if conf.cache:
            self._cache = {
                "cache_type": "local-disk",
                "cache_location": f"{conf.cache}/petastorm-{length}-{rank}-of-{size}",
                "cache_size_limit": int(conf.cache_gb * 2**30),
                "cache_row_size_estimate": _CACHE_ROW_BYTES,
            }

    def blocks(self, pool: Pool) -> Iterator[bytes]:
        """The blocks of the pool's files, every size-th row group."""
        if not pool.dealt(self._rank, self._size):
            return
        paths = [file.path for file in pool.files]
        is_dealt = sum(len(file.group_rows) for file in pool.files) >= self._size
        with make_batch_reader(
            [f"file://{path_of(path)}" for path in paths],  # of a file elsewhere the path counts: it has its storage
            filesystem=storage_of(paths),
            schema_fields=list(COLUMNS),
            transform_spec=self._spec,
            reader_pool_type="thread",
            workers_count=self._conf.workers,
            num_epochs=1,
            shuffle_row_groups=False,
            cur_shard=self._rank if is_dealt else None,
            shard_count=self._size if is_dealt else None,
            **self._cache,
        ) as reader:
            for group in reader:
                yield from group.block


class _Blocked:
    """Turns a row group, as Petastorm's worker threads hand it over, into a frame of one block."""

    def __init__(self, length: int) -> None:
        self._length = length

    def __call__(self, group: pd.DataFrame) -> pd.DataFrame:
        at_us = group["last_event_at"].to_numpy("datetime64[us]").astype(np.int64)
        arrays = [_flat(group[name]) for name in ARRAYS]
        block = block_of(group["user_id"].to_numpy(object), at_us, arrays, self._length)
        return pd.DataFrame({_BLOCK: [block]})


def _flat(column: "pd.Series[object]") -> Lists:
    if column.isna().any():
        raise refused(f"no list among {column.name}", "one in each row")
    arrays = list(column)
    return np.concatenate(arrays or [np.zeros(0)]), np.fromiter(map(len, arrays), np.int64, len(arrays))


class ArrowBlocks:
    """By pyarrow alone."""

    def __init__(self, conf: FeedConf, length: int, rank: int, size: int) -> None:
        self._length, self._rank, self._size = length, rank, size
        self._cache = f"{conf.cache}/arrow-{length}-{rank}-of-{size}" if conf.cache else ""
        self._cache_bytes = int(conf.cache_gb * 2**30)

    def blocks(self, pool: Pool) -> Iterator[bytes]:
        """The blocks of the pool's files, every size-th row group."""
        dealt = pool.dealt(self._rank, self._size)
        if not self._cache:
            yield from (self._read(path, number) for path, number, _ in dealt)
            return
        with FanoutCache(self._cache, size_limit=self._cache_bytes) as cache:
            for path, number, _ in dealt:
                key = f"{path}:{number}"
                block = cache.get(key)
                if not is_whole(block, self._length):
                    block = self._read(path, number)
                    cache.set(key, block)
                yield block

    def _read(self, path: str, number: int) -> bytes:
        with open_file(path) as stream:
            group = ParquetFile(stream).read_row_group(number, columns=list(COLUMNS)).combine_chunks()
        at_us = group["last_event_at"].to_numpy().astype("datetime64[us]").astype(np.int64)
        arrays = [_unnested(group, name) for name in ARRAYS]
        return block_of(group["user_id"].to_numpy(), at_us, arrays, self._length)


def _unnested(group: pa.Table, name: str) -> Lists:
    lists = group[name].combine_chunks()
    if lists.null_count:
        raise refused(f"no list among {name}", "one in each row")
    return lists.flatten().to_numpy(zero_copy_only=False), np.diff(lists.offsets.to_numpy()).astype(np.int64)
