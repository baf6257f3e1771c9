"""Classic, rolling and bracket retention, by hand, against plain loops, and in odd shops."""

from datetime import date

import pytest
from pyspark.sql import SparkSession

from tests.frames import rows_of
from tests.users.metric_rows import days_of, random_metric_shop
from tests.users.metrics_oracle import retention_by_loops
from tests.users.shop_rows import AS_OF
from ulm_spark.config.errors import ConfigError
from ulm_spark.contracts.metrics import USER_RETENTION
from ulm_spark.contracts.user_days import USER_DAYS
from ulm_spark.users.active_days import list_active_days
from ulm_spark.users.metrics_conf import MetricsConf
from ulm_spark.users.retention import summarise_user_retention

CONF = MetricsConf()
ACTIVE = "user_id STRING, active_on DATE"
SHOWN = USER_RETENTION.column_names[1:]


def retained(spark: SparkSession, days: dict[str, list[str]], as_of: str, conf: MetricsConf) -> set[tuple[object, ...]]:
    rows = [
        {"user_id": user, "active_on": date.fromisoformat(f"2024-{day}")} for user, on in days.items() for day in on
    ]
    active = rows_of(spark, ACTIVE, rows)
    told = summarise_user_retention(active, date.fromisoformat(f"2024-{as_of}"), conf)
    assert told.columns == list(USER_RETENTION.column_names)
    return {tuple(row) for row in told.select(*SHOWN).collect()}


def test_day_n_is_the_nth_calendar_day_after_the_first_and_each_kind_asks_its_own_question(spark: SparkSession) -> None:
    conf = MetricsConf(retention_days=(1, 3), bracket_ends=(2, 4))
    days = {"on 1": ["01-01", "01-02"], "on 3": ["01-02", "01-05"], "never": ["01-07"], "on 4": ["01-01", "01-05"]}
    week = date(2024, 1, 1)  # a Monday; 7 January is the Sunday of its week
    assert retained(spark, days, "01-10", conf) == {
        (week, "classic", 1, 1, 4, 4, 1, True),
        (week, "classic", 3, 3, 4, 4, 1, True),
        (week, "rolling", 1, None, 4, 4, 3, True),
        (week, "rolling", 3, None, 4, 4, 2, True),
        (week, "bracket", 1, 2, 4, 4, 1, True),
        (week, "bracket", 3, 4, 4, 3, 2, False),
    }


def test_a_user_counts_from_the_end_of_day_n_and_a_row_appears_with_the_first_user(spark: SparkSession) -> None:
    conf = MetricsConf(retention_days=(2,), bracket_ends=(2,))
    days = {"early": ["01-01", "01-03"], "late": ["01-02", "01-03"]}
    assert retained(spark, days, "01-02", conf) == set()
    classic = {row for row in retained(spark, days, "01-03", conf) if row[1] == "classic"}
    assert classic == {(date(2024, 1, 1), "classic", 2, 2, 2, 1, 1, False)}


def test_one_user_of_one_day_is_a_cohort_of_which_nothing_is_over(spark: SparkSession) -> None:
    assert retained(spark, {"u": ["01-01"]}, "01-01", CONF) == set()
    assert retained(spark, {}, "01-01", CONF) == set()


@pytest.mark.parametrize("seed", [1, 2])
def test_retention_equals_plain_loops_in_any_order_and_future_events_move_nothing(
    spark: SparkSession, seed: int
) -> None:
    shop = random_metric_shop(seed, 12)
    expected = retention_by_loops(shop.events, AS_OF, CONF)
    for rows in (shop.events, shop.shuffled().events, shop.known().events):
        active = list_active_days(rows_of(spark, USER_DAYS, days_of(rows)), AS_OF)
        told = summarise_user_retention(active, AS_OF, CONF)
        assert {tuple(row) for row in told.select(*SHOWN).collect()} == expected


@pytest.mark.parametrize("days", [(), (0, 1), (7, 3), (3, 3), (4000,)])
@pytest.mark.parametrize("name", ["window_days", "retention_days", "bracket_ends"])
def test_days_that_do_not_rise_are_refused_by_name(name: str, days: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match=rf"metrics\.{name}: found .*; expected rising numbers"):
        MetricsConf(**{name: days})


def test_brackets_follow_each_other_from_day_1() -> None:
    assert MetricsConf().brackets == ((1, 7), (8, 14), (15, 30), (31, 60), (61, 90))
