"""What would a step cost on many GPUs? Its computing, as measured or given, and a model of its messages.

A message of m bytes over a link takes alpha + beta * m seconds. Sources: Thakur, Rabenseifner & Gropp (2005),
Optimization of Collective Communication Operations in MPICH, IJHPCA 19(1), 49-66, for the model and the exchange of
all with all; Patarasuk & Yuan (2009), Bandwidth optimal all-reduce algorithms for clusters of workstations, JPDC
69(2), 117-124, for the ring. Left out: ranks that wait for a slow one, other traffic, and reading of rows.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Link:
    """alpha_s: seconds that a message takes whatever its size. beta_s: seconds a byte."""

    alpha_s: float
    beta_s: float


@dataclass(frozen=True)
class Cluster:
    """Hosts of gpus_per_host GPUs each.

    inside: between GPUs of a host. between: a GPU's share of what connects its host to others. cycle_s: of Horovod's
    clock, at which it sends what is ready; on average half of it is waited for.
    """

    name: str
    gpus_per_host: int
    inside: Link
    between: Link
    cycle_s: float


# A DGX H100 by its data sheet: 900 GB/s of NVLink a GPU in both directions, and a card of 400 Gb/s a GPU. Of these,
# two thirds and four fifths are taken as reached; the alphas are those of NCCL's own model for rings of simple
# messages (hwLat in its graph/tuning.cc); the cycle is Horovod's default.
H100_HOSTS = Cluster("NVLink, 400 Gb/s a GPU", 8, Link(3.4e-6, 1 / 300e9), Link(14e-6, 1 / 40e9), 1e-3)
# Hosts without NVLink that share one card: PCIe 3.0 x16, 15.75 GB/s by its standard, three quarters of it, and of
# 100 Gb/s four fifths for eight GPUs.
SHARED_CARD = Cluster("PCIe, 100 Gb/s a host", 8, Link(5.7e-6, 1 / 12e9), Link(14e-6, 8 / 10e9), 1e-3)


@dataclass(frozen=True)
class Work:
    """A step of one rank.

    compute_s: without messages. dense_bytes: of gradients that are summed as a whole. row_bytes: of one row of a table,
    0 where tables are among the dense. n_drawn: items that a rank's batch names. law: [n_items] how likely each is
    drawn. overlap: share of the messages that hides behind the computing, 0 where they begin after it.
    """

    compute_s: float
    dense_bytes: float
    row_bytes: float = 0.0
    n_drawn: int = 0
    law: NDArray[np.float64] | None = None
    overlap: float = 0.0


def ring_s(n_ranks: int, n_bytes: float, link: Link) -> float:
    """A sum over a ring: n - 1 steps that add, n - 1 that tell, of a part of n each."""
    return 2 * (n_ranks - 1) * (link.alpha_s + n_bytes / n_ranks * link.beta_s)


def allreduce_s(n_gpus: int, n_bytes: float, cluster: Cluster) -> float:
    """A sum over hosts: by a ring in each host, then each GPU its part by a ring over the hosts, then told in each."""
    inside = min(n_gpus, cluster.gpus_per_host)
    n_hosts = -(-n_gpus // cluster.gpus_per_host)
    return ring_s(inside, n_bytes, cluster.inside) + ring_s(n_hosts, n_bytes / inside, cluster.between)


def rows_s(n_gpus: int, work: Work, cluster: Cluster) -> float:
    """Rows of a table to their owners, and their sums to all: an exchange of all with all, then a ring that gathers.

    Within one host by its own links, else by those between hosts, which are the slower.
    """
    if n_gpus == 1 or work.law is None:
        return 0.0
    link = cluster.inside if n_gpus <= cluster.gpus_per_host else cluster.between
    sent = expected_distinct(work.law, work.n_drawn) * work.row_bytes
    summed = expected_distinct(work.law, n_gpus * work.n_drawn) * work.row_bytes
    return 2 * (n_gpus - 1) * link.alpha_s + (n_gpus - 1) / n_gpus * (sent + summed) * link.beta_s


def expected_distinct(law: NDArray[np.float64], n_drawn: int) -> float:
    """How many items come at least once in so many draws: the sum of 1 - (1 - p) ** n."""
    return float(-np.expm1(n_drawn * np.log1p(-np.minimum(law, 1 - 1e-12))).sum())


def step_s(n_gpus: int, work: Work, cluster: Cluster) -> float:
    """A step: its computing, and what of its messages does not hide behind it."""
    if n_gpus == 1:
        return work.compute_s
    n_rounds = 1 if work.law is None else 3
    messages = n_rounds * cluster.cycle_s / 2
    messages += allreduce_s(n_gpus, work.dense_bytes, cluster) + rows_s(n_gpus, work, cluster)
    return work.compute_s + messages - min(work.overlap * messages, work.compute_s)


def efficiency(n_gpus: int, work: Work, cluster: Cluster) -> float:
    """Rows a second of n GPUs over n times those of one, each with the same batch."""
    return work.compute_s / step_s(n_gpus, work, cluster)


def zipf(n_items: int) -> NDArray[np.float64]:
    """Zipf's law: the i-th item is drawn as 1 / i."""
    shares = 1.0 / np.arange(1, n_items + 1)
    return np.asarray(shares / shares.sum())


def fit_link(n_ranks: int, n_bytes: NDArray[np.float64], seconds: NDArray[np.float64]) -> Link:
    """The link whose rings take these seconds, by least squares of relative errors; neither number below 0."""
    by_part = np.stack([np.ones_like(n_bytes), n_bytes / n_ranks], axis=1) * 2 * (n_ranks - 1)
    alpha, beta = np.linalg.lstsq(by_part / seconds[:, None], np.ones_like(seconds), rcond=None)[0]
    return Link(max(float(alpha), 0.0), max(float(beta), 0.0))
