from datetime import date

import pytest
from pyspark.sql import DataFrame, SparkSession

from tests.frames import rows_of
from ulm_spark.contracts import gold, ops, stages
from ulm_spark.contracts.table import Table
from ulm_spark.report.slices import select_slices

AS_OF, EARLIER, LATER = date(2011, 11, 9), date(2011, 10, 9), date(2011, 12, 9)
ROWS: dict[str, list[dict[str, object]]] = {
    gold.FUNNEL.name: [{"as_of": AS_OF, "n_sessions": 1}, {"as_of": LATER, "n_sessions": 2}],
    gold.CHURN_SCORES.name: [
        {"as_of": AS_OF, "user_id": "a", "p_churn": 0.2, "risk_decile": 1, "horizon_days": 30},
        {"as_of": AS_OF, "user_id": "b", "p_churn": 0.6, "risk_decile": 1, "horizon_days": 30},
        {"as_of": EARLIER, "user_id": "a", "p_churn": 0.9, "risk_decile": 1, "horizon_days": 30},
    ],
    gold.USER_SEGMENTS.name: [
        {"as_of": AS_OF, "user_id": "a", "segment": 0},
        {"as_of": AS_OF, "user_id": "b", "segment": 1},
        {"as_of": AS_OF, "user_id": "c", "segment": 1},
    ],
    stages.USER_STAGES.name: [
        {"as_of": AS_OF, "user_id": "a", "stage": "growth", "model_stage": "growth"},
        {"as_of": AS_OF, "user_id": "b", "stage": "growth", "model_stage": "growth"},
        {"as_of": AS_OF, "user_id": "c", "stage": "growth", "model_stage": "decline"},
        {"as_of": LATER, "user_id": "a", "stage": "churned", "model_stage": "churned"},
    ],
    gold.CHURN_OUTCOMES.name: [
        {"as_of": date(2011, 9, 9), "risk_decile": 1},
        {"as_of": EARLIER, "risk_decile": 2},
        {"as_of": LATER, "risk_decile": 3},
    ],
    ops.ALS_MODELS.name: [{"as_of": AS_OF, "n_rows": 5, "metrics": {"rank": 8.0}}],
    ops.RUNS.name: [
        {"run_id": "r1", "job": "sessionize", "as_of": AS_OF},
        {"run_id": "r2", "job": "build_report", "as_of": AS_OF},
        {"run_id": "r3", "job": "sessionize", "as_of": EARLIER},
    ],
}


@pytest.fixture(scope="module")
def slices(spark: SparkSession) -> dict[str, DataFrame]:
    def read(table: Table) -> DataFrame:
        return rows_of(spark, table, ROWS.get(table.name, []))

    return select_slices(read, AS_OF)


def test_a_table_of_the_day_gives_that_day_alone(slices: dict[str, DataFrame]) -> None:
    assert [(row.as_of, row.n_sessions) for row in slices["funnel"].collect()] == [(AS_OF, 1)]


def test_what_needs_an_outcome_gives_the_latest_day_not_after_as_of(slices: dict[str, DataFrame]) -> None:
    assert [(row.as_of, row.risk_decile) for row in slices["churn_outcomes"].collect()] == [(EARLIER, 2)]


def test_scores_are_summed_up_by_decile_and_by_segment(slices: dict[str, DataFrame]) -> None:
    assert [tuple(row) for row in slices["churn_deciles"].collect()] == [(1, 2, 0.4, 30)]
    assert sorted(tuple(row) for row in slices["segment_risk"].collect()) == [(0, 1, 0.2), (1, 1, 0.6)]


def test_users_are_counted_by_both_their_stages(slices: dict[str, DataFrame]) -> None:
    rows = sorted(tuple(row) for row in slices["stage_counts"].collect())
    assert rows == [("growth", "decline", 1), ("growth", "growth", 2)]


def test_the_reports_own_runs_are_left_out_and_models_name_their_job(slices: dict[str, DataFrame]) -> None:
    assert [row.run_id for row in slices["runs"].collect()] == ["r1"]
    assert [tuple(row) for row in slices["models"].collect()] == [(AS_OF, "train_als", 5, {"rank": 8.0})]
