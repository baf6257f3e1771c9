"""Bring what was spent on marketing into the lake.

Reads the CSV files of marketing.spend_path, with columns day, channel, amount and currency. Makes
silver.marketing_spend and bronze.spend_quarantine what the files say now: every row is in one of them, those in
quarantine with a reason. Without the setting nothing is read or changed; a re-run over the same files changes
nothing.
"""

import sys
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import SparkSession

from ulm_spark.events.spend import MarketingConf
from ulm_spark.lake.job import BaseConf, run_job
from ulm_spark.lake.ledger import open_run
from ulm_spark.pipeline.ingest_spend import ingest_spend, spend_inputs

JOB = "ingest_spend"


@dataclass(frozen=True)
class Conf(BaseConf):
    """What the job reads from the config file."""

    marketing: MarketingConf = field(default_factory=MarketingConf)


def external_inputs(spark: SparkSession, conf: Conf) -> dict[str, str]:
    """The state of the files, by which a run with nothing new is skipped."""
    return spend_inputs(spark, conf.marketing.spend_path)


def run(spark: SparkSession, conf: Conf, as_of: date) -> None:
    """Make the tables what the files say."""
    path = conf.marketing.spend_path
    with open_run(spark, conf, JOB, as_of) as ledger:
        for name, state in spend_inputs(spark, path).items():
            ledger.note_input(name, state)
        if path:
            ingest_spend(ledger, path, conf.shop.currency)
        else:
            ledger.progress("no marketing.spend_path")


def main(argv: list[str] | None = None) -> int:
    """The command line: --config FILE --as-of DATE [--set a.b=c]."""
    return run_job(JOB, Conf, run, argv)


if __name__ == "__main__":
    sys.exit(main())
