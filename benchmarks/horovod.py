"""Two ranks against one, each on a core of its own: samples a second, where the time goes, and the bytes of a step.

The default model trains by the product's own loop and feed, launched as the product launches. Told is weak scaling:
each rank has a batch of the default size, so that two take half as many steps for the same rows; beside it two
trainings on the two cores that tell each other nothing, which is what the machine itself allows, and strong scaling,
where two ranks share one batch. Rounds of each are taken in turn, each after an epoch that is not measured; told are
medians. Bytes are counted as they are given to Horovod. From costs measured here a model (scaling_model) tells of 8
to 512 GPUs. Where a GPU is at hand: samples a second on it, how busy it is, and what low precision gains.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, median
from typing import get_args

import numpy as np

from benchmarks.form import Result, at_least, main, progress
from benchmarks.gpu import gpu_name, while_busy
from benchmarks.scaling_model import H100_HOSTS, SHARED_CARD, Work, efficiency, fit_link, ring_s, step_s, zipf
from benchmarks.sequence_datasets import Histories, write_manifest
from ulm_spark.sequence.conf import FeedConf, LaunchConf, Precision, TrainingConf
from ulm_spark.sequence.launch import environment
from ulm_spark.sequence.learning_conf import PriorConf

N_ROWS, N_QUICK_ROWS = 8_192, 512
N_ROUNDS, N_EPOCHS, LENGTH, N_ITEMS, N_TABLE_ITEMS = 5, 3, 50, 20_000, 1_000_000
GPUS = (1, 8, 16, 32, 64, 128, 256, 512)
GPU_BATCH, GPU_STEP_S = 1024, 10e-3  # assumed where no GPU is at hand
BODY_BYTES = 4.0 * 60_000  # about those of the default model beside its tables
Found = list[dict[str, float]]
Rows = list[tuple[str, ...]]


def settings(batch_size: int, n_ranks: int) -> TrainingConf:
    """The defaults, but for a fixed number of epochs, and nobody held out."""
    launch = LaunchConf("horovodrun" if n_ranks > 1 else "inline", n_ranks, threads_per_rank=1)
    conf = TrainingConf(launch=launch, batch_size=batch_size, max_epochs=N_EPOCHS, patience=N_EPOCHS)
    return replace(conf, prior=PriorConf(is_used=False), feed=FeedConf(), validation_share=0.0)


def prepare(folder: Path, n_rows: int, n_items: int, conf: TrainingConf) -> Path:
    """Histories of full length, items by Zipf's law, as pinned files; a manifest of them with conf."""
    drawn = np.random.default_rng(1).random((n_rows, LENGTH))
    items = np.minimum(np.exp(drawn * np.log(n_items + 1.0)).astype(np.int64), n_items)
    manifest, _ = write_manifest(Histories("benchmark", tuple(items), (), n_items, excludes_seen=False), conf, folder)
    (folder / "manifest.json").write_text(manifest.to_json(), encoding="utf-8")
    return folder


