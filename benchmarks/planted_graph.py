"""One graph with planted groups, and how well and how fast they are found again; benchmarks.relations runs it.

    python -m benchmarks.planted_graph USERS LINKS GROUPS SHARE_WITHIN [--networkx]

Each link is with SHARE_WITHIN between two users of a group of the same size, else between any two. The last line
of stdout is one JSON object. The best possible is taken from whom the true groups and shares are told: started at
the truth, each user goes to the group that is likeliest by his links, until nobody moves.
"""

import argparse
import json
import sys
import time

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ulm_spark.stats.agreement import normalised_mutual_information
from ulm_spark.stats.communities import build_graph, find_communities, modularity
from ulm_spark.stats.pagerank import rank_nodes

Labels = NDArray[np.int64]
RESOLUTIONS = (1.0, 4.0)
_SEED = 11


def draw_links(n_users: int, n_links: int, n_groups: int, within: float) -> tuple[Labels, Labels, Labels]:
    """The two ends of each link, different and each pair once, and every user's group."""
    random = np.random.default_rng(_SEED)
    planted = random.permutation(np.arange(n_users) % n_groups)
    members = np.argsort(planted, kind="stable")
    begins = np.searchsorted(planted[members], np.arange(n_groups + 1))
    n_drawn = int(n_links * 1.1)  # some pairs come twice
    one = random.integers(0, n_users, n_drawn)
    sizes = np.diff(begins)[planted[one]]
    mate = members[begins[planted[one]] + (random.random(n_drawn) * sizes).astype(np.int64)]
    other = np.where(random.random(n_drawn) < within, mate, random.integers(0, n_users, n_drawn))
    keys = np.unique((np.minimum(one, other) * n_users + np.maximum(one, other))[one != other])
    chosen = np.sort(random.permutation(keys)[:n_links])
    return chosen // n_users, chosen % n_users, planted


def agreement(found: Labels, planted: Labels) -> float:
    """Normalised mutual information of two label vectors."""
    cells, n_joint = np.unique(np.stack([found, planted], axis=1), axis=0, return_counts=True)
    return normalised_mutual_information(cells[:, 0], cells[:, 1], n_joint)


def likeliest(graph: csr_array, planted: Labels) -> Labels:
    """The groups by one who knows the shares of linked pairs within and between groups, and starts at the truth."""
    n_users, n_groups = len(planted), int(planted.max()) + 1
    labels, sizes = planted.copy(), np.bincount(planted)
    to_all = np.asarray(graph.sum(axis=1)).reshape(-1)
    own = np.asarray((graph @ _members(planted, n_groups)).todense())[np.arange(n_users), planted]
    p_in = own.sum() / (sizes * (sizes - 1)).sum()
    p_out = (to_all.sum() - own.sum()) / (n_users**2 - (sizes**2).sum())
    a_link = np.log(p_in * (1 - p_out) / (p_out * (1 - p_in)))
    a_member = np.log((1 - p_in) / (1 - p_out))
    for _ in range(50):
        score = (graph @ _members(labels, n_groups)).todense() * a_link + np.bincount(
            labels, minlength=n_groups
        ) * a_member
        moved = np.asarray(score.argmax(axis=1), dtype=np.int64).reshape(-1)
        if (moved == labels).all():
            break
        labels = moved
    return labels


def by_networkx(graph: csr_array) -> Labels:
    """Louvain's groups by networkx."""
    import networkx as nx

    labels = np.empty(graph.shape[0], dtype=np.int64)
    for group, members in enumerate(nx.community.louvain_communities(nx.from_scipy_sparse_array(graph), seed=1)):
        labels[list(members)] = group
    return labels


def measure(n_users: int, n_links: int, n_groups: int, within: float, with_networkx: bool) -> dict[str, float]:
    """Seconds, agreement with the planted groups and modularity of all who look for them."""
    left, right, planted = draw_links(n_users, n_links, n_groups, within)
    graph = build_graph(left, right, np.ones(len(left)), n_users)
    figures = {"links": float(len(left)), "planted_modularity": modularity(graph, planted)}
    for resolution in RESOLUTIONS:
        began_s = time.monotonic()
        found = find_communities(graph, resolution)
        figures[f"seconds_{resolution:g}"] = time.monotonic() - began_s
        figures[f"nmi_{resolution:g}"] = agreement(found, planted)
        figures[f"groups_{resolution:g}"] = float(found.max()) + 1
        figures[f"modularity_{resolution:g}"] = modularity(graph, found)
    began_s = time.monotonic()
    rank_nodes(graph)
    figures["influence_seconds"] = time.monotonic() - began_s
    if n_users * n_groups <= 50_000_000:
        figures["nmi_likeliest"] = agreement(likeliest(graph, planted), planted)
    if with_networkx:
        began_s = time.monotonic()
        found = by_networkx(graph)
        figures["networkx_seconds"] = time.monotonic() - began_s
        figures["nmi_networkx"] = agreement(found, planted)
        figures["modularity_networkx"] = modularity(graph, found)
    return {name: round(value, 4) for name, value in figures.items()}


def _members(labels: Labels, n_groups: int) -> csr_array:
    n_users = len(labels)
    return csr_array((np.ones(n_users), labels, np.arange(n_users + 1)), shape=(n_users, n_groups))


def main() -> int:
    parser = argparse.ArgumentParser()
    for name, kind in (("users", int), ("links", int), ("groups", int), ("within", float)):
        parser.add_argument(name, type=kind)
    parser.add_argument("--networkx", action="store_true")
    asked = parser.parse_args()
    print(json.dumps(measure(asked.users, asked.links, asked.groups, asked.within, asked.networkx)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
