"""Segments: planted groups are found again, numbered by size, and named."""

import math
import random
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from tests.frames import rows_of
from ulm_spark.config.errors import ConfigError, RefusedError
from ulm_spark.contracts.features import USER_FEATURES
from ulm_spark.contracts.gold import SEGMENT_PROFILES, USER_SEGMENTS
from ulm_spark.lake.literal import frame_of
from ulm_spark.users.segment_conf import PURCHASES, SegmentConf
from ulm_spark.users.segments import SegmentModel, assign_segments, fit_segments, profile_segments

AS_OF = date(2024, 3, 31)
FEATURES = ("recency_days", "n_orders_life", "net_revenue_life", "discount_share")
CONF = SegmentConf(model="kmeans", k_min=2, k_max=4, features=FEATURES, n_finalists=2, n_resamples=2)
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
def no_day(spark: SparkSession) -> DataFrame:
    return rows_of(spark, USER_SEGMENTS, [])


@pytest.fixture(scope="module")
def model(features: DataFrame, no_day: DataFrame) -> SegmentModel:
    return fit_segments(features, CONF, no_day)


def test_planted_groups_become_the_segments_the_largest_first(features: DataFrame, model: SegmentModel) -> None:
    rows = assign_segments(features, model).collect()
    found = {name: {row["segment"] for row in rows if row["user_id"].startswith(name)} for name in GROUPS}
    assert found == {"loyal": {0}, "lapsed": {1}, "looker": {2}}
    metrics = model.metrics
    assert (metrics["n_segments"], metrics["is_chosen_kmeans_k3"], metrics["stability"]) == (3.0, 1.0, 1.0)
    assert metrics["silhouette"] == metrics["silhouette_kmeans_k3"] > 0.8


def test_a_name_says_what_sets_the_segment_apart(model: SegmentModel) -> None:
    assert model.labels == {0: "recent frequent buyers", 1: "lapsed infrequent buyers", 2: "window shoppers"}


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


def distances(features: DataFrame, model: SegmentModel) -> dict[str, dict[int, float]]:
    """Of each user, how far the centre of each segment is."""
    scaled = model.pipeline.transform(features).select("user_id", vector_to_array("scaled").alias("x")).collect()
    return {
        row["user_id"]: {segment.number: math.dist(row["x"], segment.centre) for segment in model.segments}
        for row in scaled
    }


def test_distance_is_to_the_nearest_centre(features: DataFrame, model: SegmentModel) -> None:
    known = distances(features, model)
    for row in assign_segments(features, model).collect():
        assert row["distance"] == pytest.approx(min(known[row["user_id"]].values()), abs=1e-9)
        assert row["distance"] == pytest.approx(known[row["user_id"]][row["segment"]], abs=1e-9)


def test_the_order_and_partitions_of_the_users_do_not_matter(
    features: DataFrame, model: SegmentModel, no_day: DataFrame
) -> None:
    again = fit_segments(features.repartition(3).orderBy("n_orders_life"), CONF, no_day)
    assert (again.segments, again.metrics) == (model.segments, model.metrics)


def test_a_refit_keeps_the_numbers_and_names_of_the_last_day(
    spark: SparkSession, features: DataFrame, model: SegmentModel
) -> None:
    renumbered = {"loyal": (4, "our best"), "lapsed": (0, "the lapsed"), "looker": (7, "lookers")}
    rows = [row.asDict() for row in assign_segments(features, model).collect()]
    old = [(name, row) for row in rows for name in GROUPS if row["user_id"].startswith(name)]
    days = [
        {**row, "as_of": day, "segment": number + step, "label": label}
        for name, row in old
        for day, step in ((date(2024, 3, 1), 2), (date(2024, 3, 30), 0))
        for number, label in [renumbered[name]]
    ]
    again = fit_segments(features, CONF, rows_of(spark, USER_SEGMENTS, days))
    assert again.labels == {0: "the lapsed", 4: "our best", 7: "lookers"}
    assert again.metrics["agreement_with_last"] == 1.0
    placed = {row["user_id"]: (row["segment"], row["label"]) for row in assign_segments(features, again).collect()}
    assert all(placed[row["user_id"]] == renumbered[name] for name, row in old)


def test_a_new_segment_gets_a_number_that_none_ever_had(spark: SparkSession, features: DataFrame) -> None:
    of_looker = F.col("user_id").startswith("looker")
    known = features.where(~of_looker).select("user_id", F.lit(date(2024, 3, 30)).alias("as_of"))
    is_loyal = F.col("user_id").startswith("loyal")
    numbered = known.withColumn("segment", F.when(is_loyal, 1).otherwise(0)).withColumn("label", F.lit("x"))
    gone = frame_of(spark, USER_SEGMENTS, [(date(2024, 1, 1), "u", 5, "gone", 0.0)])
    earlier = numbered.withColumn("distance", F.lit(0.0)).select(*USER_SEGMENTS.column_names).unionByName(gone)
    model = fit_segments(features, CONF, earlier)
    assert set(model.labels) == {0, 1, 6}
    assert model.labels[6] == "window shoppers"


