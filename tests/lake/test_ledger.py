"""A run's reads, writes and record, on real Delta tables."""

import json
import time
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.testing import assertDataFrameEqual

from tests.frames import rows_of
from ulm_spark.config.errors import ContractError, LockedError, RefusedError
from ulm_spark.contracts.gold import FUNNEL
from ulm_spark.contracts.ops import RUNS
from ulm_spark.contracts.silver import EVENTS, ORDER_LINES, ORDERS, SESSIONS
from ulm_spark.lake.ledger import open_run
from ulm_spark.lake.lock import lock_name
from ulm_spark.lake.run import Run
from ulm_spark.lake.run_log import done_runs
from ulm_spark.lake.store import Lake, LakeConf

DAY, NEXT = date(2020, 1, 1), date(2020, 1, 2)


@dataclass(frozen=True)
class Conf:
    lake: LakeConf
    numbers: tuple[int, ...] = field(default=(1, 2))


def test_restate_inserts_updates_and_deletes_and_a_row_that_moves_day_stays_one(
    spark: SparkSession, lake_conf: LakeConf
) -> None:
    conf = Conf(lake_conf)
    second = [{"session_id": "a", "n_events": 2}, {"session_id": "c", "n_events": 1}]
    with open_run(spark, conf, "sessionize", DAY) as run:
        run.restate(rows_of(spark, SESSIONS, [{"session_id": "a", "n_events": 1}, {"session_id": "b"}]), SESSIONS)
        run.restate(rows_of(spark, SESSIONS, second), SESSIONS)
        assertDataFrameEqual(run.read(SESSIONS), rows_of(spark, SESSIONS, second))
        moved = rows_of(spark, SESSIONS, [{**second[0], "session_on": NEXT}, second[1]])
        run.restate_part(moved, SESSIONS, run.read(SESSIONS))  # by the new day alone the old row would not be found
        assertDataFrameEqual(run.read(SESSIONS), moved)


def test_a_restate_that_changes_nothing_makes_no_version(spark: SparkSession, lake_conf: LakeConf) -> None:
    rows = rows_of(spark, SESSIONS, [{"session_id": "a", "channel": None, "is_bounce": True}, {"session_id": "b"}])
    with open_run(spark, Conf(lake_conf), "sessionize", DAY) as run:
        run.restate(rows, SESSIONS)
        before = run.outputs[SESSIONS.name]
        run.restate(rows.orderBy(F.desc("session_id")), SESSIONS)
        assert run.outputs[SESSIONS.name] == before == str(run.lake.version(SESSIONS))
        assert run.rows_out == 2


def test_a_restate_rewrites_only_the_files_that_hold_a_change(spark: SparkSession, lake_conf: LakeConf) -> None:
    with open_run(spark, Conf(lake_conf), "sessionize", DAY) as run:
        for name in ("a", "b", "c"):  # a file each
            run.append(rows_of(spark, SESSIONS, [{"session_id": name}]), SESSIONS)
        before = set(run.lake.read(SESSIONS).inputFiles())
        changed = [{"session_id": "a"}, {"session_id": "b", "n_events": 7}, {"session_id": "c"}]
        run.restate(rows_of(spark, SESSIONS, changed), SESSIONS)
        assert len(before & set(run.lake.read(SESSIONS).inputFiles())) == 2
        assertDataFrameEqual(run.read(SESSIONS), rows_of(spark, SESSIONS, changed))


def test_a_merge_keeps_what_the_frame_lacks(spark: SparkSession, lake_conf: LakeConf) -> None:
    with open_run(spark, Conf(lake_conf), "sessionize", DAY) as run:
        run.merge(rows_of(spark, SESSIONS, [{"session_id": "a"}, {"session_id": "b"}]), SESSIONS)
        run.merge(rows_of(spark, SESSIONS, [{"session_id": "b", "n_events": 3}, {"session_id": "c"}]), SESSIONS)
        merged = [{"session_id": "a"}, {"session_id": "b", "n_events": 3}, {"session_id": "c"}]
        assertDataFrameEqual(run.read(SESSIONS), rows_of(spark, SESSIONS, merged))
        assert run.rows_out == 4


def test_replace_touches_the_runs_day_alone(spark: SparkSession, lake_conf: LakeConf) -> None:
    conf = Conf(lake_conf)
    for day, step in ((DAY, 1), (NEXT, 2), (DAY, 3)):
        with open_run(spark, conf, "build_metrics", day) as run:
            run.replace(rows_of(spark, FUNNEL, [{"as_of": day, "step": step}]), FUNNEL)
    kept = rows_of(spark, FUNNEL, [{"as_of": DAY, "step": 3}, {"as_of": NEXT, "step": 2}])
    assertDataFrameEqual(Lake(spark, lake_conf).read(FUNNEL), kept)


