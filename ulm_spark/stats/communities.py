"""Which groups of nodes does a weighted graph fall into? Louvain's method on arrays, many nodes at a time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

Labels = NDArray[np.int64]
Weights = NDArray[np.float64]

LEAST_GAIN = 1e-7
_PARTS = 16
_FINER = (4.0, 1.0)
_SEED = 7
_MOST_SWEEPS = 100


@dataclass(frozen=True)
class _Level:
    """A graph whose nodes may be groups of nodes.

    between: links between different nodes, both ways; within: weight of what is inside each node, both
    ways; strength: the sum of both by node.
    """

    between: csr_array
    within: Weights
    strength: Weights


def build_graph(left: Labels, right: Labels, weight: Weights, n_nodes: int) -> csr_array:
    """The symmetric matrix of an undirected graph.

    In:     each link once, between two different nodes of 0 to n_nodes - 1, with a weight above 0.
    Out:    [n_nodes, n_nodes], every link both ways, columns of a row in order.
    Errors: ValueError for a link of a node with itself, or of no weight.
    """
    if np.any(left == right) or not np.all(weight > 0):
        raise ValueError("build_graph: found a link of a node with itself or of no weight; expected neither.")
    ends = (np.concatenate([left, right]), np.concatenate([right, left]))
    graph = coo_array((np.concatenate([weight, weight]), ends), shape=(n_nodes, n_nodes)).tocsr()
    graph.sort_indices()
    return graph


def modularity(graph: csr_array, labels: Labels, resolution: float = 1.0) -> float:
    """How much more weight lies within groups than chance would put there.

    In:     build_graph's matrix; labels: group of each node.
    Rule:   Q = sum over groups of in_c / 2m - resolution * (tot_c / 2m)^2; 2m is all weight both ways.
    Edge:   0.0 without links.
    Source: Newman & Girvan (2004), Physical Review E 69, 026113, equation 5; its resolution: Reichardt &
            Bornholdt (2006), Physical Review E 74, 016110.
    """
    return _modularity(_as_level(graph), labels, resolution)


def find_communities(graph: csr_array, resolution: float = 1.0) -> Labels:
    """Groups of nodes of high modularity, each of which hangs together.

    In:     build_graph's matrix.
    Out:    a group from 0 for each node, numbered by size, ties by the smallest member.
    Rule:   nodes move to the neighbouring group of the greatest gain, ties to the smallest label; groups
            become nodes and move likewise, level by level; from the groups found single nodes move
            again, until all that gains less than LEAST_GAIN. Groups in pieces are parted. All this for
            a finer resolution first: groups that are taken together too early never come apart again.
    Edge:   a node without links is a group of its own. The same graph gives the same groups.
    Source: Blondel, Guillaume, Lambiotte & Lefebvre (2008), J. Stat. Mech. P10008, equation 2; moving
            single nodes again: Rotta & Noack (2011), ACM J. Exp. Algorithmics 16, 2.3.
    """
    labels = np.arange(graph.shape[0], dtype=np.int64)
    for finer in _FINER:
        labels = _improve(graph, labels, finer * resolution)
    return number_by_size(labels)


def number_by_size(labels: Labels) -> Labels:
    """The groups renumbered from 0, the largest first, ties by the smallest member."""
    _, first, group, sizes = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    place = np.empty(len(sizes), dtype=np.int64)
    place[np.lexsort((first, -sizes))] = np.arange(len(sizes))
    return place[group]


def _improve(graph: csr_array, labels: Labels, resolution: float) -> Labels:
    base = _as_level(graph)
    best = _modularity(base, labels, resolution)
    while True:
        moved = _parted(graph, _climb(base, _move_all(base, labels, resolution), resolution))
        found = _modularity(base, moved, resolution)
        if found <= best + LEAST_GAIN:
            return moved if found > best else labels
        labels, best = moved, found


def _climb(base: _Level, labels: Labels, resolution: float) -> Labels:
    """Groups of groups, until they stay as they are."""
    while True:
        _, groups = np.unique(labels, return_inverse=True)
        level = _merged(base, groups)
        n_groups = len(level.strength)
        upper = _move_all(level, np.arange(n_groups, dtype=np.int64), resolution)
        if len(np.unique(upper)) == n_groups:
            return groups
        labels = upper[groups]


def _move_all(level: _Level, start: Labels, resolution: float) -> Labels:
    """Moves nodes until a sweep over those whose neighbours moved gains too little; the best labels met."""
    random = np.random.default_rng(_SEED)
    labels = best_labels = start
    best = _modularity(level, start, resolution)
    waiting = np.flatnonzero(np.diff(level.between.indptr))
    for _ in range(_MOST_SWEEPS):
        if not len(waiting):
            break
        before = labels
        labels = _sweep(level, labels, random.permutation(waiting), resolution)
        gained = _modularity(level, labels, resolution) - best
        if gained > 0:
            best, best_labels = best + gained, labels
        if gained <= LEAST_GAIN:
            break
        is_moved = (labels != before).astype(np.float64)
        waiting = np.flatnonzero(level.between @ is_moved)
    return best_labels


def _sweep(level: _Level, labels: Labels, nodes: Labels, resolution: float) -> Labels:
    """Each of the nodes moves once. Parts of them move together, so that few neighbours swap places."""
    labels = labels.copy()
    totals = _sums(labels, level.strength, len(labels))
    for part in np.array_split(nodes, min(_PARTS, len(nodes))):
        goals = _best_groups(level, labels, totals, part, resolution)
        strength = level.strength[part]
        np.subtract.at(totals, labels[part], strength)
        np.add.at(totals, goals, strength)
        labels[part] = goals
    return labels


def _best_groups(level: _Level, labels: Labels, totals: Weights, nodes: Labels, resolution: float) -> Labels:
    """The group that each node gains most by, its own where no other is better.

    In:   nodes with a neighbour each.
    Rule: what a node is worth to a group without it: w(i, c) - resolution * k_i * tot_c / 2m.
    """
    n_nodes = len(labels)
    members = csr_array((np.ones(n_nodes), labels, np.arange(n_nodes + 1)), shape=(n_nodes, n_nodes))
    to_groups = level.between[nodes] @ members
    row_sizes = np.diff(to_groups.indptr)
    row = np.repeat(np.arange(len(nodes)), row_sizes)
    group, to_group = to_groups.indices.astype(np.int64), to_groups.data
    own, strength = labels[nodes], level.strength[nodes]
    pull = resolution * strength / level.strength.sum()
    is_own = group == own[row]
    worth = to_group - pull[row] * (totals[group] - np.where(is_own, strength[row], 0.0))
    stays = -pull * (totals[own] - strength)
    stays[row[is_own]] = worth[is_own]
    begins = to_groups.indptr[:-1]
    most = np.maximum.reduceat(worth, begins)
    least_label = np.minimum.reduceat(np.where(worth == most[row], group, n_nodes), begins)
    # What rounding alone makes better is not worth a move: it could go to and fro.
    return np.where(most > stays + 1e-12 * strength, least_label, own)


def _merged(level: _Level, groups: Labels) -> _Level:
    """The graph of the groups, numbered from 0."""
    n_groups = int(groups.max()) + 1 if len(groups) else 0
    links = level.between.tocoo()
    left, right = groups[links.coords[0]], groups[links.coords[1]]
    is_within = left == right
    within = _sums(groups, level.within, n_groups)
    within += _sums(left[is_within], links.data[is_within], n_groups)
    ends = (left[~is_within], right[~is_within])
    between = coo_array((links.data[~is_within], ends), shape=(n_groups, n_groups)).tocsr()
    between.sort_indices()
    return _Level(between, within, _sums(groups, level.strength, n_groups))


def _modularity(level: _Level, labels: Labels, resolution: float) -> float:
    total = float(level.strength.sum())
    if not total:
        return 0.0
    is_within = np.repeat(labels, np.diff(level.between.indptr)) == labels[level.between.indices]
    inside = float(level.between.data[is_within].sum() + level.within.sum())
    shares = _sums(labels, level.strength, 0) / total
    return inside / total - resolution * float(shares @ shares)


def _sums(groups: Labels, weights: Weights, n_groups: int) -> Weights:
    return np.asarray(np.bincount(groups, weights=weights, minlength=n_groups), dtype=np.float64)


def _as_level(graph: csr_array) -> _Level:
    nothing = np.zeros(graph.shape[0])
    return _Level(graph, nothing, np.asarray(graph.sum(axis=1), dtype=np.float64).reshape(-1))


def _parted(graph: csr_array, labels: Labels) -> Labels:
    """The groups with those in several pieces parted, which can only raise the modularity."""
    row = np.repeat(np.arange(len(labels)), np.diff(graph.indptr))
    is_within = labels[row] == labels[graph.indices]
    kept = coo_array((graph.data[is_within], (row[is_within], graph.indices[is_within])), shape=graph.shape)
    _, pieces = connected_components(kept, directed=False)
    return np.asarray(pieces, dtype=np.int64)