@pytest.mark.parametrize("name", ["bisecting_kmeans", "gaussian_mixture"])
def test_every_model_finds_planted_groups(features: DataFrame, no_day: DataFrame, name: str) -> None:
    conf = replace(CONF, model=name, k_min=3, k_max=3, n_finalists=1)  # type: ignore[arg-type]
    found = fit_segments(features, conf, no_day)
    rows = assign_segments(features, found).collect()
    groups = {name: {row["segment"] for row in rows if row["user_id"].startswith(name)} for name in GROUPS}
    assert groups == {"loyal": {0}, "lapsed": {1}, "looker": {2}}
    assert found.metrics["stability"] > 0.7
    known = distances(features, found)
    assert all(row["distance"] == pytest.approx(known[row["user_id"]][row["segment"]], abs=1e-9) for row in rows)


def test_a_sample_gives_centres_and_every_user_gets_a_segment(
    features: DataFrame, spark: SparkSession, no_day: DataFrame
) -> None:
    rows = [row.asDict() for row in features.collect()]
    many = rows_of(
        spark, USER_FEATURES, [{**row, "user_id": f"{row['user_id']}-{i}"} for row in rows for i in range(3)]
    )
    model = fit_segments(many, replace(CONF, k_max=3, max_sample=100, n_resamples=0), no_day)
    assert model.n_sample == 100
    assert assign_segments(many, model).count() == 3 * len(rows)


def test_habits_tell_users_apart_unless_looks_are_not_recorded(spark: SparkSession, no_day: DataFrame) -> None:
    conf = replace(CONF, features=(), k_min=2, k_max=2, n_resamples=0)
    bought = [user(f"u{i}", recency_days=i, n_orders_life=i % 2, click_rate=None) for i in range(9)]
    looked = [
        {**row, "click_rate": i / 9, "cart_rate": 0.1 * (i % 3), "mean_dwell_s": 1.0 + i}
        for i, row in enumerate(bought)
    ]
    of_buyers = fit_segments(rows_of(spark, USER_FEATURES, bought), conf, no_day).features
    assert {"recency_days", "n_orders_life"} <= set(of_buyers) <= set(PURCHASES)
    of_lookers = fit_segments(rows_of(spark, USER_FEATURES, looked), conf, no_day).features
    assert of_lookers == ("click_rate", "cart_rate", "mean_dwell_s")


@pytest.mark.parametrize("n_users", [1, 2])
def test_fewer_users_than_segments_are_one_segment(spark: SparkSession, no_day: DataFrame, n_users: int) -> None:
    few = rows_of(spark, USER_FEATURES, [user(f"u{i}", n_orders_life=i) for i in range(n_users)])
    model = fit_segments(few, CONF, no_day)
    rows = assign_segments(few, model).collect()
    assert [(row["segment"], row["label"]) for row in rows] == [(0, "all users")] * n_users
    assert model.metrics == {"n_segments": 1.0}


def test_users_that_are_all_alike_are_one_segment_without_effects(spark: SparkSession, no_day: DataFrame) -> None:
    alike = rows_of(spark, USER_FEATURES, [user(f"u{i}") for i in range(9)])
    model = fit_segments(alike, CONF, no_day)
    assert {row["distance"] for row in assign_segments(alike, model).collect()} == {0.0}
    assert {row["effect_size"] for row in profile_segments(alike, model).collect()} == {0.0}


def test_no_users_are_refused_with_what_to_do(spark: SparkSession, no_day: DataFrame) -> None:
    with pytest.raises(RefusedError, match=r"gold\.user_features: found no users.*run build_user_features"):
        fit_segments(rows_of(spark, USER_FEATURES, []), CONF, no_day)


def test_features_that_no_user_has_are_refused(spark: SparkSession, no_day: DataFrame) -> None:
    conf = SegmentConf(features=("discount_share", "cart_abandon_rate"))
    with pytest.raises(RefusedError, match="no user with a value in discount_share, cart_abandon_rate"):
        fit_segments(rows_of(spark, USER_FEATURES, [user("u1")]), conf, no_day)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"k_min": 1}, "segments.k_min"),
        ({"k_min": 5, "k_max": 4}, "segments.k_min"),
        ({"features": ("device",)}, "found device"),
        ({"features": ("n_views_7d", "n_views_7d")}, "found n_views_7d, n_views_7d"),
        ({"max_sample": 5}, "segments.max_sample"),
        ({"n_finalists": 0}, "segments.n_finalists"),
        ({"min_stability": 1.2}, "segments.min_stability"),
    ],
)
def test_settings_that_contradict_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SegmentConf(**settings)  # type: ignore[arg-type]
