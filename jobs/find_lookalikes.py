"""Find the users who act like those of a segment, or like some who are named.

Reads the slices of as_of of gold.user_embeddings and, where section lookalikes names a segment, of
gold.user_segments. Writes gold.user_lookalikes, the slice of as_of; empty without seeds. A re-run replaces it.
"""

import sys
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from ulm_spark.contracts.gold import USER_SEGMENTS
from ulm_spark.contracts.outlook import USER_EMBEDDINGS, USER_LOOKALIKES
from ulm_spark.lake.job import BaseConf, run_job
from ulm_spark.lake.ledger import open_run
from ulm_spark.users.lookalikes import LookalikesConf, Seeds, choose_seeds, find_lookalikes

JOB = "find_lookalikes"


@dataclass(frozen=True)
class Conf(BaseConf):
    """What the job reads from the config file."""

    lookalikes: LookalikesConf = field(default_factory=LookalikesConf)


def run(spark: SparkSession, conf: Conf, as_of: date) -> None:
    """Replace the day's look-alikes."""
    asked = conf.lookalikes
    with open_run(spark, conf, JOB, as_of) as ledger:
        is_day = F.col("as_of") == F.lit(as_of)
        embeddings = ledger.read(USER_EMBEDDINGS).where(is_day)
        of_segment = (
            ledger.read(USER_SEGMENTS)
            .where(is_day & (F.col("segment").eqNullSafe(F.lit(asked.segment))))
            .select("user_id")
        )
        named = spark.createDataFrame([(user_id,) for user_id in asked.seeds], "user_id STRING")
        seeds = of_segment.unionByName(named)
        chosen = Seeds.of(choose_seeds(embeddings, seeds, asked.max_seeds).toPandas())
        if not chosen.user_ids and (asked.seeds or asked.segment is not None):
            ledger.note("found no seed with an embedding; expected some of lookalikes.segment or lookalikes.seeds.")
        found = find_lookalikes(embeddings, seeds, chosen, as_of, asked.n_users)
        ledger.replace(found, USER_LOOKALIKES)


def main(argv: list[str] | None = None) -> int:
    """The command line: --config FILE --as-of DATE [--set a.b=c]."""
    return run_job(JOB, Conf, run, argv)


if __name__ == "__main__":
    sys.exit(main())