def run_ranks(what: str, folder: Path, n_ranks: int, conf: TrainingConf, cores: Sequence[str] = ()) -> Found:
    """What each rank found. cores: of processes beside each other that are no ranks of one training; one that may use
    all cores may use a GPU too."""
    program = [sys.executable, "-m", "benchmarks.horovod_rank", what, str(folder)]
    commands = [[*program, core] for core in cores] or [program]
    if n_ranks > 1:
        hosts = f"localhost:{n_ranks}"
        commands = [
            [sys.executable, "-m", "horovod.runner.launch", "--gloo", "-np", str(n_ranks), "-H", hosts, *program]
        ]
    own = environment(conf) | ({} if "all" in cores else {"CUDA_VISIBLE_DEVICES": ""})
    processes = [
        subprocess.Popen(command, env=own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for command in commands
    ]
    for process in processes:
        said, _ = process.communicate()
        if process.returncode:
            raise SystemExit(f"{what} ended with {process.returncode}: {said[-3000:]}")
    files = [folder / f"{what}-{rank}.json" for rank in (cores or range(n_ranks))]
    return [json.loads(file.read_text(encoding="utf-8")) for file in files]


@dataclass(frozen=True)
class Way:
    """One way to train: ranks, the batch of all of them, and cores where they are no ranks of one training."""

    name: str
    n_ranks: int
    batch_size: int
    cores: tuple[str, ...] = ()


BATCH = TrainingConf().batch_size
WAYS = (
    Way("1 rank", 1, BATCH, ("0",)),
    Way("2 ranks", 2, 2 * BATCH),
    Way("2 trainings side by side", 1, BATCH, ("0", "1")),
    Way("2 ranks that share a batch", 2, BATCH),
)


def measure_ways(root: Path, n_rows: int, n_rounds: int) -> dict[str, list[Found]]:
    """What ranks found in each round, by way."""
    folders, confs = {}, {}
    for place, way in enumerate(WAYS):
        confs[way.name] = settings(way.batch_size, way.n_ranks)
        folders[way.name] = prepare(root / f"way-{place}", n_rows, N_ITEMS, confs[way.name])
    found: dict[str, list[Found]] = {way.name: [] for way in WAYS}
    for number in range(n_rounds):
        for way in WAYS:
            one = run_ranks("train", folders[way.name], way.n_ranks, confs[way.name], way.cores)
            found[way.name].append(one)
            speed = _speed(way, one)
            progress(f"round {number}, {way.name}: {speed:,.0f} sequences/s")
    return found


def _speed(way: Way, found: Found) -> float:
    """Sequences a second of all processes; ranks of one training tell that of all."""
    every = [one["rows_per_s"] for one in found]
    return sum(every) if way.n_ranks == 1 else mean(every)


def way_rows(found: dict[str, list[Found]]) -> tuple[Rows, dict[str, float]]:
    """A row for each way: its speed, the median over rounds of its efficiency, and where a step's time goes."""
    rows: Rows = []
    figures: dict[str, float] = {}
    alone = [_speed(WAYS[0], one) for one in found[WAYS[0].name]]
    for way in WAYS:
        speeds = [_speed(way, one) for one in found[way.name]]
        n_processes = max(way.n_ranks, len(way.cores))
        share = median(s / (n_processes * a) for s, a in zip(speeds, alone, strict=True))
        parts = {
            name: median(mean(one[name] for one in ones) for ones in found[way.name])
            for name in ("step_ms", "cpu_ms", "messages_ms", "wait_ms")
        }
        rest = parts["step_ms"] - parts["messages_ms"] - parts["wait_ms"]
        text = f"{parts['step_ms']:.1f} ms: computes {rest:.1f}, messages {parts['messages_ms']:.1f}, "
        text += f"waits for rows {parts['wait_ms']:.1f}; {parts['cpu_ms']:.1f} of a core's time"
        rows.append((way.name, f"{median(speeds):,.0f} sequences/s", f"{share:.3f}", text))
        figures |= {f"{way.name}: efficiency": round(share, 4), f"{way.name}: sequences/s": round(median(speeds), 1)}
        figures |= {f"{way.name}: {name}": round(value, 2) for name, value in parts.items()}
    return rows, figures


def table_rows(root: Path) -> tuple[Rows, dict[str, float]]:
    """Bytes of a step with a table of a million items: rows to their owners, against a sum of the whole table."""
    conf = settings(2 * BATCH, 2)
    found = run_ranks("table", prepare(root / "table", 16 * 2 * BATCH, N_TABLE_ITEMS, conf), 2, conf)
    sent, dense = (mean(one[name] for one in found) for name in ("bytes_a_step", "dense_bytes"))
    rows: Rows = [
        (f"{N_TABLE_ITEMS:,} items, rows to owners", f"{sent / 1e6:.2f} MB a step", "", "counted, a rank's average"),
        (f"{N_TABLE_ITEMS:,} items, whole table summed", f"{dense / 1e6:.2f} MB a step", "", "2 (n - 1) / n by a ring"),
    ]
    fewer = {"bytes_fewer": round(dense / sent, 2), "bytes_of_rows": round(sent), "bytes_of_sum": round(dense)}
    return rows, fewer


def link_rows(root: Path, messages_ms: float, dense_bytes: float) -> tuple[Rows, dict[str, float]]:
    """Alpha and beta of this machine's loopback, and what they say of a step beside what was measured."""
    found = run_ranks("links", root, 2, settings(2 * BATCH, 2))
    sizes = np.array([float(name) for name in found[0]])
    seconds = np.array([mean(one[name] for one in found) for name in found[0]])
    link = fit_link(2, sizes, seconds)
    told = 1e3 * ring_s(2, dense_bytes, link)
    text = f"alpha {1e6 * link.alpha_s:.0f} us, beta {1e9 * link.beta_s:.2f} ns/byte"
    how = f"foretells {told:.1f} ms of messages a step, without waiting for the other; measured {messages_ms:.1f}"
    figures = {
        "alpha_us": round(1e6 * link.alpha_s, 1),
        "beta_ns": round(1e9 * link.beta_s, 4),
        "foretold_ms": round(told, 2),
    }
    return [("this machine's loopback", text, "", how)], figures


def gpu_rows(root: Path, n_rows: int) -> tuple[Rows, dict[str, float]]:
    """One rank on a GPU, in each precision; a line that there is none where there is none."""
    name = gpu_name()
    if not name:
        return [("a GPU", "none at hand", "", "not measured; the same command measures it where there is one")], {}
    rows: Rows = []
    figures: dict[str, float] = {}
    for precision in get_args(Precision):
        conf = replace(settings(GPU_BATCH, 1), precision=precision)
        folder = prepare(root / precision, n_rows, N_ITEMS, conf)
        (found,), busy = while_busy(lambda folder=folder, conf=conf: run_ranks("train", folder, 1, conf, ("all",)))
        speed = found["rows_per_s"]
        figures |= {f"gpu {precision}: sequences/s": speed, f"gpu {precision}: step_ms": found["step_ms"]}
        figures |= {f"gpu {precision}: busy": busy}
        gain = speed / figures["gpu float32: sequences/s"]
        told = f"{found['step_ms']:.1f} ms a step of {GPU_BATCH}, {busy:.0%} busy, {gain:.2f} of float32's speed"
        rows.append((f"{name}, {precision}", f"{speed:,.0f} sequences/s", "", told))
    return rows, figures


def simulated(gpu_step_s: float) -> tuple[Rows, dict[str, float]]:
    """Steps on 1 to 512 GPUs of two clusters: a small vocabulary summed whole; a large one likewise, and by rows."""
    width = TrainingConf().model.dim
    works = {
        f"{N_ITEMS:,} items summed": Work(gpu_step_s, BODY_BYTES + 4.0 * N_ITEMS * (width + 1)),
        f"{N_TABLE_ITEMS:,} summed": Work(gpu_step_s, BODY_BYTES + 4.0 * N_TABLE_ITEMS * (width + 1)),
        f"{N_TABLE_ITEMS:,} by rows": Work(
            gpu_step_s, BODY_BYTES, 4.0 * (width + 1) + 16.0, GPU_BATCH * LENGTH, zipf(N_TABLE_ITEMS)
        ),
    }
    rows: Rows = []
    figures: dict[str, float] = {}
    for cluster in (H100_HOSTS, SHARED_CARD):
        for n_gpus in GPUS:
            steps = [1e3 * step_s(n_gpus, work, cluster) for work in works.values()]
            shares = [efficiency(n_gpus, work, cluster) for work in works.values()]
            names = (f"simulated, {n_gpus} GPUs", " / ".join(f"{step:.1f}" for step in steps) + " ms a step")
            rows.append((*names, " / ".join(f"{share:.2f}" for share in shares), cluster.name))
            for name, share in zip(works, shares, strict=True):
                figures[f"simulated, {cluster.name}: {name}, {n_gpus} GPUs"] = round(share, 4)
    given = f"a step of {1e3 * gpu_step_s:.1f} ms on one GPU, {GPU_BATCH} sequences; no overlap, no slow rank"
    rows.append(("simulated of", " / ".join(works), "", given))
    return rows, figures


def measure(quick: bool) -> Result:
    """Everything, in turn."""
    with tempfile.TemporaryDirectory(prefix="ulm-benchmark-") as folder:
        root = Path(folder)
        found = measure_ways(root, N_QUICK_ROWS if quick else N_ROWS, 1 if quick else N_ROUNDS)
        rows, figures = way_rows(found)
        few, counted = table_rows(root)
        of_two = found["2 ranks"][0]
        linked, link = link_rows(root, figures["2 ranks: messages_ms"], mean(one["bytes_a_step"] for one in of_two))
        on_gpu, speeds = gpu_rows(root, N_QUICK_ROWS * 8 if quick else 8 * N_ROWS)
        likely, shares = simulated(1e-3 * speeds.get("gpu float32: step_ms", 1e3 * GPU_STEP_S))
    return Result(
        "horovod",
        ("what", "value", "efficiency", "of it"),
        tuple([*rows, *few, *linked, *on_gpu, *likely]),
        figures | counted | link | speeds | shares,
        (
            at_least("2 ranks over twice 1 rank, sequences/s", figures["2 ranks: efficiency"], 0.85),
            at_least("bytes of a summed table over those of its rows", counted["bytes_fewer"], 5.0),
        ),
    )


if __name__ == "__main__":
    sys.exit(main(__doc__.splitlines()[0] if __doc__ else "", measure))
