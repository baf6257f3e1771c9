import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.scaling_model import (
    H100_HOSTS,
    Cluster,
    Link,
    Work,
    allreduce_s,
    efficiency,
    expected_distinct,
    fit_link,
    ring_s,
    rows_s,
    step_s,
    zipf,
)

LAW = zipf(1000)
DENSE = Work(0.01, 5e6)
ROWS = Work(0.01, 2e5, 276.0, 3200, LAW)
WORKS = st.sampled_from([DENSE, ROWS, replace(DENSE, overlap=0.7), replace(ROWS, overlap=1.0)])
N_GPUS = st.sampled_from([1, 2, 8, 16, 64, 512])
MORE = st.floats(1.0, 1000.0)


def slowed(cluster: Cluster, alpha: float, beta: float) -> Cluster:
    """The cluster with links of so many times the latency and the time of a byte."""
    inside, between = (Link(alpha * link.alpha_s, beta * link.beta_s) for link in (cluster.inside, cluster.between))
    return replace(cluster, inside=inside, between=between)


@given(WORKS)
def test_one_gpu_is_as_efficient_as_itself(work: Work) -> None:
    assert efficiency(1, work, H100_HOSTS) == 1.0


@given(N_GPUS, WORKS, MORE, MORE)
def test_slower_links_never_make_a_faster_step(n_gpus: int, work: Work, alpha: float, beta: float) -> None:
    slow = slowed(H100_HOSTS, alpha, beta)
    assert step_s(n_gpus, work, slow) >= step_s(n_gpus, work, H100_HOSTS) * (1 - 1e-12)
    assert efficiency(n_gpus, work, slow) <= 1 + 1e-12


@given(N_GPUS, WORKS, st.floats(0, 1), st.floats(0, 1))
def test_more_overlap_never_makes_a_slower_step(n_gpus: int, work: Work, one: float, other: float) -> None:
    less, more = sorted((one, other))
    hidden = [step_s(n_gpus, replace(work, overlap=share), H100_HOSTS) for share in (less, more)]
    assert work.compute_s - 1e-12 <= hidden[1] <= hidden[0] + 1e-12


def test_a_ring_of_two_sends_half_twice() -> None:
    assert ring_s(2, 1000.0, Link(0.5, 0.001)) == pytest.approx(2 * (0.5 + 500 * 0.001))
    assert ring_s(1, 1000.0, Link(0.5, 0.001)) == 0.0


def test_rings_of_rings_beat_one_ring_over_all_hosts() -> None:
    for n_gpus in (16, 64, 512):
        assert allreduce_s(n_gpus, 5e6, H100_HOSTS) < ring_s(n_gpus, 5e6, H100_HOSTS.between)
    assert allreduce_s(8, 5e6, H100_HOSTS) == ring_s(8, 5e6, H100_HOSTS.inside)


def test_a_long_message_over_many_hosts_nears_the_bandwidth_bound() -> None:
    wide = Cluster("one GPU a host", 1, Link(0, 0), Link(0.0, 1e-9), 0.0)
    assert allreduce_s(512, 1e9, wide) == pytest.approx(2 * 511 / 512)


@given(st.integers(1, 10_000))
def test_distinct_items_are_as_many_as_drawn_at_most(n_drawn: int) -> None:
    assert 0 < expected_distinct(LAW, n_drawn) <= min(n_drawn, len(LAW)) + 1e-6


def test_distinct_items_are_those_of_a_simulation() -> None:
    generator = np.random.default_rng(0)
    seen = [len(np.unique(generator.choice(1000, 500, p=LAW))) for _ in range(200)]
    assert expected_distinct(LAW, 500) == pytest.approx(np.mean(seen), rel=0.01)


def test_once_all_rows_are_touched_rows_cost_half_a_sum_of_the_table_a_byte() -> None:
    every = Work(0.01, 0.0, 256.0, 10**9, np.full(1000, 1e-3))
    free = slowed(replace(H100_HOSTS, cycle_s=0.0), 0.0, 1.0)
    assert rows_s(16, every, free) == pytest.approx(15 / 16 * 2 * 1000 * 256.0 * free.between.beta_s)


@given(st.floats(1e-6, 1e-2), st.floats(1e-11, 1e-8))
def test_a_link_is_found_again_from_its_seconds(alpha: float, beta: float) -> None:
    sizes = np.array([2.0**power for power in range(10, 26, 2)])
    seconds = np.array([ring_s(2, size, Link(alpha, beta)) for size in sizes])
    found = fit_link(2, sizes, seconds)
    assert math.isclose(found.alpha_s, alpha, rel_tol=1e-3)
    assert math.isclose(found.beta_s, beta, rel_tol=1e-3)
