"""What does the training of a sequence model need to be told?"""

from dataclasses import dataclass, field
from typing import Literal

from ulm_spark.config.require import require, require_counts
from ulm_spark.sequence.learning_conf import HeadsConf, LossConf, OptimiserConf, PriorConf, TargetsConf
from ulm_spark.sequence.model_conf import ModelConf

Launcher = Literal["inline", "horovodrun", "spark"]
FeedKind = Literal["petastorm", "arrow"]
Compression = Literal["none", "fp16"]
Precision = Literal["float32", "bfloat16", "float16"]
Stored = Literal["float32", "float16", "int8"]


@dataclass(frozen=True)
class AdapterConf:
    """Part ``training.adapter``: tune few parameters of a model that is there, for other tasks or another time.

    rank: of the change beside each matrix of the trunk; 0 trains everything. model: that model, as its path stands in
    ops.sequence_models; empty for the latest of an earlier day. training.model must be as it was there.
    """

    rank: int = 0
    model: str = ""

    def __post_init__(self) -> None:
        require(self.rank >= 0, "training.adapter.rank", self.rank, "0 or more")
        is_used = bool(self.rank) or not self.model
        require(is_used, "training.adapter.model", self.model, "empty where training.adapter.rank is 0")


@dataclass(frozen=True)
class FeedConf:
    """Part ``training.feed``.

    kind: petastorm, or arrow, which reads the same batches by pyarrow alone. workers: threads that read Parquet in each
    rank, with petastorm. shuffle_rows: rows of all ranks together that are shuffled at a time; a training that was
    ended goes on between two such pools. cache: folder on a rank's own disk that keeps row groups as they are fed,
    empty for none; cache_gb: its greatest size. It knows files by their names, which Delta gives but once. by_length:
    batches hold sequences of like length, so that little is padding. n_ahead: batches that are made ready before they
    are asked for.
    """

    kind: FeedKind = "petastorm"
    workers: int = 1
    shuffle_rows: int = 100_000
    cache: str = ""
    cache_gb: float = 10.0
    by_length: bool = True
    n_ahead: int = 4

    def __post_init__(self) -> None:
        require_counts(self, "training.feed", ("workers", "shuffle_rows", "n_ahead"))
        require(0.01 <= self.cache_gb <= 1e6, "training.feed.cache_gb", self.cache_gb, "0.01 to 1,000,000")


@dataclass(frozen=True)
class LaunchConf:
    """Part ``training.launch``.

    launcher: inline (one process), horovodrun, or spark (horovod.spark.run, one rank a task). n_ranks: processes that
    train; inline has 1 whatever is said here. hosts: for horovodrun, such as a:2,b:2; empty for this machine.
    threads_per_rank: threads of TensorFlow in each, 0 for its own choice.

    min_ranks: with horovodrun, training goes on while so many ranks are left, and takes in new ones up to max_ranks,
    0 for n_ranks; 0 ends it with the first rank that dies. discovery: a program that prints the hosts there are, one
    host:slots a line, asked again and again; empty for this machine. hosts alone would be asked but once.

    compression: of what ranks tell each other of dense gradients, none or fp16. fusion_mb: as much of it goes in one
    message. cycle_ms: how long is waited for more of it. autotune: let Horovod find these two while it trains. Of
    these, 0 is Horovod's own choice; with min_ranks it takes no other, since it crashes where ranks come and go.
    """

    launcher: Launcher = "horovodrun"
    n_ranks: int = 2
    hosts: str = ""
    threads_per_rank: int = 1
    min_ranks: int = 0
    max_ranks: int = 0
    discovery: str = ""
    compression: Compression = "none"
    fusion_mb: int = 0
    cycle_ms: float = 0.0
    autotune: bool = False

    def __post_init__(self) -> None:
        where = "training.launch"
        require_counts(self, where, ("n_ranks",))
        for name in ("fusion_mb", "cycle_ms", "threads_per_rank"):
            require(getattr(self, name) >= 0, f"{where}.{name}", getattr(self, name), "0 or more")
        is_own = not (self.fusion_mb or self.cycle_ms or self.autotune)
        require(is_own or not self.min_ranks, f"{where}.min_ranks", self.min_ranks, "0 where messages are tuned")
        is_found = not (self.hosts and self.min_ranks) or bool(self.discovery)
        require(is_found, f"{where}.discovery", self.discovery, "a program, where hosts and min_ranks are set")
        least = self.min_ranks
        require(0 <= least <= self.n_ranks, "training.launch.min_ranks", least, f"0 to n_ranks, {self.n_ranks}")
        most = self.max_ranks
        is_most = most == 0 or most >= self.n_ranks
        require(is_most, "training.launch.max_ranks", most, f"0, or at least n_ranks, {self.n_ranks}")


