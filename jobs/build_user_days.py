"""Sum up what each user, and each product, did on each local day.

Reads silver.events, silver.sessions and silver.order_lines: what changed since the last run, and what else happened
on the days that this can reach; all of it where that is not known. Writes silver.user_days and silver.product_days:
both are made equal to what all that the lake knows says, so a re-run changes nothing, and late events restate the
days that they reach alone. With identity.attributes_users the users are the persons of silver.identities as known
now. Readers as of a day filter by day_on.
"""

import sys
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import SparkSession

from ulm_spark.lake.job import BaseConf, run_job
from ulm_spark.lake.ledger import open_run
from ulm_spark.pipeline.attributed import Attribution
from ulm_spark.pipeline.restate_user_days import restate_product_days, restate_user_days

JOB = "build_user_days"


@dataclass(frozen=True)
class Conf(BaseConf):
    """What the job reads from the config file."""

    identity: Attribution = field(default_factory=Attribution)


def run(spark: SparkSession, conf: Conf, as_of: date) -> None:
    """Restate silver.user_days and silver.product_days."""
    with open_run(spark, conf, JOB, as_of) as ledger:
        restate_user_days(ledger, conf.shop.zone, conf.identity)
        restate_product_days(ledger)


def main(argv: list[str] | None = None) -> int:
    """The command line: --config FILE --as-of DATE [--set a.b=c]."""
    return run_job(JOB, Conf, run, argv)


if __name__ == "__main__":
    sys.exit(main())
