"""The trained network as files that score without this package: a SavedModel."""

import json
from pathlib import Path

import tensorflow as tf

from ulm_spark.sequence.launch import METRICS, SAVED_MODEL
from ulm_spark.sequence.models.network import NextItem


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
        """Histories padded on the left, no longer than training's -> scores: [batch, n_items + 1] float32.

        Column i is item_index i; column 0, padding, is no item.
        """
        states = self.network(item_indices, event_codes, gap_seconds, training=False)[:, -1]
        now = tf.zeros(tf.shape(states)[:1], tf.int32)
        return {"scores": self.network.score_all(states, now)}


def export_model(network: NextItem, metrics: dict[str, float], folder: Path) -> None:
    """Writes saved_model and metrics.json into folder."""
    config = {**network.get_config(), "n_periods": 0}  # of the prior only its last row serves
    serving = NextItem.from_config(config)
    for target, source in zip(serving.trainable_variables, network.trainable_variables, strict=True):
        target.assign(source.value)
    serving.prior.assign(network.prior.value[-1:])
    scorer = Scorer(serving)
    tf.saved_model.save(scorer, str(folder / SAVED_MODEL), signatures={"serving_default": scorer.scores})
    (folder / METRICS).write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
