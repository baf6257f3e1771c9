"""Interactions and popularity on literal events."""

from datetime import date

import pytest
from pyspark.sql import SparkSession
from pyspark.testing import assertDataFrameEqual

from tests.frames import rows_of, utc
from ulm_spark.config.errors import ConfigError
from ulm_spark.contracts.silver import EVENTS
from ulm_spark.recommend.als import AlsConf
from ulm_spark.recommend.interactions import Weighting, bought_items, count_interactions, weigh_interactions
from ulm_spark.recommend.popularity import rank_popular

AS_OF = date(2024, 3, 31)  # London's clocks go forward: the day ends at 23:00 UTC
ZONE = "Europe/London"
WEIGHTS = {"view": 0.25, "purchase": 1.0}
PAIRS = "user_id STRING, product_id STRING, weight DOUBLE"


def _event(user_id: str | None, product_id: str, event_type: str, at: str, **more: object) -> dict[str, object]:
    on = date.fromisoformat(at[:10])
    row = {"user_id": user_id, "product_id": product_id, "event_type": event_type, "event_at": utc(at), "event_on": on}
    return {"event_id": f"{user_id}{product_id}{at}", "is_item": True, **row, **more}


def test_a_pair_weighs_the_sum_of_its_events_halved_by_age(spark: SparkSession) -> None:
    events = rows_of(
        spark,
        EVENTS,
        [
            _event("u1", "p1", "view", "2024-03-31 10:00:00"),
            _event("u1", "p1", "purchase", "2024-03-21 10:00:00"),
            _event("u1", "p2", "purchase", "2024-03-31 10:00:00"),
            _event("u2", "p1", "purchase", "2024-03-31 22:59:59"),
        ],
    )
    found = weigh_interactions(events, AS_OF, ZONE, Weighting(WEIGHTS, 10.0, "none"))
    expected = rows_of(
        spark,
        PAIRS,
        [
            {"user_id": "u1", "product_id": "p1", "weight": 0.75},
            {"user_id": "u1", "product_id": "p2", "weight": 1.0},
            {"user_id": "u2", "product_id": "p1", "weight": 1.0},
        ],
    )
    assertDataFrameEqual(found, expected)
    counts = count_interactions(found).collect()[0]
    assert (counts["n_pairs"], counts["metrics"]) == (3, {"n_users": 2.0, "n_items": 2.0})


def test_later_events_guests_fees_and_unweighted_types_are_no_interactions(spark: SparkSession) -> None:
    events = rows_of(
        spark,
        EVENTS,
        [
            _event("u1", "p1", "purchase", "2024-03-31 23:00:00"),
            _event(None, "p1", "purchase", "2024-03-30 10:00:00"),
            _event("u1", "postage", "purchase", "2024-03-30 10:00:00", is_item=False),
            _event("u1", "p1", "return", "2024-03-30 10:00:00"),
        ],
    )
    assert weigh_interactions(events, AS_OF, ZONE, Weighting(WEIGHTS, None, "none")).count() == 0
    assert bought_items(events, AS_OF, ZONE).count() == 0
    assert rank_popular(events, AS_OF, ZONE, 30).count() == 0


def test_log1p_dampens_the_sum(spark: SparkSession) -> None:
    events = rows_of(spark, EVENTS, [_event("u1", "p1", "purchase", f"2024-03-0{day} 10:00:00") for day in range(1, 8)])
    found = weigh_interactions(events, AS_OF, ZONE, Weighting(WEIGHTS, None, "log1p")).collect()
    assert [row["weight"] for row in found] == pytest.approx([2.0794415416798357])  # log 8


def test_popularity_counts_buyers_in_the_window_and_buyers_of_all_time_decide_between_equals(
    spark: SparkSession,
) -> None:
    events = rows_of(
        spark,
        EVENTS,
        [
            _event("u1", "new", "purchase", "2024-03-30 10:00:00"),
            _event("u1", "new", "purchase", "2024-03-31 10:00:00"),
            _event("u1", "old", "purchase", "2024-03-30 00:00:00"),
            _event("u2", "old", "purchase", "2024-03-29 23:59:59"),
            _event("u3", "gone", "purchase", "2023-01-01 10:00:00"),
            _event("u3", "seen", "view", "2024-03-31 10:00:00"),
        ],
    )
    found = {row["product_id"]: row["score"] for row in rank_popular(events, AS_OF, ZONE, 2).collect()}
    assert found == pytest.approx({"new": 1 + 1 / 2, "old": 1 + 2 / 3, "gone": 1 / 2})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rank": 0}, "als.rank"),
        ({"reg": -1.0}, "als.reg"),
        ({"half_life_days": 0.0}, "als.half_life_days"),
        ({"view_weight": 0.0, "click_weight": 0.0, "cart_weight": 0.0, "purchase_weight": 0.0}, "no event weight"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(fields: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        AlsConf(**fields)  # type: ignore[arg-type]
