"""What each rank of benchmarks.horovod runs: ``python -m benchmarks.horovod_rank WHAT FOLDER [CORE]``.

WHAT: train, the training that FOLDER's manifest tells of; table, some steps with a table of its many items; links, sums
of arrays of many sizes. CORE: number of the core, among those that this process may use, that it keeps to, or all;
without it the rank's own on its host. What was found is left in FOLDER as WHAT-RANK.json.
"""

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, median

import horovod.tensorflow as hvd
import numpy as np
import tensorflow as tf

from ulm_spark.sequence.batches import cut, examples_of
from ulm_spark.sequence.conf import Compression
from ulm_spark.sequence.feed import Feed
from ulm_spark.sequence.loop import Training
from ulm_spark.sequence.models.network import build_network
from ulm_spark.sequence.plan import list_files, pools_of
from ulm_spark.sequence.prior import Periods, no_prior
from ulm_spark.sequence.ranks import Gradient, Ranks
from ulm_spark.sequence.rows import DAY_S
from ulm_spark.sequence.snapshot import Manifest
from ulm_spark.sequence.step import Stepper

N_TABLE_STEPS, N_ROUNDS = 6, 15
SIZES = tuple(2**power for power in range(10, 25, 2))  # bytes
Found = dict[str, float]


class MeasuredRanks(Ranks):
    """Ranks that look at the clock before and after the gradients of a step are summed, and count what they send.

    n_bytes: what leaves this rank, in the order of the rings: 2 (n - 1) / n of a sum, the parts of others of an
    exchange, n - 1 times its own part of a gathering.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seconds = tf.Variable(0.0, dtype=tf.float64)
        self.n_calls = tf.Variable(0, dtype=tf.int64)
        self.n_bytes = tf.Variable(0.0, dtype=tf.float64)
        self._allreduce, self._alltoall, self._allgather = hvd.grouped_allreduce, hvd.alltoall, hvd.allgather
        hvd.grouped_allreduce, hvd.alltoall, hvd.allgather = self._summed, self._exchanged, self._gathered

    def add_gradients(
        self,
        gradients: Sequence[Gradient],
        others: Sequence[tf.Tensor],
        compression: Compression = "none",
        unit: float = 1.0,
    ) -> list[Gradient]:
        """As Ranks', between two looks at the clock."""
        with tf.control_dependencies([*gradients, *others]):
            began_s = _now()
        with tf.control_dependencies([began_s]):
            totals = super().add_gradients(gradients, others, compression, unit)
        with tf.control_dependencies(totals):
            self.seconds.assign_add(_now() - began_s)
        self.n_calls.assign_add(1)
        return totals

    def _count(self, n_values: tf.Tensor, kind: tf.DType, times: float) -> None:
        self.n_bytes.assign_add(tf.cast(n_values, tf.float64) * (kind.size * times))

    def _summed(self, tensors: Sequence[tf.Tensor], op: object) -> list[tf.Tensor]:
        for tensor in tensors:
            self._count(tf.size(tensor), tensor.dtype, 2 * (self.size - 1) / self.size)
        return list(self._allreduce(tensors, op=op))

    def _exchanged(self, rows: tf.Tensor, n_for: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        n_rows = tf.shape(rows)[0]
        width = tf.size(rows) // tf.maximum(n_rows, 1)
        self._count((n_rows - tf.cast(n_for[self.rank], tf.int32)) * width, rows.dtype, 1.0)
        received, n_from = self._alltoall(rows, n_for)
        return received, n_from

    def _gathered(self, rows: tf.Tensor) -> tf.Tensor:
        self._count(tf.size(rows), rows.dtype, self.size - 1)
        return self._allgather(rows)


def _now() -> tf.Tensor:
    """Seconds, inside a step; TensorFlow's own clock is barred where training is to be repeatable."""
    return tf.numpy_function(time.perf_counter, [], tf.float64)


def train(folder: Path) -> Found:
    """Epochs of the product's own loop, the first of which, that makes the graph, is not told."""
    manifest = Manifest.read(folder / "manifest.json")
    ranks = MeasuredRanks()
    told: list[Found] = []
    used_s = [time.process_time()]

    def report(numbers: Found) -> None:
        counted = {"messages_s": ranks.seconds, "n_steps": ranks.n_calls, "n_bytes": ranks.n_bytes}
        used_s.append(time.process_time())
        numbers = numbers | {"cpu_s": used_s[-1] - used_s[-2]}
        told.append(numbers | {name: float(variable.numpy()) for name, variable in counted.items()})
        for variable in counted.values():
            variable.assign(tf.zeros_like(variable))

    Training(manifest, (), ranks).run(report, lambda checkpoint: None)
    last = told[1:]
    seconds = [manifest.snapshot.n_rows / epoch["rows_per_s"] for epoch in last]
    return {
        "rows_per_s": median(epoch["rows_per_s"] for epoch in last),
        "step_ms": 1e3 * mean(s / epoch["n_steps"] for s, epoch in zip(seconds, last, strict=True)),
        "cpu_ms": 1e3 * mean(epoch["cpu_s"] / epoch["n_steps"] for epoch in last),
        "messages_ms": 1e3 * mean(epoch["messages_s"] / epoch["n_steps"] for epoch in last),
        "wait_ms": 1e3
        * mean(s * epoch["wait_share"] / epoch["n_steps"] for s, epoch in zip(seconds, last, strict=True)),
        "bytes_a_step": mean(epoch["n_bytes"] / epoch["n_steps"] for epoch in last),
    }


def table(folder: Path) -> Found:
    """Steps with a table of many items: bytes that left this rank, and those of a sum of all of its weights."""
    manifest = Manifest.read(folder / "manifest.json")
    conf, snapshot = manifest.conf, manifest.snapshot
    ranks = MeasuredRanks()
    network = build_network(conf, snapshot.n_items, no_prior(snapshot.n_items))
    stepper = Stepper(network, conf, Periods(snapshot.known_until_s, DAY_S, 1), ranks)
    (pool,) = pools_of(list_files(snapshot.files), conf.seed, snapshot.n_rows)
    rows = Feed(conf.feed, conf.model.max_length, ranks.rank, ranks.size).read(pool)
    n_rows = conf.batch_size // ranks.size
    rows = rows.take(np.arange(N_TABLE_STEPS * n_rows))
    asked = np.zeros(len(rows), bool)
    seconds = []
    for batch in cut(
        rows, examples_of(rows, conf), asked, N_TABLE_STEPS, conf, snapshot.known_until_s, (conf.seed,), ranks.rank
    ):
        began_s = time.monotonic()
        stepper.take([batch], np.random.default_rng(len(seconds)))
        seconds.append(time.monotonic() - began_s)
    n_weights = sum(int(np.prod(weight.shape)) for weight in network.trainable_variables)
    return {
        "step_ms": 1e3 * median(seconds[1:]),
        "messages_ms": 1e3 * float(ranks.seconds.numpy()) / N_TABLE_STEPS,
        "bytes_a_step": float(ranks.n_bytes.numpy()) / N_TABLE_STEPS,
        "dense_bytes": 4.0 * n_weights * 2 * (ranks.size - 1) / ranks.size,
    }


def links(folder: Path) -> Found:
    """Seconds of a sum by its bytes, the median of some."""
    found = {}
    for n_bytes in SIZES:
        values, seconds = tf.zeros(n_bytes // 4), []
        for _ in range(N_ROUNDS):
            began_s = time.monotonic()
            hvd.allreduce(values, op=hvd.Sum, name=f"of_{n_bytes}")
            seconds.append(time.monotonic() - began_s)
        found[str(n_bytes)] = median(seconds)
    return found


def keep_to_core(place: int) -> None:
    """This process, and all that it starts, on one core of those that it may use."""
    cores = sorted(os.sched_getaffinity(0))
    for thread in Path("/proc/self/task").iterdir():
        os.sched_setaffinity(int(thread.name), {cores[place % len(cores)]})


def main() -> None:
    what, folder = sys.argv[1], Path(sys.argv[2])
    core = sys.argv[3] if len(sys.argv) > 3 else os.environ.get("HOROVOD_LOCAL_RANK", "0")
    if core != "all":
        keep_to_core(int(core))
    ranks = Ranks()
    ranks.use_own_device(1)
    tf.config.experimental.enable_op_determinism()  # as the product trains
    found = {"train": train, "table": table, "links": links}[what](folder)
    (folder / f"{what}-{ranks.rank if ranks.size > 1 else core}.json").write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
