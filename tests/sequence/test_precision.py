from dataclasses import replace
from pathlib import Path
from typing import get_args

import keras
import numpy as np
import pytest
import tensorflow as tf
from onnxruntime import InferenceSession

from tests.sequence.histories import KNOWN_UNTIL_S, N_ITEMS, SMALL, rows
from ulm_spark.sequence.batches import Batch
from ulm_spark.sequence.conf import Precision
from ulm_spark.sequence.export import export_model
from ulm_spark.sequence.launch import ONNX
from ulm_spark.sequence.learning_conf import HeadsConf, LossConf, LossKind, OptimiserConf, TargetsConf
from ulm_spark.sequence.loss_scale import LossScale
from ulm_spark.sequence.model_conf import Architecture
from ulm_spark.sequence.models.network import build_network
from ulm_spark.sequence.models.precision import computing_in
from ulm_spark.sequence.prior import Periods
from ulm_spark.sequence.queries import draw_queries
from ulm_spark.sequence.ranks import Ranks
from ulm_spark.sequence.step import Stepper
from ulm_spark.sequence.targets import draw_targets

PRIOR = np.zeros((2, N_ITEMS + 1), np.float32)
PERIODS = Periods(KNOWN_UNTIL_S, 7 * 86_400, 1)
NEXT = TargetsConf(n_events=1, n_positions=4, exclude_seen=False)
RING = rows([[1, 2, 3, 4, 5, 6], [4, 5, 6, 7, 8, 9], [0, 0, 8, 9, 10, 11], [9, 10, 11, 12, 1, 2]])
LONG_RING = rows([[0, 1, 2, 3, 4, 5, 6, 7], [4, 5, 6, 7, 8, 9, 10, 11], [0, 0, 0, 0, 8, 9, 10, 11]])
LOW: tuple[Precision, ...] = ("bfloat16", "float16")
# Digits after the binary point: 7 and 10; scores are sums of dim products.
TOLERANCE = {"bfloat16": 0.1, "float16": 0.01}
CONF = replace(
    SMALL,
    model=replace(SMALL.model, dropout=0.0, attention_dropout=0.0),
    optimiser=OptimiserConf(learning_rate=0.05),
)


@pytest.fixture(scope="module")
def ranks() -> Ranks:
    return Ranks()


def ring_batch(generator: np.random.Generator) -> Batch:
    return Batch(RING, draw_targets(RING, NEXT, generator), len(RING))


@pytest.mark.parametrize("precision", LOW)
@pytest.mark.parametrize("kind", ["full", "sampled", "gbce"])
def test_steps_in_low_precision_learn_a_ring(ranks: Ranks, precision: Precision, kind: LossKind) -> None:
    conf = replace(CONF, precision=precision, loss=LossConf(kind, n_sampled=64))
    stepper = Stepper(build_network(conf, N_ITEMS, PRIOR), conf, PERIODS, ranks)
    generator, losses = np.random.default_rng(4), []
    for _ in range(60):
        total, weight = stepper.take([ring_batch(generator)], np.random.default_rng(5))
        losses.append(total / weight)
    assert losses[-1] < 0.2 * losses[0]
    assert {weight.dtype for weight in stepper.network.weights} == {"float32"}


@pytest.mark.parametrize("precision", LOW)
@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_scores_are_near_those_of_float32(precision: Precision, architecture: Architecture) -> None:
    conf = replace(CONF, model=replace(CONF.model, architecture=architecture))
    exact, low = build_network(conf, N_ITEMS, PRIOR), build_network(replace(conf, precision=precision), N_ITEMS, PRIOR)
    generator = np.random.default_rng(1)
    for one, other in zip(exact.trainable_variables, low.trainable_variables, strict=True):
        one.assign(generator.normal(0, 0.3, one.shape))
        other.assign(one)
    now = np.zeros(len(RING), np.int32)
    states = low(RING.items, RING.codes, RING.gaps())
    expected = exact.score_items(exact(RING.items, RING.codes, RING.gaps())[:, -1], now).numpy()
    found = low.score_items(states[:, -1], now)
    assert (states.dtype, found.dtype) == (tf.as_dtype(precision), tf.float32)
    error = np.abs(found.numpy() - expected).max()
    assert 0 < error < TOLERANCE[precision] * np.abs(expected).max()


