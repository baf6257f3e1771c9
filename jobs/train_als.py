"""Fit the factors that recommend items: Spark ML's alternating least squares on implicit feedback.

Reads silver.events up to as_of. Saves factors of users and items in the model folder, writes ops.als_models,
empty where nobody did anything. A re-run gives the same factors, up to rounding.
"""

import sys
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import SparkSession

from ulm_spark.contracts.ops import ALS_MODELS
from ulm_spark.lake.job import BaseConf, run_job
from ulm_spark.lake.ledger import open_run
from ulm_spark.pipeline.attributed import Attribution
from ulm_spark.pipeline.train_als import train_on_interactions
from ulm_spark.recommend.als import AlsConf

JOB = "train_als"


@dataclass(frozen=True)
class Conf(BaseConf):
    """What the job reads from the config file."""

    als: AlsConf = field(default_factory=AlsConf)
    identity: Attribution = field(default_factory=Attribution)


def run(spark: SparkSession, conf: Conf, as_of: date) -> None:
    """Fit on what is known as of the day, save, and register the model."""
    with open_run(spark, conf, JOB, as_of) as ledger:
        models = train_on_interactions(ledger, conf.als, conf.shop.zone, conf.identity)
        ledger.replace(ledger.frame_of(ALS_MODELS, models), ALS_MODELS)


def main(argv: list[str] | None = None) -> int:
    """The command line: --config FILE --as-of DATE [--set a.b=c]."""
    return run_job(JOB, Conf, run, argv)


if __name__ == "__main__":
    sys.exit(main())
