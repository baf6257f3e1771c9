"""Who is no shopper: crawlers that look at one item after the other at a fixed pace."""

from dataclasses import dataclass

import numpy as np

from ulm_spark.config.require import require
from ulm_spark.shop.catalogue import Catalogue
from ulm_spark.shop.counter_rng import Draws, Ints, Stream, ordinals
from ulm_spark.shop.seasons import DAY_MS, Clock

FORMULA = (
    "bots = the ceiling of share * n_users; each comes every_days at its own second of the day and views "
    "views_per_visit items one after the other in the order of the catalogue, one each pace_s, going on where it "
    "stopped"
)
SOURCE = (
    "regular and exhaustive requests as the mark of crawlers: Tan & Kumar (2002), Data Mining and Knowledge "
    "Discovery 6(1), 9-35"
)


@dataclass(frozen=True)
class BotLaw:
    """Section ``simulation.bots``.

    share: bots per shopper. every_days: days between two visits of a bot. views_per_visit: items
    in a visit. pace_s: seconds between two views.
    """

    share: float = 0.002
    every_days: int = 6
    views_per_visit: int = 60
    pace_s: float = 2.0

    def __post_init__(self) -> None:
        is_wrong = self.share < 0 or self.every_days < 1 or self.views_per_visit < 1 or self.pace_s <= 0
        visits = f"every_days {self.every_days}, views_per_visit {self.views_per_visit}"
        found = f"share {self.share}, {visits}, pace_s {self.pace_s}"
        require(not is_wrong, "simulation.bots", found, "0 or more, 1 or more twice, above 0")


@dataclass(frozen=True)
class Crawl:
    """Views of some bots by bot and time; bot is the place in the index given, the rest as in timing.Timeline."""

    bot: Ints
    number: Ints
    visit: Ints
    at_ms: Ints
    item: Ints


def crawl(draws: Draws, law: BotLaw, catalogue: Catalogue, clock: Clock, index: Ints) -> Crawl:
    """All views of the bots of these numbers."""
    n_visits = -(-((clock.ends_ms - clock.starts_ms) // DAY_MS) // law.every_days)
    shape = (len(index), n_visits, law.views_per_visit)
    bot, visit, view = (axis.ravel() for axis in np.indices(shape))
    offset = np.floor(draws.uniform(Stream.BOT, index) * (DAY_MS // 2)).astype(np.int64)
    at = (
        clock.starts_ms
        + visit * law.every_days * DAY_MS
        + offset[bot]
        + np.round(view * law.pace_s * 1000).astype(np.int64)
    )
    item = (visit * law.views_per_visit + view) % catalogue.n_listed(at)
    is_within = at < clock.ends_ms
    bot, visit, at, item = bot[is_within], visit[is_within], at[is_within], item[is_within]
    return Crawl(bot.astype(np.int64), ordinals(bot) + 1, visit.astype(np.int64) + 1, at, item)
