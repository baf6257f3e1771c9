"""Next item on public sequences by their published protocols: ours, plain forms of it, and neighbours.

    python -m benchmarks.sequence_quality [--dataset beauty|ml1m|retailrocket] [--model ours|sasrec|gru|lstm|knn]
                                          [--seeds N] [--epochs N] [--results FOLDER]

Trained by the product's own feed and loop, the settings those of benchmarks/sequence_recipes.py; the epoch is chosen
by validation alone, and the test is looked at once, at the end. Every item is ranked; the papers' protocol says
whether items of the history are left out. Without --dataset and --model all are run, which takes days on two cores:
one that is ended goes on where it was. Results, with settings, seeds and curves, go into one JSON file for each
dataset, model and seed; those of fewer epochs below .ulm. A file of other settings is refused.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from statistics import mean, stdev

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

from benchmarks.form import Goal, Result, at_least, progress, show
from benchmarks.sequence_datasets import DATASETS, Histories, tested_rows, write_manifest
from benchmarks.sequence_recipes import recipe
from benchmarks.session_knn import SessionNeighbours
from ulm_spark.sequence.checkpoint import CheckpointWriter, load_checkpoint
from ulm_spark.sequence.conf import TrainingConf
from ulm_spark.sequence.loop import Training
from ulm_spark.sequence.ranks import Ranks
from ulm_spark.sequence.validation import Measured, Validator
from ulm_spark.stats.ranking import ndcg_at_k, reciprocal_rank_at_k

MODELS = ("ours", "sasrec", "gru", "lstm", "knn")
N_SEEDS = 3
FIRST_SEED = 20_240
CUTS = {"beauty": 10, "ml1m": 10, "retailrocket": 20}
# NDCG@10 and HR@10, and where they were published.
BARS = {"beauty": (0.0531, 0.0928), "ml1m": (0.1857, 0.3159)}
RESULTS = Path(__file__).parent / "results" / "sequence_quality"
SCRATCH = Path(".ulm") / "sequence_quality"
Settings = dict[str, object]


@dataclass(frozen=True)
class Run:
    """One training and its test. curve: loss and validation NDCG@10 of each epoch."""

    dataset: str
    model: str
    seed: int
    found: Measured
    n_epochs: int
    seconds: float
    curve: tuple[tuple[float, float], ...]
    settings: Settings


def train(histories: Histories, model: str, conf: TrainingConf, folder: Path) -> Run:
    """One training in folder, where it goes on if it was ended before; then its test."""
    manifest, vocabulary = write_manifest(histories, conf, folder)
    ranks = Ranks()
    curve_file = folder / "curve.json"
    begun = load_checkpoint(manifest)
    curve = json.loads(curve_file.read_text())[: begun.progress.epoch] if begun else []
    began_s = time.monotonic()

    def report(numbers: dict[str, float]) -> None:
        curve.append((round(numbers["loss"], 5), round(numbers["ndcg"], 5)))
        curve_file.write_text(json.dumps(curve))
        progress(
            f"{histories.name} {model} seed {conf.seed}: epoch {numbers['epoch']:.0f}, loss {numbers['loss']:.4f}, "
            f"validation NDCG@10 {numbers['ndcg']:.4f}, {numbers['rows_per_s']:,.0f} sequences/s"
        )

    training = Training(manifest, vocabulary, ranks)
    trained = training.run(report, CheckpointWriter(manifest, vocabulary).keep, begun)
    tested = tested_rows(histories, conf.model.max_length)
    cut, seen = CUTS[histories.name], histories.excludes_seen
    periods = training.periods.and_next() if histories.n_days else training.periods
    found = Validator(trained.network, tested, periods, ranks, exclude_seen=seen, k=cut).measure()
    seconds = time.monotonic() - began_s
    epochs = int(trained.metrics["n_epochs"])
    return Run(histories.name, model, conf.seed, found, epochs, seconds, tuple(curve), asdict(conf))


def neighbours(histories: Histories) -> Run:
    """V-SkNN, which knows no seed; what it knows are the histories that training sees."""
    began_s = time.monotonic()
    knn, cut = SessionNeighbours(histories.known, histories.n_items), CUTS[histories.name]
    hits = np.zeros((len(histories.tested), cut), bool)
    for row, items in enumerate(histories.tested):
        best = knn.best(items[:-1], cut, exclude_seen=histories.excludes_seen)
        hits[row, : len(best)] = best == items[-1]
    ones = np.ones(len(hits), np.int64)
    found = Measured(
        float(ndcg_at_k(hits, ones, cut).mean()),
        float(hits.any(axis=1).mean()),
        float(reciprocal_rank_at_k(hits, cut).mean()),
        len(hits),
    )
    return Run(histories.name, "knn", 0, found, 0, time.monotonic() - began_s, (), {})


def run_all(dataset: str, model: str, n_seeds: int, n_epochs: int | None, results: Path) -> list[Run]:
    """The model's runs, from their files where they are done."""
    histories = DATASETS[dataset]()
    if model == "knn":
        return [_remembered(results / f"{dataset}-knn.json", {}, lambda: neighbours(histories))]
    asked, scratch = recipe(dataset, model), SCRATCH.resolve()
    if n_epochs:
        results, scratch = scratch, scratch / f"{n_epochs}-epochs"
        asked = replace(asked, max_epochs=n_epochs)
    runs = []
    for seed in range(FIRST_SEED, FIRST_SEED + n_seeds):
        conf, folder = replace(asked, seed=seed), scratch / f"{dataset}-{model}-{seed}"
        make = partial(train, histories, model, conf, folder)
        runs.append(_remembered(results / f"{folder.name}.json", asdict(conf), make))
    return runs


