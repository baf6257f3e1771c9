"""How good is the top of a ranked list? Ranking metrics per user, with binary relevance.

Every function takes ``hits: [n_users, n_places] bool``, True where the item on that place (first
place first) is relevant, and, where needed, ``n_relevant: [n_users] int``, how many items are
relevant to the user, listed or not; it gives one value per user. Users without a relevant item
have no value: leave them out before.

Source: Järvelin & Kekäläinen (2002), ACM Transactions on Information Systems 20(4), 422-446, with
gain 1 or 0 and the logarithm to base 2 of place plus one, which discounts from the second place on.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


def hits_at_ranks(ranks: list[list[int]], k: int) -> Bools:
    """The hits array of lists whose relevant items have these ranks, 1 the first; beyond k dropped."""
    hits = np.zeros((len(ranks), k), dtype=np.bool_)
    for row, user_ranks in enumerate(ranks):
        hits[row, [rank - 1 for rank in user_ranks if rank <= k]] = True
    return hits


def ndcg_at_k(hits: Bools, n_relevant: Ints, k: int) -> Floats:
    """Discounted gain of the first k places over that of the best possible list.

    Rule: DCG = sum over places i of hit_i / log2(i + 1); the ideal list has min(k, n_relevant) hits on top.
    """
    _check(n_relevant, k)
    top = hits[:, :k]
    discounts = 1.0 / np.log2(np.arange(2, k + 2))
    gained = top @ discounts[: top.shape[1]]
    ideal = np.cumsum(discounts)[np.minimum(n_relevant, k) - 1]
    return np.asarray(gained / ideal, dtype=np.float64)


def hit_rate_at_k(hits: Bools, k: int) -> Floats:
    """1 where any of the first k places is relevant, else 0."""
    return np.asarray(hits[:, :k].any(axis=1), dtype=np.float64)


def recall_at_k(hits: Bools, n_relevant: Ints, k: int) -> Floats:
    """Share of the relevant items that stand on the first k places."""
    _check(n_relevant, k)
    return np.asarray(hits[:, :k].sum(axis=1) / n_relevant, dtype=np.float64)


def reciprocal_rank_at_k(hits: Bools, k: int) -> Floats:
    """1 over the place of the first relevant item, 0 where none stands on the first k."""
    top = hits[:, :k]
    if top.shape[1] == 0:
        return np.zeros(len(hits))
    return np.where(top.any(axis=1), 1.0 / (top.argmax(axis=1) + 1.0), 0.0)


def _check(n_relevant: Ints, k: int) -> None:
    if k < 1:
        raise ValueError(f"k: found {k}; expected at least 1.")
    if len(n_relevant) and int(n_relevant.min()) < 1:
        raise ValueError("n_relevant: found a user without a relevant item; expected 1 or more. Leave such users out.")
