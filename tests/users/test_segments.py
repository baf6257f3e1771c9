"""Segments: planted groups are found again, numbered by size, and named."""

import random
from datetime import date
from decimal import Decimal

import pytest
from pyspark.sql import DataFrame, SparkSession

from tests.frames import rows_of
from ulm_spark.config.errors import ConfigError, RefusedError
from ulm_spark.contracts.features import USER_FEATURES
from ulm_spark.contracts.gold import SEGMENT_PROFILES, USER_SEGMENTS
from ulm_spark.lake.literal import frame_of
from ulm_spark.users.segments import SegmentConf, SegmentModel, assign_segments, fit_segments, profile_segments

AS_OF = date(2024, 3, 31)
FEATURES = ("recency_days", "n_orders_life", "net_revenue_life", "discount_share")
CONF = SegmentConf(k_min=2, k_max=4, features=FEATURES)
# group: users, recency, orders, revenue
GROUPS = {"loyal": (30, 5, 20, 900), "lapsed": (20, 200, 3, 120), "looker": (12, None, 0, 0)}


def user(user_id: str, **more: object) -> dict[str, object]:
    return {"as_of": AS_OF, "user_id": user_id, "tenure_days": 300, **more}


def planted(spark: SparkSession) -> DataFrame:
    draw = random.Random(1)
    rows = []
    for name, (n_users, recency, n_orders, revenue) in GROUPS.items():
        for i in range(n_users):
            rows.append(
                user(
                    f"{name}{i:02}",
                    recency_days=None if recency is None else recency + draw.randrange(3),
                    n_orders_life=n_orders + (draw.randrange(2) if n_orders else 0),
                    n_purchase_days=n_orders,
                    net_revenue_life=Decimal(revenue + draw.randrange(20) if revenue else 0),
                )
            )
    return rows_of(spark, USER_FEATURES, rows)


@pytest.fixture(scope="module")
def features(spark: SparkSession) -> DataFrame:
    return planted(spark).cache()


@pytest.fixture(scope="module")
def model(features: DataFrame) -> SegmentModel:
    return fit_segments(features, CONF)


def test_planted_groups_become_the_segments_the_largest_first(features: DataFrame, model: SegmentModel) -> None:
    rows = assign_segments(features, model).collect()
    found = {name: {row["segment"] for row in rows if row["user_id"].startswith(name)} for name in GROUPS}
    assert found == {"loyal": {0}, "lapsed": {1}, "looker": {2}}
    assert max(model.silhouettes, key=lambda k: model.silhouettes[k]) == 3
    assert model.metrics["silhouette"] == model.silhouettes[3] > 0.8


def test_a_name_says_what_sets_the_segment_apart(model: SegmentModel) -> None:
    assert model.labels == ("recent frequent buyers", "lapsed infrequent buyers", "window shoppers")


def test_the_frames_are_the_contracts(spark: SparkSession, features: DataFrame, model: SegmentModel) -> None:
    for frame, table in (
        (assign_segments(features, model), USER_SEGMENTS),
        (profile_segments(features, model), SEGMENT_PROFILES),
    ):
        expected = frame_of(spark, table, []).schema
        assert [(f.name, f.dataType) for f in frame.schema] == [(f.name, f.dataType) for f in expected]


def test_profiles_hold_means_in_units_and_effects_in_deviations(features: DataFrame, model: SegmentModel) -> None:
    rows = {(row["segment"], row["feature"]): row for row in profile_segments(features, model).collect()}
    # No user has a discount share, so the segments are not made of it.
    assert {feature for _, feature in rows} == set(FEATURES) - {"discount_share"}
    looker = rows[2, "recency_days"]
    assert (looker["n_users"], looker["segment_mean"]) == (12, 300.0)  # never bought: as long as known
    values = features.selectExpr("coalesce(recency_days, tenure_days) r").toPandas()["r"].astype(float)
    assert looker["overall_mean"] == pytest.approx(values.mean(), abs=1e-8)
    assert rows[0, "recency_days"]["effect_size"] < -0.5 < 0.5 < rows[0, "n_orders_life"]["effect_size"]
    for feature in ("recency_days", "n_orders_life"):
        weighted = sum(rows[s, feature]["n_users"] * rows[s, feature]["effect_size"] for s in range(3))
        assert weighted == pytest.approx(0, abs=1e-6)


def test_distance_is_to_the_nearest_centre(features: DataFrame, model: SegmentModel) -> None:
    rows = assign_segments(features, model).collect()
    assert all(0 <= row["distance"] < 1.5 for row in rows)


def test_the_order_and_partitions_of_the_users_do_not_matter(features: DataFrame, model: SegmentModel) -> None:
    again = fit_segments(features.repartition(3).orderBy("n_orders_life"), CONF)
    assert (again.centres, again.labels) == (model.centres, model.labels)


def test_a_sample_gives_centres_and_every_user_gets_a_segment(features: DataFrame, spark: SparkSession) -> None:
    rows = [row.asDict() for row in features.collect()]
    many = rows_of(
        spark, USER_FEATURES, [{**row, "user_id": f"{row['user_id']}-{i}"} for row in rows for i in range(3)]
    )
    model = fit_segments(many, SegmentConf(k_min=2, k_max=3, features=FEATURES, max_sample=100))
    assert model.n_sample == 100
    assert assign_segments(many, model).count() == 3 * len(rows)


@pytest.mark.parametrize("n_users", [1, 2])
def test_fewer_users_than_segments_are_one_segment(spark: SparkSession, n_users: int) -> None:
    few = rows_of(spark, USER_FEATURES, [user(f"u{i}", n_orders_life=i) for i in range(n_users)])
    model = fit_segments(few, CONF)
    rows = assign_segments(few, model).collect()
    assert [(row["segment"], row["label"]) for row in rows] == [(0, "all users")] * n_users
    assert model.metrics == {"n_segments": 1.0}


def test_users_that_are_all_alike_are_one_segment_without_effects(spark: SparkSession) -> None:
    alike = rows_of(spark, USER_FEATURES, [user(f"u{i}") for i in range(9)])
    model = fit_segments(alike, CONF)
    assert {row["distance"] for row in assign_segments(alike, model).collect()} == {0.0}
    assert {row["effect_size"] for row in profile_segments(alike, model).collect()} == {0.0}


def test_no_users_are_refused_with_what_to_do(spark: SparkSession) -> None:
    with pytest.raises(RefusedError, match=r"gold\.user_features: found no users.*run build_user_features"):
        fit_segments(rows_of(spark, USER_FEATURES, []), CONF)


def test_features_that_no_user_has_are_refused(spark: SparkSession) -> None:
    conf = SegmentConf(features=("discount_share", "cart_abandon_rate"))
    with pytest.raises(RefusedError, match="no user with a value in discount_share, cart_abandon_rate"):
        fit_segments(rows_of(spark, USER_FEATURES, [user("u1")]), conf)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"k_min": 1}, "segments.k_min"),
        ({"k_min": 5, "k_max": 4}, "segments.k_min"),
        ({"features": ("device",)}, "found device"),
        ({"features": ()}, "found none"),
        ({"max_sample": 5}, "segments.max_sample"),
    ],
)
def test_settings_that_contradict_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SegmentConf(**settings)  # type: ignore[arg-type]
