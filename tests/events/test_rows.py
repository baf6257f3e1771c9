"""Which line is which, and what a row is."""

import csv
import gzip
import io
import os
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from tests.events.ingesting import HEADER, MemoryLedger, ingest, small_shop
from ulm_spark.contracts.bronze import RAW_EVENTS
from ulm_spark.events.files import list_files, open_rows
from ulm_spark.events.parse import ROW, parse_rows
from ulm_spark.events.rows import number_lines
from ulm_spark.lake.literal import frame_of

_ROW = "2024-05-01 10:00:00,view,u{0},p{0},,,\n"


def test_lines_are_counted_through_however_spark_splits_a_file(spark: SparkSession, tmp_path: Path) -> None:
    for name, n_lines in (("a.csv", 100), ("b.csv", 1), ("c.csv", 61)):
        (tmp_path / name).write_text("".join(f"{name} {i}{'x' * (i % 7)}\n" for i in range(1, n_lines + 1)))
    with gzip.open(tmp_path / "d.csv.gz", "wt") as stream:
        stream.write("".join(f"d.csv.gz {i}\n" for i in range(1, 301)))
    shop = small_shop()
    files = list_files(spark, str(tmp_path), shop.files)
    key = "spark.sql.files.maxPartitionBytes"
    before = spark.conf.get(key)
    try:
        spark.conf.set(key, "200")
        numbered = number_lines(open_rows(spark, shop, files))
        assert numbered.select("file_uri", "block_start").distinct().count() > 10
        said = F.regexp_extract("value", r" (\d+)", 1).cast("bigint")
        assert numbered.count() == 462
        assert numbered.where(~F.col("source_line").eqNullSafe(said)).count() == 0
    finally:
        spark.conf.set(key, before)


def test_header_and_blank_lines_are_no_rows_but_are_counted(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(
        b"\xef\xbb\xbf" + HEADER.encode() + b"\n" + _ROW.format(1).replace("\n", "\r\n").encode() + b"  \n\n"
    )
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "_hidden.csv").write_bytes(b"nothing")
    ledger = ingest(MemoryLedger(spark), tmp_path, small_shop())
    assert ledger.column(RAW_EVENTS, "source_line") == [3]
    assert ledger.column(RAW_EVENTS, "line") == [_ROW.format(1).strip()]
    assert ledger.reasons() == []


def test_a_mark_of_byte_order_is_no_part_of_the_first_record(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf{"event_at":"2024-05-01","event_type":"search"}\n')
    assert ingest(MemoryLedger(spark), tmp_path, "native_json").reasons() == []


def test_file_names_with_odd_letters_are_read_and_named_as_they_are(spark: SparkSession, tmp_path: Path) -> None:
    names = ["a b%20é[1].csv", "sub dir/{x,y}.csv", "q*?.csv"]
    for i, name in enumerate(names):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(HEADER + _ROW.format(i))
        os.utime(tmp_path / name, (1.7e9, 1.7e9))
    ledger = ingest(
        MemoryLedger(spark), tmp_path, small_shop(fields={"event_at": "at", "event_type": "kind", "product_id": "sku"})
    )
    assert ledger.column(RAW_EVENTS, "source_file") == sorted(names)
    assert ledger.n_quarantined == 3  # 2024-05-01 is more than a day after the files' time, in 2023


def test_a_file_by_its_own_path_and_a_pattern_are_sources_too(spark: SparkSession, tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv", "c.csv"):
        (tmp_path / name).write_text(HEADER)
    assert [f.source_file for f in list_files(spark, str(tmp_path / "a.csv"), ("*.csv",))] == ["a.csv"]
    assert [f.source_file for f in list_files(spark, str(tmp_path / "{a,c}.csv"), ("*.csv",))] == ["a.csv", "c.csv"]


_field = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x00\x01"), max_size=6).map(str.strip)


@given(st.lists(st.lists(_field, min_size=3, max_size=3), min_size=1, max_size=40))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_a_csv_writer_wrote_is_read_back_field_by_field(spark: SparkSession, records: list[list[str]]) -> None:
    lines = []
    for record in records:
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(record)
        lines.append((line.getvalue(), 3, [2, 0, 1]))
    shop = small_shop(
        columns={"c": "STRING", "a": "STRING", "b": "STRING"}, fields={"event_at": "a", "event_type": "b"}
    )
    frame = frame_of(spark, "line STRING, n_columns INT, positions ARRAY<INT>", lines)
    rows = parse_rows(frame.select(F.struct("*").alias(ROW)), shop, n_columns=5).drop(ROW).collect()
    assert [[(row[name] or "").strip() for name in "abc"] for row in rows] == records
    assert all(row["_is_parsed"] for row in rows)
