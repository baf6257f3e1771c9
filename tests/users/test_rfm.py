"""Scores of recency, frequency and money: against pandas, with ties, and the cells' names."""

import random
from datetime import date
from decimal import Decimal

import pandas as pd
from pyspark.sql import SparkSession

from tests.frames import rows_of
from ulm_spark.contracts.features import USER_FEATURES
from ulm_spark.contracts.segments import RFM_CELLS, RFM_GRID, USER_RFM
from ulm_spark.lake.store import check_frame
from ulm_spark.users.rfm import score_rfm, sum_rfm_grid

AS_OF = date(2024, 3, 31)


def customer(user_id: str, recency: int | None, days: int, money: str, as_of: date = AS_OF) -> dict[str, object]:
    return {
        "as_of": as_of,
        "user_id": user_id,
        "recency_days": recency,
        "n_purchase_days": days,
        "net_revenue_life": Decimal(money),
    }


def fifths(values: pd.Series) -> list[int]:
    """Fifths of mean ranks, in whole numbers: the rank is k / 2."""
    doubled = (2 * values.rank(method="average") - 1).astype(int)
    return [int(1 + 5 * place // (2 * len(values))) for place in doubled]


def test_scores_are_fifths_of_exact_mean_ranks(spark: SparkSession) -> None:
    draw = random.Random(4)
    rows = [
        customer(f"u{n:02}", draw.randrange(40), draw.choice([1, 1, 1, 2, 3, 9]), f"{draw.randrange(-5, 90)}.50")
        for n in range(53)
    ]
    scored = score_rfm(rows_of(spark, USER_FEATURES, [*rows, customer("looker", None, 0, "0")]).repartition(3))
    check_frame(scored, USER_RFM)
    found = scored.toPandas().sort_values("user_id", ignore_index=True)
    assert len(found) == 53
    assert found["recency_score"].tolist() == fifths(-found["recency_days"])
    assert found["frequency_score"].tolist() == fifths(found["frequency"])
    assert found["monetary_score"].tolist() == fifths(found["monetary"].astype(float))
    assert found["rfm_segment"].tolist() == [
        RFM_CELLS[r][f - 1] for r, f in zip(found["recency_score"], found["frequency_score"], strict=True)
    ]


def test_ten_different_customers_are_two_a_score_and_equal_ones_share_the_middle(spark: SparkSession) -> None:
    rows = [customer(f"u{n}", n, 1, str(n)) for n in range(10)]
    found = {row["user_id"]: row for row in score_rfm(rows_of(spark, USER_FEATURES, rows)).collect()}
    assert [found[f"u{n}"]["recency_score"] for n in range(10)] == [5, 5, 4, 4, 3, 3, 2, 2, 1, 1]
    assert [found[f"u{n}"]["monetary_score"] for n in range(10)] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert {row["frequency_score"] for row in found.values()} == {3}


def test_days_are_scored_apart_and_the_grid_sums_up(spark: SparkSession) -> None:
    rows = [customer(f"u{n}", n, n + 1, "10") for n in range(5)]
    other = customer("u9", 400, 1, "-3", date(2024, 4, 1))
    scored = score_rfm(rows_of(spark, USER_FEATURES, [*rows, other]))
    grid = sum_rfm_grid(scored)
    check_frame(grid, RFM_GRID)
    cells = {(row["as_of"], row["recency_score"], row["frequency_score"]): row for row in grid.collect()}
    assert cells[AS_OF, 5, 1]["rfm_segment"] == "new customers"
    assert cells[AS_OF, 1, 5]["rfm_segment"] == "can't lose"
    lone = cells[date(2024, 4, 1), 3, 3]
    assert (lone["rfm_segment"], lone["n_users"], lone["revenue"]) == ("need attention", 1, Decimal("-3.0000"))
    assert sum(row["n_users"] for row in cells.values()) == 6


def test_no_customers_are_no_rows(spark: SparkSession) -> None:
    assert score_rfm(rows_of(spark, USER_FEATURES, [customer("looker", None, 0, "0")])).count() == 0
