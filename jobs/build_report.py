"""Make one offline HTML page from the gold tables and the run ledger.

Reads the slices of as_of: gold.daily_activity, gold.funnel, gold.retention, what build_shop_metrics writes,
gold.segment_profiles, gold.user_segments, gold.rfm_grid, gold.user_stages, gold.stage_transitions,
gold.churn_scores, gold.data_quality, the ops.*_models and ops.runs. Of what needs an outcome (gold.model_quality,
gold.churn_outcomes, gold.recommendation_examples) it shows the latest slice not after as_of, and says so. Writes
reports/as_of=DAY/index.html below the lake's root and the day's row of ops.reports; submitted alone it prints the
page's path. A re-run replaces both; equal tables give equal bytes.
"""

import sys
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import SparkSession

from ulm_spark.contracts.ops import REPORTS
from ulm_spark.lake.job import BaseConf, run_job
from ulm_spark.lake.ledger import open_run
from ulm_spark.lake.store import Lake
from ulm_spark.report.page import ReportConf, page_of, render_report
from ulm_spark.report.records import tables_of
from ulm_spark.report.slices import select_slices

JOB = "build_report"


@dataclass(frozen=True)
class Conf(BaseConf):
    """What the job reads from the config file."""

    report: ReportConf = field(default_factory=ReportConf)


def run(spark: SparkSession, conf: Conf, as_of: date) -> None:
    """Write the day's page."""
    with open_run(spark, conf, JOB, as_of) as ledger:
        slices = select_slices(ledger.read, as_of)
        rows = {name: [row.asDict() for row in frame.collect()] for name, frame in slices.items()}
        page = render_report(tables_of(as_of, rows), conf.report).encode()
        relative = page_of(as_of)
        ledger.lake.files.write_bytes(relative, page)
        ledger.replace(ledger.frame_of(REPORTS, [(as_of, relative, len(page))]), REPORTS)


def run_and_say(spark: SparkSession, conf: Conf, as_of: date) -> None:
    """Write the page and print its path; ``ulm run`` says it by itself, also of a page that still holds."""
    run(spark, conf, as_of)
    print(f"{Lake(spark, conf.lake).root}/{page_of(as_of)}")


def main(argv: list[str] | None = None) -> int:
    """The command line: --config FILE --as-of DATE [--set a.b=c]."""
    return run_job(JOB, Conf, run_and_say, argv)


if __name__ == "__main__":
    sys.exit(main())
