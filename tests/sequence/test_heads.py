"""The heads beside the next item, and adapters."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tests.sequence.histories import KNOWN_UNTIL_S, N_ITEMS, SMALL, rows
from ulm_spark.sequence.batches import Batch
from ulm_spark.sequence.conf import HeadsConf, OptimiserConf, Task
from ulm_spark.sequence.head_losses import expected_value, head_losses, zero_inflated_lognormal_loss
from ulm_spark.sequence.models.adapters import adapt, merged_weights, n_trainable
from ulm_spark.sequence.models.heads import WIDTHS, Heads
from ulm_spark.sequence.models.network import NextItem, build_network
from ulm_spark.sequence.prior import Periods
from ulm_spark.sequence.queries import draw_queries
from ulm_spark.sequence.ranks import Ranks
from ulm_spark.sequence.rows import PURCHASE_CODE, Rows
from ulm_spark.sequence.step import Stepper
from ulm_spark.sequence.targets import draw_targets

TASKS: tuple[Task, ...] = get_args(Task)
CONF = replace(
    SMALL, model=replace(SMALL.model, dropout=0.0, attention_dropout=0.0), heads=HeadsConf(tasks=TASKS, horizon_days=1)
)
PRIOR = np.zeros((2, N_ITEMS + 1), np.float32)
PERIODS = Periods(KNOWN_UNTIL_S, 7 * 86_400, 1)


def test_the_loss_of_a_value_is_its_negative_log_likelihood() -> None:
    said = np.array([[0.3, 1.0, -0.5], [-1.0, 0.2, 0.7]], np.float32)
    p_pays = 1 / (1 + np.exp(-said[:, 0]))
    paid = zero_inflated_lognormal_loss(said, tf.constant([4.0, 0.5])).numpy()
    density = stats.lognorm.logpdf([4.0, 0.5], s=np.exp(said[:, 2]), scale=np.exp(said[:, 1]))
    np.testing.assert_allclose(paid, -np.log(p_pays) - density, rtol=1e-5)
    unpaid = zero_inflated_lognormal_loss(said, tf.zeros(2)).numpy()
    np.testing.assert_allclose(unpaid, -np.log(1 - p_pays), rtol=1e-5)
    mean = p_pays * stats.lognorm.mean(s=np.exp(said[:, 2]), scale=np.exp(said[:, 1]))
    np.testing.assert_allclose(expected_value(tf.constant(said)).numpy(), mean, rtol=1e-5)


def test_an_answer_that_is_not_known_changes_no_loss() -> None:
    heads = Heads(TASKS, 8, 0.0)
    heads.build(None)
    said = heads(tf.random.normal([3, 8], seed=1), np.array([0, 60, 9], np.int64))
    assert {task: scores.shape[1] for task, scores in said.items()} == WIDTHS
    known = {
        "next_code": np.array([1, 2, 3], np.int32),
        "until_next_s": np.array([5, 50, 500], np.int64),
        "has_next": np.array([1.0, 1.0, 0.0], np.float32),
        "is_gone": np.array([0.0, 1.0, 0.0], np.float32),
        "value": np.array([0.0, 3.0, 5.0], np.float32),
        "has_outcome": np.array([1.0, 1.0, 0.0], np.float32),
        "is_buying": np.array([0.0, 1.0, 1.0], np.float32),
        "has_visit": np.array([1.0, 1.0, 0.0], np.float32),
    }
    other = {name: np.concatenate([values[:2], values[:1]]) for name, values in known.items()}
    other |= {name: known[name] for name in ("has_next", "has_outcome", "has_visit")}
    for some, others in zip(head_losses(said, known).values(), head_losses(said, other).values(), strict=True):
        assert float(some[0]) == pytest.approx(float(others[0]))
        assert float(some[1]) == 2.0


def regular(n_users: int) -> Rows:
    """Who views at night is back an hour later and buys for 20; who views by day never comes back."""
    items = [[1, 2, 3, 4]] * n_users
    codes = [[1, PURCHASE_CODE, 1, PURCHASE_CODE] if user % 2 else [1, 1, 1, 1] for user in range(n_users)]
    hours = [[0, 1, 2, 3] if user % 2 else [0, 20, 21, 22] for user in range(n_users)]
    made = rows(items, codes, hours)
    return replace(made, at_s=made.at_s - 86_400 * 3, amounts=(made.codes == PURCHASE_CODE).astype(np.float32) * 20)


def learned(network: NextItem, conf: object, n_steps: int) -> list[float]:
    """Losses of the heads along some steps."""
    stepper = Stepper(network, conf, PERIODS, Ranks())  # type: ignore[arg-type]  # a TrainingConf, of CONF's making
    batch, generator, losses = regular(16), np.random.default_rng(2), []
    for _ in range(n_steps):
        targets = draw_targets(batch, CONF.targets, generator)
        queries = draw_queries(batch, np.ones(16, bool), CONF.heads, KNOWN_UNTIL_S, generator)
        stepper.take([Batch(batch, targets, 16, queries)], np.random.default_rng(0))
        every = network(batch.items, batch.codes, batch.gaps())
        states = tf.gather_nd(every, np.stack([queries.row, queries.place], axis=1))
        found = head_losses(network.heads(states, queries.elapsed_s), vars(queries))  # type: ignore[misc]
        losses.append(sum(float(total / tf.maximum(weight, 1.0)) for total, weight in found.values()))
    return losses


def test_heads_learn_with_the_next_item() -> None:
    network = build_network(CONF, N_ITEMS, PRIOR)
    losses = learned(network, replace(CONF, optimiser=OptimiserConf(learning_rate=0.03)), 60)
    assert losses[-1] < 0.4 * losses[0]


def test_adapters_learn_few_parameters_and_merge_into_the_network() -> None:
    network = build_network(CONF, N_ITEMS, PRIOR)
    n_whole = n_trainable(network)
    adapt(network, 2)
    assert n_trainable(network) < n_whole
    before = {weight.path: weight.numpy() for weight in network.events.weights}
    losses = learned(network, replace(CONF, optimiser=OptimiserConf(learning_rate=0.03)), 60)
    assert losses[-1] < 0.7 * losses[0]
    for weight in network.events.weights:
        np.testing.assert_array_equal(weight.numpy(), before[weight.path])
    plain, merged = NextItem.from_config(network.get_config()), merged_weights(network)
    for weight in plain.weights:
        weight.assign(merged[weight.path])
    batch = regular(4)
    asked = (batch.items, batch.codes, batch.gaps())
    np.testing.assert_allclose(plain(*asked), network(*asked), atol=1e-5)
