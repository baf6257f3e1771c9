"""One ingest: a source's new files, all of them or none, into the lake.

Beside files and ingested one of the room's orchestrating modules: it says in which order the job's
reads and writes follow each other, over a ledger that the job hands in, and holds the actions that
this takes. What is computed between them are the transforms of rows, parse, typed, checks and outcome.
"""

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from pyspark import StorageLevel
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from ulm_spark.contracts.bronze import INGESTED_FILES, QUARANTINE, RAW_EVENTS
from ulm_spark.contracts.silver import EVENTS
from ulm_spark.events.adapter import SourceAdapter, adapter_fingerprint
from ulm_spark.events.batch import Batch, IngestedFile, SourceConf, fingerprint, new_files, outdated_files
from ulm_spark.events.checks import FAILURE, mark_duplicates
from ulm_spark.events.files import list_files, open_rows, peek_shapes
from ulm_spark.events.horizon import is_near
from ulm_spark.events.ingested import ingested_files
from ulm_spark.events.ledger import Ledger
from ulm_spark.events.outcome import count_files, judge, kept_events, quarantined_rows, refuse_lost_rows
from ulm_spark.events.rows import FILES_DDL, file_rows, receive, rejoin_files
from ulm_spark.events.shape import describe_left_out, refuse_bad_files


