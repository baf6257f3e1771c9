"""A stream whose broker or whose own process is killed, and one that is told to stop, goes on where it was."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from jobs import stream_events
from tests.flows.jobs import ROOT, kill_job_when, run_job_alone
from tests.flows.kafka_broker import Broker, running_kafka
from tests.flows.settings import write_config
from tests.flows.streaming import AS_OF, file_stream_conf, ingest_all, stream_all, stream_conf, views, write_lines
from ulm_spark.contracts.bronze import INGESTED_FILES, RAW_EVENTS
from ulm_spark.contracts.ops import RUNS
from ulm_spark.contracts.silver import EVENTS, SESSIONS
from ulm_spark.contracts.table import Table
from ulm_spark.lake.store import Lake

pytestmark = [pytest.mark.flow, pytest.mark.slow]
TIMEOUT_S = 240


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with running_kafka(tmp_path_factory.mktemp("kafka")) as running:
        yield running


def config(folder: Path, conf: stream_events.Conf) -> Path:
    sections = {name: asdict(getattr(conf, name)) for name in ("lake", "source", "stream")}
    return write_config(folder / "conf.yaml", sections)


def table_folder(folder: Path, table: Table) -> Path:
    return folder / "lake" / table.layer / table.noun


def rows_in(folder: Path, table: Table) -> int:
    """Rows of a table, without Spark; 0 while there is none."""
    if not (table_folder(folder, table) / "_delta_log").exists():
        return 0
    actions = DeltaTable(str(table_folder(folder, table))).get_add_actions(flatten=True)
    return int(sum(actions.column("num_records").to_pylist()))


def wait_until(is_so: Callable[[], bool], stream: subprocess.Popen[bytes]) -> None:
    deadline_s = time.monotonic() + TIMEOUT_S
    while not is_so():
        assert stream.poll() is None, f"the stream ended with {stream.returncode}"
        assert time.monotonic() < deadline_s, "it did not come to pass"
        time.sleep(0.2)


@contextmanager
def running_stream(path: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """``ulm stream`` in a process of its own, which is killed if it still runs when the block ends."""
    command = [str(Path(sys.executable).with_name("ulm")), "stream", "--config", str(path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with log.open("wb") as said, subprocess.Popen(command, env=environment, cwd=ROOT, stderr=said) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_stream_outlives_its_broker_refuses_a_batch_beside_it_and_stops_with_messages_waiting(
    spark: SparkSession, broker: Broker, tmp_path: Path
) -> None:
    conf = stream_conf(broker, "outage", tmp_path, most_rows=25)
    broker.make_topic("outage", 2)
    rows, path = views(0, 500), config(tmp_path, conf)
    broker.send("outage", rows[:50])
    with running_stream(path, tmp_path / "said.txt") as stream:
        wait_until(lambda: rows_in(tmp_path, EVENTS) == 50, stream)
        code, said = run_job_alone("ingest_events", path, AS_OF.isoformat())
        assert (code, "found the lock of job ingest_events" in said) == (4, True)
        broker.kill()
        time.sleep(5)
        broker.start()
        broker.send("outage", rows[50:])
        wait_until(lambda: rows_in(tmp_path, EVENTS) > 50, stream)
        stream.send_signal(signal.SIGTERM)
        assert stream.wait(TIMEOUT_S / 2) == 0
    assert rows_in(tmp_path, EVENTS) < 500
    assert not list((tmp_path / "lake" / "_locks").glob("*.json"))
    lake = Lake(spark, conf.lake)
    done = lake.read(RUNS).where("status = 'done'").collect()
    assert sorted(row["job"] for row in done) == ["ingest_events", "sessionize"]
    read = [row["inputs"][EVENTS.name] for row in done if row["job"] == "sessionize"]
    assert read == [str(lake.data_version(EVENTS))]
    assert stream_all(spark, conf, most_rows=500) == ingest_all(spark, conf, tmp_path / "batch", [rows])


@pytest.mark.parametrize("table", [RAW_EVENTS, EVENTS, INGESTED_FILES, SESSIONS], ids=lambda table: table.name)
def test_a_stream_killed_right_after_it_wrote_a_table(
    spark: SparkSession, broker: Broker, tmp_path: Path, table: Table
) -> None:
    topic = f"killed-{table.noun}"
    conf = stream_conf(broker, topic, tmp_path, most_rows=30)
    broker.make_topic(topic, 2)
    rows = [*views(0, 60), *views(10, 30)]
    broker.send(topic, rows)
    # The second micro-batch that writes it: the first has told the state and the lake something.
    sign = table_folder(tmp_path, table) / "_delta_log" / f"{2:020d}.json"
    kill_job_when("stream_events", config(tmp_path, conf), AS_OF.isoformat(), sign)
    broker.send(topic, views(60, 30))
    assert stream_all(spark, conf) == ingest_all(spark, conf, tmp_path / "batch", [[*rows, *views(60, 30)]])
    statuses = {row["status"] for row in Lake(spark, conf.lake).read(RUNS).collect()}
    assert statuses == {"killed", "done"}


@pytest.mark.parametrize("table", [RAW_EVENTS, INGESTED_FILES, SESSIONS], ids=lambda table: table.name)
def test_a_stream_of_files_killed_right_after_it_wrote_a_table(
    spark: SparkSession, tmp_path: Path, table: Table
) -> None:
    conf = file_stream_conf(tmp_path)
    parts = [[*views(0, 60), *views(10, 30)], views(60, 30)]
    write_lines(tmp_path / "arriving" / "0.json", parts[0])
    sign = table_folder(tmp_path, table) / "_delta_log" / f"{1:020d}.json"
    kill_job_when("stream_events", config(tmp_path, conf), AS_OF.isoformat(), sign)
    write_lines(tmp_path / "arriving" / "1.json", parts[1])
    assert stream_all(spark, conf) == ingest_all(spark, conf, tmp_path / "batch", parts)
    statuses = {row["status"] for row in Lake(spark, conf.lake).read(RUNS).collect()}
    assert statuses == {"killed", "done"}
