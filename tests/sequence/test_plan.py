"""Every row group is read once an epoch, by one rank, whatever the number of ranks."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sequence.histories import write_files
from ulm_spark.config.errors import TrainingError
from ulm_spark.sequence.plan import File, epoch_order, list_files, pools_of

FILES = st.lists(st.lists(st.integers(0, 50), min_size=1, max_size=3).map(tuple), min_size=1, max_size=12).map(
    lambda groups: tuple(File(f"part-{number:02d}", rows) for number, rows in enumerate(groups))
)


@given(FILES, st.integers(1, 5), st.integers(0, 3), st.integers(1, 80))
def test_every_row_group_is_dealt_once(files: tuple[File, ...], size: int, seed: int, shuffle_rows: int) -> None:
    pools = pools_of(files, seed, shuffle_rows)
    dealt = [group for pool in pools for rank in range(size) for group in pool.dealt(rank, size)]
    expected = [(file.path, number, rows) for file in files for number, rows in enumerate(file.group_rows)]
    assert sorted(dealt) == sorted(expected)
    assert all(sum(file.n_rows for file in pool.files) >= shuffle_rows for pool in pools[:-1])
    assert sorted(pool.number for pool in epoch_order(pools, seed, 3)) == list(range(len(pools)))


@given(FILES, st.integers(1, 5), st.integers(1, 9))
def test_steps_hold_the_fullest_rank(files: tuple[File, ...], size: int, rank_batch: int) -> None:
    for pool in pools_of(files, 0, 60):
        most = max(pool.rank_rows(rank, size) for rank in range(size))
        assert (pool.n_steps(size, rank_batch) - 1) * rank_batch < most or most == 0
        assert most <= pool.n_steps(size, rank_batch) * rank_batch


def test_pools_are_the_same_in_all_epochs_and_their_order_is_not() -> None:
    files = tuple(File(f"part-{number:02d}", (10,)) for number in range(40))
    pools = pools_of(files, 5, 20)
    orders = [[pool.number for pool in epoch_order(pools, 5, epoch)] for epoch in range(3)]
    assert orders[0] == [pool.number for pool in epoch_order(pools, 5, 0)]
    assert orders[0] != orders[1] != orders[2]
    assert pools_of(files, 6, 20) != pools


def test_footers_tell_of_row_groups(tmp_path: Path) -> None:
    assert [file.group_rows for file in list_files(write_files(tmp_path, 23, 3))] == [(8,), (8,), (7,)]


def test_a_file_without_a_footer_is_named(tmp_path: Path) -> None:
    files = write_files(tmp_path, 5, 2)
    (tmp_path / "part-01.parquet").write_bytes(b"")
    with pytest.raises(TrainingError, match=r"part-01\.parquet"):
        list_files(files)
    with pytest.raises(TrainingError, match=r"gone\.parquet"):
        list_files((f"file:{tmp_path}/gone.parquet",))
