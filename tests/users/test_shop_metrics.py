"""The shop's figures against plain loops; satisfaction and cost of acquisition by hand."""

from datetime import timedelta
from decimal import Decimal

import pytest
from pyspark.sql import SparkSession

from tests.frames import rows_of, texts_of
from tests.users.metric_rows import Shop, days_of, orders_of, random_metric_shop
from tests.users.metrics_oracle import metrics_by_loops
from tests.users.shop_rows import AS_OF, ZONE, Row, at, event, line, session
from ulm_spark.contracts.marketing import MARKETING_SPEND
from ulm_spark.contracts.metrics import CHANNEL_ACQUISITION, SHOP_METRIC_CATALOGUE, SHOP_METRICS
from ulm_spark.contracts.silver import EVENTS, ORDER_LINES
from ulm_spark.contracts.user_days import USER_DAYS
from ulm_spark.users.acquisition import summarise_acquisition
from ulm_spark.users.satisfaction import sum_answers, sum_ratings
from ulm_spark.users.shop_metrics import ShopFacts, summarise_shop

WINDOWS = (30, 90)
NAMES = [metric.name for metric in SHOP_METRIC_CATALOGUE]


def told(facts: ShopFacts) -> dict[tuple[str, int], tuple[object, ...]]:
    rows = summarise_shop(facts, AS_OF, ZONE, WINDOWS, "EUR").collect()
    return {(r["metric"], r["window_days"]): (r["value"], r["numerator"], r["denominator"], r["unit"]) for r in rows}


def paid(day: int, channel: str, amount: str) -> Row:
    return {"day_on": AS_OF + timedelta(days=day), "channel": channel, "amount": Decimal(amount), "currency": "JPY"}


def test_every_metric_of_the_catalogue_is_told_over_every_window_also_by_an_empty_shop(spark: SparkSession) -> None:
    found = told(Shop([], [], [], [], []).frames(spark))
    assert sorted(found) == sorted((name, n) for name in NAMES for n in WINDOWS)
    assert {found[name, 30][0] for name in ("active_users", "buyers", "orders", "net_revenue")} == {0.0}
    ratios = ("repeat_rate", "arpu", "conversion_rate", "marketing_spend", "cac", "review_score", "nps")
    assert {found[name, 90][0] for name in ratios} == {None}
    assert [found[name, 30][3] for name in ("arpu", "nps", "review_score")] == ["EUR", "points", "stars"]


def test_one_user_of_one_day(spark: SparkSession) -> None:
    events = [event("1", "u", at(0), "view"), event("2", "u", at(0), "purchase")]
    lines = [line("2", "u", at(0), quantity=3)]
    visits = [session("s", "u", at(0), has_purchase=True)]
    found = told(Shop(events, visits, orders_of(lines), lines, []).frames(spark))
    values = {name: found[name, 30][0] for name in NAMES}
    expected: dict[str, float | None] = dict.fromkeys(NAMES, None)
    expected |= dict.fromkeys(("active_users", "new_users", "buyers", "new_buyers", "orders", "conversion_rate"), 1.0)
    expected |= dict.fromkeys(("gross_revenue", "net_revenue", "arpu", "arppu", "average_order_value"), 30.0)
    assert values == expected | {"repeat_rate": 0.0}


@pytest.mark.parametrize("seed", [1, 2])
def test_the_figures_equal_plain_loops(spark: SparkSession, seed: int) -> None:
    shop = random_metric_shop(seed, 10)
    found = told(shop.frames(spark))
    for n in WINDOWS:
        expected = metrics_by_loops(shop.events, shop.sessions, shop.lines, shop.spend, AS_OF, n)
        assert {name: found[name, n][0] for name in NAMES} == expected


def test_neither_the_order_of_rows_nor_the_future_moves_a_digit(spark: SparkSession) -> None:
    shop = random_metric_shop(5, 8)
    tables = []
    for one in (shop, shop.shuffled(), shop.known()):
        facts = one.frames(spark)
        won = summarise_acquisition(one.user_days(spark), facts.lines, facts.spend, AS_OF, ZONE, WINDOWS)
        metrics = summarise_shop(facts, AS_OF, ZONE, WINDOWS, "JPY")
        assert metrics.columns == list(SHOP_METRICS.column_names)
        tables.append((texts_of(metrics), texts_of(won)))
    assert tables[0] == tables[1] == tables[2]


def test_a_repeat_buyer_bought_on_an_earlier_day_and_several_currencies_are_named(spark: SparkSession) -> None:
    lines = [
        line("1", "twice on one day", at(-1), order_id="a"),
        line("2", "twice on one day", at(-1, 14), order_id="b"),
        line("3", "before the window", at(-60), currency="USD"),
        line("4", "before the window", at(-1), currency="JPY"),
        line("5", "only before", at(-70)),
        line("6", "only before", at(-60)),
    ]
    found = told(Shop([], [], orders_of(lines), lines, []).frames(spark))
    assert found["repeat_rate", 30] == (0.5, 1.0, 2.0, "share")
    assert found["repeat_rate", 90] == (2 / 3, 2.0, 3.0, "share")
    assert [found["gross_revenue", n][3] for n in WINDOWS] == ["JPY", "JPY/USD"]


