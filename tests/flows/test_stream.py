"""A stream leaves the tables that one batch over the same lines would: whatever the order, the copies, the poison."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from jobs import maintain_lake
from tests.flows.kafka_broker import Broker, running_kafka
from tests.flows.streaming import (
    AS_OF,
    Facts,
    Message,
    file_stream_conf,
    ingest_all,
    judge_all,
    message,
    stream_all,
    stream_conf,
    views,
    write_lines,
)
from tests.sessions.shoppers import at
from ulm_spark.config.errors import StreamError
from ulm_spark.contracts.bronze import INGESTED_DAYS
from ulm_spark.contracts.ops import RUNS
from ulm_spark.contracts.silver import EVENTS
from ulm_spark.lake.ledger import open_run
from ulm_spark.lake.maintain import MaintenanceRules
from ulm_spark.lake.store import Lake

pytestmark = pytest.mark.flow
LATENESS_S = 3600
FEW = settings(max_examples=2, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
_TOO_LATE_MS = 1_700_000_000_000_000  # microseconds where milliseconds were meant: the year 55,840


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with running_kafka(tmp_path_factory.mktemp("kafka")) as running:
        yield running


def morning() -> list[Message]:
    """Micro-batches of 100: copies in one and across, poison, an event at the watermark, one ahead of its time."""
    day = views(0, 270)
    latest = at(4 * 99)
    foreseen = message("foreseen", at(900), at(300), "u1")
    poison = [b'{"event_id": "broken', b"\xff\xfe", b'{"event_at": "yesterday", "event_type": "view"}']
    odd = [(None, foreseen), (None, None), *((None, value) for value in poison)]
    first = [*odd, *day[5:50], *day[5:50], *day[95:100]]
    # In the second nothing is later, so that the watermark of the third is the one that Spark drops late rows by.
    second = [*day[50:90], *day[10:50], *day[:5], *((None, value) for value in poison), *day[80:92]]
    at_watermark = message("at watermark", latest - timedelta(seconds=LATENESS_S), latest, "u2")
    behind = [message(f"late{k}", at(10 * k), at(500), f"u{k}") for k in range(12)]
    third = [(None, at_watermark), *((None, row) for row in behind), *day[100:180], *day[30:37]]
    # The state has forgotten the foreseen event when it happens.
    return [*first, *second, *third, (None, message("foreseen", at(900), at(950), "u1"))]


def evening() -> list[Message]:
    """After a restart: copies of the morning, new events, and late ones that bridge visits."""
    day = views(0, 270)
    bridges = [message(f"bridge{k}", at(20 + 36 * k), at(1000), "u0") for k in range(10)]
    return [*day[100:220], *((None, row) for row in bridges), *day[180:270]]


def test_a_stream_leaves_the_tables_of_one_batch(spark: SparkSession, broker: Broker, tmp_path: Path) -> None:
    conf = stream_conf(broker, "hour", tmp_path, lateness_s=LATENESS_S)
    broker.make_topic("hour", 1)
    messages = morning()[:150]
    broker.send("hour", messages)
    found = stream_all(spark, conf, 200)
    assert found == with_a_row_without_value(judge_all(spark, conf, tmp_path / "all", messages))
    assert len(found["events"]) + len(found["quarantine"]) == 150
    assert {row["status"] for row in Lake(spark, conf.lake).read(RUNS).collect()} == {"done"}


@pytest.mark.slow
def test_a_stream_in_two_runs_leaves_the_tables_of_one_batch(
    spark: SparkSession, broker: Broker, tmp_path: Path
) -> None:
    parts = [morning()[:200], evening()[:150]]
    conf = stream_conf(broker, "day", tmp_path, lateness_s=LATENESS_S)
    broker.make_topic("day", 1)
    for part, most_rows in zip(parts, (100, 150), strict=True):
        broker.send("day", part)
        found = stream_all(spark, conf, most_rows)
    assert found == with_a_row_without_value(judge_all(spark, conf, tmp_path / "all", [*parts[0], *parts[1]]))
    lake = Lake(spark, conf.lake)
    assert len(found["events"]) + len(found["quarantine"]) == 350
    assert {row["status"] for row in lake.read(RUNS).collect()} == {"done"}
    assert lake.read(INGESTED_DAYS).where("status = 'done'").count() == 1


@pytest.mark.slow
def test_what_comes_right_at_the_watermark_or_before_it_happens_is_neither_lost_nor_doubled(
    spark: SparkSession, broker: Broker, tmp_path: Path
) -> None:
    conf = stream_conf(broker, "watermark", tmp_path, lateness_s=LATENESS_S, most_rows=100)
    broker.make_topic("watermark", 1)
    for part in (morning(), evening()):
        broker.send("watermark", part)
        found = stream_all(spark, conf)
    expected = ingest_all(spark, conf, tmp_path / "batch", [[*morning(), *evening()]])
    assert found == with_a_row_without_value(expected)


def with_a_row_without_value(of_files: Facts) -> Facts:
    """What a message without a value adds; a file has no such row."""
    without_value = json.dumps({"line": "", "reason": "unparseable"}, separators=(",", ":"))
    return {**of_files, "quarantine": sorted([*of_files["quarantine"], without_value])}


@st.composite
def arrivals(draw: st.DrawFn) -> list[Message]:
    """Events received two minutes apart, of any time from long ago to hours ahead, with copies and poison."""
    slots = st.tuples(st.integers(0, 60), st.integers(0, 4), st.sampled_from([None, None, None, 0, 1, 7, 40]))
    drawn = draw(st.lists(slots, min_size=40, max_size=60))
    rows: list[Message] = []
    for place, (slot, user, back) in enumerate(drawn):
        if back is not None and back < place:
            rows.append(rows[place - 1 - back])
        elif slot == 0:
            rows.append(("broken", b'{"event_id": "broken' + str(place).encode()))
        else:
            # All of an id to one partition: between partitions there is no order.
            row = message(f"e{place}", at(10 * slot), at(200 + 2 * place), f"u{user}")
            rows.append((f"e{place}", row))
    return rows


@pytest.mark.slow
@FEW
@given(data=st.data())
def test_any_order_any_batches_and_any_restarts_leave_what_batches_leave(
    spark: SparkSession, broker: Broker, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    rows = data.draw(arrivals())
    cuts = sorted(data.draw(st.lists(st.integers(1, len(rows) - 1), min_size=1, max_size=2, unique=True)))
    lateness_s = data.draw(st.sampled_from([600, 3600, 20_000]))
    horizon_days = data.draw(st.sampled_from([0, 1]))
    if not horizon_days:  # then ids may come again with another time and another content
        rows = [*rows, *((f"e{k}", message(f"e{k}", at(10 * k), at(900), "again")) for k in range(0, 50, 5))]
    parts = [rows[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(rows)], strict=True)]
    folder = tmp_path_factory.mktemp("any")
    broker.make_topic(folder.name, 2)
    conf = stream_conf(broker, folder.name, folder, lateness_s=lateness_s)
    conf = replace(conf, source=replace(conf.source, duplicate_horizon_days=horizon_days))
    for part in parts:
        broker.send(folder.name, part)
        found = stream_all(spark, conf, most_rows=data.draw(st.integers(12, 40)))
    expected = judge_all(spark, conf, folder / "one", rows)
    assert found == expected
    assert ingest_all(spark, conf, folder / "many", parts) == expected


@pytest.mark.slow
def test_files_as_they_come_leave_the_tables_of_one_batch(spark: SparkSession, tmp_path: Path) -> None:
    conf, arriving = file_stream_conf(tmp_path), tmp_path / "arriving"
    assert stream_all(spark, conf)["events"] == []
    parts = [morning(), evening()]
    for number, part in enumerate(parts):
        file = arriving / f"{number}.json"
        write_lines(file, part)
        # The second was written a month before it came.
        os.utime(file, (1_780_000_000 - 30 * 86_400 * number,) * 2)
        found = stream_all(spark, conf)
    expected = ingest_all(spark, conf, tmp_path / "batch", parts)
    assert found == expected
    # A file that grew between two runs, with no new one beside it, is read again: of what it had each row is a copy.
    write_lines(arriving / "1.json", [*evening(), *views(300, 5)])
    grown = stream_all(spark, conf)
    assert len(grown["events"]) == len(expected["events"]) + 5
    assert len(grown["quarantine"]) == len(expected["quarantine"]) + len(evening())


@pytest.mark.slow
def test_a_stream_joins_small_files_itself_and_the_day_leaves_its_tables_to_it(
    spark: SparkSession, broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = stream_conf(broker, "upkeep", tmp_path, most_rows=20)
    conf = replace(conf, maintenance=MaintenanceRules(min_files=2))
    broker.make_topic("upkeep", 1)
    broker.send("upkeep", views(0, 60))
    before, lake = stream_all(spark, conf), Lake(spark, conf.lake)
    n_files, version = len(lake.read(EVENTS).inputFiles()), lake.version(EVENTS)
    with open_run(spark, conf, "ingest_events", AS_OF, is_stream=True):
        maintain_lake.run(spark, maintain_lake.Conf(conf.lake, maintenance=conf.maintenance), AS_OF)
    assert lake.version(EVENTS) == version
    (upkeep,) = lake.read(RUNS).where("job = 'maintain_lake'").collect()
    assert all(f"{name} is left to the stream" in upkeep["message"] for name in ("bronze.raw_events", "silver.events"))
    monkeypatch.setattr("ulm_spark.pipeline.stream._HOUR_S", 0)
    assert stream_all(spark, conf) == before
    assert len(lake.read(EVENTS).inputFiles()) == 1 < n_files


@pytest.mark.slow
def test_a_checkpoint_that_is_gone_brings_all_messages_again_and_no_event_twice(
    spark: SparkSession, broker: Broker, tmp_path: Path
) -> None:
    conf = stream_conf(broker, "again", tmp_path)
    broker.make_topic("again", 2)
    broker.send("again", views(0, 40))
    before = stream_all(spark, conf)
    Lake(spark, conf.lake).files.delete(conf.stream.folder)
    after = stream_all(spark, conf, most_rows=7)
    assert len(after.pop("quarantine")) == 40
    assert not before.pop("quarantine")
    assert after == before


@pytest.mark.slow
def test_a_topic_that_is_empty_absent_or_made_anew_and_a_strange_clock(
    spark: SparkSession, broker: Broker, tmp_path: Path
) -> None:
    conf = stream_conf(broker, "one,two", tmp_path)
    with pytest.raises(StreamError, match=r"stream\.topic: found no such topic as one of one,two"):
        stream_all(spark, conf)
    for topic in ("one", "two"):
        broker.make_topic(topic, 1)
    assert stream_all(spark, conf)["events"] == []
    producer = Producer({"bootstrap.servers": broker.servers})
    producer.produce("one", value=views(0, 1)[0][1], timestamp=_TOO_LATE_MS)
    producer.produce("two", value=b"no event", timestamp=_TOO_LATE_MS)
    producer.flush(30)
    found = stream_all(spark, conf)
    assert (len(found["events"]), len(found["quarantine"])) == (1, 1)
    admin = AdminClient({"bootstrap.servers": broker.servers})
    admin.delete_topics(["one"])["one"].result(30)
    broker.make_topic("one", 1)
    with pytest.raises(StreamError, match="or the topic made anew; expected all since it last ran"):
        stream_all(spark, conf)
    runs = Lake(spark, conf.lake).read(RUNS).orderBy("started_at").select("status").collect()
    assert [row["status"] for row in runs] == ["failed"] * 2 + ["done"] * 4 + ["failed"] * 2
    fresh = replace(conf, stream=replace(conf.stream, name="anew"))
    assert stream_all(spark, fresh)["events"] == found["events"]
