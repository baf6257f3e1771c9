"""Both feeds give the rows of the files, to whichever rank."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from diskcache import FanoutCache

from tests.sequence.histories import KNOWN_UNTIL_S, history, write_files
from ulm_spark.config.errors import TrainingError
from ulm_spark.sequence.conf import FeedConf, FeedKind
from ulm_spark.sequence.feed import Feed
from ulm_spark.sequence.plan import list_files, pools_of
from ulm_spark.sequence.rows import Rows
from ulm_spark.sequence.snapshot import SCHEMA

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # petastorm's, of pyarrow's older interface
LENGTH = 4
BOTH = pytest.mark.parametrize("kind", ["petastorm", "arrow"])
FIELDS = ("user_key", "items", "codes", "at_s", "amounts")


def read(files: tuple[str, ...], conf: FeedConf, rank: int = 0, size: int = 1) -> Rows:
    (pool,) = pools_of(list_files(files), 0, 10_000)
    return Feed(conf, LENGTH, rank, size).read(pool)


def assert_same(some: Rows, others: Rows) -> None:
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(some, name), getattr(others, name))


@BOTH
def test_rows_are_padded_and_dated(kind: FeedKind, tmp_path: Path) -> None:
    found = read(write_files(tmp_path, 3, 1), FeedConf(kind))
    by_length = {int(row.sum()): place for place, row in enumerate(found.is_item)}
    row = by_length[3]
    assert found.items[row].tolist() == [0, *history(2)["item_indices"]]  # type: ignore[misc]
    assert found.codes[row].tolist() == [0, *history(2)["event_codes"]]  # type: ignore[misc]
    assert found.amounts[row].tolist() == [0, *history(2)["amounts"]]  # type: ignore[misc]
    last_s = KNOWN_UNTIL_S - 3600 * 15
    assert found.at_s[row].tolist() == [0, last_s - 7200, last_s - 3600, last_s]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_both_feeds_give_the_same_rows_however_many_threads_read(size: int, tmp_path: Path) -> None:
    files = write_files(tmp_path, 40, 7)
    for rank in range(size):
        first = read(files, FeedConf("petastorm"), rank, size)
        assert_same(read(files, FeedConf("petastorm", workers=4), rank, size), first)
        assert_same(read(files, FeedConf("arrow"), rank, size), first)


@BOTH
def test_ranks_share_all_rows_without_overlap(kind: FeedKind, tmp_path: Path) -> None:
    files = write_files(tmp_path, 23, 5)
    keys = [read(files, FeedConf(kind), rank, 2).user_key for rank in range(2)]
    assert len(np.intersect1d(keys[0], keys[1])) == 0
    assert sorted(np.concatenate(keys)) == sorted(read(files, FeedConf(kind)).user_key)
    assert len(np.concatenate(keys)) == 23


@BOTH
def test_row_groups_of_one_file_are_shared_too(kind: FeedKind, tmp_path: Path) -> None:
    (file,) = write_files(tmp_path, 23, 1)
    path = file.removeprefix("file:")
    pq.write_table(pq.read_table(path), path, row_group_size=5, use_deprecated_int96_timestamps=True)
    assert [len(read((file,), FeedConf(kind), rank, 2)) for rank in range(2)] == [13, 10]


@BOTH
def test_fewer_row_groups_than_ranks_lose_no_row(kind: FeedKind, tmp_path: Path) -> None:
    files = write_files(tmp_path, 5, 1)
    assert [len(read(files, FeedConf(kind), rank, 2)) for rank in range(2)] == [5, 0]


@BOTH
def test_a_cache_gives_the_same_rows_without_the_files(kind: FeedKind, tmp_path: Path) -> None:
    files = write_files(tmp_path / "data", 20, 4)
    conf = FeedConf(kind, cache=str(tmp_path / "cache"), cache_gb=0.1)
    pools = pools_of(list_files(files), 0, 10_000)
    first = Feed(conf, LENGTH, 0, 1).read(pools[0])
    for path in (tmp_path / "data").iterdir():  # Petastorm reads footers still, and no column
        footer_only(path)
    assert_same(Feed(conf, LENGTH, 0, 1).read(pools[0]), first)


def footer_only(path: Path) -> None:
    """Zeros where the columns were."""
    content = path.read_bytes()
    n_footer = int.from_bytes(content[-8:-4], "little") + 8
    path.write_bytes(content[:4] + bytes(len(content) - n_footer - 4) + content[-n_footer:])


@BOTH
def test_a_file_that_was_broken_or_is_gone_is_told_of(kind: FeedKind, tmp_path: Path) -> None:
    files = write_files(tmp_path, 20, 4)
    pools = pools_of(list_files(files), 0, 10_000)
    footer_only(tmp_path / "part-02.parquet")
    with pytest.raises(TrainingError, match="cannot be read"):
        Feed(FeedConf(kind), LENGTH, 0, 1).read(pools[0])
    (tmp_path / "part-02.parquet").unlink()
    with pytest.raises(TrainingError, match="cannot be read"):
        Feed(FeedConf(kind), LENGTH, 0, 1).read(pools[0])


@BOTH
def test_a_file_with_other_rows_than_its_footer_said_is_told_of(kind: FeedKind, tmp_path: Path) -> None:
    files = write_files(tmp_path, 20, 4)
    (pool,) = pools_of(list_files(files), 0, 10_000)
    claimed = replace(pool, files=(replace(pool.files[0], group_rows=(4,)), *pool.files[1:]))
    with pytest.raises(TrainingError, match="found 20 rows in pool 0; expected 19"):
        Feed(FeedConf(kind), LENGTH, 0, 1).read(claimed)


OFF_CONTRACT = {
    "amounts": [[float("inf"), 1.0], [float("nan"), 1.0], [1e300, 1.0]],
    "item_indices": [[0, 1], [2**31 - 1, -1]],
    "event_codes": [[1, 99]],
    "gap_seconds": [[0, -1], [0, 2**62]],
}


@BOTH
@pytest.mark.parametrize(("name", "values"), [(name, one) for name, some in OFF_CONTRACT.items() for one in some])
def test_values_that_the_contract_excludes_are_named(
    kind: FeedKind, name: str, values: list[float], tmp_path: Path
) -> None:
    row = {**history(1), name: values}
    with pytest.raises(TrainingError, match=f"silver.sequences: found {name} from"):
        read(write_rows(tmp_path, [history(4), row]), FeedConf(kind))


@BOTH
def test_rows_without_lists_or_with_lists_of_other_lengths_are_refused(kind: FeedKind, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="found no list among amounts"):
        read(write_rows(tmp_path, [history(4), {**history(1), "amounts": None}]), FeedConf(kind))
    with pytest.raises(TrainingError, match="found arrays of different lengths"):
        read(write_rows(tmp_path, [history(4), {**history(1), "amounts": [1.0]}]), FeedConf(kind))
    with pytest.raises(TrainingError, match="found a row without user_id"):
        read(write_rows(tmp_path, [history(4), {**history(1), "user_id": None}]), FeedConf(kind))


def write_rows(folder: Path, rows: list[dict[str, object]]) -> tuple[str, ...]:
    """One file of these rows."""
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), folder / "part.parquet")
    return (f"file:{folder / 'part.parquet'}",)


@BOTH
def test_a_cache_that_was_torn_is_told_of(kind: FeedKind, tmp_path: Path) -> None:
    files = write_files(tmp_path / "data", 20, 4)
    conf = FeedConf(kind, cache=str(tmp_path / "cache"), cache_gb=0.1)
    read(files, conf)
    for path in (tmp_path / "cache").rglob("cache.db*"):
        path.write_bytes(b"torn" * 4_000)
    with pytest.raises(TrainingError, match=r"training\.feed\.cache: found DatabaseError.*Remove it"):
        read(files, conf)
    with pytest.raises(TrainingError, match=r"training\.feed\.cache: found FileExistsError"):
        read(files, replace(conf, cache=str(tmp_path / "data" / "part-00.parquet")))


def test_half_a_block_of_the_cache_is_read_anew(tmp_path: Path) -> None:
    files = write_files(tmp_path / "data", 20, 1)
    conf = FeedConf("arrow", cache=str(tmp_path / "cache"), cache_gb=0.1)
    first = read(files, conf)
    (folder,) = (tmp_path / "cache").iterdir()
    with FanoutCache(str(folder)) as cache:
        (key,) = cache
        cache.set(key, cache.get(key)[:-1])
    assert_same(read(files, conf), first)
