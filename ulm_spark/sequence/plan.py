"""Which row groups are read when, and by which rank? One list for all ranks, the same after a kill as without one.

The seed parts the files of a snapshot into pools of at least shuffle_rows rows, the same in all epochs, so that a
rank's cache knows them again; each epoch takes the pools in an order of its own, and shuffles the rows of each. The row
groups of a pool are dealt to the ranks in turn, and all ranks end a pool together: what has been read is always a
number of pools from the front of the epoch, from where any number of ranks can go on without reading a row twice.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from pyarrow import ArrowException
from pyarrow.parquet import ParquetFile

from ulm_spark.config.errors import TrainingError
from ulm_spark.sequence.storage import open_file

_AT_ONCE = 8
_POOLS, _ORDER = 11, 12  # streams of random numbers


@dataclass(frozen=True)
class File:
    """One Parquet file and the rows of each of its row groups."""

    path: str
    group_rows: tuple[int, ...]

    @property
    def n_rows(self) -> int:
        """Rows of the whole file."""
        return sum(self.group_rows)


@dataclass(frozen=True)
class Pool:
    """Files whose rows are shuffled together. number: from 0 in the snapshot. files: sorted by path."""

    number: int
    files: tuple[File, ...]

    def dealt(self, rank: int, size: int) -> list[tuple[str, int, int]]:
        """(path, number in the file, rows) of every size-th row group of the files, as Petastorm deals them.

        Edge: fewer row groups than ranks all go to rank 0, since Petastorm refuses to deal them.
        """
        groups = [(file.path, number, rows) for file in self.files for number, rows in enumerate(file.group_rows)]
        if len(groups) < size:
            return groups if rank == 0 else []
        return groups[rank::size]

    def rank_rows(self, rank: int, size: int) -> int:
        """Rows that are dealt to a rank."""
        return sum(rows for _, _, rows in self.dealt(rank, size))

    def n_steps(self, size: int, rank_batch: int) -> int:
        """Steps of every rank: the fullest rank's batches hold at most rank_batch rows."""
        return -(-max(self.rank_rows(rank, size) for rank in range(size)) // rank_batch)


def list_files(paths: Sequence[str]) -> tuple[File, ...]:
    """The files with their row groups, from their footers. Errors: TrainingError for a file that cannot be read."""
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return tuple(threads.map(_listed, sorted(paths)))


def _listed(path: str) -> File:
    try:
        with open_file(path) as stream:
            footer = ParquetFile(stream).metadata
            return File(path, tuple(footer.row_group(number).num_rows for number in range(footer.num_row_groups)))
    except (OSError, ArrowException) as error:
        raise TrainingError(
            f"feed: found no readable Parquet in {path.rsplit('/', 1)[-1]} ({error}); expected the file of the "
            "snapshot. Files are gone or were changed since it was taken: run train_sequence again, and keep VACUUM "
            "away."
        ) from error


def pools_of(files: Sequence[File], seed: int, shuffle_rows: int) -> tuple[Pool, ...]:
    """All files in pools of at least shuffle_rows rows, but for the last."""
    order = np.random.default_rng((seed, _POOLS)).permutation(len(files))
    pools: list[Pool] = []
    held: list[File] = []
    for place, number in enumerate(order):
        held.append(files[number])
        if sum(file.n_rows for file in held) >= shuffle_rows or place == len(files) - 1:
            pools.append(Pool(len(pools), tuple(sorted(held, key=lambda file: file.path))))
            held = []
    return tuple(pools)


def epoch_order(pools: Sequence[Pool], seed: int, epoch: int) -> list[Pool]:
    """The pools as an epoch takes them."""
    order = np.random.default_rng((seed, _ORDER, epoch)).permutation(len(pools))
    return [pools[place] for place in order]
