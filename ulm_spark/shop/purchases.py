"""When does a shopper buy, and when for the last time? The BG/NBD process."""

from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv, gammaincinv, hyp2f1

from ulm_spark.config.require import require
from ulm_spark.shop.counter_rng import Draws, Floats, Ints, Stream
from ulm_spark.shop.people import People, PeopleLaw
from ulm_spark.shop.seasons import Clock

FORMULA = (
    "while alive, repeat purchases are Poisson with rate lambda a week of the persona's clock, lambda ~ Gamma(r, "
    "rate alpha); after each repeat purchase the shopper drops out for good with probability p ~ Beta(a, b); the "
    "first purchase comes an exponential time after sign-up and never ends it"
)
SOURCE = "Fader, Hardie & Lee (2005), Marketing Science 24(2), 275-284"


@dataclass(frozen=True)
class PurchaseLaw:
    """Section ``simulation.purchases``: BG/NBD, time in weeks of the persona's clock.

    r, alpha: shape and rate of the gamma law of purchase rates, so that r / alpha is the mean rate
    a week. a, b: of the beta law of the dropout probability.
    """

    r: float = 1.1
    alpha: float = 2.6
    a: float = 0.8
    b: float = 2.6

    def __post_init__(self) -> None:
        found = f"r {self.r}, alpha {self.alpha}, a {self.a}, b {self.b}"
        require(not min(self.r, self.alpha, self.a, self.b) <= 0, "simulation.purchases", found, "numbers above 0")


@dataclass(frozen=True)
class Purchases:
    """The purchases of some shoppers.

    rate, p_drop: [users]. first_weeks: [users], clock of the first purchase, infinite without one.
    dropped_weeks: [users], clock of the purchase that was followed by dropout, infinite where it
    lies beyond the simulation. user, weeks: [purchases], the shopper's place and the clock, by shopper
    and time.
    """

    rate: Floats
    p_drop: Floats
    first_weeks: Floats
    dropped_weeks: Floats
    user: Ints
    weeks: Floats


def draw_purchases(draws: Draws, law: PurchaseLaw, people_law: PeopleLaw, people: People, clock: Clock) -> Purchases:
    """All purchases within the simulation of some shoppers."""
    n_users, end = len(people.index), clock.total_weeks
    rate = gammaincinv(law.r, draws.uniform(Stream.PURCHASE_RATE, people.index)) / law.alpha
    p_drop = betaincinv(law.a, law.b, draws.uniform(Stream.DROPOUT_P, people.index))
    wait = -np.log(draws.uniform(Stream.FIRST_PURCHASE, people.index)) * people_law.first_purchase_weeks
    first = clock.read(people.persona, people.signed_up_ms) + wait
    first = np.where(people.is_buyer & (first < end), first, np.inf)
    dropped = np.full(n_users, np.inf)
    who = np.flatnonzero(first < end)
    now = first[who]
    users, weeks, nth = [who], [now], 0
    while who.size:
        nth += 1
        now = now - np.log(draws.uniform(Stream.PURCHASE_GAP, people.index[who], nth)) / np.maximum(rate[who], 1e-9)
        is_within = now < end
        who, now = who[is_within], now[is_within]
        users.append(who)
        weeks.append(now)
        drops = draws.uniform(Stream.DROPOUT, people.index[who], nth) < p_drop[who]
        dropped[who[drops]] = now[drops]
        who, now = who[~drops], now[~drops]
    user, week = np.concatenate(users), np.concatenate(weeks)
    order = np.lexsort((week, user))
    return Purchases(rate, p_drop, first, dropped, user[order], week[order])


def expected_repeats(law: PurchaseLaw, weeks: Floats) -> Floats:
    """Mean number of repeat purchases in so many weeks after the first: equation (9) of the source; a is not 1."""
    r, alpha, a, b = law.r, law.alpha, law.a, law.b
    tail = (alpha / (alpha + weeks)) ** r * hyp2f1(r, b, a + b - 1, weeks / (alpha + weeks))
    return np.asarray((a + b - 1) / (a - 1) * (1 - tail), dtype=np.float64)
