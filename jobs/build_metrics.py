"""Count the shop's days, its funnel, the retention of its buyers, and the quality of its input.

Reads silver.events, silver.sessions, silver.orders and silver.order_lines as known at the end of as_of,
and bronze.quarantine. Writes that day's slices of gold.daily_activity, gold.funnel, gold.retention and
gold.data_quality; a re-run replaces them.
"""

import sys
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import SparkSession

from ulm_spark.contracts.bronze import QUARANTINE
from ulm_spark.contracts.gold import DAILY_ACTIVITY, DATA_QUALITY, FUNNEL, RETENTION
from ulm_spark.contracts.silver import EVENTS, ORDER_LINES, ORDERS, SESSIONS
from ulm_spark.lake.job import BaseConf, run_job
from ulm_spark.lake.ledger import open_run
from ulm_spark.pipeline.attributed import Attribution, attributed_events
from ulm_spark.users.metrics import summarise_days, summarise_funnel, summarise_quality, summarise_retention

JOB = "build_metrics"


@dataclass(frozen=True)
class Conf(BaseConf):
    """What the job reads from the config file."""

    identity: Attribution = field(default_factory=Attribution)


def run(spark: SparkSession, conf: Conf, as_of: date) -> None:
    """Replace the day's figures."""
    zone = conf.shop.zone
    with open_run(spark, conf, JOB, as_of) as ledger:
        sessions, lines = ledger.read(SESSIONS), ledger.read(ORDER_LINES)
        events = attributed_events(ledger, conf.identity)
        days = summarise_days(events, sessions, ledger.read(ORDERS), lines, as_of, zone)
        ledger.replace(days, DAILY_ACTIVITY)
        ledger.replace(summarise_funnel(sessions, as_of, zone), FUNNEL)
        ledger.replace(summarise_retention(lines, as_of, zone), RETENTION)
        ledger.replace(summarise_quality(ledger.read(EVENTS), ledger.read(QUARANTINE), as_of), DATA_QUALITY)


def main(argv: list[str] | None = None) -> int:
    """The command line: --config FILE --as-of DATE [--set a.b=c]."""
    return run_job(JOB, Conf, run, argv)


if __name__ == "__main__":
    sys.exit(main())
