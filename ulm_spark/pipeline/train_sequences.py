"""A pinned snapshot of silver.sequences to a trained model: lake on one side, sequence on the other."""

import json
import shutil
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from ulm_spark.config.clock import end_of
from ulm_spark.config.errors import DataQualityError, TrainingError
from ulm_spark.contracts.ops import SEQUENCE_MODELS
from ulm_spark.contracts.sequences import CATEGORY_VOCABULARY, ITEM_VOCABULARY, SEQUENCES
from ulm_spark.lake.fingerprint import code_version
from ulm_spark.lake.run import Run
from ulm_spark.lake.scratch import own_scratch
from ulm_spark.pipeline.spark_launch import launch_on_spark
from ulm_spark.sequence.conf import TrainingConf
from ulm_spark.sequence.launch import MANIFEST, METRICS, VOCABULARY, launch
from ulm_spark.sequence.model_conf import Attribute
from ulm_spark.sequence.snapshot import ItemAttribute, Manifest, Snapshot, split_rule, training_key, vocabulary_checksum


def train_on_day(ledger: Run, conf: TrainingConf, zone: str) -> None:
    """Trains on the run's day and writes the row of ops.sequence_models, none where the day has no sequence.

    Errors: DataQualityError where its sequences are written in another vocabulary than is there.
    """
    vocabulary = day_vocabulary(ledger.read(ITEM_VOCABULARY), ledger.as_of)
    snapshot = pin_snapshot(ledger, vocabulary, conf, zone)
    ledger.count_in(snapshot.n_rows)
    if snapshot.n_rows == 0:
        ledger.progress(f"no sequence as of {ledger.as_of}: nothing to train on")
        return ledger.replace(ledger.frame_of(SEQUENCE_MODELS, []), SEQUENCE_MODELS)
    ledger.progress(
        f"{conf.model.architecture} on {snapshot.n_rows} sequences, {snapshot.n_items} items; "
        f"ranks: {conf.ranks}, {conf.launch.launcher}"
    )
    if not vocabulary:
        raise TrainingError(
            f"{ITEM_VOCABULARY.name}: found no item of {ledger.as_of}; expected those that its sequences name. "
            "Run build_sequences again."
        )
    folder = ledger.new_model_dir("sequence")
    # Other code may have other weights by the same names: it begins anew.
    checkpoints = f"_checkpoints/sequence/{training_key(snapshot, conf)}-{code_version()}"
    local = ledger.lake.files.local(checkpoints) or own_scratch(checkpoints)
    tables = (ledger.read(ITEM_VOCABULARY), ledger.read(CATEGORY_VOCABULARY))
    attributes = day_attributes(*tables, ledger.as_of, conf.model.attributes)
    earlier = _earlier_model(ledger, conf)
    begin_from = str(ledger.model_dir(earlier).local) if earlier else ""
    manifest = Manifest(snapshot, conf, str(folder.local), str(local), begin_from, attributes, earlier)
    metrics = train_in(folder.local, manifest, vocabulary, ledger)
    ledger.publish(folder)
    settings = json.dumps(json.loads(manifest.to_json())["conf"])
    row = (ledger.as_of, ledger.run_id, folder.relative, snapshot.n_rows, settings, snapshot.to_json(), metrics)
    ledger.replace(ledger.frame_of(SEQUENCE_MODELS, [row]), SEQUENCE_MODELS)
    shutil.rmtree(local, ignore_errors=True)  # registered; a killed run leaves it to be found again


def _earlier_model(ledger: Run, conf: TrainingConf) -> str:
    """The path of the model that a training begins with, as ops.sequence_models stores it; empty for none."""
    if not (conf.continues or conf.adapter.rank):
        return ""
    path = conf.adapter.model or _latest_path(ledger)
    if path:
        return path
    if conf.adapter.rank:
        raise TrainingError(
            f"training.adapter: found no model of a day before {ledger.as_of}; expected one to tune. Run "
            "train_sequence for an earlier day, name a model in training.adapter.model, or set its rank to 0."
        )
    ledger.progress("no earlier model to continue: it begins anew")
    return ""


