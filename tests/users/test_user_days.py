"""What a user did on a day, rule by rule and against plain Python."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from tests.frames import rows_of, texts_of
from tests.session import compiling
from tests.users.day_oracle import days_of_products, days_of_users, random_days
from tests.users.shop_rows import AS_OF, ZONE, Row, at, event, line, session, shop_frames
from ulm_spark.config.clock import end_of
from ulm_spark.contracts.silver import EVENTS
from ulm_spark.contracts.user_days import PRODUCT_DAYS, USER_DAYS
from ulm_spark.lake.store import check_frame
from ulm_spark.users.product_days import summarise_product_days
from ulm_spark.users.user_days import summarise_user_days

HOUR = timedelta(hours=1)


def days(
    spark: SparkSession, events: list[Row], sessions: list[Row] = (), lines: list[Row] = (), zone: str = ZONE
) -> list[Row]:
    frames = shop_frames(spark, events, [*sessions], [*lines])
    found = summarise_user_days(*frames, zone).orderBy("user_id", "day_on").collect()
    return [row.asDict(recursive=True) for row in found]


def counts(named: object) -> dict[str, int]:
    assert isinstance(named, list)
    return {row["name"]: row["n"] for row in named}


def test_the_frames_are_the_contracts(spark: SparkSession) -> None:
    frames = shop_frames(spark, *random_days(1, 2))
    check_frame(summarise_user_days(*frames, ZONE), USER_DAYS)
    check_frame(summarise_product_days(frames[0]), PRODUCT_DAYS)


def test_events_lie_on_their_local_day_and_in_their_local_hour(spark: SparkSession) -> None:
    # Tokyo is nine hours ahead: 14:59 UTC is before midnight, 15:00 UTC is the next day.
    late = datetime(2024, 3, 30, 14, 59, 59, tzinfo=UTC)
    hours = (0, 5, 6, 11, 12, 17, 18, 23)
    events = [event(f"e{hour}", "u", at(0, hour), "view") for hour in hours]
    first, second = days(spark, [event("e", "u", late, "view"), *events])
    assert (first["day_on"], counts(first["hours"])) == (date(2024, 3, 30), {"23": 1})
    assert (second["day_on"], second["n_events"], second["n_views"]) == (AS_OF, 8, 8)
    assert list(counts(second["hours"])) == ["00", "05", "06", "11", "12", "17", "18", "23"]
    assert [second[f"{part}_events"] for part in ("night", "morning", "afternoon", "evening")] == [2, 2, 2, 2]


def test_an_hour_that_the_clock_shows_twice_counts_once_for_each_event(spark: SparkSession) -> None:
    # Berlin, 2024-10-27: 00:30 and 01:30 UTC are both 02:30, before and after the clock was put back.
    before = datetime(2024, 10, 27, 0, 30, tzinfo=UTC)
    rows = [event(f"e{n}", "u", before + n * HOUR, "view", event_on=date(2024, 10, 27)) for n in range(3)]
    (row,) = days(spark, rows, zone="Europe/Berlin")
    assert counts(row["hours"]) == {"02": 2, "03": 1}


def test_a_visit_counts_on_the_day_by_whose_end_it_is_closed(spark: SparkSession) -> None:
    midnight = end_of(AS_OF, ZONE)
    closing = (midnight - HOUR, midnight, midnight + timedelta(microseconds=1))
    traits: list[Row] = [
        {"n_events": 3, "n_carts": 1, "has_abandoned_cart": True, "duration_s": 60},
        {"n_events": 1, "is_bounce": True},
        {"n_events": 2, "n_carts": 2, "has_purchase": True, "duration_s": 7},
    ]
    sessions = [session(f"s{n}", "u", at(0, 22), closes_at=closing[n], **traits[n]) for n in range(3)]
    first, second = days(spark, [], sessions)
    names = (
        "n_sessions", "n_bounces", "n_cart_sessions", "n_abandoned_sessions", "n_buying_sessions", "session_events",
        "session_steps", "session_s",
    )  # fmt: skip
    assert (first["day_on"], [first[name] for name in names]) == (AS_OF, [2, 1, 1, 1, 0, 4, 2, 60])
    assert (second["day_on"], [second[name] for name in names]) == (AS_OF + timedelta(days=1), [1, 0, 1, 0, 1, 2, 1, 7])
    assert (first["n_events"], first["hours"], first["products"], first["net_amount"]) == (0, [], [], Decimal(0))


def test_guests_and_listings_are_no_users(spark: SparkSession) -> None:
    events = [event("e1", None, at(0), "purchase"), event("e2", "seller", at(0), "listing")]
    assert days(spark, events, [], [line("l1", None, at(0))]) == []


def test_every_type_of_event_is_counted(spark: SparkSession) -> None:
    kinds = ("view", "search", "click", "cart", "remove", "purchase", "return", "review")
    (row,) = days(spark, [event(kind, "u", at(0), kind) for kind in kinds])
    names = ("views", "searches", "clicks", "carts", "removes", "purchases", "returns", "reviews")
    assert ([row[f"n_{name}"] for name in names], row["n_events"]) == ([1] * 8, 8)


def test_names_are_sorted_and_what_has_none_is_not_counted(spark: SparkSession) -> None:
    events = [
        event("e1", "u", at(0, 9), "view", category="b", brand="y", device="app", unit_price=1),
        event("e2", "u", at(0, 9), "view", category="a", brand="y", device=None, unit_price=0),
        event("e3", "u", at(0, 9), "view", category="b"),
    ]
    (row,) = days(spark, events)
    assert list(counts(row["categories"]).items()) == [("a", 1), ("b", 2)]
    assert (counts(row["brands"]), counts(row["devices"]), row["channels"]) == ({"y": 2}, {"app": 1}, [])
    assert (counts(row["price_bands"]), row["first_channel"]) == ({"0": 1}, None)


def test_a_price_band_begins_with_a_power_of_two(spark: SparkSession) -> None:
    cent = Decimal("0.0001")
    powers = [*range(-13, 34)]
    with compiling(spark):
        for below, add in ((0, Decimal(0)), (1, -cent)):
            prices = {n: (Decimal(2) ** n).quantize(cent) + add for n in powers if n >= -4}
            events = [event(f"e{n}", f"{n:03}", at(0), "view", unit_price=price) for n, price in prices.items()]
            found = {int(str(row["user_id"])): list(counts(row["price_bands"])) for row in days(spark, events)}
            assert found == {n: [str(n - below)] for n in prices}
    (row,) = days(spark, [event("e", "u", at(0), "view", unit_price=cent)])
    assert counts(row["price_bands"]) == {"-14": 1}


def test_the_first_channel_is_that_of_the_earliest_event_that_has_one(spark: SparkSession) -> None:
    events = [
        event("e1", "u", at(0, 8), "view"),
        event("e2", "u", at(0, 9), "view", channel="email"),
        event("e3", "u", at(0, 9), "view", channel="ads"),
        event("e4", "u", at(0, 10), "view", channel="a"),
        event("e5", "u", at(0, 11), "view", channel="email"),
    ]
    (row,) = days(spark, events)
    assert (row["first_channel"], counts(row["channels"])) == ("ads", {"a": 1, "ads": 1, "email": 2})


def test_only_filters_and_sentiments_that_say_something_count(spark: SparkSession) -> None:
    filters: list[Row | None] = [{"filters": "brand=a"}, {"filters": " "}, {"filters": None}, {"other": "x"}, None]
    searches = [event(f"s{n}", "u", at(0), "search", attributes=a) for n, a in enumerate(filters)]
    texts = ("0.5", "-1", "1.0", "1.00001", "-1.5", "kind", "", "NaN", "Infinity", "0.12345", None)
    reviews = [event(f"r{n}", "u", at(0), "review", attributes={"sentiment": text}) for n, text in enumerate(texts)]
    views = [event("v", "u", at(0), "view", attributes={"sentiment": "1", "filters": "x"}, rating=5)]
    (row,) = days(spark, [*searches, *reviews, *views, event("r", "u", at(0), "review", rating=4)])
    assert (row["n_searches"], row["n_filtered_searches"], row["n_reviews"]) == (5, 1, 12)
    assert (row["n_sentiments"], row["sentiment_sum"]) == (4, Decimal("0.6235"))
    assert (row["n_ratings"], row["rating_sum"]) == (1, 4)


def test_an_order_counts_on_the_day_of_its_first_purchase_line(spark: SparkSession) -> None:
    lines = [
        line("l1", "u", at(-1), order_id="o", line_type="return", quantity=3),
        line("l2", "u", at(0), order_id="o", quantity=2, list_price=12),
        line("l3", "u", at(1), order_id="o", product_id="p2", list_price=10),
        line("l4", "u", at(1), order_id="o2", product_id="POST", is_item=False, list_price=99),
    ]
    found = days(spark, [], [], lines)
    assert [row["n_orders"] for row in found] == [0, 1, 1]
    assert [row["n_lines"] for row in found] == [0, 1, 2]
    assert [(row["n_units"], row["n_units_returned"]) for row in found] == [(0, 3), (2, 0), (1, 0)]
    assert [(row["n_listed_lines"], row["n_discounted_lines"]) for row in found] == [(0, 0), (1, 1), (1, 0)]
    assert [(row["gross_amount"], row["net_amount"]) for row in found] == [(0, -30), (20, 20), (20, 20)]
    assert [counts(row["products"]) for row in found] == [{}, {"p1": 2}, {"p2": 1}]


def test_the_currency_is_the_latest_purchases_else_the_latest_returns(spark: SparkSession) -> None:
    lines = [
        line("l1", "u", at(0, 9), currency="EUR"),
        line("l2", "u", at(0, 9), currency="USD"),
        line("l3", "u", at(0, 10), currency="ZAR", line_type="return"),
        line("l4", "w", at(0, 9), currency="EUR", line_type="return"),
        line("l5", "w", at(0, 10), currency="CHF", line_type="return"),
    ]
    assert [row["currency"] for row in days(spark, [], [], lines)] == ["USD", "CHF"]


def test_a_products_day_has_its_commonest_category_and_the_prices_it_was_shown_at(spark: SparkSession) -> None:
    shown: Row = {"product_id": "p", "unit_price": 3, "currency": "EUR"}
    rows = [
        event("e1", None, at(0), "view", **shown, category="b"),
        event("e2", "u", at(0), "cart", **shown, category="a"),
        event("e3", "u", at(0), "purchase", **{**shown, "currency": "CHF"}, category="a", quantity=4),
        event("e4", "u", at(0), "purchase", product_id="p", unit_price=0, currency="AAA", category="b"),
        event("e5", "u", at(0), "listing", **shown, category="c"),
        event("e6", "u", at(0), "search", category="c"),
        event("e7", "u", at(1), "view", product_id="p"),
    ]
    found = summarise_product_days(rows_of(spark, EVENTS, rows)).orderBy("day_on").collect()
    expected = [
        {"product_id": "p", "day_on": AS_OF, "category": "a", "n_events": 4, "n_views": 1, "n_carts": 1,
         "n_purchases": 2, "n_units": 5, "n_priced": 3, "price_sum": Decimal(9), "currency": "CHF"},
        {"product_id": "p", "day_on": AS_OF + timedelta(days=1), "category": None, "n_events": 1, "n_views": 1,
         "n_carts": 0, "n_purchases": 0, "n_units": 0, "n_priced": 0, "price_sum": Decimal(0), "currency": None},
    ]  # fmt: skip
    assert [row.asDict() for row in found] == expected


@pytest.mark.parametrize("seed", [3, 4])
def test_days_equal_those_of_plain_python_in_any_order_of_rows(spark: SparkSession, seed: int) -> None:
    events, sessions, lines = random_days(seed, 6)
    assert days(spark, events, sessions, lines) == days_of_users(events, sessions, lines)
    frames = shop_frames(spark, events, sessions, lines)
    turned = [frame.repartition(3) for frame in shop_frames(spark, events[::-1], sessions[::-1], lines[::-1])]
    assert texts_of(summarise_user_days(*turned, ZONE)) == texts_of(summarise_user_days(*frames, ZONE))
    products = summarise_product_days(turned[0]).orderBy("product_id", "day_on").collect()
    assert [row.asDict() for row in products] == days_of_products(events)


def test_nothing_after_a_day_moves_the_days_before_it(spark: SparkSession) -> None:
    end = end_of(AS_OF, ZONE)
    events, sessions, lines = random_days(5, 4)
    known = (
        [row for row in events if row["event_at"] < end],
        [row for row in sessions if row["closes_at"] <= end],
        [row for row in lines if row["lined_at"] < end],
    )
    then = summarise_user_days(*shop_frames(spark, *known), ZONE)
    now = summarise_user_days(*shop_frames(spark, events, sessions, lines), ZONE)
    assert then.count() < now.count()
    assert texts_of(now.where(F.col("day_on") <= F.lit(AS_OF))) == texts_of(then)
