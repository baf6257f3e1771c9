"""The jobs that stand on silver.events alone, through a real lake: written, re-run, and fed late events."""

from datetime import date, timedelta
from random import Random

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs import build_metrics, build_orders, build_sequences, sessionize
from tests.frames import rows_of, utc
from ulm_spark.contracts.gold import DAILY_ACTIVITY, DATA_QUALITY, FUNNEL, RETENTION
from ulm_spark.contracts.sequences import CATEGORY_VOCABULARY, ITEM_VOCABULARY, SEQUENCES
from ulm_spark.contracts.silver import EVENTS, ORDER_LINES, ORDERS, SESSIONS
from ulm_spark.contracts.table import Table
from ulm_spark.lake.store import Lake, LakeConf
from ulm_spark.sessions.cut import SessionRules
from ulm_spark.sessions.order_lines import list_order_lines
from ulm_spark.sessions.orders import summarise_orders
from ulm_spark.sessions.sequences import SequenceRules
from ulm_spark.sessions.sessionize import sessionize as sessions_of

AS_OF = date(2024, 3, 5)
RESTATED = (SESSIONS, ORDER_LINES, ORDERS)
AS_OF_TABLES = (ITEM_VOCABULARY, CATEGORY_VOCABULARY, SEQUENCES, DAILY_ACTIVITY, FUNNEL, RETENTION, DATA_QUALITY)


def some_events(spark: SparkSession, n_events: int) -> DataFrame:
    """Events of the first days of March by some hundred users, the same first ones for any number."""
    random = Random(3)
    rows = []
    for place in range(n_events):
        when = utc("2024-03-01T00:00:00") + timedelta(minutes=random.randrange(5 * 24 * 60))
        rows.append(
            {
                "event_id": f"{place:04}",
                "event_at": when,
                "event_on": when.date(),
                "event_type": random.choice(["view", "view", "cart", "purchase", "return"]),
                "user_id": random.choice([None, *(f"u{n}" for n in range(120))]),
                "product_id": f"p{(product := random.randrange(20))}",
                "category": f"c{product % 3}",
                "is_item": True,
                "unit_price": random.randrange(1, 50),
                "currency": "EUR",
                "quantity": random.randrange(1, 4),
                "source": "clicks",
            }
        )
    return rows_of(spark, EVENTS, rows)


def sequence_files(lake: Lake) -> dict[str, list[str]]:
    """The rows of silver.sequences by the number that Spark gave their file."""
    lying: dict[str, list[str]] = {}
    number = F.substring("_metadata.file_name", 1, 10)  # part-00003 and a random rest
    for file, row in lake.read(SEQUENCES).select(number, F.to_json(F.struct("*"))).collect():
        lying.setdefault(file, []).append(row)
    return {file: sorted(rows) for file, rows in lying.items()}


@pytest.mark.flow
@pytest.mark.slow
def test_late_events_restate_what_they_touch_and_a_rerun_changes_nothing(
    spark: SparkSession, lake_conf: LakeConf
) -> None:
    lake = Lake(spark, lake_conf)
    sequence_conf = build_sequences.Conf(lake=lake_conf, sequences=SequenceRules(n_files=8))

    def rows(*tables: Table) -> dict[str, list[str]]:
        return {table.name: sorted(lake.read(table).toJSON().collect()) for table in tables}

    lake.create(EVENTS)
    lake.append(some_events(spark, 500), EVENTS)
    sessionize.run(spark, sessionize.Conf(lake=lake_conf), AS_OF)
    build_orders.run(spark, build_orders.Conf(lake=lake_conf), AS_OF)
    build_sequences.run(spark, sequence_conf, AS_OF)
    build_metrics.run(spark, build_metrics.Conf(lake=lake_conf), AS_OF)
    early, as_of_rows = rows(*RESTATED), rows(*AS_OF_TABLES)
    assert all(early.values())
    assert all(as_of_rows.values())
    files = sequence_files(lake)
    sizes = {len(rows) for rows in files.values()}
    assert len(files) == len(lake.read(SEQUENCES).inputFiles()) == 8
    assert max(sizes) - min(sizes) <= 1
    build_sequences.run(spark, sequence_conf, AS_OF)
    assert sequence_files(lake) == files
    assert rows(ITEM_VOCABULARY, CATEGORY_VOCABULARY, SEQUENCES).items() <= as_of_rows.items()

    everything = some_events(spark, 700)
    lake.append(everything.where("event_id >= '0500'"), EVENTS)
    sessionize.run(spark, sessionize.Conf(lake=lake_conf), AS_OF)
    build_orders.run(spark, build_orders.Conf(lake=lake_conf), AS_OF)
    lines = list_order_lines(everything, "UTC", "EUR")
    in_time = (sessions_of(everything, SessionRules(), "UTC"), lines, summarise_orders(lines))
    for table, frame in zip(RESTATED, in_time, strict=True):
        restated = rows(table)[table.name]
        assert restated != early[table.name]
        assert restated == sorted(frame.toJSON().collect())
    sessionize.run(spark, sessionize.Conf(lake=lake_conf), AS_OF)
    assert rows(SESSIONS)[SESSIONS.name] == sorted(in_time[0].toJSON().collect())
