"""Networks of ten million items of each compact kind: built, and one step taken; prints what it took as JSON."""

import gc
import json
import resource
from dataclasses import replace

import numpy as np

from tests.sequence.histories import SMALL, rows
from tests.sequence.test_items import COMPACT, MANY, PERIODS
from ulm_spark.sequence.batches import Batch
from ulm_spark.sequence.items_conf import ItemsConf, ItemsKind
from ulm_spark.sequence.learning_conf import LossConf, TargetsConf
from ulm_spark.sequence.model_conf import ModelConf
from ulm_spark.sequence.models.network import build_network
from ulm_spark.sequence.prior import no_prior
from ulm_spark.sequence.ranks import Ranks
from ulm_spark.sequence.step import Stepper
from ulm_spark.sequence.targets import draw_targets

HISTORIES = rows([[1, 20, 300, 4_000, 50_000, 600_000], [7_000_000, 8_000_000, 9_000_000, MANY, 5, 6]])


def step(kind: ItemsKind) -> tuple[float, int]:
    """Gigabytes of weights, and rows by item that one step changed."""
    items = ItemsConf(kind, rank=4, n_buckets=100_000, n_hashes=2, codes="random")
    conf = replace(SMALL, model=ModelConf(dim=64, max_length=6, items=items), loss=LossConf("sampled", n_sampled=500))
    network = build_network(conf, MANY, no_prior(MANY))
    targets = draw_targets(HISTORIES, TargetsConf(n_events=1, n_positions=0), np.random.default_rng(0))
    Stepper(network, conf, PERIODS, Ranks()).take([Batch(HISTORIES, targets, 2)], np.random.default_rng(1))
    n_changed = int(np.count_nonzero(network.bias.numpy()))  # which began at zero
    return sum(weight.numpy().nbytes for weight in network.weights) / 1e9, n_changed


def main() -> None:
    weights_gb, rows_changed = {}, {}
    for kind in COMPACT:
        weights_gb[kind], rows_changed[kind] = step(kind)
        gc.collect()
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps({"weights_gb": weights_gb, "rows_changed": rows_changed, "peak_gb": peak_gb}))


if __name__ == "__main__":
    main()
