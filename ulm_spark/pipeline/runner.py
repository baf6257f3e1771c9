"""Runs the graph for one day in one Spark session: skips what is done, goes on after a failure."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Protocol, cast

from pyspark.sql import SparkSession

from ulm_spark.config.errors import ConfigError
from ulm_spark.config.load import load
from ulm_spark.contracts.table import Table
from ulm_spark.lake.fingerprint import code_version, config_hash
from ulm_spark.lake.job import BaseConf
from ulm_spark.lake.ledger import is_locked, is_streamed
from ulm_spark.lake.run import input_tables, output_tables
from ulm_spark.lake.run_log import done_runs, slices_written_by_others, was_made_since
from ulm_spark.lake.session import SparkSettings
from ulm_spark.lake.store import Lake, LakeConf
from ulm_spark.pipeline.display import Display


class JobModule(Protocol):
    """A file of jobs/ as the runner sees it."""

    Conf: type[BaseConf]
    run: Callable[[SparkSession, BaseConf, date], None]


@dataclass(frozen=True)
class PipelineConf:
    """Section ``pipeline``. as_of: the day that ``ulm run`` takes where none is given."""

    as_of: date | None = None

    def __post_init__(self) -> None:
        if isinstance(self.as_of, datetime):
            raise ConfigError(f"pipeline.as_of: found {self.as_of}; expected a day without a time. Correct the config.")


@dataclass(frozen=True)
class LakeSections:
    """What a look into the lake needs of the config."""

    lake: LakeConf = field(default_factory=LakeConf)
    spark: SparkSettings = field(default_factory=SparkSettings)


@dataclass(frozen=True)
class RunSections(LakeSections):
    """What a run needs of the config beside what its jobs read themselves."""

    pipeline: PipelineConf = field(default_factory=PipelineConf)


@dataclass(frozen=True)
class PlannedJob:
    """A job with its configuration."""

    name: str
    module: JobModule
    conf: BaseConf


def plan(jobs: Sequence[str], config: Path | None, overrides: Sequence[str]) -> list[PlannedJob]:
    """Every job with its configuration read and checked, before any of them starts."""
    planned = []
    for name in jobs:
        module = load_job(name)
        planned.append(PlannedJob(name, module, load(config, module.Conf, overrides)))
    return planned


def load_job(name: str) -> JobModule:
    """The file jobs/NAME.py. Errors: ConfigError where there is none."""
    try:
        return cast(JobModule, importlib.import_module(f"jobs.{name}"))
    except ModuleNotFoundError as error:
        if error.name not in (f"jobs.{name}", "jobs"):
            raise
        raise ConfigError(
            f"jobs/{name}.py: found no such file; expected the job's file. Is jobs/ installed?"
        ) from error


class Freshness:
    """Tells whether a job's last run still holds: same configuration, code and inputs."""

    def __init__(self, lake: Lake, as_of: date) -> None:
        self._lake = lake
        self._as_of = as_of
        self._done = done_runs(lake, as_of)
        self._by_others = slices_written_by_others(lake, as_of)
        self._versions: dict[str, int] = {}
        self._made: dict[str, float | None] = {}

    def is_done(self, planned: PlannedJob) -> bool:
        """True where running the job again would change nothing."""
        last = self._done.get(planned.name)
        if last is None or is_locked(self._lake, planned.name, self._as_of):
            return False
        if last["config_hash"] != config_hash(planned.conf) or last["code_version"] != code_version():
            return False
        recorded = cast(Mapping[str, str], last["inputs"])
        inputs = input_tables(planned.name, planned.conf)
        if any(was_made_since(self._made_at_s(table), last) for table in (*inputs, *output_tables(planned.name))):
            return False
        if not all(self._holds(table, planned.name, recorded.get(table.name, "")) for table in inputs):
            return False
        external = getattr(planned.module, "external_inputs", None)
        now = external(self._lake.spark, planned.conf) if external is not None else {}
        if {name: recorded.get(name) for name in now} != now:
            return False
        written = cast(Mapping[str, str], last["outputs"])
        return all(self._version(t) >= int(written.get(t.name, 0)) for t in output_tables(planned.name))

    def forget(self, job: str) -> None:
        """Looks anew at what a job has just written."""
        self._done = done_runs(self._lake, self._as_of)
        for table in output_tables(job):
            self._versions.pop(table.name, None)
            self._made.pop(table.name, None)

    def _holds(self, table: Table, job: str, recorded: str) -> bool:
        """True where an input is what it was. Other days' slices count only for a job that looks back."""
        writer = self._done.get(table.writer)
        if table.is_as_of and job not in table.looking_back and writer is not None and recorded:
            written = cast(Mapping[str, str], writer["outputs"])
            return max(int(written.get(table.name, -1)), self._by_others.get(table.name, -1)) <= int(recorded)
        return recorded == str(self._version(table))

    def _made_at_s(self, table: Table) -> float | None:
        if table.name not in self._made:
            self._made[table.name] = self._lake.made_at_s(table)
        return self._made[table.name]

    def _version(self, table: Table) -> int:
        if table.name not in self._versions:
            self._versions[table.name] = self._lake.data_version(table)
        return self._versions[table.name]


def run_jobs(
    lake: Lake,
    planned_jobs: Sequence[PlannedJob],
    as_of: date,
    display: Display,
    *,
    force: bool = False,
    dry_run: bool = False,
) -> None:
    """Runs the jobs in order; a job whose last run still holds is skipped unless force is set.

    A job whose work a stream does just now is left to it.

    With dry_run nothing runs: each job is said to be done, or to be about to run, which also
    holds for every job after one that would run.
    """
    freshness = Freshness(lake, as_of)
    would_run: set[str] = set()
    for planned in planned_jobs:
        if is_streamed(lake, planned.name, as_of):
            display.streamed(planned.name)
            continue
        writers = {table.writer for table in input_tables(planned.name, planned.conf)}
        is_stale = force or bool(writers & would_run)
        if not is_stale and freshness.is_done(planned):
            display.skipped(planned.name)
        elif dry_run:
            would_run.add(planned.name)
            display.would_run(planned.name)
        else:
            with display.running(planned.name, lake.spark):
                planned.module.run(lake.spark, planned.conf, as_of)
            freshness.forget(planned.name)
