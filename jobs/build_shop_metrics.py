"""Tell who comes back, who goes on to buy, and what a user brings and costs.

Reads what silver knows at the end of as_of; replaces the day's slices of the tables of contracts/metrics.py.
"""

import sys
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import SparkSession

from ulm_spark.contracts import metrics as tables
from ulm_spark.contracts.marketing import MARKETING_SPEND
from ulm_spark.contracts.silver import ORDER_LINES, ORDERS, SESSIONS
from ulm_spark.contracts.user_days import USER_DAYS
from ulm_spark.lake.job import BaseConf, run_job
from ulm_spark.lake.ledger import open_run
from ulm_spark.lake.persisted import persisted
from ulm_spark.pipeline.attributed import Attribution, attributed_events
from ulm_spark.users.acquisition import summarise_acquisition
from ulm_spark.users.active_days import list_active_days
from ulm_spark.users.conversion import summarise_conversion
from ulm_spark.users.customers import summarise_customers
from ulm_spark.users.metrics_conf import MetricsConf
from ulm_spark.users.retention import summarise_user_retention
from ulm_spark.users.shop_metrics import ShopFacts, summarise_shop

JOB = "build_shop_metrics"


@dataclass(frozen=True)
class Conf(BaseConf):
    """What the job reads from the config file."""

    metrics: MetricsConf = field(default_factory=MetricsConf)
    identity: Attribution = field(default_factory=Attribution)


def run(spark: SparkSession, conf: Conf, as_of: date) -> None:
    """Replace the day's figures."""
    zone, windows = conf.shop.zone, conf.metrics.window_days
    with open_run(spark, conf, JOB, as_of) as ledger:
        sessions, orders, lines, spend = (ledger.read(t) for t in (SESSIONS, ORDERS, ORDER_LINES, MARKETING_SPEND))
        events, user_days = attributed_events(ledger, conf.identity), ledger.read(USER_DAYS)
        ledger.replace(summarise_conversion(sessions, as_of, zone), tables.DAILY_CONVERSION)
        ledger.replace(summarise_acquisition(user_days, lines, spend, as_of, zone, windows), tables.CHANNEL_ACQUISITION)
        with persisted(list_active_days(user_days, as_of)) as days:
            ledger.replace(summarise_user_retention(days, as_of, conf.metrics), tables.USER_RETENTION)
            ledger.replace(summarise_customers(days, lines, as_of, zone), tables.DAILY_CUSTOMERS)
            shop = ShopFacts(events, days, sessions, orders, lines, spend)
            ledger.replace(summarise_shop(shop, as_of, zone, windows, conf.shop.currency), tables.SHOP_METRICS)


def main(argv: list[str] | None = None) -> int:
    """The command line: --config FILE --as-of DATE [--set a.b=c]."""
    return run_job(JOB, Conf, run, argv)


if __name__ == "__main__":
    sys.exit(main())
