"""Which item does a shopper look at next? A Markov chain with known probabilities."""

from dataclasses import dataclass

import numpy as np

from ulm_spark.config.require import require
from ulm_spark.shop.catalogue import Catalogue
from ulm_spark.shop.counter_rng import Draws, Floats, Ints, Stream
from ulm_spark.shop.personas import persona_values

FORMULA = (
    "p(j | i, k, t) = w * S(i, j) * L(j, t) + (1 - w * sum_l S(i, l) L(l, t)) * Q(k, j) L(j, t) / sum_{l != i} "
    "Q(k, l) L(l, t) for j != i; w = successor_weight, S = truth.successors, Q = truth.persona_items, L = listed "
    "by t; a user's first item is drawn from Q alone; the chain goes on from visit to visit"
)
SOURCE = (
    "first-order Markov chain with a popularity mixture: Rendle, Freudenthaler & Schmidt-Thieme (2010), WWW, "
    "FPMC; weights own"
)


@dataclass(frozen=True)
class NextItemLaw:
    """Section ``simulation.next_item``.

    successor_weight: share of steps that follow the chain; the rest follow the persona's taste.
    successor_shares: probabilities of an item's successors, summing to 1.
    """

    successor_weight: float = 0.6
    successor_shares: tuple[float, ...] = (0.45, 0.25, 0.15, 0.1, 0.05)

    def __post_init__(self) -> None:
        weight, shares = self.successor_weight, self.successor_shares
        require(0 <= weight < 1, "simulation.next_item.successor_weight", weight, "0 up to below 1")
        is_wrong = not shares or abs(sum(shares) - 1) > 1e-9 or min(shares) <= 0
        require(not is_wrong, "simulation.next_item.successor_shares", shares, "positive shares that sum to 1")


@dataclass(frozen=True)
class NextItem:
    """The chain of one simulated shop, over places in the catalogue.

    weight: successor_weight. shares: [successors]. successors: [items, successors].
    taste: Q, [personas, items], each row summing to 1. edges: running sums of taste.
    """

    weight: float
    shares: Floats
    successors: Ints
    taste: Floats
    edges: Floats

    def step(self, current: Ints, persona: Ints, n_listed: Ints, chance: Floats, taste_chance: Floats) -> Ints:
        """The next item of each shopper; current is -1 before the first."""
        has_current = current >= 0
        place = np.searchsorted(np.cumsum(self.shares)[:-1], np.minimum(chance / max(self.weight, 1e-12), 1.0))
        successor = self.successors[np.maximum(current, 0), place]
        is_successor = has_current & (chance < self.weight) & (successor < n_listed)
        return np.where(is_successor, successor, self._by_taste(current, persona, n_listed, taste_chance))

    def _by_taste(self, current: Ints, persona: Ints, n_listed: Ints, chance: Floats) -> Ints:
        n_items = self.taste.shape[1]
        here = np.maximum(current, 0)
        own = np.where(current >= 0, self.taste[persona, here], 0.0)
        target = chance * (self.edges[persona, n_listed - 1] - own)
        # Jump over the current item's own stretch, so that an item never follows itself.
        target = np.where((current >= 0) & (target >= self.edges[persona, here] - own), target + own, target)
        found = np.searchsorted(
            (self.edges + np.arange(len(self.edges))[:, None]).ravel(), target + persona, side="right"
        )
        return np.minimum(found - persona * n_items, n_listed - 1)


def build_next_item(draws: Draws, law: NextItemLaw, catalogue: Catalogue) -> NextItem:
    """Successors of each item, within its department where that is large enough, and each persona's taste."""
    affinity = persona_values("affinity")[:, catalogue.department]
    tilt = catalogue.relative_price[None, :] ** persona_values("price_tilt")[:, None]
    taste = catalogue.popularity[None, :] * affinity * tilt
    taste = taste / taste.sum(axis=1, keepdims=True)
    shares = np.asarray(law.successor_shares, dtype=np.float64)
    # The last edge stays below 1, so that a persona's stretch never reaches into the next one's.
    edges = np.minimum(np.cumsum(taste, axis=1), 1 - 1e-12)
    return NextItem(law.successor_weight, shares, _successors(draws, len(shares), catalogue), taste, edges)


def _successors(draws: Draws, n_successors: int, catalogue: Catalogue) -> Ints:
    n_items = len(catalogue.number)
    successors = np.zeros((n_items, n_successors), dtype=np.int64)
    for group in np.unique(catalogue.department):
        members = np.flatnonzero(catalogue.department == group)
        pool = members if len(members) > 2 * n_successors else np.arange(n_items)
        place = np.searchsorted(pool, members)
        # One successor from each equal stretch of the ring behind the item: distinct, and never itself.
        cuts = 1 + np.arange(n_successors + 1) * (len(pool) - 1) // n_successors
        for s in range(n_successors):
            drawn = draws.uniform(Stream.SUCCESSOR, catalogue.number[members], s)
            offset = cuts[s] + np.floor(drawn * (cuts[s + 1] - cuts[s])).astype(np.int64)
            successors[members, s] = pool[(place + offset) % len(pool)]
    return successors


def walk(chain: NextItem, draws: Draws, user_index: Ints, persona: Ints, step_user: Ints, n_listed: Ints) -> Ints:
    """The items of all steps of some shoppers.

    user_index, persona: [users]. step_user, n_listed: [steps], the place of the step's shopper in
    user_index, in rising order, and the items listed by then. Returns [steps].
    """
    items = np.zeros(step_user.shape, dtype=np.int64)
    counts = np.bincount(step_user, minlength=len(user_index))
    offsets = np.r_[0, np.cumsum(counts)[:-1]]
    nth = np.arange(len(step_user)) - offsets[step_user]
    chance = draws.uniform(Stream.NEXT_ITEM, user_index[step_user], nth)
    taste_chance = draws.uniform(Stream.POPULAR_ITEM, user_index[step_user], nth)
    current = np.full(len(user_index), -1, dtype=np.int64)
    for n in range(int(counts.max(initial=0))):
        who = np.flatnonzero(counts > n)
        rows = offsets[who] + n
        current[who] = chain.step(current[who], persona[who], n_listed[rows], chance[rows], taste_chance[rows])
        items[rows] = current[who]
    return items
