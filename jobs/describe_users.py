"""Describe every user in one row that a person can read: basics, interests, habits.

Reads the day's slice of gold.user_features, and silver.events up to as_of; writes the day's slices of
gold.user_personas and gold.persona_topics. Numbers are those of the encoding that an earlier day fitted, while
it serves; a day that fits one saves it and notes it in ops.persona_models. A re-run replaces the day's slices.
"""

import sys
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import SparkSession

from ulm_spark.lake.job import BaseConf, run_job
from ulm_spark.lake.ledger import open_run
from ulm_spark.pipeline.attributed import Attribution
from ulm_spark.pipeline.describe_users import describe_day
from ulm_spark.users.persona_conf import PersonaConf

JOB = "describe_users"


@dataclass(frozen=True)
class Conf(BaseConf):
    """What the job reads from the config file."""

    personas: PersonaConf = field(default_factory=PersonaConf)
    identity: Attribution = field(default_factory=Attribution)


def run(spark: SparkSession, conf: Conf, as_of: date) -> None:
    """Describe the day's users with the encoding that serves."""
    with open_run(spark, conf, JOB, as_of) as ledger:
        describe_day(ledger, conf.personas, conf.shop.zone, conf.identity)


def main(argv: list[str] | None = None) -> int:
    """The command line: --config FILE --as-of DATE [--set a.b=c]."""
    return run_job(JOB, Conf, run, argv)


if __name__ == "__main__":
    sys.exit(main())
