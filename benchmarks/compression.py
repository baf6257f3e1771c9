"""How small can a model of behaviour be, what does it lose, and how fast does it score 100,000 items?

    python -m benchmarks.compression [--quick]

Trains on Beauty by its published protocol, with a vector for each item; then stores the weights in every form there
is, and measures each on the test, where all items are ranked. Item vectors in other kinds come in three ways: from the
trained vectors alone; from those and the trained network as the beginning of a training of all together; and trained
from nothing. Trainings are kept in .ulm/compression, and one that was ended goes on there.

Sizes are those of the parts as stored, the file is deflated besides; of a graph, those of the file. Latency is that of
one user on one core, from a history to the ten best items, in a network of the same shape with 100,000 items.
"""

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # a user is scored on one core

import numpy as np

from benchmarks.compression_latency import Latency, graph_ndcg, latencies
from benchmarks.form import Goal, Result, at_least, main, none_of, progress
from benchmarks.sequence_datasets import DATASETS, LAST_AT, Histories, tested_rows, write_manifest
from benchmarks.sequence_recipes import recipe
from ulm_spark.sequence.checkpoint import CheckpointWriter, load_checkpoint
from ulm_spark.sequence.codes import codes_of_vectors, zipf_weights
from ulm_spark.sequence.compact import Compact, Weights, compact, expand, n_bytes, save_compact
from ulm_spark.sequence.compact_onnx import store_halved, store_int8
from ulm_spark.sequence.conf import LaunchConf, TrainingConf
from ulm_spark.sequence.export import export_model
from ulm_spark.sequence.items_conf import ItemsConf
from ulm_spark.sequence.launch import ONNX, VOCABULARY, WEIGHTS
from ulm_spark.sequence.loop import Training
from ulm_spark.sequence.models.network import NextItem, build_network
from ulm_spark.sequence.prior import Periods, no_prior
from ulm_spark.sequence.ranks import Ranks
from ulm_spark.sequence.rows import DAY_S
from ulm_spark.sequence.validation import Validator

N_QUICK_USERS, N_QUICK_ITEMS, N_LATENCY_ITEMS, N_LATENCY_USERS = 400, 2_000, 100_000, 500
PERIODS = Periods(int(LAST_AT.timestamp()) + DAY_S, 7 * DAY_S, 1)
ITEMS = "events/items/"
OWN = ItemsConf()
# 16 codes of 7 bits, and centroids in float16: 16.7 bytes an item of Beauty, all told.
CODED = ItemsConf("jpq", n_splits=16, n_centroids=128, codes="random")
FACTORS = ItemsConf("factorised", rank=60, bits=2)
BASE = replace(recipe("beauty", "ours"), launch=LaunchConf("inline", threads_per_rank=1), seed=20_240)
TUNING_EPOCHS = 8


@dataclass(frozen=True)
class Method:
    """A kind of item vectors to train. is_tuned: it begins with the network that was trained with vectors. dropout:
    less of it where vectors of few bits are as rough already."""

    name: str
    items: ItemsConf
    is_tuned: bool
    dropout: float = 0.5


METHODS = (
    Method("codes of the vectors, then tuned", CODED, is_tuned=True, dropout=0.2),
    Method("learned codes, tuned", replace(CODED, codes="learned"), is_tuned=True, dropout=0.2),
    Method("60 factors of 2 bits", FACTORS, is_tuned=False, dropout=0.3),
    Method("codes by who bought what", replace(CODED, codes="svd"), is_tuned=False),
    Method("hashed, 500 buckets", ItemsConf("hashed", n_buckets=500), is_tuned=False),
)


@dataclass(frozen=True)
class Found:
    """Of one method: bytes of what item vectors are made of, of all weights as a file, and the test's NDCG@10."""

    name: str
    item_bytes: int
    file_bytes: int
    ndcg: float


