"""Describe every user as of a day, in some hundred features: how lately, how often, for how much, when and on what.

Reads silver.user_days and silver.product_days; writes the day's slice of gold.user_features, and with
features.backfill_days those of so many days before it, in one pass. A re-run replaces the slices of its days and no
other; they differ only where the lake has learned of late events.
"""

import sys
from dataclasses import dataclass, field
from datetime import date, timedelta

from pyspark.sql import SparkSession

from ulm_spark.config.require import require
from ulm_spark.contracts.features import USER_FEATURES
from ulm_spark.contracts.user_days import PRODUCT_DAYS, USER_DAYS
from ulm_spark.lake.job import BaseConf, run_job
from ulm_spark.lake.ledger import open_run
from ulm_spark.users.features import build_features_on

JOB = "build_user_features"


@dataclass(frozen=True)
class FeaturesConf:
    """Section ``features``. backfill_days: days before as_of whose slices are made with it; 364 fill a year."""

    backfill_days: int = 0

    def __post_init__(self) -> None:
        require(0 <= self.backfill_days <= 3660, "features.backfill_days", self.backfill_days, "0 to 3660")


@dataclass(frozen=True)
class Conf(BaseConf):
    """What the job reads from the config file."""

    features: FeaturesConf = field(default_factory=FeaturesConf)


def run(spark: SparkSession, conf: Conf, as_of: date) -> None:
    """Replace the slices of the day, and of those to be filled in before it."""
    with open_run(spark, conf, JOB, as_of) as ledger:
        days = [as_of - timedelta(days=n) for n in range(conf.features.backfill_days, -1, -1)]
        features = build_features_on(ledger.read(USER_DAYS), ledger.read(PRODUCT_DAYS), days)
        ledger.replace_days(features, USER_FEATURES, "as_of", days)


def main(argv: list[str] | None = None) -> int:
    """The command line: --config FILE --as-of DATE [--set a.b=c]."""
    return run_job(JOB, Conf, run, argv)


if __name__ == "__main__":
    sys.exit(main())
