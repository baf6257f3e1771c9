"""The training loop: the same on one rank and on many, the same after a kill as without one."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from ulm_spark.config.errors import TrainingError
from ulm_spark.sequence.checkpoint import Arrays, Checkpoint, Progress, load_checkpoint, save_checkpoint
from ulm_spark.sequence.feed import Feed, batches, filled, shuffled
from ulm_spark.sequence.models.network import NextItem, build_network, seed_dropout
from ulm_spark.sequence.prior import Periods, prior_logits
from ulm_spark.sequence.ranks import Ranks
from ulm_spark.sequence.rows import Rows, draw_targets
from ulm_spark.sequence.snapshot import Manifest
from ulm_spark.sequence.step import Stepper
from ulm_spark.sequence.validation import Validator, is_validation, training_part

Report = Callable[[dict[str, float]], None]
_ROWS, _NEGATIVES, _DROPOUT = 0, 1, 2  # streams of random numbers of one epoch


@dataclass(frozen=True)
class Trained:
    """What training ends with, equal on every rank: the network of the best epoch, and what was measured."""

    network: NextItem
    metrics: dict[str, float]


class Training:
    """One rank's part of one training."""

    def __init__(self, manifest: Manifest, vocabulary: tuple[str, ...], ranks: Ranks) -> None:
        self._manifest, self._vocabulary, self._ranks = manifest, vocabulary, ranks
        self._conf, snapshot = manifest.conf, manifest.snapshot
        self._feed = Feed(snapshot, self._conf.max_length, self._conf.feed_workers, ranks.rank, ranks.size)
        # A cap on users is a cap on their share, so that it holds whatever rank reads whom.
        self._share = min(self._conf.validation_share, self._conf.max_validation_users / max(snapshot.n_rows, 1))
        n_rows, first_at_s, validation = self._survey()
        self._rank_batch = -(-self._conf.batch_size // ranks.size)
        self._n_steps = ranks.most(math.ceil(n_rows / self._rank_batch))
        self._periods = Periods.back_to(first_at_s, snapshot.known_until_s, self._conf.prior_days)
        network = build_network(self._conf, snapshot.n_items, self._prior())
        self._stepper = Stepper(network, self._conf, self._periods, ranks)
        seen = self._conf.exclude_seen
        self._validator = Validator(network, validation, self._periods, ranks, exclude_seen=seen)

    def run(self, report: Report) -> Trained:
        """Epochs until the last, or until validation no longer gets better; then the best epoch's weights."""
        progress, best = self._resume()
        begun_s, n_trained = time.monotonic(), 0
        while progress.epoch < self._conf.max_epochs and progress.n_worse < self._conf.patience:
            epoch_begun_s = time.monotonic()
            loss = self._epoch(progress.epoch)
            ndcg, n_users = self._validator.ndcg()
            epoch = progress.epoch + 1
            # Without validation users the loss decides; both numbers are equal on all ranks, so all stop together.
            is_better = ndcg > progress.best_ndcg if n_users else progress.best_epoch == 0 or loss < progress.best_loss
            if is_better:
                progress, best = Progress(epoch, epoch, ndcg, loss, 0), self._weights()
            else:
                progress = replace(progress, epoch=epoch, n_worse=progress.n_worse + 1)
            self._save(progress, best)
            n_trained += self._manifest.snapshot.n_rows
            rate = self._manifest.snapshot.n_rows / (time.monotonic() - epoch_begun_s)
            report({"epoch": epoch, "loss": loss, "ndcg": ndcg, "n_validation": n_users, "rows_per_s": rate})
        for variable, value in zip(self._stepper.network.trainable_variables, best, strict=True):
            variable.assign(value)
        seconds = time.monotonic() - begun_s
        return Trained(self._stepper.network, self._metrics(progress, seconds, n_trained))

    def _survey(self) -> tuple[int, int, Rows]:
        """First look at the shard: rows of this rank, earliest instant of any rank, validation rows of this one."""
        n_rows, first_at_s, chosen = 0, self._manifest.snapshot.known_until_s, []
        for rows in self._feed.read():
            n_rows += len(rows)
            first_at_s = min(first_at_s, int(rows.at_s[rows.is_item].min(initial=first_at_s)))
            chosen.append(rows.take(np.flatnonzero(is_validation(rows, self._share))))
        self._check_rows(n_rows)
        return n_rows, self._ranks.least(first_at_s), Rows.join(chosen, self._conf.max_length)

    def _prior(self) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
        n_items = self._manifest.snapshot.n_items
        counts = np.zeros((self._periods.n_periods, n_items + 1))
        for rows in self._feed.read():
            counts += self._periods.count(rows, n_items)
        conf = self._conf
        return prior_logits(self._ranks.add(counts), conf.prior_days, conf.prior_half_life_days, conf.prior_smoothing)

    def _epoch(self, epoch: int) -> float:
        """One pass over all rows of all ranks; the mean loss of a target."""
        seed, rank = self._conf.seed, self._ranks.rank
        seed_dropout(self._stepper.network, (seed, epoch, _DROPOUT, rank))
        drawn = np.random.default_rng((seed, epoch, _ROWS, rank, 1))
        shared = np.random.default_rng((seed, epoch, _NEGATIVES))
        n_rows, losses, weights = 0, 0.0, 0.0
        for rows, n_real in self._steps((seed, epoch, _ROWS, rank, 0)):
            n_rows += n_real
            targets = draw_targets(
                rows,
                self._conf.n_positions,
                self._conf.target_events,
                drawn,
                exclude_seen=self._conf.exclude_seen,
            )
            loss, weight = self._stepper.take(rows, targets, shared)
            losses, weights = losses + loss, weights + weight
        self._check_rows(n_rows)
        return losses / weights if weights else 0.0

    def _steps(self, seed: tuple[int, ...]) -> Iterator[tuple[Rows, int]]:
        """As many batches on each rank; one that has run out takes part with empty rows, whose weight is zero."""
        length = self._conf.max_length
        parts = (training_part(rows, self._share) for rows in self._feed.read())
        pools = shuffled(parts, length, self._conf.shuffle_rows, seed)
        n_taken = 0
        for rows in batches(pools, self._rank_batch, length):
            n_taken += 1
            yield filled(rows, self._rank_batch), len(rows)
        for _ in range(n_taken, self._n_steps):
            yield filled(Rows.empty(length), self._rank_batch), 0

    def _check_rows(self, n_rows: int) -> None:
        """Every epoch has seen each row of the snapshot once, over all ranks together."""
        total, expected = int(self._ranks.add_counts(n_rows)[0]), self._manifest.snapshot.n_rows
        if total != expected:
            raise TrainingError(
                f"feed: found {total} rows over {self._ranks.size} ranks; expected the snapshot's {expected}. Files "
                "are gone or were changed since it was taken: run train_sequence again, and keep VACUUM away."
            )

    def _weights(self) -> Arrays:
        return [variable.numpy() for variable in self._stepper.network.trainable_variables]

    def _save(self, progress: Progress, best: Arrays) -> None:
        if self._ranks.is_first:
            state = [variable.numpy() for variable in self._stepper.variables]
            save_checkpoint(self._manifest, self._vocabulary, Checkpoint(progress, state, best))

    def _resume(self) -> tuple[Progress, Arrays]:
        """Where an earlier run was killed, else the beginning; then the first rank's state on every rank."""
        found = load_checkpoint(self._manifest) if self._ranks.is_first else None
        variables = self._stepper.variables
        weights = list(self._stepper.network.trainable_variables)
        has_state = bool(self._ranks.most(int(found is not None)))
        progress, best = Progress(), self._weights()
        if found is not None:
            progress, best = found.progress, found.best
        if has_state:
            # The best weights travel through the network's own variables, then the state takes their place.
            for variable, value in zip(weights, best, strict=True):
                variable.assign(value)
            self._ranks.share_from_first(weights)
            best = self._weights()
            if found is not None:
                for variable, value in zip(variables, found.state, strict=True):
                    variable.assign(value)
            numbers = [progress.epoch, progress.best_epoch, progress.best_ndcg, progress.best_loss, progress.n_worse]
            shared = self._ranks.share_numbers(np.array(numbers, np.float64))
            progress = Progress(int(shared[0]), int(shared[1]), float(shared[2]), float(shared[3]), int(shared[4]))
        # The optimizer was built before, so its variables are among these and start equal too.
        self._ranks.share_from_first(variables)
        return progress, best if has_state else self._weights()

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
