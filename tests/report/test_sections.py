from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from tests.report.shop_tables import AS_OF, full_tables, records
from ulm_spark.contracts import gold, ops
from ulm_spark.contracts.stages import STAGE_TRANSITIONS
from ulm_spark.report import activity, customers, models, operations, stages
from ulm_spark.report.blocks import Grid, Section
from ulm_spark.report.records import Record, ReportTables

EMPTY = ReportTables(AS_OF)


def texts(grid: Grid) -> list[tuple[str, ...]]:
    return [tuple(cell.text for cell in row) for row in grid.rows]


@pytest.mark.parametrize(
    "section",
    [
        activity.headline(EMPTY),
        activity.funnel(EMPTY),
        activity.daily(EMPTY, 400),
        customers.retention(EMPTY, 13),
        customers.segments(EMPTY),
        stages.stages(EMPTY),
        models.churn(EMPTY),
        models.examples(EMPTY, 6, 6),
        models.quality(EMPTY),
        operations.data_quality(EMPTY),
        operations.run_times(EMPTY),
    ],
    ids=lambda section: section.section_id,
)
def test_an_empty_table_gives_a_sentence_and_no_chart(section: Section) -> None:
    assert section.charts == ()
    assert section.missing[0].endswith(".")


def test_a_day_without_a_row_counts_as_zero() -> None:
    rows = records(
        gold.DAILY_ACTIVITY,
        [{"day_on": AS_OF - timedelta(days=2), "n_sessions": 4}, {"day_on": AS_OF, "n_sessions": 6}],
    )
    assert [day.n_sessions for day in activity.fill_days(rows, AS_OF)] == [4.0, 0.0, 6.0]


def test_the_funnel_gives_shares_of_visits_and_of_the_step_before() -> None:
    steps = (("visit", 200, 90), ("view", 100, 60), ("cart", 40, 30), ("purchase", 10, 9))
    rows = [{"step": n, "step_name": s, "n_sessions": k, "n_users": u} for n, (s, k, u) in enumerate(steps, 1)]
    (chart,) = activity.funnel(replace(EMPTY, funnel=records(gold.FUNNEL, rows))).charts
    assert texts(chart.numbers) == [
        ("visit", "200", "90", "100.0%", "–"),
        ("view", "100", "60", "50.0%", "50.0%"),
        ("cart", "40", "30", "20.0%", "40.0%"),
        ("purchase", "10", "9", "5.0%", "25.0%"),
    ]


def test_retention_marks_months_that_are_not_over_and_leaves_them_out_of_the_mean() -> None:
    cohorts = (
        (date(2011, 9, 1), 1, 100, 30, True),
        (date(2011, 9, 1), 2, 100, 5, False),
        (date(2011, 10, 1), 1, 50, 1, False),
    )
    rows = [
        {"cohort_on": on, "months_since": since, "n_users": users, "n_retained": kept, "is_complete": is_over}
        for on, since, users, kept, is_over in cohorts
    ]
    (chart,) = customers.retention(replace(EMPTY, retention=records(gold.RETENTION, rows)), 13).charts
    assert texts(chart.numbers) == [
        ("Sep 2011", "100", "30%", "5%*"),
        ("Oct 2011", "50", "2%*", ""),
        ("All", "", "30%", "–"),
    ]


def test_an_unknown_outcome_is_said_and_the_forecast_is_drawn() -> None:
    section = models.churn(replace(full_tables(), churn_outcomes=()))
    assert "not known yet: it needs all purchases of the 30 days after 9 Nov 2011" in section.missing[0]
    assert section.charts[0].numbers.heads == ("Tenth", "Users", "Forecast")


