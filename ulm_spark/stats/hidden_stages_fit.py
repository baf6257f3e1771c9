"""Which hidden states and rates make what shoppers did most likely?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ulm_spark.stats.hidden_stages import (
    AWAY,
    BACK,
    ENGAGED,
    FADING,
    LEAST_RATE,
    N_STATES,
    Activity,
    Floats,
    Parameters,
    emissions,
    moved,
    run_forward,
)


@dataclass(frozen=True)
class Fit:
    """A fitted model. log_likelihoods: by round, a user and period that speaks, factorials left out."""

    model: Parameters
    log_likelihoods: tuple[float, ...]
    n_users: int
    n_periods: int

    @property
    def metrics(self) -> dict[str, float]:
        """What was measured, for ops.stage_models."""
        reached = {"log_likelihood": self.log_likelihoods[-1], "n_rounds": float(len(self.log_likelihoods))}
        return {"n_classes": float(len(self.model.weights)), "n_periods": float(self.n_periods), **reached}


@dataclass(frozen=True)
class _Counts:
    """What one pass over the users gives: expected periods, purchases and looks by class and state, and moves.

    first, again, told: [classes, states] of periods before the first purchase, after it, and both; *_buys, looks alike.
    moves: [steps, states, states]. born: [classes].
    """

    first: Floats
    again: Floats
    first_buys: Floats
    again_buys: Floats
    looks: Floats
    moves: Floats
    born: Floats
    log_likelihood: float


def fit_stages(seen: Activity, n_classes: int, settles: float, max_rounds: int, tolerance: float) -> Fit:
    """Baum-Welch: rates, factors and moves that make the activity most likely.

    In:     activity of a sample of users; the order of users is part of the input.
    Rule:   begins with classes of equal numbers of users by their counts a period, ends after max_rounds, or when
            a round adds less than tolerance a user and period to the log likelihood. Each estimate carries weak
            prior counts, so that a sample without returns, say, still allows them.
    Edge:   users of a single period say nothing; a sample of them alone gives the beginning.
    Source: Rabiner (1989), Proceedings of the IEEE 77(2), 257-286, equations (40); states of relationship as
            in Netzer, Lattin & Srinivasan (2008), Marketing Science 27(2), 185-204, with classes in the place of
            their random effects.
    """
    model = _begin(seen, n_classes, settles)
    n_told = int(seen.is_told.sum())
    reached: list[float] = []
    while len(reached) < max_rounds:
        counts = _expect(seen, model)
        reached.append(counts.log_likelihood / max(n_told, 1))
        model = _maximise(counts, model)
        if len(reached) > 1 and reached[-1] - reached[-2] < tolerance:
            break
    return Fit(model, tuple(reached), len(seen.born), n_told)


def _begin(seen: Activity, n_classes: int, settles: float) -> Parameters:
    told = seen.is_told
    n_told = np.maximum(told.sum(axis=1), 1)
    bought, looked = (np.where(told, counts, 0).sum(axis=1) / n_told for counts in (seen.buys, seen.looks))
    order = np.argsort(bought + looked, kind="stable")
    groups = [group for group in np.array_split(order, n_classes) if len(group)]
    # Users are away for part of their time, so engaged rates lie above the means.
    buys, looks = (
        tuple(2 * float(np.round(rates[group].mean(), 12)) + 0.05 for group in groups) for rates in (bought, looked)
    )
    shares = tuple(len(group) / len(order) for group in groups)
    return Parameters(
        weights=shares,
        first_rates=buys,
        buy_rates=buys,
        look_rates=looks,
        buy_factors=(1.0, 0.2, 0.01, 1.0),
        look_factors=(1.0, 0.4, 0.05, 1.0),
        fades=(0.1, 0.1, 0.1),
        recovers=0.1,
        leaves=0.3,
        returns=0.01,
        settles=settles,
    )


def _expect(seen: Activity, model: Parameters) -> _Counts:
    likely, peaks = emissions(seen, model)
    known, scales = run_forward(seen, model, likely)
    later = _backward(seen, model, likely, scales)
    told, step = seen.is_told, seen.step
    believed = known * later
    first, again = told & ~seen.had_bought, told & seen.had_bought

    def total(weights: NDArray[np.generic]) -> Floats:
        return np.asarray(np.einsum("ut,utks->ks", weights.astype(np.float64), believed, optimize=True))

    ahead = likely[:, 1:] * later[:, 1:] / scales[:, 1:, None, None]
    moves = np.empty((3, N_STATES, N_STATES))
    for k in range(3):
        own = told[:, 1:] & (step[:, :-1] == k)
        came, went = known[:, :-1][own].reshape(-1, N_STATES), ahead[own].reshape(-1, N_STATES)
        moves[k] = came.T @ went * model.moves[k]
    return _Counts(
        first=total(first),
        again=total(again),
        first_buys=total(first * seen.buys),
        again_buys=total(again * seen.buys),
        looks=total(told * seen.looks),
        moves=moves,
        born=np.asarray(believed[:, 0].sum(axis=(0, 2))),
        log_likelihood=float((np.log(scales) + peaks).sum()),
    )


def _backward(seen: Activity, model: Parameters, likely: Floats, scales: Floats) -> Floats:
    """Rabiner's equations (24)-(25) on the scale of the forward pass."""
    later = np.ones_like(likely)
    back, step, told = model.moves.transpose(0, 2, 1), seen.step, seen.is_told
    for t in range(likely.shape[1] - 2, -1, -1):
        ahead = later[:, t + 1] * likely[:, t + 1] / scales[:, t + 1, None, None]
        later[:, t] = np.where(told[:, t + 1, None, None], moved(ahead, back, step[:, t]), ahead)
    return later