def _remembered(file: Path, settings: Settings, make: Callable[[], Run]) -> Run:
    """The run in a file, made where there is none.

    Errors: ValueError where its settings were others than these; one that was added since may stand at its default.
    """
    if file.exists():
        raw = json.loads(file.read_text(encoding="utf-8"))
        other = _other(_counting(raw["settings"]), _counting(json.loads(json.dumps(settings))))
        if other:
            raise ValueError(f"{file}: found {other} of another value; expected that of the recipe. Remove the file.")
        return Run(**{**raw, "found": Measured(**raw["found"])})
    run = make()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(asdict(run)) + "\n", encoding="utf-8")
    return run


def _counting(settings: Settings) -> Settings:
    """The settings that count: without tasks none of heads does."""
    heads = settings.get("heads")
    is_used = isinstance(heads, dict) and bool(heads["tasks"])
    return {name: value for name, value in settings.items() if name != "heads" or is_used}


def _other(kept: Settings, asked: Settings) -> str:
    """The first setting of kept that is another one in asked, empty without one."""
    for name, value in kept.items():
        if isinstance(value, dict):
            part = asked.get(name)
            inner = _other(value, part) if isinstance(part, dict) else "all"
            if inner:
                return f"{name}.{inner}"
        elif name not in asked or asked[name] != value:
            return name
    return ""


def summarise(found: Sequence[list[Run]]) -> Result:
    """A row for each data set and model; the bars are of the best published, which ours is held against."""
    rows: list[tuple[str, ...]] = []
    figures: dict[str, float] = {}
    goals: list[Goal] = []
    for runs in found:
        name = f"{runs[0].dataset}, {runs[0].model}"
        cut = CUTS[runs[0].dataset]
        measured = {metric: [getattr(run.found, metric) for run in runs] for metric in ("ndcg", "hit_rate", "mrr")}
        rows.append((name, f"@{cut}", *(_spread(values) for values in measured.values()), str(len(runs))))
        figures |= {f"{name}: {metric}@{cut}": round(mean(values), 5) for metric, values in measured.items()}
        if runs[0].model == "ours" and runs[0].dataset in BARS:
            goals += [
                _beats(f"{name}: {metric}@{cut}, mean less 2 standard errors", measured[metric], bar)
                for metric, bar in zip(("ndcg", "hit_rate"), BARS[runs[0].dataset], strict=True)
            ]
    return Result(
        "sequence_quality", ("data set, model", "cut", "NDCG", "HR", "MRR", "seeds"), tuple(rows), figures, tuple(goals)
    )


def _spread(values: list[float]) -> str:
    return f"{mean(values):.4f}" + (f" ± {stdev(values):.4f}" if len(values) > 1 else "")


def _beats(name: str, values: list[float], bar: float) -> Goal:
    error = stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return at_least(name, mean(values) - 2 * error, bar)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", choices=tuple(DATASETS))
    parser.add_argument("--model", choices=MODELS)
    parser.add_argument("--seeds", type=int, default=N_SEEDS)
    parser.add_argument("--epochs", type=int, help="fewer than the recipe's, to see that it works")
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args(argv)
    tf.config.experimental.enable_op_determinism()
    datasets = [given.dataset] if given.dataset else list(DATASETS)
    models = [given.model] if given.model else list(MODELS)
    found = [run_all(data, model, given.seeds, given.epochs, given.results) for data in datasets for model in models]
    return show(summarise(found))


if __name__ == "__main__":
    sys.exit(main())
