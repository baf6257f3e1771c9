"""Churn: a planted cause is learned, measured on a later day, and scored into exact tenths."""

import random
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from pyspark.ml import PipelineModel
from pyspark.ml.classification import GBTClassificationModel
from pyspark.sql import DataFrame, SparkSession
from sklearn.metrics import log_loss, roc_auc_score

from tests.frames import rows_of
from ulm_spark.config.errors import RefusedError
from ulm_spark.contracts.features import USER_FEATURES
from ulm_spark.contracts.gold import CHURN_SCORES
from ulm_spark.lake.literal import frame_of
from ulm_spark.predict.churn import ChurnModel, fit_churn, score_churn
from ulm_spark.predict.churn_conf import ChurnConf
from ulm_spark.predict.churn_quality import measure_holdout

CONF = ChurnConf(max_iter=3, max_depth=2, min_leaf_rows=5)
DAYS = tuple(date(2024, 1, 1) + timedelta(days=30 * n) for n in range(3))
EXAMPLE = USER_FEATURES.schema_ddl + ", is_churned BOOLEAN NOT NULL"


def users_of(day: date, n_users: int = 200) -> list[dict[str, object]]:
    """Users who churn where n_orders_life is small, whatever their recency; one in ten at random."""
    draw = random.Random(str(day))
    rows: list[dict[str, object]] = []
    for i in range(n_users):
        n_orders = draw.randrange(10)
        leaves = n_orders < 5 if draw.random() < 0.9 else draw.random() < 0.5
        gap = draw.random() * 9 if n_orders > 1 else None
        core: dict[str, object] = {"as_of": day, "user_id": f"u{i:03}", "recency_days": draw.randrange(90)}
        rows.append({**core, "n_orders_life": n_orders, "mean_purchase_gap_days": gap, "is_churned": leaves})
    return rows


def examples(spark: SparkSession, days: Sequence[date] = DAYS) -> list[DataFrame]:
    return [rows_of(spark, EXAMPLE, users_of(day)) for day in days]


def trees_of(model: ChurnModel) -> str:
    """The trees in words, without the first line, which holds a random name."""
    trees = model.pipeline.stages[-1]
    assert isinstance(trees, GBTClassificationModel)
    return trees.toDebugString.partition("\n")[2]


@pytest.fixture(scope="module")
def model(spark: SparkSession) -> ChurnModel:
    return fit_churn(examples(spark), CONF)


def test_the_cause_is_learned_and_beats_recency_on_the_day_held_out(model: ChurnModel) -> None:
    assert model.metrics["auc"] > 0.85 > 0.65 > model.metrics["auc_recency"]
    assert model.metrics["log_loss"] < model.metrics["log_loss_recency"]
    assert model.metrics["log_loss"] < model.metrics["log_loss_base_rate"]
    assert (model.metrics["n_holdout"], model.metrics["n_label_days"]) == (200.0, 3.0)
    assert (model.n_rows, model.label_days) == (600, DAYS)


def test_the_same_examples_in_any_order_give_the_same_trees(spark: SparkSession, model: ChurnModel) -> None:
    again = fit_churn([frame.repartition(3).orderBy("recency_days") for frame in examples(spark)[::-1]], CONF)
    assert again.metrics == model.metrics
    assert trees_of(again) == trees_of(model)


def test_scores_survive_saving_and_fill_exact_tenths(spark: SparkSession, model: ChurnModel, tmp_path: Path) -> None:
    path = (tmp_path / "model").as_uri()
    model.pipeline.write().overwrite().save(path)
    rows = [{**row, "recency_days": 90 if i >= 195 else 10} for i, row in enumerate(users_of(DAYS[-1]))]
    features = rows_of(spark, EXAMPLE, rows).drop("is_churned")
    scores = score_churn(features, PipelineModel.load(path), 90, 30)
    expected = frame_of(spark, CHURN_SCORES, []).schema
    assert [(f.name, f.dataType) for f in scores.schema] == [(f.name, f.dataType) for f in expected]
    scored = scores.collect()
    assert {(row["as_of"], row["horizon_days"]) for row in scored} == {(DAYS[-1], 30)}
    # The last five bought 90 days ago: they are not asked about.
    ordered = sorted(scored, key=lambda row: (row["p_churn"], row["user_id"]))
    assert [row["risk_decile"] for row in ordered] == [rank * 10 // 195 + 1 for rank in range(195)]
    assert all(0 < row["p_churn"] < 1 for row in scored)


def test_one_outcome_only_is_refused_with_what_was_found(spark: SparkSession) -> None:
    rows = [{**row, "is_churned": True} for row in users_of(DAYS[0])]
    with pytest.raises(RefusedError, match="found 0 examples of users who bought again and 200 of users who did not"):
        fit_churn([rows_of(spark, EXAMPLE, rows)], CONF)
    with pytest.raises(RefusedError, match="found 0 examples of users who bought again and 0"):
        fit_churn([rows_of(spark, EXAMPLE, [])], CONF)


def test_a_single_label_day_gives_a_model_without_a_measurement(spark: SparkSession) -> None:
    model = fit_churn(examples(spark, DAYS[:1]), ChurnConf(max_iter=1, max_depth=1))
    assert set(model.metrics) == {"n_label_days", "churn_rate"}


def test_a_holdout_is_measured_as_scikit_learn_measures_it(spark: SparkSession) -> None:
    draw = np.random.default_rng(3)
    label = draw.integers(0, 2, 300).astype(float)
    p_trees = np.round(np.clip(0.3 * label + 0.7 * draw.random(300), 0, 1), 2)
    p_recency = np.full(300, 0.4)
    rows = [tuple(map(float, row)) for row in zip(label, p_trees, p_recency, strict=True)]
    frame = spark.createDataFrame(rows, "label DOUBLE, p_trees DOUBLE, p_recency DOUBLE")
    metrics = measure_holdout(frame, 0.25)
    assert metrics["auc"] == pytest.approx(roc_auc_score(label, p_trees), abs=1e-12)
    assert metrics["log_loss"] == pytest.approx(log_loss(label, p_trees), abs=1e-12)
    assert metrics["auc_recency"] == 0.5
    assert metrics["log_loss_base_rate"] == pytest.approx(log_loss(label, np.full(300, 0.25)), abs=1e-12)
    assert metrics["holdout_churn_rate"] == pytest.approx(label.mean())
