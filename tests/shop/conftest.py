"""A small shop, simulated once for all tests of this folder."""

import json
from dataclasses import dataclass
from datetime import date

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from ulm_spark.contracts.table import Table
from ulm_spark.shop.conf import SimulationConf
from ulm_spark.shop.disorder import DisorderLaw
from ulm_spark.shop.generate import simulate_events
from ulm_spark.shop.simulate import Indices, Simulation, counts, simulate
from ulm_spark.shop.visits import VisitLaw

SMALL = SimulationConf(
    seed=7,
    n_users=350,
    n_items=120,
    n_days=120,
    starts_on=date(2025, 3, 1),
    visits=VisitLaw(echo_share=0.02),
    disorder=DisorderLaw(malformed_share=0.002),
)


def simulated(spark: SparkSession, conf: SimulationConf, n_partitions: int) -> tuple[DataFrame, Simulation]:
    """The coded events and all frames of a simulation."""
    users, *others = [spark.range(0, n, 1, n_partitions) for n in counts(conf)]
    coded = simulate_events(users, conf)
    return coded, simulate(coded, Indices(users, *others), conf, "EUR")


@dataclass(frozen=True)
class Shop:
    """The small shop: frames by truth table, and the raw lines."""

    conf: SimulationConf
    truth: dict[str, DataFrame]
    lines: pd.DataFrame

    def table(self, table: Table) -> pd.DataFrame:
        """A truth table on the driver."""
        return self.truth[table.name].toPandas()

    def kept(self) -> pd.DataFrame:
        """What the well-formed lines of shoppers and bots say, copies left out, by user and time."""
        own = self.lines[(self.lines.kind == "event") & ~self.lines.event_id.str.startswith("l")]
        events = pd.DataFrame([json.loads(bytes(line)) for line in own.line])
        return events.sort_values(["user_id", "event_at", "event_id"], ignore_index=True)


@pytest.fixture(scope="package")
def shop(spark: SparkSession) -> Shop:
    """The small shop of this folder's tests."""
    coded, made = simulated(spark, SMALL, 2)
    coded.persist()
    return Shop(SMALL, {table.name: frame.persist() for table, frame in made.truth}, made.lines.toPandas())
