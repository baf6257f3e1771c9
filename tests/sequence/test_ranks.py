"""Two ranks are one: started by horovodrun, and compared with one process."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.sequence.histories import N_ITEMS, SMALL, VOCABULARY, manifest_of
from ulm_spark.sequence.checkpoint import Checkpoint, save_checkpoint
from ulm_spark.sequence.conf import FeedConf, LaunchConf
from ulm_spark.sequence.feed import Feed
from ulm_spark.sequence.launch import environment
from ulm_spark.sequence.loop import Training
from ulm_spark.sequence.models.network import build_network
from ulm_spark.sequence.plan import epoch_order, list_files, pools_of
from ulm_spark.sequence.ranks import Ranks

pytestmark = pytest.mark.flow
ROOT = Path(__file__).parent.parent.parent
Weights = list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]


def run_ranks(n_ranks: int, what: str, folder: Path) -> None:
    program = [sys.executable, "-m", "tests.sequence.two_ranks", what, str(folder)]
    if n_ranks > 1:
        hosts = f"localhost:{n_ranks}"
        program = [sys.executable, "-m", "horovod.runner.launch", "--gloo", "-np", str(n_ranks), "-H", hosts, *program]
    done = subprocess.run(program, cwd=ROOT, env=environment(SMALL), capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


def weights(folder: Path, name: str, rank: int, size: int) -> Weights:
    with np.load(folder / f"{name}-{rank}-of-{size}.npz") as stored:
        return [stored[key] for key in stored.files]


def largest_difference(some: Weights, others: Weights) -> float:
    return max(float(np.abs(a - b).max()) for a, b in zip(some, others, strict=True))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two ranks and one left: 31 users in 5 files, so neither rows nor steps are even."""
    folder = tmp_path_factory.mktemp("ranks")
    conf = replace(SMALL, launch=LaunchConf("horovodrun", n_ranks=2), batch_size=4)
    manifest = manifest_of(folder, 31, 5, conf)
    (folder / "manifest.json").write_text(manifest.to_json(), encoding="utf-8")
    run_ranks(2, "full,full-fp16,sampled,sampled-fp16,gbce,overflow,train", folder)
    run_ranks(1, "full,sampled,gbce", folder)
    return folder


@pytest.mark.parametrize("name", ["full", "full-fp16", "sampled", "sampled-fp16", "gbce", "train"])
def test_weights_are_the_same_on_both_ranks(folder: Path, name: str) -> None:
    assert largest_difference(weights(folder, name, 0, 2), weights(folder, name, 1, 2)) == 0.0


@pytest.mark.parametrize("name", ["full", "sampled", "gbce"])
def test_steps_on_two_halves_equal_steps_on_the_whole(folder: Path, name: str) -> None:
    assert largest_difference(weights(folder, name, 0, 2), weights(folder, name, 0, 1)) < 1e-6


@pytest.mark.parametrize("name", ["full", "sampled"])
def test_gradients_told_in_16_bits_are_nearly_those_of_the_whole(folder: Path, name: str) -> None:
    halved, whole = weights(folder, f"{name}-fp16", 0, 2), weights(folder, name, 0, 1)
    moved = SMALL.optimiser.learning_rate  # the first step of Adam moves a weight so far, whatever its gradient
    apart = np.concatenate([np.abs(a - b).ravel() for a, b in zip(halved, whole, strict=True)]) / moved
    assert 0.0 < np.quantile(apart, 0.99) < 0.02
    assert apart.max() <= 2.0 + 1e-3  # where a gradient is next to nothing its sign may turn


def test_a_step_that_overflows_on_one_rank_is_made_on_none(folder: Path) -> None:
    first = build_network(SMALL, N_ITEMS, np.zeros((2, N_ITEMS + 1), np.float32)).trainable_variables
    for rank in range(2):
        assert largest_difference(weights(folder, "overflow", rank, 2), [weight.numpy() for weight in first]) == 0.0


class KilledError(Exception):
    """Stands for a kill."""


def test_what_one_rank_began_two_go_on_with_and_no_row_is_read_twice_or_missed(tmp_path: Path) -> None:
    conf = replace(SMALL, max_epochs=1, validation_share=0.0, feed=FeedConf("arrow", shuffle_rows=8), batch_size=4)
    manifest = manifest_of(tmp_path, 31, 9, conf)
    (tmp_path / "manifest.json").write_text(manifest.to_json(), encoding="utf-8")
    began: list[int] = []
    pools = pools_of(list_files(manifest.snapshot.files), conf.seed, conf.feed.shuffle_rows)

    def kill_after_two_pools(checkpoint: Checkpoint) -> None:
        if checkpoint.progress.n_pools == 2:
            save_checkpoint(manifest, VOCABULARY, checkpoint)
            raise KilledError

    with pytest.raises(KilledError):
        Training(manifest, VOCABULARY, Ranks()).run(lambda numbers: None, kill_after_two_pools)
    for pool in epoch_order(pools, conf.seed, 0)[:2]:
        began.extend(Feed(conf.feed, 6, 0, 1).read(pool).user_key.tolist())
    run_ranks(2, "go_on", tmp_path)
    rest = [np.load(tmp_path / f"learned-{rank}-of-2.npy").tolist() for rank in range(2)]
    every = [key for pool in pools for key in Feed(conf.feed, 6, 0, 1).read(pool).user_key.tolist()]
    assert sorted([*began, *rest[0], *rest[1]]) == sorted(every)
    assert len(pools) > 3
    assert all(rest)
