"""Make a synthetic shop: raw event files in a landing folder, and the truth that was planted in them.

Reads nothing but section ``simulation`` of the config; --as-of only dates the run. Writes the raw files and all truth
tables. A second run with the same settings and code leaves them; a killed one is begun again and ends in the same.
"""

import sys
from dataclasses import dataclass, field
from datetime import date

from pyspark.sql import SparkSession

from ulm_spark.contracts.truth import LAWS
from ulm_spark.lake.fingerprint import code_version, config_hash
from ulm_spark.lake.job import BaseConf, run_job
from ulm_spark.lake.landing import Landing
from ulm_spark.lake.ledger import open_run
from ulm_spark.lake.persisted import persisted
from ulm_spark.shop.conf import SimulationConf
from ulm_spark.shop.generate import simulate_events
from ulm_spark.shop.laws import law_rows
from ulm_spark.shop.simulate import Indices, counts, simulate

JOB = "simulate_shop"


@dataclass(frozen=True)
class Conf(BaseConf):
    """What the job reads from the config file."""

    simulation: SimulationConf = field(default_factory=SimulationConf)


def run(spark: SparkSession, conf: Conf, as_of: date) -> None:
    """Write the truth tables, then the raw files, whose marker says that all is complete."""
    sim, landing = conf.simulation, Landing(spark, conf.simulation.landing)
    fingerprint = f"{code_version()} {config_hash(conf)}"
    with open_run(spark, conf, JOB, as_of) as ledger:
        if landing.holds(fingerprint) and not ledger.lake.is_empty(LAWS):
            return ledger.progress(f"{sim.landing} holds this simulation already")
        landing.begin()
        users, *others = [spark.range(0, n, 1, sim.pieces(n)) for n in counts(sim)]
        with persisted(simulate_events(users, sim)) as coded:
            made = simulate(coded, Indices(users, *others), sim, conf.shop.currency)
            for table, frame in made.truth:
                ledger.progress(table.name)
                ledger.restate(frame, table)
            ledger.restate(ledger.frame_of(LAWS, law_rows(sim)), LAWS)
            ledger.progress(f"raw files in {sim.landing}")
            landing.write(made.lines, fingerprint, sim.files_per_day, sim.compression)


def main(argv: list[str] | None = None) -> int:
    """The command line: --config FILE --as-of DATE [--set a.b=c]."""
    return run_job(JOB, Conf, run, argv)


if __name__ == "__main__":
    sys.exit(main())
