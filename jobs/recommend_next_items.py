"""List the next items for every user: the trained network scores all items on Spark's executors.

Reads silver.sequences and silver.item_vocabulary of as_of, ops.sequence_models, and silver.events up to the end
of as_of for what each user has bought. Writes gold.next_item_recommendations, the slice of as_of; empty
without a model. A re-run replaces it.
"""

import sys
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import SparkSession

from ulm_spark.contracts.gold import NEXT_ITEM_RECOMMENDATIONS
from ulm_spark.contracts.ops import SEQUENCE_MODELS
from ulm_spark.lake.job import BaseConf, run_job
from ulm_spark.lake.ledger import open_run
from ulm_spark.pipeline.attributed import Attribution
from ulm_spark.pipeline.score_sequences import recommend_by
from ulm_spark.sequence.conf import TrainingConf

JOB = "recommend_next_items"


@dataclass(frozen=True)
class Conf(BaseConf):
    """What the job reads from the config file."""

    training: TrainingConf = field(default_factory=TrainingConf)
    identity: Attribution = field(default_factory=Attribution)


def run(spark: SparkSession, conf: Conf, as_of: date) -> None:
    """Replace the day's lists."""
    with open_run(spark, conf, JOB, as_of) as ledger:
        model = ledger.read(SEQUENCE_MODELS).where(f"as_of = DATE'{as_of}'").first()
        lists = ledger.frame_of(NEXT_ITEM_RECOMMENDATIONS, [])
        if model is None:
            ledger.note(f"found no sequence model of {as_of}; expected one. Run train_sequence for the day.")
        else:
            lists = recommend_by(ledger, model["path"], conf.training, conf.shop.zone, conf.identity)
        ledger.replace(lists, NEXT_ITEM_RECOMMENDATIONS)


def main(argv: list[str] | None = None) -> int:
    """The command line: --config FILE --as-of DATE [--set a.b=c]."""
    return run_job(JOB, Conf, run, argv)


if __name__ == "__main__":
    sys.exit(main())
