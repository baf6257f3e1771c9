"""The training loop: the same on one rank and on many, the same after a kill as without one."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path

import keras
import numpy as np

from ulm_spark.config.errors import TrainingError
from ulm_spark.sequence.batches import Ahead, Batch, cut, examples_of
from ulm_spark.sequence.checkpoint import Arrays, Checkpoint, Progress
from ulm_spark.sequence.codes import Float64s, codes_of_factors, gram_of, item_factors
from ulm_spark.sequence.fact_scale import fact_scale
from ulm_spark.sequence.feed import Feed
from ulm_spark.sequence.models.network import NextItem, build_network, seed_dropout
from ulm_spark.sequence.plan import Pool, epoch_order, list_files, pools_of
from ulm_spark.sequence.prior import Periods, no_prior, prior_logits
from ulm_spark.sequence.ranks import Ranks
from ulm_spark.sequence.rows import Float32s, Rows
from ulm_spark.sequence.snapshot import Manifest
from ulm_spark.sequence.step import Stepper
from ulm_spark.sequence.task_validation import TaskValidator
from ulm_spark.sequence.validation import Measured, Validator, is_apart, is_validation, training_part
from ulm_spark.sequence.warm_start import adapt_from, begin_with

Report = Callable[[dict[str, float]], None]
Keep = Callable[[Checkpoint], None]
_LEAST_NDCG = 1e-3
_NEGATIVES, _DROPOUT = 21, 22  # streams of random numbers of one pool
_CODES = 23  # and of the whole


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
        self._feed = Feed(conf.feed, conf.read_length, ranks.rank, ranks.size)
        files = list_files(snapshot.files)
        self._pools = pools_of(files, conf.seed, conf.feed.shuffle_rows)
        self._check_rows(sum(file.n_rows for file in files))
        self._rank_batch = -(-conf.batch_size // ranks.size)
        # A cap on users is a cap on their share, so that it holds whatever rank reads whom.
        self._share = min(conf.validation_share, conf.max_validation_users / max(snapshot.n_rows, 1))
        self._periods, validation, prior = self._survey()
        network = build_network(conf, snapshot.n_items, prior, manifest.attributes)
        self._assign_codes(network)
        if network.heads is not None:
            shard = (self._feed.read(pool) for pool in self._pools)
            length, until_s = conf.model.max_length, snapshot.known_until_s
            mean, deviation = fact_scale(shard, snapshot.n_rows, length, until_s, ranks)
            network.heads.mean.assign(mean)
            network.heads.deviation.assign(deviation)
        if conf.adapter.rank:
            adapt_from(network, vocabulary, Path(manifest.begin_from), conf.adapter.rank, manifest.attributes)
        elif manifest.begin_from:
            begin_with(network, vocabulary, Path(manifest.begin_from), manifest.attributes)
        n_steps = sum(pool.n_steps(ranks.size, self._rank_batch) for pool in self._pools)
        self._stepper = Stepper(network, conf, self._periods, ranks, n_steps * conf.max_epochs)
        seen = conf.targets.exclude_seen
        ranked = validation.take(np.flatnonzero(is_validation(validation, self._share))).last(conf.model.max_length)
        ranked = ranked if conf.heads.next_item else Rows.empty(2)
        self._validator = Validator(network, ranked, self._periods, ranks, exclude_seen=seen)
        self._task_validator = TaskValidator(network, validation, conf, snapshot.known_until_s, ranks)
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
            found, task_losses = self._validated()
            progress = replace(progress, epoch=progress.epoch + 1, n_pools=0, losses=0.0, weights=0.0)
            # Without validation users the loss decides; both numbers are equal on all ranks, so all stop together.
            score = self._score(found, task_losses) if found.n_users or task_losses else -loss
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

    def _survey(self) -> tuple[Periods, Rows, Float32s]:
        """First look at the shard, pool by pool: periods of time, validation rows of this rank, and the prior."""
        snapshot, conf = self._manifest.snapshot, self._conf.prior
        first_at_s, chosen = snapshot.known_until_s, []
        for pool in self._pools:
            rows = self._feed.read(pool)
            first_at_s = min(first_at_s, int(rows.at_s[rows.is_item].min(initial=first_at_s)))
            chosen.append(rows.take(np.flatnonzero(is_apart(rows, self._share))))
        validation = Rows.join(chosen, self._conf.read_length)
        periods = Periods.back_to(self._ranks.least(first_at_s), snapshot.known_until_s, conf.days)
        if not conf.is_used:
            return replace(periods, n_periods=1), validation, no_prior(snapshot.n_items)
        counts = np.zeros((periods.n_periods, snapshot.n_items + 1))
        for pool in self._pools:
            counts += periods.count(self._feed.read(pool), snapshot.n_items)
        prior = prior_logits(self._ranks.add(counts), conf.days, conf.half_life_days, conf.smoothing)
        return periods, validation, prior

    def _assign_codes(self, network: NextItem) -> None:
        """Codes of items by who has them in common, where the settings ask for it; some looks at the shard."""
        conf, items = self._conf.model.items, network.events.items
        if conf.kind != "jpq" or conf.codes != "svd":
            return

        def gram(vectors: Float64s) -> Float64s:
            parts = (gram_of(training_part(self._feed.read(pool), self._share), vectors) for pool in self._pools)
            return self._ranks.add(sum(parts, np.zeros_like(vectors)))

        generator = np.random.default_rng((self._conf.seed, _CODES))
        factors = item_factors(gram, network.n_items, min(conf.n_splits, network.n_items), generator)
        items.codes.assign(codes_of_factors(factors, conf.n_splits, conf.n_centroids, generator))

    def _epoch(self, progress: Progress, after_pool: Callable[[Progress], None]) -> Progress:
        """What is left of one pass over all rows of all ranks; progress with all its pools done."""
        order = epoch_order(self._pools, self._conf.seed, progress.epoch)
        places = {pool.number: place for place, pool in enumerate(order)}
        steps = Ahead(lambda: self._steps(order[progress.n_pools :], progress.epoch), self._conf.feed.n_ahead)
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
                raise TrainingError(
                    f"training: found a loss of {loss} in epoch {epoch + 1}; expected a number. The last checkpoint is "
                    "kept. Lower training.optimiser.learning_rate, or set its clip_norm, and run train_sequence again."
                )
            losses, weights = losses + loss, weights + weight
        return losses, weights

    def _steps(self, pools: list[Pool], epoch: int) -> Iterator[tuple[Pool, list[Batch]]]:
        """As many steps on each rank, each of so many batches."""
        for pool in pools:
            whole = self._feed.read(pool)
            is_asked = ~is_apart(whole, self._share)
            rows = training_part(whole, self._share)
            examples = examples_of(rows, self._conf.targets)
            known_until_s = self._manifest.snapshot.known_until_s
            n_steps = pool.n_steps(self._ranks.size, self._rank_batch)
            seed = (self._conf.seed, epoch, pool.number)
            n_rows, n_held, held = 0, self._conf.optimiser.n_accumulated, []
            for batch in cut(rows, examples, is_asked, n_steps, self._conf, known_until_s, seed, self._ranks.rank):
                n_rows += batch.n_rows
                held.append(batch)
                if len(held) == n_held:
                    yield pool, held
                    held = []
            if held:
                yield pool, held
            if n_rows != len(examples):
                raise TrainingError(f"feed: cut {n_rows} rows of pool {pool.number}; expected {len(examples)}.")

    def _check_rows(self, n_rows: int) -> None:
        expected = self._manifest.snapshot.n_rows
        if n_rows != expected:
            raise TrainingError(
                f"feed: found {n_rows} rows in the snapshot's files; expected {expected}. Files are gone or were "
                "changed since it was taken: run train_sequence again, and keep VACUUM away."
            )

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