def test_heads_learn_in_float16(ranks: Ranks) -> None:
    conf = replace(CONF, precision="float16", heads=HeadsConf(("action", "gap", "churn", "value", "conversion")))
    stepper = Stepper(build_network(conf, N_ITEMS, PRIOR), conf, PERIODS, ranks)
    generator, asked = np.random.default_rng(4), np.ones(len(LONG_RING), bool)
    before = stepper.network.heads.hidden["gap"].kernel.numpy()
    for _ in range(3):
        seen, queries = draw_queries(LONG_RING, asked, conf.heads, 6, KNOWN_UNTIL_S, generator)
        targets = draw_targets(seen, NEXT, generator)
        assert len(queries) > 0
        loss, _ = stepper.take([Batch(seen, targets, len(seen), queries)], np.random.default_rng(5))
        assert np.isfinite(loss)
    after = stepper.network.heads.hidden["gap"].kernel.numpy()
    assert np.isfinite(after).all()
    assert np.abs(after - before).max() > 0


def test_what_is_exported_is_float32(tmp_path: Path) -> None:
    network = build_network(replace(CONF, precision="bfloat16"), N_ITEMS, PRIOR)
    exact = build_network(CONF, N_ITEMS, PRIOR)
    export_model(network, {"loss": 1.0}, tmp_path)
    graph = InferenceSession(str(tmp_path / ONNX), providers=["CPUExecutionProvider"])
    asked = {"item_indices": RING.items, "event_codes": RING.codes, "gap_seconds": RING.gaps()}
    (scores,) = graph.run(["scores"], asked)
    states = exact(RING.items, RING.codes, RING.gaps())[:, -1]
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, exact.score_all(states, np.ones(len(RING), np.int32)), atol=1e-5)


def test_a_step_that_overflows_changes_nothing_but_the_scale(ranks: Ranks) -> None:
    conf = replace(CONF, precision="float16")
    stepper = Stepper(build_network(conf, N_ITEMS, PRIOR), conf, PERIODS, ranks)
    scale, n_good = stepper.variables[-2:]
    scale.assign(2.0**100)
    before = [variable.numpy() for variable in stepper.variables[:-2]]
    loss, weight = stepper.take([ring_batch(np.random.default_rng(0))], np.random.default_rng(0))
    assert np.isfinite(loss)
    assert weight > 0
    for variable, value in zip(stepper.variables[:-2], before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    assert (scale.numpy(), n_good.numpy()) == (2.0**99, 0)


def test_the_scale_doubles_after_many_good_steps_and_is_never_below_one() -> None:
    scale = LossScale(unit=64.0)
    value, n_good = scale.variables
    assert value.numpy() == 512.0
    n_good.assign(1998)
    made: list[int] = []
    for _ in range(3):
        scale.guard([tf.ones(2)], lambda: made.append(1))
    assert (value.numpy(), n_good.numpy(), len(made)) == (1024.0, 1, 3)
    for _ in range(12):
        scale.guard([tf.ones(2), tf.IndexedSlices(tf.constant([[np.nan]]), [3], [5, 1])], lambda: made.append(1))
    assert (value.numpy(), n_good.numpy(), len(made)) == (1.0, 0, 3)


def test_what_is_made_afterwards_computes_as_before() -> None:
    before = keras.config.dtype_policy().name
    build_network(replace(CONF, precision="float16"), N_ITEMS, PRIOR)
    with pytest.raises(KeyError), computing_in("bfloat16"):
        raise KeyError
    assert keras.config.dtype_policy().name == before == "float32"
