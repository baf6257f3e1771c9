"""Who is central in a weighted graph? PageRank by power iteration."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array

DAMPING = 0.85
_MOST_ROUNDS = 500


def rank_nodes(graph: csr_array, damping: float = DAMPING, tolerance: float = 1e-12) -> NDArray[np.float64]:
    """The share of time that a walker spends at each node who follows links by weight, or jumps anywhere.

    In:     a square matrix of weights, row to column; damping: how often the walker follows a link.
    Out:    [n_nodes], summing to 1.
    Rule:   p = (1 - damping) / n + damping * (P' p + what is at nodes without links, spread over all), until
            the absolute changes of a round sum to less than tolerance.
    Edge:   empty for no nodes.
    Source: Brin & Page (1998), Computer Networks 30, 107-117, section 2.1.1, divided by n.
    """
    n_nodes = graph.shape[0]
    if not n_nodes:
        return np.empty(0)
    strength = np.asarray(graph.sum(axis=1), dtype=np.float64).reshape(-1)
    is_linked = strength > 0
    inverse = np.divide(1.0, strength, out=np.zeros(n_nodes), where=is_linked)
    step = csr_array((diags_array(inverse) @ graph).T)
    rank = np.full(n_nodes, 1 / n_nodes)
    for _ in range(_MOST_ROUNDS):
        lost = rank[~is_linked].sum()
        following = (1 - damping) / n_nodes + damping * (step @ rank + lost / n_nodes)
        change = np.abs(following - rank).sum()
        rank = following
        if change < tolerance:
            break
    return rank
