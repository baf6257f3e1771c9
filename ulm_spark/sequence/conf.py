"""What does the training of a sequence model need to be told?"""

from dataclasses import dataclass
from typing import Literal

from ulm_spark.config.require import require

Architecture = Literal["sasrec", "gru"]
Launcher = Literal["inline", "horovodrun", "spark"]


@dataclass(frozen=True)
class TrainingConf:
    """Section ``training``.

    model: sasrec, a causal Transformer, or gru. dim: width of item vectors. n_blocks: Transformer
    blocks or GRU layers. n_heads: attention heads, dividing dim. dropout: share dropped.
    max_length: events of a sequence that the model sees, the last ones.

    target_events: the model learns to name the items of so many following events; 1 is the next item,
    more suits baskets, whose lines share an instant. n_positions: places of each sequence that an
    epoch learns from, drawn at random. exclude_seen: neither learn nor recommend items that the user
    bought before. top_n: length of a list of recommendations.

    prior_days: period after which the popularity that scores start from is renewed.
    prior_half_life_days: age at which an event counts half in it, null for never.
    prior_smoothing: events added to each item in it.

    full_softmax_items: vocabularies above this size train on sampled items. n_sampled: how many a step.

    batch_size: sequences a step, over all ranks together. learning_rate: of Adam. max_epochs: at most.
    patience: epochs without a better validation NDCG@10 before it stops. seed: of everything random.
    validation_share: share of users, chosen by a hash, whose last instant is held out for stopping.
    max_validation_users: at most, over all ranks.

    launcher: inline (one process), horovodrun, or spark (horovod.spark.run, one rank a task).
    n_ranks: processes that train; inline has 1 whatever is said here. hosts: for horovodrun, such as
    a:2,b:2; empty for this machine. threads_per_rank: threads of TensorFlow in each, 0 for its own choice.

    feed_workers: threads that read Parquet in each rank; above 1 and with more than shuffle_rows rows
    a rank, two runs of one seed may see other batches. shuffle_rows: rows a rank shuffles at a time.
    """

    model: Architecture = "sasrec"
    dim: int = 64
    n_blocks: int = 1
    n_heads: int = 2
    dropout: float = 0.2
    max_length: int = 50
    target_events: int = 5
    n_positions: int = 8
    exclude_seen: bool = True
    top_n: int = 20
    prior_days: int = 7
    prior_half_life_days: float | None = 14.0
    prior_smoothing: float = 0.5
    full_softmax_items: int = 20_000
    n_sampled: int = 1024
    batch_size: int = 64
    learning_rate: float = 4e-3
    max_epochs: int = 10
    patience: int = 3
    seed: int = 20111209
    validation_share: float = 0.1
    max_validation_users: int = 5000
    launcher: Launcher = "horovodrun"
    n_ranks: int = 2
    hosts: str = ""
    threads_per_rank: int = 1
    feed_workers: int = 1
    shuffle_rows: int = 100_000

    def __post_init__(self) -> None:
        whole = (
            *("dim", "n_blocks", "n_heads", "max_length", "target_events", "n_positions", "top_n", "prior_days"),
            *("n_sampled", "batch_size", "max_epochs", "patience", "n_ranks", "feed_workers", "shuffle_rows"),
        )
        for name in whole:
            require(getattr(self, name) >= 1, f"training.{name}", getattr(self, name), "1 or more")
        for name in ("full_softmax_items", "max_validation_users", "threads_per_rank"):
            require(getattr(self, name) >= 0, f"training.{name}", getattr(self, name), "0 or more")
        for name in ("prior_smoothing", "learning_rate"):
            require(getattr(self, name) > 0, f"training.{name}", getattr(self, name), "a number above 0")
        length, half_life = self.max_length, self.prior_half_life_days
        require(length >= 2, "training.max_length", length, "2 or more, since one event has no next")
        for name in ("dropout", "validation_share"):
            require(0 <= getattr(self, name) < 1, f"training.{name}", getattr(self, name), "0 up to below 1")
        require(self.dim % self.n_heads == 0, "training.n_heads", self.n_heads, f"a divisor of dim, {self.dim}")
        is_age = half_life is None or half_life > 0
        require(is_age, "training.prior_half_life_days", half_life, "days above 0, or null")
        at_least = f"at least the number of ranks, {self.ranks}"
        require(self.batch_size >= self.ranks, "training.batch_size", self.batch_size, at_least)

    @property
    def ranks(self) -> int:
        """Processes that train."""
        return 1 if self.launcher == "inline" else self.n_ranks

    @property
    def rank_batch(self) -> int:
        """Sequences a step of one rank: the batch size over the ranks, rounded up."""
        return -(-self.batch_size // self.ranks)
