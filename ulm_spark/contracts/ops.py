"""Ops: runs, trained models and reports."""

from ulm_spark.contracts.gold import AS_OF
from ulm_spark.contracts.table import Column, Table

EVERY_JOB = "every job"

RUNS = Table(
    name="ops.runs",
    grain="One row per run of a job that ended; a run that was killed is written by the one that finds its lock.",
    key=("run_id",),
    columns=(
        Column("run_id", "STRING", "Random id of the run"),
        Column("job", "STRING", "The job"),
        Column("as_of", "DATE", "The day it ran for"),
        Column("status", "STRING", "done, failed or killed"),
        Column("started_at", "TIMESTAMP", "When it took its lock", unit="UTC"),
        Column("seconds", "DOUBLE", "Wall time; of a killed run, to its last sign of life", unit="s"),
        Column("config_hash", "STRING", "Hash of the job's whole configuration"),
        Column("code_version", "STRING", "Version of ulm_spark, with a hash of its source"),
        Column("inputs", "MAP<STRING,STRING>", "Version of each table read, fingerprint of anything else read"),
        Column(
            "outputs",
            "MAP<STRING,STRING>",
            "Version of each table written; table@day also names a slice of another day that the run wrote",
        ),
        Column(
            "rows_in",
            "BIGINT",
            "Rows received, else rows of the tables read, of the day where a table has days",
            nullable=True,
            unit="rows",
        ),
        Column("rows_out", "BIGINT", "Rows written, all tables together", unit="rows"),
        Column("rows_quarantined", "BIGINT", "Rows sent to quarantine", unit="rows"),
        Column(
            "message",
            "STRING",
            "The error of a failed run; why a finished one has less to show than one expects",
            nullable=True,
        ),
    ),
    writer=EVERY_JOB,
    readers=("build_report",),
)

JUDGED_DAYS = Table(
    name="ops.judged_days",
    grain="One row per local day whose events were judged; written after silver.event_anomalies has the day.",
    key=("day_on",),
    columns=(
        Column("day_on", "DATE", "Local day in the shop's zone"),
        Column(
            "fingerprint",
            "STRING",
            "What it was judged by: a hash of section anomalies and of the day's fingerprints in ops.ingested_days; where it differs, the day is judged again",
        ),
    ),
    writer="flag_anomalies",
)

QUALITY_CHECKS = Table(
    name="ops.quality_checks",
    grain="One row per source with an event by the day, and check of the local day as_of.",
    key=("as_of", "source", "check_name"),
    columns=(
        AS_OF,
        Column("source", "STRING", "Name of the adapter in conf/sources"),
        Column("check_name", "STRING", "What was checked, such as null_share.user_id or min_volume_ratio"),
        Column("value", "DOUBLE", "What was measured; null where there was nothing to measure", nullable=True),
        Column(
            "threshold", "DOUBLE", "The least value that passes where check_name begins with min_, else the largest"
        ),
        Column("has_passed", "BOOLEAN", "True where value is within the threshold, or null"),
        Column("severity", "STRING", "stop where a failure ends the job, else warn"),
        Column("n_rows", "BIGINT", "The source's rows of the day, by ops.ingested_days", unit="rows"),
    ),
    partition_by=("as_of",),
    writer="check_quality",
)


def _model_table(
    name: str, meaning: str, writer: str, readers: tuple[str, ...], looking_back: tuple[str, ...] = ()
) -> Table:
    return Table(
        name=f"ops.{name}_models",
        grain=f"One row per day of as_of: {meaning}.",
        key=("as_of",),
        columns=(
            AS_OF,
            Column("run_id", "STRING", "The run that trained it"),
            Column("path", "STRING", "Folder of the saved model, relative to the lake's root"),
            Column("n_rows", "BIGINT", "Rows it was trained on", unit="rows"),
            Column("settings", "STRING", "Settings of the training, as JSON"),
            Column("snapshot", "STRING", "What it was trained on: tables, versions, files, split, as JSON"),
            Column("metrics", "MAP<STRING,DOUBLE>", "What training measured"),
        ),
        partition_by=("as_of",),
        writer=writer,
        readers=readers,
        looking_back=looking_back,
    )


SEGMENT_MODELS = _model_table("segment", "the pipeline that made the segments", "segment_users", ("build_report",))
PERSONA_MODELS = _model_table("persona", "the encoding of personas, on days that fitted one", "describe_users", ())
STAGE_MODELS = _model_table(
    "stage", "the hidden Markov model that tells stages of life", "stage_users", ("build_report",)
)
CHURN_MODELS = _model_table(
    "churn",
    "the boosted trees that score churn",
    "train_churn",
    readers=("score_churn", "build_report"),
    looking_back=("score_churn",),
)
ALS_MODELS = _model_table("als", "the factors that recommend items", "train_als", ("recommend_items", "build_report"))
SEQUENCE_MODELS = _model_table(
    "sequence",
    "the network that names the next item",
    "train_sequence",
    ("recommend_next_items", "embed_users", "build_report"),
)

REPORTS = Table(
    name="ops.reports",
    grain="One row per day of as_of: the page made for it.",
    key=("as_of",),
    columns=(
        AS_OF,
        Column("path", "STRING", "The HTML file, relative to the lake's root"),
        Column("size_bytes", "BIGINT", "Its size", unit="bytes"),
    ),
    partition_by=("as_of",),
    writer="build_report",
)

MAINTENANCE = Table(
    name="ops.maintenance",
    grain="One row per day of as_of and table of the lake: how its files lay after maintenance.",
    key=("as_of", "table_name"),
    columns=(
        AS_OF,
        Column("table_name", "STRING", "The table"),
        Column("version", "BIGINT", "Its version afterwards"),
        Column("n_files_before", "BIGINT", "Active data files before", unit="files"),
        Column("n_files", "BIGINT", "Active data files afterwards", unit="files"),
        Column("size_bytes", "BIGINT", "Size of the active data files", unit="bytes"),
        Column("is_vacuumed", "BOOLEAN", "True where files out of reach were deleted"),
    ),
    partition_by=("as_of",),
    writer="maintain_lake",
)
