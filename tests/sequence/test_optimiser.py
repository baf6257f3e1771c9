from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.sequence.histories import KNOWN_UNTIL_S, N_ITEMS, SMALL, rows
from ulm_spark.sequence.batches import Batch
from ulm_spark.sequence.learning_conf import OptimiserConf, RateScaling
from ulm_spark.sequence.models.network import build_network
from ulm_spark.sequence.optimiser import Optimiser
from ulm_spark.sequence.prior import Periods
from ulm_spark.sequence.ranks import Ranks
from ulm_spark.sequence.step import Stepper
from ulm_spark.sequence.targets import draw_targets

CONF = OptimiserConf(learning_rate=0.1)
START = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
GRADIENTS = np.random.default_rng(1).normal(size=(4, 5, 3)).astype(np.float32)


def moved(conf: OptimiserConf, *, as_rows: bool = False, n_steps: int = 10) -> Optimiser:
    """After four steps."""
    weight = keras.Variable(START)
    optimiser = Optimiser([weight], conf, n_steps, [weight] if as_rows else [])
    for gradient in GRADIENTS:
        rows = tf.IndexedSlices(gradient[::-1], np.arange(5)[::-1], [5, 3])
        optimiser.apply([rows if as_rows else tf.constant(gradient)])
    return optimiser


def weights(optimiser: Optimiser) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.asarray(optimiser.averaged[0].numpy())


def test_rows_move_as_a_dense_gradient_of_all_of_them_does() -> None:
    np.testing.assert_allclose(weights(moved(CONF, as_rows=True)), weights(moved(CONF)), rtol=1e-5)


def test_rows_that_are_not_touched_stay_and_their_moments_wait() -> None:
    weight = keras.Variable(START)
    optimiser = Optimiser([weight], CONF, 10, [weight])
    for gradient in GRADIENTS[:2]:
        optimiser.apply([tf.IndexedSlices(gradient[:2], np.array([3, 1]), [5, 3])])
    np.testing.assert_array_equal(weight.numpy()[[0, 2, 4]], START[[0, 2, 4]])
    assert (weight.numpy()[[1, 3]] != START[[1, 3]]).all()
    assert not optimiser.variables[-1].numpy()[[0, 2, 4]].any()


def test_the_rate_warms_up_and_fades_along_a_cosine() -> None:
    conf = OptimiserConf(learning_rate=1.0, warmup_steps=4, decay=0.1)
    rate = Optimiser([keras.Variable(START)], conf, 14).rate
    steps = [0.0, 3.0, 4.0, 9.0, 14.0, 99.0]
    assert [float(rate(tf.constant(step))) for step in steps] == pytest.approx([0.25, 1.0, 1.0, 0.55, 0.1, 0.1])
    flat = Optimiser([keras.Variable(START)], CONF, 14).rate
    assert float(flat(tf.constant(13.0))) == pytest.approx(0.1)


@pytest.mark.parametrize(("scaling", "expected"), [("none", 0.1), ("linear", 0.4), ("sqrt", 0.2)])
def test_a_rate_grows_with_the_sequences_of_a_step_by_its_rule(scaling: RateScaling, expected: float) -> None:
    conf = replace(CONF, rate_scaling=scaling, reference_batch=32)
    assert conf.rate_for(128) == pytest.approx(expected)
    assert conf.rate_for(32) == pytest.approx(0.1)


@pytest.mark.parametrize(("scaling", "expected"), [("none", 0.01), ("linear", 0.04)])
def test_a_first_step_is_as_long_as_the_scaled_rate_however_its_batches_add_up(
    scaling: RateScaling, expected: float
) -> None:
    moving = OptimiserConf(learning_rate=0.01, n_accumulated=2, rate_scaling=scaling, reference_batch=4)
    conf = replace(SMALL, optimiser=moving, batch_size=8)
    network = build_network(conf, N_ITEMS, np.zeros((2, N_ITEMS + 1), np.float32))
    before = network.bias.numpy()
    ring = rows([[1, 2, 3, 4, 5, 6]])
    batch = Batch(ring, draw_targets(ring, conf.targets, np.random.default_rng(0)), 1)
    Stepper(network, conf, Periods(KNOWN_UNTIL_S, 86_400, 1), Ranks()).take([batch] * 2, np.random.default_rng(0))
    # Adam's first move is the rate for whatever gradient.
    assert np.abs(network.bias.numpy() - before).max() == pytest.approx(expected, rel=1e-3)


def test_a_long_gradient_is_cut_to_its_norm_with_its_rows() -> None:
    weight, table = keras.Variable(np.zeros(2, np.float32)), keras.Variable(np.zeros((3, 1), np.float32))
    optimiser = Optimiser([weight, table], replace(CONF, clip_norm=1.0), 10, [table])
    optimiser.apply([tf.constant([30.0, 0.0]), tf.IndexedSlices([[40.0]], [1], [3, 1])])
    first_moments = [variable.numpy() for variable in optimiser.variables if variable.shape == (2,)]
    np.testing.assert_allclose(first_moments[0], [0.06, 0.0], rtol=1e-4)  # .1 of 30 / 50
    np.testing.assert_allclose(optimiser.variables[-2].numpy(), [[0.0], [0.08], [0.0]], rtol=1e-4)


def test_the_running_mean_lags_behind_the_weights() -> None:
    conf = replace(CONF, average=0.9)
    optimiser = moved(conf)
    weight = weights(moved(CONF))
    mean = START.copy()
    seen = keras.Variable(START)
    plain = Optimiser([seen], CONF, 10)
    for step, gradient in enumerate(GRADIENTS):
        plain.apply([tf.constant(gradient)])
        keep = min(0.9, (1 + step) / (10 + step))
        mean = keep * mean + (1 - keep) * seen.numpy()
    np.testing.assert_allclose(weights(optimiser), mean, rtol=1e-5)
    np.testing.assert_allclose(seen.numpy(), weight, rtol=1e-6)


def test_weights_of_matrices_fade_and_those_of_scales_do_not() -> None:
    matrix, scale = keras.Variable(np.ones((2, 2), np.float32)), keras.Variable(np.ones(2, np.float32))
    optimiser = Optimiser([matrix, scale], replace(CONF, weight_decay=0.5), 10)
    optimiser.apply([tf.zeros((2, 2)), tf.zeros(2)])
    np.testing.assert_allclose(matrix.numpy(), np.full((2, 2), 0.95), rtol=1e-6)
    np.testing.assert_array_equal(scale.numpy(), np.ones(2))
