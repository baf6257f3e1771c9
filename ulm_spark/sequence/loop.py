"""The training loop: the same on one rank and on many, the same after a kill as without one."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby

import keras
import numpy as np

from ulm_spark.config.errors import TrainingError
from ulm_spark.sequence.batches import Ahead, Batch
from ulm_spark.sequence.checkpoint import Arrays, Checkpoint, Progress
from ulm_spark.sequence.first_network import first_network
from ulm_spark.sequence.models.network import NextItem, seed_dropout
from ulm_spark.sequence.plan import Pool, epoch_order
from ulm_spark.sequence.prior import Periods
from ulm_spark.sequence.ranks import Ranks
from ulm_spark.sequence.rows import Rows
from ulm_spark.sequence.shard import Shard
from ulm_spark.sequence.snapshot import Manifest
from ulm_spark.sequence.step import Stepper
from ulm_spark.sequence.task_validation import TaskValidator
from ulm_spark.sequence.validation import Measured, Validator

Report = Callable[[dict[str, float]], None]
Keep = Callable[[Checkpoint], None]
_LEAST_NDCG = 1e-3
_NEGATIVES, _DROPOUT = 21, 22  # streams of random numbers of one pool


@dataclass(frozen=True)
class Trained:
    """What training ends with, equal on every rank: the network of the best epoch, and what was measured."""

    network: NextItem
    metrics: dict[str, float]


class Training:
    """One rank's part of one training."""

    def __init__(self, manifest: Manifest, vocabulary: tuple[str, ...], ranks: Ranks) -> None:
        self._manifest, self._ranks = manifest, ranks
        self._conf, snapshot = manifest.conf, manifest.snapshot
        conf = self._conf
        self._shard = Shard(manifest, ranks)
        found = self._shard.survey()
        self._periods = found.periods
        network = first_network(manifest, vocabulary, self._shard, found.prior, ranks)
        self._stepper = Stepper(network, conf, self._periods, ranks, self._shard.n_moves * conf.max_epochs)
        seen = conf.targets.exclude_seen
        ranked, shown = found.ranked if conf.heads.next_item else Rows.empty(2), conf.model.max_length
        self._validator = Validator(network, ranked, self._periods, ranks, exclude_seen=seen, length=shown)
        self._task_validator = TaskValidator(network, found.apart, conf, snapshot.known_until_s, ranks)
        self._waited_s = 0.0

    @property
    def stepper(self) -> Stepper:
        """What takes its steps."""
        return self._stepper

    @property
    def periods(self) -> Periods:
        """Of the prior."""
        return self._periods

    def run(self, report: Report, keep: Keep, begun: Checkpoint | None = None) -> Trained:
        """Epochs until the last, or until validation no longer gets better; then the best epoch's weights.

        keep: gets the state after each pool, on every rank; what it raises ends the training. begun: of an earlier
        run, with any number of ranks; the first rank's counts.
        """
        progress, best = self._begin(begun)
        begun_s, n_trained = time.monotonic(), 0
        while progress.epoch < self._conf.max_epochs and progress.n_worse < self._conf.patience:
            begun_epoch_s, self._waited_s = time.monotonic(), 0.0
            progress = self._epoch(progress, partial(self._keep, keep, best))
            trained_s = time.monotonic() - begun_epoch_s
            loss = progress.losses / progress.weights if progress.weights else 0.0
            self._require_numbers(progress.epoch + 1)
            found, task_losses = self._validated()
            progress = replace(progress, epoch=progress.epoch + 1, n_pools=0, losses=0.0, weights=0.0)
            # Without validation users the loss decides; both numbers are equal on all ranks, so all stop together.
            score = self._score(found, task_losses) if found.n_users or task_losses else -loss
            if not math.isfinite(score):
                raise _diverged(f"a validation of {score}", progress.epoch)
            if progress.best_epoch == 0 or score > progress.best_score:
                progress = replace(progress, best_epoch=progress.epoch, best_ndcg=found.ndcg, best_loss=loss, n_worse=0)
                progress = replace(progress, best_score=score)
                best = self._weights()
            else:
                progress = replace(progress, n_worse=progress.n_worse + 1)
            keep(self._checkpoint(progress, best))
            n_trained += self._manifest.snapshot.n_rows
            told = {f"{task}_loss": task_loss for task, task_loss in task_losses.items()}
            report({**self._told(progress, loss, found, trained_s), **told})
        for variable, value in zip(self._stepper.network.trainable_variables, best, strict=True):
            variable.assign(value)
        seconds = time.monotonic() - begun_s
        metrics = self._metrics(progress, seconds, n_trained)
        metrics |= {f"validation_{task}_loss": loss for task, loss in self._task_validator.measure().items()}
        return Trained(self._stepper.network, metrics)

    def _score(self, found: Measured, task_losses: dict[str, float]) -> float:
        """What the best epoch has most of: NDCG; with tasks its logarithm less their losses.

        A hundredth more of NDCG counts as much as a hundredth of a nat less, whatever the tasks weigh in training.
        """
        if not task_losses:
            return found.ndcg
        of_items = math.log(max(found.ndcg, _LEAST_NDCG)) if self._conf.heads.next_item else 0.0
        return of_items - sum(task_losses.values())

    def _told(self, progress: Progress, loss: float, found: Measured, trained_s: float) -> dict[str, float]:
        return {
            "epoch": progress.epoch,
            "loss": loss,
            "ndcg": found.ndcg,
            "hit_rate": found.hit_rate,
            "n_validation": found.n_users,
            "rows_per_s": self._manifest.snapshot.n_rows / trained_s,
            "wait_share": self._waited_s / trained_s,
        }

    def _epoch(self, progress: Progress, after_pool: Callable[[Progress], None]) -> Progress:
        """What is left of one pass over all rows of all ranks; progress with all its pools done."""
        order = epoch_order(self._shard.pools, self._conf.seed, progress.epoch)
        places = {pool.number: place for place, pool in enumerate(order)}
        steps = Ahead(lambda: self._shard.steps(order[progress.n_pools :], progress.epoch), self._conf.feed.n_ahead)
        with closing(iter(steps)) as ready:
            for pool, of_pool in groupby(ready, key=lambda step: step[0]):
                losses, weights = self._learn(pool, (batches for _, batches in of_pool), progress.epoch)
                losses, weights = progress.losses + losses, progress.weights + weights
                progress = replace(progress, n_pools=places[pool.number] + 1, losses=losses, weights=weights)
                if progress.n_pools < len(order):  # the last one's state is kept with what validation says of it
                    after_pool(progress)
        self._waited_s += steps.waited_s
        return progress

    def _learn(self, pool: Pool, steps: Iterator[list[Batch]], epoch: int) -> tuple[float, float]:
        """All steps of a pool; sums of losses and weights over its targets."""
        seed = (self._conf.seed, epoch, pool.number)
        seed_dropout(self._stepper.network, (*seed, _DROPOUT, self._ranks.rank))
        shared = np.random.default_rng((*seed, _NEGATIVES))
        losses = weights = 0.0
        for batches in steps:
            loss, weight = self._stepper.take(batches, shared)
            if not math.isfinite(loss):
                raise _diverged(f"a loss of {loss}", epoch + 1)
            losses, weights = losses + loss, weights + weight
        return losses, weights

    def _require_numbers(self, epoch: int) -> None:
        """Raises where the weights are none, the same on all ranks: a loss is of the weights before its step."""
        averaged, own = self._stepper.optimiser.averaged, self._stepper.network.trainable_variables
        for variable in (*averaged, *own):
            if not np.isfinite(variable.numpy()).all():
                raise _diverged(f"weights of {variable.path} that are no numbers", epoch)

    def _validated(self) -> tuple[Measured, dict[str, float]]:
        """Validation of the weights as they would be exported."""
        weights = self._stepper.network.trainable_variables
        own = [weight.numpy() for weight in weights]
        for weight, value in zip(weights, self._weights(), strict=True):
            weight.assign(value)
        found = self._validator.measure(), self._task_validator.measure()
        for weight, value in zip(weights, own, strict=True):
            weight.assign(value)
        return found

    def _weights(self) -> Arrays:
        return [variable.numpy() for variable in self._stepper.optimiser.averaged]

    def _keep(self, keep: Keep, best: Arrays, progress: Progress) -> None:
        keep(self._checkpoint(progress, best))

    def _checkpoint(self, progress: Progress, best: Arrays) -> Checkpoint:
        return Checkpoint(progress, [variable.numpy() for variable in self._variables()], best)

    def _variables(self) -> list[keras.Variable]:
        """What a checkpoint holds: all that a step changes, and what is fixed for each item, such as its codes."""
        fixed = [weight for weight in self._stepper.network.by_item if not weight.trainable]
        return [*self._stepper.variables, *fixed]

    def _begin(self, begun: Checkpoint | None) -> tuple[Progress, Arrays]:
        """The first rank's state on every rank: that of an earlier run, else the first weights."""
        here = begun or self._checkpoint(Progress(), self._weights())
        progress = Progress.of(np.asarray(self._ranks.share_arrays([here.progress.numbers()])[0], np.float64))
        state, best = self._ranks.share_arrays(here.state), self._ranks.share_arrays(here.best)
        for variable, value in zip(self._variables(), state, strict=True):
            variable.assign(value)
        return progress, best

    def _metrics(self, progress: Progress, seconds: float, n_trained: int) -> dict[str, float]:
        return {
            "loss": progress.best_loss,
            "validation_ndcg@10": max(progress.best_ndcg, 0.0),
            "best_epoch": progress.best_epoch,
            "n_epochs": progress.epoch,
            "n_ranks": self._ranks.size,
            "n_rows": self._manifest.snapshot.n_rows,
            "seconds": round(seconds, 3),
            "rows_per_s": round(n_trained / seconds, 1) if seconds > 0 else 0.0,
        }


def _diverged(what: str, epoch: int) -> TrainingError:
    return TrainingError(
        f"training: found {what} in epoch {epoch}; expected numbers. The last checkpoint, where there is one, is kept. "
        "Lower training.optimiser.learning_rate, or set its clip_norm, and run train_sequence again."
    )
