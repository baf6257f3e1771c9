"""One run of a job from its beginning to its end: its locks, its pinned inputs, its tables, its row in ops.runs."""

import logging
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Protocol

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from ulm_spark.contracts.ops import RUNS
from ulm_spark.contracts.table import Table
from ulm_spark.contracts.tables import BY_NAME
from ulm_spark.lake.fingerprint import config_hash
from ulm_spark.lake.lock import Holder, held_locks, live_holder, lock_name
from ulm_spark.lake.run import Run, input_tables, output_tables
from ulm_spark.lake.run_log import describe_failure, killed, record_runs
from ulm_spark.lake.store import Lake, LakeConf

_LOG = logging.getLogger("ulm")


class JobConf(Protocol):
    """What every job's Conf has."""

    @property
    def lake(self) -> LakeConf:
        """Where the lake is."""
        ...


@contextmanager
def open_run(spark: SparkSession, conf: JobConf, job: str, as_of: date, *, is_stream: bool = False) -> Iterator[Run]:
    """Holds the job's locks, pins its inputs, makes its tables, and records how it ended.

    is_stream: true where a stream does the job's work; is_streamed tells it to others meanwhile.
    Errors: LockedError where a run that lives writes the same tables for the same day.
    """
    lake = Lake(spark, conf.lake)
    run_id = uuid.uuid4().hex[:16]
    outputs = output_tables(job)

    def bury(dead_runs: Sequence[Holder]) -> None:
        lake.create(RUNS)
        record_runs(lake, [killed(holder) for holder in dead_runs])

    with held_locks(lake.files, outputs, job, as_of, run_id, conf.lake.lock_expiry_s, bury, is_stream) as locks:
        run = Run(lake, job, as_of, run_id, config_hash(conf), refuse_lost_locks=locks.refuse_lost)
        lake.create(RUNS)
        try:
            for table in outputs:
                lake.create(table)
            for table in input_tables(job, conf):
                run.read_on(table)
            yield run
            locks.refuse_lost()
            _record_done(run)
        except BaseException as error:
            if not _record_failure(run, error):
                locks.leave()  # whoever finds them records the run
            raise


def _record_done(run: Run) -> None:
    if run.rows_in is None:
        run.rows_in = sum(_rows_of_day(run, BY_NAME[name]) for name in run.pinned)
    for table in output_tables(run.job):
        if not table.is_as_of:  # also where nothing was written: by it one sees whether the table was made anew
            run.outputs.setdefault(table.name, str(run.lake.data_version(table)))
    record_runs(run.lake, [run.record("done")])


def _record_failure(run: Run, error: BaseException) -> bool:
    """Records the run; False where that can't be done."""
    run.message = describe_failure(error)
    try:
        record_runs(run.lake, [run.record("failed")])
        return True
    except Exception as second:  # the lake or Spark is gone: what the caller must see is the first error
        _LOG.warning("%s: its failure could not be written to ops.runs: %s", run.job, type(second).__name__)
        return False


def _rows_of_day(run: Run, table: Table) -> int:
    """Rows that a run had before it, counted from Delta's own statistics: of its day where the table has days."""
    frame = run.read(table)
    return (frame.where(F.col("as_of") == F.lit(run.as_of)) if table.is_as_of else frame).count()


def is_locked(lake: Lake, job: str, as_of: date) -> bool:
    """True where a run of the job holds a lock, or one that was killed has left it."""
    return any(lake.files.read_bytes(lock_name(table, as_of)) is not None for table in output_tables(job))


def is_streamed(lake: Lake, job: str, as_of: date) -> bool:
    """True while a stream does the job's work."""
    names = (lock_name(table, as_of) for table in output_tables(job))
    holders = (live_holder(lake.files, name, lake.conf.lock_expiry_s) for name in names)
    return any(holder is not None and holder.is_stream for holder in holders)
