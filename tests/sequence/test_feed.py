from pathlib import Path

import numpy as np
import pytest

from tests.sequence.histories import KNOWN_UNTIL_S, history, rows, snapshot_of, write_files
from ulm_spark.sequence.feed import Feed, batches, filled, petastorm_url, shuffled
from ulm_spark.sequence.rows import Rows

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # petastorm's, of pyarrow's older interface
LENGTH = 4


def read(files: tuple[str, ...], rank: int, size: int, workers: int = 1) -> Rows:
    return Rows.join(list(Feed(snapshot_of(files, 0), LENGTH, workers, rank, size).read()), LENGTH)


def order(files: tuple[str, ...], seed: int, pool_rows: int, workers: int = 1) -> list[int]:
    feed = Feed(snapshot_of(files, 0), LENGTH, workers, 0, 1)
    return [int(key) for pool in shuffled(feed.read(), LENGTH, pool_rows, (seed,)) for key in pool.user_key]


def test_rows_are_padded_and_dated(tmp_path: Path) -> None:
    found = read(write_files(tmp_path, 3, 1), 0, 1)
    by_length = {int(row.sum()): place for place, row in enumerate(found.is_item)}
    row = by_length[3]
    assert found.items[row].tolist() == [0, *history(2)["item_indices"]]  # type: ignore[misc]
    assert found.codes[row].tolist() == [0, *history(2)["event_codes"]]  # type: ignore[misc]
    last_s = KNOWN_UNTIL_S - 3600 * 15
    assert found.at_s[row].tolist() == [0, last_s - 7200, last_s - 3600, last_s]


def test_ranks_share_all_rows_without_overlap(tmp_path: Path) -> None:
    files = write_files(tmp_path, 23, 5)
    keys = [read(files, rank, 2).user_key for rank in range(2)]
    assert len(np.intersect1d(keys[0], keys[1])) == 0
    assert sorted(np.concatenate(keys)) == sorted(read(files, 0, 1).user_key)
    assert len(np.concatenate(keys)) == 23


def test_fewer_row_groups_than_ranks_lose_no_row(tmp_path: Path) -> None:
    files = write_files(tmp_path, 5, 1)
    assert [len(read(files, rank, 2)) for rank in range(2)] == [5, 0]


def test_files_that_are_not_named_are_not_read(tmp_path: Path) -> None:
    files = write_files(tmp_path, 20, 4)
    assert len(read(files[1:3], 0, 1)) == 10


def test_a_seed_decides_the_order_however_many_threads_read(tmp_path: Path) -> None:
    files = write_files(tmp_path, 40, 8)
    first = order(files, 1, 100)
    assert first == order(files, 1, 100, workers=4)
    assert first != order(files, 2, 100)
    assert sorted(first) == sorted(order(files, 2, 100))


def test_a_small_pool_shuffles_all_rows_once(tmp_path: Path) -> None:
    files = write_files(tmp_path, 40, 8)
    assert sorted(order(files, 1, 7)) == sorted(order(files, 1, 100))


def test_batches_cross_pools_and_lose_nothing() -> None:
    pools = [rows([[1, 2]] * 3), rows([[3, 4]] * 4)]
    cut = list(batches(iter(pools), 5, 2))
    assert [len(batch) for batch in cut] == [5, 2]
    assert [int(batch.items[:, 0].sum()) for batch in cut] == [9, 6]


def test_a_short_batch_is_filled_with_rows_without_events() -> None:
    full = filled(rows([[1, 2]]), 3)
    assert full.items.tolist() == [[1, 2], [0, 0], [0, 0]]


def test_sparks_file_names_become_petastorms() -> None:
    assert petastorm_url("file:/a%20b/c.parquet") == "file:///a b/c.parquet"
    assert petastorm_url("file:///a/c.parquet") == "file:///a/c.parquet"
    assert petastorm_url("/a/c.parquet") == "file:///a/c.parquet"
    assert petastorm_url("hdfs://name:1/a%20b/c.parquet") == "file:///a b/c.parquet"
