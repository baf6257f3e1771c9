"""Exported graphs as they serve: how long a user takes on one core, and what the ten best items are worth."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession, RunOptions, SessionOptions

from ulm_spark.sequence.compact_onnx import store_halved, store_int8
from ulm_spark.sequence.conf import TrainingConf
from ulm_spark.sequence.export import export_model
from ulm_spark.sequence.launch import ONNX
from ulm_spark.sequence.models.network import NextItem, build_network
from ulm_spark.sequence.models.quantised_items import QuantisedItems
from ulm_spark.sequence.prior import no_prior
from ulm_spark.sequence.rows import DAY_S, Rows
from ulm_spark.sequence.top_items import Coded, Vectors, best_items
from ulm_spark.sequence.validation import hold_out
from ulm_spark.stats.ranking import ndcg_at_k

K = 10
_UNMEASURED, _AT_ONCE = 5, 64
History = dict[str, NDArray[np.generic]]
Best = Callable[[History], NDArray[np.int64]]


@dataclass(frozen=True)
class Latency:
    """Milliseconds a user, and the users whose list is another than that of a full scoring in double precision; None
    of graphs whose weights are rounded, which have other scores."""

    name: str
    p50_ms: float
    p99_ms: float
    n_wrong: int | None


def latencies(confs: dict[str, TrainingConf], n_items: int, n_users: int, folder: Path) -> list[Latency]:
    """For each network: by the whole exported graph, by graphs of rounded weights, and by its states and top_items."""
    found = []
    for name, conf in confs.items():
        network = build_network(conf, n_items, no_prior(n_items))
        for weight in network.events.items.trainable_variables:
            weight.assign(np.random.default_rng(1).normal(0, 0.3, weight.shape))
        network.bias.assign(np.random.default_rng(2).normal(0, 0.3, network.bias.shape))
        export_model(network, {}, folder)
        histories = _histories(n_items, n_users + _UNMEASURED, conf.model.max_length)
        expected = _expected(network, histories)
        for how, best in (("graph", _by_graph(folder / ONNX)), ("states", _by_states(folder / ONNX, network))):
            found.append(_measured(f"{name}, {how}", best, histories, expected))
        for how, store in (("float16", store_halved), ("int8", store_int8)):
            rounded = folder / f"{how}.onnx"
            store(folder / ONNX, rounded)
            found.append(
                replace(_measured(f"{name}, graph, {how}", _by_graph(rounded), histories, expected), n_wrong=None)
            )
    return found


def _by_graph(path: Path) -> Best:
    session = _session(path)

    def best(history: History) -> NDArray[np.int64]:
        scores = session.run(["scores"], history)[0][0, 1:]
        top = np.argpartition(-scores, K)[:K]
        return np.asarray(top[np.lexsort((top, -scores[top]))])

    return best


def _by_states(path: Path, network: NextItem) -> Best:
    session, options = _session(path), RunOptions()
    options.only_execute_path_to_fetches = True
    items, offsets = network.events.items, network.bias.numpy()[1:]
    scorer: Coded | Vectors = Vectors(items.every().numpy()[1:], offsets)
    if isinstance(items, QuantisedItems):
        scorer = Coded(items.codes.numpy()[1:], items.centroids.numpy(), offsets)

    def best(history: History) -> NDArray[np.int64]:
        return best_items(scorer.scores(session.run(["states"], history, options)[0][0]), K)

    return best


def _session(path: Path) -> InferenceSession:
    options = SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _histories(n_items: int, n_users: int, length: int) -> list[History]:
    drawn = np.random.default_rng(3)
    return [
        {
            "item_indices": drawn.integers(1, n_items + 1, (1, length), dtype=np.int32),
            "event_codes": drawn.integers(1, 8, (1, length), dtype=np.int32),
            "gap_seconds": drawn.integers(0, DAY_S, (1, length)),
        }
        for _ in range(n_users)
    ]


def _expected(network: NextItem, histories: list[History]) -> list[NDArray[np.float64]]:
    """Every item's score in double precision, from the vectors as they are."""
    vectors, bias = network.events.items.every().numpy()[1:].astype(float), network.bias.numpy()[1:]
    parts = [np.concatenate([history[name] for history in histories]) for name in histories[0]]
    return list(network(*parts)[:, -1].numpy().astype(float) @ vectors.T + bias)


def _measured(name: str, best: Best, histories: list[History], expected: list[NDArray[np.float64]]) -> Latency:
    took_ms, n_wrong = [], 0
    for history, scores in zip(histories, expected, strict=True):
        began_s = time.perf_counter()
        found = best(history)
        took_ms.append(1e3 * (time.perf_counter() - began_s))
        # Scores that rounding cannot tell apart may change places.
        right = np.sort(scores)[::-1][:K]
        n_wrong += int(not np.allclose(scores[found], right, rtol=1e-5, atol=1e-5))
    told = np.array(took_ms[_UNMEASURED:])
    return Latency(name, float(np.median(told)), float(np.quantile(told, 0.99)), n_wrong)


def graph_ndcg(path: Path, tested: Rows) -> float:
    """NDCG@10 of an exported graph over rows whose last event is to be named; none of the history is."""
    session, held, length = _session(path), hold_out(tested), tested.items.shape[1] - 1
    gains = []
    for start in range(0, len(tested), _AT_ONCE):
        prefix = held.prefix.take(np.arange(start, min(start + _AT_ONCE, len(tested)))).last(length)
        wanted = held.items[start : start + _AT_ONCE].max(axis=1)[:, None]
        asked = {"item_indices": prefix.items, "event_codes": prefix.codes, "gap_seconds": prefix.gaps()}
        scores = session.run(["scores"], asked)[0]
        np.put_along_axis(scores, prefix.items.astype(np.int64), -np.inf, axis=1)
        top = np.argsort(-scores, axis=1, kind="stable")[:, :K]
        is_hit = top == wanted
        is_known = ~(prefix.items == wanted).any(axis=1)
        gains.append(ndcg_at_k(is_hit[is_known], np.ones(is_known.sum(), np.int64), K))
    return float(np.concatenate(gains).mean())
