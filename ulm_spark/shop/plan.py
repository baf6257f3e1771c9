"""What all shoppers share: catalogue, clocks, promotions and the item chain, made once per process."""

import math
from dataclasses import dataclass
from functools import lru_cache

from ulm_spark.shop.catalogue import Catalogue, build_catalogue
from ulm_spark.shop.conf import SimulationConf
from ulm_spark.shop.counter_rng import Draws, Ints
from ulm_spark.shop.next_item import NextItem, build_next_item
from ulm_spark.shop.prices import discount_calendar, visit_multiplier
from ulm_spark.shop.seasons import Clock, build_clock


@dataclass(frozen=True)
class Plan:
    """The shared part of a simulation.

    discounts: percent, [departments, n_days]. n_bots: numbers from n_users on are bots.
    """

    conf: SimulationConf
    draws: Draws
    catalogue: Catalogue
    clock: Clock
    discounts: Ints
    chain: NextItem
    n_bots: int


@lru_cache(maxsize=2)
def make_plan(conf: SimulationConf) -> Plan:
    """The plan of a simulation: a pure function of its config, so each worker makes its own."""
    draws = Draws(conf.seed)
    catalogue = build_catalogue(draws, conf.catalogue, conf.n_items, conf.n_categories, conf.starts_on, conf.n_days)
    discounts = discount_calendar(draws, conf.prices, conf.n_days)
    clock = build_clock(conf.seasons, conf.starts_on, visit_multiplier(discounts, conf.prices))
    chain = build_next_item(draws, conf.next_item, catalogue)
    return Plan(conf, draws, catalogue, clock, discounts, chain, math.ceil(conf.bots.share * conf.n_users))
