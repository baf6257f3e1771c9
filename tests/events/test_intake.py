"""A batch is taken in whole or not at all, refused with words, and begun again where a run was killed."""

import gzip
import os
import random
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from tests.events.ingesting import GOOD, HEADER, MemoryLedger, ingest, ingest_lines, small_shop
from ulm_spark.config.errors import ConfigError, SourceError
from ulm_spark.contracts.bronze import INGESTED_FILES, QUARANTINE, RAW_EVENTS
from ulm_spark.contracts.silver import EVENTS
from ulm_spark.contracts.table import Table
from ulm_spark.events.adapter import Rule


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fields": {"event_at": "nonesuch", "event_type": "kind"}}, r"small_shop\.yaml: fields\.event_at: .*refuses"),
        ({"fields": {"event_at": "at AT (", "event_type": "kind"}}, r"small_shop\.yaml: fields\.event_at"),
        ({"rules": (Rule("mine", "price <", ""),)}, r"small_shop\.yaml: rules\.mine\.when"),
        (
            {"fields": {"event_at": "at", "event_type": "kind", "attributes": "sku"}},
            r"fields\.attributes: .*type string",
        ),
        (
            {"fields": {"event_at": "at", "event_type": "kind", "quantity": "CAST(n AS INT)"}},
            r"fails on a row.*TRY_CAST",
        ),
    ],
)
def test_a_wrong_expression_is_named_and_leaves_nothing_behind(
    spark: SparkSession, tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    (tmp_path / "a.csv").write_text(HEADER + "2024-05-01,view,u1,p1,,many,\n")
    ledger = MemoryLedger(spark)
    with pytest.raises(ConfigError, match=message):
        ingest(ledger, tmp_path, small_shop(**changes))
    assert not any(ledger.rows.values())


def test_an_empty_folder_names_the_path_and_the_pattern(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=rf"no file in {tmp_path}.*\*\.csv or \*\.csv\.gz"):
        ingest(MemoryLedger(spark), tmp_path, small_shop())
    with pytest.raises(SourceError, match="no file in"):
        ingest(MemoryLedger(spark), tmp_path / "absent", small_shop())


def test_a_name_that_java_cannot_write_stops_the_job_rather_than_be_passed_over(
    spark: SparkSession, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text(f"{HEADER}{GOOD}\n")
    (tmp_path / os.fsdecode(b"caf\xe9.csv")).write_text(f"{HEADER}{GOOD}\n")
    with pytest.raises(SourceError, match=r"found the name 'caf.udce9\.csv' in .*Rename it"):
        ingest(MemoryLedger(spark), tmp_path, small_shop())


def test_a_file_of_another_shape_stops_the_job_or_goes_to_quarantine_whole(spark: SparkSession, tmp_path: Path) -> None:
    bad = {"names.csv": "at,kind,user,sku,n,order", "separator.csv": HEADER.replace(",", ";").strip()}
    ledger = MemoryLedger(spark)
    for name, header in bad.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_text(f"{header}\n{GOOD}\n")
        (folder / "good.csv").write_text(f"{HEADER}{GOOD}\n")
        with pytest.raises(SourceError, match=rf"{name}: found columns at"):
            ingest(ledger, folder, small_shop())
    assert not any(ledger.rows.values())
    (tmp_path / "names.csv" / "separator.csv").write_bytes((tmp_path / "separator.csv" / "separator.csv").read_bytes())
    ingest(ledger, tmp_path / "names.csv", small_shop(), on_bad_file="quarantine")
    for name in bad:
        assert ledger.of_file(name, QUARANTINE, "reason") == ["bad_header", "bad_header"]
    assert ledger.column(EVENTS, "source_file") == ["good.csv"]


@pytest.mark.parametrize("n_bytes_cut", [1, 40_000])
def test_a_truncated_gzip_is_named_and_leaves_nothing_behind(
    spark: SparkSession, tmp_path: Path, n_bytes_cut: int
) -> None:
    noise = random.Random(0)
    lines = "".join(f"2024-05-01,view,u{noise.random()},p{noise.random()},,,\n" for _ in range(6000))
    whole = gzip.compress((HEADER + lines).encode())
    (tmp_path / "a.csv").write_text(f"{HEADER}{GOOD}\n")
    (tmp_path / "z.csv.gz").write_bytes(whole[:-n_bytes_cut])
    ledger = MemoryLedger(spark)
    with pytest.raises(SourceError, match=r"z\.csv\.gz: found content that can't be read") as raised:
        ingest(ledger, tmp_path, small_shop())
    assert "\n" not in str(raised.value)
    assert not any(ledger.rows.values())


def test_a_batch_that_was_left_unfinished_is_begun_again(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"{HEADER}{GOOD}\n{GOOD}\nbroken\n")
    whole = ingest(MemoryLedger(spark), tmp_path, small_shop())
    order = (RAW_EVENTS, QUARANTINE, EVENTS, INGESTED_FILES)
    for n_written in range(1, len(order)):
        ledger = MemoryLedger(spark)
        ledger.rows = {table.name: list(whole.rows[table.name]) for table in order[:n_written]}
        ledger.batches_begun = whole.batches_begun
        assert ingest(ledger, tmp_path, small_shop()).snapshot() == whole.snapshot()


class _Killed(BaseException):
    """A process that is gone: nothing is taken back after it."""


class _KilledLedger(MemoryLedger):
    n_writes_left = 0

    def append(self, frame: DataFrame, table: Table) -> int:
        self._live_or_die()
        return super().append(frame, table)

    def delete(self, table: Table, condition: str) -> None:
        self._live_or_die()
        super().delete(table, condition)

    def _live_or_die(self) -> None:
        if not self.n_writes_left:
            raise _Killed
        self.n_writes_left -= 1


def test_a_run_killed_while_it_reads_files_again_is_begun_again(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"{HEADER}{GOOD}\nbroken\n")
    old, changed = (ingest(MemoryLedger(spark), tmp_path, small_shop(), currency=code) for code in ("EUR", "USD"))
    for n_writes in (1, 3, 6):  # ops.ingested_files; two of the three tables; raw rows and quarantine anew
        killed = _KilledLedger(spark)
        killed.rows = {name: list(rows) for name, rows in old.rows.items()}
        killed.n_writes_left = n_writes
        with pytest.raises(_Killed):
            ingest(killed, tmp_path, small_shop(), currency="USD")
        ledger = MemoryLedger(spark)
        ledger.rows, ledger.batches_begun = killed.rows, killed.batches_begun
        assert ingest(ledger, tmp_path, small_shop(), currency="USD").snapshot() == changed.snapshot()


def test_a_second_run_writes_only_what_a_new_file_brings(spark: SparkSession, tmp_path: Path) -> None:
    ledger = ingest_lines(spark, tmp_path, GOOD)
    before = ledger.snapshot()
    assert ingest(ledger, tmp_path, small_shop()).snapshot() == before
    (tmp_path / "a.csv").write_text(f"{HEADER}{GOOD}\n2024-05-02,view,u1,p1,,,\n")
    os.utime(tmp_path / "a.csv", (1.8e9, 1.8e9))  # the file grew: its old row is known
    ingest(ledger, tmp_path, small_shop())
    assert ledger.reasons() == ["duplicate"]
    assert len(ledger.rows[EVENTS.name]) == 2
