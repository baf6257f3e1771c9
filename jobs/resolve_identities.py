"""Find which log-ins, cookies and devices are one person's.

Reads silver.events as known at the end of as_of. Writes silver.identity_links (which identifiers events
named together), silver.identities (whose each is, from which day to which) and the day's slice of
ops.identity_changes (who became whom, and why). Only persons whom a new, cut, shared or vanished link
touches are worked out anew; the result is the same as from all links at once, in whatever order events
arrive. A re-run of a day replaces what it found that day and, where nothing came, changes nothing. A run for
a day before the latest leaves all as it is and says so: that day's answer is in silver.identities still.
To undo a wrong link, name it in identity.cut_links and run the job again.
"""

import sys
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import SparkSession

from ulm_spark.events.identity import IdentityRules
from ulm_spark.lake.job import BaseConf, run_job
from ulm_spark.lake.ledger import open_run
from ulm_spark.pipeline.resolve_identities import resolve_day

JOB = "resolve_identities"


@dataclass(frozen=True)
class Conf(BaseConf):
    """What the job reads from the config file."""

    identity: IdentityRules = field(default_factory=IdentityRules)


def run(spark: SparkSession, conf: Conf, as_of: date) -> None:
    """Bring identities up to the day."""
    with open_run(spark, conf, JOB, as_of) as ledger:
        resolve_day(ledger, conf.identity, conf.shop.zone)


def main(argv: list[str] | None = None) -> int:
    """The command line: --config FILE --as-of DATE [--set a.b=c]."""
    return run_job(JOB, Conf, run, argv)


if __name__ == "__main__":
    sys.exit(main())
