"""Is a shopper engaged, fading, away or back? A hidden Markov model of purchases and looks per period.

Each user belongs to one of a few classes of rates, for life, and is in each period in one hidden state. Purchases and
looks of a period are Poisson with the class's rate times the state's factor, so that a state means the same for heavy
and for light users; a user away for long has the zeros that a single Poisson law can't explain.
"""

import json
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from ulm_spark.stats.stages import ACQUISITION, CHURNED, DECLINE, GROWTH, MATURITY, UNKNOWN, WON_BACK

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ENGAGED, FADING, AWAY, BACK = range(4)
N_STATES = 4
NO_PURCHASE, QUIET, BOUGHT = range(3)
"""What a period says about the step to the next one: none bought so far, bought before, bought in it."""
LEAST_RATE = 1e-4
_VECTORS = ("weights", "first_rates", "buy_rates", "look_rates", "buy_factors", "look_factors", "fades")
_NUMBERS = ("recovers", "leaves", "returns", "settles")


@dataclass(frozen=True)
class Activity:
    """What some users did, period by period, the newest last.

    buys, looks: [users, periods], purchases and visits without one. born: [users], place of the user's
    first period; what lies before it is nothing.
    """

    buys: Ints
    looks: Ints
    born: Ints

    @property
    def has_bought(self) -> NDArray[np.bool_]:
        """[users, periods]: a purchase by the end of the period."""
        return np.asarray(np.cumsum(self.buys, axis=1) > 0)

    @property
    def had_bought(self) -> NDArray[np.bool_]:
        """[users, periods]: a purchase before the period."""
        return np.concatenate([np.zeros((len(self.buys), 1), dtype=bool), self.has_bought[:, :-1]], axis=1)

    @property
    def step(self) -> Ints:
        """[users, periods]: NO_PURCHASE, QUIET or BOUGHT."""
        return np.where(self.buys > 0, BOUGHT, np.where(self.has_bought, QUIET, NO_PURCHASE))

    @property
    def is_told(self) -> NDArray[np.bool_]:
        """[users, periods]: periods that speak of the rates; the first, cut by the arrival, does not."""
        return np.asarray(np.arange(self.buys.shape[1])[None, :] > self.born[:, None])


@dataclass(frozen=True)
class Parameters:
    """The model.

    weights, first_rates, buy_rates, look_rates: [classes]; share, and purchases a period before the first and
    after it, and looks a period, of engaged users. buy_factors, look_factors: [states], of these rates; 1 where
    engaged or back. fades: [steps], engaged to fading. recovers, leaves: fading to engaged, to away. returns: away
    to back. settles: back to engaged; a setting, since both look alike.
    """

    weights: tuple[float, ...]
    first_rates: tuple[float, ...]
    buy_rates: tuple[float, ...]
    look_rates: tuple[float, ...]
    buy_factors: tuple[float, ...]
    look_factors: tuple[float, ...]
    fades: tuple[float, ...]
    recovers: float
    leaves: float
    returns: float
    settles: float

    def as_json(self) -> str:
        """The parameters as text, from which from_json makes them again."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Parameters":
        """The parameters of as_json."""
        read = json.loads(text)
        weights, first, buys, looks, of_buys, of_looks, fades = (tuple(map(float, read[name])) for name in _VECTORS)
        recovers, leaves, returns, settles = (float(read[name]) for name in _NUMBERS)
        return cls(weights, first, buys, looks, of_buys, of_looks, fades, recovers, leaves, returns, settles)

    @property
    def moves(self) -> Floats:
        """[steps, states, states]: probability of the next period's state."""
        moves = np.zeros((3, N_STATES, N_STATES))
        for step, fades in enumerate(self.fades):
            moves[step, ENGAGED] = 1 - fades, fades, 0, 0
            moves[step, FADING] = self.recovers, 1 - self.recovers - self.leaves, self.leaves, 0
            moves[step, AWAY] = 0, 0, 1 - self.returns, self.returns
            moves[step, BACK] = (1 - fades) * self.settles, fades, 0, (1 - fades) * (1 - self.settles)
        return moves


def emissions(seen: Activity, model: Parameters) -> tuple[Floats, Floats]:
    """[users, periods, classes, states]: likelihood of a period's counts, over the largest of the period's.

    Out:  these, and [users, periods], the log of the largest, up to a term of the counts alone.
    Rule: Poisson. 1, and 0, where the period does not speak of the rates. Over the largest, so that counts beyond all
          rates, as of a till's account, still tell which class is nearest.
    """
    looks = _poisson(seen.looks, np.outer(model.look_rates, model.look_factors))
    first, again = (
        _poisson(seen.buys, np.outer(rates, model.buy_factors)) for rates in (model.first_rates, model.buy_rates)
    )
    buys = np.where(seen.had_bought[:, :, None, None], again, first)
    logs = np.where(seen.is_told[:, :, None, None], buys + looks, 0.0)
    peaks = logs.max(axis=(2, 3))
    return np.exp(np.maximum(logs - peaks[:, :, None, None], -300.0)), peaks