def test_the_net_promoter_score_takes_each_users_last_answer_and_no_stars(spark: SparkSession) -> None:
    def answer(event_id: str, user: str | None, day: int, text: str, **more: object) -> Row:
        return event(event_id, user, at(day), "click", attributes={"nps": text}, **more)

    rows = [
        answer("1", "changed", -3, "0"),
        answer("2", "changed", -1, "9"),
        answer("3", "promoter", -2, "10"),
        answer("4", "passive", -2, " 8.0 "),
        answer("5", "detractor", -2, "6"),
        answer("6", None, -2, "0"),
        answer("7", None, -2, "010"),
        answer("8", "unread", -2, "11"),
        answer("9", "unread", -2, "-1"),
        answer("A", "unread", -2, "7.5"),
        answer("B", "unread", -2, "ten"),
        answer("C", "long ago", -40, "1"),
        answer("D", "passive", 1, "0"),
        event("E", "stars", at(-1), "review", rating=5),
        event("F", "others", at(-1), "view", attributes={"colour": "9"}),
        event("G", None, at(-1), "listing", attributes={"nps": "1"}),
    ]
    # Promoters: changed, promoter and a guest; detractors: detractor and a guest; passive: one. 100 * (3 - 2) / 6.
    (row,) = sum_answers(rows_of(spark, EVENTS, rows), AS_OF, ZONE, WINDOWS).collect()
    assert (row["n_answers_30"], row["n_promoters_30"], row["n_detractors_30"]) == (6, 3, 2)
    assert (row["n_answers_90"], row["n_promoters_90"], row["n_detractors_90"]) == (7, 3, 3)
    found = told(Shop(rows, [], [], [], []).frames(spark))
    assert found["nps", 30] == (100 / 6, 100.0, 6.0, "points")
    without = told(Shop(rows[-3:-1], [], [], [], []).frames(spark))
    assert without["nps", 30] == (None, 0.0, 0.0, "points")


def test_ratings_of_1_to_5_of_reviews_alone_make_the_score(spark: SparkSession) -> None:
    rows = [
        event("1", "a", at(0), "review", rating=5),
        event("2", None, at(0), "review", rating=2),
        event("3", "a", at(-29), "review", rating=4),
        event("4", "a", at(-30), "review", rating=1),
        event("5", "a", at(0), "review", rating=None),
        event("6", "a", at(0), "view", rating=1),
        event("7", "a", at(1, 0), "review", rating=1),
    ]
    (row,) = sum_ratings(rows_of(spark, EVENTS, rows), AS_OF, ZONE, WINDOWS).collect()
    assert tuple(row) == (11, 3, 2, 12, 4, 2)


def test_a_new_buyer_costs_what_was_spent_on_the_channel_that_came_first(spark: SparkSession) -> None:
    def seen(n: str, user: str, day: int, channel: str | None) -> Row:
        return event(n, user, at(day), "view", channel=channel)

    events = [
        seen("1", "a", -9, None),
        seen("2", "a", -8, "ads"),
        seen("3", "a", -1, "email"),
        seen("4", "b", -5, "ads"),
        seen("5", "c", -50, "ads"),
        seen("6", "d", -5, None),
        seen("7", "e", 1, "social"),
    ]
    lines = [line(n, n, at(day)) for n, day in (("a", -1), ("b", 0), ("c", -50), ("d", -5), ("e", 1))]
    lines += [line("again", "c", at(-1)), line("back", "f", at(-1), line_type="return")]
    spend = [paid(0, "ads", "20"), paid(-29, "ads", "10.5"), paid(-30, "ads", "9"), paid(-3, "email", "5"),
             paid(1, "ads", "99"), paid(-80, "radio", "0")]  # fmt: skip
    table = summarise_acquisition(
        rows_of(spark, USER_DAYS, days_of(events)),
        rows_of(spark, ORDER_LINES, lines),
        rows_of(spark, MARKETING_SPEND, spend),
        AS_OF,
        ZONE,
        WINDOWS,
    )
    assert table.columns == list(CHANNEL_ACQUISITION.column_names)
    found = {tuple(row)[1:] for row in table.collect()}
    assert found == {
        (30, "ads", 2, Decimal("30.5"), "JPY", 15.25),
        (30, "email", 0, Decimal(5), "JPY", None),
        (30, "unknown", 1, None, None, None),
        (90, "ads", 3, Decimal("39.5"), "JPY", 39.5 / 3),
        (90, "email", 0, Decimal(5), "JPY", None),
        (90, "radio", 0, Decimal(0), "JPY", None),
        (90, "unknown", 1, None, None, None),
    }
