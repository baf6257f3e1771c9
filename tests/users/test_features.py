"""The features of a user, row by row and against pandas."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from pyspark.sql import SparkSession
from pyspark.testing import assertDataFrameEqual

from tests.frames import rows_of
from tests.users.oracle import features_by_pandas
from tests.users.shop_rows import AS_OF, ZONE, at, event, line, random_shop, session, shop_frames
from ulm_spark.config.clock import end_of
from ulm_spark.contracts.gold import USER_FEATURES
from ulm_spark.contracts.silver import EVENTS, ORDER_LINES, SESSIONS
from ulm_spark.lake.literal import frame_of
from ulm_spark.users.features import build_features

Rows = list[dict[str, object]]


def build(spark: SparkSession, events: Rows, sessions: Rows, lines: Rows, as_of: date = AS_OF) -> Rows:
    frames = (rows_of(spark, EVENTS, events), rows_of(spark, SESSIONS, sessions), rows_of(spark, ORDER_LINES, lines))
    return [row.asDict() for row in build_features(*frames, as_of, ZONE).orderBy("user_id").collect()]


def test_a_user_who_only_looked_has_zero_counts_and_null_means(spark: SparkSession) -> None:
    (row,) = build(spark, [event("e1", "u1", at(-3), "view", category="a")], [], [])
    zeros = [c.name for c in USER_FEATURES.columns if not c.nullable and row[c.name] == 0]
    assert {"n_orders_life", "net_revenue_life", "n_sessions_90d", "n_units_90d", "n_purchase_days"} <= set(zeros)
    nulls = {c.name for c in USER_FEATURES.columns if row[c.name] is None}
    assert nulls == {
        "recency_days", "first_purchase_age_days", "currency", "mean_order_value", "mean_purchase_gap_days",
        "return_rate", "discount_share", "mean_session_events", "mean_session_s", "cart_abandon_rate", "channel",
        "device",
    }  # fmt: skip
    assert (row["tenure_days"], row["inactive_days"], row["n_active_days_90d"], row["n_views_30d"]) == (3, 3, 1, 1)
    assert (row["n_categories_90d"], row["category_entropy"], row["top_category"]) == (1, 0.0, "a")


def test_the_frame_is_the_contract(spark: SparkSession) -> None:
    frame = build_features(*shop_frames(spark, *random_shop(1, 3)), AS_OF, ZONE)
    expected = frame_of(spark, USER_FEATURES, []).schema
    assert [(f.name, f.dataType) for f in frame.schema] == [(f.name, f.dataType) for f in expected]


def test_the_first_day_of_a_window_counts_and_the_day_before_it_does_not(spark: SparkSession) -> None:
    events = [event(f"e{n}", "u1", at(-n), "view") for n in (0, 29, 30, 89, 90)]
    sessions = [session(f"s{n}", "u1", at(-n)) for n in (1, 6, 7, 29, 30, 89, 90)]
    lines = [line(f"l{n}", "u1", at(-n), order_id=f"o{n}") for n in (0, 29, 30, 89, 90)]
    (row,) = build(spark, events, sessions, lines)
    assert (row["n_views_30d"], row["n_active_days_90d"], row["tenure_days"]) == (2, 4, 90)
    assert (row["n_sessions_7d"], row["n_sessions_30d"], row["n_sessions_90d"]) == (2, 4, 6)
    assert (row["n_orders_30d"], row["n_orders_90d"], row["n_orders_life"]) == (2, 4, 5)
    assert [row[f"net_revenue_{span}"] for span in ("30d", "90d", "life")] == [20, 40, 50]


def test_the_local_day_decides_not_the_day_in_utc(spark: SparkSession) -> None:
    # Tokyo is nine hours ahead: 14:59 UTC is still as_of, 15:00 UTC is the next day.
    last = datetime(2024, 3, 31, 14, 59, 59, tzinfo=UTC)
    events = [event("e1", "u1", last, "view"), event("e2", "u2", last + timedelta(seconds=1), "view")]
    assert [row["user_id"] for row in build(spark, events, [], [])] == ["u1"]


def test_lines_of_one_order_are_one_order_of_its_first_day(spark: SparkSession) -> None:
    lines = [line("l1", "u1", at(-30), order_id="o1"), line("l2", "u1", at(-29), order_id="o1")]
    (row,) = build(spark, [event("e1", "u1", at(-30), "purchase")], [], lines)
    assert (row["n_orders_life"], row["n_orders_30d"], row["n_orders_90d"], row["n_purchase_days"]) == (1, 0, 1, 2)
    assert (row["mean_order_value"], row["mean_purchase_gap_days"], row["recency_days"]) == (20.0, 1.0, 29)


def test_returns_lower_revenue_on_their_own_day_and_are_no_orders(spark: SparkSession) -> None:
    lines = [
        line("l1", "u1", at(-50), order_id="o1", quantity=4),
        line("l2", "u1", at(-5), order_id="c1", line_type="return", quantity=1),
    ]
    (row,) = build(spark, [event("e1", "u1", at(-50), "purchase")], [], lines)
    assert (row["n_orders_life"], row["recency_days"], row["return_rate"]) == (1, 50, 0.25)
    assert (row["net_revenue_30d"], row["net_revenue_90d"]) == (Decimal(-10), Decimal(30))


def test_postage_counts_as_money_but_not_as_product(spark: SparkSession) -> None:
    lines = [line("l1", "u1", at(-1)), line("l2", "u1", at(-1), product_id="POST", is_item=False)]
    (row,) = build(spark, [event("e1", "u1", at(-1), "purchase")], [], lines)
    assert (row["n_products_90d"], row["n_units_90d"], row["net_revenue_30d"]) == (1, 1, Decimal(20))


def test_discount_share_counts_only_lines_that_have_a_list_price(spark: SparkSession) -> None:
    prices = (Decimal(12), Decimal(10), None)
    lines = [line(f"l{i}", "u1", at(-1), list_price=price) for i, price in enumerate(prices)]
    (row,) = build(spark, [event("e1", "u1", at(-1), "purchase")], [], lines)
    assert row["discount_share"] == 0.5


def test_favourites_go_to_the_first_name_on_a_tie(spark: SparkSession) -> None:
    events = [
        event("e1", "u1", at(-2), "view", category="b", device="mobile", channel=None),
        event("e2", "u1", at(-1), "view", category="a", device="desktop", channel="email"),
        event("e3", "u1", at(0), "view", category=None, device=None, channel="ads"),
    ]
    (row,) = build(spark, events, [], [])
    assert (row["top_category"], row["device"], row["channel"]) == ("a", "desktop", "email")
    assert row["category_entropy"] == pytest.approx(0.6931471805599453, abs=1e-15)


def test_listings_and_guests_are_no_users(spark: SparkSession) -> None:
    events = [event("e1", None, at(-1), "purchase"), event("e2", "seller", at(-1), "listing")]
    assert build(spark, events, [], [line("l1", None, at(-1))]) == []


@pytest.mark.parametrize("seed", [3, 4])
def test_features_equal_those_that_pandas_computes(spark: SparkSession, seed: int) -> None:
    events, sessions, lines = random_shop(seed, 12)
    found = build(spark, events, sessions, lines)
    expected = features_by_pandas(events, sessions, lines, AS_OF)
    assert [row["user_id"] for row in found] == [row["user_id"] for row in expected]
    for got, want in zip(found, expected, strict=True):
        for column in USER_FEATURES.column_names:
            if isinstance(want[column], float):
                assert got[column] == pytest.approx(want[column], rel=1e-12, abs=1e-12), (got["user_id"], column)
            else:
                assert got[column] == want[column], (got["user_id"], column)


def test_nothing_after_the_day_moves_a_feature(spark: SparkSession) -> None:
    events, sessions, lines = random_shop(7, 8)
    end = end_of(AS_OF, ZONE)
    events = [row for row in events if row["event_at"] < end]
    sessions = [row for row in sessions if row["closes_at"] <= end]
    lines = [row for row in lines if row["lined_at"] < end]
    before = build_features(*shop_frames(spark, events, sessions, lines), AS_OF, ZONE)
    users = [f"u{n}" for n in range(8)]
    ten_minutes = timedelta(minutes=10)
    planted = (
        events + [event(f"x{u}", u, end, "purchase", category="z", device="app", channel="ads") for u in [*users, "v"]],
        # Begun before the end of the day, still open at it: its columns tell what came after.
        sessions + [session(f"x{u}", u, end - ten_minutes, closes_at=end + timedelta(seconds=1)) for u in users],
        lines + [line(f"x{u}", u, end, order_id="o0") for u in users],
    )
    after = build_features(*shop_frames(spark, *planted), AS_OF, ZONE)
    assertDataFrameEqual(after, before)


def test_the_order_and_partitions_of_the_rows_do_not_matter(spark: SparkSession) -> None:
    events, sessions, lines = random_shop(5, 8)
    one = build_features(*shop_frames(spark, events, sessions, lines), AS_OF, ZONE)
    other = (frame.repartition(3) for frame in shop_frames(spark, events[::-1], sessions[::-1], lines[::-1]))
    assert sorted(build_features(*other, AS_OF, ZONE).collect()) == sorted(one.collect())
