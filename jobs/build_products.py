"""Keep what is known of each product.

Reads silver.events, all of it, listings too. Writes silver.products, restated as a whole: a
re-run over the same events changes nothing. Whoever wants the products as of a day leaves out
those first seen after it.
"""

import sys
from dataclasses import dataclass
from datetime import date

from pyspark.sql import SparkSession

from ulm_spark.contracts.silver import EVENTS, PRODUCTS
from ulm_spark.events.products import summarise_products
from ulm_spark.lake.job import BaseConf, run_job
from ulm_spark.lake.ledger import open_run

JOB = "build_products"


@dataclass(frozen=True)
class Conf(BaseConf):
    """What the job reads from the config file."""


def run(spark: SparkSession, conf: Conf, as_of: date) -> None:
    """Restate silver.products from all events."""
    with open_run(spark, conf, JOB, as_of) as ledger:
        ledger.restate(summarise_products(ledger.read(EVENTS)), PRODUCTS)


def main(argv: list[str] | None = None) -> int:
    """The command line: --config FILE --as-of DATE [--set a.b=c]."""
    return run_job(JOB, Conf, run, argv)


if __name__ == "__main__":
    sys.exit(main())
