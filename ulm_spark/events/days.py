"""Which of a source's days does the lake have: done, failed or missing?"""

import re
from collections import Counter
from collections.abc import Iterable
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ulm_spark.config.clock import shop_zone
from ulm_spark.contracts.bronze import INGESTED_DAYS
from ulm_spark.events.batch import InputFile

FAILED_DDL = "source STRING, day_on DATE, n_files_failed BIGINT"

# 2025-01-31, 20250131, 2025/01/31 and year=2025/month=01/day=31, with no digit before or behind.
_DAY_IN_NAME = re.compile(r"(?<!\d)(\d{4})([-_/]?)(?:month=)?(\d{2})\2(?:day=)?(\d{2})(?!\d)")
_COUNTS = ("n_kept", "n_quarantined", "n_duplicates", "n_files")


def day_named(source_file: str) -> date | None:
    """The last day that a file's path says, such as dt=2025-01-31/part-0.csv or 20250131.json; None where none is."""
    for year, _, month, day in reversed(_DAY_IN_NAME.findall(source_file)):
        try:
            return date(int(year), int(month), int(day))
        except ValueError:
            continue
    return None


def failed_days(source: str, files: Iterable[InputFile], zone: str) -> list[tuple[str, date, int]]:
    """Files that were not read, counted by day, as rows of FAILED_DDL.

    Rule: nobody has read a day from them, so it is the one that the name says, else the local day of the file's time.
    """
    local = shop_zone(zone)
    days = Counter(day_named(file.source_file) or file.modified_at.astimezone(local).date() for file in files)
    return [(source, day, n_files) for day, n_files in sorted(days.items())]


def summarise_ingested_days(files: DataFrame, failed: DataFrame) -> DataFrame:
    """What the lake has of each source's days.

    In:   ops.ingested_files; failed: a frame of FAILED_DDL.
    Out:  ops.ingested_days.
    Rule: a day is done where it has events and no failed file; days without a row count as missing
          between the first and the last day with an event only, so that one row in quarantine with
          a strange time opens no gap of years.
    Edge: a source without an event has the days of its quarantine and of its failed files alone.
    """
    by_day = _count_days(files)
    span = (
        by_day.where(F.col("n_kept") > 0)
        .groupBy("source")
        .agg(F.sequence(F.min("day_on"), F.max("day_on")).alias("days"))
        .select("source", F.explode("days").alias("day_on"))
    )
    named = [frame.select("source", "day_on") for frame in (by_day, failed)]
    days = span.unionByName(named[0]).unionByName(named[1]).distinct()
    joined = days.join(by_day, on=["source", "day_on"], how="left").join(failed, on=["source", "day_on"], how="left")
    filled = joined.fillna(0, [*_COUNTS, "n_files_failed"])
    status = (
        F.when(F.col("n_files_failed") > 0, "failed")
        .when(F.col("n_kept") > 0, "done")
        .when(F.col("n_quarantined") > 0, "failed")
        .otherwise("missing")
    )
    columns = {"status": status, "n_rows": F.col("n_kept") + F.col("n_quarantined")}
    return filled.withColumns(columns).select(*INGESTED_DAYS.column_names)


def _count_days(files: DataFrame) -> DataFrame:
    lineage = ("source", "source_file", "modified_at", "size_bytes", "batch_id", "read_by")
    counted = files.select(*lineage, F.inline("days"))
    latest = F.max_by("batch_id", F.struct("modified_at", "source_file", "size_bytes"))
    return counted.groupBy("source", "day_on").agg(
        *(F.sum(name).alias(name) for name in ("n_kept", "n_quarantined", "n_duplicates")),
        F.count_distinct("source_file").alias("n_files"),
        latest.alias("batch_id"),
        _fingerprint().alias("fingerprint"),
    )


def _fingerprint() -> Column:
    # Files whose rows of the day are all in quarantine change no event.
    modified_ms = F.unix_millis("modified_at")
    file = F.concat_ws("\t", "source_file", modified_ms, "size_bytes", "read_by", "n_kept")
    brought = F.collect_list(F.when(F.col("n_kept") > 0, file))
    return F.when(F.size(brought) > 0, F.substring(F.sha2(F.concat_ws("\n", F.sort_array(brought)), 256), 1, 16))
