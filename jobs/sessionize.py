"""Cut each user's events into visits.

Reads silver.events: what changed since the last run, and the events of the visits that this can reach;
all of them where that is not known. Writes silver.sessions: the table is made equal to what all events
say, so a re-run changes nothing, and late events restate the visits that they extend, join or split. With
identity.attributes_users, visits are the persons' of silver.identities as known now, and a change of it
restates the visits of those whom it concerns.
Readers as of a day filter by closes_at.
"""

import sys
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import SparkSession

from ulm_spark.lake.job import BaseConf, run_job
from ulm_spark.lake.ledger import open_run
from ulm_spark.pipeline.attributed import Attribution
from ulm_spark.pipeline.restate_sessions import restate_sessions
from ulm_spark.sessions.cut import SessionRules

JOB = "sessionize"


@dataclass(frozen=True)
class Conf(BaseConf):
    """What the job reads from the config file."""

    sessions: SessionRules = field(default_factory=SessionRules)
    identity: Attribution = field(default_factory=Attribution)


def run(spark: SparkSession, conf: Conf, as_of: date) -> None:
    """Restate silver.sessions."""
    with open_run(spark, conf, JOB, as_of) as ledger:
        restate_sessions(ledger, conf.sessions, conf.shop.zone, conf.identity)


def main(argv: list[str] | None = None) -> int:
    """The command line: --config FILE --as-of DATE [--set a.b=c]."""
    return run_job(JOB, Conf, run, argv)


if __name__ == "__main__":
    sys.exit(main())
