"""The heads beside the next item, and adapters."""

from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import tensorflow as tf
from onnxruntime import InferenceSession
from scipy import special, stats

from tests.sequence.histories import KNOWN_UNTIL_S, N_ITEMS, SMALL, rows
from ulm_spark.sequence.batches import Batch
from ulm_spark.sequence.export import export_model
from ulm_spark.sequence.facts import N_FACTS
from ulm_spark.sequence.head_losses import expected_value, gap_loss, head_losses, zero_inflated_lognormal_loss
from ulm_spark.sequence.launch import READER, SAVED_MODEL
from ulm_spark.sequence.learning_conf import HeadsConf, LossConf, LossKind, OptimiserConf, Task
from ulm_spark.sequence.models.adapters import adapt, merged_weights, n_trainable
from ulm_spark.sequence.models.heads import WIDTHS, Heads
from ulm_spark.sequence.models.network import NextItem, build_network
from ulm_spark.sequence.models.time_buckets import N_BUCKETS, time_bucket
from ulm_spark.sequence.prior import Periods
from ulm_spark.sequence.queries import draw_queries, fixed_queries
from ulm_spark.sequence.ranks import Ranks
from ulm_spark.sequence.rows import PURCHASE_CODE, Rows
from ulm_spark.sequence.step import Stepper
from ulm_spark.sequence.targets import draw_targets
from ulm_spark.sequence.task_validation import TaskValidator

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
    said = heads(tf.random.normal([3, 8], seed=1), np.array([0, 60, 9], np.int64), np.ones((3, N_FACTS), np.float32))
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
    other["until_next_s"] = known["until_next_s"]  # without a next event, the time until which none came
    some, others = head_losses(said, known), head_losses(said, other)
    for task in TASKS:
        assert float(some[task][0]) == pytest.approx(float(others[task][0]))
        assert float(some[task][1]) == (3.0 if task == "gap" else 2.0)


def test_a_time_that_is_not_over_counts_as_all_that_are_as_long_or_longer() -> None:
    scores = np.random.default_rng(1).normal(size=(3, N_BUCKETS)).astype(np.float32)
    p = special.softmax(scores.astype(np.float64), axis=1)
    losses = gap_loss(scores, np.array([0, 5, 5], np.int64), np.array([0.0, 1.0, 0.0], np.float32)).numpy()
    bucket = int(time_bucket(tf.constant([5], tf.int64))[0])
    np.testing.assert_allclose(losses, [0.0, -np.log(p[1, bucket]), -np.log(p[2, bucket:].sum())], atol=1e-5)


def regular(n_users: int) -> Rows:
    """Who views at night is back an hour later and buys for 20; who views by day never comes back."""
    items = [[0, 1, 2, 3, 4]] * n_users
    codes = [[0, 1, PURCHASE_CODE, 1, PURCHASE_CODE] if user % 2 else [0, 1, 1, 1, 1] for user in range(n_users)]
    hours = [[0, 0, 1, 2, 3] if user % 2 else [0, 0, 20, 21, 22] for user in range(n_users)]
    made = rows(items, codes, hours)
    at_s = np.where(made.is_item, made.at_s - 86_400 * 3, 0)
    return replace(made, at_s=at_s, amounts=(made.codes == PURCHASE_CODE).astype(np.float32) * 20)


def learned(network: NextItem, conf: object, n_steps: int) -> list[float]:
    """Losses of the heads along some steps."""
    stepper = Stepper(network, conf, PERIODS, Ranks())  # type: ignore[arg-type]  # a TrainingConf, of CONF's making
    batch, generator, losses = regular(16), np.random.default_rng(2), []
    for _ in range(n_steps):
        seen, queries = draw_queries(batch, np.ones(16, bool), CONF.heads, 5, KNOWN_UNTIL_S, generator)
        targets = draw_targets(seen, CONF.targets, generator)
        stepper.take([Batch(seen, targets, 16, queries)], np.random.default_rng(0))
        every = network(seen.items, seen.codes, seen.gaps())
        states = tf.gather_nd(every, np.stack([queries.row, queries.place], axis=1))
        found = head_losses(network.heads(states, queries.elapsed_s, queries.facts), vars(queries))  # type: ignore[misc]
        losses.append(sum(float(total / tf.maximum(weight, 1.0)) for total, weight in found.values()))
    return losses


