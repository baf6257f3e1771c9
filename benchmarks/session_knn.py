"""The next item by neighbours: sessions that share items with the one at hand, the latest items counting most.

Source: Ludewig & Jannach (2018), Evaluation of Session-based Recommendation Algorithms, User Modeling and User-Adapted
Interaction 28, 331-390: V-SkNN, with idf weights.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

N_NEIGHBOURS, N_SAMPLED = 500, 2500
Int64s = NDArray[np.int64]


class SessionNeighbours:
    """V-SkNN over sessions of items 1 to n_items, the latest session last."""

    def __init__(self, sessions: Sequence[Int64s], n_items: int) -> None:
        n_each = np.fromiter(map(len, sessions), np.int64, len(sessions))
        rows = np.repeat(np.arange(len(sessions)), n_each)
        cells = (np.ones(len(rows), np.float32), (rows, np.concatenate(sessions)))
        holds = sparse.csr_matrix(cells, shape=(len(sessions), n_items + 1))
        holds.sum_duplicates()
        holds.data[:] = 1.0
        self._holds = holds
        self._sessions_of = holds.tocsc()
        n_sessions = np.maximum(np.diff(self._sessions_of.indptr), 1)
        self._idf = np.log(len(sessions) / n_sessions)

    def best(self, history: Int64s, k: int, *, exclude_seen: bool) -> Int64s:
        """The k best next items, best first; fewer where neighbours know fewer."""
        # The last of the items counts 1, the one before it a step less, down to the first.
        weights = np.zeros(self._holds.shape[1], np.float32)
        weights[history] = np.arange(1, len(history) + 1) / len(history)
        items = np.unique(history)
        columns = self._sessions_of
        found = np.concatenate([columns.indices[columns.indptr[item] : columns.indptr[item + 1]] for item in items])
        candidates = np.unique(found)[-N_SAMPLED:]  # the latest
        if len(candidates) == 0:
            return np.zeros(0, np.int64)
        held = self._holds[candidates]
        similarity = held @ weights / len(items)
        nearest = np.argsort(-similarity, kind="stable")[:N_NEIGHBOURS]
        scores = self._scores(held[nearest], similarity[nearest], history)
        if exclude_seen:
            scores[items] = 0.0
        best = np.argsort(-scores, kind="stable")[:k]
        return best[scores[best] > 0]

    def _scores(self, held: sparse.csr_matrix, similarity: NDArray[np.float32], history: Int64s) -> NDArray[np.float64]:
        """Sum over neighbours of similarity, times how late in the history the last item is that both share."""
        places = np.zeros(self._holds.shape[1])
        places[history] = np.arange(1, len(history) + 1)
        shared = held.multiply(places).max(axis=1).toarray().ravel()
        steps_back = len(history) - shared + 1
        decays = np.maximum(1.0 - 0.1 * steps_back, 0.0)
        return np.asarray(held.T @ (similarity * decays)) * (1.0 + self._idf)
