"""Number items and categories and line up what each user last touched, for models of the next item.

Reads silver.events up to the end of as_of. Writes that day's slices of silver.item_vocabulary,
silver.category_vocabulary and silver.sequences; a re-run replaces them by the same rows in the same files.
"""

import sys
from dataclasses import dataclass, field
from datetime import date

from pyspark import StorageLevel
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from ulm_spark.contracts.sequences import CATEGORY_VOCABULARY, ITEM_VOCABULARY, SEQUENCES
from ulm_spark.lake.job import BaseConf, run_job
from ulm_spark.lake.ledger import open_run
from ulm_spark.lake.persisted import persisted
from ulm_spark.pipeline.attributed import Attribution, attributed_events
from ulm_spark.sessions.catalogue import describe_items
from ulm_spark.sessions.cut import SessionRules
from ulm_spark.sessions.deal import deal_out
from ulm_spark.sessions.sequences import SequenceRules, build_sequences
from ulm_spark.sessions.vocabulary import list_categories, list_items, number_items

JOB = "build_sequences"


@dataclass(frozen=True)
class Conf(BaseConf):
    """What the job reads from the config file."""

    sessions: SessionRules = field(default_factory=SessionRules)
    sequences: SequenceRules = field(default_factory=SequenceRules)
    identity: Attribution = field(default_factory=Attribution)


def run(spark: SparkSession, conf: Conf, as_of: date) -> None:
    """Replace the day's vocabularies, then the day's sequences in their numbers."""
    rules, zone = conf.sequences, conf.shop.zone
    with open_run(spark, conf, JOB, as_of) as ledger:
        events = attributed_events(ledger, conf.identity)
        items = describe_items(events, rules.event_types, rules.min_item_events, as_of, zone, conf.shop.currency)
        with persisted(number_items(items, rules.n_price_bands, as_of)) as numbered:
            ledger.replace(list_items(numbered), ITEM_VOCABULARY)
            ledger.replace(list_categories(numbered), CATEGORY_VOCABULARY)
        vocabulary = ledger.read(ITEM_VOCABULARY).where(F.col("as_of") == F.lit(as_of))
        lined_up = build_sequences(events, vocabulary, rules, conf.sessions.gap_s, as_of, zone, conf.shop.currency)
        with persisted(lined_up, StorageLevel.DISK_ONLY) as sequences:
            ledger.replace(deal_out(sequences, "user_id", rules.n_files), SEQUENCES)


def main(argv: list[str] | None = None) -> int:
    """The command line: --config FILE --as-of DATE [--set a.b=c]."""
    return run_job(JOB, Conf, run, argv)


if __name__ == "__main__":
    sys.exit(main())
