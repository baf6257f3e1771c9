"""The networks of benchmarks.shared_trunk: trained by the product's own loop, asked about the judged day."""

import json
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from benchmarks.form import progress
from benchmarks.trunk_examples import Asked, Shop, ask_day, ask_visits, next_item_rows, write_manifest
from benchmarks.trunk_judges import Run, Said
from ulm_spark.sequence.conf import TrainingConf
from ulm_spark.sequence.export import export_model
from ulm_spark.sequence.head_losses import expected_value, losses_of
from ulm_spark.sequence.launch import VOCABULARY
from ulm_spark.sequence.loop import Trained, Training
from ulm_spark.sequence.models.adapters import n_trainable
from ulm_spark.sequence.models.network import NextItem
from ulm_spark.sequence.ranks import Ranks
from ulm_spark.sequence.task_validation import ANSWERS
from ulm_spark.sequence.validation import Validator

_BATCH = 256
_AT_DAYS_END = ("churn", "value", "gap")  # the others are asked about at an event


def train(shop: Shop, conf: TrainingConf, folder: Path, begin_from: str = "", *, is_kept: bool = False) -> Run:
    """One training of a network and what it says of the judged day. is_kept: exports it into folder/model."""
    manifest, vocabulary = write_manifest(shop, conf, folder, begin_from)
    ranks = Ranks()

    def report(numbers: dict[str, float]) -> None:
        losses = ", ".join(f"{name} {value:.4f}" for name, value in numbers.items() if name.endswith("loss"))
        progress(f"{folder.name}: epoch {numbers['epoch']:.0f}, NDCG {numbers['ndcg']:.4f}, {losses}")

    began_s = time.monotonic()
    training = Training(manifest, vocabulary, ranks)
    trained = training.run(report, lambda checkpoint: None)
    seconds = time.monotonic() - began_s
    said: Said = {}
    if conf.heads.tasks:
        said = _head_answers(trained.network, shop)
    if conf.heads.next_item:
        seen = conf.targets.exclude_seen
        ranking = Validator(trained.network, next_item_rows(shop), training.periods, ranks, exclude_seen=seen)
        said["next_item"] = ranking.measure_users()[:, 0]
    if is_kept:
        _keep(trained, manifest.output_dir, vocabulary)
    return Run(said, seconds, n_trainable(trained.network), int(trained.metrics["n_epochs"]))


def _head_answers(network: NextItem, shop: Shop) -> Said:
    of_day = answers_of(network, ask_day(shop, shop.judged_on))
    of_visits = answers_of(network, ask_visits(shop, shop.judged_on))
    return {task: of_day[task] if task in _AT_DAYS_END else of_visits[task] for task in of_day}


def answers_of(network: NextItem, asked: Asked) -> Said:
    """As Run.said, of all tasks that the network has."""
    parts: list[dict[str, tf.Tensor]] = []
    answer = tf.function(lambda *given: _answer(network, *given), reduce_retracing=True)
    for start in range(0, len(asked.user), _BATCH):
        rows = asked.rows.take(np.arange(start, min(start + _BATCH, len(asked.user)))).trimmed()
        chosen = slice(start, start + _BATCH)
        known = {name: tf.convert_to_tensor(getattr(asked.queries, name)[chosen]) for name in ANSWERS}
        parts.append(
            answer(
                rows.items, rows.codes, rows.gaps(), asked.queries.elapsed_s[chosen], asked.queries.facts[chosen], known
            )
        )
    return {task: np.concatenate([part[task].numpy() for part in parts]).astype(np.float64) for task in parts[0]}


def _answer(
    network: NextItem,
    items: tf.Tensor,
    codes: tf.Tensor,
    gaps: tf.Tensor,
    elapsed_s: tf.Tensor,
    facts: tf.Tensor,
    known: Mapping[str, tf.Tensor],
) -> dict[str, tf.Tensor]:
    said = network.heads(network(items, codes, gaps)[:, -1], elapsed_s, facts)
    found = {task: scores[:, 0] for task, scores in said.items() if task in ("churn", "conversion")}
    if "value" in said:
        found["value"] = expected_value(said["value"])
    likely = {task: scores for task, scores in said.items() if task in ("action", "gap")}
    for task, (loss, weight) in losses_of(likely, known).items():
        found[task] = tf.where(weight > 0, -loss, np.nan)
    return found


def _keep(trained: Trained, output_dir: str, vocabulary: tuple[str, ...]) -> None:
    folder = Path(output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / VOCABULARY).write_text(json.dumps(vocabulary), encoding="utf-8")
    export_model(trained.network, trained.metrics, folder)
