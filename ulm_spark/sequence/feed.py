"""How do rows get from Delta's files to a rank? Petastorm reads the active files, and nothing else."""

import warnings
from collections.abc import Iterator
from urllib.parse import unquote, urlparse

import numpy as np
import pandas as pd
from petastorm import TransformSpec, make_batch_reader
from petastorm.errors import NoDataAvailableError

from ulm_spark.config.errors import TrainingError
from ulm_spark.sequence.rows import Rows, pad_left, times_of
from ulm_spark.sequence.snapshot import Snapshot
from ulm_spark.sequence.storage import storage_of

_US = 1_000_000
# Petastorm reads by pyarrow's older interface; the pinned pyarrow warns of its end at each row group.
warnings.filterwarnings("ignore", category=FutureWarning, module=r"petastorm\.")


class Feed:
    """The rows of one rank, the same ones in each epoch: those of every size-th row group."""

    def __init__(self, snapshot: Snapshot, length: int, workers: int, rank: int, size: int) -> None:
        self._urls = [petastorm_url(path) for path in snapshot.files]
        self._storage = storage_of(snapshot.files)
        self._columns = list(snapshot.columns)
        self._length = length
        self._workers = workers
        self._rank = rank
        self._size = size

    def read(self) -> Iterator[Rows]:
        """The rank's rows once, a row group at a time."""
        reader = self._open()
        if reader is None:
            return
        with reader:
            for group in reader:
                yield Rows(
                    group.user_key.astype(np.uint64),
                    group.items.astype(np.int32),
                    group.codes.astype(np.int32),
                    group.at_s.astype(np.int64),
                )

    def _open(self) -> "make_batch_reader | None":
        spec = TransformSpec(
            _Pad(self._length),
            edit_fields=[
                ("user_key", np.int64, (), False),
                *((name, np.int64, (self._length,), False) for name in ("items", "codes", "at_s")),
            ],
            selected_fields=["user_key", "items", "codes", "at_s"],
        )

        def opened(shard: int | None, n_shards: int | None) -> make_batch_reader:
            return make_batch_reader(
                self._urls,
                filesystem=self._storage,
                schema_fields=self._columns,
                transform_spec=spec,
                reader_pool_type="thread",
                workers_count=self._workers,
                num_epochs=1,
                shuffle_row_groups=False,
                cur_shard=shard,
                shard_count=n_shards,
            )

        try:
            return opened(self._rank, self._size)
        except NoDataAvailableError:
            # Petastorm refuses fewer row groups than ranks; then rank 0 reads them all and no row is lost.
            return opened(None, None) if self._rank == 0 else None


class _Pad:
    """Turns a row group's variable arrays into padded ones; Petastorm calls it in its worker threads."""

    def __init__(self, length: int) -> None:
        self._length = length

    def __call__(self, group: pd.DataFrame) -> pd.DataFrame:
        items = pad_left(list(group["item_indices"]), self._length)
        gaps = pad_left(list(group["gap_seconds"]), self._length)
        last_s = group["last_event_at"].to_numpy("datetime64[us]").astype(np.int64) // _US
        at_s = np.where(items > 0, times_of(gaps, last_s), 0)
        # The hash's sign bit is given up, since Petastorm's path through Arrow knows no uint64.
        keys = pd.util.hash_array(group["user_id"].to_numpy(dtype=object)) >> np.uint64(1)
        return pd.DataFrame(
            {
                "user_key": keys.astype(np.int64),
                "items": list(items),
                "codes": list(pad_left(list(group["event_codes"]), self._length)),
                "at_s": list(at_s),
            }
        )


def petastorm_url(path: str) -> str:
    """A file as Petastorm names it: Spark's URIs are percent-encoded and may have one slash, paths have no scheme.

    Of a file elsewhere only the path counts, since Petastorm is handed its storage.
    """
    parsed = urlparse(path)
    return f"file://{unquote(parsed.path) if parsed.scheme else path}"


def shuffled(groups: Iterator[Rows], length: int, pool_rows: int, seed: tuple[int, ...]) -> Iterator[Rows]:
    """The rows in an order that the seed decides, a pool of at most pool_rows (and a row group) at a time.

    Rule: a pool is first sorted by user_key, so that the order in which threads deliver does not matter.
    """
    generator = np.random.default_rng(seed)
    pool: list[Rows] = []
    n_pooled = 0
    for group in groups:
        pool.append(group)
        n_pooled += len(group)
        if n_pooled >= pool_rows:
            yield _mixed(Rows.join(pool, length), generator)
            pool, n_pooled = [], 0
    if n_pooled:
        yield _mixed(Rows.join(pool, length), generator)


def batches(pools: Iterator[Rows], size: int, length: int) -> Iterator[Rows]:
    """The rows cut into batches of a size, across pools; the last may be shorter."""
    rest = Rows.empty(length)
    for pool in pools:
        rest = Rows.join([rest, pool], length)
        whole = len(rest) // size * size
        for start in range(0, whole, size):
            yield rest.take(np.arange(start, start + size))
        rest = rest.take(np.arange(whole, len(rest)))
    if len(rest):
        yield rest


def filled(rows: Rows, size: int) -> Rows:
    """The rows with empty ones behind them, so that every step has one shape."""
    missing = size - len(rows)
    if missing < 0:
        raise TrainingError(f"feed: found a batch of {len(rows)} rows; expected at most {size}.")
    blank = np.zeros((missing, rows.items.shape[1]), np.int32)
    empty = Rows(np.zeros(missing, np.uint64), blank, blank, blank.astype(np.int64))
    return Rows.join([rows, empty], rows.items.shape[1])


def _mixed(pool: Rows, generator: np.random.Generator) -> Rows:
    by_key = np.argsort(pool.user_key, kind="stable")
    return pool.take(by_key[generator.permutation(len(pool))])
