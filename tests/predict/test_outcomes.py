"""Churn forecasts beside what happened."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from pyspark.testing import assertDataFrameEqual

from tests.frames import rows_of, utc
from ulm_spark.contracts.gold import CHURN_OUTCOMES, CHURN_SCORES
from ulm_spark.contracts.silver import ORDER_LINES
from ulm_spark.predict.outcomes import measure_churn, observe_churn, summarise_deciles

AS_OF = date(2024, 3, 31)
OBSERVED = (
    "user_id STRING NOT NULL, p_churn DOUBLE NOT NULL, risk_decile INT NOT NULL, recency_days INT, "
    "has_churned BOOLEAN NOT NULL"
)


def _line(user_id: str, at: str, on: str, line_type: str = "purchase") -> dict[str, object]:
    key = {"line_id": f"{user_id}{at}", "user_id": user_id, "line_type": line_type}
    return {**key, "lined_at": utc(at), "lined_on": date.fromisoformat(on)}


def test_churned_is_no_purchase_in_the_horizon_after_as_of(spark: SparkSession) -> None:
    scores = [("back", 0.2, 1), ("at_the_end", 0.3, 1), ("too_late", 0.6, 2), ("returned", 0.7, 2)]
    scored = rows_of(
        spark,
        CHURN_SCORES,
        [{"as_of": AS_OF, "user_id": u, "p_churn": p, "risk_decile": d, "horizon_days": 30} for u, p, d in scores],
    )
    lines = rows_of(
        spark,
        ORDER_LINES,
        [
            _line("back", "2024-03-01 10:00:00", "2024-03-01"),
            _line("back", "2024-03-31 23:00:00", "2024-04-01"),  # the first instant after as_of in London
            _line("at_the_end", "2024-03-31 22:59:59", "2024-03-31"),
            _line("at_the_end", "2024-04-30 22:59:59", "2024-04-30"),
            _line("too_late", "2024-03-21 10:00:00", "2024-03-21"),
            _line("too_late", "2024-04-30 23:00:00", "2024-05-01"),
            _line("returned", "2024-03-30 10:00:00", "2024-03-30"),
            _line("returned", "2024-04-05 10:00:00", "2024-04-05", "return"),
        ],
    )
    found = observe_churn(scored, lines, AS_OF, 30, "Europe/London")
    rows = [("back", 0.2, 1, 30, False), ("at_the_end", 0.3, 1, 0, False), ("too_late", 0.6, 2, 10, True),
            ("returned", 0.7, 2, 1, True)]  # fmt: skip
    names = ("user_id", "p_churn", "risk_decile", "recency_days", "has_churned")
    expected = rows_of(spark, OBSERVED, [dict(zip(names, row, strict=True)) for row in rows])
    assertDataFrameEqual(found, expected)
    deciles = [(1, 2, 0.25, 0.0), (2, 2, 0.65, 1.0)]
    columns = ("risk_decile", "n_users", "mean_p_churn", "churn_rate")
    summary = [{"as_of": AS_OF, **dict(zip(columns, row, strict=True))} for row in deciles]
    assertDataFrameEqual(summarise_deciles(found, AS_OF), rows_of(spark, CHURN_OUTCOMES, summary))


def test_a_good_forecast_beats_recency_and_the_base_rate() -> None:
    generator = np.random.default_rng(0)
    p = generator.random(600)
    observed = pd.DataFrame(
        {
            "user_id": [f"u{n:03d}" for n in range(600)],
            "p_churn": p,
            "risk_decile": 1,
            "recency_days": generator.integers(0, 90, 600),
            "has_churned": generator.random(600) < p,
        }
    )
    auc, loss = measure_churn(observed, 1000, 1, "so")
    assert (auc.metric, auc.baseline, loss.metric, loss.baseline) == ("auc", "recency", "log_loss", "base rate")
    assert auc.value == pytest.approx(0.83, abs=0.03)
    assert auc.difference_low is not None
    assert auc.difference_low > 0.2
    assert loss.difference_high is not None
    assert loss.difference_high < 0
    assert measure_churn(observed.sample(frac=1, random_state=3), 1000, 1, "so") == [auc, loss]


def test_one_kind_of_outcome_has_no_auc_and_nobody_has_nothing() -> None:
    one = pd.DataFrame([{"user_id": "u", "p_churn": 0.5, "risk_decile": 1, "recency_days": 3, "has_churned": True}])
    assert [m.metric for m in measure_churn(one, 1000, 1, "so")] == ["log_loss"]
    assert measure_churn(one.iloc[:0], 1000, 1, "so") == []
