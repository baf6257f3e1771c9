"""Learn from the past who stops buying.

Reads silver.events, silver.sessions and silver.order_lines, and describes the users as of past days
whose outcome is known by as_of. Saves boosted trees, measured on the last of those days, and notes
them in ops.churn_models. A re-run replaces the note.
"""

import json
import sys
from dataclasses import asdict, dataclass, field
from datetime import date

from pyspark.sql import SparkSession

from ulm_spark.config.errors import RefusedError
from ulm_spark.contracts.ops import CHURN_MODELS
from ulm_spark.contracts.silver import EVENTS, ORDER_LINES, SESSIONS
from ulm_spark.lake.job import BaseConf, run_job
from ulm_spark.lake.ledger import Run, open_run
from ulm_spark.lake.literal import frame_of
from ulm_spark.predict.churn import fit_churn
from ulm_spark.predict.churn_conf import ChurnConf
from ulm_spark.predict.labels import fit_label_days, label_churn
from ulm_spark.users.features import build_features

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
            models = [train(ledger, conf.churn, conf.shop.zone)]
        except RefusedError as reason:  # a young shop: all else can run, and this run says why there is no model
            ledger.note(str(reason))
        ledger.replace(frame_of(spark, CHURN_MODELS, models), CHURN_MODELS)


def train(ledger: Run, churn: ChurnConf, zone: str) -> tuple[object, ...]:
    """The row of ops.churn_models for the run's day. Errors: RefusedError where history does not suffice."""
    events, sessions, lines = ledger.read(EVENTS), ledger.read(SESSIONS), ledger.read(ORDER_LINES)
    days = fit_label_days(lines, churn, ledger.as_of, zone)
    known = [(day, build_features(events, sessions, lines, day, zone)) for day in days]
    model = fit_churn([label_churn(features, lines, day, churn, ledger.as_of, zone) for day, features in known], churn)
    folder = ledger.new_model_dir("churn")
    model.pipeline.write().overwrite().save(folder.uri)
    snapshot = json.dumps({"tables": ledger.inputs, "label_days": [str(day) for day in model.label_days]})
    settings = json.dumps(asdict(churn))
    return ledger.as_of, ledger.run_id, folder.relative, model.n_rows, settings, snapshot, model.metrics


def main(argv: list[str] | None = None) -> int:
    """The command line: --config FILE --as-of DATE [--set a.b=c]."""
    return run_job(JOB, Conf, run, argv)


if __name__ == "__main__":
    sys.exit(main())
