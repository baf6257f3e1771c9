from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from tests.sequence.histories import KNOWN_UNTIL_S, N_ITEMS, SMALL, rows
from ulm_spark.sequence.batches import Batch
from ulm_spark.sequence.learning_conf import LossConf, LossKind, OptimiserConf, TargetsConf
from ulm_spark.sequence.losses import (
    draw_evenly,
    draw_negatives,
    full_loss,
    gbce_loss,
    is_of_history,
    log_expected_draws,
    sampled_loss,
)
from ulm_spark.sequence.models.network import build_network
from ulm_spark.sequence.prior import Periods
from ulm_spark.sequence.ranks import Ranks
from ulm_spark.sequence.rows import PURCHASE_CODE, Rows
from ulm_spark.sequence.step import Stepper
from ulm_spark.sequence.targets import draw_targets
from ulm_spark.sequence.validation import Measured, Validator, hold_out, is_validation, training_part

PRIOR = np.zeros((2, N_ITEMS + 1), np.float32)
PERIODS = Periods(KNOWN_UNTIL_S, 7 * 86_400, 1)
NEXT = TargetsConf(n_events=1, n_positions=4, exclude_seen=False)
STATES = tf.random.normal([2, SMALL.model.dim], seed=1)
NOW, ITEMS = np.zeros(2, np.int32), np.array([[1, 5], [12, 3]], np.int32)
RING = rows([[1, 2, 3, 4, 5, 6], [4, 5, 6, 7, 8, 9], [0, 0, 8, 9, 10, 11], [9, 10, 11, 12, 1, 2]])
P = PURCHASE_CODE


@pytest.fixture(scope="module")
def ranks() -> Ranks:
    return Ranks()


def test_the_full_loss_is_the_cross_entropy_of_each_target() -> None:
    network = build_network(SMALL, N_ITEMS, PRIOR)
    losses = full_loss(network, STATES, NOW, ITEMS).numpy()
    scores = network.score_items(STATES, NOW).numpy().astype(np.float64)
    log_p = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(losses, -np.take_along_axis(log_p, ITEMS - 1, axis=1), atol=1e-5)
    smooth = full_loss(network, STATES, NOW, ITEMS, smoothing=0.25).numpy()
    np.testing.assert_allclose(smooth, 0.75 * losses - 0.25 * log_p.mean(axis=1, keepdims=True), atol=1e-5)


def test_the_sampled_loss_nears_the_full_one_with_many_samples() -> None:
    network = build_network(SMALL, N_ITEMS, PRIOR)
    drawn = draw_negatives(N_ITEMS, 200_000, np.random.default_rng(2))
    sampled = sampled_loss(network, STATES, NOW, ITEMS, drawn.items, drawn.log_expected).numpy()
    full = full_loss(network, STATES, NOW, ITEMS).numpy()
    np.testing.assert_allclose(sampled, full, atol=0.02)


def test_the_calibrated_loss_is_binary_cross_entropy_without_calibration() -> None:
    network = build_network(SMALL, N_ITEMS, PRIOR)
    drawn = draw_evenly(N_ITEMS, 30, np.random.default_rng(2)).items
    scores = network.score_all(STATES, NOW).numpy().astype(np.float64)
    right = np.log1p(np.exp(-np.take_along_axis(scores, ITEMS, axis=1)))
    wrong = np.log1p(np.exp(scores[:, drawn]))
    against = (wrong[:, None, :] * (ITEMS[:, :, None] != drawn)).sum(axis=2)
    plain = gbce_loss(network, STATES, NOW, ITEMS, drawn, 0.0).numpy()
    np.testing.assert_allclose(plain, right + against, rtol=1e-5)
    calibrated = gbce_loss(network, STATES, NOW, ITEMS, drawn, 1.0).numpy()
    np.testing.assert_allclose(calibrated, 30 / (N_ITEMS - 1) * right + against, rtol=1e-5)


def test_a_spared_history_is_told_apart_from_no_target() -> None:
    network = build_network(SMALL, N_ITEMS, PRIOR)
    history = tf.constant([[0, 1, 5, 7], [3, 12, 12, 2]])
    spared = is_of_history(history, N_ITEMS, None)
    assert [list(np.flatnonzero(row) + 1) for row in spared.numpy()] == [[1, 5, 7], [2, 3, 12]]
    scores = np.exp(network.score_all(STATES, NOW).numpy().astype(np.float64))
    wrong = np.array(
        [[scores[row, [i for i in range(1, N_ITEMS + 1) if i not in history[row]]].sum()] for row in (0, 1)]
    )
    right = np.take_along_axis(scores, ITEMS, axis=1)
    full = full_loss(network, STATES, NOW, ITEMS, spared=spared).numpy()
    np.testing.assert_allclose(full, -np.log(right / (right + wrong)), atol=1e-5)
    drawn = np.array([4, 7, 2, 9], np.int32)
    of_drawn = is_of_history(history, N_ITEMS, tf.constant(drawn))
    np.testing.assert_array_equal(of_drawn, [[False, True, False, False], [False, False, True, False]])
    kept = [drawn[[0, 2, 3]], drawn[[0, 1, 3]]]
    for row in (0, 1):
        told = STATES[row : row + 1], NOW[row : row + 1], ITEMS[row : row + 1]
        spare = of_drawn[row : row + 1]
        binary = [gbce_loss(network, *told, kept[row], 0.0), gbce_loss(network, *told, drawn, 0.0, spare)]
        np.testing.assert_allclose(*binary, rtol=1e-5)
        log_q = np.zeros(4, np.float32)
        softmax = [
            sampled_loss(network, *told, kept[row], log_q[1:]),
            sampled_loss(network, *told, drawn, log_q, spare),
        ]
        np.testing.assert_allclose(*softmax, rtol=1e-5)


