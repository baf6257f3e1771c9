"""What runs, what is skipped, and what is begun again."""

import io
from dataclasses import dataclass, replace
from datetime import date
from types import SimpleNamespace
from typing import cast

import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from tests.frames import rows_of
from ulm_spark.contracts.features import USER_FEATURES
from ulm_spark.contracts.gold import FUNNEL, MODEL_QUALITY, USER_SEGMENTS
from ulm_spark.contracts.silver import SESSIONS
from ulm_spark.lake.job import BaseConf
from ulm_spark.lake.ledger import open_run
from ulm_spark.lake.lock import lock_name
from ulm_spark.lake.store import Lake, LakeConf
from ulm_spark.pipeline.display import Display
from ulm_spark.pipeline.runner import JobModule, PlannedJob, run_jobs

DAY, NEXT = date(2024, 1, 1), date(2024, 1, 2)


@dataclass(frozen=True)
class Conf(BaseConf):
    """A job's configuration; fails where the test wants a failure."""

    gap_s: int = 1
    fails: bool = False
    backfills: bool = False


class Shop:
    """Two jobs, the second reading what the first writes, and a place to run them in."""

    def __init__(
        self, spark: SparkSession, lake_conf: LakeConf, tables: tuple[str, ...] = ("sessionize", "build_metrics")
    ) -> None:
        self.lake = Lake(spark, lake_conf)
        self.conf = Conf(lake=lake_conf)
        self.jobs = tables
        self.files = "one"

    def run(self, day: date = DAY, *, force: bool = False, dry_run: bool = False, **changes: int | bool) -> list[str]:
        """Runs both; gives one word a job: ran, skipped or would."""
        console = Console(record=True, width=120, file=io.StringIO())
        planned = [PlannedJob(job, self.module(job), replace(self.conf, **changes)) for job in self.jobs]  # type: ignore[arg-type]
        try:
            run_jobs(self.lake, planned, day, Display(len(planned), console), force=force, dry_run=dry_run)
        finally:
            said = console.export_text()
        words = {"done in": "ran", "already done": "skipped", "would run": "would", "left to": "left"}
        return [w for line in said.splitlines() for text, w in words.items() if text in line]

    def module(self, job: str) -> JobModule:
        def run(spark: SparkSession, conf: BaseConf, as_of: date) -> None:
            with open_run(spark, conf, job, as_of) as ledger:
                if job == "sessionize":
                    ledger.note_input("files", self.files)
                    ledger.restate(rows_of(spark, SESSIONS, [{"session_id": self.files}]), SESSIONS)
                for table in {
                    "build_metrics": [FUNNEL],
                    "build_user_features": [USER_FEATURES],
                    "segment_users": [USER_SEGMENTS],
                    "evaluate_models": [MODEL_QUALITY],
                }.get(job, []):
                    ledger.replace(rows_of(spark, table, [{"as_of": as_of}]), table)
                if getattr(conf, "backfills", False):
                    days = [DAY, as_of]
                    slices = rows_of(spark, USER_FEATURES, [{"as_of": day} for day in days])
                    ledger.replace_days(slices, USER_FEATURES, "as_of", days)
                if getattr(conf, "fails", False):
                    raise ZeroDivisionError

        module = SimpleNamespace(Conf=Conf, run=run)
        if job == "sessionize":
            module.external_inputs = lambda spark, conf: {"files": self.files}
        return cast(JobModule, module)


@pytest.fixture
def shop(spark: SparkSession, lake_conf: LakeConf) -> Shop:
    return Shop(spark, lake_conf)


def test_what_is_done_is_skipped_until_something_changes(shop: Shop) -> None:
    assert shop.run(dry_run=True) == ["would", "would"]
    assert shop.run() == ["ran", "ran"]
    assert shop.run() == ["skipped", "skipped"]
    assert shop.run(force=True) == ["ran", "ran"]
    assert shop.run(gap_s=2) == ["ran", "ran"]
    shop.files = "two"
    assert shop.run(gap_s=2, dry_run=True) == ["would", "would"]
    assert shop.run(gap_s=2) == ["ran", "ran"]


def test_a_slice_that_a_later_days_run_filled_in_is_read_again(spark: SparkSession, lake_conf: LakeConf) -> None:
    shop = Shop(spark, lake_conf, ("build_user_features", "segment_users"))
    shop.run()
    shop.run(NEXT)
    assert shop.run() == ["skipped", "skipped"]
    shop.jobs = ("build_user_features",)
    assert shop.run(NEXT, backfills=True) == ["ran"]
    shop.jobs = ("build_user_features", "segment_users")
    assert shop.run() == ["skipped", "ran"]
    assert shop.run() == ["skipped", "skipped"]


def test_a_job_whose_last_run_failed_is_run_again(shop: Shop) -> None:
    shop.run()
    with pytest.raises(ZeroDivisionError):
        shop.run(force=True, fails=True)
    assert shop.run()[0] == "ran"


def test_a_table_made_anew_is_not_taken_for_what_it_was_though_its_version_is_the_same(shop: Shop) -> None:
    shop.run()
    before = shop.lake.version(SESSIONS)
    shop.lake.files.delete("silver/sessions")
    shop.lake.spark.sparkContext._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()  # type: ignore[union-attr]
    shop.lake.create(SESSIONS)
    shop.lake.append(rows_of(shop.lake.spark, SESSIONS, [{"session_id": "another"}]), SESSIONS)
    assert shop.lake.version(SESSIONS) == before
    assert shop.run() == ["ran", "ran"]


def test_a_job_that_was_killed_is_run_again(shop: Shop) -> None:
    shop.run()
    dead = (
        b'{"run_id": "old", "job": "sessionize", "as_of": "2024-01-01", "host": "elsewhere", "pid": 1,'
        b' "process_start": "1", "taken_at_s": 100.0, "beaten_at_s": 130.0}'
    )
    shop.lake.files.write_bytes(lock_name(SESSIONS, DAY), dead)
    assert shop.run()[0] == "ran"


def test_a_run_of_another_day_leaves_a_day_done(spark: SparkSession, lake_conf: LakeConf) -> None:
    shop = Shop(spark, lake_conf, ("build_user_features", "segment_users"))
    assert shop.run(DAY) == ["ran", "ran"]
    assert shop.run(NEXT) == ["ran", "ran"]
    assert shop.run(DAY) == ["skipped", "skipped"]


def test_a_job_that_looks_back_runs_again_when_an_earlier_day_changed(spark: SparkSession, lake_conf: LakeConf) -> None:
    shop = Shop(spark, lake_conf, ("evaluate_models", "build_report"))
    assert shop.run(NEXT) == ["ran", "ran"]
    assert shop.run(DAY) == ["ran", "ran"]
    assert shop.run(NEXT) == ["skipped", "ran"]


def test_a_job_whose_work_a_stream_does_is_left_to_it(shop: Shop) -> None:
    with open_run(shop.lake.spark, shop.conf, "sessionize", DAY, is_stream=True):
        assert shop.run(force=True) == ["left", "ran"]
    assert shop.run() == ["ran", "ran"]
