"""What each rank of tests/sequence/test_ranks.py runs: ``python -m tests.sequence.two_ranks WHAT FOLDER``."""

import os
import sys
from dataclasses import replace
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import numpy as np

from tests.sequence.histories import KNOWN_UNTIL_S, N_ITEMS, SMALL, VOCABULARY, history, rows
from ulm_spark.sequence.loop import Training
from ulm_spark.sequence.models.network import NextItem, build_network
from ulm_spark.sequence.prior import Periods
from ulm_spark.sequence.ranks import Ranks
from ulm_spark.sequence.rows import Rows, Targets, draw_targets, pad_left
from ulm_spark.sequence.snapshot import Manifest
from ulm_spark.sequence.step import Stepper

N_STEPS = 1


def whole_batch() -> tuple[Rows, Targets]:
    """Twelve histories of unequal length, so that halves have unequal numbers of targets."""
    items = pad_left([np.array(history(user)["item_indices"]) for user in range(12)], SMALL.max_length)
    batch = rows(items.tolist())
    return batch, draw_targets(batch, 4, 3, np.random.default_rng(11), exclude_seen=False)


def step_on_own_part(ranks: Ranks, full_softmax_items: int) -> NextItem:
    """Some steps, each rank with its part of the whole batch."""
    conf = replace(SMALL, dropout=0.0, full_softmax_items=full_softmax_items, n_sampled=16)
    network = build_network(conf, N_ITEMS, np.zeros((2, N_ITEMS + 1), np.float32))
    stepper = Stepper(network, conf, Periods(KNOWN_UNTIL_S, 7 * 86_400, 1), ranks)
    batch, targets = whole_batch()
    mine = np.array_split(np.arange(len(batch)), ranks.size)[ranks.rank]
    part = Targets(targets.places[mine], targets.next_at_s[mine], targets.items[mine], targets.weights[mine])
    for number in range(N_STEPS):
        stepper.take(batch.take(mine), part, np.random.default_rng(number))
    return network


def train_on_own_part(ranks: Ranks, folder: Path) -> NextItem:
    """A whole training; each rank's share of the rows."""
    manifest = Manifest.read(folder / "manifest.json")
    return Training(manifest, VOCABULARY, ranks).run(lambda numbers: None).network


def main() -> None:
    what, folder = sys.argv[1], Path(sys.argv[2])
    ranks = Ranks()
    ranks.use_own_device(1)
    networks = {
        "full": lambda: step_on_own_part(ranks, 20_000),
        "sampled": lambda: step_on_own_part(ranks, 5),
        "train": lambda: train_on_own_part(ranks, folder),
    }
    for name in what.split(","):
        weights = [variable.numpy() for variable in networks[name]().trainable_variables]
        np.savez(folder / f"{name}-{ranks.rank}-of-{ranks.size}.npz", *weights)


if __name__ == "__main__":
    main()
