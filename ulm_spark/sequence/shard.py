"""What does one rank read of a snapshot? Its rows before training, and the steps of each epoch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ulm_spark.config.errors import TrainingError
from ulm_spark.sequence.batches import Batch, cut, examples_of
from ulm_spark.sequence.feed import Feed
from ulm_spark.sequence.plan import Pool, list_files, pools_of
from ulm_spark.sequence.prior import Periods, no_prior, prior_logits
from ulm_spark.sequence.ranks import Ranks
from ulm_spark.sequence.rows import Float32s, Rows
from ulm_spark.sequence.snapshot import Manifest
from ulm_spark.sequence.validation import is_apart, is_validation, training_part


@dataclass(frozen=True)
class Survey:
    """What a first look at all rows tells.

    periods, prior [n_periods + 1, n_items + 1]: equal on all ranks. apart: rows of this rank's users who are set apart;
    ranked: of these, those whose last instant may be held out.
    """

    periods: Periods
    prior: Float32s
    apart: Rows
    ranked: Rows


class Shard:
    """The rows of one rank, pool by pool."""

    def __init__(self, manifest: Manifest, ranks: Ranks) -> None:
        self._snapshot, self._conf, self._ranks = manifest.snapshot, manifest.conf, ranks
        conf, snapshot = manifest.conf, manifest.snapshot
        self._feed = Feed(conf.feed, conf.read_length, ranks.rank, ranks.size)
        files = list_files(snapshot.files)
        self.pools = pools_of(files, conf.seed, conf.feed.shuffle_rows)
        self._check_rows(sum(file.n_rows for file in files))
        self._rank_batch = -(-conf.batch_size // ranks.size)
        # A cap on users is a cap on their share, so that it holds whatever rank reads whom.
        self._share = min(conf.validation_share, conf.max_validation_users / max(snapshot.n_rows, 1))

    @property
    def n_moves(self) -> int:
        """Moves of the weights in an epoch, each by n_accumulated batches, the last one of a pool by fewer."""
        n_held = self._conf.optimiser.n_accumulated
        return sum(-(-pool.n_steps(self._ranks.size, self._rank_batch) // n_held) for pool in self.pools)

    def rows(self) -> Iterator[Rows]:
        """All rows, pool by pool."""
        return (self._read(pool) for pool in self.pools)

    def _read(self, pool: Pool) -> Rows:
        rows, n_items = self._feed.read(pool), self._snapshot.n_items
        most = int(rows.items.max(initial=0))
        if most > n_items:
            raise TrainingError(
                f"silver.sequences: found item {most}; expected those of the vocabulary, 1 to {n_items}. Run "
                "build_sequences again."
            )
        return rows

    def known_rows(self) -> Iterator[Rows]:
        """All rows as training sees them, pool by pool."""
        return (training_part(rows, self._share) for rows in self.rows())

    def survey(self) -> Survey:
        """A first look, on all ranks at once."""
        snapshot, conf = self._snapshot, self._conf.prior
        first_at_s, chosen = snapshot.known_until_s, []
        for rows in self.rows():
            first_at_s = min(first_at_s, int(rows.at_s[rows.is_item].min(initial=first_at_s)))
            chosen.append(rows.take(np.flatnonzero(is_apart(rows, self._share))))
        apart = Rows.join(chosen, self._conf.read_length)
        ranked = apart.take(np.flatnonzero(is_validation(apart, self._share)))
        periods = Periods.back_to(self._ranks.least(first_at_s), snapshot.known_until_s, conf.days)
        if not conf.is_used:
            return Survey(replace(periods, n_periods=1), no_prior(snapshot.n_items), apart, ranked)
        counts = np.zeros((periods.n_periods, snapshot.n_items + 1))
        for rows in self.rows():
            counts += periods.count(rows, snapshot.n_items)
        prior = prior_logits(self._ranks.add(counts), conf.days, conf.half_life_days, conf.smoothing)
        return Survey(periods, prior, apart, ranked)

    def steps(self, pools: Sequence[Pool], epoch: int) -> Iterator[tuple[Pool, list[Batch]]]:
        """As many steps on each rank, each of so many batches."""
        for pool in pools:
            whole = self._read(pool)
            is_asked = ~is_apart(whole, self._share)
            rows = training_part(whole, self._share)
            examples = examples_of(rows, self._conf)
            known_until_s = self._snapshot.known_until_s
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
        expected = self._snapshot.n_rows
        if n_rows != expected:
            raise TrainingError(
                f"feed: found {n_rows} rows in the snapshot's files; expected {expected}. Files are gone or were "
                "changed since it was taken: run train_sequence again, and keep VACUUM away."
            )
