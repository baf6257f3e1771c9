"""Codes by who bought what, from the feed to the checkpoint."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.sequence.histories import SMALL, VOCABULARY, manifest_of
from ulm_spark.sequence.checkpoint import Checkpoint
from ulm_spark.sequence.items_conf import ItemsConf
from ulm_spark.sequence.loop import Training
from ulm_spark.sequence.ranks import Ranks

CODED = replace(SMALL, model=replace(SMALL.model, items=ItemsConf("jpq", n_splits=2, n_centroids=4)))


def test_items_of_like_histories_share_codes_and_a_resumed_training_keeps_them(tmp_path: Path) -> None:
    manifest = manifest_of(tmp_path, 60, 4, CODED)
    training = Training(manifest, VOCABULARY, Ranks())
    items = training.stepper.network.events.items
    codes = items.codes.numpy()
    assert np.bincount(codes[1:, 0], minlength=4).max() <= 4  # parts of as many of the 13 rows
    np.testing.assert_array_equal(codes, Training(manifest, VOCABULARY, Ranks()).stepper.network.events.items.codes)
    kept: list[Checkpoint] = []
    whole = training.run(lambda numbers: None, kept.append).network.get_weights()
    assert (items.codes.numpy() == codes).all()
    again = Training(manifest, VOCABULARY, Ranks())
    again.stepper.network.events.items.codes.assign(np.zeros_like(codes))  # as if the numbers had fallen otherwise
    first_epoch = next(one for one in kept if one.progress.epoch == 1)
    resumed = again.run(lambda numbers: None, lambda checkpoint: None, first_epoch).network.get_weights()
    for found, expected in zip(resumed, whole, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
