"""Say how likely each active buyer is to stop.

Reads the day's slice of gold.user_features and the latest model in ops.churn_models that was
trained for the day or an earlier one; writes the day's slice of gold.churn_scores. A re-run
replaces the slice.
"""

import json
import sys
from dataclasses import dataclass
from datetime import date

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from ulm_spark.contracts.features import USER_FEATURES
from ulm_spark.contracts.gold import CHURN_SCORES
from ulm_spark.contracts.ops import CHURN_MODELS
from ulm_spark.lake.artifacts import load_pipeline
from ulm_spark.lake.job import BaseConf, run_job
from ulm_spark.lake.ledger import open_run
from ulm_spark.predict.churn import score_churn

JOB = "score_churn"


@dataclass(frozen=True)
class Conf(BaseConf):
    """What the job reads from the config file."""


def run(spark: SparkSession, conf: Conf, as_of: date) -> None:
    """Score the day's active buyers with the model of that day, or the last one before it."""
    with open_run(spark, conf, JOB, as_of) as ledger:
        known = ledger.read(CHURN_MODELS).where(F.col("as_of") <= F.lit(as_of))
        noted = known.orderBy(F.desc("as_of")).select("path", "settings").first()
        if noted is None:
            ledger.note(f"found no churn model up to {as_of}; expected one. See what train_churn said in ops.runs.")
            return ledger.replace(ledger.frame_of(CHURN_SCORES, []), CHURN_SCORES)
        settings = json.loads(noted["settings"])
        features = ledger.read(USER_FEATURES).where(F.col("as_of") == F.lit(as_of))
        pipeline = load_pipeline(ledger.model_dir(noted["path"]))
        scores = score_churn(features, pipeline, settings["active_days"], settings["horizon_days"])
        ledger.replace(scores, CHURN_SCORES)


def main(argv: list[str] | None = None) -> int:
    """The command line: --config FILE --as-of DATE [--set a.b=c]."""
    return run_job(JOB, Conf, run, argv)


if __name__ == "__main__":
    sys.exit(main())
