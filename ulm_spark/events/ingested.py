"""What the lake has of a source: its files, and its days as ops.ingested_days is told of them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from ulm_spark.contracts.bronze import INGESTED_DAYS, INGESTED_FILES
from ulm_spark.events.adapter import SourceAdapter
from ulm_spark.events.batch import IngestedFile, SourceConf, new_files
from ulm_spark.events.days import FAILED_DDL, failed_days, summarise_ingested_days
from ulm_spark.events.files import list_files
from ulm_spark.events.ledger import Ledger


@contextmanager
def told_days(ledger: Ledger, source: str, failed: Callable[[], Sequence[Sequence[object]]]) -> Iterator[None]:
    """Makes ops.ingested_days say what the lake has of each day when the block ends, also where it fails.

    failed: rows of FAILED_DDL, asked for after a failure.
    Edge: a run that is killed says nothing; the next one does.
    """
    try:
        yield
    except Exception:
        # Spark or the lake may be gone: what the caller must see is the first error.
        with suppress(Exception):
            tell_days(ledger, source, failed())
        raise
    tell_days(ledger, source)


def days_of_failed_files(
    spark: SparkSession, conf: SourceConf, adapter: SourceAdapter, zone: str, ledger: Ledger
) -> list[Sequence[object]]:
    """Rows of FAILED_DDL for the source's files that the lake lacks; the run that brings them takes that back."""
    ingested = {file.identity for file in ingested_files(ledger, adapter.name)}
    failed = new_files(list_files(spark, conf.path, adapter.files), ingested)
    return [*failed_days(adapter.name, failed, zone)]


def tell_days(ledger: Ledger, source: str, failed: Sequence[Sequence[object]] = ()) -> None:
    """Makes ops.ingested_days say what has come so far. failed: rows of FAILED_DDL for the source's files."""
    of_others = ledger.read(INGESTED_DAYS).where((F.col("source") != source) & (F.col("n_files_failed") > 0))
    all_failed = ledger.frame_of(FAILED_DDL, failed).unionByName(of_others.select("source", "day_on", "n_files_failed"))
    # A row a day: brought here, since a merge would cost more than all else that a small ingest does.
    days = summarise_ingested_days(ledger.read(INGESTED_FILES), all_failed).collect()
    if sorted(days) != sorted(ledger.read(INGESTED_DAYS).collect()):
        ledger.rewrite(ledger.frame_of(INGESTED_DAYS, days).coalesce(1), INGESTED_DAYS)


def ingested_files(ledger: Ledger, source: str) -> list[IngestedFile]:
    """The source's files whose rows are all in the lake."""
    # As a number: Spark gives timestamps to Python in the machine's own zone.
    modified_ms = F.unix_millis("modified_at").alias("modified_ms")
    rows = ledger.read(INGESTED_FILES).where(F.col("source") == source)
    selected = rows.select("source_file", modified_ms, "size_bytes", "batch_id", "read_by").collect()
    return [IngestedFile((row[0], row[1], row[2]), row["batch_id"], row["read_by"]) for row in selected]
