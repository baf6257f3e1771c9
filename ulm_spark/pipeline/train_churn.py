"""The examples of past days to a saved model of churn: features on one side, the forecast on the other."""

import json
from dataclasses import asdict

from ulm_spark.contracts.silver import ORDER_LINES
from ulm_spark.contracts.user_days import PRODUCT_DAYS, USER_DAYS
from ulm_spark.lake.artifacts import save_pipeline
from ulm_spark.lake.persisted import persisted
from ulm_spark.lake.run import Run
from ulm_spark.predict.churn import fit_churn
from ulm_spark.predict.churn_conf import ChurnConf
from ulm_spark.predict.labels import active_buyers, fit_label_days, label_churn
from ulm_spark.users.features import build_features_on


def train_on_past_days(ledger: Run, churn: ChurnConf, zone: str) -> tuple[object, ...]:
    """The row of ops.churn_models for the run's day. Errors: RefusedError where history does not suffice."""
    lines = ledger.read(ORDER_LINES)
    days = fit_label_days(lines, churn, ledger.as_of, zone)
    of_days = build_features_on(ledger.read(USER_DAYS), ledger.read(PRODUCT_DAYS), days)
    with persisted(active_buyers(of_days, churn.active_days)) as known:
        examples = [label_churn(known, lines, day, churn, ledger.as_of, zone) for day in days]
        model = fit_churn(examples, churn)
    folder = ledger.new_model_dir("churn")
    save_pipeline(model.pipeline, folder)
    snapshot = json.dumps({"tables": ledger.inputs, "label_days": [str(day) for day in model.label_days]})
    settings = json.dumps(asdict(churn))
    return ledger.as_of, ledger.run_id, folder.relative, model.n_rows, settings, snapshot, model.metrics
