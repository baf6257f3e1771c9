"""Group the users of a day into segments with names.

Reads the day's slice of gold.user_features; writes the day's slices of gold.user_segments and
gold.segment_profiles, saves the Spark ML pipeline and notes it in ops.segment_models. A re-run
replaces the day's slices; the same features give the same segments.
"""

import json
import sys
from dataclasses import asdict, dataclass, field
from datetime import date

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from ulm_spark.contracts.features import USER_FEATURES
from ulm_spark.contracts.gold import SEGMENT_PROFILES, USER_SEGMENTS
from ulm_spark.contracts.ops import SEGMENT_MODELS
from ulm_spark.lake.artifacts import save_pipeline
from ulm_spark.lake.job import BaseConf, run_job
from ulm_spark.lake.ledger import open_run
from ulm_spark.users.segments import SegmentConf, assign_segments, fit_segments, profile_segments

JOB = "segment_users"


@dataclass(frozen=True)
class Conf(BaseConf):
    """What the job reads from the config file."""

    segments: SegmentConf = field(default_factory=SegmentConf)


def run(spark: SparkSession, conf: Conf, as_of: date) -> None:
    """Fit the day's segments, place every user, describe the segments."""
    with open_run(spark, conf, JOB, as_of) as ledger:
        features = ledger.read(USER_FEATURES).where(F.col("as_of") == F.lit(as_of))
        model = fit_segments(features, conf.segments)
        ledger.replace(assign_segments(features, model), USER_SEGMENTS)
        ledger.replace(profile_segments(features, model), SEGMENT_PROFILES)
        folder = ledger.new_model_dir("segment")
        save_pipeline(model.pipeline, folder)
        snapshot = json.dumps({"tables": ledger.inputs, "labels": model.labels})
        settings = json.dumps(asdict(conf.segments))
        row = (as_of, ledger.run_id, folder.relative, model.n_sample, settings, snapshot, model.metrics)
        ledger.replace(ledger.frame_of(SEGMENT_MODELS, [row]), SEGMENT_MODELS)


def main(argv: list[str] | None = None) -> int:
    """The command line: --config FILE --as-of DATE [--set a.b=c]."""
    return run_job(JOB, Conf, run, argv)


if __name__ == "__main__":
    sys.exit(main())
