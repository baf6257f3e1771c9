"""What a run of a job may do with the lake: its reads at pinned versions, its writes, and what it has to tell."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import cast

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from ulm_spark.config.errors import ContractError, RefusedError
from ulm_spark.contracts.ops import EVERY_JOB
from ulm_spark.contracts.table import Table
from ulm_spark.contracts.tables import TABLES
from ulm_spark.lake import models
from ulm_spark.lake.fingerprint import code_version
from ulm_spark.lake.literal import frame_of
from ulm_spark.lake.models import ModelDir
from ulm_spark.lake.progress import report_progress
from ulm_spark.lake.run_log import RunRecord, last_done, slice_name, was_made_since
from ulm_spark.lake.store import Lake, Written


def input_tables(job: str, conf: object) -> tuple[Table, ...]:
    """The tables that a job of this configuration reads, by their contracts, but for its own and the run log."""
    readable = (t for t in TABLES if job in t.readers and t.writer not in (EVERY_JOB, job))
    return tuple(table for table in readable if not table.read_where or _is_true(conf, table.read_where))


def output_tables(job: str) -> tuple[Table, ...]:
    """The tables that a job writes, by their contracts."""
    return tuple(table for table in TABLES if table.writer == job)


def _is_true(conf: object, setting: str) -> bool:
    section, _, name = setting.partition(".")
    return bool(getattr(getattr(conf, section, None), name, False))


@dataclass
class Run:
    """What a job does with the lake while it runs. Tables outside its contracts are refused."""

    lake: Lake
    job: str
    as_of: date
    run_id: str
    hash_of_conf: str
    pinned: dict[str, int] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    rows_in: int | None = None
    rows_out: int = 0
    rows_quarantined: int = 0
    message: str | None = None
    refuse_lost_locks: Callable[[], None] = lambda: None
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    clock_s: float = field(default_factory=time.monotonic)

    def read(self, table: Table) -> DataFrame:
        """The table at the version pinned when the run began; the job's own and the run log as they are now."""
        if table.writer in (self.job, EVERY_JOB):
            return self.lake.read(table)
        return self.lake.read(table, self.version(table))

    def version(self, table: Table) -> int:
        """The pinned version of an input, -1 where it was never written."""
        if table.name not in self.pinned:
            raise ContractError(
                f"{self.job}: found a read of {table.name}; expected a table whose contract names the job as reader. "
                "Add it to the table's readers."
            )
        return self.pinned[table.name]

    def read_on(self, table: Table) -> None:
        """Pins an input anew, at its latest version; for a run that goes on while the input grows."""
        version = self.lake.version(table)
        self.pinned[table.name] = version
        self.inputs[table.name] = str(self.lake.data_version(table, version))

    def frame_of(self, columns: Table | str, rows: Sequence[Sequence[object]]) -> DataFrame:
        """Rows at hand in the order of a table's columns, or a DDL string's, as a frame."""
        return frame_of(self.lake.spark, columns, rows)

    def active_files(self, table: Table, as_of: date) -> list[str]:
        """The Parquet files that hold the pinned version's rows of one day, sorted, as URIs."""
        day = self.read(table).where(F.col("as_of") == F.lit(as_of))
        return sorted(row[0] for row in day.select("_metadata.file_path").distinct().collect())

    def restate(self, frame: DataFrame, table: Table) -> None:
        """Makes the table equal the frame: inserts, updates what differs, deletes what is gone."""
        self._wrote(table, self.lake.merge(frame, self._own(table), delete_missing=True))

    def restate_part(self, frame: DataFrame, table: Table, part: DataFrame) -> None:
        """Makes some rows of the table, which part holds, equal the frame; the others stay."""
        self._wrote(table, self.lake.merge(frame, self._own(table), delete_missing=True, part=part))

    def changes(self, table: Table) -> DataFrame | None:
        """What changed in an input since the job's last run, as Lake.changes.

        None where the job must compute all of its tables anew: it never ran; it ran with another
        configuration or code, or was killed; a table of its own was made anew since; or the input
        can't tell.
        """
        last = last_done(self.lake, self.job, self.hash_of_conf, code_version())
        if last is None:
            return None
        read, written = cast(Mapping[str, str], last["inputs"]), cast(Mapping[str, str], last["outputs"])
        own = [table for table in output_tables(self.job) if not table.is_as_of]
        if any(table.name not in written or self.lake.version(table) < int(written[table.name]) for table in own):
            return None
        if any(was_made_since(self.lake.made_at_s(one), last) for one in (table, *own)):
            return None
        return self.lake.changes(table, int(read.get(table.name, -1)), self.version(table))

    def merge(self, frame: DataFrame, table: Table) -> None:
        """Upserts by key."""
        self._wrote(table, self.lake.merge(frame, self._own(table), delete_missing=False))

    def replace(self, frame: DataFrame, table: Table) -> None:
        """Replaces the slice of the run's day."""
        self._wrote(table, self.lake.replace_slice(frame, self._own(table), f"as_of = DATE'{self.as_of}'"))

    def rewrite(self, frame: DataFrame, table: Table) -> None:
        """Puts the frame in the place of all that the table holds, in one version; for a table of few rows."""
        self._wrote(table, self.lake.replace_slice(frame, self._own(table), "true"))

    def replace_days(self, frame: DataFrame, table: Table, column: str, days: Sequence[date]) -> None:
        """Replaces the rows of these days by the frame, which has rows of no other day."""
        literals = ", ".join(f"DATE'{day}'" for day in days)
        self._wrote(table, self.lake.replace_slice(frame, self._own(table), f"{column} IN ({literals})"))
        for day in days:
            if day != self.as_of:
                self.outputs[slice_name(table.name, day)] = self.outputs[table.name]

    def append(self, frame: DataFrame, table: Table) -> int:
        """Adds rows, and gives how many; the job itself sees to it that a second run does not add them again."""
        written = self.lake.append(frame, self._own(table))
        self._wrote(table, written)
        return written.n_rows

    def delete(self, table: Table, condition: str) -> None:
        """Deletes the rows that meet a SQL condition."""
        self.lake.delete(self._own(table), condition)
        self.outputs[table.name] = str(self.lake.version(table))

    def begin(self, batch_ids: Sequence[str]) -> None:
        """Writes down, in place of what was written down before, which batches the job is about to write."""
        self.refuse_lost_locks()
        self.lake.files.write_bytes(self._begun_file(), json.dumps(sorted(batch_ids)).encode())

    def begun(self) -> list[str]:
        """The batches of the job's last begin, whichever run that was."""
        written = self.lake.files.read_bytes(self._begun_file()) or b"[]"
        with suppress(ValueError):
            batch_ids = json.loads(written)
            if isinstance(batch_ids, list) and all(isinstance(batch_id, str) for batch_id in batch_ids):
                return batch_ids
        raise RefusedError(
            f"{self._begun_file()}: found {len(written)} bytes that name no batches; expected a list of ids. Restore "
            "the file, or write into it the batch_id of each batch in bronze.raw_events that ops.ingested_files lacks."
        )

    def new_model_dir(self, name: str) -> ModelDir:
        """An empty folder for the model that this run trains."""
        return models.new_model_dir(self.lake.files, name, self.run_id)

    def model_dir(self, relative: str) -> ModelDir:
        """The folder of a stored model."""
        return models.model_dir(self.lake.files, relative)

    def publish(self, directory: ModelDir) -> None:
        """Brings a model's local files to the lake."""
        models.publish(self.lake.files, directory)

    def note_input(self, name: str, fingerprint: str) -> None:
        """Records an input that is no table."""
        self.inputs[name] = fingerprint

    def count_in(self, n_rows: int) -> None:
        """Adds to the rows read."""
        self.rows_in = (self.rows_in or 0) + n_rows

    def count_quarantined(self, n_rows: int) -> None:
        """Adds to the rows sent to quarantine."""
        self.rows_quarantined += n_rows

    def note(self, text: str) -> None:
        """Says, and adds to what ops.runs keeps of the run, why it has less to show than one expects."""
        self.message = "; ".join(filter(None, (self.message, text)))
        report_progress(text)

    def progress(self, text: str) -> None:
        """Says how far the run is."""
        report_progress(text)

    def record(self, status: str) -> RunRecord:
        """How the run ended, as ops.runs keeps it."""
        return RunRecord(
            run_id=self.run_id,
            job=self.job,
            as_of=self.as_of,
            status=status,
            started_at=self.started_at,
            seconds=round(time.monotonic() - self.clock_s, 3),
            config_hash=self.hash_of_conf,
            code_version=code_version(),
            inputs=self.inputs,
            outputs=self.outputs,
            rows_in=self.rows_in,
            rows_out=self.rows_out,
            rows_quarantined=self.rows_quarantined,
            message=self.message,
        )

    def _begun_file(self) -> str:
        return f"_begun/{self.job}.json"

    def _own(self, table: Table) -> Table:
        if table.writer != self.job:
            raise ContractError(
                f"{self.job}: found a write to {table.name}; expected its one writer, {table.writer}. "
                "Write a table of the job's own."
            )
        self.refuse_lost_locks()
        return table

    def _wrote(self, table: Table, written: Written) -> None:
        self.outputs[table.name] = str(written.version)
        self.rows_out += written.n_rows
