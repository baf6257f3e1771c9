from dataclasses import replace
from pathlib import Path
from typing import get_args

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from onnxruntime import InferenceSession

from tests.sequence.histories import N_ITEMS, SMALL
from ulm_spark.sequence.conf import TrainingConf
from ulm_spark.sequence.export import export_model
from ulm_spark.sequence.launch import ONNX, SAVED_MODEL
from ulm_spark.sequence.model_conf import Architecture, Input, Places
from ulm_spark.sequence.models.attention import causal_mask
from ulm_spark.sequence.models.network import NextItem, build_network, seed_dropout
from ulm_spark.sequence.models.time_buckets import time_bucket

ARCHITECTURES: tuple[Architecture, ...] = get_args(Architecture)
ITEMS = np.array([[0, 0, 5, 3, 9, 1], [2, 4, 6, 8, 10, 12]], np.int32)
CODES = np.array([[0, 0, 1, 6, 1, 6], [1, 1, 6, 6, 1, 1]], np.int32)
GAPS = np.array([[0, 0, 0, 60, 3600, 86400], [0, 1, 2, 3, 4, 5]], np.int64)
PRIOR = np.log(np.random.default_rng(5).dirichlet(np.ones(N_ITEMS + 1), 4)).astype(np.float32)


def network(architecture: Architecture, conf: TrainingConf = SMALL) -> NextItem:
    model = replace(conf.model, architecture=architecture, n_blocks=2)
    built = build_network(replace(conf, model=model), N_ITEMS, PRIOR)
    generator = np.random.default_rng(1)
    for variable in built.trainable_variables:  # first weights are near zero, and would hide a leak
        variable.assign(generator.normal(0, 0.3, variable.shape))
    return built


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_future_never_changes_the_present(architecture: Architecture) -> None:
    model = network(architecture)
    before = model(ITEMS, CODES, GAPS).numpy()
    for place in range(5):
        items, codes, gaps = ITEMS.copy(), CODES.copy(), GAPS.copy()
        items[:, place + 1 :], codes[:, place + 1 :], gaps[:, place + 1 :] = 7, 2, 999
        after = model(items, codes, gaps).numpy()
        is_event = ITEMS[:, : place + 1] > 0
        np.testing.assert_allclose(after[:, : place + 1][is_event], before[:, : place + 1][is_event], atol=1e-6)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_padding_never_changes_an_output(architecture: Architecture) -> None:
    model = network(architecture)
    padded = model(ITEMS[:1], CODES[:1], GAPS[:1]).numpy()
    alone = model(ITEMS[:1, 2:], CODES[:1, 2:], GAPS[:1, 2:]).numpy()
    np.testing.assert_allclose(padded[:, 2:], alone, atol=1e-6)
    codes, gaps = CODES[:1].copy(), GAPS[:1].copy()
    codes[:, :2], gaps[:, :2] = 3, 12345
    np.testing.assert_allclose(model(ITEMS[:1], codes, gaps).numpy()[:, 2:], padded[:, 2:], atol=1e-6)


@pytest.mark.parametrize("places", get_args(Places))
@pytest.mark.parametrize("entry", get_args(Input))
def test_however_events_enter_padding_changes_nothing(places: Places, entry: Input) -> None:
    model = network("gated", replace(SMALL, model=replace(SMALL.model, places=places, input=entry)))
    padded = model(ITEMS[:1], CODES[:1], GAPS[:1]).numpy()
    alone = model(ITEMS[:1, 2:], CODES[:1, 2:], GAPS[:1, 2:]).numpy()
    np.testing.assert_allclose(padded[:, 2:], alone, atol=1e-5)


