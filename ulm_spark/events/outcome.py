"""What became of a batch's rows: events, quarantine, and the counts that must agree."""

from collections.abc import Sequence

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from ulm_spark.config.errors import DataQualityError
from ulm_spark.contracts.bronze import QUARANTINE
from ulm_spark.contracts.silver import EVENTS
from ulm_spark.events.adapter import SourceAdapter
from ulm_spark.events.checks import DUPLICATE, FAILURE, check_rows, is_possible_time
from ulm_spark.events.fields import EVENT_FIELDS, LINEAGE_NAMES
from ulm_spark.events.parse import ROW, parse_rows
from ulm_spark.events.typed import local_day, say_fields, type_fields


def judge(rows: DataFrame, adapter: SourceAdapter, n_columns: int, zone: str, currency: str) -> DataFrame:
    """Parses, types and checks a batch's rows; duplicates are marked later.

    In:   rejoin_files' frame; zone and currency: the shop's.
    Out:  _row, the columns of silver.events less the lineage, and _failure (reason and detail of
          the first broken rule, null where the row is an event).
    """
    said = say_fields(parse_rows(rows, adapter, n_columns), adapter)
    return check_rows(type_fields(said, adapter, zone, currency), adapter)


def kept_events(judged: DataFrame) -> DataFrame:
    """The rows that are events. Out: silver.events."""
    kept = judged.where(F.col(FAILURE).isNull())
    return kept.select(*EVENT_FIELDS, *(f"{ROW}.{name}" for name in LINEAGE_NAMES)).select(*EVENTS.column_names)


def quarantined_rows(judged: DataFrame, zone: str) -> DataFrame:
    """The rows that are none, each with its reason, on the day of event_at if it can be one. Out: bronze.quarantine."""
    failed = judged.where(F.col(FAILURE).isNotNull())
    lineage = (f"{ROW}.{name}" for name in LINEAGE_NAMES)
    received_on = local_day(F.col(f"{ROW}.received_at"), zone)
    day_on = F.when(is_possible_time(), F.col("event_on")).otherwise(received_on).alias("day_on")
    return failed.select(*lineage, day_on, f"{FAILURE}.reason", f"{FAILURE}.detail", f"{ROW}.line").select(
        *QUARANTINE.column_names
    )


def count_files(files: DataFrame, raw: DataFrame, quarantine: DataFrame, events: DataFrame, batch_id: str) -> DataFrame:
    """Per file of a batch n_rows, n_quarantined and n_kept, and days: the last two by day.

    In:   files: a frame of FILES_DDL; bronze.raw_events, bronze.quarantine and silver.events as
          they are after the batch was written.
    Edge: a file without rows has zeros and no day.
    """
    is_of_batch = F.col("batch_id") == batch_id
    read = raw.where(is_of_batch).groupBy("source_file").agg(F.count(F.lit(1)).alias("n_rows"))
    no_reason = F.lit(None).cast("string").alias("reason")
    kept = events.where(is_of_batch).select("source_file", F.col("event_on").alias("day_on"), no_reason)
    refused = quarantine.where(is_of_batch).select("source_file", "day_on", "reason")
    by_day = (
        kept.unionByName(refused)
        .groupBy("source_file", "day_on")
        .agg(
            F.count_if(F.col("reason").isNull()).alias("n_kept"),
            F.count("reason").alias("n_quarantined"),
            F.count_if(F.col("reason") == DUPLICATE).alias("n_duplicates"),
        )
    )
    counts = ("n_kept", "n_quarantined")
    by_file = by_day.groupBy("source_file").agg(
        *(F.sum(name).alias(name) for name in counts),
        F.sort_array(F.collect_list(F.struct("day_on", *counts, "n_duplicates"))).alias("days"),
    )
    joined = files.select("source_file").join(read, on="source_file", how="left")
    joined = joined.join(by_file, on="source_file", how="left")
    return joined.fillna(0, ["n_rows", *counts]).withColumn("days", F.coalesce("days", F.array()))


def refuse_lost_rows(counts: Sequence[Row]) -> None:
    """Stops where a file's rows are not its events and its quarantine, to the row. Errors: DataQualityError."""
    wrong = [row for row in counts if row["n_rows"] != row["n_kept"] + row["n_quarantined"]]
    if wrong:
        row = wrong[0]
        raise DataQualityError(
            f"{row['source_file']}: found {row['n_kept']} events and {row['n_quarantined']} quarantined rows; expected "
            f"{row['n_rows']} together, as many as the file has ({len(wrong)} files differ). The batch was taken back; "
            "report this as a defect."
        )