def test_negatives_come_as_often_as_expected() -> None:
    drawn = draw_negatives(N_ITEMS, 100_000, np.random.default_rng(3))
    counts = np.bincount(drawn.items, minlength=N_ITEMS + 1)[1:]
    expected = np.exp(log_expected_draws(np.arange(1, N_ITEMS + 1, dtype=np.int32), N_ITEMS, 100_000))
    np.testing.assert_allclose(counts, expected, rtol=0.05)


@pytest.mark.parametrize("kind", ["full", "sampled", "gbce"])
def test_steps_learn_a_ring(ranks: Ranks, kind: LossKind) -> None:
    conf = replace(
        SMALL,
        model=replace(SMALL.model, dropout=0.0, attention_dropout=0.0),
        optimiser=OptimiserConf(learning_rate=0.05),
        loss=LossConf(kind, n_sampled=64),
    )
    stepper = Stepper(build_network(conf, N_ITEMS, PRIOR), conf, PERIODS, ranks)
    generator = np.random.default_rng(4)
    losses = []
    for _ in range(60):
        targets = draw_targets(RING, NEXT, generator)
        total, weight = stepper.take([Batch(RING, targets, len(RING))], np.random.default_rng(5))
        losses.append(total / weight)
    assert losses[-1] < 0.15 * losses[0]
    measured = Validator(stepper.network, RING, PERIODS, ranks, exclude_seen=False).measure()
    assert (measured.ndcg, measured.n_users) == (1.0, len(RING))


def test_a_step_without_targets_changes_no_weight(ranks: Ranks) -> None:
    network = build_network(SMALL, N_ITEMS, PRIOR)
    before = [variable.numpy() for variable in network.trainable_variables]
    empty = Rows.blank(6)
    targets = draw_targets(empty, SMALL.targets, np.random.default_rng(0))
    batch = Batch(empty, targets, 0)
    assert Stepper(network, SMALL, PERIODS, ranks).take([batch], np.random.default_rng(0)) == (0.0, 0.0)
    for variable, value in zip(network.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


def test_the_last_instant_is_held_out_whole() -> None:
    history = rows([[0, 1, 2, 3, 4]], hours=[[0, 1, 2, 5, 5]])
    held = hold_out(history)
    assert held.prefix.items.tolist() == [[0, 0, 0, 1, 2]]
    assert held.items.tolist() == [[0, 0, 0, 3, 4]]
    assert held.at_s.tolist() == [history.at_s[0, -1]]


def test_validation_shows_as_many_events_as_training(ranks: Ranks) -> None:
    network = build_network(SMALL, N_ITEMS, PRIOR)
    basket = rows([[1, 2, 3, 7, 8, 9]], hours=[[0, 1, 2, 5, 5, 5]])
    shown = Validator(network, basket, PERIODS, ranks, exclude_seen=False, length=3)
    alone = Validator(network, basket.last(4), PERIODS, ranks, exclude_seen=False)
    assert shown._prefix.items.tolist() == [[1, 2, 3]]
    assert alone._prefix.trimmed().items.tolist() == [[0, 3]]


def test_a_user_with_one_instant_is_never_held_out() -> None:
    histories = rows([[0, 1, 2], [0, 1, 2]], hours=[[0, 5, 5], [0, 4, 5]])
    assert is_validation(histories, 1.0).tolist() == [False, True]
    assert is_validation(histories, 0.0).tolist() == [False, False]


def test_training_sees_all_but_the_last_instant_of_validation_users() -> None:
    histories = rows([[0, 1, 2], [0, 1, 2]], hours=[[0, 5, 5], [0, 4, 5]])
    assert training_part(histories, 1.0).items.tolist() == [[0, 1, 2], [0, 0, 1]]


def test_validation_ranks_all_items_but_those_bought_before(ranks: Ranks) -> None:
    network = build_network(SMALL, N_ITEMS, PRIOR)
    network.events.items.table.assign(np.zeros(network.events.items.table.shape))
    network.bias.assign([0.0, 9.0, 8.0, 7.0, *[0.0] * (N_ITEMS - 3)])  # 1, 2, 3 lead for everybody
    bought = rows([[0, 0, 1, 2, 3]], codes=[[0, 0, P, P, 1]])
    kept = Validator(network, bought, PERIODS, ranks, exclude_seen=False)
    left_out = Validator(network, bought, PERIODS, ranks, exclude_seen=True)
    for validator, expected in ((kept, 1 / np.log2(4)), (left_out, 1.0)):
        assert validator.measure() == Measured(
            pytest.approx(expected), 1.0, pytest.approx(1 / 3 if validator is kept else 1.0), 1
        )
    # Shown is less than was seen: what was bought long ago is left out as well.
    short = Validator(network, bought, PERIODS, ranks, exclude_seen=True, length=1)
    assert short.measure() == Measured(1.0, 1.0, 1.0, 1)
    again = rows([[0, 0, 3, 2, 3]], codes=[[0, 0, P, P, P]])
    assert Validator(network, again, PERIODS, ranks, exclude_seen=True).measure() == Measured(0.0, 0.0, 0.0, 0)