@dataclass(frozen=True)
class Reading:
    """What decides, beside its bytes, what a file's rows become. zone and currency: the shop's."""

    adapter: SourceAdapter
    zone: str
    currency: str

    @property
    def read_by(self) -> str:
        """Twelve hex digits. Which files the adapter looks for changes nothing in those that are read.

        Nor does source.on_bad_file: it says what to do with a file when it comes.
        """
        adapter = adapter_fingerprint(replace(self.adapter, files=("*",)))
        return hashlib.sha256(f"{adapter}\n{self.zone}\n{self.currency}".encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Intake:
    """A batch ready to be read.

    outdated: files of it that the lake has as another adapter, zone or currency read them. files: a
    frame of FILES_DDL. content: the files as they were opened. horizon_days: of duplicates.
    """

    reading: Reading
    batch: Batch
    outdated: tuple[IngestedFile, ...]
    n_columns: int
    files: DataFrame
    content: DataFrame
    horizon_days: int

    @property
    def summary(self) -> str:
        """Which files will be read, in words."""
        n_outdated, n_new = len(self.outdated), len(self.batch.files) - len(self.outdated)
        again = [f"adapter, zone or currency changed: files to read again: {n_outdated}"] if n_outdated else []
        return "; ".join(again + ([f"new files: {n_new}"] if n_new else []))


def source_inputs(spark: SparkSession, conf: SourceConf, adapter: SourceAdapter) -> dict[str, str]:
    """What an ingest depends on beside tables, by name: fingerprints of the adapter and of all the source's files.

    Errors: SourceError where the source has no file at all.
    """
    files = fingerprint(adapter.name, list_files(spark, conf.path, adapter.files))
    return {f"adapter {adapter.name}": adapter_fingerprint(adapter), f"source {adapter.name}": files}


def open_intake(spark: SparkSession, conf: SourceConf, reading: Reading, ledger: Ledger) -> Intake | None:
    """The source's files that ops.ingested_files does not name as read so; None where there is no such file.

    Errors: SourceError where the source has no file at all, or where one is unreadable or, unless
    source.on_bad_file says otherwise, of another shape than the adapter's; RefusedError where a
    file that must be read again is gone.
    """
    adapter = reading.adapter
    found = list_files(spark, conf.path, adapter.files)
    ingested = ingested_files(ledger, adapter.name)
    outdated = outdated_files(found, ingested, reading.read_by, adapter.name)
    files = new_files(found, {file.identity for file in ingested} - {file.identity for file in outdated})
    if not files:
        return None
    shapes = peek_shapes(spark, adapter, files)
    if conf.on_bad_file == "stop":
        refuse_bad_files(adapter, files, shapes)
    left_out = describe_left_out(adapter, shapes)
    if left_out:
        ledger.note(left_out)
    batch = Batch(adapter.name, tuple(files))
    return Intake(
        reading=reading,
        batch=batch,
        outdated=tuple(outdated),
        n_columns=max(shape.n_columns for shape in shapes),
        files=ledger.frame_of(FILES_DDL, file_rows(batch, shapes)),
        content=open_rows(spark, adapter, files),
        horizon_days=conf.duplicate_horizon_days,
    )


def take_in(ledger: Ledger, intake: Intake) -> None:
    """Writes the batch: its rows, what they became, and last of all that its files are in the lake.

    Rule:   which batch is written is written down before it is. Of outdated files, first of all
            ops.ingested_files forgets that they are in the lake: from then on they are an unfinished
            batch, whenever the run is killed.
    Errors: DataQualityError where rows in are not events and quarantine together; whatever the
            error, the batch is taken back, by the next run where the lake is gone for this one.
    """
    batch_id, outdated = intake.batch.batch_id, {file.batch_id for file in intake.outdated}
    ledger.begin(sorted({batch_id, *outdated}))
    if outdated:
        _judged(ledger, intake)  # an adapter that Spark refuses is refused while the lake still has the old rows
        ledger.delete(INGESTED_FILES, _is_of_batch(outdated))
    # There are some of outdated files, and of a batch that somebody made ops.ingested_files forget, to read it again.
    if ledger.read(RAW_EVENTS).where(_is_of_batch({batch_id, *outdated})).limit(1).collect():
        take_back_unfinished(ledger)
        ledger.begin([batch_id])
    try:
        _write_batch(ledger, intake)
    except Exception:
        with suppress(Exception):  # else the next run does it; what the caller must see is the first error
            take_back_unfinished(ledger)
        raise


def take_back_unfinished(ledger: Ledger) -> None:
    """Deletes the rows of batches that were begun and never finished: what a killed run left."""
    begun = ledger.begun()
    if not begun:
        return
    finished = ledger.read(INGESTED_FILES).where(_is_of_batch(begun)).select("batch_id").distinct().collect()
    left_over = {*begun} - {row["batch_id"] for row in finished}
    if left_over:
        for table in (EVENTS, QUARANTINE, RAW_EVENTS):
            ledger.delete(table, _is_of_batch(left_over))
    ledger.begin([])


def _is_of_batch(batch_ids: Iterable[str]) -> str:
    return f"batch_id IN ({', '.join(repr(batch_id) for batch_id in sorted(set(batch_ids)))})"


def _judged(ledger: Ledger, intake: Intake) -> DataFrame:
    # Parsed from what was written, not from the files once more: they may be compressed, or change.
    raw = ledger.read(RAW_EVENTS).where(F.col("batch_id") == intake.batch.batch_id)
    rows, reading = rejoin_files(raw, intake.files), intake.reading
    return judge(rows, reading.adapter, intake.n_columns, reading.zone, reading.currency)


def _known_ids(ledger: Ledger, judged: DataFrame, horizon_days: int) -> DataFrame:
    """The events that a batch's rows can be duplicates of."""
    known = ledger.read(EVENTS)
    if horizon_days:
        days = judged.where(F.col(FAILURE).isNull()).select("event_on").distinct().collect()
        known = known.where(is_near((row["event_on"] for row in days), horizon_days))
    return known.select("event_id").distinct()  # an id may have come again beyond a horizon, this one or an earlier


def _write_batch(ledger: Ledger, intake: Intake) -> None:
    batch = intake.batch
    ledger.progress("raw rows")
    ledger.append(receive(intake.content, intake.files, batch, intake.reading.adapter, intake.n_columns), RAW_EVENTS)
    # Written to two tables, and where there is a horizon asked for its days, yet parsed once. On disk: a batch can
    # be as large as the source.
    judged = _judged(ledger, intake)
    if intake.horizon_days:
        judged = judged.persist(StorageLevel.DISK_ONLY)
    marked = judged
    try:
        marked = mark_duplicates(judged, _known_ids(ledger, judged, intake.horizon_days))
        marked = marked.persist(StorageLevel.DISK_ONLY)
        ledger.progress("quarantine")
        ledger.append(quarantined_rows(marked, intake.reading.zone), QUARANTINE)
        ledger.progress("events")
        ledger.append(kept_events(marked), EVENTS)
    finally:
        marked.unpersist()
        judged.unpersist()
    raw, quarantine, events = (ledger.read(table) for table in (RAW_EVENTS, QUARANTINE, EVENTS))
    counts = count_files(intake.files, raw, quarantine, events, batch.batch_id).collect()
    refuse_lost_rows(counts)
    by_file = {
        row["source_file"]: (row["n_rows"], row["n_quarantined"], [day.asDict() for day in row["days"]])
        for row in counts
    }
    read_by = intake.reading.read_by
    rows = [
        (batch.source, f.source_file, f.modified_at, f.size_bytes, batch.batch_id, *by_file[f.source_file], read_by)
        for f in batch.files
    ]
    finish_batch(ledger, counts, rows)


def finish_batch(ledger: Ledger, counts: Sequence[Row], rows: Sequence[Sequence[object]]) -> None:
    """Says last of all that a batch is in the lake. In: count_files' rows; ops.ingested_files' rows."""
    ledger.count_in(sum(row["n_rows"] for row in counts))
    ledger.count_quarantined(sum(row["n_quarantined"] for row in counts))
    ledger.append(ledger.frame_of(INGESTED_FILES, rows).coalesce(1), INGESTED_FILES)
