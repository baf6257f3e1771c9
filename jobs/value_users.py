"""Say what each user is worth by what they do, with configured weights and with learned ones.

Reads silver.user_days as known at the end of as_of. Writes that day's slices of gold.user_values,
gold.value_weights and gold.user_value_series; a re-run replaces them.
"""

import sys
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import SparkSession

from ulm_spark.contracts.user_days import USER_DAYS
from ulm_spark.contracts.value import USER_VALUE_SERIES, USER_VALUES, VALUE_WEIGHTS
from ulm_spark.lake.job import BaseConf, run_job
from ulm_spark.lake.ledger import open_run
from ulm_spark.users.value import list_series, score_users
from ulm_spark.users.value_conf import ValueConf
from ulm_spark.users.value_weights import fit_weights, weight_rows

JOB = "value_users"


@dataclass(frozen=True)
class Conf(BaseConf):
    """What the job reads from the config file."""

    value: ValueConf = field(default_factory=ValueConf)


def run(spark: SparkSession, conf: Conf, as_of: date) -> None:
    """Learn the weights, score and rank every user, list what they were worth week by week."""
    with open_run(spark, conf, JOB, as_of) as ledger:
        days = ledger.read(USER_DAYS)
        learned = fit_weights(days, as_of, conf.value)
        if learned.why:
            ledger.note(learned.why)
        else:
            ledger.progress(learned.words)
        ledger.replace(score_users(days, as_of, conf.value, learned.by_behaviour), USER_VALUES)
        ledger.replace(ledger.frame_of(VALUE_WEIGHTS, weight_rows(as_of, conf.value, learned)), VALUE_WEIGHTS)
        ledger.replace(list_series(days, as_of, conf.value), USER_VALUE_SERIES)


def main(argv: list[str] | None = None) -> int:
    """The command line: --config FILE --as-of DATE [--set a.b=c]."""
    return run_job(JOB, Conf, run, argv)


if __name__ == "__main__":
    sys.exit(main())
