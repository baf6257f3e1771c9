"""What comes back: returns and reviews, some days after the purchase."""

from dataclasses import dataclass

import numpy as np

from ulm_spark.config.require import require
from ulm_spark.shop.counter_rng import Draws, Ints, Stream
from ulm_spark.shop.funnel import RETURN, REVIEW, Events, Lines
from ulm_spark.shop.people import People
from ulm_spark.shop.personas import persona_values
from ulm_spark.shop.seasons import DAY_MS
from ulm_spark.shop.visits import AFTERSALES, Visits

FORMULA = (
    "each line is sent back with the persona's return_rate and reviewed with its review_rate, in one visit of its "
    "own, uniformly min_days to max_days after the order; ratings 1 to 5 have shares rating_shares, or "
    "returned_rating_shares if sent back"
)
SOURCE = "own; J-shaped ratings as in Hu, Pavlou & Zhang (2009), Communications of the ACM 52(10), 144-147"


@dataclass(frozen=True)
class AftersalesLaw:
    """Section ``simulation.aftersales``.

    min_days, max_days: from an order to the visit that returns or reviews. rating_shares,
    returned_rating_shares: of ratings 1 to 5, summing to 1.
    """

    min_days: float = 3.0
    max_days: float = 12.0
    rating_shares: tuple[float, ...] = (0.06, 0.05, 0.11, 0.28, 0.5)
    returned_rating_shares: tuple[float, ...] = (0.4, 0.3, 0.2, 0.07, 0.03)

    def __post_init__(self) -> None:
        for name in ("rating_shares", "returned_rating_shares"):
            shares = getattr(self, name)
            is_wrong = len(shares) != 5 or min(shares) < 0 or abs(sum(shares) - 1) > 1e-9
            require(not is_wrong, f"simulation.aftersales.{name}", shares, "five shares that sum to 1")
        found = f"min_days {self.min_days} and max_days {self.max_days}"
        require(0 < self.min_days <= self.max_days, "simulation.aftersales", found, "0 < min_days <= max_days")


def draw_aftersales(
    draws: Draws, law: AftersalesLaw, people: People, visits: Visits, lines: Lines
) -> tuple[Visits, Events]:
    """Visits that return and review, and their events.

    An event's visit is its place among the new visits, its priced_visit that among the old ones.
    """
    persona, index = people.persona[lines.user], people.index[lines.user]
    returns = draws.uniform(Stream.RETURN, index, lines.nth) < persona_values("return_rate")[persona]
    reviews = draws.uniform(Stream.REVIEW, index, lines.nth) < persona_values("review_rate")[persona]
    shares = np.where(returns[:, None], np.asarray(law.returned_rating_shares), np.asarray(law.rating_shares))
    ratings = 1 + draws.choice(Stream.RATING, index, shares, lines.nth)
    sent_back = 1 + np.floor(draws.uniform(Stream.RETURNED_UNITS, index, lines.nth) * lines.units).astype(np.int64)
    parents, visit = np.unique(lines.visit[returns | reviews], return_inverse=True)
    place_of_line = np.full(len(returns), -1, dtype=np.int64)
    place_of_line[returns | reviews] = visit
    rows = np.concatenate([np.flatnonzero(returns), np.flatnonzero(reviews)])
    code = np.repeat(np.asarray([RETURN, REVIEW]), [int(returns.sum()), int(reviews.sum())])
    events = Events(
        visit=place_of_line[rows],
        priced_visit=lines.visit[rows],
        place=rows * 2 + (code == REVIEW),
        code=code,
        item=lines.item[rows],
        step=np.full(len(rows), -1, dtype=np.int64),
        units=np.where(code == RETURN, sent_back[rows], 0),
        rating=np.where(code == REVIEW, ratings[rows], 0),
    )
    return _new_visits(draws, law, people, visits, parents), events


def _new_visits(draws: Draws, law: AftersalesLaw, people: People, visits: Visits, parents: Ints) -> Visits:
    user = visits.user[parents]
    nth = parents - np.searchsorted(visits.user, user)
    days = law.min_days + (law.max_days - law.min_days) * draws.uniform(
        Stream.AFTERSALES_DELAY, people.index[user], nth
    )
    planned = visits.planned_ms[parents] + np.floor(days * DAY_MS).astype(np.int64)
    none = np.zeros(len(user), dtype=np.int64)
    return Visits(user, np.full(len(user), AFTERSALES), planned, none)
