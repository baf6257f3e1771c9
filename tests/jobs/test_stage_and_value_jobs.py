"""From days in Delta to stages, moves, values and weights; a re-run changes nothing."""

import json
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs import stage_users, value_users
from tests.frames import rows_of, texts_of
from ulm_spark.contracts import ops, stages, value
from ulm_spark.contracts.user_days import USER_DAYS
from ulm_spark.lake.store import Lake, LakeConf
from ulm_spark.stats.hidden_stages import Parameters
from ulm_spark.users.stage_conf import HiddenStageConf, StageConf
from ulm_spark.users.value_conf import ValueConf

AS_OF = date(2024, 3, 31)
STAGES = StageConf(history_periods=3, model=HiddenStageConf(n_classes=2, max_rounds=3))
VALUE = ValueConf(series_periods=2, min_examples=20, n_label_days=1)

pytestmark = [pytest.mark.flow]


@pytest.fixture
def lake(spark: SparkSession, lake_conf: LakeConf) -> Lake:
    """Thirty users, each with a day a fortnight for four months, and a day after as_of."""
    rows = [
        {
            "user_id": f"u{n:02}",
            "day_on": AS_OF - timedelta(days=14 * k + n % 9),
            "n_events": 4,
            "n_views": 1 + (n * k) % 7,
            "n_orders": (n + k) % 2,
            "n_purchases": (n + k) % 2,
            "net_amount": Decimal(10 * (n % 5) * ((n + k) % 2)),
        }
        for n in range(30)
        for k in range(-1, 9)
    ]
    lake = Lake(spark, lake_conf)
    lake.create(USER_DAYS)
    lake.append(rows_of(spark, USER_DAYS, rows), USER_DAYS)
    return lake


def test_stages_are_told_and_the_model_is_kept(spark: SparkSession, lake: Lake, lake_conf: LakeConf) -> None:
    conf = stage_users.Conf(lake=lake_conf, stages=STAGES)
    stage_users.run(spark, conf, AS_OF)
    tables = {table.name: texts_of(lake.read(table)) for table in stages.TABLES}
    assert len(tables["gold.user_stages"]) == 30
    assert len(tables["gold.stage_history"]) == 90
    moved = lake.read(stages.STAGE_TRANSITIONS).groupBy("model").sum("n").collect()
    assert sorted(tuple(row) for row in moved) == [("hidden_markov", 90), ("rules", 90)]
    (note,) = lake.read(ops.STAGE_MODELS).collect()
    saved = Path(lake_conf.root) / note["path"] / "parameters.json"
    assert len(Parameters.from_json(saved.read_text()).weights) == 2
    assert (note["n_rows"], json.loads(note["settings"])["model"]["n_classes"]) == (30, 2)
    stage_users.run(spark, conf, AS_OF)
    assert {table.name: texts_of(lake.read(table)) for table in stages.TABLES} == tables


def test_values_and_weights_are_written_and_a_short_past_is_said(
    spark: SparkSession, lake: Lake, lake_conf: LakeConf
) -> None:
    conf = value_users.Conf(lake=lake_conf, value=VALUE)
    value_users.run(spark, conf, AS_OF)
    tables = {table.name: texts_of(lake.read(table)) for table in value.TABLES}
    assert [len(tables[table.name]) for table in value.TABLES] == [30, 3, 60]
    assert lake.read(value.USER_VALUES).where("learned_score IS NULL").count() == 0
    value_users.run(spark, conf, AS_OF)
    assert {table.name: texts_of(lake.read(table)) for table in value.TABLES} == tables
    value_users.run(spark, conf, AS_OF - timedelta(days=60))
    early = lake.read(value.VALUE_WEIGHTS).where(f"as_of = DATE'{AS_OF - timedelta(days=60)}'")
    assert early.where("learned_weight IS NULL").count() == 3
    messages = [row["message"] for row in lake.read(ops.RUNS).orderBy("as_of").collect()]
    assert "days of history" in messages[0]