class Bench:
    """What all methods share: the data, the settings, and the folder of trainings."""

    def __init__(self, histories: Histories, conf: TrainingConf, folder: Path) -> None:
        self.histories, self.conf, self.folder = histories, conf, folder
        self.tested = tested_rows(histories, conf.model.max_length)

    def trained(self, name: str, conf: TrainingConf, begin_from: str = "") -> Path:
        """The folder of the exported network, trained now unless it was."""
        folder = self.folder / name.replace(" ", "-").replace(",", "")
        manifest, vocabulary = write_manifest(self.histories, conf, folder)
        training = Training(replace(manifest, begin_from=begin_from), vocabulary, Ranks())

        def report(numbers: dict[str, float]) -> None:
            progress(f"{name}: epoch {numbers['epoch']:.0f}, validation NDCG@10 {numbers['ndcg']:.4f}")

        done = training.run(report, CheckpointWriter(manifest, vocabulary).keep, load_checkpoint(manifest))
        model = folder / "model"
        model.mkdir(exist_ok=True)
        export_model(done.network, done.metrics, model)
        (model / VOCABULARY).write_text(json.dumps(vocabulary), encoding="utf-8")
        return model

    def found(self, name: str, conf: TrainingConf, stored: Compact) -> Found:
        """The size of stored weights, and what they find."""
        network = served(conf, self.histories.n_items, expand(stored))
        validator = Validator(network, self.tested, PERIODS, Ranks(), exclude_seen=self.histories.excludes_seen)
        items = {path: parts for path, parts in stored.items() if path.startswith(ITEMS)}
        with tempfile.TemporaryDirectory() as folder:
            size = save_compact(stored, Path(folder) / WEIGHTS)
        return Found(name, n_bytes(items), size, validator.measure().ndcg)


def served(conf: TrainingConf, n_items: int, weights: Weights) -> NextItem:
    """The network of exported weights; where codes were learned or factors rounded it has them now."""
    network = build_network(with_items(conf, conf.model.items.served), n_items, no_prior(n_items))
    for weight in network.weights:
        weight.assign(weights[weight.path])
    return network


def loaded(model: Path) -> dict[str, np.ndarray]:
    """The exported weights."""
    with np.load(model / WEIGHTS) as stored:
        return {name: stored[name] for name in stored.files}


def stored_forms(bench: Bench, weights: Weights) -> Iterator[Found]:
    """The trained network with a vector for each item, in every form it can be stored in."""
    as_is = {name: {"as_is": value} for name, value in weights.items()}
    yield bench.found("a vector for each item, float32", bench.conf, as_is)
    yield bench.found("float16", bench.conf, compact(weights, "float16"))
    for form in ("int8", "int4"):
        yield bench.found(f"{form}, a step for each row", bench.conf, compact(weights, form))
    for share in (0.5, 0.8):
        yield bench.found(f"{share:.0%} pruned, float16", bench.conf, compact(weights, "pruned", share))
    table = f"{ITEMS}items"
    vectors = weights[table][1:]
    counted = zipf_weights(len(vectors))
    codes, centroids = codes_of_vectors(vectors, counted, CODED.n_splits, CODED.n_centroids, np.random.default_rng(1))
    coded = {name: value for name, value in weights.items() if name != table}
    coded |= {f"{ITEMS}codes": np.insert(codes, 0, 0, axis=0), f"{ITEMS}centroids": centroids}
    yield bench.found("codes of the vectors", with_items(bench.conf, CODED), compact(coded, "float16"))


def graphs(bench: Bench, model: Path) -> Iterator[Found]:
    """The exported graph as it is, halved, and in bytes, scored by ONNX Runtime."""
    with tempfile.TemporaryDirectory() as folder:
        for name, store in (("float16", store_halved), ("int8, products too", store_int8)):
            path = Path(folder) / ONNX
            store(model / ONNX, path)
            size = path.stat().st_size
            yield Found(f"graph, {name}", 0, size, graph_ndcg(path, bench.tested))


def with_items(conf: TrainingConf, items: ItemsConf) -> TrainingConf:
    """The settings with another kind of item vectors."""
    return replace(conf, model=replace(conf.model, items=items))