def _latest_path(ledger: Run) -> str:
    """Of the latest model of an earlier day, empty without one."""
    earlier = ledger.read(SEQUENCE_MODELS).where(F.col("as_of") < F.lit(ledger.as_of))
    latest = earlier.orderBy(F.desc("as_of")).select("path").first()
    return "" if latest is None else str(latest["path"])


def train_in(folder: Path, manifest: Manifest, vocabulary: list[str], ledger: Run) -> dict[str, float]:
    """Writes manifest and vocabulary into folder, trains, and reads what training measured."""
    (folder / VOCABULARY).write_text(json.dumps(vocabulary), encoding="utf-8")
    (folder / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
    if manifest.conf.launch.launcher == "spark":
        launch_on_spark(manifest, vocabulary, ledger.progress)
    else:
        launch(folder / MANIFEST, manifest.conf, ledger.progress)
    try:
        measured = json.loads((folder / METRICS).read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainingError(
            f"training: found no {METRICS} in {folder}; expected rank 0 to leave it there. With launcher horovodrun "
            "and hosts, rank 0 must see the lake's folder: list this machine first."
        ) from error
    return {str(name): float(value) for name, value in measured.items()}


def pin_snapshot(ledger: Run, vocabulary: list[str], conf: TrainingConf, zone: str) -> Snapshot:
    """The day's rows of the version of silver.sequences that the run pinned. Errors: as train_on_day."""
    as_of = ledger.as_of
    day = ledger.read(SEQUENCES).where(F.col("as_of") == F.lit(as_of))
    return Snapshot(
        as_of=as_of.isoformat(),
        known_until_s=int(end_of(as_of, zone).timestamp()),
        table=SEQUENCES.name,
        version=ledger.version(SEQUENCES),
        vocabulary_table_version=ledger.version(ITEM_VOCABULARY),
        vocabulary_version=_one_version(day_versions(ledger), as_of),
        files=tuple(ledger.active_files(SEQUENCES, as_of)),
        n_rows=day.count(),
        n_items=len(vocabulary),
        vocabulary_checksum=vocabulary_checksum(vocabulary),
        split_rule=split_rule(conf),
    )


def day_versions(ledger: Run) -> list[str]:
    """Each vocabulary_version in which the day's items and sequences are written, sorted."""
    written = [
        ledger.read(table).where(F.col("as_of") == F.lit(ledger.as_of)).select("vocabulary_version")
        for table in (ITEM_VOCABULARY, SEQUENCES)
    ]
    return sorted(str(row[0]) for row in written[0].unionByName(written[1]).distinct().collect())


def _one_version(versions: list[str], as_of: date) -> str:
    """The version, empty where the day has no row."""
    if len(versions) > 1:
        raise DataQualityError(
            f"{SEQUENCES.name}: found the sequences and items of {as_of} in {len(versions)} vocabulary versions "
            f"({', '.join(versions)}); expected one. Run build_sequences again."
        )
    return versions[0] if versions else ""


def day_attributes(
    items: DataFrame, categories: DataFrame, as_of: date, names: Sequence[Attribute]
) -> tuple[ItemAttribute, ...]:
    """These attributes of the day's items, by item_index. In: silver.item_vocabulary, silver.category_vocabulary."""
    if not names:
        return ()
    is_day = F.col("as_of") == F.lit(as_of)
    known = items.where(is_day).orderBy("item_index").select("category_index", "price_band").collect()
    of_item = {name: tuple(int(row[place]) for row in known) for place, name in enumerate(("category", "price_band"))}
    values = {"price_band": tuple(str(band) for band in range(1, max(of_item["price_band"], default=0) + 1))}
    if "category" in names:
        named = categories.where(is_day).orderBy("category_index").select("category").collect()
        values["category"] = tuple(str(row[0]) for row in named)
    return tuple(ItemAttribute(name, of_item[name], values[name]) for name in names)


def day_vocabulary(vocabulary: DataFrame, as_of: date) -> list[str]:
    """product_id by item_index, the first one's index 1. In: silver.item_vocabulary."""
    day = vocabulary.where(F.col("as_of") == F.lit(as_of)).orderBy("item_index").select("product_id")
    return [str(row[0]) for row in day.collect()]
