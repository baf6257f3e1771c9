"""What do the heads say of users of whom training asks nothing, at instants that stay the same in all epochs?"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from ulm_spark.sequence.conf import TrainingConf
from ulm_spark.sequence.head_losses import head_losses
from ulm_spark.sequence.models.network import NextItem
from ulm_spark.sequence.queries import fixed_queries
from ulm_spark.sequence.ranks import Ranks
from ulm_spark.sequence.rows import Rows

_N_WINDOWS = 4
_BATCH = 256
_SEED = 31
ANSWERS = ("next_code", "until_next_s", "has_next", "is_gone", "value", "has_outcome", "is_buying", "has_visit")
Answered = dict[str, tuple[tf.Tensor, tf.Tensor]]


class TaskValidator:
    """Losses of the tasks over the validation rows of all ranks, the same however these are dealt to the ranks."""

    def __init__(self, network: NextItem, rows: Rows, conf: TrainingConf, known_until_s: int, ranks: Ranks) -> None:
        self._network, self._ranks, self._tasks = network, ranks, conf.heads.tasks
        length = conf.model.max_length
        asked = rows if self._tasks else Rows.empty(length)
        ordered = asked.take(np.argsort(asked.is_item.sum(axis=1), kind="stable"))
        self._rows, self._queries = fixed_queries(ordered, _N_WINDOWS, conf.heads, length, known_until_s, _SEED)
        self._answer: Callable[..., Answered] = tf.function(self._losses, reduce_retracing=True)

    def measure(self) -> dict[str, float]:
        """Mean loss of each task, in nats; 0 for one of which no answer is known. Edge: none without any answer."""
        sums = np.zeros((len(self._tasks), 2))
        for start in range(0, len(self._rows), _BATCH):
            found = self._batch(start)
            sums += [[float(number) for number in found[task]] for task in self._tasks]
        totals = self._ranks.add(sums)
        if not totals[:, 1].any():
            return {}
        return {task: float(totals[n, 0] / max(totals[n, 1], 1.0)) for n, task in enumerate(self._tasks)}

    def _batch(self, start: int) -> Answered:
        places = np.arange(start, min(start + _BATCH, len(self._rows)))
        rows, asked = self._rows.take(places).trimmed(), self._queries
        n_cut = self._rows.items.shape[1] - rows.items.shape[1]
        chosen = slice(*np.searchsorted(asked.row, [start, start + len(places)]))
        where = np.stack([asked.row[chosen] - start, asked.place[chosen] - n_cut], axis=1)
        known = {name: tf.convert_to_tensor(getattr(asked, name)[chosen]) for name in ANSWERS}
        return self._answer(
            rows.items, rows.codes, rows.gaps(), where, asked.elapsed_s[chosen], asked.facts[chosen], known
        )

    def _losses(
        self,
        items: tf.Tensor,
        codes: tf.Tensor,
        gaps: tf.Tensor,
        where: tf.Tensor,
        elapsed_s: tf.Tensor,
        facts: tf.Tensor,
        known: dict[str, tf.Tensor],
    ) -> Answered:
        assert self._network.heads is not None  # a task needs a head
        states = tf.gather_nd(self._network(items, codes, gaps), where)
        return head_losses(self._network.heads(states, elapsed_s, facts), known)
