"""The exported network on Spark's executors: what it makes of each user's history, and what its heads expect.

As score_sequences, this stage meets the network in a file alone.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.core.broadcast import Broadcast
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from ulm_spark.config.clock import end_of
from ulm_spark.contracts.outlook import USER_EMBEDDINGS, USER_OUTLOOK
from ulm_spark.contracts.sequences import SEQUENCES
from ulm_spark.contracts.silver import SHOPPER_EVENT_TYPES
from ulm_spark.lake.run import Run
from ulm_spark.pipeline.score_sequences import checked_model, load_scorer
from ulm_spark.sequence.facts import facts_of
from ulm_spark.sequence.launch import READER
from ulm_spark.sequence.rows import Int64s, Rows, pad_left, times_of

_AT_ONCE = 256
_HOUR_S = 3600
_READ = (
    "user_id STRING, embedding ARRAY<FLOAT>, n_events INT, hours_since_last DOUBLE, p_churn DOUBLE, expected_value "
    "DOUBLE, p_conversion DOUBLE, next_action STRING, p_next_action DOUBLE, hours_to_next DOUBLE"
)
Reader = Callable[[Iterable[pd.DataFrame]], Iterable[pd.DataFrame]]
Said = dict[str, NDArray[np.float32]]


class Lengths(NamedTuple):
    """Events of a history, the last ones: looked at, shown to the network, counted in facts."""

    seen: int
    shown: int
    counted: int


def read_users(
    sequences: DataFrame,
    model: "Broadcast[bytes]",
    model_name: str,
    lengths: Lengths,
    gap_s: int,
    known_until: datetime,
) -> DataFrame:
    """One row per user of what the network makes of the history, and expects at known_until.

    In:   silver.sequences of one day; model: the exported reader.onnx, model_name its unique name; gap_s: silence that
          a visit survives.
    Out:  the columns of _READ; what the network never learned is null.
    Rule: the time that has gone by runs from the last event to known_until. A visit is open where that is at most
          gap_s. hours_to_next is the median, within its bucket by the logarithm of time.
    """
    last_s = F.unix_seconds("last_event_at").alias("last_s")
    histories = sequences.select("user_id", "item_indices", "event_codes", "gap_seconds", "amounts", last_s)
    return histories.mapInPandas(_reader(model, model_name, lengths, gap_s, int(known_until.timestamp())), _READ)


def _reader(model: "Broadcast[bytes]", name: str, lengths: Lengths, gap_s: int, now_s: int) -> Reader:
    def read(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        graph = load_scorer(f"{name}/{READER}", model.value)
        names = [output.name for output in graph.get_outputs()]
        asked = {given.name for given in graph.get_inputs()}
        for batch in batches:
            for start in range(0, len(batch), _AT_ONCE):
                part = batch.iloc[start : start + _AT_ONCE]
                rows = _rows_of(part, lengths.seen)
                elapsed_s = now_s - rows.at_s[:, -1]
                inputs = _inputs(rows, elapsed_s, lengths, asked)
                said = dict(zip(names, graph.run(names, inputs), strict=True))
                yield _told(part["user_id"], rows.last(lengths.shown), elapsed_s, said, gap_s)

    return read


def _rows_of(part: pd.DataFrame, length: int) -> Rows:
    """The histories as training saw them."""
    items, codes, gaps = (pad_left(list(part[name]), length) for name in ("item_indices", "event_codes", "gap_seconds"))
    amounts = pad_left(list(part["amounts"]), length).astype(np.float32)
    at_s = np.where(items > 0, times_of(gaps, part["last_s"].to_numpy(np.int64)), 0)
    keys = np.zeros(len(part), np.uint64)  # who it is does not matter here
    return Rows(keys, items.astype(np.int32), codes.astype(np.int32), at_s, amounts)


def _inputs(rows: Rows, elapsed_s: Int64s, lengths: Lengths, asked: set[str]) -> dict[str, NDArray[np.generic]]:
    """What the network asks for; facts are not counted for one without heads."""
    shown = rows.last(lengths.shown)
    inputs: dict[str, NDArray[np.generic]] = {
        "item_indices": shown.items,
        "event_codes": shown.codes,
        "gap_seconds": shown.gaps(),
        "elapsed_s": elapsed_s,
    }
    if "facts" in asked:
        row, place = np.arange(len(rows), dtype=np.int32), np.full(len(rows), rows.items.shape[1] - 1, np.int32)
        inputs["facts"] = facts_of(rows, row, place, elapsed_s, lengths.counted)
    return {name: value for name, value in inputs.items() if name in asked}


def _told(user_ids: "pd.Series[str]", rows: Rows, elapsed_s: Int64s, said: Said, gap_s: int) -> pd.DataFrame:
    nothing = np.full(len(user_ids), np.nan)
    told = pd.DataFrame(
        {
            "user_id": user_ids.to_numpy(),
            "embedding": list(said["states"]),
            "n_events": rows.is_item.sum(axis=1).astype(np.int32),
            "hours_since_last": elapsed_s / _HOUR_S,
            "p_churn": said.get("p_churn", nothing),
            "expected_value": said.get("expected_value", nothing),
            "p_conversion": np.where(elapsed_s <= gap_s, said.get("p_conversion", nothing), np.nan),
            "next_action": None,
            "p_next_action": nothing,
            "hours_to_next": _median_s(said["p_gap"]) / _HOUR_S if "p_gap" in said else nothing,
        }
    )
    if "p_action" in said:
        kind = said["p_action"][:, 1:].argmax(axis=1)  # code 0 is padding
        told["next_action"] = np.array(SHOPPER_EVENT_TYPES, object)[kind]
        told["p_next_action"] = np.take_along_axis(said["p_action"], kind[:, None] + 1, axis=1)[:, 0]
    return told


def _median_s(p_gap: NDArray[np.float32]) -> NDArray[np.float64]:
    """Median of a time whose bucket b > 0 holds the seconds from 2 ** (b - 1) up to 2 ** b: [n, N_BUCKETS] -> [n]."""
    shares = p_gap.astype(np.float64) / p_gap.sum(axis=1, keepdims=True, dtype=np.float64)
    up_to = np.cumsum(shares, axis=1)
    bucket = np.minimum((up_to < 0.5).sum(axis=1), shares.shape[1] - 1)
    of_bucket = np.take_along_axis(shares, bucket[:, None], axis=1)[:, 0]
    before = np.take_along_axis(up_to, bucket[:, None], axis=1)[:, 0] - of_bucket
    part = np.clip((0.5 - before) / np.maximum(of_bucket, 1e-12), 0.0, 1.0)
    return np.where(bucket > 0, 2.0 ** (bucket - 1 + part), 0.0)


def read_by(ledger: Run, path: str, zone: str) -> DataFrame:
    """read_users of the run's day by the model stored at path; a visit is open as long as the model learned.

    Errors: as checked_model.
    """
    folder, trained = checked_model(ledger, path)
    model = ledger.lake.spark.sparkContext.broadcast((folder / READER).read_bytes())
    sequences = ledger.read(SEQUENCES).where(F.col("as_of") == F.lit(ledger.as_of))
    conf = trained.conf
    lengths = Lengths(conf.seen_length, conf.model.max_length, conf.heads.fact_events)
    read = read_users(sequences, model, path, lengths, conf.heads.visit_gap_s, end_of(ledger.as_of, zone))
    horizon_days = conf.heads.horizon_days if conf.heads.tasks else None
    return read.withColumns({"model_path": F.lit(path), "horizon_days": F.lit(horizon_days).cast("int")})


def embeddings_of(read: DataFrame, as_of: date) -> DataFrame:
    """gold.user_embeddings. In: read_by's frame."""
    return read.withColumn("as_of", F.lit(as_of)).select(*USER_EMBEDDINGS.column_names)


def outlook_of(read: DataFrame, as_of: date, currency: str) -> DataFrame:
    """gold.user_outlook; none where the model learned no task. In: read_by's frame. currency: the shop's."""
    told = read.where(F.col("horizon_days").isNotNull())
    return told.withColumns({"as_of": F.lit(as_of), "currency": F.lit(currency)}).select(*USER_OUTLOOK.column_names)
