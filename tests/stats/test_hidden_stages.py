"""The hidden Markov model: sums over all paths agree, planted parameters are found again, causal."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.stats.planted_stages import PLANTED, letters
from ulm_spark.stats.hidden_stages import (
    AWAY,
    BACK,
    ENGAGED,
    FADING,
    N_STATES,
    Activity,
    Cuts,
    Parameters,
    emissions,
    filter_stages,
    stages_by_model,
)
from ulm_spark.stats.hidden_stages_fit import fit_stages


def drawn(n_users: int, n_periods: int, seed: int) -> tuple[Activity, NDArray[np.int64]]:
    """Activity of the planted law, and its hidden states."""
    draw = np.random.default_rng(seed)
    kind = draw.choice(2, size=n_users, p=PLANTED.weights)
    first, again, looked = (np.asarray(r)[kind] for r in (PLANTED.first_rates, PLANTED.buy_rates, PLANTED.look_rates))
    buys, looks, states = (np.zeros((n_users, n_periods), dtype=np.int64) for _ in range(3))
    looks[:, 0] = 1
    for t in range(1, n_periods):
        sofar = Activity(buys[:, :t], looks[:, :t], np.zeros(n_users, dtype=np.int64))
        rows = PLANTED.moves[sofar.step[:, -1], states[:, t - 1]]
        states[:, t] = (draw.random(n_users)[:, None] > rows.cumsum(axis=1)).sum(axis=1)
        rate = np.where(sofar.has_bought[:, -1], again, first)
        buys[:, t] = draw.poisson(rate * np.asarray(PLANTED.buy_factors)[states[:, t]])
        looks[:, t] = draw.poisson(looked * np.asarray(PLANTED.look_factors)[states[:, t]])
    return Activity(buys, looks, np.zeros(n_users, dtype=np.int64)), states


@pytest.fixture(scope="module")
def many() -> tuple[Activity, NDArray[np.int64]]:
    return drawn(2_000, 40, seed=1)


def test_the_forward_pass_sums_over_all_paths() -> None:
    seen = Activity(np.asarray([[0, 2, 0, 0]]), np.asarray([[1, 1, 0, 1]]), np.zeros(1, dtype=np.int64))
    likely, peaks = (part[0] for part in emissions(seen, PLANTED))
    total = np.zeros((2, N_STATES))
    for k, path in product(range(2), product(range(N_STATES), repeat=3)):
        weight, before = PLANTED.weights[k], ENGAGED
        for t, state in enumerate(path, start=1):
            weight *= PLANTED.moves[seen.step[0, t - 1], before, state] * likely[t, k, state]
            before = state
        total[k, path[-1]] += weight
    known, parts = filter_stages(seen, PLANTED)
    assert np.allclose(known[0, -1], total / total.sum(), atol=1e-12)
    assert parts.sum() == pytest.approx(np.log(total.sum()) + peaks.sum())


def test_each_round_raises_the_likelihood_and_planted_parameters_are_found_again(
    many: tuple[Activity, NDArray[np.int64]],
) -> None:
    fit = fit_stages(many[0], n_classes=2, settles=0.1, max_rounds=60, tolerance=1e-6)
    assert np.all(np.diff(fit.log_likelihoods) > -1e-6)
    found = fit.model
    order = np.argsort(found.buy_rates)
    assert np.asarray(found.weights)[order] == pytest.approx(PLANTED.weights, abs=0.05)
    assert np.asarray(found.buy_rates)[order] == pytest.approx(PLANTED.buy_rates, rel=0.15)
    assert np.asarray(found.look_rates)[order] == pytest.approx(PLANTED.look_rates, rel=0.15)
    assert found.look_factors[FADING] == pytest.approx(0.4, abs=0.12)
    assert found.look_factors[AWAY] == pytest.approx(0.02, abs=0.02)
    assert found.fades == pytest.approx(PLANTED.fades, abs=0.03)
    assert (found.returns, found.leaves) == (pytest.approx(0.05, abs=0.02), pytest.approx(0.4, abs=0.15))


def test_states_are_told_nearly_as_well_as_the_planted_parameters_allow(
    many: tuple[Activity, NDArray[np.int64]],
) -> None:
    seen, states = many
    fitted = fit_stages(seen, n_classes=2, settles=0.1, max_rounds=25, tolerance=1e-5).model
    right = {
        name: float((filter_stages(seen, model)[0].sum(axis=2).argmax(axis=2) == states)[:, 1:].mean())
        for name, model in (("planted", PLANTED), ("fitted", fitted))
    }
    assert right["planted"] > 0.7
    assert right["fitted"] > right["planted"] - 0.03


def test_later_periods_change_no_earlier_probability(many: tuple[Activity, NDArray[np.int64]]) -> None:
    seen = many[0]
    until = Activity(seen.buys[:50, :20], seen.looks[:50, :20], seen.born[:50])
    whole = Activity(seen.buys[:50], seen.looks[:50], seen.born[:50])
    assert np.allclose(filter_stages(whole, PLANTED)[0][:, :20], filter_stages(until, PLANTED)[0], atol=1e-12)


def test_periods_before_the_first_and_other_users_change_nothing(many: tuple[Activity, NDArray[np.int64]]) -> None:
    seen = many[0]
    alone = Activity(seen.buys[7:8], seen.looks[7:8], seen.born[7:8])
    pad = np.zeros((1, 5), dtype=np.int64)
    padded = Activity(np.hstack([pad, alone.buys]), np.hstack([pad, alone.looks]), alone.born + 5)
    expected = filter_stages(seen, PLANTED)[0][7]
    assert np.allclose(filter_stages(alone, PLANTED)[0][0], expected, atol=1e-12)
    assert np.allclose(filter_stages(padded, PLANTED)[0][0, 5:], expected, atol=1e-12)


def told(days: str) -> str:
    counts = [np.asarray([[int(day == kind) for day in days]]) for kind in "BL"]
    found = stages_by_model(Activity(*counts, np.zeros(1, dtype=np.int64)), PLANTED, 3, Cuts(0.5, 0.7, 0.15))
    assert np.all((found.p_stage > 0) & (found.p_stage <= 1 + 1e-12))
    return letters(found.stage[0])


def test_stages_follow_orders_silence_and_return() -> None:
    assert told("LBBB")[-1] == "M"
    silent = told("LBBBLLBL" + "." * 20)
    assert silent[-1] == "C"
    assert told("LBBBLLBL" + "." * 20 + "BB")[-1] == "W"
    assert told("L" + "." * 40)[-1] == "C"


def test_an_account_with_thousands_of_orders_a_period_moves_nobody_elses_stage() -> None:
    seen, _ = drawn(400, 30, seed=3)
    alone = fit_stages(seen, 2, 0.1, 25, 1e-5)
    till = Activity(
        np.vstack([seen.buys, np.full((1, 30), 3_500)]),
        np.vstack([seen.looks, np.zeros((1, 30), dtype=np.int64)]),
        np.append(seen.born, 0),
    )
    fit = fit_stages(till, 3, 0.1, 25, 1e-5)
    assert np.all(np.diff(fit.log_likelihoods) > -1e-6)
    states, _ = filter_stages(till, fit.model)
    np.testing.assert_allclose(states.sum(axis=(2, 3)), 1.0, rtol=0, atol=1e-9)
    cuts = Cuts(0.5, 0.7, 0.15)
    before, after = stages_by_model(seen, alone.model, 3, cuts).stage, stages_by_model(till, fit.model, 3, cuts).stage
    assert (before == after[:-1]).mean() > 0.95


def test_parameters_come_back_from_their_text_and_moves_are_shares() -> None:
    assert Parameters.from_json(PLANTED.as_json()) == PLANTED
    assert np.allclose(PLANTED.moves.sum(axis=2), 1)
    assert PLANTED.moves[0, BACK, ENGAGED] == pytest.approx(0.95 * 0.1)
    assert replace(PLANTED, returns=0.0).moves[0, AWAY, AWAY] == 1


def test_users_of_one_period_give_the_beginning() -> None:
    few = Activity(np.asarray([[1]]), np.asarray([[0]]), np.zeros(1, dtype=np.int64))
    fit = fit_stages(few, n_classes=6, settles=0.1, max_rounds=5, tolerance=1e-5)
    assert fit.n_periods == 0
    assert sum(fit.model.weights) == pytest.approx(1)
