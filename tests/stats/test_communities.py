"""Communities: their modularity beside the plain formula and the best there is."""

from collections.abc import Iterator

import networkx as nx
import numpy as np
import pytest
from scipy.sparse import csr_array

from ulm_spark.stats.agreement import adjusted_rand_index
from ulm_spark.stats.communities import build_graph, find_communities, modularity, number_by_size

# Zachary (1977), Journal of Anthropological Research 33, 452-473, members from 0.
KARATE = {
    0: (1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 17, 19, 21, 31), 1: (2, 3, 7, 13, 17, 19, 21, 30),
    2: (3, 7, 8, 9, 13, 27, 28, 32), 3: (7, 12, 13), 4: (6, 10), 5: (6, 10, 16), 6: (16,), 8: (30, 32, 33), 9: (33,),
    13: (33,), 14: (32, 33), 15: (32, 33), 18: (32, 33), 19: (33,), 20: (32, 33), 22: (32, 33),
    23: (25, 27, 29, 32, 33), 24: (25, 27, 31), 25: (31,), 26: (29, 33), 27: (33,), 28: (31, 33), 29: (32, 33),
    30: (32, 33), 31: (32, 33), 32: (33,),
}  # fmt: skip


def graph_of(links: list[tuple[int, int, float]], n_nodes: int) -> csr_array:
    left, right, weight = (np.array(column) for column in zip(*links, strict=True))
    return build_graph(left, right, weight.astype(float), n_nodes)


def random_graph(seed: int, n_nodes: int, share: float) -> csr_array:
    random = np.random.default_rng(seed)
    left, right = np.triu_indices(n_nodes, 1)
    is_linked = random.random(len(left)) < share
    is_linked[0] = True
    return build_graph(left[is_linked], right[is_linked], random.random(int(is_linked.sum())) + 0.1, n_nodes)


def plain_modularity(graph: csr_array, labels: np.ndarray, resolution: float) -> float:
    """Newman's sum over all pairs of nodes, term by term."""
    matrix = graph.toarray()
    strength, total = matrix.sum(axis=1), matrix.sum()
    n = len(labels)
    pairs = ((i, j) for i in range(n) for j in range(n) if labels[i] == labels[j])
    return sum(matrix[i, j] - resolution * strength[i] * strength[j] / total for i, j in pairs) / total


def partitions(n_nodes: int) -> Iterator[list[int]]:
    """Every way to part the nodes into groups."""
    if n_nodes == 0:
        yield []
        return
    for rest in partitions(n_nodes - 1):
        yield from ([*rest, group] for group in range(max(rest, default=-1) + 2))


@pytest.mark.parametrize("resolution", [0.5, 1.0, 2.0])
def test_modularity_is_the_plain_sum_over_pairs(resolution: float) -> None:
    graph, random = random_graph(1, 15, 0.4), np.random.default_rng(2)
    labels = random.integers(0, 4, 15)
    assert modularity(graph, labels, resolution) == pytest.approx(
        plain_modularity(graph, labels, resolution), abs=1e-12
    )


def test_of_twenty_small_graphs_most_get_the_best_of_all_partitions_and_none_a_better() -> None:
    everyone = [np.array(labels) for labels in partitions(7)]
    graphs = [random_graph(seed, 7, 0.5) for seed in range(20)]
    short = [max(modularity(g, p) for p in everyone) - modularity(g, find_communities(g)) for g in graphs]
    assert min(short) >= -1e-12
    assert sum(gap < 1e-12 for gap in short) >= 17
    assert max(short) < 0.05


def test_the_karate_club_falls_into_its_four_groups_of_best_modularity() -> None:
    graph = graph_of([(a, b, 1.0) for a, others in KARATE.items() for b in others], 34)
    labels = find_communities(graph)
    # 0.4198 is the greatest there is: Brandes and others (2008), IEEE TKDE 20, 172-188.
    assert (modularity(graph, labels), labels.max()) == (pytest.approx(0.41979, abs=5e-6), 3)


