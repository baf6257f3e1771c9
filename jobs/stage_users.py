"""Tell in which stage of life each user is, by rules and by a hidden Markov model.

Reads silver.user_days as known at the end of as_of. Writes that day's slices of gold.user_stages,
gold.stage_history and gold.stage_transitions, saves the model's parameters and notes them in
ops.stage_models. A re-run replaces the day's slices; the same days give the same stages.
"""

import json
import sys
from dataclasses import asdict, dataclass, field
from datetime import date

from pyspark.sql import SparkSession

from ulm_spark.contracts.ops import STAGE_MODELS
from ulm_spark.contracts.stages import STAGE_HISTORY, STAGE_TRANSITIONS, USER_STAGES
from ulm_spark.contracts.user_days import USER_DAYS
from ulm_spark.lake.artifacts import save_text
from ulm_spark.lake.job import BaseConf, run_job
from ulm_spark.lake.ledger import open_run
from ulm_spark.lake.persisted import persisted
from ulm_spark.users.stage_conf import StageConf
from ulm_spark.users.stage_periods import summarise_periods
from ulm_spark.users.stages import assign_stages, count_transitions, fit_hidden_stages, list_history, tell_stages

JOB = "stage_users"


@dataclass(frozen=True)
class Conf(BaseConf):
    """What the job reads from the config file."""

    stages: StageConf = field(default_factory=StageConf)


def run(spark: SparkSession, conf: Conf, as_of: date) -> None:
    """Fit the day's model, tell every user's stages, count how users moved."""
    with open_run(spark, conf, JOB, as_of) as ledger:
        with persisted(summarise_periods(ledger.read(USER_DAYS), as_of, conf.stages)) as periods:
            fit = fit_hidden_stages(periods, conf.stages)
            with persisted(tell_stages(periods, fit.model, conf.stages)) as told:
                ledger.replace(assign_stages(told, as_of, conf.stages), USER_STAGES)
                ledger.replace(list_history(told, as_of, conf.stages), STAGE_HISTORY)
                ledger.replace(count_transitions(told, as_of, conf.stages), STAGE_TRANSITIONS)
        folder = ledger.new_model_dir("stage")
        save_text(fit.model.as_json(), folder, "parameters.json")
        ledger.publish(folder)
        texts = json.dumps(asdict(conf.stages)), json.dumps({"tables": ledger.inputs})
        row = (as_of, ledger.run_id, folder.relative, fit.n_users, *texts, fit.metrics)
        ledger.replace(ledger.frame_of(STAGE_MODELS, [row]), STAGE_MODELS)


def main(argv: list[str] | None = None) -> int:
    """The command line: --config FILE --as-of DATE [--set a.b=c]."""
    return run_job(JOB, Conf, run, argv)


if __name__ == "__main__":
    sys.exit(main())
