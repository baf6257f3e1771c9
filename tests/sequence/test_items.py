"""However the vectors of items are kept, the network treats them alike."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import tensorflow as tf
from onnxruntime import InferenceSession

from tests.sequence.histories import KNOWN_UNTIL_S, N_ITEMS, SMALL, VOCABULARY, rows
from ulm_spark.config.errors import ConfigError
from ulm_spark.sequence.batches import Batch
from ulm_spark.sequence.conf import TrainingConf
from ulm_spark.sequence.export import export_model
from ulm_spark.sequence.items_conf import CodesKind, ItemsConf, ItemsKind
from ulm_spark.sequence.launch import ONNX, WEIGHTS, environment
from ulm_spark.sequence.launch import VOCABULARY as VOCABULARY_FILE
from ulm_spark.sequence.learning_conf import LossConf, LossKind, OptimiserConf, TargetsConf
from ulm_spark.sequence.model_conf import ModelConf
from ulm_spark.sequence.models.network import NextItem, build_network
from ulm_spark.sequence.prior import Periods, no_prior
from ulm_spark.sequence.ranks import Ranks
from ulm_spark.sequence.step import Stepper
from ulm_spark.sequence.targets import draw_targets
from ulm_spark.sequence.validation import Validator
from ulm_spark.sequence.warm_start import begin_with

KINDS: tuple[ItemsKind, ...] = get_args(ItemsKind)
COMPACT = tuple(kind for kind in KINDS if kind != "own")
FEW = ItemsConf(rank=4, n_buckets=9, n_hashes=2, n_splits=4, n_centroids=8, codes="random")
PERIODS = Periods(KNOWN_UNTIL_S, 7 * 86_400, 1)
RING = rows([[1, 2, 3, 4, 5, 6], [4, 5, 6, 7, 8, 9], [0, 0, 8, 9, 10, 11], [9, 10, 11, 12, 1, 2]])
MANY = 10_000_000
ROOT = Path(__file__).parent.parent.parent


LEARNED = replace(FEW, kind="jpq", codes="learned", n_centroids=16)
ROUNDED = replace(FEW, kind="factorised", rank=8, bits=2)


def conf_of(kind: ItemsKind) -> TrainingConf:
    return with_items(replace(FEW, kind=kind))


def with_items(items: ItemsConf) -> TrainingConf:
    return replace(SMALL, model=replace(SMALL.model, dropout=0.0, attention_dropout=0.0, items=items))


def network(kind: ItemsKind) -> NextItem:
    built = build_network(conf_of(kind), N_ITEMS, no_prior(N_ITEMS))
    generator = np.random.default_rng(1)
    for variable in built.trainable_variables:
        variable.assign(generator.normal(0, 0.3, variable.shape))
    return built


def by_hand(model: NextItem, kind: ItemsKind) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """The vectors as the papers write them, item by item."""
    parts = {weight.name: weight.numpy() for weight in model.events.items.weights}
    if kind == "factorised":
        return np.asarray(parts["factors"] @ parts["widen"])
    if kind == "hashed":
        pairs = zip(parts["weights"], parts["numbers"], strict=True)
        return np.stack([sum(w * parts["buckets"][n] for w, n in zip(*pair, strict=True)) for pair in pairs])
    if kind == "jpq":
        return np.stack(
            [np.concatenate([parts["centroids"][j, code] for j, code in enumerate(codes)]) for codes in parts["codes"]]
        )
    return np.asarray(parts["items"])


@pytest.mark.parametrize("kind", KINDS)
def test_all_ways_to_score_use_the_same_vectors(kind: ItemsKind) -> None:
    model, items = network(kind), network(kind).events.items
    vectors = by_hand(model, kind)
    asked = np.array([[3, 0], [12, 3]], np.int32)
    np.testing.assert_allclose(items(asked), vectors[asked], atol=1e-6)
    np.testing.assert_allclose(items.every(), vectors, atol=1e-6)
    states, now = tf.random.normal([2, SMALL.model.dim], seed=3), np.zeros(2, np.int32)
    expected = states.numpy() @ vectors.T + model.bias.numpy()
    served = model.score_all(states, now).numpy()
    np.testing.assert_allclose(served[:, 1:], expected[:, 1:], atol=1e-5)
    assert (served[:, 0] < -1e8).all()
    np.testing.assert_allclose(model.score_items(states, now), expected[:, 1:], atol=1e-5)
    np.testing.assert_allclose(
        model.score_some(states, now, asked), np.take_along_axis(expected, asked, axis=1), atol=1e-5
    )
    np.testing.assert_allclose(model.score_shared(states, now, asked[1]), expected[:, asked[1]], atol=1e-5)


@pytest.mark.parametrize("kind", COMPACT)
def test_a_network_is_made_again_and_its_exported_graph_scores_alike(kind: ItemsKind, tmp_path: Path) -> None:
    model = network(kind)
    again = NextItem.from_config(model.get_config())
    for target, source in zip(again.weights, model.weights, strict=True):
        target.assign(source.value)
    parts = (RING.items, RING.codes, RING.gaps())
    now = np.zeros(len(RING), np.int32)
    expected = model.score_all(model(*parts)[:, -1], now).numpy()
    np.testing.assert_allclose(again.score_all(again(*parts)[:, -1], now), expected, atol=1e-5)
    layer = model.events.items
    assert type(layer).from_config(layer.get_config()).get_config() == layer.get_config()
    export_model(model, {}, tmp_path)
    graph = InferenceSession(str(tmp_path / ONNX), providers=["CPUExecutionProvider"])
    asked = dict(zip(("item_indices", "event_codes", "gap_seconds"), parts, strict=True))
    np.testing.assert_allclose(graph.run(["scores"], asked)[0], expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("loss", ["full", "sampled"])
@pytest.mark.parametrize("items", [*(replace(FEW, kind=kind) for kind in COMPACT), LEARNED, ROUNDED])
def test_steps_learn_a_ring_whatever_the_vectors(items: ItemsConf, loss: LossKind) -> None:
    conf = replace(with_items(items), optimiser=OptimiserConf(learning_rate=0.05), loss=LossConf(loss, n_sampled=64))
    stepper = Stepper(build_network(conf, N_ITEMS, no_prior(N_ITEMS)), conf, PERIODS, Ranks())
    generator, losses = np.random.default_rng(4), []
    for _ in range(80):
        targets = draw_targets(RING, TargetsConf(n_events=1, n_positions=4, exclude_seen=False), generator)
        total, weight = stepper.take([Batch(RING, targets, len(RING))], np.random.default_rng(5))
        losses.append(total / weight)
    assert losses[-1] < 0.2 * losses[0]
    assert Validator(stepper.network, RING, PERIODS, Ranks(), exclude_seen=False).measure().ndcg == 1.0


@pytest.mark.parametrize("loss", ["full", "sampled"])
def test_codes_are_fixed_and_centroids_are_learned(loss: LossKind) -> None:
    conf = replace(conf_of("jpq"), loss=LossConf(loss, n_sampled=64))
    model = build_network(conf, N_ITEMS, no_prior(N_ITEMS))
    items = model.events.items
    codes, centroids = items.codes.numpy(), items.centroids.numpy()
    targets = draw_targets(RING, TargetsConf(n_events=1, n_positions=4), np.random.default_rng(4))
    Stepper(model, conf, PERIODS, Ranks()).take([Batch(RING, targets, len(RING))], np.random.default_rng(5))
    np.testing.assert_array_equal(items.codes.numpy(), codes)
    assert (items.centroids.numpy() != centroids).any()


def exported(items: ItemsConf, folder: Path) -> NextItem:
    model = build_network(with_items(items), N_ITEMS, no_prior(N_ITEMS))
    (own,) = model.events.items.by_item
    own.assign(np.random.default_rng(2).normal(0, 0.3, own.shape))
    export_model(model, {}, folder)
    (folder / VOCABULARY_FILE).write_text(json.dumps(VOCABULARY), encoding="utf-8")
    return model


@pytest.mark.parametrize("codes", ["random", "learned"])
def test_codes_begin_with_the_trained_vectors_of_an_earlier_model(codes: CodesKind, tmp_path: Path) -> None:
    own = exported(ItemsConf(), tmp_path).events.items.every().numpy()
    coded = build_network(with_items(replace(LEARNED, codes=codes, n_centroids=24)), N_ITEMS, no_prior(N_ITEMS))
    begin_with(coded, VOCABULARY, tmp_path)
    # More centroids than items: little is lost.
    assert np.square(coded.events.items.every().numpy() - own)[1:].mean() < 0.1 * own.var()


def test_learned_codes_are_those_of_the_nearest_centroids_and_move_both() -> None:
    model = build_network(with_items(LEARNED), N_ITEMS, no_prior(N_ITEMS))
    items = model.events.items
    table, centroids = items.table.numpy(), items.centroids.numpy()
    parts = table.reshape(N_ITEMS + 1, 4, 1, 2)
    codes = np.square(parts - centroids).sum(axis=-1).argmin(axis=-1)
    np.testing.assert_array_equal(items.codes(), codes)
    put_together = np.concatenate([centroids[split][codes[:, split]] for split in range(4)], axis=1)
    np.testing.assert_allclose(items.every(), put_together, atol=1e-6)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(items(np.array([3], np.int32)) * np.arange(8.0, dtype=np.float32))
    own, near = (
        tf.convert_to_tensor(g).numpy() for g in tape.gradient(total, [items.table.value, items.centroids.value])
    )
    np.testing.assert_allclose(own[3], np.arange(8))
    for split in range(4):
        np.testing.assert_allclose(near[split, codes[3, split]], [2 * split, 2 * split + 1])
    assert np.count_nonzero(own.any(axis=1)) == 1


def test_learned_codes_are_exported_as_codes_and_go_on_from_them(tmp_path: Path) -> None:
    model = exported(LEARNED, tmp_path)
    with np.load(tmp_path / WEIGHTS) as stored:
        assert stored["events/items/codes"].dtype == np.uint8
        assert "events/items/items" not in stored.files
    graph = InferenceSession(str(tmp_path / ONNX), providers=["CPUExecutionProvider"])
    parts = (RING.items, RING.codes, RING.gaps())
    expected = model.score_all(model(*parts)[:, -1], np.zeros(len(RING), np.int32))
    asked = dict(zip(("item_indices", "event_codes", "gap_seconds"), parts, strict=True))
    np.testing.assert_allclose(graph.run(["scores"], asked)[0], expected, rtol=1e-5, atol=1e-4)
    later = build_network(with_items(LEARNED), N_ITEMS, no_prior(N_ITEMS))
    begin_with(later, VOCABULARY, tmp_path)
    np.testing.assert_allclose(later.events.items.every()[1:], model.events.items.every()[1:], atol=1e-6)


def test_factors_of_few_bits_are_used_and_exported_rounded_and_go_on_from_there(tmp_path: Path) -> None:
    model = exported(ROUNDED, tmp_path)
    items = model.events.items
    with np.load(tmp_path / WEIGHTS) as stored:
        factors, widen = stored[items.factors.path], stored[items.widen.path]
    assert set(np.round(3 * factors.ravel()).tolist()) == {-3.0, -1.0, 1.0, 3.0}
    np.testing.assert_allclose(3 * factors, np.round(3 * factors), atol=1e-6)
    np.testing.assert_allclose(items.every(), factors @ widen, atol=1e-6)
    latent = np.tanh(items.factors.numpy() * 0.5 / items.deviation)
    assert np.abs(factors - latent).max() <= 1 / 3 + 1e-6  # the nearest of four
    again = build_network(with_items(ROUNDED), N_ITEMS, no_prior(N_ITEMS))
    begin_with(again, VOCABULARY, tmp_path)
    np.testing.assert_allclose(again.events.items.every()[1:], items.every()[1:], atol=1e-5)


def test_bits_without_factors_are_refused() -> None:
    for wrong in ({"bits": 9}, {"bits": -1}, {"kind": "jpq"}):
        with pytest.raises(
            ConfigError, match=r"training\.model\.items\.bits: found .*; expected 0, or with kind factorised"
        ):
            replace(ROUNDED, **wrong)


def test_splits_that_do_not_divide_the_vectors_are_refused() -> None:
    with pytest.raises(ConfigError, match="n_splits"):
        ModelConf(dim=64, items=ItemsConf("jpq", n_splits=6))
    with pytest.raises(ConfigError, match="n_centroids"):
        ItemsConf(n_centroids=257)


@pytest.mark.flow
def test_ten_million_items_take_a_step_in_little_memory() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.sequence.many_items"], cwd=ROOT, env=environment(SMALL), capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2_000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert set(told["weights_gb"]) == set(COMPACT)
    assert max(told["weights_gb"].values()) < 0.35  # of a vector each: 2.56
    assert told["peak_gb"] < 4.0  # with what Adam remembers of each: above 7.7
    assert all(0 < changed < 2_000 for changed in told["rows_changed"].values())