@pytest.mark.parametrize(("steps", "is_best"), [(1, True), (2, True), (3, False)])
def test_groups_and_their_modularity_are_those_of_networkx(steps: int, is_best: bool) -> None:
    links = [(a, b, 1.0 + (a + b if steps == 2 else a * b) % steps) for a, others in KARATE.items() for b in others]
    graph, theirs = graph_of(links, 34), nx.Graph()
    theirs.add_weighted_edges_from(links)
    labels = find_communities(graph)
    own = {frozenset(np.flatnonzero(labels == k).tolist()) for k in range(labels.max() + 1)}
    assert modularity(graph, labels) == pytest.approx(nx.community.modularity(theirs, own), abs=1e-12)
    # Louvain hangs on the order of nodes: theirs is the best of fifty orders, ours one that is always the same.
    tries = [nx.community.louvain_communities(theirs, seed=seed) for seed in range(50)]
    best = max(tries, key=lambda groups: nx.community.modularity(theirs, groups))
    if is_best:
        assert own == {frozenset(group) for group in best}
    assert modularity(graph, labels) > 0.96 * nx.community.modularity(theirs, best)


def test_cliques_in_a_ring_are_the_communities_the_first_the_one_of_the_smallest_member() -> None:
    links = [(5 * k + i, 5 * k + j, 1.0) for k in range(6) for i in range(5) for j in range(i)]
    ring = [(5 * k, (5 * k + 6) % 30, 1.0) for k in range(6)]
    labels = find_communities(graph_of(links + ring, 30))
    assert labels.tolist() == [node // 5 for node in range(30)]


def test_planted_groups_of_a_thousand_users_are_found() -> None:
    random = np.random.default_rng(5)
    planted = np.arange(1000) % 20
    left, right = np.triu_indices(1000, 1)
    is_linked = random.random(len(left)) < np.where(planted[left] == planted[right], 0.3, 0.005)
    graph = build_graph(left[is_linked], right[is_linked], np.ones(int(is_linked.sum())), 1000)
    labels = find_communities(graph)
    pairs, counts = np.unique(np.stack([labels, planted], axis=1), axis=0, return_counts=True)
    assert adjusted_rand_index(pairs[:, 0], pairs[:, 1], counts) > 0.999
    assert (find_communities(graph) == labels).all()


def test_communities_hang_together_and_nodes_without_links_are_alone() -> None:
    labels = find_communities(graph_of([(0, 1, 1.0), (2, 3, 1.0)], 6))
    assert labels.tolist() == [0, 0, 1, 1, 2, 3]


@pytest.mark.parametrize("n_nodes", [0, 1, 3])
def test_a_graph_without_links_is_all_single_nodes(n_nodes: int) -> None:
    nothing = np.array([], dtype=np.int64)
    graph = build_graph(nothing, nothing, np.array([]), n_nodes)
    assert find_communities(graph).tolist() == list(range(n_nodes))
    assert modularity(graph, np.arange(n_nodes)) == 0.0


def test_a_higher_resolution_gives_more_communities() -> None:
    graph = random_graph(3, 60, 0.2)
    n_found = [find_communities(graph, resolution).max() + 1 for resolution in (0.5, 1.0, 4.0)]
    assert n_found == sorted(n_found)
    assert n_found[0] < n_found[2]


def test_groups_are_numbered_by_size_then_by_the_smallest_member() -> None:
    assert number_by_size(np.array([9, 4, 7, 7, 4, 2])).tolist() == [2, 0, 1, 1, 0, 3]


@pytest.mark.parametrize("link", [(1, 1, 1.0), (0, 1, 0.0), (0, 1, float("nan"))])
def test_a_link_to_itself_or_of_no_weight_is_refused(link: tuple[int, int, float]) -> None:
    with pytest.raises(ValueError, match="itself or of no weight"):
        graph_of([link], 2)
