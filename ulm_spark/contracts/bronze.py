"""Bronze: what arrived, to the row. raw_events = events kept + quarantine, always."""

from ulm_spark.contracts.table import Column, Table

LINEAGE = (
    Column("batch_id", "STRING", "The ingest batch that brought the row; a hash of the files it read"),
    Column("source", "STRING", "Name of the adapter in conf/sources"),
    Column(
        "source_file",
        "STRING",
        "The file that held the row, relative to the source's folder where it is below it; of a message topic/partition",
    ),
    Column(
        "source_line",
        "BIGINT",
        "Line of the row in its file; the first line of a file is 1, a header included; of a message its offset",
    ),
    Column(
        "received_at",
        "TIMESTAMP",
        "When the lake learned it: the source's own column, else the file's time, of a message the broker's",
        unit="UTC",
    ),
)

RAW_EVENTS = Table(
    name="bronze.raw_events",
    grain="One row per row of a source file, as received; header lines and blank lines are no rows.",
    key=("batch_id", "source_file", "source_line"),
    columns=(
        *LINEAGE,
        Column("line", "STRING", "The row's text; bytes that are not UTF-8 shown as U+FFFD; Parquet rows as JSON"),
        Column("line_bytes", "BINARY", "The row's bytes, kept only where they are not valid UTF-8", nullable=True),
    ),
    cluster_by=("batch_id",),
    writer="ingest_events",
)

QUARANTINE = Table(
    name="bronze.quarantine",
    grain="One row per received row that did not become an event, with the reason.",
    key=("batch_id", "source_file", "source_line"),
    columns=(
        *LINEAGE,
        Column("day_on", "DATE", "Local day of event_at where it can be one, else of received_at, in the shop's zone"),
        Column("reason", "STRING", "The first rule that the row broke, such as duplicate or bad_event_at"),
        Column("detail", "STRING", "What the rule expected, in words; names columns, never values"),
        Column("line", "STRING", "The row's text as in bronze.raw_events"),
    ),
    cluster_by=("batch_id",),
    writer="ingest_events",
    readers=("build_metrics",),
)

INGESTED_FILES = Table(
    name="ops.ingested_files",
    grain="One row per source file, or micro-batch and partition of messages, whose rows are all in the lake; written last, so that a killed ingest is begun again.",
    key=("source", "source_file", "modified_at", "size_bytes"),
    columns=(
        Column("source", "STRING", "Name of the adapter in conf/sources"),
        Column(
            "source_file",
            "STRING",
            "The file, as in bronze.raw_events; of a micro-batch of messages topic/partition/first-last, by offset",
        ),
        Column(
            "modified_at", "TIMESTAMP", "The file's modification time; of messages the latest received_at", unit="UTC"
        ),
        Column("size_bytes", "BIGINT", "The file's size; of messages that of their values", unit="bytes"),
        Column("batch_id", "STRING", "The ingest batch that read it"),
        Column("n_rows", "BIGINT", "Rows of the file in bronze.raw_events"),
        Column("n_quarantined", "BIGINT", "Rows of the file in bronze.quarantine"),
        Column(
            "days",
            "ARRAY<STRUCT<day_on: DATE, n_kept: BIGINT, n_quarantined: BIGINT, n_duplicates: BIGINT>>",
            "The file's rows by day: event_on of events, day_on of quarantine; duplicates are among the quarantined",
        ),
        Column(
            "read_by",
            "STRING",
            "What it was read by: a hash of the adapter, shop.zone and shop.currency; where it differs, a file is read again, and a stream of messages refused",
        ),
    ),
    writer="ingest_events",
)

INGESTED_DAYS = Table(
    name="ops.ingested_days",
    grain="One row per source and local day from its first day with an event to its last, and per other day that rows or "
    "failed files name.",
    key=("source", "day_on"),
    columns=(
        Column("source", "STRING", "Name of the adapter in conf/sources"),
        Column("day_on", "DATE", "Local day: event_on of events, day_on of quarantine, the day of a failed file"),
        Column(
            "status",
            "STRING",
            "done: it has events. failed: files of it are not in the lake since a batch failed, or all its rows are in "
            "quarantine. missing: it has no row, but days before and after it have events",
        ),
        Column("n_rows", "BIGINT", "Rows of the day in bronze.raw_events", unit="rows"),
        Column("n_kept", "BIGINT", "Those in silver.events", unit="rows"),
        Column("n_quarantined", "BIGINT", "Those in bronze.quarantine", unit="rows"),
        Column("n_duplicates", "BIGINT", "Of the quarantined, those with reason duplicate", unit="rows"),
        Column(
            "n_files",
            "BIGINT",
            "Files in the lake with rows of the day; of messages micro-batches, by partition",
            unit="files",
        ),
        Column(
            "n_files_failed",
            "BIGINT",
            "Files of the day that the last batch failed to bring: by the day in their names, else of their times",
            unit="files",
        ),
        Column("batch_id", "STRING", "The batch of the latest file with rows of the day", nullable=True),
        Column(
            "fingerprint",
            "STRING",
            "Differs where the day's events may: a hash of the files that brought them and of how they were read; null "
            "without events",
            nullable=True,
        ),
    ),
    writer="ingest_events",
    readers=("flag_anomalies", "check_quality"),
)
