"""Items that are known by more than their number, and events by more than their item."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnxruntime import InferenceSession

from tests.sequence.histories import KNOWN_UNTIL_S, N_ITEMS, SMALL, VOCABULARY, manifest_of, rows
from ulm_spark.config.errors import ConfigError, TrainingError
from ulm_spark.sequence.batches import Batch
from ulm_spark.sequence.conf import Precision
from ulm_spark.sequence.export import export_model
from ulm_spark.sequence.items_conf import ItemsConf
from ulm_spark.sequence.launch import MANIFEST, ONNX
from ulm_spark.sequence.launch import VOCABULARY as VOCABULARY_FILE
from ulm_spark.sequence.learning_conf import OptimiserConf, TargetsConf
from ulm_spark.sequence.model_conf import ModelConf
from ulm_spark.sequence.models.network import NextItem, build_network
from ulm_spark.sequence.prior import Periods, no_prior
from ulm_spark.sequence.ranks import Ranks
from ulm_spark.sequence.rows import N_CODES, PURCHASE_CODE
from ulm_spark.sequence.snapshot import ItemAttribute, Manifest
from ulm_spark.sequence.step import Stepper
from ulm_spark.sequence.targets import draw_targets
from ulm_spark.sequence.warm_start import begin_with

CONF = replace(
    SMALL,
    model=replace(SMALL.model, dropout=0.0, attention_dropout=0.0, attributes=("category", "price_band")),
    targets=TargetsConf(n_events=1, n_positions=0, exclude_seen=False, exclude_repeats=False),
    optimiser=OptimiserConf(learning_rate=0.02),
)
# Odd items are tea, even ones coffee; the last two are never seen.
CATEGORY = ItemAttribute("category", (1, 2) * 6, ("tea", "coffee"))
BAND = ItemAttribute("price_band", (0, 1, 2) * 3 + (1, 0, 0), ("1", "2"))
KNOWN = (CATEGORY, BAND)
ITEMS = np.array([[0, 0, 5, 3, 9, 1], [2, 4, 6, 8, 10, 12]], np.int32)
CODES = np.array([[0, 0, 1, 6, 1, 6], [1, 1, 6, 6, 1, 1]], np.int32)
GAPS = np.array([[0, 0, 0, 60, 3600, 86400], [0, 1, 2, 3, 4, 5]], np.int64)


def shaken(network: NextItem) -> NextItem:
    """Weights that are not near zero."""
    generator = np.random.default_rng(1)
    for variable in network.trainable_variables:
        variable.assign(generator.normal(0, 0.3, variable.shape))
    return network


def learn(network: NextItem, n_steps: int) -> None:
    """Tea drinkers take tea and coffee drinkers coffee."""
    histories = rows([[1, 5, 3, 9, 7, 1], [3, 7, 1, 5, 9, 3], [2, 6, 4, 10, 8, 2], [4, 8, 10, 2, 6, 4]])
    stepper = Stepper(network, CONF, Periods(KNOWN_UNTIL_S, 7 * 86_400, 1), Ranks())
    for step in range(n_steps):
        targets = draw_targets(histories, CONF.targets, np.random.default_rng(step))
        stepper.take([Batch(histories, targets, len(histories))], np.random.default_rng(0))


def test_the_vector_of_an_item_is_its_own_and_those_of_its_attributes() -> None:
    events = shaken(build_network(CONF, N_ITEMS, no_prior(N_ITEMS), KNOWN)).events
    own, of = events.items.table.numpy(), {name: table.numpy() for name, table in events.attributes.vectors.items()}
    expected = own[3] + of["category"][1] + of["price_band"][2]
    np.testing.assert_allclose(events.vectors_of(np.array([3])).numpy()[0], expected, rtol=1e-5)
    np.testing.assert_allclose(events.every_vector().numpy()[3], expected, rtol=1e-5)
    np.testing.assert_allclose(events.every_vector(), events.vectors_of(np.arange(N_ITEMS + 1)), rtol=1e-5)


def test_some_and_shared_scores_are_those_of_all_items() -> None:
    network = shaken(build_network(CONF, N_ITEMS, no_prior(N_ITEMS), KNOWN))
    states, now = network(ITEMS, CODES, GAPS)[:, -1], np.zeros(2, np.int32)
    every = network.score_all(states, now).numpy()
    some = np.array([[1, 5], [12, 2]], np.int32)
    found = network.score_some(states, now, some)
    np.testing.assert_allclose(found, np.take_along_axis(every, some, axis=1), atol=1e-5)
    np.testing.assert_allclose(network.score_shared(states, now, some[0]), every[:, some[0]], atol=1e-5)


@pytest.mark.parametrize(
    "items",
    [ItemsConf("factorised", rank=2), ItemsConf("hashed", n_buckets=5), ItemsConf("jpq", n_splits=2, codes="random")],
)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_vectors_that_are_made_of_parts_have_attributes_too(items: ItemsConf, precision: Precision) -> None:
    conf = replace(CONF, model=replace(CONF.model, items=items), precision=precision)
    network = shaken(build_network(conf, N_ITEMS, no_prior(N_ITEMS), KNOWN))
    states, now = network(ITEMS, CODES, GAPS)[:, -1], np.zeros(2, np.int32)
    vectors = network.events.every_vector().numpy()
    expected = np.asarray(states, np.float32) @ vectors.T + network.bias.numpy()
    most = 1e-5 if precision == "float32" else 0.03  # vectors are added up in eight bits
    np.testing.assert_allclose(network.score_all(states, now)[:, 1:], expected[:, 1:], atol=most)
    np.testing.assert_allclose(network.score_items(states, now), expected[:, 1:], atol=most)


def test_the_exported_model_knows_the_attributes(tmp_path: Path) -> None:
    network = shaken(build_network(CONF, N_ITEMS, no_prior(N_ITEMS), KNOWN))
    export_model(network, {}, tmp_path)
    graph = InferenceSession(str(tmp_path / ONNX), providers=["CPUExecutionProvider"])
    (scores,) = graph.run(["scores"], {"item_indices": ITEMS, "event_codes": CODES, "gap_seconds": GAPS})
    expected = network.score_all(network(ITEMS, CODES, GAPS)[:, -1], np.zeros(2, np.int32))
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-5)


def test_an_item_that_nobody_has_seen_is_scored_by_its_attributes(tmp_path: Path) -> None:
    seen = replace(CATEGORY, of_item=CATEGORY.of_item[:10]), replace(BAND, of_item=BAND.of_item[:10])
    earlier = build_network(CONF, 10, no_prior(10), seen)
    learn(earlier, 60)
    export_model(earlier, {}, tmp_path)
    (tmp_path / VOCABULARY_FILE).write_text(json.dumps(VOCABULARY[:10]), encoding="utf-8")
    manifest = replace(manifest_of(tmp_path / "rows", 3, 1, CONF), attributes=seen)
    (tmp_path / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
    # Two new items, and categories that are numbered the other way round, with one between.
    later = (ItemAttribute("category", (3, 1) * 6, ("coffee", "cake", "tea")), BAND)
    network = build_network(CONF, N_ITEMS, no_prior(N_ITEMS), later)
    begin_with(network, VOCABULARY, tmp_path, later)
    histories = np.array([[0, 1, 5, 3, 9, 7], [0, 2, 6, 4, 10, 8]], np.int32)
    states = network(histories, (histories > 0).astype(np.int32), np.zeros((2, 6), np.int64))[:, -1]
    tea, coffee = network.score_some(states, np.zeros(2, np.int32), np.array([[11, 12]] * 2, np.int32)).numpy()
    assert tea[0] > tea[1] + 0.5
    assert coffee[1] > coffee[0] + 0.5
    known = earlier.events.every_vector().numpy()[1:]
    np.testing.assert_allclose(network.events.every_vector()[1:11], known, atol=1e-5)


def test_a_network_is_made_again_from_its_config() -> None:
    conf = replace(CONF, model=replace(CONF.model, architecture="gated", by_kind=True))
    network = shaken(build_network(conf, N_ITEMS, no_prior(N_ITEMS), KNOWN))
    again = NextItem.from_config(json.loads(json.dumps(network.get_config())))
    for target, source in zip(again.weights, network.weights, strict=True):
        target.assign(source.value)
    np.testing.assert_allclose(again(ITEMS, CODES, GAPS), network(ITEMS, CODES, GAPS), atol=1e-6)


def test_attributes_that_are_asked_for_and_not_there_are_refused() -> None:
    with pytest.raises(TrainingError, match="found none of the items; expected category, price_band"):
        build_network(CONF, N_ITEMS, no_prior(N_ITEMS))
    with pytest.raises(TrainingError, match="found category of the items; expected none"):
        build_network(SMALL, N_ITEMS, no_prior(N_ITEMS), (CATEGORY,))


def test_a_manifest_carries_the_attributes(tmp_path: Path) -> None:
    manifest = replace(manifest_of(tmp_path, 3, 1, CONF), attributes=KNOWN)
    assert Manifest.from_json(manifest.to_json()) == manifest


def test_pairs_of_kinds_weigh_in_attention_and_only_backwards() -> None:
    model = replace(CONF.model, architecture="gated", attributes=(), by_kind=True)
    network = build_network(replace(CONF, model=model), N_ITEMS, no_prior(N_ITEMS))
    plain = build_network(replace(CONF, model=replace(model, by_kind=False)), N_ITEMS, no_prior(N_ITEMS))
    before = network(ITEMS, CODES, GAPS).numpy()
    np.testing.assert_allclose(before, plain(ITEMS, CODES, GAPS), atol=1e-6)  # biases begin at zero
    by_pair = network.body.blocks[0].attention.by_pair
    biases = by_pair.numpy()
    biases[1 * N_CODES + PURCHASE_CODE] = 5.0  # a view looks at purchases
    by_pair.assign(biases)
    change = np.abs(network(ITEMS, CODES, GAPS).numpy() - before).max(axis=2)
    views_after_purchases = np.array([[0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 1, 1]], bool)
    assert (change[views_after_purchases] > 1e-4).all()
    assert (change[~views_after_purchases] < 1e-6).all()


def test_pairs_of_kinds_need_gates() -> None:
    with pytest.raises(ConfigError, match="by_kind"):
        ModelConf("sasrec", by_kind=True)