def trained_kinds(bench: Bench, base: Path) -> Iterator[Found]:
    """Each other kind of item vectors, trained."""
    for method in METHODS:
        conf = with_items(bench.conf, method.items)
        noise = {"dropout": method.dropout, "attention_dropout": method.dropout}
        conf = replace(conf, model=replace(conf.model, **noise))
        conf = replace(conf, max_epochs=min(conf.max_epochs, TUNING_EPOCHS)) if method.is_tuned else conf
        model = bench.trained(method.name, conf, str(base) if method.is_tuned else "")
        yield bench.found(method.name, conf, compact(loaded(model), "float16"))


def measure(quick: bool) -> Result:
    """Trains what is not trained yet, stores, scores."""
    histories, conf = DATASETS["beauty"](), BASE
    if quick:
        histories, conf = few(histories), replace(BASE, max_epochs=1)
    folder = (Path(".ulm") / ("compression_quick" if quick else "compression")).resolve()
    bench = Bench(histories, conf, folder)
    base = bench.trained("a vector for each item", conf)
    found = []
    for one in chain(stored_forms(bench, loaded(base)), graphs(bench, base), trained_kinds(bench, base)):
        progress(f"{one.name}: {one.item_bytes:,} bytes of items, NDCG@10 {one.ndcg:.4f}")
        found.append(one)
    confs = {"vectors": conf, "codes": with_items(conf, CODED), "factors": with_items(conf, FACTORS)}
    n_users = 20 if quick else N_LATENCY_USERS
    with tempfile.TemporaryDirectory() as scratch:
        took = latencies(confs, N_LATENCY_ITEMS, n_users, Path(scratch))
    return summarise(found, took)


def few(histories: Histories) -> Histories:
    """The commonest items of some users."""
    kept = [items[items <= N_QUICK_ITEMS] for items in histories.tested]
    kept = [items for items in kept if len(items) > 3][:N_QUICK_USERS]
    known = tuple(items[:-1] for items in kept)
    return replace(histories, name="beauty_quick", known=known, tested=tuple(kept), n_items=N_QUICK_ITEMS)


def summarise(found: list[Found], took: list[Latency]) -> Result:
    """A row for each method and each way to score; the bar is met by the smallest of those that lose 1 % at most."""
    whole = found[0]
    rows, figures = [], {}
    for one in found:
        loss, ratio = 100.0 * (1.0 - one.ndcg / whole.ndcg), whole.item_bytes / max(one.item_bytes, 1)
        items = (f"{one.item_bytes / 1e6:.3f}", f"{ratio:.1f}x") if one.item_bytes else ("", "")
        rows.append((one.name, *items, f"{one.file_bytes / 1e6:.3f}", f"{one.ndcg:.4f}", f"{loss:+.1f} %", ""))
        figures |= {f"{one.name}: ndcg@10": round(one.ndcg, 5), f"{one.name}: file_bytes": one.file_bytes}
        figures |= {f"{one.name}: item_bytes": one.item_bytes}
    for one in took:
        rows.append((f"100,000 items: {one.name}", "", "", "", "", "", f"{one.p50_ms:.2f} / {one.p99_ms:.2f}"))
        figures |= {f"{one.name}: p50_ms": round(one.p50_ms, 3), f"{one.name}: p99_ms": round(one.p99_ms, 3)}
    header = ("method", "items MB", "smaller", "file MB", "NDCG@10", "loss", "p50 / p99 ms a user")
    return Result("compression", header, tuple(rows), figures, tuple(_goals(found, took)))


def _goals(found: list[Found], took: list[Latency]) -> Iterator[Goal]:
    whole = found[0]
    kept = [one for one in found if one.item_bytes and one.ndcg >= 0.99 * whole.ndcg]
    best = max(whole.item_bytes / one.item_bytes for one in kept)
    yield at_least("times smaller item vectors at no more than 1 % NDCG@10 loss", best, 30.0)
    yield none_of(
        "lists of ten that are not those of all scores in double precision", sum(one.n_wrong or 0 for one in took)
    )


if __name__ == "__main__":
    sys.exit(main(__doc__ or "", measure))
