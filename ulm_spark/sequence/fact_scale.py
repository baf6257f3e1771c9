"""How large are facts, so that a network can take them all alike?"""

from collections.abc import Iterable

import numpy as np

from ulm_spark.sequence.facts import N_FACTS, facts_of
from ulm_spark.sequence.ranks import Ranks
from ulm_spark.sequence.rows import Float32s, Rows

_ROWS = 50_000


def fact_scale(
    shard: Iterable[Rows], n_rows: int, n_events: int, known_until_s: int, ranks: Ranks
) -> tuple[Float32s, Float32s]:
    """Mean and standard deviation of each fact at known_until_s over the rows of all ranks: [N_FACTS] each.

    In:   shard, this rank's rows; n_rows of all ranks.
    Rule: of more than 50,000 rows a share is taken, chosen by the hash of the user: the same whatever rank has whom.
    Edge: a fact that is the same everywhere has deviation 1.
    """
    sums = np.zeros(1 + 2 * N_FACTS)
    for rows in shard:
        is_chosen = rows.hash_place > 1 - _ROWS / max(n_rows, 1)
        chosen = rows.take(np.flatnonzero(is_chosen & rows.is_item.any(axis=1)))
        last = np.full(len(chosen), chosen.items.shape[1] - 1, np.int32)
        elapsed_s = known_until_s - chosen.at_s[:, -1]
        facts = facts_of(chosen, np.arange(len(chosen), dtype=np.int32), last, elapsed_s, n_events).astype(np.float64)
        sums += np.concatenate([[len(facts)], facts.sum(axis=0), np.square(facts).sum(axis=0)])
    n, total, squares = np.split(ranks.add(sums), [1, 1 + N_FACTS])
    mean = total / max(n[0], 1)
    variance = np.maximum(squares / max(n[0], 1) - mean**2, 0)
    deviation = np.where(variance > 1e-6, np.sqrt(variance), 1.0)
    return mean.astype(np.float32), deviation.astype(np.float32)
