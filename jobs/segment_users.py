"""Group the users of a day into segments with names.

Reads the day's slice of gold.user_features, and of its own gold.user_segments the last earlier day,
whose numbers and names go on; writes the day's slices of gold.user_segments, gold.segment_profiles,
gold.user_rfm and gold.rfm_grid, saves the Spark ML pipeline and notes it in ops.segment_models. A re-run
replaces the day's slices; the same features and earlier segments give the same segments.
"""

import sys
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import SparkSession

from ulm_spark.lake.job import BaseConf, run_job
from ulm_spark.lake.ledger import open_run
from ulm_spark.pipeline.segment_users import segment_day
from ulm_spark.users.segment_conf import SegmentConf

JOB = "segment_users"


@dataclass(frozen=True)
class Conf(BaseConf):
    """What the job reads from the config file."""

    segments: SegmentConf = field(default_factory=SegmentConf)


def run(spark: SparkSession, conf: Conf, as_of: date) -> None:
    """Fit the day's segments, place every user, describe the segments; score every customer."""
    with open_run(spark, conf, JOB, as_of) as ledger:
        segment_day(ledger, conf.segments)


def main(argv: list[str] | None = None) -> int:
    """The command line: --config FILE --as-of DATE [--set a.b=c]."""
    return run_job(JOB, Conf, run, argv)


if __name__ == "__main__":
    sys.exit(main())
