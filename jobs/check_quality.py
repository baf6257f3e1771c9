"""Hold a day's input against what it should be.

Reads the events of the local day as_of in silver.events, silver.products, and the counts of
ops.ingested_days. Writes that day's slice of ops.quality_checks. Where a check named in quality.stop fails,
the job ends with exit code 3 once the results are written, and ulm run goes no further.
"""

import sys
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from ulm_spark.config.errors import DataQualityError
from ulm_spark.contracts.bronze import INGESTED_DAYS
from ulm_spark.contracts.ops import QUALITY_CHECKS
from ulm_spark.contracts.silver import EVENTS, PRODUCTS
from ulm_spark.events.quality import QualityRules, check_day
from ulm_spark.lake.job import BaseConf, run_job
from ulm_spark.lake.ledger import open_run

JOB = "check_quality"


@dataclass(frozen=True)
class Conf(BaseConf):
    """What the job reads from the config file."""

    quality: QualityRules = field(default_factory=QualityRules)


def run(spark: SparkSession, conf: Conf, as_of: date) -> None:
    """Replace the day's checks, and stop where one says so."""
    with open_run(spark, conf, JOB, as_of) as ledger:
        events, products, days = ledger.read(EVENTS), ledger.read(PRODUCTS), ledger.read(INGESTED_DAYS)
        ledger.replace(check_day(events, products, days, as_of, conf.quality), QUALITY_CHECKS)
        is_failed = (F.col("as_of") == F.lit(as_of)) & ~F.col("has_passed")
        failed = ledger.read(QUALITY_CHECKS).where(is_failed).orderBy("source", "check_name").collect()
        told = [f"{row['source']} {row['check_name']} {row['value']:.4g} ({row['threshold']:.4g})" for row in failed]
        if any(row["severity"] == "stop" for row in failed):
            raise DataQualityError(
                f"{QUALITY_CHECKS.name}: found {'; '.join(told)}; expected checks of quality.stop within their "
                "thresholds. Correct the source and ingest again, or change section quality."
            )
        if told:
            ledger.note(f"checks that failed, with their thresholds: {'; '.join(told)}")


def main(argv: list[str] | None = None) -> int:
    """The command line: --config FILE --as-of DATE [--set a.b=c]."""
    return run_job(JOB, Conf, run, argv)


if __name__ == "__main__":
    sys.exit(main())
