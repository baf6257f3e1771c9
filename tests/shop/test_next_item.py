import numpy as np

from ulm_spark.shop.conf import SimulationConf
from ulm_spark.shop.counter_rng import Stream
from ulm_spark.shop.next_item import walk
from ulm_spark.shop.plan import make_plan

CONF = SimulationConf(seed=5, n_items=60, n_categories=6)
PLAN = make_plan(CONF)
CHAIN = PLAN.chain


def test_successors_are_distinct_and_never_the_item_itself():
    for item, successors in enumerate(CHAIN.successors):
        assert len(set(successors.tolist())) == len(successors)
        assert item not in successors


def test_tastes_and_shares_are_probabilities():
    assert np.allclose(CHAIN.taste.sum(axis=1), 1)
    assert np.isclose(CHAIN.shares.sum(), 1)


def test_steps_follow_the_law_with_and_without_unlisted_items():
    n, persona, current = 400_000, 2, 7
    chance = PLAN.draws.uniform(Stream.NEXT_ITEM, np.arange(n))
    taste_chance = PLAN.draws.uniform(Stream.POPULAR_ITEM, np.arange(n))
    for n_listed in (60, 40):
        drawn = CHAIN.step(np.full(n, current), np.full(n, persona), np.full(n, n_listed), chance, taste_chance)
        shares = np.zeros(60)
        shares[CHAIN.successors[current]] = CHAIN.shares
        shares[n_listed:] = 0
        taste = np.where(np.arange(60) < n_listed, CHAIN.taste[persona], 0.0)
        taste[current] = 0
        expected = CHAIN.weight * shares + (1 - CHAIN.weight * shares.sum()) * taste / taste.sum()
        found = np.bincount(drawn, minlength=60) / n
        assert found[current] == 0
        assert found[n_listed:].sum() == 0
        assert np.abs(found - expected).max() < 4 * np.sqrt(0.25 / n)


def test_the_first_item_is_drawn_by_taste():
    n = 200_000
    users, persona = np.arange(n), np.full(n, 3)
    first = walk(CHAIN, PLAN.draws, users, persona, users, np.full(n, 60))
    assert np.abs(np.bincount(first, minlength=60) / n - CHAIN.taste[3]).max() < 4 * np.sqrt(0.25 / n)


def test_a_walk_does_not_depend_on_who_walks_along():
    users = np.asarray([4, 9, 12])
    counts = np.asarray([30, 1, 50])
    step_user = np.repeat(np.arange(3), counts)
    persona = np.asarray([0, 1, 2])
    together = walk(CHAIN, PLAN.draws, users, persona, step_user, np.full(81, 60))
    alone = walk(CHAIN, PLAN.draws, users[2:], persona[2:], np.zeros(50, dtype=np.int64), np.full(50, 60))
    assert np.array_equal(together[31:], alone)
