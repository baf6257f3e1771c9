"""Which visits does a shopper make: to look, to buy, and soon after another one."""

from dataclasses import dataclass

import numpy as np
from scipy.special import pdtr, pdtrik

from ulm_spark.config.require import require
from ulm_spark.shop.counter_rng import Draws, Floats, Ints, Stream
from ulm_spark.shop.people import People
from ulm_spark.shop.personas import persona_values
from ulm_spark.shop.purchases import Purchases
from ulm_spark.shop.seasons import Clock

FORMULA = (
    "looking: Poisson on the persona's clock with the shopper's visit rate while alive, times 2 ** (-days / "
    "fade_days) after the last purchase of one who dropped out, or after the interest of one who never buys has "
    "ended; the first visit is the sign-up; each purchase is a visit; a share echo_share of visits is followed by "
    "another one after 25 to 35 minutes; items looked at in a visit are geometric with the persona's mean, at "
    "most max_items"
)
SOURCE = "thinning of a Poisson process: Lewis & Shedler (1979), Naval Research Logistics Quarterly 26(3), 403-413"

LOOK, BUY, AFTERSALES, ECHO = 0, 1, 2, 3


@dataclass(frozen=True)
class VisitLaw:
    """Section ``simulation.visits``.

    fade_days: half-life of looking after dropout. echo_share: visits followed by another one after
    25 to 35 minutes, which no rule can tell from one visit with certainty. min_gap_minutes: least
    time between all other visits of a shopper. max_dwell_minutes: most between two events of a
    visit. dwell_spread: standard deviation of the log of that time. max_items: most items in a visit.
    """

    fade_days: float = 6.0
    echo_share: float = 0.004
    min_gap_minutes: float = 40.0
    max_dwell_minutes: float = 12.0
    dwell_spread: float = 0.8
    max_items: int = 40

    def __post_init__(self) -> None:
        is_clear = not self.min_gap_minutes <= 35 and 0 < self.max_dwell_minutes < 25
        found = f"min_gap_minutes {self.min_gap_minutes} and max_dwell_minutes {self.max_dwell_minutes}"
        expected = "above 35 and 0 to below 25, so that the planted visits are clear"
        require(is_clear, "simulation.visits", found, expected)
        is_fine = not self.fade_days <= 0 and 0 <= self.echo_share <= 0.5 and self.max_items >= 2
        found = f"fade_days {self.fade_days}, echo_share {self.echo_share}, max_items {self.max_items}"
        require(is_fine, "simulation.visits", found, "above 0, 0 to 0.5, and at least 2")


@dataclass(frozen=True)
class Visits:
    """Some visits, by shopper and planned start.

    user: the shopper's place. kind: LOOK, BUY, AFTERSALES or ECHO. planned_ms: start, before visits
    that would overlap are moved later. n_items: items looked at.
    """

    user: Ints
    kind: Ints
    planned_ms: Ints
    n_items: Ints


def _poisson(uniform: Floats, mean: Floats) -> Ints:
    """Inverse of the Poisson distribution function; a mean of zero gives zero."""
    guess = np.ceil(pdtrik(uniform, np.maximum(mean, 1e-12)))
    one_less = np.maximum(guess - 1, 0)
    return np.where(pdtr(one_less, np.maximum(mean, 1e-12)) >= uniform, one_less, guess).astype(np.int64)


def _looks(draws: Draws, law: VisitLaw, people: People, purchases: Purchases, clock: Clock) -> tuple[Ints, Ints]:
    """Visits to look, the sign-up left out: the shopper's place and the instant."""
    signed_up = clock.read(people.persona, people.signed_up_ms)
    span = clock.total_weeks - signed_up
    counts = _poisson(draws.uniform(Stream.N_VISITS, people.index), people.visit_rate * span)
    user = np.repeat(np.arange(len(people.index)), counts)
    nth = np.arange(len(user)) - np.repeat(np.cumsum(counts) - counts, counts)
    weeks = signed_up[user] + draws.uniform(Stream.VISIT_TIME, people.index[user], nth) * span[user]
    never_buys = np.isinf(purchases.first_weeks)
    alive_until = np.where(never_buys, signed_up + people.interest_weeks, purchases.dropped_weeks)
    weeks_since = np.maximum(weeks - alive_until[user], 0)
    is_kept = draws.uniform(Stream.VISIT_FADE, people.index[user], nth) < 2.0 ** (-weeks_since * 7 / law.fade_days)
    user, weeks = user[is_kept], weeks[is_kept]
    return user, clock.when(people.persona[user], weeks)


def draw_visits(draws: Draws, law: VisitLaw, people: People, purchases: Purchases, clock: Clock) -> Visits:
    """All visits to look and to buy, and those soon after another one."""
    look_user, look_ms = _looks(draws, law, people, purchases, clock)
    everyone = np.arange(len(people.index))
    user = np.concatenate([everyone, look_user, purchases.user])
    planned = np.concatenate(
        [people.signed_up_ms, look_ms, clock.when(people.persona[purchases.user], purchases.weeks)]
    )
    kind = np.repeat(np.asarray([LOOK, BUY]), [len(everyone) + len(look_user), len(purchases.user)])
    order = np.lexsort((kind, planned, user))
    user, planned, kind = user[order], planned[order], kind[order]
    nth = np.arange(len(user)) - np.searchsorted(user, user)
    echoes = np.flatnonzero(draws.uniform(Stream.ECHO, people.index[user], nth) < law.echo_share)
    # One millisecond after the visit it follows: the layout of times moves it to its real place.
    user = np.concatenate([user, user[echoes]])
    planned = np.concatenate([planned, planned[echoes] + 1])
    kind = np.concatenate([kind, np.full(len(echoes), ECHO)])
    order = np.lexsort((kind, planned, user))
    user, planned, kind = user[order], planned[order], kind[order]
    nth = np.arange(len(user)) - np.searchsorted(user, user)
    mean = persona_values("mean_items")[people.persona[user]]
    uniform = draws.uniform(Stream.N_STEPS, people.index[user], nth)
    n_items = 1 + np.floor(np.log(uniform) / np.log1p(-1 / mean)).astype(np.int64)
    return Visits(user, kind, planned, np.minimum(n_items, law.max_items))
