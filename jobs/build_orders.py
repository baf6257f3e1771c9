"""List what was bought and returned, net returns against purchases, and sum lines up to orders.

Reads silver.events: what changed since the last run, or all of it where that is not known. Writes
silver.order_lines and, from it, silver.orders: both are made equal to what all events say, so a re-run
changes nothing, and a late purchase or return restates the lines and orders that it touches. With
identity.attributes_users they are the persons' of silver.identities as known now, and a change of it restates
the lines and orders of those whom it concerns. Readers as of a day
filter by lined_at and ordered_at, and leave the columns that look ahead alone.
"""

import sys
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import SparkSession

from ulm_spark.lake.job import BaseConf, run_job
from ulm_spark.lake.ledger import open_run
from ulm_spark.pipeline.attributed import Attribution
from ulm_spark.pipeline.restate_orders import restate_orders

JOB = "build_orders"


@dataclass(frozen=True)
class Conf(BaseConf):
    """What the job reads from the config file."""

    identity: Attribution = field(default_factory=Attribution)


def run(spark: SparkSession, conf: Conf, as_of: date) -> None:
    """Restate silver.order_lines, then silver.orders from the lines written."""
    with open_run(spark, conf, JOB, as_of) as ledger:
        restate_orders(ledger, conf.shop.zone, conf.shop.currency, conf.identity)


def main(argv: list[str] | None = None) -> int:
    """The command line: --config FILE --as-of DATE [--set a.b=c]."""
    return run_job(JOB, Conf, run, argv)


if __name__ == "__main__":
    sys.exit(main())
