"""Train the network that names the next item: Petastorm feeds Keras, Horovod joins the ranks.

Pins the rows of silver.sequences and silver.item_vocabulary of as_of, to the file, and trains on just those,
launched as section training says. Saves the network in the model folder and writes ops.sequence_models, empty
where the day has no sequence. A run that was killed goes on after its last whole epoch when it is run again,
and ends with the weights of an undisturbed one; a re-run trains anew to the same weights, up to rounding.
"""

import sys
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import SparkSession

from ulm_spark.config.require import require
from ulm_spark.lake.job import BaseConf, run_job
from ulm_spark.lake.ledger import open_run
from ulm_spark.pipeline.train_sequences import train_on_day
from ulm_spark.sequence.conf import TrainingConf
from ulm_spark.sessions.sequences import SequenceRules

JOB = "train_sequence"


@dataclass(frozen=True)
class Conf(BaseConf):
    """What the job reads from the config file."""

    sequences: SequenceRules = field(default_factory=SequenceRules)
    training: TrainingConf = field(default_factory=TrainingConf)

    def __post_init__(self) -> None:
        if self.training.heads.tasks:
            least, length = self.training.read_length, self.sequences.max_length
            expected = f"at least {least}, twice what training.heads looks at, for questions about long histories"
            require(length >= least, "sequences.max_length", length, expected)


def run(spark: SparkSession, conf: Conf, as_of: date) -> None:
    """Train on the day's snapshot, save, and register the model."""
    with open_run(spark, conf, JOB, as_of) as ledger:
        train_on_day(ledger, conf.training, conf.shop.zone)


def main(argv: list[str] | None = None) -> int:
    """The command line: --config FILE --as-of DATE [--set a.b=c]."""
    return run_job(JOB, Conf, run, argv)


if __name__ == "__main__":
    sys.exit(main())
