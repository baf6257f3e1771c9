"""What goes wrong while it trains is said, and the last good checkpoint stays."""

import errno
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.sequence.histories import SMALL, VOCABULARY, manifest_of
from ulm_spark.config.errors import TrainingError
from ulm_spark.sequence.batches import Batch
from ulm_spark.sequence.checkpoint import CheckpointWriter, load_checkpoint, save_checkpoint
from ulm_spark.sequence.conf import FeedConf
from ulm_spark.sequence.learning_conf import OptimiserConf
from ulm_spark.sequence.loop import Training
from ulm_spark.sequence.ranks import Ranks
from ulm_spark.sequence.snapshot import Manifest

CONF = replace(SMALL, feed=FeedConf("arrow", shuffle_rows=8), max_epochs=3, patience=3)


def silent(numbers: dict[str, float]) -> None:
    """Says nothing."""


def after_one_epoch(folder: Path) -> Manifest:
    """A manifest whose training was ended after an epoch."""
    manifest = manifest_of(folder, 31, 5, CONF)
    first = replace(manifest, conf=replace(CONF, max_epochs=1))
    kept = []
    Training(first, VOCABULARY, Ranks()).run(silent, kept.append)
    save_checkpoint(manifest, VOCABULARY, kept[-1])
    return manifest


def test_a_loss_that_is_no_number_ends_the_training_and_keeps_the_checkpoint(tmp_path: Path) -> None:
    manifest = after_one_epoch(tmp_path)
    training = Training(manifest, VOCABULARY, Ranks())

    def broken(batches: Sequence[Batch], generator: np.random.Generator) -> tuple[float, float]:
        return float("nan"), 1.0

    training.stepper.take = broken  # type: ignore[method-assign]  # what an exploding step gives
    writer = CheckpointWriter(manifest, VOCABULARY)
    with pytest.raises(TrainingError, match="found a loss of nan in epoch 2"):
        training.run(silent, writer.keep, load_checkpoint(manifest))
    found = load_checkpoint(manifest)
    assert found is not None
    assert found.progress.epoch == 1
    ended = Training(manifest, VOCABULARY, Ranks()).run(silent, writer.keep, found)
    assert ended.metrics["n_epochs"] == 3


def test_a_full_disk_is_told_of_and_keeps_the_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = after_one_epoch(tmp_path)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    writer = CheckpointWriter(manifest, VOCABULARY)
    with pytest.raises(TrainingError, match=r"cannot be written \(No space left on device\)"):
        Training(manifest, VOCABULARY, Ranks()).run(silent, writer.keep, load_checkpoint(manifest))
    folder = Path(manifest.checkpoint_dir)
    assert [path.name for path in folder.iterdir()] == ["state.npz"]
    found = load_checkpoint(manifest)
    assert found is not None
    assert found.progress.epoch == 1


def test_a_file_that_vanishes_between_epochs_is_told_of(tmp_path: Path) -> None:
    manifest = after_one_epoch(tmp_path)
    training = Training(manifest, VOCABULARY, Ranks())
    (tmp_path / "data" / "part-01.parquet").unlink()
    with pytest.raises(TrainingError, match="cannot be read"):
        training.run(silent, lambda checkpoint: None, load_checkpoint(manifest))


def test_a_snapshot_with_other_rows_than_its_files_is_refused(tmp_path: Path) -> None:
    manifest = manifest_of(tmp_path, 31, 5, CONF)
    other = replace(manifest, snapshot=replace(manifest.snapshot, n_rows=30))
    with pytest.raises(TrainingError, match="found 31 rows in the snapshot's files; expected 30"):
        Training(other, VOCABULARY, Ranks())


def test_a_network_that_the_last_step_broke_is_not_exported(tmp_path: Path) -> None:
    one_step = replace(CONF, feed=FeedConf("arrow"), batch_size=64, max_epochs=1)
    wild = replace(one_step, optimiser=OptimiserConf(learning_rate=1e30, warmup_steps=0))
    manifest, kept = manifest_of(tmp_path, 31, 5, wild), []
    with pytest.raises(TrainingError, match="found a validation of nan in epoch 1"):
        Training(manifest, VOCABULARY, Ranks()).run(silent, kept.append)
    wilder = replace(manifest, conf=replace(wild, optimiser=replace(wild.optimiser, learning_rate=float("inf"))))
    with pytest.raises(TrainingError, match=r"found weights of .* that are no numbers in epoch 1"):
        Training(wilder, VOCABULARY, Ranks()).run(silent, kept.append)
    assert kept == []


def test_a_torn_checkpoint_is_named(tmp_path: Path) -> None:
    manifest = after_one_epoch(tmp_path)
    (state,) = Path(manifest.checkpoint_dir).iterdir()
    whole = state.read_bytes()
    for torn in (b"", whole[:-100], b"no archive" * 100):
        state.write_bytes(torn)
        with pytest.raises(TrainingError, match=r"checkpoint: found that .*state\.npz cannot be read"):
            load_checkpoint(manifest)


def test_an_item_beyond_the_vocabulary_is_named(tmp_path: Path) -> None:
    manifest = manifest_of(tmp_path, 31, 5, CONF)
    fewer = replace(manifest, snapshot=replace(manifest.snapshot, n_items=5))
    with pytest.raises(TrainingError, match="found item 12; expected those of the vocabulary, 1 to 5"):
        Training(fewer, VOCABULARY[:5], Ranks())