def test_an_input_is_read_at_the_version_pinned_when_the_run_began(spark: SparkSession, lake_conf: LakeConf) -> None:
    lake = Lake(spark, lake_conf)
    lake.create(SESSIONS)
    with open_run(spark, Conf(lake_conf), "build_metrics", DAY) as run:
        lake.append(rows_of(spark, SESSIONS, [{"session_id": "late"}]), SESSIONS)
        assert run.read(SESSIONS).count() == 0
        assert run.read(EVENTS).count() == 0  # never written: empty, by the contract's columns
        assert run.inputs[SESSIONS.name] == "0"
    assert lake.read(SESSIONS).count() == 1


def test_tables_outside_the_jobs_contracts_are_refused(spark: SparkSession, lake_conf: LakeConf) -> None:
    with open_run(spark, Conf(lake_conf), "sessionize", DAY) as run:
        with pytest.raises(ContractError, match="reader"):
            run.read(ORDERS)
        with pytest.raises(ContractError, match="one writer"):
            run.restate(rows_of(spark, ORDERS, []), ORDERS)


def test_a_frame_that_differs_from_the_contract_is_refused_before_it_is_written(
    spark: SparkSession, lake_conf: LakeConf
) -> None:
    frame = rows_of(spark, FUNNEL, [{"as_of": DAY, "step": 1}])
    with open_run(spark, Conf(lake_conf), "build_metrics", DAY) as run:
        for wrong, named in (
            (frame.drop("step_name"), "missing: step_name"),
            (frame.withColumn("extra", F.lit(1)), "not in the contract: extra"),
            (frame.withColumn("step", F.lit("1")), "other type: step is string"),
            (frame.select(*reversed(FUNNEL.column_names)), "order of columns"),
        ):
            with pytest.raises(ContractError, match=named):
                run.replace(wrong, FUNNEL)
        assert run.read(FUNNEL).count() == 0


def test_a_run_is_recorded_with_what_it_read_and_wrote(spark: SparkSession, lake_conf: LakeConf) -> None:
    conf = Conf(lake_conf)
    with open_run(spark, conf, "sessionize", DAY) as run:
        run.count_in(5)
        run.count_quarantined(2)
        run.note_input("files", "abc")
        run.restate(rows_of(spark, SESSIONS, [{"session_id": "a"}, {"session_id": "b"}]), SESSIONS)
    recorded = done_runs(Lake(spark, lake_conf), DAY)["sessionize"]
    assert (recorded["rows_in"], recorded["rows_out"], recorded["rows_quarantined"]) == (5, 2, 2)
    assert recorded["inputs"] == {"silver.events": "-1", "files": "abc"}
    assert recorded["outputs"] == {"silver.sessions": "1"}
    assert done_runs(Lake(spark, lake_conf), NEXT) == {}


@pytest.mark.parametrize("written", [b'["abc', b'{"a": 1}', b"[1]"])
def test_a_damaged_note_of_what_was_begun_is_refused_with_words(
    spark: SparkSession, lake_conf: LakeConf, written: bytes
) -> None:
    run = Run(Lake(spark, lake_conf), "ingest_events", DAY, "r1", "")
    assert run.begun() == []
    run.begin(["b2", "b1"])
    assert run.begun() == ["b1", "b2"]
    run.lake.files.write_bytes("_begun/ingest_events.json", written)
    with pytest.raises(RefusedError, match=r"_begun/ingest_events\.json: found .* no batches; expected a list"):
        run.begun()


def test_a_failed_run_is_recorded_and_its_error_goes_on(spark: SparkSession, lake_conf: LakeConf) -> None:
    with pytest.raises(ZeroDivisionError), open_run(spark, Conf(lake_conf), "sessionize", DAY):
        raise ZeroDivisionError("no way")
    runs = Lake(spark, lake_conf).read(RUNS).select("job", "status", "message").collect()
    assert [tuple(row) for row in runs] == [("sessionize", "failed", "ZeroDivisionError: no way")]


