from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from onnxruntime import InferenceSession

from tests.sequence.histories import SMALL
from ulm_spark.sequence.compact_onnx import store_halved, store_int8
from ulm_spark.sequence.conf import Stored
from ulm_spark.sequence.export import export_model
from ulm_spark.sequence.items_conf import ItemsConf
from ulm_spark.sequence.launch import ONNX
from ulm_spark.sequence.model_conf import ModelConf
from ulm_spark.sequence.models.network import build_network
from ulm_spark.sequence.prior import no_prior

N_ITEMS = 3_000
ITEMS = np.random.default_rng(0).integers(1, N_ITEMS + 1, (5, 6), dtype=np.int32)
ASKED = {"item_indices": ITEMS, "event_codes": np.ones_like(ITEMS), "gap_seconds": np.full((5, 6), 60, np.int64)}


def scores(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    session = InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert [put.name for put in session.get_outputs()] == ["scores", "states"]
    return np.asarray(session.run(["scores"], ASKED)[0])


def exported(folder: Path, items: ItemsConf, stored: Stored = "float32") -> Path:
    conf = replace(SMALL, model=ModelConf("gated", dim=32, max_length=6, items=items))
    keras.utils.set_random_seed(3)
    network = build_network(conf, N_ITEMS, no_prior(N_ITEMS))
    for weight in network.events.items.trainable_variables:
        weight.assign(np.random.default_rng(1).normal(0, 0.3, weight.shape))
    export_model(network, {}, folder, stored)
    return folder / ONNX


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp("own"), ItemsConf())


def test_an_exported_graph_holds_the_item_table_once(own: Path) -> None:
    assert own.stat().st_size < 1.6 * (N_ITEMS + 1) * 32 * 4


def test_codes_are_bytes_in_the_exported_graph(tmp_path: Path) -> None:
    path = exported(tmp_path, ItemsConf("jpq", n_splits=4, n_centroids=16, codes="random"))
    stored = [tensor for tensor in onnx.load(path).graph.initializer if max(tensor.dims, default=0) > N_ITEMS]
    kinds = {tensor.data_type for tensor in stored}
    assert onnx.TensorProto.UINT8 in kinds
    assert not kinds & {onnx.TensorProto.INT32, onnx.TensorProto.INT64}
    assert sum(tensor.data_type == onnx.TensorProto.UINT8 for tensor in stored) == 4


def test_a_halved_graph_is_half_as_large_and_scores_nearly_alike(own: Path, tmp_path: Path) -> None:
    store_halved(own, tmp_path / "half.onnx")
    assert (tmp_path / "half.onnx").stat().st_size < 0.6 * own.stat().st_size
    found = scores(tmp_path / "half.onnx")
    assert np.isfinite(found).all()
    assert (found.argmin(axis=1) == 0).all()
    np.testing.assert_allclose(found[:, 1:], scores(own)[:, 1:], atol=0.02)


def test_a_graph_in_bytes_saves_three_of_four_and_scores_nearly_alike(own: Path, tmp_path: Path) -> None:
    store_int8(own, tmp_path / "int8.onnx")
    saved = own.stat().st_size - (tmp_path / "int8.onnx").stat().st_size
    assert saved > 0.7 * (N_ITEMS + 1) * 32 * 4  # of the item table; its steps take a little back
    near, exact = scores(tmp_path / "int8.onnx")[:, 1:], scores(own)[:, 1:]
    assert np.abs(near - exact).max() < 0.5 * exact.std()
    assert (np.abs(near - exact) > 0).any()
    assert np.mean(near.argmax(axis=1) == exact.argmax(axis=1)) >= 0.6


@pytest.mark.parametrize(("stored", "size", "error"), [("float16", 0.6, 0.002), ("int8", 0.45, 0.5)])
def test_an_export_stored_small_scores_nearly_alike(
    own: Path, tmp_path: Path, stored: Stored, size: float, error: float
) -> None:
    small = exported(tmp_path, ItemsConf(), stored)
    assert small.stat().st_size < size * own.stat().st_size
    expected = scores(own)[:, 1:]
    assert np.abs(scores(small)[:, 1:] - expected).max() < error * expected.std()
