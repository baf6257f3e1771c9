"""Flag events that tell of no shopper or of a wrong clock.

Reads ops.ingested_days for the days up to as_of whose events changed since they were judged, and of those
days silver.events. Replaces these days in silver.event_anomalies, then in ops.judged_days: a re-run judges
nothing anew. No event is dropped: events.anomalies.without_anomalies leaves out what is flagged.
"""

import sys
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from ulm_spark.contracts.bronze import INGESTED_DAYS
from ulm_spark.contracts.ops import JUDGED_DAYS
from ulm_spark.contracts.silver import EVENT_ANOMALIES, EVENTS
from ulm_spark.events.anomalies import AnomalyRules, flag_anomalies
from ulm_spark.events.judged import changed_days
from ulm_spark.lake.fingerprint import code_version, config_hash
from ulm_spark.lake.job import BaseConf, run_job
from ulm_spark.lake.ledger import open_run

JOB = "flag_anomalies"


@dataclass(frozen=True)
class Conf(BaseConf):
    """What the job reads from the config file."""

    anomalies: AnomalyRules = field(default_factory=AnomalyRules)


def run(spark: SparkSession, conf: Conf, as_of: date) -> None:
    """Judge the days that changed."""
    with open_run(spark, conf, JOB, as_of) as ledger:
        settings = f"{config_hash(conf.anomalies)} {code_version()}"
        changed = changed_days(ledger.read(INGESTED_DAYS), ledger.read(JUDGED_DAYS), settings, as_of).collect()
        days = sorted(row["day_on"] for row in changed)
        ledger.progress(f"changed days: {len(days)}")
        if not days:
            return
        events = ledger.read(EVENTS).where(F.col("event_on").isin(days))
        ledger.replace_days(flag_anomalies(events, conf.anomalies), EVENT_ANOMALIES, "event_on", days)
        judged = [tuple(row) for row in changed if row["fingerprint"] is not None]
        ledger.replace_days(ledger.frame_of(JUDGED_DAYS, judged).coalesce(1), JUDGED_DAYS, "day_on", days)


def main(argv: list[str] | None = None) -> int:
    """The command line: --config FILE --as-of DATE [--set a.b=c]."""
    return run_job(JOB, Conf, run, argv)


if __name__ == "__main__":
    sys.exit(main())
