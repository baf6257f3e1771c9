"""A folder tree behaves the same on this machine's disk and through Hadoop."""

import os
import time
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from ulm_spark.lake.files import Files, HadoopFiles, LocalFiles, open_files


@pytest.fixture(params=["local", "hadoop"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    """An empty tree; only Hadoop's needs a session."""
    if request.param == "local":
        return LocalFiles(tmp_path / "tree")
    return HadoopFiles(request.getfixturevalue("spark"), f"file://{tmp_path}/tree/")


def names(tmp_path: Path, folder: str) -> list[str]:
    """What lies in a folder, but for the checksums that Hadoop keeps on a local disk."""
    return sorted(path.name for path in (tmp_path / "tree" / folder).iterdir() if path.suffix != ".crc")


def test_an_absent_file_reads_as_none(files: Files) -> None:
    assert files.read_bytes("a/b.json") is None
    assert files.modified_at_s("a/b.json") is None


def test_a_write_makes_and_replaces_a_file_and_leaves_no_other(files: Files, tmp_path: Path) -> None:
    files.write_bytes("a/b.json", b"long and old")
    files.write_bytes("a/b.json", b"\x00new\xff")
    assert files.read_bytes("a/b.json") == b"\x00new\xff"
    assert names(tmp_path, "a") == ["b.json"]


def test_a_file_is_created_once(files: Files, tmp_path: Path) -> None:
    assert files.create("a/b.json", b"first")
    assert not files.create("a/b.json", b"second")
    assert files.read_bytes("a/b.json") == b"first"
    assert names(tmp_path, "a") == ["b.json"]


def test_a_file_is_removed_only_while_its_content_is_the_expected(files: Files, tmp_path: Path) -> None:
    files.write_bytes("a/b.json", b"new")
    assert not files.remove_if("a/b.json", b"old")
    assert files.read_bytes("a/b.json") == b"new"
    assert files.remove_if("a/b.json", b"new")
    assert not files.remove_if("a/b.json", b"new")
    assert names(tmp_path, "a") == []


def test_a_file_that_changed_at_the_last_moment_is_put_back(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write_bytes("a/b.json", b"new")
    read, n_reads = files.read_bytes, 0

    def stale_at_first(relative: str) -> bytes | None:
        nonlocal n_reads
        n_reads += 1
        return b"old" if n_reads == 1 else read(relative)

    monkeypatch.setattr(files, "read_bytes", stale_at_first)
    assert not files.remove_if("a/b.json", b"old")
    assert files.read_bytes("a/b.json") == b"new"
    assert names(tmp_path, "a") == ["b.json"]


def test_of_a_file_that_went_at_the_last_moment_nothing_is_removed(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "read_bytes", lambda relative: b"old")
    assert not files.remove_if("a/b.json", b"old")


def test_a_files_age_is_known(files: Files, tmp_path: Path) -> None:
    files.write_bytes("b.json", b"")
    assert files.modified_at_s("b.json") == pytest.approx(time.time(), abs=60)
    os.utime(tmp_path / "tree" / "b.json", (1000, 1000))
    assert files.modified_at_s("b.json") == 1000


def test_files_folders_and_what_is_absent_are_deleted(files: Files) -> None:
    files.write_bytes("a/b/c", b"1")
    files.write_bytes("a/d", b"2")
    files.delete("a/d")
    assert files.read_bytes("a/d") is None
    assert files.read_bytes("a/b/c") == b"1"
    files.delete("a")
    assert files.read_bytes("a/b/c") is None
    files.delete("a")


def test_a_folder_goes_up_and_comes_down_whole(files: Files, tmp_path: Path) -> None:
    (tmp_path / "source" / "inner").mkdir(parents=True)
    (tmp_path / "source" / "x").write_bytes(b"x")
    (tmp_path / "source" / "inner" / "y").write_bytes(b"y")
    files.write_bytes("models/m/before", b"gone")
    files.upload(tmp_path / "source", "models/m")
    assert files.read_bytes("models/m/inner/y") == b"y"
    assert files.read_bytes("models/m/before") is None
    files.download("models/m", tmp_path / "fetched" / "m")
    fetched = {path.name: path.read_bytes() for path in (tmp_path / "fetched" / "m").rglob("*") if path.is_file()}
    assert fetched == {"x": b"x", "y": b"y"}


def test_the_root_is_as_spark_reads_it(files: Files, spark: SparkSession, tmp_path: Path) -> None:
    files.write_bytes("text/a", b"one\ntwo")
    assert files.root in (str(tmp_path / "tree"), f"file://{tmp_path}/tree")
    assert spark.read.text(f"{files.root}/text").count() == 2


def test_a_local_path_is_told_where_there_is_one(files: Files, tmp_path: Path) -> None:
    expected = tmp_path / "tree" / "a" if isinstance(files, LocalFiles) else None
    assert files.local("a") == expected


def test_a_file_uri_opens_this_machines_disk(spark: SparkSession, tmp_path: Path) -> None:
    for root in (str(tmp_path), f"file://{tmp_path}"):
        opened = open_files(spark, root)
        assert isinstance(opened, LocalFiles)
        assert opened.root == str(tmp_path)