def filter_stages(seen: Activity, model: Parameters) -> tuple[Floats, Floats]:
    """The forward pass: [users, periods, classes, states], what is known of class and state by the end of a period.

    Out:    these probabilities, and [users, periods], the parts that sum to the log likelihood.
    Rule:   a period's probabilities rest on it and those before it, never on a later one. In the first period all
            are engaged.
    Source: Rabiner (1989), Proceedings of the IEEE 77(2), equations (19)-(20), scaled as in (91)-(92a).
    """
    likely, peaks = emissions(seen, model)
    known, scales = run_forward(seen, model, likely)
    return known, np.log(scales) + peaks


def run_forward(seen: Activity, model: Parameters, likely: Floats) -> tuple[Floats, Floats]:
    """The probabilities of filter_stages, given the emissions, and the factors that scale each period to 1."""
    n_users, n_periods = seen.buys.shape
    known = np.zeros((n_users, n_periods, len(model.weights), N_STATES))
    scales = np.ones((n_users, n_periods))
    moves, step, told = model.moves, seen.step, seen.is_told
    known[:, 0, :, ENGAGED] = np.asarray(model.weights)
    for t in range(1, n_periods):
        before = known[:, t - 1]
        ahead = np.where(told[:, t, None, None], moved(before, moves, step[:, t - 1]), before) * likely[:, t]
        scales[:, t] = np.maximum(ahead.sum(axis=(1, 2)), 1e-280)
        known[:, t] = ahead / scales[:, t, None, None]
    return known, scales


def moved(weights: Floats, moves: Floats, step: Ints) -> Floats:
    """weights [users, classes, states] times each user's matrix of moves [states, states]."""
    after = np.empty_like(weights)
    for k in range(len(moves)):
        own = step == k
        after[own] = weights[own] @ moves[k]
    return after


def _poisson(counts: Ints, rates: Floats) -> Floats:
    """Log likelihood less that of a rate equal to the count."""
    rates, n = np.maximum(rates, LEAST_RATE), counts[:, :, None, None]
    return np.asarray(n * np.log(rates) - rates - (n * np.log(np.maximum(n, 1)) - n))


@dataclass(frozen=True)
class Cuts:
    """From which probability on a stage is told: of being active; of away among the lost; of back among the active."""

    active: float
    churned: float
    back: float


def stages_by_model(seen: Activity, model: Parameters, mature_purchases: int, cuts: Cuts) -> "Told":
    """The stage at each period's end that what is known by then makes likely.

    Rule: the active, engaged or back, are won back where back enough, else in acquisition, growth or maturity by
          their orders; the lost, fading or away, are churned where away enough, else in decline. Who never bought
          can't be won back.
    """
    states = filter_stages(seen, model)[0].sum(axis=2)
    p_active = states[:, :, ENGAGED] + states[:, :, BACK]
    p_lost = states[:, :, FADING] + states[:, :, AWAY]
    n_bought = np.cumsum(seen.buys, axis=1)
    is_active, is_churned = p_active >= cuts.active, states[:, :, AWAY] >= cuts.churned * p_lost
    is_back = (n_bought > 0) & (states[:, :, BACK] >= cuts.back * p_active)
    alive = np.where(n_bought >= mature_purchases, MATURITY, np.where(n_bought > 0, GROWTH, ACQUISITION))
    alive = np.where(is_back, WON_BACK, alive)
    stages = np.where(is_active, alive, np.where(is_churned, CHURNED, DECLINE))
    p_alive = np.where(is_back, states[:, :, BACK], np.where(n_bought > 0, states[:, :, ENGAGED], p_active))
    p_stage = np.where(is_active, p_alive, np.where(is_churned, states[:, :, AWAY], states[:, :, FADING]))
    is_before = np.arange(stages.shape[1])[None, :] < seen.born[:, None]
    return Told(np.where(is_before, UNKNOWN, stages), p_stage, p_active)


@dataclass(frozen=True)
class Told:
    """What the model tells: [users, periods] each; stage UNKNOWN before the user's first period."""

    stage: Ints
    p_stage: Floats
    p_active: Floats
