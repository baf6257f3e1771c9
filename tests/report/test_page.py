import random
import re
from dataclasses import fields, replace

import pytest

from tests.report.shop_tables import AS_OF, HOSTILE, full_tables
from ulm_spark.config.errors import ConfigError
from ulm_spark.report.page import ReportConf, render_report
from ulm_spark.report.records import ReportTables

CHARTS = (
    "chart-funnel",
    "chart-sessions",
    "chart-revenue",
    "chart-conversion",
    "chart-user-retention",
    "chart-user-brackets",
    "chart-retention",
    "chart-segments",
    "chart-segment-features",
    "chart-rfm",
    "chart-stages",
    "chart-stage-flow",
    "chart-churn",
    "chart-quality-churn",
    "chart-quality-items",
    "chart-quarantine",
    "chart-runs",
)


@pytest.fixture(scope="module")
def page() -> str:
    return render_report(full_tables(), ReportConf(title="A <b>shop</b>"))


def test_the_same_tables_in_any_order_give_the_same_bytes(page: str) -> None:
    tables = full_tables()
    draw = random.Random(5)
    shuffled = {}
    for name in (field.name for field in fields(ReportTables) if field.name != "as_of"):
        rows = list(getattr(tables, name))
        draw.shuffle(rows)
        shuffled[name] = tuple(rows)
    assert render_report(replace(tables, **shuffled), ReportConf(title="A <b>shop</b>")) == page


def test_every_chart_has_its_stable_id_a_text_alternative_a_reading_guide_and_its_numbers(page: str) -> None:
    assert tuple(re.findall(r'class="chart" id="(chart-[a-z-]+)"', page)) == CHARTS
    for figure in re.findall(r"<figure>.*?</figure>", page, flags=re.DOTALL):
        assert re.search(r'class="shows"[^>]*>[^<]{20,}', figure)
        assert re.search(r"<figcaption>[^<]{40,}", figure)
        assert "<table>" in figure


def test_text_of_users_and_of_the_config_is_escaped(page: str) -> None:
    assert HOSTILE not in page
    assert "&lt;script&gt;alert(&#39;title&#39;)&lt;/script&gt;" in page
    assert "<h1>A &lt;b&gt;shop&lt;/b&gt;</h1>" in page


def test_plotly_is_in_the_page_once_and_nothing_is_loaded(page: str) -> None:
    own = re.sub(r"<script>/\*\*\n\* plotly\.js.*?</script>", "", page, flags=re.DOTALL)
    assert len(page) - len(own) > 1_000_000
    assert not re.search(r"(src|href)=\"(?!#)|url\(|@import|https?://", own)


def test_a_page_without_any_row_is_made_and_needs_no_charts() -> None:
    page = render_report(ReportTables(AS_OF), ReportConf())
    assert page.count('class="missing"') == 14
    assert len(page) < 50_000


@pytest.mark.parametrize("setting", ["daily_days", "cohorts", "example_users", "example_items"])
def test_a_size_below_one_is_refused_by_its_name(setting: str) -> None:
    with pytest.raises(ConfigError, match=rf"report\.{setting}: found 0"):
        ReportConf(**{setting: 0})
