"""From events in Delta to lists and their measured quality, on two groups of users with tastes of their own."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from jobs import evaluate_models, recommend_items, train_als
from tests.frames import rows_of, utc
from ulm_spark.contracts import gold, ops, silver
from ulm_spark.lake.progress import progress_to
from ulm_spark.lake.store import Lake, LakeConf
from ulm_spark.recommend.als import AlsConf

AS_OF = date(2024, 3, 31)
ALS = AlsConf(rank=4, iterations=5, n_blocks=2, top_n=10)
N_USERS, N_ITEMS = 40, 12

pytestmark = [pytest.mark.flow, pytest.mark.slow]


def _purchases(user: int) -> list[tuple[str, str, date]]:
    """Six items of the group's twelve by as_of, two others in the window after it; even users are one group."""
    taste = "even" if user % 2 == 0 else "odd"
    before = [(user // 2 + step) % N_ITEMS for step in range(6)]
    after = [(user // 2 + 6 + step) % N_ITEMS for step in range(2)]
    days = [
        *((item, AS_OF - timedelta(days=item)) for item in before),
        *((i, AS_OF + timedelta(days=9)) for i in after),
    ]
    return [(f"u{user:02d}", f"{taste}{item:02d}", day) for item, day in days]


def _fill(spark: SparkSession, lake: Lake, last_on: date) -> None:
    """events and order_lines of the purchases, and one guest's on last_on; browsing carries a session id."""
    bought = [row for user in range(N_USERS) for row in _purchases(user) if row[2] <= last_on]
    events: list[dict[str, object]] = [
        {"event_id": "guest", "event_type": "purchase", "event_on": last_on, "event_at": utc(f"{last_on} 12:00:00")}
    ]
    lines: list[dict[str, object]] = []
    for user_id, product_id, day in bought:
        key, at = f"{user_id}-{product_id}", utc(f"{day} 12:00:00")
        who = {"user_id": user_id, "product_id": product_id, "is_item": True}
        visit = {"source_session_id": f"{user_id}-{day}", "event_on": day}
        events.append({**who, **visit, "event_id": key, "event_type": "purchase", "event_at": at})
        lines.append({**who, "line_id": key, "line_type": "purchase", "lined_at": at, "lined_on": day})
    for table, rows in ((silver.EVENTS, events), (silver.ORDER_LINES, lines)):
        lake.create(table)
        lake.append(rows_of(spark, table, rows), table)


def _score_churn(spark: SparkSession, lake: Lake) -> None:
    scores = [
        {"as_of": AS_OF, "user_id": f"u{n:02d}", "p_churn": (n + 1) / 50, "horizon_days": 9, "risk_decile": n // 4 + 1}
        for n in range(N_USERS)
    ]
    lake.create(gold.CHURN_SCORES)
    lake.append(rows_of(spark, gold.CHURN_SCORES, scores), gold.CHURN_SCORES)


def _run_all(spark: SparkSession, conf: LakeConf) -> list[str]:
    said: list[str] = []
    with progress_to(said.append):
        train_als.run(spark, train_als.Conf(lake=conf, als=ALS), AS_OF)
        recommend_items.run(spark, recommend_items.Conf(lake=conf, als=ALS), AS_OF)
        evaluate_models.run(spark, evaluate_models.Conf(lake=conf, als=ALS), AS_OF)
    return said


def _sorted(frame: DataFrame) -> list[tuple[object, ...]]:
    return sorted((tuple(row) for row in frame.collect()), key=str)


def test_als_finds_the_groups_and_is_measured_against_popularity(spark: SparkSession, lake_conf: LakeConf) -> None:
    lake = Lake(spark, lake_conf)
    _fill(spark, lake, AS_OF + timedelta(days=9))
    _score_churn(spark, lake)
    said = _run_all(spark, lake_conf)

    (model,) = lake.read(ops.ALS_MODELS).collect()
    assert (Path(lake_conf.root) / model["path"] / "items").is_dir()
    assert (model["n_rows"], model["metrics"]) == (240, {"n_users": 40.0, "n_items": 24.0})
    assert json.loads(model["settings"])["rank"] == 4
    assert json.loads(model["snapshot"]) == {"silver.events": "1"}

    lists = lake.read(gold.ITEM_RECOMMENDATIONS)
    bought = lake.read(silver.ORDER_LINES).where("lined_on <= DATE'2024-03-31'")
    assert lists.join(bought, ["user_id", "product_id"], "left_semi").count() == 0
    assert lists.where("rank = 1").groupBy("model").count().orderBy("model").collect() == [
        ("als", 40),
        ("popularity", 40),
    ]
    foreign = (
        "model = 'als' AND rank <= 6 AND NOT startswith(product_id, if(substr(user_id, 3) % 2 = 0, 'even', 'odd'))"
    )
    assert lists.where(foreign).count() == 0

    quality = {(row["model"], row["metric"]): row for row in lake.read(gold.MODEL_QUALITY).collect()}
    ndcg = quality["als", "ndcg@10"]
    assert (ndcg["n"], ndcg["baseline"]) == (40, "popularity")
    assert ndcg["difference_low"] > 0
    assert "up to 2024-04-09 (9 of 30 days: the lake ends there)" in ndcg["protocol"]
    assert quality["gap", "adjusted_rand_index"]["value"] == 1.0
    assert ("gbt", "log_loss") in quality
    assert lake.read(gold.CHURN_OUTCOMES).agg({"n_users": "sum", "churn_rate": "max"}).collect() == [(40, 0.0)]
    examples = lake.read(gold.RECOMMENDATION_EXAMPLES)
    assert {row["list_name"] for row in examples.collect()} == {"history", "als", "popularity"}
    assert examples.where("is_hit").count() > 0
    assert any(text.startswith("items: als ndcg@10") for text in said)

    tables = (gold.ITEM_RECOMMENDATIONS, gold.MODEL_QUALITY, gold.CHURN_OUTCOMES, gold.RECOMMENDATION_EXAMPLES)
    before = {table.name: _sorted(lake.read(table).drop("score")) for table in tables}
    _run_all(spark, lake_conf)
    assert {table.name: _sorted(lake.read(table).drop("score")) for table in tables} == before


def test_before_the_outcome_is_in_the_lake_nothing_is_measured_and_the_run_says_so(
    spark: SparkSession, lake_conf: LakeConf
) -> None:
    lake = Lake(spark, lake_conf)
    _fill(spark, lake, AS_OF + timedelta(days=6))
    _score_churn(spark, lake)
    said = _run_all(spark, lake_conf)
    assert lake.read(gold.ITEM_RECOMMENDATIONS).count() > 0
    assert lake.read(gold.MODEL_QUALITY).where("task <> 'sessions'").count() == 0
    assert lake.read(gold.CHURN_OUTCOMES).count() == lake.read(gold.RECOMMENDATION_EXAMPLES).count() == 0
    assert [text.split(",")[0] for text in said if "nothing measured" in text] == [
        "items: nothing measured", "churn: nothing measured"
    ]  # fmt: skip


def test_an_empty_lake_gives_empty_tables(spark: SparkSession, lake_conf: LakeConf) -> None:
    said = _run_all(spark, lake_conf)
    lake = Lake(spark, lake_conf)
    for table in (ops.ALS_MODELS, gold.ITEM_RECOMMENDATIONS, gold.MODEL_QUALITY, gold.RECOMMENDATION_EXAMPLES):
        assert lake.read(table).count() == 0
    assert len([text for text in said if "nothing measured" in text]) == 3