def test_heads_learn_with_the_next_item() -> None:
    network = build_network(CONF, N_ITEMS, PRIOR)
    losses = learned(network, replace(CONF, optimiser=OptimiserConf(learning_rate=0.03)), 60)
    assert losses[-1] < 0.6 * losses[0]


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


def test_the_exported_network_says_what_the_heads_say(tmp_path: Path) -> None:
    network = build_network(CONF, N_ITEMS, PRIOR)
    adapt(network, 2)
    learned(network, CONF, 3)
    export_model(network, {}, tmp_path)
    batch = regular(4)
    rows, queries = fixed_queries(batch, 2, CONF.heads, 5, KNOWN_UNTIL_S, 1)
    elapsed_s, facts = queries.elapsed_s, queries.facts
    given = {"item_indices": rows.items, "event_codes": rows.codes, "gap_seconds": rows.gaps()}
    graph = InferenceSession(str(tmp_path / READER), providers=["CPUExecutionProvider"])
    names = [output.name for output in graph.get_outputs()]
    found = dict(zip(names, graph.run(names, {**given, "elapsed_s": elapsed_s, "facts": facts}), strict=True))
    states = network(rows.items, rows.codes, rows.gaps())[:, -1]
    said = network.heads(states, elapsed_s, facts)  # type: ignore[misc]  # it has heads
    expected = {
        "states": states,
        "p_action": tf.nn.softmax(said["action"]),
        "p_gap": tf.nn.softmax(said["gap"]),
        "p_churn": tf.sigmoid(said["churn"][:, 0]),
        "expected_value": expected_value(said["value"]),
        "p_conversion": tf.sigmoid(said["conversion"][:, 0]),
    }
    assert set(found) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-4, err_msg=name)
    served = tf.saved_model.load(str(tmp_path / SAVED_MODEL)).signatures["read"]
    again = served(**{name: tf.constant(value) for name, value in given.items()}, elapsed_s=elapsed_s, facts=facts)
    np.testing.assert_allclose(again["p_churn"], found["p_churn"], atol=1e-5)


def test_validation_of_tasks_is_the_mean_loss_whatever_rank_has_the_rows() -> None:
    network = build_network(CONF, N_ITEMS, PRIOR)
    batch = regular(6)
    whole = TaskValidator(network, batch, CONF, KNOWN_UNTIL_S, Ranks()).measure()
    assert set(whole) == set(TASKS)
    mixed = batch.take(np.array([4, 2, 0, 1, 5, 3]))
    again = TaskValidator(network, mixed, CONF, KNOWN_UNTIL_S, Ranks()).measure()
    for task in TASKS:
        assert again[task] == pytest.approx(whole[task], rel=1e-5)
    assert TaskValidator(network, Rows.empty(12), CONF, KNOWN_UNTIL_S, Ranks()).measure() == {}


@pytest.mark.parametrize("kind", ["full", "sampled"])
def test_without_a_next_item_only_the_tasks_learn(kind: LossKind) -> None:
    alone = replace(CONF, heads=replace(CONF.heads, next_item=False), loss=LossConf(kind, n_sampled=4))
    network = build_network(alone, N_ITEMS, PRIOR)
    bias = network.bias.numpy()
    losses = learned(network, replace(alone, optimiser=OptimiserConf(learning_rate=0.03)), 40)
    assert losses[-1] < 0.6 * losses[0]
    np.testing.assert_array_equal(network.bias.numpy(), bias)
