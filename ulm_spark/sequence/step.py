"""One step of learning: the loss of a batch or more, its gradient summed over ranks, one move of Adam.

Each rank gives sums, not means: sum of losses, sum of weights, gradient of the first. Their totals over
ranks, divided once, are the mean over all targets of the step, however they lie on the ranks and in batches.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import keras
import numpy as np
import tensorflow as tf

from ulm_spark.sequence.batches import Batch
from ulm_spark.sequence.conf import TrainingConf
from ulm_spark.sequence.facts import N_FACTS
from ulm_spark.sequence.head_losses import head_losses
from ulm_spark.sequence.loss_scale import LossScale
from ulm_spark.sequence.losses import draw_evenly, draw_negatives, full_loss, gbce_loss, is_of_history, sampled_loss
from ulm_spark.sequence.models.network import NextItem
from ulm_spark.sequence.optimiser import Optimiser
from ulm_spark.sequence.prior import Periods
from ulm_spark.sequence.queries import Queries
from ulm_spark.sequence.ranks import Gradient, Ranks
from ulm_spark.sequence.rows import Float32s

Parts = dict[str, tf.Tensor]
_INPUTS = {
    "items": tf.TensorSpec([None, None], tf.int32),
    "codes": tf.TensorSpec([None, None], tf.int32),
    "gaps": tf.TensorSpec([None, None], tf.int64),
    "places": tf.TensorSpec([None, 2], tf.int32),  # row and place of each target place
    "periods": tf.TensorSpec([None], tf.int32),
    "weights": tf.TensorSpec([None, None], tf.float32),
    "negatives": tf.TensorSpec([None], tf.int32),
    "log_expected": tf.TensorSpec([None], tf.float32),
    "units": tf.TensorSpec([None], tf.float32),  # what a loss of the next item, and one of each task, counts
}
_QUERY_INPUTS = {
    "asked": tf.TensorSpec([None, 2], tf.int32),  # row and place of each question
    "elapsed_s": tf.TensorSpec([None], tf.int64),
    "facts": tf.TensorSpec([None, N_FACTS], tf.float32),
    "next_code": tf.TensorSpec([None], tf.int32),
    "until_next_s": tf.TensorSpec([None], tf.int64),
    **{
        name: tf.TensorSpec([None], tf.float32)
        for name in ("has_next", "is_gone", "value", "has_outcome", "is_buying", "has_visit")
    },
}
# The field of Queries that says whether a task's answer is known; of a gap it always is, to the end or up to now.
_KNOWN = {"action": "has_next", "churn": "has_outcome", "value": "has_outcome", "conversion": "has_visit"}


class Stepper:
    """Takes steps with one network and one optimizer on every rank. n_steps: moves of a whole training."""

    def __init__(self, network: NextItem, conf: TrainingConf, periods: Periods, ranks: Ranks, n_steps: int = 1) -> None:
        self.network = network
        self._conf = conf
        self._kind = conf.loss.kind_for(network.n_items)
        # Among all items every row of a table has a gradient; among some that are drawn few have. Without the next
        # item one of the tables has none at all.
        tables = network.tables if self._kind != "full" and conf.heads.next_item else []
        self._is_table = [any(weight is table for table in tables) for weight in network.trainable_variables]
        moving = replace(conf.optimiser, learning_rate=conf.optimiser.rate_for(conf.step_size))
        self.optimiser = Optimiser(network.trainable_variables, moving, n_steps, tables)
        # Sums of losses are as large as the step, but where tasks make them means.
        self._unit = 1.0 if conf.heads.tasks else float(conf.batch_size)
        self._scale = LossScale(self._unit) if conf.precision == "float16" else None
        self._periods = periods
        self._ranks = ranks
        self._tasks = conf.heads.tasks
        # One target a place is known beforehand: its loss takes fewer passes over all items.
        n_targets = 1 if conf.targets.n_events == 1 else None
        targets = {"target_items": tf.TensorSpec([None, n_targets], tf.int32)}
        inputs = {**_INPUTS, **targets, **(_QUERY_INPUTS if self._tasks else {})}
        self._derive: Callable[[Parts], list[Gradient]] = tf.function(self._gradients, input_signature=[inputs])
        self._move: Callable[..., tuple[tf.Tensor, tf.Tensor]] = tf.function(self._apply, reduce_retracing=True)

    @property
    def variables(self) -> list[keras.Variable]:
        """All that a step changes: weights and the optimizer's state, in a fixed order."""
        of_scale = self._scale.variables if self._scale is not None else []
        return [*self.network.trainable_variables, *self.optimiser.variables, *of_scale]

    def take(self, batches: Sequence[Batch], generator: np.random.Generator) -> tuple[float, float]:
        """One step over batches; (sum of the next item's losses, sum of weights) over all ranks.

        With tasks: (what the step makes less, the sum of mean losses by their weights; 1). generator: equal on all
        ranks.
        """
        units = self._units(batches)
        sums = [self._derive(self._parts(batch, units, generator)) for batch in batches]
        losses, weights = self._move(_added(sums))
        return float(losses), 1.0 if self._tasks else float(weights)

    def _units(self, batches: Sequence[Batch]) -> Float32s:
        """What each loss counts: 1 for the next item alone, whose sum is divided at the end; else parts of means."""
        if not self._tasks:
            return np.ones(1, np.float32)
        known = [float(sum(batch.targets.weights.sum() for batch in batches))]
        for task in self._tasks:
            asked = [batch.queries for batch in batches if batch.queries is not None]
            known.append(float(sum(_n_known(queries, task) for queries in asked)))
        totals = np.maximum(self._ranks.add(np.array(known)), 1.0)
        heads = self._conf.heads
        shares = np.array([float(heads.next_item), *([heads.weight] * len(self._tasks))])
        return np.asarray(shares / totals, np.float32)

    def _parts(self, batch: Batch, units: Float32s, generator: np.random.Generator) -> Parts:
        rows, targets = batch.rows, batch.targets
        told: dict[str, object] = {
            "items": rows.items,
            "codes": rows.codes,
            "gaps": rows.gaps(),
            "places": np.stack([targets.row, targets.place], axis=1),
            "periods": self._periods.of(targets.next_at_s).astype(np.int32),
            "target_items": targets.items,
            "weights": targets.weights,
            "negatives": np.zeros(0, np.int32),
            "log_expected": np.zeros(0, np.float32),
            "units": units,
        }
        if self._kind != "full":
            draw = draw_evenly if self._kind == "gbce" else draw_negatives
            drawn = draw(self.network.n_items, self._conf.loss.n_sampled, generator)
            told |= {"negatives": drawn.items, "log_expected": drawn.log_expected}
        if batch.queries is not None:
            asked = batch.queries
            told |= {name: getattr(asked, name) for name in _QUERY_INPUTS if name != "asked"}
            told["asked"] = np.stack([asked.row, asked.place], axis=1)
        return {name: tf.convert_to_tensor(value) for name, value in told.items()}

    def _gradients(self, parts: Parts) -> list[Gradient]:
        """Of the sum of losses by each weight, then that sum and the sum of the next item's weights."""
        with tf.GradientTape() as tape:
            every = self.network(parts["items"], parts["codes"], parts["gaps"], training=True)
            summed = tf.zeros(())
            if self._conf.heads.next_item:
                states = tf.gather_nd(every, parts["places"])
                summed += tf.reduce_sum(self._losses(states, parts) * parts["weights"]) * parts["units"][0]
            if self.network.heads is not None:
                asked = tf.gather_nd(every, parts["asked"])
                told = {"into_trunk": self._conf.heads.into_trunk, "training": True}
                said = self.network.heads(asked, parts["elapsed_s"], parts["facts"], **told)
                of_tasks = head_losses(said, parts)
                for place, task in enumerate(self._tasks):
                    summed += of_tasks[task][0] * parts["units"][1 + place]
            scaled = summed if self._scale is None else summed * self._scale.value
        gradients = tape.gradient(
            scaled,
            [variable.value for variable in self.network.trainable_variables],
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        if self._scale is not None:
            gradients = [_scaled(gradient, 1.0 / self._scale.value) for gradient in gradients]
        # A tied table has a dense part among all items, and small tables go in the one message of what is dense.
        gradients = [
            gradient if is_table else tf.convert_to_tensor(gradient)
            for gradient, is_table in zip(gradients, self._is_table, strict=True)
        ]
        return [*gradients, summed, tf.reduce_sum(parts["weights"])]

    def _losses(self, states: tf.Tensor, parts: Parts) -> tf.Tensor:
        conf, right = self._conf.loss, (self.network, states, parts["periods"], parts["target_items"])
        negatives, spared = None if self._kind == "full" else parts["negatives"], None
        if conf.spares_history:
            of_rows = is_of_history(parts["items"], self.network.n_items, negatives)
            spared = tf.gather(of_rows, parts["places"][:, 0])
        if self._kind == "full":
            return full_loss(*right, conf.smoothing, spared)
        if self._kind == "gbce":
            return gbce_loss(*right, negatives, conf.calibration, spared)
        return sampled_loss(*right, negatives, parts["log_expected"], spared)

    def _apply(self, sums: list[Gradient]) -> tuple[tf.Tensor, tf.Tensor]:
        launch = self._conf.launch
        *totals, loss, weight = self._ranks.add_gradients(sums[:-2], sums[-2:], launch.compression, self._unit)
        share = 1.0 if self._tasks else 1.0 / tf.maximum(weight, 1e-12)
        means = [_scaled(total, share) for total in totals]
        if self._scale is None:
            self.optimiser.apply(means)
        else:
            self._scale.guard(means, lambda: self.optimiser.apply(means))
        return loss, weight


def _n_known(queries: Queries, task: str) -> float:
    """Questions whose answer to a task is known."""
    return float(getattr(queries, _KNOWN[task]).sum()) if task in _KNOWN else float(len(queries))


def _scaled(gradient: Gradient, scale: tf.Tensor | float) -> Gradient:
    if isinstance(gradient, tf.IndexedSlices):
        return tf.IndexedSlices(gradient.values * scale, gradient.indices, gradient.dense_shape)
    return gradient * scale


def _added(sums: Sequence[list[Gradient]]) -> list[Gradient]:
    """The sums over batches; rows of a table behind each other."""
    if len(sums) == 1:
        return sums[0]
    added: list[Gradient] = []
    for parts in zip(*sums, strict=True):
        if isinstance(parts[0], tf.IndexedSlices):
            values = tf.concat([part.values for part in parts], axis=0)
            indices = tf.concat([part.indices for part in parts], axis=0)
            added.append(tf.IndexedSlices(values, indices, parts[0].dense_shape))
        else:
            added.append(tf.add_n(parts))
    return added
