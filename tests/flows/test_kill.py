"""A job killed anywhere and run again leaves the tables of a run that nobody disturbed."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.testing import assertDataFrameEqual

from jobs import build_orders, build_user_days, ingest_events, sessionize
from tests.flows.jobs import kill_job_when
from tests.flows.settings import write_config
from ulm_spark.config.load import load
from ulm_spark.config.shop import ShopConf
from ulm_spark.contracts.bronze import INGESTED_DAYS, INGESTED_FILES, QUARANTINE, RAW_EVENTS
from ulm_spark.contracts.ops import RUNS
from ulm_spark.contracts.silver import EVENTS, ORDER_LINES, ORDERS, SESSIONS
from ulm_spark.contracts.table import Table
from ulm_spark.contracts.user_days import PRODUCT_DAYS, USER_DAYS
from ulm_spark.lake.store import Lake

pytestmark = [pytest.mark.flow, pytest.mark.slow]
AS_OF = date(2024, 3, 31)
INGEST_TABLES = (RAW_EVENTS, QUARANTINE, EVENTS, INGESTED_FILES, INGESTED_DAYS)


def raw_lines(day: int) -> Iterator[str]:
    """A day of 40 users' views and purchases, with a broken row and a double one."""
    for number in range(200):
        event_at = datetime(2024, 3, day) + timedelta(minutes=7 * number)
        event = {
            "event_id": f"{day}-{number}",
            "event_at": f"{event_at.isoformat()}Z",
            "received_at": f"{event_at.isoformat()}Z",
            "event_type": "view",
            "user_id": f"u{number % 40}",
            "product_id": f"p{number % 17}",
        }
        if number % 10 == 0:
            event |= {"event_type": "purchase", "unit_price": 2.5, "quantity": 1, "order_id": f"o{day}-{number}"}
        yield json.dumps(event)
    yield json.dumps(event)
    yield '{"event_id": "broken'


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("landing")
    for day in (1, 2, 3):
        (folder / f"2024-03-0{day}.json").write_text("\n".join(raw_lines(day)) + "\n", encoding="utf-8")
    return folder


def config(folder: Path, landing: Path) -> Path:
    sections: dict[str, dict[str, object]] = {"lake": {"root": str(folder / "lake")}, "source": {"path": str(landing)}}
    return write_config(folder / "conf.yaml", sections)


def commit(folder: Path, table: Table, version: int) -> Path:
    """The file that Delta writes when a version of a table is there."""
    return folder / "lake" / table.layer / table.noun / "_delta_log" / f"{version:020d}.json"


def read(spark: SparkSession, conf: Path, table: Table) -> DataFrame:
    return Lake(spark, load(conf, sessionize.Conf).lake).read(table)


@pytest.fixture(scope="module")
def undisturbed(spark: SparkSession, landing: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = config(tmp_path_factory.mktemp("undisturbed"), landing)
    ingest_events.run(spark, load(path, ingest_events.Conf), AS_OF)
    sessionize.run(spark, load(path, sessionize.Conf), AS_OF)
    return path


@pytest.mark.parametrize("table", [RAW_EVENTS, QUARANTINE, EVENTS], ids=lambda table: table.name)
def test_ingest_killed_after_a_table_was_written(
    spark: SparkSession, landing: Path, undisturbed: Path, tmp_path: Path, table: Table
) -> None:
    path = config(tmp_path, landing)
    kill_job_when("ingest_events", path, AS_OF.isoformat(), commit(tmp_path, table, 1))
    assert read(spark, path, INGESTED_FILES).count() == 0
    ingest_events.run(spark, load(path, ingest_events.Conf), AS_OF)
    for written in INGEST_TABLES:
        assertDataFrameEqual(read(spark, path, written), read(spark, undisturbed, written))
    assert [row[0] for row in read(spark, path, RUNS).orderBy("started_at").select("status").collect()] == [
        "killed",
        "done",
    ]


def test_ingest_killed_while_it_reads_files_again(
    spark: SparkSession, landing: Path, undisturbed: Path, tmp_path: Path
) -> None:
    conf = config(tmp_path, landing)
    ingest_events.run(spark, replace(load(conf, ingest_events.Conf), shop=ShopConf(zone="Asia/Tokyo")), AS_OF)
    # Their old rows are gone from the first table, and of the others nothing is written yet.
    kill_job_when("ingest_events", conf, AS_OF.isoformat(), commit(tmp_path, INGESTED_FILES, 2))
    ingest_events.run(spark, load(conf, ingest_events.Conf), AS_OF)
    for table in INGEST_TABLES:
        assertDataFrameEqual(read(spark, conf, table), read(spark, undisturbed, table))


def test_sessionize_killed_right_after_its_merge(
    spark: SparkSession, landing: Path, undisturbed: Path, tmp_path: Path
) -> None:
    path = first_days(spark, landing, tmp_path)
    kill_job_when("sessionize", path, AS_OF.isoformat(), commit(tmp_path, SESSIONS, 2))
    sessionize.run(spark, load(path, sessionize.Conf), AS_OF)
    assertDataFrameEqual(read(spark, path, SESSIONS), read(spark, undisturbed, SESSIONS))
    assert read(spark, path, SESSIONS).count() > 0


def test_build_orders_killed_between_its_two_tables(
    spark: SparkSession, landing: Path, undisturbed: Path, tmp_path: Path
) -> None:
    path = first_days(spark, landing, tmp_path)
    kill_job_when("build_orders", path, AS_OF.isoformat(), commit(tmp_path, ORDER_LINES, 1))
    for conf in (path, undisturbed):
        build_orders.run(spark, load(conf, build_orders.Conf), AS_OF)
    for table in (ORDER_LINES, ORDERS):
        assertDataFrameEqual(read(spark, path, table), read(spark, undisturbed, table))
        assert read(spark, path, table).count() > 0


def test_build_user_days_killed_between_its_two_tables(
    spark: SparkSession, landing: Path, undisturbed: Path, tmp_path: Path
) -> None:
    path = first_days(spark, landing, tmp_path)
    sessionize.run(spark, load(path, sessionize.Conf), AS_OF)
    for conf in (path, undisturbed):
        build_orders.run(spark, load(conf, build_orders.Conf), AS_OF)
    kill_job_when("build_user_days", path, AS_OF.isoformat(), commit(tmp_path, USER_DAYS, 1))
    for conf in (path, undisturbed):
        build_user_days.run(spark, load(conf, build_user_days.Conf), AS_OF)
    for table in (USER_DAYS, PRODUCT_DAYS):
        assertDataFrameEqual(read(spark, path, table), read(spark, undisturbed, table))
        assert read(spark, path, table).count() > 0


def first_days(spark: SparkSession, landing: Path, folder: Path) -> Path:
    """A lake that knows the sessions of two days, and the events of a third."""
    early = folder / "early"
    early.mkdir()
    path = config(folder, early)
    for names in (("2024-03-01.json", "2024-03-02.json"), ("2024-03-03.json",)):
        for name in names:
            shutil.copy2(landing / name, early / name)
        ingest_events.run(spark, load(path, ingest_events.Conf), AS_OF)
        if len(names) > 1:
            sessionize.run(spark, load(path, sessionize.Conf), AS_OF)
    return path
