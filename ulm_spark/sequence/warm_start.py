"""A training that begins with what an earlier one knew: its weights, and the vectors of the items that both name."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ulm_spark.config.errors import TrainingError
from ulm_spark.sequence.codes import codes_of_vectors, zipf_weights
from ulm_spark.sequence.launch import MANIFEST, VOCABULARY, WEIGHTS
from ulm_spark.sequence.models.adapters import adapt
from ulm_spark.sequence.models.factorised_items import FactorisedItems
from ulm_spark.sequence.models.items import TABLE
from ulm_spark.sequence.models.learned_codes import LearnedCodes
from ulm_spark.sequence.models.network import NextItem
from ulm_spark.sequence.models.quantised_items import CODES, QuantisedItems
from ulm_spark.sequence.rows import Float32s, Int64s
from ulm_spark.sequence.snapshot import ItemAttribute, Manifest
from ulm_spark.sequence.storage import UNREADABLE


@dataclass(frozen=True)
class Taken:
    """Items whose vectors were taken over, and those that are new."""

    n_known: int
    n_new: int


def begin_with(
    network: NextItem, vocabulary: tuple[str, ...], folder: Path, attributes: Sequence[ItemAttribute] = ()
) -> Taken:
    """Sets the network's weights to those in the folder of an exported model.

    Rule:   tables with a row for each item are taken over row by row, by product id; items that the earlier model did
            not know keep their first vectors or codes, but begin with those of their attributes alone where such are
            known and items have vectors of their own. The vectors of an attribute's values are taken over by name.
            Other weights are taken over where their shapes are equal, such as the trunk where a head is new. A network
            whose items are quantised, after one with a vector for each, takes codes and centroids that stand for those;
            one whose factors are rounded takes factors that are rounded to the earlier ones.
    Errors: TrainingError where the folder holds no model that can be read, one whose item vectors are kept in another
            way than here, or one with weights of other shapes.
    """
    try:
        with np.load(folder / WEIGHTS) as stored:
            known = {name: stored[name] for name in stored.files}
        numbers = {name: place + 1 for place, name in enumerate(json.loads((folder / VOCABULARY).read_text("utf-8")))}
    except UNREADABLE as error:
        raise TrainingError(
            f"training: found no model in {folder} that can be read ({error}); expected an earlier one. Name one in "
            "training.adapter.model, or run train_sequence with training.continues false."
        ) from error
    earlier = np.array([numbers.get(name, 0) for name in vocabulary])
    rows = np.flatnonzero(earlier) + 1
    known |= _quantised(network, known) | _squeezed(network, known)
    _require_items(network, known, folder)
    by_item = {weight.path for weight in network.by_item}
    layer = network.events.attributes
    told = {network.prior.path, *(value.path for value in layer.values.values())} if layer else {network.prior.path}
    by_name = _rows_of_values(network, folder, attributes)
    _begin_new_by_attributes(network, np.flatnonzero(earlier == 0) + 1)
    for weight in network.weights:
        value = known.get(weight.path)
        if value is None or weight.path in told:
            continue
        if weight.path in by_item:
            weight.assign(_taken_rows(weight.numpy(), value, rows, earlier[rows - 1], weight.path))
        elif weight.path in by_name:
            weight.assign(_taken_rows(weight.numpy(), value, *by_name[weight.path], weight.path))
        elif value.shape == tuple(weight.shape):
            weight.assign(value)
        else:
            raise _other_width(weight.path, value.shape, tuple(weight.shape))
    return Taken(len(rows), len(vocabulary) - len(rows))


def _require_items(network: NextItem, known: dict[str, Float32s], folder: Path) -> None:
    """Raises where earlier vectors are of a kind that these cannot begin with, and would be forgotten."""
    missing = [weight.path for weight in network.events.items.weights if weight.path not in known]
    if missing:
        raise TrainingError(
            f"training.model.items: found no {missing[0]} in the model in {folder}; expected item vectors of the same "
            "kind. Set training.model.items as that model had it, or training.continues false."
        )


def _begin_new_by_attributes(network: NextItem, new: Int64s) -> None:
    """Where attributes are known, new items have nothing of their own until it is learned."""
    if network.events.attributes is None:
        return
    for weight in network.events.items.by_item:
        if weight.trainable:
            first = weight.numpy()
            first[new] = 0.0
            weight.assign(first)


def _rows_of_values(
    network: NextItem, folder: Path, attributes: Sequence[ItemAttribute]
) -> dict[str, tuple[Int64s, Int64s]]:
    """For each table of an attribute's values: rows that the earlier model has too, and where they lie there."""
    layer = network.events.attributes
    if layer is None:
        return {}
    path = folder / MANIFEST
    known = {a.name: a.names for a in Manifest.read(path).attributes} if path.exists() else {}
    found = {}
    for attribute in attributes:
        numbers = {name: place + 1 for place, name in enumerate(known.get(attribute.name, ()))}
        # Row 0, what is not known, is itself where the earlier model had the attribute.
        sources = np.array([0 if numbers else -1, *(numbers.get(name, -1) for name in attribute.names)])
        rows = np.flatnonzero(sources >= 0)
        found[layer.vectors[attribute.name].path] = (rows, sources[rows])
    return found


