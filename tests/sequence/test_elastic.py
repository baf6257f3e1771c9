"""Ranks that die are left behind, and new ones join: started by horovodrun, and killed for real."""

import json
import os
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tests.sequence.histories import SMALL, VOCABULARY, manifest_of
from ulm_spark.sequence.checkpoint import load_checkpoint
from ulm_spark.sequence.conf import FeedConf, LaunchConf, TrainingConf
from ulm_spark.sequence.launch import MANIFEST, METRICS, command, environment
from ulm_spark.sequence.launch import VOCABULARY as VOCABULARY_FILE
from ulm_spark.sequence.snapshot import Manifest

pytestmark = [pytest.mark.flow, pytest.mark.slow]
N_EPOCHS, TIMEOUT_S = 30, 180
LAUNCH = LaunchConf("horovodrun", n_ranks=2, min_ranks=1)
CONF = replace(
    SMALL,
    launch=LAUNCH,
    feed=FeedConf("arrow", shuffle_rows=20),
    max_epochs=N_EPOCHS,
    patience=N_EPOCHS,
    checkpoint_minutes=0.0,
)


def start(folder: Path, conf: TrainingConf = CONF) -> tuple[Manifest, "subprocess.Popen[str]"]:
    manifest = manifest_of(folder, 200, 10, conf)
    model = Path(manifest.output_dir)
    model.mkdir(parents=True)
    (model / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
    (model / VOCABULARY_FILE).write_text(json.dumps(VOCABULARY), encoding="utf-8")
    with (folder / "output").open("w") as output:
        process = subprocess.Popen(
            command(model / MANIFEST, conf), stdout=output, stderr=output, text=True, env=environment(conf)
        )
    return manifest, process


def ranks_below(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    """The processes that train, the oldest first."""
    found = [
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if "ulm_spark.sequence.train" in child.cmdline() and "python" in child.name() and "-m" in child.cmdline()[1:3]
    ]
    return sorted(found, key=lambda child: child.create_time())


def wait_for(epoch: int, manifest: Manifest, process: "subprocess.Popen[str]", output: Path) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        found = load_checkpoint(manifest)
        if found is not None and found.progress.epoch >= epoch:
            return
        assert process.poll() is None, output.read_text()[-3000:]
        assert time.monotonic() < deadline, output.read_text()[-3000:]
        time.sleep(0.05)


@pytest.mark.parametrize("victim", ["1", "0"])
def test_a_rank_that_is_killed_is_left_behind_and_another_joins(tmp_path: Path, victim: str) -> None:
    manifest, process = start(tmp_path)
    output = tmp_path / "output"
    wait_for(2, manifest, process, output)
    ranks = ranks_below(process)
    assert len(ranks) == 2, [rank.cmdline() for rank in ranks]
    (doomed,) = (rank for rank in ranks if rank.environ()["HOROVOD_RANK"] == victim)
    os.kill(doomed.pid, signal.SIGKILL)
    assert process.wait(TIMEOUT_S) == 0, output.read_text()[-3000:]
    metrics = json.loads((Path(manifest.output_dir) / METRICS).read_text(encoding="utf-8"))
    assert metrics["n_epochs"] == N_EPOCHS
    assert metrics["n_ranks"] == 2  # at the end
    told = [
        json.loads(line.split("ulm-progress ")[1]) for line in output.read_text().splitlines() if "ulm-progress" in line
    ]
    epochs = [int(numbers["epoch"]) for numbers in told]
    n_untold = N_EPOCHS - len(set(epochs))
    assert n_untold <= int(victim == "0")  # what the first rank was about to tell dies with it
