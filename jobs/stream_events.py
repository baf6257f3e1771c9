"""Bring a topic's messages, or files, into the lake as they come, and the sessions that they open and extend.

Reads the topic of section stream or, where it names none, source's files. Writes, batch by batch, what ingest_events
and sessionize write, and holds the locks of both: sessions are restated as they grow. What is no event goes to
bronze.quarantine. Killed anywhere, it goes on where it was at the next start. SIGINT or SIGTERM stops it.
"""

import sys
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import SparkSession

from jobs import ingest_events, sessionize
from ulm_spark.events.adapter import load_adapter
from ulm_spark.events.batch import SourceConf
from ulm_spark.events.intake import Reading
from ulm_spark.lake.job import BaseConf, run_job
from ulm_spark.lake.ledger import open_run
from ulm_spark.lake.maintain import MaintenanceRules
from ulm_spark.lake.stream import StreamConf
from ulm_spark.pipeline.attributed import Attribution, refuse_attribution
from ulm_spark.pipeline.stream import EventStream
from ulm_spark.sessions.cut import SessionRules

JOB = "stream_events"


@dataclass(frozen=True)
class Conf(BaseConf):
    """What the job reads from the config file."""

    source: SourceConf = field(default_factory=SourceConf)
    stream: StreamConf = field(default_factory=StreamConf)
    sessions: SessionRules = field(default_factory=SessionRules)
    identity: Attribution = field(default_factory=Attribution)
    maintenance: MaintenanceRules = field(default_factory=MaintenanceRules)


def run(spark: SparkSession, conf: Conf, as_of: date, until_caught_up: bool = False) -> None:
    """Stream until told to stop, or until what the topic has now is in the lake."""
    refuse_attribution(conf.identity, JOB)
    # As if these jobs ran themselves: their next runs go on from here.
    ingest = ingest_events.Conf(conf.lake, conf.spark, conf.shop, conf.source)
    sessions = sessionize.Conf(conf.lake, conf.spark, conf.shop, conf.sessions)
    reading = Reading(load_adapter(conf.source.adapter), conf.shop.zone, conf.shop.currency)
    with (
        open_run(spark, ingest, ingest_events.JOB, as_of, is_stream=True) as of_events,
        open_run(spark, sessions, sessionize.JOB, as_of, is_stream=True) as of_sessions,
    ):
        EventStream(of_events, of_sessions, conf, reading).run(until_caught_up=until_caught_up)


def main(argv: list[str] | None = None) -> int:
    """The command line: --config FILE --as-of DATE [--set a.b=c]."""
    return run_job(JOB, Conf, run, argv)


if __name__ == "__main__":
    sys.exit(main())
