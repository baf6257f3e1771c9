"""The rows of ops.runs: how each run of a job ended."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from datetime import UTC, date, datetime
from typing import cast

from pyspark.errors import PySparkException
from pyspark.sql import Column
from pyspark.sql import functions as F

from ulm_spark.contracts.ops import RUNS
from ulm_spark.lake.literal import frame_of
from ulm_spark.lake.lock import Holder
from ulm_spark.lake.store import Lake

_MOST_RUNS = 20


@dataclass(frozen=True)
class RunRecord:
    """One row of ops.runs, its fields in the contract's order."""

    run_id: str
    job: str
    as_of: date
    status: str
    started_at: datetime
    seconds: float
    config_hash: str = ""
    code_version: str = ""
    inputs: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    rows_in: int | None = None
    rows_out: int = 0
    rows_quarantined: int = 0
    message: str | None = None


def killed(holder: Holder) -> RunRecord:
    """What a dead run's lock tells of it: its seconds last to its last sign of life."""
    return RunRecord(
        run_id=holder.run_id,
        job=holder.job,
        as_of=date.fromisoformat(holder.as_of),
        status="killed",
        started_at=datetime.fromtimestamp(holder.taken_at_s, UTC),
        seconds=round(holder.beaten_at_s - holder.taken_at_s, 3),
        message="Its process was gone while its lock was held.",
    )


def describe_failure(error: BaseException) -> str:
    """What ops.runs says of an error: of Spark's only which it is, since their texts quote values of rows."""
    name = type(error).__name__
    if isinstance(error, PySparkException):
        return f"{name}: {error.getCondition() or 'without a condition'}"
    return f"{name}: {str(error).splitlines()[0] if str(error) else ''}"[:500]


def record_runs(lake: Lake, records: Sequence[RunRecord]) -> None:
    """Appends to ops.runs; nothing where there is no record."""
    if records:
        lake.append(frame_of(lake.spark, RUNS, [astuple(record) for record in records]), RUNS)


def last_done(lake: Lake, job: str, hash_of_conf: str, code: str) -> dict[str, object] | None:
    """The job's last finished run, for whatever day, where its tables are still as it or one like it left them.

    Out:  plain values by column of ops.runs. None where a run since then, or that run itself, had
          another configuration or code, or is not known to have had the same because it was killed.
    """
    runs = lake.read(RUNS).where(F.col("job") == job).orderBy(_ended_us().desc(), "run_id")
    for row in runs.limit(_MOST_RUNS).collect():
        if (row["config_hash"], row["code_version"]) != (hash_of_conf, code):
            return None
        if row["status"] == "done":
            return row.asDict()
    return None


def was_made_since(made_at_s: float | None, run: Mapping[str, object]) -> bool:
    """True where a table was deleted and made anew after a run ended: its versions are not those that the run saw.

    made_at_s: as Lake.made_at_s has it. run: plain values by column of ops.runs.
    """
    began = cast(datetime, run["started_at"])  # in this machine's zone, as Spark gives timestamps to Python
    return made_at_s is not None and made_at_s > began.timestamp() + cast(float, run["seconds"])


def done_runs(lake: Lake, as_of: date) -> dict[str, dict[str, object]]:
    """The run of each job that ended last for a day, as plain values by column of ops.runs, where it was done.

    A job whose last run failed or was killed is absent: that run may have written some of its tables.
    """
    last: dict[str, dict[str, object]] = {}
    for row in lake.read(RUNS).where(F.col("as_of") == F.lit(as_of)).orderBy(_ended_us(), "run_id").collect():
        last[row["job"]] = row.asDict()
    return {job: run for job, run in last.items() if run["status"] == "done"}


def slice_name(table: str, day: date) -> str:
    """Under which name ops.runs.outputs has a slice that a run of another day wrote."""
    return f"{table}@{day}"


def slices_written_by_others(lake: Lake, day: date) -> dict[str, int]:
    """Of each table whose slice of the day a run of another day wrote, the version in which the last of them did."""
    end = slice_name("", day)
    written = lake.read(RUNS).select(F.explode("outputs").alias("name", "version")).where(F.col("name").endswith(end))
    last = written.groupBy("name").agg(F.max(F.col("version").cast("bigint")).alias("version"))
    return {row["name"].removesuffix(end): row["version"] for row in last.collect()}


def _ended_us() -> Column:
    return F.unix_micros("started_at") + F.col("seconds") * 1_000_000
