"""Find which users are linked, by what, and which communities their links make.

Reads silver.order_lines and silver.events as known at the end of as_of: items both users bought, devices and
cookies both used, and where events' attributes have address_hash or referred_by, addresses of both and who
brought whom. Writes the day's slices of gold.user_links, which hold weights and counts and no such thing
itself, and of gold.user_communities. A re-run replaces the day's slices by the same rows.
"""

import sys
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import SparkSession

from ulm_spark.lake.job import BaseConf, run_job
from ulm_spark.lake.ledger import open_run
from ulm_spark.pipeline.attributed import Attribution
from ulm_spark.pipeline.link_users import relate_users
from ulm_spark.users.relations_conf import RelationsConf

JOB = "link_users"


@dataclass(frozen=True)
class Conf(BaseConf):
    """What the job reads from the config file."""

    relations: RelationsConf = field(default_factory=RelationsConf)
    identity: Attribution = field(default_factory=Attribution)


def run(spark: SparkSession, conf: Conf, as_of: date) -> None:
    """Link the users of the day and find their communities."""
    with open_run(spark, conf, JOB, as_of) as ledger:
        relate_users(ledger, conf.relations, conf.shop.zone, conf.identity)


def main(argv: list[str] | None = None) -> int:
    """The command line: --config FILE --as-of DATE [--set a.b=c]."""
    return run_job(JOB, Conf, run, argv)


if __name__ == "__main__":
    sys.exit(main())