def test_a_place_counted_from_the_start_is_the_same_whatever_follows() -> None:
    model = network("sasrec", replace(SMALL, model=replace(SMALL.model, places="from_start")))
    whole = model(ITEMS[1:], CODES[1:], GAPS[1:]).numpy()
    prefix = model(ITEMS[1:, :4], CODES[1:, :4], GAPS[1:, :4]).numpy()
    np.testing.assert_allclose(prefix, whole[:, :4], atol=1e-6)
    from_end = network("sasrec", SMALL)
    moved = (
        from_end(ITEMS[1:, :4], CODES[1:, :4], GAPS[1:, :4]).numpy() - from_end(ITEMS[1:], CODES[1:], GAPS[1:])[:, :4]
    )
    assert np.abs(moved).max() > 1e-3


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_earlier_event_changes_the_present(architecture: Architecture) -> None:
    model, items = network(architecture), ITEMS.copy()
    items[:, 2] = 11
    assert np.abs(model(items, CODES, GAPS).numpy()[:, -1] - model(ITEMS, CODES, GAPS).numpy()[:, -1]).max() > 1e-4


def test_a_mask_is_true_where_a_place_may_look() -> None:
    seen = causal_mask(tf.constant([[False, True, True]])).numpy()[0].tolist()
    assert seen == [[True, False, False], [False, True, False], [False, True, True]]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_network_is_made_again_from_its_config(architecture: Architecture) -> None:
    model = network(architecture)
    again = NextItem.from_config(model.get_config())
    for target, source in zip(again.weights, model.weights, strict=True):
        target.assign(source.value)
    np.testing.assert_allclose(again(ITEMS, CODES, GAPS), model(ITEMS, CODES, GAPS), atol=1e-6)
    for layer in (model.events, model.body):
        assert type(layer).from_config(layer.get_config()).get_config() == layer.get_config()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_exported_model_scores_as_the_network_does(architecture: Architecture, tmp_path: Path) -> None:
    model = network(architecture)
    export_model(model, {"loss": 1.0}, tmp_path)
    loaded = tf.saved_model.load(str(tmp_path / SAVED_MODEL))
    score = loaded.signatures["serving_default"]
    graph = InferenceSession(str(tmp_path / ONNX), providers=["CPUExecutionProvider"])
    for cut in (0, 2):
        parts = (ITEMS[:, cut:], CODES[:, cut:], GAPS[:, cut:])
        asked = dict(zip(("item_indices", "event_codes", "gap_seconds"), parts, strict=True))
        found = score(**asked)["scores"].numpy()
        now = np.full(2, PRIOR.shape[0] - 1, np.int32)
        expected = model.score_all(model(*parts)[:, -1], now).numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
        assert found.shape == (2, N_ITEMS + 1)
        scores, states = graph.run(["scores", "states"], asked)
        np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(states, model(*parts)[:, -1], rtol=1e-5, atol=1e-5)


def test_some_and_shared_scores_are_those_of_all_items() -> None:
    model = network("sasrec")
    states = tf.random.normal([4, SMALL.model.dim], seed=3)
    periods = np.array([0, 1, 3, 2], np.int32)
    every = model.score_all(states, periods).numpy()
    some = np.array([[1, 5], [2, 2], [3, 4], [12, 8]], np.int32)
    found = model.score_some(states, periods, some)
    np.testing.assert_allclose(found, np.take_along_axis(every, some, axis=1), atol=1e-5)
    shared = np.array([4, 1, 11], np.int32)
    np.testing.assert_allclose(model.score_shared(states, periods, shared), every[:, shared], atol=1e-5)


def test_dropout_starts_anew_from_its_seed() -> None:
    model = network("sasrec", replace(SMALL, model=replace(SMALL.model, dropout=0.5)))
    outputs = []
    for seed in ((1, 2), (1, 2), (1, 3)):
        seed_dropout(model, seed)
        outputs.append(model(ITEMS, CODES, GAPS, training=True).numpy())
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert np.abs(outputs[0] - outputs[2]).max() > 1e-3
    assert any(isinstance(layer, keras.layers.Dropout) for layer in model.body._flatten_layers())


@given(st.integers(0, 2**19))
def test_a_time_has_as_many_buckets_as_bits(seconds: int) -> None:
    assert int(time_bucket(np.array(seconds, np.int64))) == seconds.bit_length()
