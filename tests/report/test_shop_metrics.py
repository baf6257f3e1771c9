from dataclasses import replace
from datetime import timedelta

import pytest

from tests.report.shop_tables import AS_OF, full_tables, records
from tests.report.test_sections import EMPTY, texts
from ulm_spark.contracts import metrics
from ulm_spark.contracts.metrics import SHOP_METRIC_CATALOGUE
from ulm_spark.report import shop_metrics
from ulm_spark.report.blocks import Section


@pytest.mark.parametrize(
    "section",
    [shop_metrics.user_retention(EMPTY), shop_metrics.conversion(EMPTY, 400), shop_metrics.shop_figures(EMPTY)],
    ids=lambda section: section.section_id,
)
def test_an_empty_table_gives_a_sentence_and_no_chart(section: Section) -> None:
    assert (section.charts, section.grids) == ((), ())
    assert section.missing[0].endswith(".")


def test_cohorts_are_pooled_by_their_users() -> None:
    rows = [
        {"cohort_on": on, "kind": kind, "first_day": 1, "last_day": last, "n_users": users, "n_retained": back}
        for on, kind, last, users, back in (
            (AS_OF, "classic", 1, 100, 10),
            (AS_OF - timedelta(days=7), "classic", 1, 300, 90),
            (AS_OF, "rolling", None, 100, 50),
            (AS_OF, "bracket", 7, 50, 25),
        )
    ]
    tables = replace(EMPTY, user_retention=records(metrics.USER_RETENTION, rows))
    curves, brackets = shop_metrics.user_retention(tables).charts
    assert texts(curves.numbers) == [("1", "400", "25.0%", "50.0%")]
    assert texts(brackets.numbers) == [("Days 1-7", "50", "25", "50.0%")]


def test_shares_of_visits_are_of_the_last_seven_days_together() -> None:
    rows = [
        {"day_on": AS_OF - timedelta(days=n), "n_sessions": sessions, "n_purchase_sessions": bought}
        for n, sessions, bought in ((7, 100, 0), (1, 30, 10), (0, 10, 10))
    ]
    tables = replace(EMPTY, daily_conversion=records(metrics.DAILY_CONVERSION, rows))
    (chart,) = shop_metrics.conversion(tables, 8).charts
    assert "purchase 14.3%" in chart.shows  # three rows: 20 of 140
    assert "purchase 50.0%" in shop_metrics.conversion(tables, 7).charts[0].shows


def test_every_figure_stands_beside_its_definition_and_no_spend_is_said() -> None:
    section = shop_metrics.shop_figures(full_tables())
    table, month, quarter = section.grids
    rows = {row[0]: row[1:] for row in texts(table)}
    assert {metric.title: metric.formula for metric in SHOP_METRIC_CATALOGUE} == {k: v[0] for k, v in rows.items()}
    assert rows["Repeat rate"][1:] == ("31.2%", "31.2%")
    assert rows["Net promoter score (NPS)"][1:] == ("–", "–")
    assert rows["Revenue per active user (ARPU)"][1] == "54.50 GBP"
    assert texts(month)[0] == ("ads", "120", "1,800.00 GBP", "15.00 GBP")
    assert texts(quarter)[1:] == [("unknown", "31", "–", "–"), ("radio", "0", "90.00 GBP", "–")]
    assert section.missing == ()
    assert (
        "marketing.spend_path" in shop_metrics.shop_figures(replace(full_tables(), channel_acquisition=())).missing[0]
    )
