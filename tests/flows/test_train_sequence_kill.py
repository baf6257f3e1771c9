"""Training killed between epochs and run again ends with the weights of an undisturbed run."""

import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from pyspark.sql import SparkSession

from jobs import train_sequence
from tests.flows.jobs import TIMEOUT_S, start_job
from tests.flows.sequence_tables import AS_OF, fill, small_training
from ulm_spark.config.load import load
from ulm_spark.contracts.ops import RUNS, SEQUENCE_MODELS
from ulm_spark.lake.progress import progress_to
from ulm_spark.lake.store import Lake
from ulm_spark.sequence.launch import SAVED_MODEL

pytestmark = [pytest.mark.flow, pytest.mark.slow]
N_EPOCHS = 40


def ranks_of(folder: Path) -> list[str]:
    """Training processes whose manifest lies below folder."""
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout.splitlines()
    return [line for line in listed if "ulm_spark.sequence.train" in line and str(folder) in line]


def kill_after_first_epoch(config: Path, folder: Path) -> None:
    process = start_job("train_sequence", config, AS_OF.isoformat())
    deadline = time.monotonic() + TIMEOUT_S
    while not list(folder.glob("lake/_checkpoints/sequence/*/state.npz")):
        assert process.poll() is None, process.communicate()[1][-2000:]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def scores(lake: Lake) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """What the stored model says of some histories."""
    model = lake.read(SEQUENCE_MODELS).first()
    assert model is not None
    loaded = tf.saved_model.load(f"{lake.root}/{model['path']}/{SAVED_MODEL}")
    items = np.array([[1, 2, 3], [0, 9, 10]], np.int32)
    found = loaded.signatures["serving_default"](
        item_indices=tf.constant(items),
        event_codes=tf.constant((items > 0).astype(np.int32)),
        gap_seconds=tf.constant(np.array([[0, 60, 60], [0, 0, 60]], np.int64)),
    )
    return np.asarray(found["scores"].numpy())


def test_a_killed_training_goes_on_and_ends_like_an_undisturbed_one(spark: SparkSession, tmp_path: Path) -> None:
    found = {}
    for name in ("undisturbed", "killed"):
        folder = tmp_path / name
        folder.mkdir()
        # Long enough to be killed midway, and no stop before the end.
        config = small_training(folder, max_epochs=N_EPOCHS, dropout=0.5)
        conf = load(config, train_sequence.Conf)
        lake = Lake(spark, conf.lake)
        fill(spark, lake, 12)
        if name == "killed":
            kill_after_first_epoch(config, folder)
            deadline = time.monotonic() + 10
            while ranks_of(folder) and time.monotonic() < deadline:
                time.sleep(0.1)
            assert ranks_of(folder) == []
            assert lake.read(SEQUENCE_MODELS).isEmpty()
        said: list[str] = []
        with progress_to(said.append):
            train_sequence.run(spark, conf, AS_OF)
        found[name] = scores(lake)
        n_told = sum(text.startswith("epoch") for text in said)
        assert (n_told == N_EPOCHS) == (name == "undisturbed")  # the second run goes on where the first was killed
    np.testing.assert_allclose(found["killed"], found["undisturbed"], atol=1e-6)
    runs = lake.read(RUNS).orderBy("started_at").select("status").collect()
    assert [row[0] for row in runs] == ["killed", "done"]
