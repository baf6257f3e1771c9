"""The exported network on Spark's executors: all items scored after each user's history, the best kept.

This stage joins two rooms by files: it loads the exported ONNX graph, and needs neither TensorFlow nor the network's
code.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from onnxruntime import InferenceSession, SessionOptions
from pyspark.core.broadcast import Broadcast
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from ulm_spark.config.errors import DataQualityError
from ulm_spark.contracts.gold import NEXT_ITEM_RECOMMENDATIONS
from ulm_spark.contracts.sequences import ITEM_VOCABULARY, SEQUENCES
from ulm_spark.lake.run import Run
from ulm_spark.pipeline.attributed import Attribution, attributed_events
from ulm_spark.pipeline.train_sequences import day_versions, day_vocabulary
from ulm_spark.recommend.interactions import bought_items
from ulm_spark.recommend.rank import top_places
from ulm_spark.sequence.conf import TrainingConf
from ulm_spark.sequence.launch import MANIFEST, ONNX
from ulm_spark.sequence.rows import pad_left
from ulm_spark.sequence.snapshot import Manifest, vocabulary_checksum

_LISTED = "user_id STRING, rank INT, item_index INT, score DOUBLE"
_CELLS_AT_ONCE = 2_000_000  # scores held at a time by one task: 8 MB in single precision
_MODEL = "sequence"


Lister = Callable[[Iterable[pd.DataFrame]], Iterable[pd.DataFrame]]
# One network a Python worker, by the name of its run: workers serve many tasks.
_LOADED: dict[str, InferenceSession] = {}


def recommend_next(
    sequences: DataFrame,
    seen: DataFrame | None,
    vocabulary: DataFrame,
    model: "Broadcast[bytes]",
    model_name: str,
    max_length: int,
    top_n: int,
    as_of: date,
) -> DataFrame:
    """The top_n next items for each user, best first.

    In:   silver.sequences and silver.item_vocabulary of as_of alone; seen (user_id, product_id), what no
          list may name, or None; model: the exported ONNX graph, model_name its unique name.
    Out:  gold.next_item_recommendations.
    Rule: by falling score, ties by item_index; padding is never named.
    Edge: a user for whom fewer than top_n items are left gets those; without any is absent.
    """
    histories = sequences.select("user_id", "item_indices", "event_codes", "gap_seconds")
    numbers = vocabulary.select("product_id", "item_index")
    if seen is None:
        asked = histories.withColumn("seen", F.array().cast("array<int>"))
    else:
        by_user = (
            seen.join(F.broadcast(numbers), on="product_id", how="inner")
            .groupBy("user_id")
            .agg(F.collect_set("item_index").alias("seen"))
        )
        asked = histories.join(by_user, on="user_id", how="left")
    listed = asked.mapInPandas(_lister(model, model_name, max_length, top_n), _LISTED)
    return (
        listed.join(F.broadcast(numbers), on="item_index", how="inner")
        .select(F.lit(as_of).alias("as_of"), "user_id", F.lit(_MODEL).alias("model"), "rank", "product_id", "score")
        .select(*NEXT_ITEM_RECOMMENDATIONS.column_names)
    )


def _lister(model: "Broadcast[bytes]", name: str, max_length: int, top_n: int) -> Lister:
    def list_users(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        scorer = load_scorer(name, model.value)
        n_at_once = 1  # until the first user's scores tell how many items there are
        for batch in batches:
            start = 0
            while start < len(batch):
                part = batch.iloc[start : start + n_at_once]
                scores = _scored(scorer, part, max_length)
                start += len(part)
                n_at_once = max(1, _CELLS_AT_ONCE // scores.shape[1])
                yield _listed(part, scores, top_n)

    return list_users


def load_scorer(name: str, graph: bytes) -> InferenceSession:
    """The exported network, from memory where this process has loaded it before. graph: the ONNX file."""
    if name not in _LOADED:
        options = SessionOptions()
        options.intra_op_num_threads = 1  # Spark runs a task for each core already
        options.inter_op_num_threads = 1
        _LOADED[name] = InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return _LOADED[name]


def _scored(scorer: InferenceSession, part: pd.DataFrame, max_length: int) -> NDArray[np.float32]:
    """Scores of the rows: [n, n_items + 1]; what may not be named has -inf."""
    asked = {
        "item_indices": pad_left(list(part["item_indices"]), max_length).astype(np.int32),
        "event_codes": pad_left(list(part["event_codes"]), max_length).astype(np.int32),
        "gap_seconds": _own_gaps(pad_left(list(part["gap_seconds"]), max_length)),
    }
    scores = np.array(scorer.run(["scores"], asked)[0])
    scores[:, 0] = -np.inf
    for row, seen in enumerate(part["seen"]):
        if seen is not None and len(seen):
            scores[row, np.asarray(seen, np.int64)] = -np.inf
    return scores


def _own_gaps(gaps: NDArray[np.int64]) -> NDArray[np.int64]:
    """Training knows no gap before the first event it sees, so scoring cuts it too."""
    own = gaps.copy()
    own[:, 0] = 0
    return own


def _listed(part: pd.DataFrame, scores: NDArray[np.float32], top_n: int) -> pd.DataFrame:
    top = top_places(scores, min(top_n, scores.shape[1]))
    top_scores = np.take_along_axis(scores, top, axis=1)
    row, rank = np.nonzero(np.isfinite(top_scores))
    return pd.DataFrame(
        {
            "user_id": part["user_id"].to_numpy()[row],
            "rank": (rank + 1).astype(np.int32),
            "item_index": top[row, rank].astype(np.int32),
            "score": top_scores[row, rank].astype(np.float64),
        }
    )


def recommend_by(ledger: Run, path: str, conf: TrainingConf, zone: str, identity: Attribution) -> DataFrame:
    """The lists of the run's day by the model stored at path. Out: gold.next_item_recommendations.

    Errors: as checked_model.
    """
    as_of = ledger.as_of
    folder, trained = checked_model(ledger, path)
    is_day = F.col("as_of") == F.lit(as_of)
    seen = bought_items(attributed_events(ledger, identity), as_of, zone) if conf.targets.exclude_seen else None
    model = ledger.lake.spark.sparkContext.broadcast((folder / ONNX).read_bytes())
    sequences, vocabulary = ledger.read(SEQUENCES).where(is_day), ledger.read(ITEM_VOCABULARY).where(is_day)
    length = trained.conf.model.max_length  # scoring follows the model, whatever the config says now
    return recommend_next(sequences, seen, vocabulary, model, path, length, conf.top_n, as_of)


def checked_model(ledger: Run, path: str) -> tuple[Path, Manifest]:
    """The folder of the model stored at path, and what it was trained on.

    Errors: DataQualityError where the items were numbered anew since the model was trained, or where the sequences
    are written in another vocabulary than the model's.
    """
    as_of = ledger.as_of
    folder = ledger.model_dir(path).local
    trained = Manifest.read(folder / MANIFEST)
    versions = day_versions(ledger)
    if set(versions) - {trained.snapshot.vocabulary_version}:
        raise DataQualityError(
            f"{SEQUENCES.name}: found the sequences and items of {as_of} in vocabulary {', '.join(versions)}; expected "
            f"that of the model of {path}, {trained.snapshot.vocabulary_version}. Run train_sequence again."
        )
    if vocabulary_checksum(day_vocabulary(ledger.read(ITEM_VOCABULARY), as_of)) != trained.snapshot.vocabulary_checksum:
        raise DataQualityError(
            f"{ITEM_VOCABULARY.name}: found the items of {as_of} in another numbering than the model of {path} was "
            "trained on; expected the same. Run train_sequence again."
        )
    return folder, trained