@dataclass(frozen=True)
class TrainingConf:
    """Section ``training``.

    batch_size: sequences of a batch, over all ranks together, however many there are; with targets.prefixes as many
    prefixes as they have, and with n_windows as many windows. precision: what the network computes in; weights, scores
    and losses are float32 always, and so is what is exported. Neither of the low ones gains anything on a CPU. stored:
    how the exported graphs hold their numbers: float16 takes half, int8 about a fourth, and what each loses
    benchmarks.compression tells; the SavedModel and weights.npz stay float32. max_epochs: at most. patience: epochs
    without a better validation before it stops: of NDCG@10, with tasks of its logarithm less the sum of their losses.
    seed: of everything random. validation_share: share of users, chosen by a hash, whose last instant is held out for
    stopping, and of whom tasks ask nothing. max_validation_users: at most, over all ranks. continues: begin with the
    weights of the latest model of an earlier day, and the vectors of the items that it knew. checkpoint_minutes:
    between two checkpoints, where an epoch is longer. top_n: length of a list of recommendations.
    """

    model: ModelConf = field(default_factory=ModelConf)
    targets: TargetsConf = field(default_factory=TargetsConf)
    prior: PriorConf = field(default_factory=PriorConf)
    loss: LossConf = field(default_factory=LossConf)
    heads: HeadsConf = field(default_factory=HeadsConf)
    adapter: AdapterConf = field(default_factory=AdapterConf)
    optimiser: OptimiserConf = field(default_factory=OptimiserConf)
    feed: FeedConf = field(default_factory=FeedConf)
    launch: LaunchConf = field(default_factory=LaunchConf)
    batch_size: int = 64
    precision: Precision = "float32"
    stored: Stored = "float32"
    max_epochs: int = 10
    patience: int = 3
    seed: int = 20111209
    validation_share: float = 0.1
    max_validation_users: int = 5000
    continues: bool = False
    checkpoint_minutes: float = 10.0
    top_n: int = 20

    def __post_init__(self) -> None:
        require_counts(self, "training", ("batch_size", "max_epochs", "patience", "top_n"))
        share, most = self.validation_share, self.max_validation_users
        require(0 <= share <= 1, "training.validation_share", share, "0 to 1")
        require(most >= 0, "training.max_validation_users", most, "0 or more")
        minutes = self.checkpoint_minutes
        require(minutes >= 0, "training.checkpoint_minutes", minutes, "0 or more")
        at_least = f"at least the number of ranks, {self.ranks}"
        require(self.batch_size >= self.ranks, "training.batch_size", self.batch_size, at_least)
        is_alone = not (self.targets.prefixes and self.heads.tasks)
        require(is_alone, "training.targets.prefixes", True, "false where heads have tasks")
        tunes = self.heads.tasks or self.model.architecture in ("sasrec", "gated") or not self.adapter.rank
        require(bool(tunes), "training.adapter.rank", self.adapter.rank, "0 for a GRU or LSTM without tasks")
        require(0 <= self.seed < 2**31, "training.seed", self.seed, "0 up to below 2 ** 31")
        n_windows = self.targets.n_windows
        is_one = n_windows == 1 or not self.heads.tasks
        require(is_one, "training.targets.n_windows", n_windows, "1 where heads have tasks")

    @property
    def step_size(self) -> int:
        """Sequences a step, over all ranks together."""
        return self.batch_size * self.optimiser.n_accumulated

    @property
    def ranks(self) -> int:
        """Processes that train."""
        return 1 if self.launch.launcher == "inline" else self.launch.n_ranks

    @property
    def read_length(self) -> int:
        """Events of a sequence that are read: those that the model sees, more for windows or tasks."""
        if self.heads.tasks:
            return 2 * self.seen_length
        return self.model.max_length * self.targets.n_windows

    @property
    def seen_length(self) -> int:
        """Events up to an instant that are looked at, by the model or, with tasks, for facts."""
        return max(self.model.max_length, self.heads.fact_events) if self.heads.tasks else self.model.max_length

    @property
    def is_elastic(self) -> bool:
        """True where ranks may come and go."""
        return self.launch.launcher == "horovodrun" and self.launch.min_ranks > 0
