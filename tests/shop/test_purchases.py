import numpy as np
from scipy.integrate import quad
from scipy.stats import gamma

from ulm_spark.shop.conf import SimulationConf
from ulm_spark.shop.people import PeopleLaw, draw_people
from ulm_spark.shop.plan import make_plan
from ulm_spark.shop.purchases import PurchaseLaw, draw_purchases, expected_repeats

N_USERS = 40_000
CONF = SimulationConf(seed=11, people=PeopleLaw(conversion=1.0, sign_up_share=0.3))
PLAN = make_plan(CONF)
PEOPLE = draw_people(PLAN.draws, CONF.people, PLAN.clock, np.arange(N_USERS))
PURCHASES = draw_purchases(PLAN.draws, CONF.purchases, CONF.people, PEOPLE, PLAN.clock)


def test_mean_repeats_follow_the_published_formula():
    first = PURCHASES.first_weeks[PURCHASES.user]
    for weeks in (2.0, 8.0, 20.0):
        seen = PURCHASES.first_weeks + weeks < PLAN.clock.total_weeks
        since = PURCHASES.weeks - first
        is_repeat = (since > 0) & (since <= weeks) & seen[PURCHASES.user]
        repeats = np.bincount(PURCHASES.user[is_repeat], minlength=N_USERS)[seen]
        standard_error = repeats.std() / np.sqrt(len(repeats))
        assert abs(repeats.mean() - expected_repeats(CONF.purchases, np.asarray(weeks))) < 4 * standard_error


def test_the_formula_is_that_of_the_process():
    law = PurchaseLaw(r=1.0, alpha=2.0, a=2.0, b=3.0)

    def repeats_of_rate(rate: float, weeks: float) -> float:
        # Given lambda and p, E[X(t)] = (1 - exp(-lambda p t)) / p.
        inner = quad(lambda p: (1 - np.exp(-rate * p * weeks)) / p * 12 * p * (1 - p) ** 2, 0, 1)[0]
        return float(inner * gamma.pdf(rate, law.r, scale=1 / law.alpha))

    by_integration = quad(lambda rate: repeats_of_rate(rate, 6.0), 0, 60)[0]
    assert np.isclose(expected_repeats(law, np.asarray(6.0)), by_integration, rtol=1e-6)


def test_parameters_of_shoppers_follow_their_laws():
    law = CONF.purchases
    assert np.isclose(PURCHASES.rate.mean(), law.r / law.alpha, rtol=0.02)
    assert np.isclose(PURCHASES.rate.var(), law.r / law.alpha**2, rtol=0.05)
    assert np.isclose(PURCHASES.p_drop.mean(), law.a / (law.a + law.b), rtol=0.02)


def test_nobody_buys_after_dropping_out_or_at_the_first_purchase():
    last = np.full(N_USERS, -np.inf)
    np.maximum.at(last, PURCHASES.user, PURCHASES.weeks)
    dropped = np.isfinite(PURCHASES.dropped_weeks)
    assert np.array_equal(last[dropped], PURCHASES.dropped_weeks[dropped])
    assert (PURCHASES.dropped_weeks[dropped] > PURCHASES.first_weeks[dropped]).all()
    assert 0.2 < dropped.mean() < 0.8


def test_a_clock_can_be_read_backwards():
    at_ms = PEOPLE.signed_up_ms
    back = PLAN.clock.when(PEOPLE.persona, PLAN.clock.read(PEOPLE.persona, at_ms))
    assert np.abs(back - at_ms).max() <= 1
    assert np.allclose(PLAN.clock.weeks[:, -1], CONF.n_days / 7)