def _maximise(counts: _Counts, model: Parameters) -> Parameters:
    """Rates given factors, then factors given rates: each step raises the expected likelihood."""
    buy_factors, look_factors = np.asarray(model.buy_factors), np.asarray(model.look_factors)
    told = counts.first + counts.again
    first_rates = _rates(counts.first_buys, counts.first @ buy_factors)
    buy_rates = _rates(counts.again_buys, counts.again @ buy_factors)
    look_rates = _rates(counts.looks, told @ look_factors)
    bought = first_rates @ counts.first + buy_rates @ counts.again
    buy_factors = _factors((counts.first_buys + counts.again_buys).sum(axis=0), bought, (0.2, 0.01))
    look_factors = _factors(counts.looks.sum(axis=0), look_rates @ told, (0.4, 0.02))
    moves = counts.moves
    active = moves[:, ENGAGED] + moves[:, BACK]
    from_fading, from_away = moves[:, FADING].sum(axis=0), moves[:, AWAY].sum(axis=0)
    weights = (counts.born + 1) / (counts.born + 1).sum()
    return Parameters(
        weights=_rounded(weights),
        first_rates=_rounded(first_rates),
        buy_rates=_rounded(buy_rates),
        look_rates=_rounded(look_rates),
        buy_factors=_rounded(buy_factors),
        look_factors=_rounded(look_factors),
        fades=_rounded((active[:, FADING] + 1) / (active.sum(axis=1) + 10)),
        recovers=round(float((from_fading[ENGAGED] + 1) / (from_fading.sum() + 10)), 12),
        leaves=round(float((from_fading[AWAY] + 3) / (from_fading.sum() + 10)), 12),
        returns=round(float((from_away[BACK] + 1) / (from_away.sum() + 100)), 12),
        settles=model.settles,
    )


def _rounded(values: Floats) -> tuple[float, ...]:
    """Twelve digits, so that the last digits of sums show nowhere."""
    return tuple(round(float(value), 12) for value in values)


def _rates(counts: Floats, exposure: Floats) -> Floats:
    return np.asarray(np.maximum((counts.sum(axis=1) + 0.1) / (exposure + 1.0), LEAST_RATE))


def _factors(counts: Floats, expected: Floats, prior: tuple[float, float]) -> Floats:
    """Factors of the states; fading and away stay below 1, and away below fading, so that they keep their names."""
    fading = min(float((counts[FADING] + 10 * prior[0]) / (expected[FADING] + 10)), 0.8)
    away = min(float((counts[AWAY] + 10 * prior[1]) / (expected[AWAY] + 10)), 0.5 * fading)
    return np.asarray([1.0, fading, away, 1.0])
