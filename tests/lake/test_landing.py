import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from ulm_spark.config.errors import RefusedError
from ulm_spark.lake.landing import Landing

LINES = (
    ("b", datetime(2025, 3, 1, 10, tzinfo=UTC), b"second"),
    ("a", datetime(2025, 3, 1, 10, tzinfo=UTC), b"first \xff"),
    ("c", datetime(2025, 3, 2, 0, tzinfo=UTC), b"next day"),
    ("d", datetime(2025, 3, 1, 23, 59, 59, tzinfo=UTC), b"third"),
)


def _lines(spark: SparkSession, rows: tuple[tuple[str, datetime, bytes], ...] = LINES) -> DataFrame:
    return spark.createDataFrame(list(rows), "line_key STRING, received_at TIMESTAMP, line BINARY")


def _content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_files_hold_the_lines_of_a_day_in_order_of_arrival_byte_for_byte(spark: SparkSession, tmp_path: Path) -> None:
    folder = tmp_path / "landing"
    Landing(spark, str(folder)).write(_lines(spark), "f1", 1, "none")
    assert _content(folder) == {
        "2025-03-01.json": b"first \xff\nsecond\nthird\n",
        "2025-03-02.json": b"next day\n",
        "_SIMULATED": b"f1",
    }
    assert list(tmp_path.iterdir()) == [folder]
    assert (folder / "2025-03-01.json").stat().st_mtime == datetime(2025, 3, 2, tzinfo=UTC).timestamp()


def test_a_day_can_be_several_files_and_packed(spark: SparkSession, tmp_path: Path) -> None:
    folder = tmp_path / "landing"
    rows = tuple((f"k{i}", datetime(2025, 3, 1, 0, i, tzinfo=UTC), f"{i}".encode()) for i in range(40))
    Landing(spark, str(folder)).write(_lines(spark, rows), "f1", 2, "gzip")
    files = sorted(folder.glob("*.gz"))
    assert [file.name for file in files] == ["2025-03-01-000.json.gz", "2025-03-01-001.json.gz"]
    read = [[int(line) for line in gzip.decompress(file.read_bytes()).split()] for file in files]
    assert all(numbers == sorted(numbers) for numbers in read)
    assert sorted(read[0] + read[1]) == list(range(40))


def test_a_second_write_replaces_the_first_and_what_a_killed_one_left(spark: SparkSession, tmp_path: Path) -> None:
    folder = tmp_path / "landing"
    landing = Landing(spark, str(folder))
    landing.write(_lines(spark), "f1", 1, "none")
    (tmp_path / ".landing.simulating" / "draft").mkdir(parents=True)
    assert landing.holds("f1")
    landing.begin()
    assert not landing.holds("f1")
    landing.write(_lines(spark, LINES[2:3]), "f2", 1, "none")
    assert sorted(_content(folder)) == ["2025-03-02.json", "_SIMULATED"]
    assert list(tmp_path.iterdir()) == [folder]


def test_a_folder_with_other_files_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text("{}")
    landing = Landing(spark, str(tmp_path))
    assert not landing.holds("f1")
    with pytest.raises(RefusedError, match="found 1 files that no simulation made"):
        landing.begin()
    assert (tmp_path / "mine.json").exists()
