"""Bring a source's new files into the lake.

Reads the files of section source as its adapter in conf/sources describes them. Writes every row to
bronze.raw_events and then to silver.events or, with the reason, to bronze.quarantine: raw = kept +
quarantined, to the row, or the batch is taken back. Then ops.ingested_files is written: a run that was
killed before it is begun again, one without new files changes nothing. Where the adapter, shop.zone or shop.currency
changed, all files are read again; one that grew too, its old rows as duplicates. ops.ingested_days follows from both.
"""

import sys
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import SparkSession

from ulm_spark.events.adapter import load_adapter
from ulm_spark.events.batch import SourceConf
from ulm_spark.events.failures import explained_failures
from ulm_spark.events.ingested import days_of_failed_files, told_days
from ulm_spark.events.intake import Reading, open_intake, source_inputs, take_back_unfinished, take_in
from ulm_spark.lake.job import BaseConf, run_job
from ulm_spark.lake.ledger import open_run

JOB = "ingest_events"


@dataclass(frozen=True)
class Conf(BaseConf):
    """What the job reads from the config file."""

    source: SourceConf = field(default_factory=SourceConf)


def external_inputs(spark: SparkSession, conf: Conf) -> dict[str, str]:
    """The state of the adapter and of the source's files, by which a run with nothing new is skipped."""
    return source_inputs(spark, conf.source, load_adapter(conf.source.adapter))


def run(spark: SparkSession, conf: Conf, as_of: date) -> None:
    """Bring the source's new files into the lake, all of them or none."""
    adapter = load_adapter(conf.source.adapter)
    zone, source = conf.shop.zone, conf.source
    with open_run(spark, conf, JOB, as_of) as ledger, explained_failures(adapter):
        for name, state in source_inputs(spark, source, adapter).items():
            ledger.note_input(name, state)
        take_back_unfinished(ledger)
        with told_days(ledger, adapter.name, lambda: days_of_failed_files(spark, source, adapter, zone, ledger)):
            intake = open_intake(spark, source, Reading(adapter, zone, conf.shop.currency), ledger)
            ledger.progress(intake.summary if intake else "no new file")
            if intake:
                take_in(ledger, intake)


def main(argv: list[str] | None = None) -> int:
    """The command line: --config FILE --as-of DATE [--set a.b=c]."""
    return run_job(JOB, Conf, run, argv)


if __name__ == "__main__":
    sys.exit(main())
