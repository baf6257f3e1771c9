"""What happens in a visit: search, view, click, cart, remove and purchase, in this order for each item."""

from dataclasses import dataclass

import numpy as np

from ulm_spark.shop.counter_rng import Bools, Draws, Floats, Ints, Stream
from ulm_spark.shop.people import People
from ulm_spark.shop.personas import persona_values
from ulm_spark.shop.visits import BUY, Visits

FORMULA = (
    "for each item: a search with the persona's search_rate, a view, then a place in the cart with cart_rate "
    "times the response to its discount, a click where it goes into the cart and else with click_rate, a removal "
    "with remove_rate; a visit to buy ends with the purchase of all that is in the cart, its last item at least; "
    "units are 1 + the floor of an exponential with mean extra_units"
)
SOURCE = "own; the funnel of Moe (2003), Journal of Consumer Psychology 13(1-2), 29-39, in broad lines"

SEARCH, VIEW, CLICK, CART, REMOVE, PURCHASE, RETURN, REVIEW = range(8)
CODE_NAMES = ("search", "view", "click", "cart", "remove", "purchase", "return", "review")
MOST_LINES = 1_000


@dataclass(frozen=True)
class Steps:
    """Items looked at, by shopper and time: visit is the place in Visits, nth the step of the shopper's chain."""

    visit: Ints
    user: Ints
    nth: Ints


@dataclass(frozen=True)
class Events:
    """Events of visits, in any order.

    visit: place in Visits. priced_visit: the visit whose day sets the price: the purchase's for a
    return. place: order within the visit. code: of the event type. item: place in the catalogue.
    step: of the shopper's chain, -1 where the event is no view of it. rating: 0 without one.
    """

    visit: Ints
    priced_visit: Ints
    place: Ints
    code: Ints
    item: Ints
    step: Ints
    units: Ints
    rating: Ints


@dataclass(frozen=True)
class Lines:
    """Order lines: the visit they were bought in, the step of the shopper's chain, item and units."""

    visit: Ints
    user: Ints
    nth: Ints
    item: Ints
    units: Ints


def steps_of(visits: Visits) -> Steps:
    """One step for each item of each visit."""
    visit = np.repeat(np.arange(len(visits.user)), visits.n_items)
    user = visits.user[visit]
    return Steps(visit, user, np.arange(len(user)) - np.searchsorted(user, user))


def whole_units(uniform: Floats, mean_extra: Floats) -> Ints:
    """1 + a rounded-down exponential of that mean; a mean of zero gives 1."""
    return np.asarray(1 + np.floor(-np.log(uniform) * mean_extra), dtype=np.int64)


def _bought(visits: Visits, steps: Steps, in_cart: Bools) -> Bools:
    """What a visit to buy buys: what is in its cart, or its last item where nothing is."""
    is_buying = visits.kind[steps.visit] == BUY
    n_kept = np.bincount(steps.visit[in_cart], minlength=len(visits.user))
    is_last = np.r_[steps.visit[1:] != steps.visit[:-1], True] if steps.visit.size else np.zeros(0, dtype=bool)
    return np.asarray(is_buying & (in_cart | (is_last & (n_kept[steps.visit] == 0))), dtype=np.bool_)


def draw_funnel(
    draws: Draws, people: People, visits: Visits, steps: Steps, items: Ints, cart_multiplier: Floats
) -> tuple[Events, Lines]:
    """Events of the visits, and what was bought. items, cart_multiplier: [steps]."""
    persona, index = people.persona[steps.user], people.index[steps.user]

    def happens(stream: Stream, rate: str, multiplier: Floats | float = 1.0) -> Bools:
        return np.asarray(
            draws.uniform(stream, index, steps.nth) < np.minimum(persona_values(rate)[persona] * multiplier, 0.95)
        )

    searches = happens(Stream.SEARCH, "search_rate")
    carts = happens(Stream.CART, "cart_rate", cart_multiplier)
    removes = carts & happens(Stream.REMOVE, "remove_rate")
    bought = _bought(visits, steps, carts & ~removes)
    removes &= ~bought
    carts |= bought
    clicks = carts | happens(Stream.CLICK, "click_rate")
    units = whole_units(draws.uniform(Stream.UNITS, index, steps.nth), persona_values("extra_units")[persona])
    happened = (searches, np.ones(len(index), dtype=bool), clicks, carts, removes, bought)
    rows = [np.flatnonzero(mask) for mask in happened]
    code = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    row = np.concatenate(rows)
    checkout = np.where(code == PURCHASE, MOST_LINES * len(CODE_NAMES), 0)
    events = Events(
        visit=steps.visit[row],
        priced_visit=steps.visit[row],
        place=checkout + (steps.nth[row] - _first_step(steps)[row]) * len(CODE_NAMES) + code,
        code=code,
        item=items[row],
        step=np.where(code == VIEW, steps.nth[row], -1),
        units=np.where(code >= CART, units[row], 0),
        rating=np.zeros(len(row), dtype=np.int64),
    )
    kept = rows[PURCHASE]
    return events, Lines(steps.visit[kept], steps.user[kept], steps.nth[kept], items[kept], units[kept])


def _first_step(steps: Steps) -> Ints:
    return np.asarray(steps.nth[np.searchsorted(steps.visit, steps.visit)], dtype=np.int64)
