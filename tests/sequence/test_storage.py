"""Files elsewhere are read like those of the own disk; through a real HDFS in tests/flows/test_hdfs.py."""

from pathlib import Path

import numpy as np
import pytest

from tests.sequence.histories import snapshot_of, write_files
from ulm_spark.config.errors import TrainingError
from ulm_spark.sequence import feed
from ulm_spark.sequence.rows import Rows
from ulm_spark.sequence.storage import Storage, storage_of

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # petastorm's, of pyarrow's older interface


def test_a_storage_knows_files_from_folders(tmp_path: Path) -> None:
    storage = Storage("file://")
    (tmp_path / "a b=1").mkdir()
    path = f"{tmp_path}/a b=1/c%20.txt"
    Path(path).write_bytes(b"0123456789")
    assert storage.isfile(path)
    assert storage.exists(path)
    assert not storage.isdir(path)
    assert storage.isdir(f"{tmp_path}/a b=1")
    assert not storage.exists(f"{tmp_path}/none")
    with storage.open(path) as stream:
        stream.seek(7)
        assert stream.read() == b"789"


def test_rows_from_a_storage_are_the_rows_from_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = snapshot_of(write_files(tmp_path / "as_of=2024-03-31", 23, 5), 23)

    def read(rank: int) -> Rows:
        groups = feed.Feed(snapshot, 4, 2, rank, 2).read()
        return Rows.join(sorted(groups, key=lambda rows: int(rows.user_key[0])), 4)

    from_disk = [read(rank) for rank in range(2)]
    monkeypatch.setattr(feed, "storage_of", lambda files: Storage("file://"))
    for rank in range(2):
        found = read(rank)
        for name in ("user_key", "items", "codes", "at_s"):
            np.testing.assert_array_equal(getattr(found, name), getattr(from_disk[rank], name))


def test_files_of_the_own_disk_need_no_storage() -> None:
    assert storage_of(()) is None
    assert storage_of(("/a/b", "file:/a/c", "file:///a/d")) is None


def test_files_on_two_storages_are_refused() -> None:
    with pytest.raises(TrainingError, match="expected one storage"):
        storage_of(("hdfs://one:1/a", "hdfs://two:1/a"))
