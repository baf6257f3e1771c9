"""One micro-batch of messages into the lake: its rows, what they became, and that it is there.

Beside intake the room's other module that writes in an order: raw rows, quarantine, events, and last of all
ops.ingested_files, by which a batch that was begun and never finished is told from one that is whole.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark import StorageLevel
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from ulm_spark.config.errors import DataQualityError, RefusedError
from ulm_spark.contracts.bronze import INGESTED_FILES, QUARANTINE, RAW_EVENTS
from ulm_spark.contracts.silver import EVENTS
from ulm_spark.events.checks import FAILURE, mark_duplicates
from ulm_spark.events.horizon import is_near
from ulm_spark.events.intake import Reading, finish_batch
from ulm_spark.events.ledger import Ledger
from ulm_spark.events.messages import (
    FIRST_ID,
    foreseen_until_us,
    is_out_of_state,
    is_told,
    judge_messages,
    known_ids,
)
from ulm_spark.events.outcome import count_files, kept_events, quarantined_rows, refuse_lost_rows


@dataclass(frozen=True)
class MicroBatch:
    """What is known of a micro-batch beside its rows.

    watermark_ms and known_until_us: as is_out_of_state has them. lateness_s: as with_first_ids has it.
    horizon_days: of duplicates; 0 asks the lake for every event, since ids may come again at any time.
    """

    reading: Reading
    batch_id: str
    watermark_ms: int
    known_until_us: int
    lateness_s: int
    horizon_days: int


@dataclass(frozen=True)
class Taken:
    """What became of a micro-batch. n_rows: its messages. known_until_us: for the next one."""

    n_rows: int
    known_until_us: int


def refuse_other_readings(ledger: Ledger, reading: Reading) -> None:
    """Stops where the lake has rows of the source that were read otherwise. Errors: RefusedError."""
    of_source = ledger.read(INGESTED_FILES).where(F.col("source") == reading.adapter.name)
    n_other = of_source.where(F.col("read_by") != reading.read_by).limit(1).collect()
    if n_other:
        raise RefusedError(
            f"source {reading.adapter.name}: found rows in the lake that another adapter, shop.zone or shop.currency "
            "read; expected the same for all, since messages can't be read again from here. Restore the old ones, or "
            "start a new lake.root and a new stream.name, which begins with the oldest message."
        )


def is_taken_in(ledger: Ledger, batch_id: str) -> bool:
    """True where the batch is in the lake, whole."""
    return bool(ledger.read(INGESTED_FILES).where(F.col("batch_id") == batch_id).limit(1).collect())


def take_messages(ledger: Ledger, frame: DataFrame, batch: MicroBatch) -> Taken:
    """Writes a micro-batch.

    In:     with_first_ids' frame, persisted: computing it twice would ask the state twice.
    Rule:   nothing is asked of the rows once their events are written: Spark then judges them anew, and finds that
            the lake has them all.
    Errors: DataQualityError where rows in are not events and quarantine together.
    """
    reading = batch.reading
    rows = frame.where(~is_told()).drop(FIRST_ID)
    raw = rows.withColumn("batch_id", F.lit(batch.batch_id)).select(*RAW_EVENTS.column_names)
    judged = judge_messages(rows, reading.adapter, reading.zone, reading.currency, batch.batch_id).persist()
    marked = judged
    try:
        first_ids = frame.where(is_told()).select(FIRST_ID)
        known, known_until_us = _known(ledger, judged, first_ids, batch)
        marked = mark_duplicates(judged, known)
        marked = marked.persist(StorageLevel.MEMORY_AND_DISK)
        kept, quarantined = kept_events(marked), quarantined_rows(marked, reading.zone)
        counts = _count(raw, quarantined, kept, batch)
        if counts:
            ledger.begin([batch.batch_id])
            n_raw = ledger.append(raw, RAW_EVENTS)
            has_quarantined = any(row["n_quarantined"] for row in counts)
            n_quarantined = ledger.append(quarantined, QUARANTINE) if has_quarantined else 0
            n_kept = ledger.append(kept, EVENTS)
            _refuse_other_rows(counts, {"n_rows": n_raw, "n_kept": n_kept, "n_quarantined": n_quarantined}, batch)
            _finish(ledger, counts, batch)
        return Taken(sum(row["n_rows"] for row in counts), known_until_us)
    finally:
        marked.unpersist()
        judged.unpersist()


def _known(ledger: Ledger, judged: DataFrame, first_ids: DataFrame, batch: MicroBatch) -> tuple[DataFrame, int]:
    """The ids that came before, and until when the lake may know what the state does not.

    Rule: where there is a horizon, the lake is asked only for the days of what the state can't tell.
    """
    of_lake = ledger.read(EVENTS)
    if not batch.horizon_days:
        return known_ids(judged, first_ids, of_lake, F.lit(True)), batch.known_until_us
    is_out = is_out_of_state(batch.watermark_ms, batch.known_until_us)
    asked = judged.where(F.col(FAILURE).isNull() & is_out)
    days = asked.groupBy("event_on").agg(foreseen_until_us(batch.lateness_s).alias("until_us")).collect()
    of_days = of_lake.where(is_near([row["event_on"] for row in days], batch.horizon_days))
    until_us = max(batch.known_until_us, *(row["until_us"] or 0 for row in days), 0)
    return known_ids(judged, first_ids, of_days, is_out), until_us


def _count(raw: DataFrame, quarantined: DataFrame, kept: DataFrame, batch: MicroBatch) -> list[Row]:
    """Per topic and partition what count_files counts, and from where to where its messages are."""
    spans = raw.groupBy("source_file").agg(
        F.min("source_line").alias("first_offset"),
        F.max("source_line").alias("last_offset"),
        F.unix_millis(F.max("received_at")).alias("received_ms"),
        F.sum(F.octet_length("line")).alias("size_bytes"),
    )
    counts = count_files(spans, raw, quarantined, kept, batch.batch_id)
    rows = counts.join(spans, on="source_file", how="inner").collect()
    refuse_lost_rows(rows)
    return rows


def _refuse_other_rows(counts: list[Row], written: dict[str, int], batch: MicroBatch) -> None:
    """Stops where the tables did not get what was counted before. Errors: DataQualityError."""
    counted = {name: sum(row[name] for row in counts) for name in written}
    if written != counted:
        raise DataQualityError(
            f"batch {batch.batch_id}: found {written} written; expected {counted}, as counted before. The batch is "
            "taken back; report this as a defect."
        )


def _finish(ledger: Ledger, counts: list[Row], batch: MicroBatch) -> None:
    source, read_by = batch.reading.adapter.name, batch.reading.read_by
    rows = [
        (
            source,
            f"{row['source_file']}/{row['first_offset']}-{row['last_offset']}",
            datetime.fromtimestamp(row["received_ms"] / 1000, UTC),
            row["size_bytes"],
            batch.batch_id,
            row["n_rows"],
            row["n_quarantined"],
            [day.asDict() for day in row["days"]],
            read_by,
        )
        for row in counts
    ]
    finish_batch(ledger, counts, rows)