def _quantised(network: NextItem, known: dict[str, Float32s]) -> dict[str, NDArray[np.generic]]:
    """Codes and centroids of earlier vectors, and vectors of earlier codes where those are learned, by the names of
    their weights; nothing where there is nothing to do."""
    items = network.events.items
    vectors, earlier = known.get(f"{items.path}/{TABLE}"), known.get(f"{items.path}/{CODES}")
    if isinstance(items, LearnedCodes) and earlier is not None:
        parts = zip(known[items.centroids.path], earlier.T, strict=True)
        return {items.table.path: np.concatenate([centroids[codes] for centroids, codes in parts], axis=1)}
    if not isinstance(items, QuantisedItems | LearnedCodes) or vectors is None:
        return {}
    drawn, weights = np.random.default_rng(len(vectors)), zipf_weights(len(vectors) - 1)
    codes, centroids = codes_of_vectors(vectors[1:], weights, items.n_splits, items.n_centroids, drawn)
    found: dict[str, NDArray[np.generic]] = {items.centroids.path: centroids}
    if isinstance(items, QuantisedItems):
        found[items.codes.path] = np.insert(codes, 0, 0, axis=0)
    return found


def adapt_from(
    network: NextItem,
    vocabulary: tuple[str, ...],
    folder: Path,
    rank: int,
    attributes: Sequence[ItemAttribute] = (),
) -> Taken:
    """As begin_with; then only what adapt leaves is trainable, with changes of this rank.

    Items that the earlier model did not know keep vectors that nothing trains.
    Errors: TrainingError also where the trunk is not that of the folder.
    """
    taken = begin_with(network, vocabulary, folder, attributes)
    with np.load(folder / WEIGHTS) as stored:
        names = set(stored.files)
    other = [weight.path for weight in network.body.weights if weight.path not in names]
    if other:
        raise TrainingError(
            f"training.adapter: found {len(other)} weights, {other[0]} the first, that the model in {folder} lacks; "
            "expected its trunk. Set training.model as that model had it."
        )
    adapt(network, rank)
    return taken


def _taken_rows(
    first: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]",
    earlier: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]",
    rows: Int64s,
    sources: Int64s,
    name: str,
) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    if earlier.shape[1:] != first.shape[1:]:
        raise _other_width(name, earlier.shape[1:], first.shape[1:])
    value = first.copy()
    value[rows] = earlier[sources]
    return value


def _other_width(name: str, found: tuple[int, ...], expected: tuple[int, ...]) -> TrainingError:
    return TrainingError(
        f"training: found {name} of width {found} in the earlier model; expected {expected}. Set training.model as "
        "that model had it, or training.continues false."
    )


def _squeezed(network: NextItem, known: dict[str, Float32s]) -> dict[str, NDArray[np.generic]]:
    """Factors that are used as the earlier ones, and what widens them, by the names of their weights; nothing where
    factors are not rounded."""
    items = network.events.items
    if not isinstance(items, FactorisedItems) or not items.bits or items.factors.path not in known:
        return {}
    factors = known[items.factors.path]
    most = float(np.abs(factors).max(initial=1e-30))
    return {items.factors.path: items.from_rounded(factors / most), items.widen.path: known[items.widen.path] * most}
