"""Churn labels: who is asked about, what counts as churned, and no look ahead."""

from datetime import date, datetime

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.testing import assertDataFrameEqual

from tests.frames import rows_of, utc
from ulm_spark.config.errors import ConfigError, RefusedError
from ulm_spark.contracts.features import USER_FEATURES
from ulm_spark.contracts.silver import ORDER_LINES
from ulm_spark.predict.churn_conf import ChurnConf
from ulm_spark.predict.labels import active_buyers, fit_label_days, label_churn

CONF = ChurnConf(active_days=90, horizon_days=30, n_label_days=3, min_history_days=20)
AS_OF = date(2024, 3, 31)
LABEL_ON = date(2024, 3, 1)  # its outcome window ends on AS_OF


def features(spark: SparkSession, **recency_days: int | None) -> DataFrame:
    rows = [{"as_of": LABEL_ON, "user_id": user, "recency_days": days} for user, days in recency_days.items()]
    return rows_of(spark, USER_FEATURES, rows)


def purchase(user_id: str | None, lined_at: datetime, line_type: str = "purchase") -> dict[str, object]:
    line_id = f"{user_id}{lined_at}"
    core: dict[str, object] = {"line_id": line_id, "user_id": user_id, "line_type": line_type}
    return {**core, "lined_at": lined_at, "lined_on": lined_at.date()}


def churned(spark: SparkSession, frame: DataFrame, *lines: dict[str, object]) -> dict[str, bool]:
    labelled = label_churn(frame, rows_of(spark, ORDER_LINES, lines), LABEL_ON, CONF, AS_OF, "UTC")
    return {row["user_id"]: row["is_churned"] for row in labelled.collect()}


def test_too_little_history_is_refused_with_what_to_do(spark: SparkSession) -> None:
    lines = rows_of(spark, ORDER_LINES, [purchase("u1", utc("2024-03-20T10:00:00"))])
    with pytest.raises(RefusedError, match=r"first purchase on 2024-03-20.*at least 50 days.*Ingest more history"):
        fit_label_days(lines, CONF, AS_OF, "UTC")
    with pytest.raises(RefusedError, match="found the first purchase on None"):
        fit_label_days(rows_of(spark, ORDER_LINES, []), CONF, AS_OF, "UTC")


def test_only_buyers_of_the_active_window_are_asked_about(spark: SparkSession) -> None:
    frame = active_buyers(features(spark, today=0, last=89, past=90, never=None), 90)
    assert {row["user_id"] for row in frame.collect()} == {"today", "last"}


def test_a_purchase_counts_from_the_day_after_to_the_last_day_of_the_horizon(spark: SparkSession) -> None:
    found = churned(
        spark,
        features(spark, same_day=0, first=5, last=5, returned=5, never=5),
        purchase("same_day", utc("2024-03-01T23:59:59")),
        purchase("first", utc("2024-03-02T00:00:00")),
        purchase("last", utc("2024-03-31T23:59:59")),
        purchase("returned", utc("2024-03-10T00:00:00"), "return"),
        purchase(None, utc("2024-03-10T00:00:00")),
    )
    assert found == {"same_day": True, "first": False, "last": False, "returned": True, "never": True}


def test_a_user_who_buys_twice_is_one_example(spark: SparkSession) -> None:
    lines = [purchase("u1", utc(f"2024-03-{day}T10:00:00")) for day in (10, 11, 12)]
    frame = label_churn(features(spark, u1=3), rows_of(spark, ORDER_LINES, lines), LABEL_ON, CONF, AS_OF, "UTC")
    assert frame.count() == 1


def test_nothing_after_the_day_moves_the_examples(spark: SparkSession) -> None:
    frame = features(spark, u1=3, u2=4)
    known = [purchase("u1", utc("2024-03-10T10:00:00"))]
    future = [purchase(user, utc("2024-04-01T00:00:00")) for user in ("u1", "u2")]
    # A line whose local day and instant disagree: the instant decides what is known.
    future.append({**future[1], "line_id": "x", "lined_on": AS_OF})
    before, after = (rows_of(spark, ORDER_LINES, rows) for rows in (known, known + future))
    assertDataFrameEqual(
        label_churn(frame, after, LABEL_ON, CONF, AS_OF, "UTC"),
        label_churn(frame, before, LABEL_ON, CONF, AS_OF, "UTC"),
    )
    assert fit_label_days(after, ChurnConf(min_history_days=1, horizon_days=5), AS_OF, "UTC") == fit_label_days(
        before, ChurnConf(min_history_days=1, horizon_days=5), AS_OF, "UTC"
    )


def test_an_outcome_that_is_not_known_yet_is_refused(spark: SparkSession) -> None:
    lines = rows_of(spark, ORDER_LINES, [])
    with pytest.raises(ValueError, match="known on 2024-04-01; expected 2024-03-31 or before"):
        label_churn(features(spark, u1=3), lines, date(2024, 3, 2), CONF, AS_OF, "UTC")


@pytest.mark.parametrize("settings", [{"active_days": 0}, {"max_depth": 13}, {"step_size": 0.0}, {"n_label_days": 0}])
def test_settings_out_of_range_are_refused(settings: dict[str, int | float]) -> None:
    with pytest.raises(ConfigError, match=f"churn.{next(iter(settings))}: found"):
        ChurnConf(**settings)  # type: ignore[arg-type]
