"""What each rank of tests/sequence/test_ranks.py runs: ``python -m tests.sequence.two_ranks WHAT FOLDER``."""

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import numpy as np

from tests.sequence.histories import KNOWN_UNTIL_S, N_ITEMS, SMALL, VOCABULARY, history, rows
from ulm_spark.sequence.batches import Batch
from ulm_spark.sequence.checkpoint import load_checkpoint
from ulm_spark.sequence.conf import Compression
from ulm_spark.sequence.learning_conf import LossConf, LossKind, TargetsConf
from ulm_spark.sequence.loop import Training
from ulm_spark.sequence.models.network import NextItem, build_network
from ulm_spark.sequence.prior import Periods
from ulm_spark.sequence.ranks import Ranks
from ulm_spark.sequence.rows import Rows, pad_left
from ulm_spark.sequence.snapshot import Manifest
from ulm_spark.sequence.step import Stepper
from ulm_spark.sequence.targets import draw_targets

N_STEPS = 1


TARGETS = TargetsConf(n_events=3, n_positions=4, exclude_seen=False)


def whole_batch() -> Rows:
    """Twelve histories of unequal length, so that halves have unequal numbers of targets."""
    items = pad_left([np.array(history(user)["item_indices"]) for user in range(12)], SMALL.model.max_length)
    return rows(items.tolist())


def step_on_own_part(ranks: Ranks, kind: LossKind, compression: Compression = "none") -> NextItem:
    """Some steps, each rank with its part of the whole batch."""
    model = replace(SMALL.model, dropout=0.0, attention_dropout=0.0)
    launch = replace(SMALL.launch, compression=compression)
    conf = replace(SMALL, model=model, loss=LossConf(kind, n_sampled=16), launch=launch)
    network = build_network(conf, N_ITEMS, np.zeros((2, N_ITEMS + 1), np.float32))
    stepper = Stepper(network, conf, Periods(KNOWN_UNTIL_S, 7 * 86_400, 1), ranks)
    batch = whole_batch()
    targets = draw_targets(batch, TARGETS, np.random.default_rng(11))
    mine = np.array_split(np.arange(len(batch)), ranks.size)[ranks.rank]
    part = targets.take(np.flatnonzero(np.isin(targets.row, mine)))
    part = replace(part, row=part.row - mine[0])
    for number in range(N_STEPS):
        stepper.take([Batch(batch.take(mine), part, len(mine))], np.random.default_rng(number))
    return network


def step_that_overflows_on_one(ranks: Ranks) -> NextItem:
    """A step in float16 whose gradients are too great for it on rank 0 alone."""
    conf = replace(SMALL, precision="float16")
    network = build_network(conf, N_ITEMS, np.zeros((2, N_ITEMS + 1), np.float32))
    stepper = Stepper(network, conf, Periods(KNOWN_UNTIL_S, 7 * 86_400, 1), ranks)
    scale = stepper.variables[-2]
    scale.assign(2.0**100 if ranks.is_first else 4.0)
    batch = whole_batch()
    targets = draw_targets(batch, TARGETS, np.random.default_rng(11))
    stepper.take([Batch(batch, targets, len(batch))], np.random.default_rng(0))
    assert scale.numpy() == (2.0**99 if ranks.is_first else 2.0)
    return network


def train_on_own_part(ranks: Ranks, folder: Path) -> NextItem:
    """A whole training; each rank's share of the rows."""
    manifest = Manifest.read(folder / "manifest.json")
    return Training(manifest, VOCABULARY, ranks).run(lambda numbers: None, lambda checkpoint: None).network


def go_on_with_own_part(ranks: Ranks, folder: Path) -> NextItem:
    """A training that another number of ranks began; the users that this rank learns from are kept in a file."""
    manifest = Manifest.read(folder / "manifest.json")
    training = Training(manifest, VOCABULARY, ranks)
    learned: list[int] = []
    take = training.stepper.take

    def noted(batches: Sequence[Batch], generator: np.random.Generator) -> tuple[float, float]:
        for batch in batches:
            learned.extend(batch.rows.user_key[batch.rows.is_item.any(axis=1)].tolist())
        return take(batches, generator)

    training.stepper.take = noted  # type: ignore[method-assign]  # a look at what it is given
    begun = load_checkpoint(manifest) if ranks.is_first else None
    trained = training.run(lambda numbers: None, lambda checkpoint: None, begun)
    np.save(folder / f"learned-{ranks.rank}-of-{ranks.size}.npy", np.array(learned, np.int64))
    return trained.network


def main() -> None:
    what, folder = sys.argv[1], Path(sys.argv[2])
    ranks = Ranks()
    ranks.use_own_device(1)
    networks = {
        "full": lambda: step_on_own_part(ranks, "full"),
        "sampled": lambda: step_on_own_part(ranks, "sampled"),
        "gbce": lambda: step_on_own_part(ranks, "gbce"),
        "full-fp16": lambda: step_on_own_part(ranks, "full", "fp16"),
        "sampled-fp16": lambda: step_on_own_part(ranks, "sampled", "fp16"),
        "overflow": lambda: step_that_overflows_on_one(ranks),
        "train": lambda: train_on_own_part(ranks, folder),
        "go_on": lambda: go_on_with_own_part(ranks, folder),
    }
    for name in what.split(","):
        weights = [variable.numpy() for variable in networks[name]().trainable_variables]
        np.savez(folder / f"{name}-{ranks.rank}-of-{ranks.size}.npz", *weights)


if __name__ == "__main__":
    main()
