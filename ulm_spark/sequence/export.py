"""The trained network as files that score without this package: ONNX, which needs no TensorFlow, and a SavedModel."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf2onnx
from numpy.typing import NDArray

from ulm_spark.sequence.compact_onnx import store_codes
from ulm_spark.sequence.launch import METRICS, ONNX, SAVED_MODEL, WEIGHTS
from ulm_spark.sequence.models.adapters import merged_weights
from ulm_spark.sequence.models.learned_codes import LearnedCodes
from ulm_spark.sequence.models.network import NextItem
from ulm_spark.sequence.models.quantised_items import CODES

_OPSET = 17


class Scorer(tf.Module):
    """What serving calls: scores of all items after each history, with the popularity as known at as_of."""

    def __init__(self, network: NextItem) -> None:
        super().__init__(name="scorer")
        self.network = network

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None], tf.int32, name="item_indices"),
            tf.TensorSpec([None, None], tf.int32, name="event_codes"),
            tf.TensorSpec([None, None], tf.int64, name="gap_seconds"),
        ]
    )
    def scores(self, item_indices: tf.Tensor, event_codes: tf.Tensor, gap_seconds: tf.Tensor) -> dict[str, tf.Tensor]:
        """Histories padded on the left, no longer than training's.

        scores: [batch, n_items + 1] float32; column i is item_index i, column 0, padding, is no item. states: [batch,
        dim] float32, what the network makes of the history, to be held against other users' and items.
        """
        states = self.network(item_indices, event_codes, gap_seconds, training=False)[:, -1]
        now = tf.zeros(tf.shape(states)[:1], tf.int32)
        return {"scores": self.network.score_all(states, now), "states": states}


def export_model(network: NextItem, metrics: dict[str, float], folder: Path) -> None:
    """Writes scorer.onnx, saved_model, weights.npz and metrics.json into folder."""
    serving, weights = _served(network)
    np.savez(folder / WEIGHTS, **weights)
    scorer = Scorer(serving)
    tf.saved_model.save(scorer, str(folder / SAVED_MODEL), signatures={"serving_default": scorer.scores})
    signature = list(scorer.scores.input_signature)
    tf2onnx.convert.from_function(scorer.scores, signature, opset=_OPSET, output_path=str(folder / ONNX))
    store_codes(folder / ONNX)
    (folder / METRICS).write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")


def _served(network: NextItem) -> tuple[NextItem, dict[str, NDArray[np.generic]]]:
    """The network that serves and its weights by path: of the prior only its last row, and codes where they are
    learned."""
    config, weights = {**network.get_config(), "n_periods": 0}, merged_weights(network)
    items = network.events.items
    if isinstance(items, LearnedCodes):
        conf = network.conf
        config["model"] = asdict(replace(conf, items=replace(conf.items, codes="random")))
        del weights[items.table.path]
        weights[f"{items.path}/{CODES}"] = items.codes()
    serving = NextItem.from_config(config)
    weights[serving.prior.path] = weights[network.prior.path][-1:]
    for weight in serving.weights:
        weight.assign(weights[weight.path])
    return serving, weights
