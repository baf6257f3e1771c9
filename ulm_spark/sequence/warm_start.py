"""A training that begins with what an earlier one knew: its weights, and the vectors of the items that both name."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ulm_spark.config.errors import TrainingError
from ulm_spark.sequence.launch import VOCABULARY, WEIGHTS
from ulm_spark.sequence.models.network import NextItem


@dataclass(frozen=True)
class Taken:
    """Items whose vectors were taken over, and those that are new."""

    n_known: int
    n_new: int


def begin_with(network: NextItem, vocabulary: tuple[str, ...], folder: Path) -> Taken:
    """Sets the network's weights to those in the folder of an exported model.

    Rule:   tables with a row for each item are taken over row by row, by product id; items that the earlier model did
            not know keep their first vectors. Other weights are taken over where their shapes are equal, such as
            the trunk where a head is new.
    Errors: TrainingError where the folder holds no model, or one of another width.
    """
    try:
        with np.load(folder / WEIGHTS) as stored:
            known = {name: stored[name] for name in stored.files}
        numbers = {name: place + 1 for place, name in enumerate(json.loads((folder / VOCABULARY).read_text("utf-8")))}
    except OSError as error:
        raise TrainingError(
            f"training.continues: found no model in {folder} ({error}); expected an earlier one. Run "
            "train_sequence with training.continues false."
        ) from error
    earlier = np.array([numbers.get(name, 0) for name in vocabulary])
    rows = np.flatnonzero(earlier) + 1
    tables = {table.path for table in network.tables}
    for weight in network.trainable_variables:
        value = known.get(weight.path)
        if value is None:
            continue
        if weight.path in tables:
            weight.assign(_taken_rows(weight.numpy(), value, rows, earlier[rows - 1], weight.path))
        elif value.shape == tuple(weight.shape):
            weight.assign(value)
    return Taken(len(rows), len(vocabulary) - len(rows))


def _taken_rows(
    first: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]",
    earlier: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]",
    rows: "np.ndarray[tuple[int, ...], np.dtype[np.int64]]",
    sources: "np.ndarray[tuple[int, ...], np.dtype[np.int64]]",
    name: str,
) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    if earlier.shape[1:] != first.shape[1:]:
        raise TrainingError(
            f"training.continues: found {name} of width {earlier.shape[1:]}; expected {first.shape[1:]}. Set "
            "training.model as the earlier model had it, or training.continues false."
        )
    value = first.copy()
    value[rows] = earlier[sources]
    return value
