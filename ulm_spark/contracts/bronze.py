"""Bronze: what arrived, to the row. raw_events = events kept + quarantine, always."""

from ulm_spark.contracts.table import Column, Table

LINEAGE = (
    Column("batch_id", "STRING", "The ingest batch that brought the row; a hash of the files it read"),
    Column("source", "STRING", "Name of the adapter in conf/sources"),
    Column(
        "source_file",
        "STRING",
        "The file that held the row, relative to the source's folder where it is below it",
    ),
    Column(
        "source_line",
        "BIGINT",
        "Line of the row in its file; the first line of a file is 1, a header included",
    ),
    Column(
        "received_at",
        "TIMESTAMP",
        "When the lake learned it: the source's own column, else the file's time",
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
    partition_by=("batch_id",),
    writer="ingest_events",
)

QUARANTINE = Table(
    name="bronze.quarantine",
    grain="One row per received row that did not become an event, with the reason.",
    key=("batch_id", "source_file", "source_line"),
    columns=(
        *LINEAGE,
        Column("reason", "STRING", "The first rule that the row broke, such as duplicate or bad_event_at"),
        Column("detail", "STRING", "What the rule expected, in words; names columns, never values"),
        Column("line", "STRING", "The row's text as in bronze.raw_events"),
    ),
    partition_by=("batch_id",),
    writer="ingest_events",
    readers=("build_metrics",),
)

INGESTED_FILES = Table(
    name="ops.ingested_files",
    grain="One row per source file whose rows are all in the lake; written last, so that a killed ingest is begun again.",
    key=("source", "source_file", "modified_at", "size_bytes"),
    columns=(
        Column("source", "STRING", "Name of the adapter in conf/sources"),
        Column("source_file", "STRING", "The file, as in bronze.raw_events"),
        Column("modified_at", "TIMESTAMP", "The file's modification time", unit="UTC"),
        Column("size_bytes", "BIGINT", "The file's size", unit="bytes"),
        Column("batch_id", "STRING", "The ingest batch that read it"),
        Column("n_rows", "BIGINT", "Rows of the file in bronze.raw_events"),
        Column("n_quarantined", "BIGINT", "Rows of the file in bronze.quarantine"),
        Column(
            "read_by",
            "STRING",
            "What it was read by: a hash of the adapter, shop.zone and shop.currency; where it differs, the file is read again",
        ),
    ),
    writer="ingest_events",
)
