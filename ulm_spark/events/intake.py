"""One ingest: a source's new files, all of them or none, into the lake.

The room's other orchestrating module beside files: it says in which order the job's reads and
writes follow each other, over a ledger that the job hands in, and holds the actions that this
takes. What is computed between them are the transforms of rows, parse, typed, checks and outcome.
"""

from dataclasses import dataclass
from typing import Protocol

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from ulm_spark.contracts.bronze import INGESTED_FILES, QUARANTINE, RAW_EVENTS
from ulm_spark.contracts.silver import EVENTS
from ulm_spark.contracts.table import Table
from ulm_spark.events.adapter import SourceAdapter, adapter_fingerprint
from ulm_spark.events.batch import Batch, SourceConf, fingerprint, new_files
from ulm_spark.events.files import list_files, open_rows, peek_shapes
from ulm_spark.events.outcome import count_files, judge, kept_events, quarantined_rows, refuse_lost_rows
from ulm_spark.events.rows import FILES_DDL, file_rows, receive, rejoin_files
from ulm_spark.events.shape import refuse_bad_files


class Ledger(Protocol):
    """The lake, as far as an ingest uses it."""

    def read(self, table: Table) -> DataFrame:
        """The table as it is now."""
        ...

    def append(self, frame: DataFrame, table: Table) -> None:
        """Adds rows."""
        ...

    def delete(self, table: Table, condition: str) -> None:
        """Deletes the rows that meet a SQL condition."""
        ...

    def count_in(self, n_rows: int) -> None:
        """Adds to the rows read."""
        ...

    def count_quarantined(self, n_rows: int) -> None:
        """Adds to the rows sent to quarantine."""
        ...


@dataclass(frozen=True)
class Intake:
    """A batch ready to be read. files: a frame of FILES_DDL. content: the files as they were opened."""

    adapter: SourceAdapter
    batch: Batch
    n_columns: int
    files: DataFrame
    content: DataFrame


def source_inputs(spark: SparkSession, conf: SourceConf, adapter: SourceAdapter) -> dict[str, str]:
    """What an ingest depends on beside tables, by name: fingerprints of the adapter and of all the source's files.

    Errors: SourceError where the source has no file at all.
    """
    files = fingerprint(adapter.name, list_files(spark, conf.path, adapter.files))
    return {f"adapter {adapter.name}": adapter_fingerprint(adapter), f"source {adapter.name}": files}


def open_intake(spark: SparkSession, conf: SourceConf, adapter: SourceAdapter, ledger: Ledger) -> Intake | None:
    """The source's files that ops.ingested_files does not name; None where there is no such file.

    Errors: SourceError where the source has no file at all, or where one is unreadable or, unless
    source.on_bad_file says otherwise, of another shape than the adapter's.
    """
    found = list_files(spark, conf.path, adapter.files)
    # As a number: Spark gives timestamps to Python in the machine's own zone.
    modified_ms = F.unix_millis("modified_at").alias("modified_ms")
    ingested = ledger.read(INGESTED_FILES).where(F.col("source") == adapter.name)
    known = {tuple(row) for row in ingested.select("source_file", modified_ms, "size_bytes").collect()}
    files = new_files(found, known)
    if not files:
        return None
    shapes = peek_shapes(spark, adapter, files)
    if conf.on_bad_file == "stop":
        refuse_bad_files(adapter, files, shapes)
    batch = Batch(adapter.name, tuple(files))
    return Intake(
        adapter=adapter,
        batch=batch,
        n_columns=max(shape.n_columns for shape in shapes),
        files=spark.createDataFrame(file_rows(batch, shapes), FILES_DDL),
        content=open_rows(spark, adapter, files),
    )


def take_in(spark: SparkSession, ledger: Ledger, intake: Intake, zone: str, currency: str) -> None:
    """Writes the batch: its rows, what they became, and last of all that its files are in the lake.

    Errors: DataQualityError where rows in are not events and quarantine together; whatever the
    error, the batch is taken back.
    """
    try:
        _write_batch(spark, ledger, intake, zone, currency)
    except Exception:
        take_back_unfinished(ledger)
        raise


def take_back_unfinished(ledger: Ledger) -> None:
    """Deletes the rows of batches that were begun and never finished: what a killed run left.

    Raw rows go last, since they are what an unfinished batch is found by.
    """
    finished = ledger.read(INGESTED_FILES).select("batch_id").distinct()
    begun = ledger.read(RAW_EVENTS).select("batch_id").distinct()
    left_over = [row["batch_id"] for row in begun.join(finished, on="batch_id", how="left_anti").collect()]
    if left_over:
        condition = f"batch_id IN ({', '.join(repr(batch_id) for batch_id in sorted(left_over))})"
        for table in (EVENTS, QUARANTINE, RAW_EVENTS):
            ledger.delete(table, condition)


def _write_batch(spark: SparkSession, ledger: Ledger, intake: Intake, zone: str, currency: str) -> None:
    batch, adapter = intake.batch, intake.adapter
    ledger.append(receive(intake.content, intake.files, batch, adapter, intake.n_columns), RAW_EVENTS)
    # Parsed from what was written, not from the files once more: they may be compressed, or change.
    raw = ledger.read(RAW_EVENTS).where(F.col("batch_id") == batch.batch_id)
    known_ids = ledger.read(EVENTS).select("event_id")
    judged = judge(rejoin_files(raw, intake.files), known_ids, adapter, intake.n_columns, zone, currency)
    # Written to two tables, parsed once. On disk: a batch can be as large as the source.
    judged = judged.persist(StorageLevel.DISK_ONLY)
    try:
        ledger.append(quarantined_rows(judged), QUARANTINE)
        ledger.append(kept_events(judged), EVENTS)
    finally:
        judged.unpersist()
    raw, quarantine, events = (ledger.read(table) for table in (RAW_EVENTS, QUARANTINE, EVENTS))
    counts = count_files(intake.files, raw, quarantine, events, batch.batch_id).collect()
    refuse_lost_rows(counts)
    ledger.count_in(sum(row["n_rows"] for row in counts))
    ledger.count_quarantined(sum(row["n_quarantined"] for row in counts))
    by_file = {row["source_file"]: (row["n_rows"], row["n_quarantined"]) for row in counts}
    rows = [
        (batch.source, file.source_file, file.modified_at, file.size_bytes, batch.batch_id, *by_file[file.source_file])
        for file in batch.files
    ]
    manifest = spark.createDataFrame(rows, INGESTED_FILES.schema_ddl)
    ledger.append(manifest.coalesce(1), INGESTED_FILES)
