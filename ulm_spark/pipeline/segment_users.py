"""A day's features to its segments, their profiles and the grid of recency, frequency and money."""

import json
from dataclasses import asdict

from pyspark.sql import functions as F

from ulm_spark.contracts.features import USER_FEATURES
from ulm_spark.contracts.gold import SEGMENT_PROFILES, USER_SEGMENTS
from ulm_spark.contracts.ops import SEGMENT_MODELS
from ulm_spark.contracts.segments import RFM_GRID, USER_RFM
from ulm_spark.lake.artifacts import save_pipeline
from ulm_spark.lake.run import Run
from ulm_spark.users.rfm import score_rfm, sum_rfm_grid
from ulm_spark.users.segment_conf import SegmentConf
from ulm_spark.users.segments import assign_segments, fit_segments, profile_segments


def segment_day(ledger: Run, conf: SegmentConf) -> None:
    """Replaces the day's slices of the tables that segment_users writes.

    Errors: RefusedError where the day has no user, or none with a value in the features of the config.
    """
    as_of = F.lit(ledger.as_of)
    features = ledger.read(USER_FEATURES).where(F.col("as_of") == as_of)
    model = fit_segments(features, conf, ledger.read(USER_SEGMENTS).where(F.col("as_of") < as_of))
    ledger.replace(assign_segments(features, model), USER_SEGMENTS)
    ledger.replace(profile_segments(features, model), SEGMENT_PROFILES)
    scored = score_rfm(features)
    ledger.replace(scored, USER_RFM)
    ledger.replace(sum_rfm_grid(scored), RFM_GRID)
    folder = ledger.new_model_dir("segment")
    save_pipeline(model.pipeline, folder)
    snapshot = json.dumps({"tables": ledger.inputs, "model": model.name, "labels": model.labels})
    row = (ledger.as_of, ledger.run_id, folder.relative, model.n_sample, json.dumps(asdict(conf)), snapshot)
    ledger.replace(ledger.frame_of(SEGMENT_MODELS, [(*row, model.metrics)]), SEGMENT_MODELS)
