"""How large is the simulated shop, from when to when, and by which laws?"""

from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from ulm_spark.config.errors import ConfigError
from ulm_spark.config.require import require
from ulm_spark.shop.aftersales import AftersalesLaw
from ulm_spark.shop.bots import BotLaw
from ulm_spark.shop.catalogue import CatalogueLaw, last_day
from ulm_spark.shop.disorder import DisorderLaw
from ulm_spark.shop.identities import IdentityLaw
from ulm_spark.shop.next_item import NextItemLaw
from ulm_spark.shop.people import PeopleLaw
from ulm_spark.shop.prices import PriceLaw
from ulm_spark.shop.purchases import PurchaseLaw
from ulm_spark.shop.seasons import SeasonLaw
from ulm_spark.shop.visits import VisitLaw


@dataclass(frozen=True)
class SimulationConf:
    """Section ``simulation``.

    seed: of all random numbers, 0 to 2**64 - 1. n_users: shoppers, bots not counted. n_items,
    n_categories: size of the catalogue. starts_on: first day, UTC. n_days: days simulated.
    landing: folder for the raw files, any Hadoop path. files_per_day: raw files of one day.
    compression: of the raw files. n_partitions: pieces in which shoppers are drawn, 0 for one per
    1,000 shoppers; the result does not depend on it. The other fields are laws.
    """

    seed: int = 20250101
    n_users: int = 3_000
    n_items: int = 400
    n_categories: int = 24
    starts_on: date = date(2025, 1, 1)
    n_days: int = 240
    landing: str = ".ulm/demo/landing"
    files_per_day: int = 1
    compression: Literal["none", "gzip"] = "none"
    n_partitions: int = 0
    people: PeopleLaw = field(default_factory=PeopleLaw)
    purchases: PurchaseLaw = field(default_factory=PurchaseLaw)
    visits: VisitLaw = field(default_factory=VisitLaw)
    next_item: NextItemLaw = field(default_factory=NextItemLaw)
    aftersales: AftersalesLaw = field(default_factory=AftersalesLaw)
    catalogue: CatalogueLaw = field(default_factory=CatalogueLaw)
    prices: PriceLaw = field(default_factory=PriceLaw)
    seasons: SeasonLaw = field(default_factory=SeasonLaw)
    bots: BotLaw = field(default_factory=BotLaw)
    identities: IdentityLaw = field(default_factory=IdentityLaw)
    disorder: DisorderLaw = field(default_factory=DisorderLaw)

    def __post_init__(self) -> None:
        least = {"n_users": 1, "n_items": 20, "n_categories": 6, "n_days": 7, "files_per_day": 1, "n_partitions": 0}
        for name, lowest in least.items():
            require(getattr(self, name) >= lowest, f"simulation.{name}", getattr(self, name), f"{lowest} or more")
        if not 0 <= self.seed < 2**64:
            raise ConfigError("simulation.seed: found a number outside 0 to 2**64 - 1. Correct the config.")
        is_enough = self.n_categories <= self.n_items and len(self.next_item.successor_shares) < self.n_items
        expected = "at least one item per category and more items than an item has successors"
        require(is_enough, "simulation.n_items", self.n_items, expected)
        require(bool(self.landing), "simulation.landing", "nothing", "a folder for the raw files")

    @property
    def ends_on(self) -> date:
        """The last simulated day."""
        return last_day(self.starts_on, self.n_days)

    def pieces(self, n_rows: int) -> int:
        """In how many partitions so many rows are drawn."""
        return self.n_partitions or max(1, -(-n_rows // 1_000))
