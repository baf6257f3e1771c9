"""The whole simulation, as frames: raw lines and truth."""

from dataclasses import dataclass

from pyspark.sql import DataFrame

from ulm_spark.contracts import truth as tables
from ulm_spark.contracts.table import Table
from ulm_spark.shop import truth
from ulm_spark.shop.catalogue import list_items
from ulm_spark.shop.conf import SimulationConf
from ulm_spark.shop.disorder import deliver, list_anomalies, write_lines
from ulm_spark.shop.generate import simulate_shoppers
from ulm_spark.shop.identities import identify, list_identities
from ulm_spark.shop.personas import DEPARTMENTS, PERSONAS
from ulm_spark.shop.plan import make_plan
from ulm_spark.shop.wire import describe_events, describe_listings


@dataclass(frozen=True)
class Indices:
    """Numbers to draw, each frame with one column id: shoppers and bots, items, personas, departments."""

    users: DataFrame
    items: DataFrame
    personas: DataFrame
    departments: DataFrame


@dataclass(frozen=True)
class Simulation:
    """What a simulated shop left behind: raw lines as disorder.write_lines, and the truth tables but the laws."""

    lines: DataFrame
    truth: tuple[tuple[Table, DataFrame], ...]


def counts(conf: SimulationConf) -> tuple[int, int, int, int]:
    """How many numbers there are to draw of each field of Indices; ids run from 0 to the count less one."""
    return conf.n_users + make_plan(conf).n_bots, conf.n_items, len(PERSONAS), len(DEPARTMENTS)


def simulate(coded: DataFrame, indices: Indices, conf: SimulationConf, currency: str) -> Simulation:
    """All frames of a simulation.

    In:     coded from generate.simulate_events, which the caller may keep, since most frames read it.
    """
    plan = make_plan(conf)
    items = list_items(indices.items, plan.catalogue, plan.draws)
    events = describe_events(identify(coded, conf.identities, conf.seed), items, currency)
    delivered = deliver(events, conf.disorder, conf.seed, conf.ends_on)
    listings = describe_listings(items, currency)
    lines = write_lines(delivered, listings, conf.disorder, conf.seed, conf.ends_on)
    return Simulation(
        lines,
        (
            (tables.ITEMS, truth.list_truth_items(items, currency)),
            (tables.SUCCESSORS, truth.list_successors(items, conf)),
            (tables.PERSONA_ITEMS, truth.list_persona_items(items, conf)),
            (tables.CLOCKS, truth.list_clocks(indices.personas, conf)),
            (tables.PROMOTIONS, truth.list_promotions(indices.departments, conf)),
            (tables.EVENTS, truth.list_events(delivered)),
            (tables.IDENTITIES, list_identities(delivered)),
            (tables.USERS, truth.list_users(simulate_shoppers(indices.users, conf), delivered)),
            (tables.ANOMALIES, list_anomalies(lines)),
        ),
    )