def test_a_run_that_fails_before_it_reads_is_recorded(
    spark: SparkSession, lake_conf: LakeConf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("storage is gone")

    monkeypatch.setattr("ulm_spark.lake.run.Run.read_on", fail)
    with pytest.raises(OSError, match="storage is gone"), open_run(spark, Conf(lake_conf), "sessionize", DAY):
        pass
    assert [row["status"] for row in Lake(spark, lake_conf).read(RUNS).collect()] == ["failed"]


def test_a_run_that_lost_its_lock_is_recorded_as_failed(spark: SparkSession, lake_conf: LakeConf) -> None:
    lake = Lake(spark, lake_conf)
    with pytest.raises(LockedError, match="lost to another run"):  # noqa: SIM117
        with open_run(spark, Conf(lake_conf), "sessionize", DAY):
            lake.files.delete(lock_name(SESSIONS, DAY))
    assert [row["status"] for row in lake.read(RUNS).collect()] == ["failed"]


def test_a_run_that_lost_its_lock_writes_nothing_more_and_stands_after_the_other(
    spark: SparkSession, lake_conf: LakeConf
) -> None:
    lake, rows = Lake(spark, lake_conf), rows_of(spark, SESSIONS, [{"session_id": "late"}])
    with pytest.raises(LockedError), open_run(spark, Conf(lake_conf), "sessionize", DAY) as slow:  # noqa: PT012
        lake.files.delete(lock_name(SESSIONS, DAY))
        with open_run(spark, Conf(lake_conf), "sessionize", DAY):
            pass
        slow.restate(rows, SESSIONS)
    assert lake.read(SESSIONS).count() == 0
    assert done_runs(lake, DAY) == {}  # the slow one began first, and failed last


def test_a_failure_that_cannot_be_recorded_is_still_the_one_that_is_raised(
    spark: SparkSession, lake_conf: LakeConf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space left")

    with pytest.raises(ZeroDivisionError), open_run(spark, Conf(lake_conf), "sessionize", DAY):  # noqa: PT012
        monkeypatch.setattr("ulm_spark.lake.ledger.record_runs", fail)
        raise ZeroDivisionError


def test_what_spark_says_of_a_row_is_not_kept(spark: SparkSession, lake_conf: LakeConf) -> None:
    with pytest.raises(PySparkException), open_run(spark, Conf(lake_conf), "sessionize", DAY):
        spark.sql("select cast('secret' as int)").collect()
    (message,) = (row["message"] for row in Lake(spark, lake_conf).read(RUNS).collect())
    assert message.endswith("CAST_INVALID_INPUT")
    assert "secret" not in message


def test_a_frame_with_one_key_twice_is_refused(spark: SparkSession, lake_conf: LakeConf) -> None:
    kept = [{"session_id": "a", "n_events": 1}]
    with open_run(spark, Conf(lake_conf), "sessionize", DAY) as run:
        run.restate(rows_of(spark, SESSIONS, kept), SESSIONS)
        with pytest.raises(ContractError, match="2 rows of one key"):
            run.restate(rows_of(spark, SESSIONS, [*kept, {"session_id": "a", "n_events": 2}]), SESSIONS)
        assertDataFrameEqual(run.read(SESSIONS), rows_of(spark, SESSIONS, kept))


def test_the_run_that_finds_a_dead_lock_records_the_killed_one(spark: SparkSession, lake_conf: LakeConf) -> None:
    lake = Lake(spark, lake_conf)
    dead = (
        b'{"run_id": "old", "job": "sessionize", "as_of": "2020-01-01", "host": "elsewhere", "pid": 1,'
        b' "process_start": "1", "taken_at_s": 100.0, "beaten_at_s": 130.0}'
    )
    lake.files.write_bytes(lock_name(SESSIONS, DAY), dead)
    with open_run(spark, Conf(lake_conf), "sessionize", DAY):
        pass
    killed = lake.read(RUNS).where("status = 'killed'").select("run_id", "seconds").collect()
    assert [tuple(row) for row in killed] == [("old", 30.0)]


def test_a_dead_run_is_recorded_by_a_run_that_is_then_refused(spark: SparkSession, lake_conf: LakeConf) -> None:
    lake = Lake(spark, lake_conf)
    first, second = sorted((ORDER_LINES, ORDERS), key=lambda table: table.name)
    dead = {"run_id": "old", "job": "build_orders", "as_of": "2020-01-01", "host": "elsewhere", "pid": 1}
    dead |= {"process_start": "1", "taken_at_s": 100.0, "beaten_at_s": 130.0}
    lake.files.write_bytes(lock_name(first, DAY), json.dumps(dead).encode())
    lake.files.write_bytes(lock_name(second, DAY), json.dumps(dead | {"beaten_at_s": time.time()}).encode())
    with pytest.raises(LockedError), open_run(spark, Conf(lake_conf), "build_orders", DAY):
        pass
    assert [(row["run_id"], row["status"]) for row in lake.read(RUNS).collect()] == [("old", "killed")]


def test_a_lake_in_a_catalog_works_by_name(spark: SparkSession, tmp_path: Path) -> None:
    conf = Conf(LakeConf(root=str(tmp_path / "files"), catalog="spark_catalog"))
    rows = rows_of(spark, SESSIONS, [{"session_id": "a"}])
    try:
        for _ in range(2):
            with open_run(spark, conf, "sessionize", DAY) as run:
                run.restate(rows, SESSIONS)
        assertDataFrameEqual(spark.table("spark_catalog.silver.sessions"), rows)
        assert done_runs(Lake(spark, conf.lake), DAY)["sessionize"]["rows_out"] == 0
    finally:
        for schema in ("silver", "ops"):
            spark.sql(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