def test_the_outcome_of_an_earlier_day_is_shown_under_its_own_day() -> None:
    earlier = date(2011, 10, 9)
    row = {"as_of": earlier, "risk_decile": 10, "n_users": 20, "mean_p_churn": 0.8, "churn_rate": 0.7}
    section = models.churn(replace(EMPTY, churn_outcomes=records(gold.CHURN_OUTCOMES, [row])))
    assert "9 Oct 2011" in section.intro
    assert "The outcome of the forecast of 9 Nov 2011 is not known yet" in section.missing[0]


@pytest.mark.parametrize(
    ("metric", "low", "high", "says"),
    [
        ("auc", 0.01, 0.02, "better"),
        ("auc", -0.01, 0.02, "unclear"),
        ("log_loss", 0.01, 0.02, "worse"),
        ("log_loss", -0.02, -0.01, "better"),
        ("auc", None, None, "no interval"),
    ],
)
def test_the_verdict_follows_the_interval_of_the_difference(
    metric: str, low: float | None, high: float | None, says: str
) -> None:
    row = Record({"baseline": "recency", "metric": metric, "difference_low": low, "difference_high": high})
    assert models.verdict(row)[0] == says


def test_a_failed_last_run_is_named_with_its_message_and_a_later_success_hides_it() -> None:
    def run(job: str, status: str, minute: int) -> dict[str, object]:
        at = datetime(2011, 11, 10, 2, minute, tzinfo=UTC)
        return {
            "run_id": f"{minute}",
            "job": job,
            "status": status,
            "started_at": at,
            "seconds": 5.0,
            "message": "no <disk>",
        }

    rows = [run("sessionize", "failed", 1), run("sessionize", "done", 2), run("train_als", "failed", 3)]
    section = operations.run_times(replace(EMPTY, runs=records(ops.RUNS, rows)))
    assert section.missing == ("train_als failed: no <disk>",)
    assert [row[:2] for row in texts(section.charts[0].numbers)] == [("sessionize", "done"), ("train_als", "failed")]


def test_kept_and_quarantined_rows_add_up_to_what_was_received() -> None:
    outcomes = (("kept", 90), ("duplicate", 7), ("bad_event_at", 3))
    rows = [{"source": "shop", "outcome": name, "n_rows": n} for name, n in outcomes]
    (chart,) = operations.data_quality(replace(EMPTY, data_quality=records(gold.DATA_QUALITY, rows))).charts
    assert texts(chart.numbers) == [
        ("shop", "kept", "90", "90.00%"),
        ("shop", "duplicate", "7", "7.00%"),
        ("shop", "bad event at", "3", "3.00%"),
        ("shop", "received", "100", ""),
    ]


def test_stages_are_counted_both_ways_and_moves_are_shares_of_where_users_came_from() -> None:
    counts = (("growth", "growth", 6), ("growth", "maturity", 2), ("churned", "churned", 2))
    counted = tuple(Record({"stage": by_rules, "model_stage": model, "n_users": n}) for by_rules, model, n in counts)
    moves = (("growth", "growth", 6), ("growth", "churned", 2), ("maturity", "maturity", 2))
    rows = [
        {"model": "rules", "period_on": AS_OF, "from_stage": came, "to_stage": went, "n": n} for came, went, n in moves
    ]
    told = replace(EMPTY, stage_counts=counted, stage_transitions=records(STAGE_TRANSITIONS, rows))
    section = stages.stages(told)
    sizes, flow = section.charts
    assert texts(sizes.numbers)[1:3] == [
        ("growth", "8", "80.0%", "6", "60.0%"),
        ("maturity", "0", "0.0%", "2", "20.0%"),
    ]
    assert "the same of 80.0% of the users" in sizes.how_to_read
    assert texts(flow.numbers) == [("9 Nov 2011", "growth", "churned", "2")]
    assert "20.0% of the users changed" in flow.shows
    assert texts(section.grids[0])[1] == ("growth", "8", "", "75.0%", "", "", "25.0%", "")
    (only,) = stages.stages(replace(told, stage_transitions=())).missing
    assert "nobody has moved" in only
