"""How do the sections become one offline HTML page?"""

from dataclasses import dataclass
from datetime import date

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from ulm_spark.config.require import require
from ulm_spark.report import activity, customers, models, operations, shop_metrics, stages, words
from ulm_spark.report.records import ReportTables


@dataclass(frozen=True)
class ReportConf:
    """Section ``report``.

    title: heading of the page. daily_days: days on the daily charts, the last ones. cohorts: monthly
    cohorts shown, the last ones. example_users, example_items: size of the examples of recommendations.
    """

    title: str = "Shop report"
    daily_days: int = 400
    cohorts: int = 13
    example_users: int = 6
    example_items: int = 6

    def __post_init__(self) -> None:
        require(bool(self.title.strip()), "report.title", "an empty text", "the page's heading")
        for name in ("daily_days", "cohorts", "example_users", "example_items"):
            require(getattr(self, name) >= 1, f"report.{name}", getattr(self, name), "at least 1")


def page_of(as_of: date) -> str:
    """The page of a day, below the lake's root."""
    return f"reports/as_of={as_of}/index.html"


def render_report(tables: ReportTables, conf: ReportConf) -> str:
    """One HTML file with its styles, scripts and numbers inside.

    Rule: the same tables and config give the same text; nothing on the page is fetched.
    Edge: a section whose table is empty says so in words.
    """
    sections = (
        activity.headline(tables),
        activity.funnel(tables),
        activity.daily(tables, conf.daily_days),
        shop_metrics.conversion(tables, conf.daily_days),
        shop_metrics.shop_figures(tables),
        shop_metrics.user_retention(tables),
        customers.retention(tables, conf.cohorts),
        customers.segments(tables),
        stages.stages(tables),
        models.churn(tables),
        models.examples(tables, conf.example_users, conf.example_items),
        models.quality(tables),
        operations.data_quality(tables),
        operations.run_times(tables),
    )
    pages = Environment(
        loader=PackageLoader("ulm_spark.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    # Only the project's own files and Plotly's library go in unescaped.
    return pages.get_template("page.html.j2").render(
        title=conf.title,
        as_of=tables.as_of.isoformat(),
        as_of_words=words.day(tables.as_of),
        sections=sections,
        plotly=Markup(get_plotlyjs()) if any(section.charts for section in sections) else "",
    )
