"""Join small files, cluster them, and delete what no version in reach needs.

Looks at every table of the lake, also those of other jobs, but changes none of their rows. Writes the day's
slice of ops.maintenance. Runs after the jobs of a day; where another job writes the same table meanwhile, one
of the two fails and can be run again. The tables of a stream that runs are left to it.
"""

import sys
from dataclasses import astuple, dataclass, field
from datetime import date

from pyspark.sql import SparkSession

from ulm_spark.contracts.ops import MAINTENANCE
from ulm_spark.contracts.tables import TABLES
from ulm_spark.lake.job import BaseConf, run_job
from ulm_spark.lake.ledger import is_streamed, open_run
from ulm_spark.lake.maintain import MaintenanceRules, maintain

JOB = "maintain_lake"


@dataclass(frozen=True)
class Conf(BaseConf):
    """What the job reads from the config file."""

    maintenance: MaintenanceRules = field(default_factory=MaintenanceRules)


def run(spark: SparkSession, conf: Conf, as_of: date) -> None:
    """Maintain every table that is there."""
    with open_run(spark, conf, JOB, as_of) as ledger:
        rows = []
        for table in TABLES:
            if is_streamed(ledger.lake, table.writer, as_of):
                ledger.note(f"{table.name} is left to the stream")
                continue
            ledger.progress(table.name)
            done = maintain(ledger.lake, table, conf.maintenance)
            if done is not None:
                rows.append((as_of, *astuple(done)))
        ledger.replace(ledger.frame_of(MAINTENANCE, rows).coalesce(1), MAINTENANCE)


def main(argv: list[str] | None = None) -> int:
    """The command line: --config FILE --as-of DATE [--set a.b=c]."""
    return run_job(JOB, Conf, run, argv)


if __name__ == "__main__":
    sys.exit(main())
