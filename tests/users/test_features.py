"""The features of a user, row by row and against plain loops."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from pyspark.sql import SparkSession
from pyspark.testing import assertDataFrameEqual

from tests.frames import rows_of
from tests.users.day_rows import AS_OF, Row, features_by_loops, random_product_days, random_user_days
from ulm_spark.contracts.features import CATALOGUE, USER_FEATURES
from ulm_spark.contracts.user_days import PRODUCT_DAYS, USER_DAYS
from ulm_spark.lake.literal import frame_of
from ulm_spark.users import chunks, features
from ulm_spark.users.features import build_features, build_features_on
from ulm_spark.users.point_in_time import features_at


def day(ago: int) -> date:
    return AS_OF - timedelta(days=ago)


def user_day(ago: int, user_id: str = "u1", **more: object) -> Row:
    return {"user_id": user_id, "day_on": day(ago), "n_events": 1, **more}


def named(**counts: int) -> list[dict[str, object]]:
    return [{"name": name, "n": n} for name, n in sorted(counts.items())]


def build(spark: SparkSession, user_days: list[Row], as_of: date = AS_OF) -> list[Row]:
    frames = rows_of(spark, USER_DAYS, user_days), rows_of(spark, PRODUCT_DAYS, [])
    return [row.asDict() for row in build_features(*frames, as_of).orderBy("user_id").collect()]


def assert_same(found: Row, expected: Row) -> None:
    for feature in CATALOGUE:
        got, want = found[feature.name], expected[feature.name]
        if isinstance(want, float):
            assert got == pytest.approx(want, rel=1e-9, abs=1e-9), feature.name
        else:
            assert got == want, feature.name


def test_the_catalogue_is_what_it_says_of_itself() -> None:
    assert len({feature.name for feature in CATALOGUE}) == len(CATALOGUE) >= 100
    of_silver = {f"{table.name}.{name}" for table in (USER_DAYS, PRODUCT_DAYS) for name in table.column_names}
    assert {source for feature in CATALOGUE for source in feature.sources} <= of_silver
    assert {feature.window_days for feature in CATALOGUE} == {1, 7, 30, 90, 365, None}


def test_the_frame_is_the_contract(spark: SparkSession) -> None:
    frames = rows_of(spark, USER_DAYS, random_user_days(1, 2)), rows_of(spark, PRODUCT_DAYS, random_product_days(1))
    expected = frame_of(spark, USER_FEATURES, []).schema
    found = build_features(*frames, AS_OF)
    assert [(f.name, f.dataType) for f in found.schema] == [(f.name, f.dataType) for f in expected]


def test_a_user_who_only_looked_has_zero_counts_and_null_means(spark: SparkSession) -> None:
    (row,) = build(spark, [user_day(3, n_views=1, categories=named(a=1))])
    not_null = {feature.name for feature in CATALOGUE if not feature.null_rule}
    assert {name for name, value in row.items() if value is None} == {
        feature.name for feature in CATALOGUE if feature.null_rule
    } - {
        "morning_share", "afternoon_share", "evening_share", "night_share", "weekend_share", "search_share",
        "category_entropy", "top_category", "top_category_share", "search_share_life", "click_rate", "cart_rate",
    }  # fmt: skip
    zeros = {name for name in not_null if row[name] == 0}
    assert {"n_orders_life", "net_revenue_life", "n_sessions_90d", "n_units_90d", "n_purchase_days"} <= zeros
    assert (row["tenure_days"], row["inactive_days"], row["n_active_days_90d"], row["n_views_30d"]) == (3, 3, 1, 1)
    assert (row["n_categories_90d"], row["category_entropy"], row["top_category"]) == (1, 0.0, "a")


def test_the_first_day_of_a_window_counts_and_the_day_before_it_does_not(spark: SparkSession) -> None:
    ends = (0, 1, 6, 7, 29, 30, 89, 90, 364, 365)
    (row,) = build(spark, [user_day(ago, n_orders=1, net_amount=Decimal("0.1")) for ago in reversed(ends)])
    spans = ("1d", "7d", "30d", "90d", "365d", "life")
    for name in ("n_events", "n_active_days", "n_orders"):
        assert [row[f"{name}_{span}"] for span in spans] == [1, 3, 5, 7, 9, 10]
    assert [row[f"net_revenue_{span}"] for span in spans] == [Decimal(n) / 10 for n in (1, 3, 5, 7, 9, 10)]


def test_gaps_between_purchase_days(spark: SparkSession) -> None:
    (row,) = build(spark, [user_day(ago, n_lines=1) for ago in (50, 49, 46, 41, 10)])
    gaps = [1, 3, 5, 31]
    assert (row["mean_purchase_gap_days"], row["last_purchase_gap_days"], row["purchase_overdue"]) == (10, 31, 1.0)
    assert row["sd_purchase_gap_days"] == pytest.approx((sum((g - 10) ** 2 for g in gaps) / 3) ** 0.5, abs=1e-12)
    assert row["purchase_gap_trend"] == pytest.approx((-1.5 * 1 - 0.5 * 3 + 0.5 * 5 + 1.5 * 31) / 5, abs=1e-12)


def test_favourites_go_to_the_first_name_on_a_tie(spark: SparkSession) -> None:
    days = [user_day(2, categories=named(b=1)), user_day(1, categories=named(a=1, c=0 + 1))]
    (row,) = build(spark, days)
    assert (row["top_category"], row["top_category_share"], row["n_categories_90d"]) == ("a", 1 / 3, 3)


def test_a_day_without_an_event_makes_nobody_known(spark: SparkSession) -> None:
    assert build(spark, [user_day(3, n_events=0, n_sessions=1), user_day(-1)]) == []


@pytest.mark.parametrize(("seed", "rows_a_chunk"), [(3, 7), (4, 200_000)])
def test_features_equal_those_of_plain_loops(
    spark: SparkSession, seed: int, rows_a_chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "ROWS_A_CHUNK", rows_a_chunk)
    monkeypatch.setattr(features, "QUESTIONS_AT_ONCE", rows_a_chunk)
    user_days, product_days = random_user_days(seed, 12), random_product_days(seed)
    frames = rows_of(spark, USER_DAYS, user_days), rows_of(spark, PRODUCT_DAYS, product_days)
    days = (AS_OF, day(45), day(400))
    found = {(row["as_of"], row["user_id"]): row.asDict() for row in build_features_on(*frames, days).collect()}
    expected = {
        (as_of, user): row for as_of in days for user, row in features_by_loops(user_days, product_days, as_of).items()
    }
    assert found.keys() == expected.keys()
    for key, row in expected.items():
        assert_same(found[key], row)


def test_a_label_gets_the_features_of_its_user_and_day_and_none_is_lost(spark: SparkSession) -> None:
    user_days, product_days = random_user_days(5, 4), random_product_days(5)
    frames = rows_of(spark, USER_DAYS, user_days), rows_of(spark, PRODUCT_DAYS, product_days)
    asked = [("u1", day(0)), ("u1", day(0)), ("u1", day(60)), ("u2", day(61)), ("nobody", day(3)), ("u3", day(900))]
    rows = [{"user_id": user, "as_of": on, "label": n} for n, (user, on) in enumerate(asked)]
    labels = rows_of(spark, "user_id STRING, label INT, as_of DATE", rows)
    found = features_at(*frames, labels).orderBy("label").collect()
    assert [(row["user_id"], row["as_of"], row["label"]) for row in found] == [
        (u, d, n) for n, (u, d) in enumerate(asked)
    ]
    for row in found:
        expected = features_by_loops(user_days, product_days, row["as_of"]).get(row["user_id"])
        if expected is None:
            assert {f.name for f in CATALOGUE if row[f.name] is not None} <= {"season_index"}
        else:
            assert_same(row.asDict(), expected)


def test_nothing_after_the_day_moves_a_feature(spark: SparkSession) -> None:
    user_days, product_days = random_user_days(7, 6), random_product_days(7)
    known = (
        rows_of(spark, USER_DAYS, [row for row in user_days if str(row["day_on"]) <= str(AS_OF)]),
        rows_of(spark, PRODUCT_DAYS, [row for row in product_days if str(row["day_on"]) <= str(AS_OF)]),
    )
    later = rows_of(spark, USER_DAYS, user_days), rows_of(spark, PRODUCT_DAYS, product_days)
    assertDataFrameEqual(build_features(*later, AS_OF), build_features(*known, AS_OF))


def test_the_order_and_partitions_of_the_rows_do_not_matter(spark: SparkSession) -> None:
    user_days, product_days = random_user_days(5, 6), random_product_days(5)
    one = build_features(rows_of(spark, USER_DAYS, user_days), rows_of(spark, PRODUCT_DAYS, product_days), AS_OF)
    reversed_rows = rows_of(spark, USER_DAYS, user_days[::-1]), rows_of(spark, PRODUCT_DAYS, product_days[::-1])
    other = build_features(*(frame.repartition(3) for frame in reversed_rows), AS_OF)
    assert sorted(map(str, other.collect())) == sorted(map(str, one.collect()))


def test_no_rows_make_no_features(spark: SparkSession) -> None:
    assert build(spark, []) == []
