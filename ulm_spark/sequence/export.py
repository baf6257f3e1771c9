"""The trained network as files that score without this package: ONNX, which needs no TensorFlow, and a SavedModel."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf2onnx
from numpy.typing import NDArray

from ulm_spark.sequence.compact_onnx import store_codes, store_halved, store_int8
from ulm_spark.sequence.conf import Stored
from ulm_spark.sequence.facts import N_FACTS
from ulm_spark.sequence.head_losses import expected_value
from ulm_spark.sequence.launch import METRICS, ONNX, READER, SAVED_MODEL, WEIGHTS
from ulm_spark.sequence.models.adapters import merged_weights
from ulm_spark.sequence.models.network import NextItem

_OPSET = 17
Outputs = dict[str, tf.Tensor]
# Of each task: its name among the outputs, and what is served of what its head says.
_SERVED: dict[str, tuple[str, Callable[[tf.Tensor], tf.Tensor]]] = {
    "action": ("p_action", tf.nn.softmax),
    "gap": ("p_gap", tf.nn.softmax),
    "churn": ("p_churn", lambda said: tf.sigmoid(said[:, 0])),
    "value": ("expected_value", expected_value),
    "conversion": ("p_conversion", lambda said: tf.sigmoid(said[:, 0])),
}
_HISTORY = (
    tf.TensorSpec([None, None], tf.int32, name="item_indices"),
    tf.TensorSpec([None, None], tf.int32, name="event_codes"),
    tf.TensorSpec([None, None], tf.int64, name="gap_seconds"),
)
_INSTANT = (tf.TensorSpec([None], tf.int64, name="elapsed_s"), tf.TensorSpec([None, N_FACTS], tf.float32, name="facts"))


class Scorer(tf.Module):
    """What serving calls. Histories are padded on the left, and no longer than training's."""

    def __init__(self, network: NextItem) -> None:
        super().__init__(name="scorer")
        self.network = network
        self.read_inputs = list(_HISTORY if network.heads is None else (*_HISTORY, *_INSTANT))
        read = self._read_history if network.heads is None else self._read_instant
        self.read = tf.function(read, input_signature=self.read_inputs)

    @tf.function(input_signature=_HISTORY)
    def scores(self, item_indices: tf.Tensor, event_codes: tf.Tensor, gap_seconds: tf.Tensor) -> Outputs:
        """Of all items after each history, with the popularity as known at as_of, and what the history is like.

        scores: [batch, n_items + 1] float32; column i is item_index i, column 0, padding, is no item. states: [batch,
        dim] float32, what the network makes of the history, to be held against other users' and items.
        """
        states = self._states(item_indices, event_codes, gap_seconds)
        now = tf.zeros(tf.shape(states)[:1], tf.int32)
        return {"scores": self.network.score_all(states, now), "states": states}

    def _read_history(self, item_indices: tf.Tensor, event_codes: tf.Tensor, gap_seconds: tf.Tensor) -> Outputs:
        return {"states": self._states(item_indices, event_codes, gap_seconds)}

    def _read_instant(
        self,
        item_indices: tf.Tensor,
        event_codes: tf.Tensor,
        gap_seconds: tf.Tensor,
        elapsed_s: tf.Tensor,
        facts: tf.Tensor,
    ) -> Outputs:
        """What is said at an instant elapsed_s after the last event; facts: of facts_of.

        p_churn, expected_value, p_conversion: [batch] float32. p_action: [batch, N_CODES], the next event's kind.
        p_gap: [batch, N_BUCKETS], the bucket of the time to it. Of the tasks that the network learned.
        """
        states = self._states(item_indices, event_codes, gap_seconds)
        assert self.network.heads is not None  # chosen in __init__
        said = self.network.heads(states, elapsed_s, facts)
        served = {_SERVED[task][0]: _SERVED[task][1](scores) for task, scores in said.items()}
        return {"states": states, **served}

    def _states(self, item_indices: tf.Tensor, event_codes: tf.Tensor, gap_seconds: tf.Tensor) -> tf.Tensor:
        return self.network(item_indices, event_codes, gap_seconds, training=False)[:, -1]


def export_model(network: NextItem, metrics: dict[str, float], folder: Path, stored: Stored = "float32") -> None:
    """Writes scorer.onnx, reader.onnx, saved_model, weights.npz and metrics.json into folder. stored: of the graphs."""
    serving, weights = _served(network)
    np.savez(folder / WEIGHTS, **weights)
    scorer = Scorer(serving)
    signatures = {"serving_default": scorer.scores, "read": scorer.read}
    tf.saved_model.save(scorer, str(folder / SAVED_MODEL), signatures=signatures)
    for function, inputs, name in ((scorer.scores, _HISTORY, ONNX), (scorer.read, scorer.read_inputs, READER)):
        tf2onnx.convert.from_function(function, list(inputs), opset=_OPSET, output_path=str(folder / name))
        store_codes(folder / name)
        if stored != "float32":
            store = store_halved if stored == "float16" else store_int8
            store(folder / name, folder / name)
    (folder / METRICS).write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")


def _served(network: NextItem) -> tuple[NextItem, dict[str, NDArray[np.generic]]]:
    """The network that serves and its weights by path: of the prior the last row, items' vectors as they are used."""
    model = replace(network.conf, items=network.conf.items.served)
    items, merged = network.events.items, merged_weights(network)
    weights = {path: value for path, value in merged.items() if not path.startswith(f"{items.path}/")}
    weights |= items.served_weights()
    serving = NextItem.from_config({**network.get_config(), "model": asdict(model), "n_periods": 0})
    weights[serving.prior.path] = weights[network.prior.path][-1:]
    for weight in serving.weights:
        weight.assign(weights[weight.path])
    return serving, weights
