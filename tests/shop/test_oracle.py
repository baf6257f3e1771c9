from datetime import UTC, datetime

import numpy as np
from pyspark.sql import functions as F

from tests.shop.conftest import Shop
from ulm_spark.contracts import truth
from ulm_spark.shop.oracle import churn_ceiling, next_item_ceiling, next_item_probabilities, next_views
from ulm_spark.stats.binary import area_under_curve

KNOWN_UNTIL = datetime(2025, 5, 15, tzinfo=UTC)


def test_who_knows_the_chain_beats_popularity(shop: Shop) -> None:
    tables = shop.truth
    events = tables[truth.EVENTS.name]
    views = next_views(events, KNOWN_UNTIL)
    probabilities = next_item_probabilities(
        views,
        tables[truth.USERS.name],
        tables[truth.ITEMS.name],
        tables[truth.SUCCESSORS.name],
        tables[truth.PERSONA_ITEMS.name],
        shop.conf.next_item.successor_weight,
        KNOWN_UNTIL,
    )
    sums = probabilities.groupBy("user_id").agg(F.sum("probability").alias("total")).toPandas()
    assert np.allclose(sums.total, 1)
    ceiling = next_item_ceiling(probabilities, views, events, KNOWN_UNTIL).toPandas()
    assert len(ceiling) > 100
    assert ceiling.ndcg_oracle.mean() > ceiling.ndcg_popularity.mean() + 0.15
    standard_error = ceiling.ndcg_oracle.std() / np.sqrt(len(ceiling))
    assert abs(ceiling.ndcg_oracle.mean() - ceiling.ndcg_expected.mean()) < 4 * standard_error


def test_more_knowledge_forecasts_churn_better_and_all_are_calibrated(shop: Shop) -> None:
    tables = shop.truth
    scored = churn_ceiling(
        tables[truth.USERS.name],
        tables[truth.EVENTS.name],
        tables[truth.CLOCKS.name],
        shop.conf.purchases,
        KNOWN_UNTIL,
        active_days=60,
        horizon_days=30,
    ).toPandas()
    churned = scored.is_churned.to_numpy()
    assert len(scored) > 80
    assert 0.1 < churned.mean() < 0.9
    areas = {}
    for name in ("p_from_history", "p_from_parameters", "p_from_state"):
        p = scored[name].to_numpy()
        areas[name] = area_under_curve(p, churned)
        standard_error = np.sqrt((p * (1 - p)).sum()) / len(p)
        assert abs(p.mean() - churned.mean()) < 4 * standard_error + 0.02
    assert 0.6 < areas["p_from_history"] < areas["p_from_state"]
    assert areas["p_from_parameters"] < areas["p_from_state"] <= 1


def test_a_horizon_beyond_the_simulation_has_no_rows(shop: Shop) -> None:
    tables = shop.truth
    scored = churn_ceiling(
        tables[truth.USERS.name],
        tables[truth.EVENTS.name],
        tables[truth.CLOCKS.name],
        shop.conf.purchases,
        datetime(2025, 6, 20, tzinfo=UTC),
        active_days=60,
        horizon_days=30,
    )
    assert scored.count() == 0
