"""Write what the behaviour model makes of every user, and what it expects: embeddings and an outlook.

Reads silver.sequences and silver.item_vocabulary of as_of, and ops.sequence_models. Writes the slices of as_of of
gold.user_embeddings and, where the model learned tasks beside the next item, gold.user_outlook; both are empty
without a model. A re-run replaces them.
"""

import sys
from dataclasses import dataclass
from datetime import date

from pyspark.sql import SparkSession

from ulm_spark.contracts.ops import SEQUENCE_MODELS
from ulm_spark.contracts.outlook import USER_EMBEDDINGS, USER_OUTLOOK
from ulm_spark.lake.job import BaseConf, run_job
from ulm_spark.lake.ledger import open_run
from ulm_spark.lake.persisted import persisted
from ulm_spark.pipeline.read_users import embeddings_of, outlook_of, read_by

JOB = "embed_users"


@dataclass(frozen=True)
class Conf(BaseConf):
    """What the job reads from the config file."""


def run(spark: SparkSession, conf: Conf, as_of: date) -> None:
    """Replace the day's embeddings and outlook."""
    with open_run(spark, conf, JOB, as_of) as ledger:
        model = ledger.read(SEQUENCE_MODELS).where(f"as_of = DATE'{as_of}'").first()
        if model is None:
            ledger.note(f"found no sequence model of {as_of}; expected one. Run train_sequence for the day.")
            for table in (USER_EMBEDDINGS, USER_OUTLOOK):
                ledger.replace(ledger.frame_of(table, []), table)
            return
        with persisted(read_by(ledger, model["path"], conf.shop.zone)) as read:
            ledger.replace(embeddings_of(read, as_of), USER_EMBEDDINGS)
            ledger.replace(outlook_of(read, as_of, conf.shop.currency), USER_OUTLOOK)


def main(argv: list[str] | None = None) -> int:
    """The command line: --config FILE --as-of DATE [--set a.b=c]."""
    return run_job(JOB, Conf, run, argv)


if __name__ == "__main__":
    sys.exit(main())
