"""Learn from the past who stops buying.

Reads silver.user_days, silver.product_days and silver.order_lines, and describes the users as of past days
whose outcome is known by as_of. Saves boosted trees, measured on the last of those days, and notes
them in ops.churn_models. A re-run replaces the note.
"""

import sys
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import SparkSession

from ulm_spark.config.errors import RefusedError
from ulm_spark.contracts.ops import CHURN_MODELS
from ulm_spark.lake.job import BaseConf, run_job
from ulm_spark.lake.ledger import open_run
from ulm_spark.pipeline.train_churn import train_on_past_days
from ulm_spark.predict.churn_conf import ChurnConf

JOB = "train_churn"


@dataclass(frozen=True)
class Conf(BaseConf):
    """What the job reads from the config file."""

    churn: ChurnConf = field(default_factory=ChurnConf)


def run(spark: SparkSession, conf: Conf, as_of: date) -> None:
    """Fit the trees on all days whose outcome is known, save them, note what they are worth."""
    with open_run(spark, conf, JOB, as_of) as ledger:
        models = []
        try:
            models = [train_on_past_days(ledger, conf.churn, conf.shop.zone)]
        except RefusedError as reason:  # a young shop: all else can run, and this run says why there is no model
            ledger.note(str(reason))
        ledger.replace(ledger.frame_of(CHURN_MODELS, models), CHURN_MODELS)


def main(argv: list[str] | None = None) -> int:
    """The command line: --config FILE --as-of DATE [--set a.b=c]."""
    return run_job(JOB, Conf, run, argv)


if __name__ == "__main__":
    sys.exit(main())
