"""Files elsewhere are read like those of the own disk; through a real HDFS in tests/flows/test_hdfs.py."""

from pathlib import Path

import numpy as np
import pytest

from tests.sequence.histories import write_files
from ulm_spark.config.errors import TrainingError
from ulm_spark.sequence import feed, storage
from ulm_spark.sequence.conf import FeedConf, FeedKind
from ulm_spark.sequence.feed import Feed
from ulm_spark.sequence.plan import list_files, pools_of
from ulm_spark.sequence.rows import Rows
from ulm_spark.sequence.storage import Storage, path_of, storage_of

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # petastorm's, of pyarrow's older interface


def test_a_storage_knows_files_from_folders(tmp_path: Path) -> None:
    found = Storage("file://")
    (tmp_path / "a b=1").mkdir()
    path = f"{tmp_path}/a b=1/c%20.txt"
    Path(path).write_bytes(b"0123456789")
    assert found.isfile(path)
    assert found.exists(path)
    assert not found.isdir(path)
    assert found.isdir(f"{tmp_path}/a b=1")
    assert not found.exists(f"{tmp_path}/none")
    with found.open(path) as stream:
        stream.seek(7)
        assert stream.read() == b"789"


@pytest.mark.parametrize("kind", ["petastorm", "arrow"])
def test_rows_from_a_storage_are_the_rows_from_disk(
    kind: FeedKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = write_files(tmp_path / "as_of=2024-03-31", 23, 5)
    (pool,) = pools_of(list_files(files), 0, 100)

    def read(rank: int) -> Rows:
        return Feed(FeedConf(kind, workers=2), 4, rank, 2).read(pool)

    from_disk = [read(rank) for rank in range(2)]
    for module in (feed, storage):
        monkeypatch.setattr(module, "storage_of", lambda files: Storage("file://"))
    for rank in range(2):
        found = read(rank)
        for name in ("user_key", "items", "codes", "at_s", "amounts"):
            np.testing.assert_array_equal(getattr(found, name), getattr(from_disk[rank], name))


def test_sparks_file_names_become_paths() -> None:
    assert path_of("file:/a%20b/c.parquet") == "/a b/c.parquet"
    assert path_of("file:///a/c.parquet") == "/a/c.parquet"
    assert path_of("/a/c%20.parquet") == "/a/c%20.parquet"
    assert path_of("hdfs://name:1/a%20b/c.parquet") == "/a b/c.parquet"


def test_files_of_the_own_disk_need_no_storage() -> None:
    assert storage_of(()) is None
    assert storage_of(("/a/b", "file:/a/c", "file:///a/d")) is None


def test_files_on_two_storages_are_refused() -> None:
    with pytest.raises(TrainingError, match="expected one storage"):
        storage_of(("hdfs://one:1/a", "hdfs://two:1/a"))
