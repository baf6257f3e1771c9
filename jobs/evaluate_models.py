"""Measure what the models said as of a day against what happened after it.

Reads that day's recommendations and churn scores, and events, order lines and products of all days. Writes
gold.model_quality, gold.churn_outcomes and gold.recommendation_examples, the slices of as_of: empty until the
outcome is in the lake. Run it again then; a re-run replaces the slices.
"""

import sys
from dataclasses import astuple, dataclass, field
from datetime import date

from pyspark.sql import SparkSession

from ulm_spark.contracts.gold import MODEL_QUALITY
from ulm_spark.lake.job import BaseConf, run_job
from ulm_spark.lake.ledger import open_run
from ulm_spark.pipeline.attributed import Attribution
from ulm_spark.pipeline.measure import last_event_day, measure_churn_task, measure_items, measure_sessions
from ulm_spark.recommend.als import AlsConf
from ulm_spark.recommend.evaluate import EvaluationConf
from ulm_spark.sessions.cut import SessionRules
from ulm_spark.stats.measurement import sentence

JOB = "evaluate_models"


@dataclass(frozen=True)
class Conf(BaseConf):
    """What the job reads from the config file."""

    sessions: SessionRules = field(default_factory=SessionRules)
    als: AlsConf = field(default_factory=AlsConf)
    evaluation: EvaluationConf = field(default_factory=EvaluationConf)
    identity: Attribution = field(default_factory=Attribution)


def run(spark: SparkSession, conf: Conf, as_of: date) -> None:
    """Replace the day's measurements."""
    with open_run(spark, conf, JOB, as_of) as ledger:
        known_to, zone = last_event_day(ledger), conf.shop.zone
        found = measure_items(ledger, known_to, conf.evaluation, conf.als, zone, conf.identity)
        found += measure_churn_task(ledger, known_to, conf.evaluation, zone)
        found += measure_sessions(ledger, conf.sessions, conf.evaluation, zone, conf.identity)
        for measurement in found:
            ledger.progress(sentence(measurement))
        rows = [(as_of, *astuple(measurement)) for measurement in found]
        ledger.replace(ledger.frame_of(MODEL_QUALITY, rows), MODEL_QUALITY)


def main(argv: list[str] | None = None) -> int:
    """The command line: --config FILE --as-of DATE [--set a.b=c]."""
    return run_job(JOB, Conf, run, argv)


if __name__ == "__main__":
    sys.exit(main())
