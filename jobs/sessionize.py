"""Cut each user's events into visits.

Reads silver.events, all that the lake knows. Writes silver.sessions: the table is made equal to what
the events say, so a re-run changes nothing, and late events restate the visits that they fall into.
Readers as of a day filter by closes_at.
"""

import sys
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import SparkSession

from ulm_spark.contracts.silver import EVENTS, SESSIONS
from ulm_spark.lake.job import BaseConf, run_job
from ulm_spark.lake.ledger import open_run
from ulm_spark.sessions.cut import SessionRules
from ulm_spark.sessions.sessionize import sessionize

JOB = "sessionize"


@dataclass(frozen=True)
class Conf(BaseConf):
    """What the job reads from the config file."""

    sessions: SessionRules = field(default_factory=SessionRules)


def run(spark: SparkSession, conf: Conf, as_of: date) -> None:
    """Restate silver.sessions from all events."""
    with open_run(spark, conf, JOB, as_of) as ledger:
        events = ledger.read(EVENTS)
        ledger.restate(sessionize(events, conf.sessions, conf.shop.zone), SESSIONS)


def main(argv: list[str] | None = None) -> int:
    """The command line: --config FILE --as-of DATE [--set a.b=c]."""
    return run_job(JOB, Conf, run, argv)


if __name__ == "__main__":
    sys.exit(main())
