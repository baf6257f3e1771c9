"""Describe every user as of a day: recency, frequency, money, visits, tastes.

Reads silver.events, silver.sessions and silver.order_lines; writes the day's slice of
gold.user_features. A re-run replaces the slice of its day and no other; it differs only where the
lake has learned of late events.
"""

import sys
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import SparkSession

from ulm_spark.contracts.gold import USER_FEATURES
from ulm_spark.contracts.silver import ORDER_LINES, SESSIONS
from ulm_spark.lake.job import BaseConf, run_job
from ulm_spark.lake.ledger import open_run
from ulm_spark.pipeline.attributed import Attribution, attributed_events
from ulm_spark.users.features import build_features

JOB = "build_user_features"


@dataclass(frozen=True)
class Conf(BaseConf):
    """What the job reads from the config file."""

    identity: Attribution = field(default_factory=Attribution)


def run(spark: SparkSession, conf: Conf, as_of: date) -> None:
    """Replace the day's slice of gold.user_features."""
    with open_run(spark, conf, JOB, as_of) as ledger:
        events = attributed_events(ledger, conf.identity)
        features = build_features(events, ledger.read(SESSIONS), ledger.read(ORDER_LINES), as_of, conf.shop.zone)
        ledger.replace(features, USER_FEATURES)


def main(argv: list[str] | None = None) -> int:
    """The command line: --config FILE --as-of DATE [--set a.b=c]."""
    return run_job(JOB, Conf, run, argv)


if __name__ == "__main__":
    sys.exit(main())
