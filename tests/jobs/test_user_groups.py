"""Segments and personas through a real lake: from one day to the next, run again, and fed facts of the future."""

import random
from datetime import date, timedelta

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from jobs import describe_users, segment_users
from tests.frames import rows_of, utc
from ulm_spark.contracts.features import USER_FEATURES
from ulm_spark.contracts.gold import SEGMENT_PROFILES, USER_SEGMENTS
from ulm_spark.contracts.ops import PERSONA_MODELS, SEGMENT_MODELS
from ulm_spark.contracts.personas import PERSONA_TOPICS, USER_PERSONAS
from ulm_spark.contracts.segments import RFM_GRID, USER_RFM
from ulm_spark.contracts.silver import EVENTS
from ulm_spark.contracts.table import Table
from ulm_spark.lake.store import Lake, LakeConf
from ulm_spark.users.persona_conf import PersonaConf
from ulm_spark.users.segment_conf import SegmentConf

pytestmark = pytest.mark.flow

FIRST, SECOND = date(2024, 3, 30), date(2024, 3, 31)
NUMBERS = ("recency_days", "n_orders_life", "net_revenue_life")
SEGMENTS = SegmentConf(model="kmeans", k_min=2, k_max=2, features=NUMBERS, n_resamples=0)
PERSONAS = PersonaConf(features=NUMBERS, n_topics=2, min_users=1, topic_iterations=3)


def features_of(day: date) -> list[dict[str, object]]:
    draw = random.Random(3)
    return [
        {
            "as_of": day,
            "user_id": f"u{n:02}",
            "tenure_days": 300,
            "recency_days": (3 if n % 3 else 90) + draw.randrange(4),
            "n_orders_life": 12 if n % 3 else 2,
            "n_purchase_days": 12 if n % 3 else 2,
            "net_revenue_life": 400 + draw.randrange(90) if n % 3 else 40,
            "device": "mobile",
        }
        for n in range(18)
    ]


def view(n: int, at: str, title: str, **more: object) -> dict[str, object]:
    kept = {"event_type": "view", "is_item": True, "product_id": title, "title": title, **more}
    return {"event_id": f"{n:03}", "event_at": utc(at), "user_id": f"u{n % 18:02}", **kept}


@pytest.fixture
def lake(spark: SparkSession, lake_conf: LakeConf) -> Lake:
    lake = Lake(spark, lake_conf)
    views = [view(n, "2024-03-20T10:00:00", ("Table Lamp", "Camping Tent")[n % 2]) for n in range(30)]
    features = [row for day in (FIRST, SECOND) for row in features_of(day)]
    for table, rows in ((EVENTS, views), (USER_FEATURES, features)):
        lake.create(table)
        lake.append(rows_of(spark, table, rows), table)
    return lake


def rows(lake: Lake, table: Table, day: date) -> list[Row]:
    found = lake.read(table).where(F.col("as_of") == F.lit(day)).drop("run_id", "path", "snapshot")
    return sorted(found.collect(), key=str)


@pytest.mark.slow
def test_segments_go_on_from_day_to_day_and_a_rerun_changes_nothing(spark: SparkSession, lake: Lake) -> None:
    conf = segment_users.Conf(lake=lake.conf, segments=SEGMENTS)
    tables = (USER_SEGMENTS, SEGMENT_PROFILES, USER_RFM, RFM_GRID, SEGMENT_MODELS)
    segment_users.run(spark, conf, FIRST)
    alone = rows(lake, USER_SEGMENTS, FIRST)
    # The last day's numbers and names, turned over by hand, are those of the next day.
    changed = lake.read(USER_SEGMENTS).withColumn("segment", 1 - F.col("segment"))
    turned = changed.withColumn("label", F.concat(F.lit("our "), "label")).localCheckpoint()
    lake.replace_slice(turned, USER_SEGMENTS, f"as_of = DATE'{FIRST}'")
    segment_users.run(spark, conf, SECOND)
    first, second = (rows(lake, USER_SEGMENTS, day) for day in (FIRST, SECOND))
    assert [row[1:] for row in first] == [row[1:] for row in second]
    assert {row["label"][:4] for row in second} == {"our "}
    made = {table.name: rows(lake, table, SECOND) for table in tables}
    assert all(made.values())
    segment_users.run(spark, conf, SECOND)
    assert {table.name: rows(lake, table, SECOND) for table in tables} == made
    # A later day's segments are the future of an earlier one.
    segment_users.run(spark, conf, FIRST)
    assert rows(lake, USER_SEGMENTS, FIRST) == alone


@pytest.mark.slow
def test_personas_keep_their_encoding_until_it_is_old_and_know_no_future(spark: SparkSession, lake: Lake) -> None:
    conf = describe_users.Conf(lake=lake.conf, personas=PERSONAS)
    describe_users.run(spark, conf, FIRST)
    describe_users.run(spark, conf, SECOND)
    made = {table.name: rows(lake, table, SECOND) for table in (USER_PERSONAS, PERSONA_TOPICS)}
    codes = [
        (r["user_id"], r["components"], r["topic_shares"], r["encoding_version"]) for r in made[USER_PERSONAS.name]
    ]
    before = rows(lake, USER_PERSONAS, FIRST)
    assert codes == [(r["user_id"], r["components"], r["topic_shares"], r["encoding_version"]) for r in before]
    assert (len(rows(lake, PERSONA_MODELS, FIRST)), rows(lake, PERSONA_MODELS, SECOND)) == (1, [])
    assert {row["topic"] for row in before} == {0, 1}

    future = [view(n, "2024-04-01T00:00:00", "Future Sofa", category="after") for n in range(40, 60)]
    later = [{**row, "recency_days": 0} for row in features_of(SECOND + timedelta(days=1))]
    lake.append(rows_of(spark, EVENTS, future), EVENTS)
    lake.append(rows_of(spark, USER_FEATURES, later), USER_FEATURES)
    describe_users.run(spark, conf, SECOND)
    assert {table.name: rows(lake, table, SECOND) for table in (USER_PERSONAS, PERSONA_TOPICS)} == made

    refit = describe_users.Conf(lake=lake.conf, personas=PersonaConf(**{**vars(PERSONAS), "refit_days": 1}))
    describe_users.run(spark, refit, SECOND)
    assert len(rows(lake, PERSONA_MODELS, SECOND)) == 1


def test_a_day_without_users_has_no_personas_and_says_why(spark: SparkSession, lake_conf: LakeConf) -> None:
    describe_users.run(spark, describe_users.Conf(lake=lake_conf), FIRST)
    lake = Lake(spark, lake_conf)
    assert [lake.read(t).count() for t in (USER_PERSONAS, PERSONA_TOPICS, PERSONA_MODELS)] == [0, 0, 0]
