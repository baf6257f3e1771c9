"""What does the training of a sequence model need to be told?"""

from dataclasses import dataclass, field
from typing import Literal, get_args

from ulm_spark.config.require import require
from ulm_spark.sequence.items_conf import ItemsConf

Architecture = Literal["sasrec", "gated", "gru", "lstm"]
LossKind = Literal["auto", "full", "sampled", "gbce"]
Task = Literal["action", "gap", "churn", "value", "conversion"]
Launcher = Literal["inline", "horovodrun", "spark"]
Attribute = Literal["category", "price_band"]
Places = Literal["none", "from_start", "from_end"]
Input = Literal["scaled", "normed"]
FeedKind = Literal["petastorm", "arrow"]
Compression = Literal["none", "fp16"]
Precision = Literal["float32", "bfloat16", "float16"]
RateScaling = Literal["none", "linear", "sqrt"]


@dataclass(frozen=True)
class ModelConf:
    """Part ``training.model``.

    architecture: sasrec, a causal Transformer; gated, one with gated blocks that knows how far and how long ago each
    event is; gru; or lstm. dim: width of item vectors and states. n_blocks: Transformer blocks or recurrent layers.
    n_heads: attention heads, dividing dim. dropout: share dropped of states, attention_dropout of attention.
    max_length: events of a sequence that the model sees, the last ones. places: how an event's vector knows its place:
    counted from_start of what the model sees, from_end, or not (none; gated knows distances anyway). Counted from the
    end, a place in the middle of a history is another in training than when it is the last. input: scaled, item vectors
    begin at length 1 and enter times the root of dim; normed, they begin near zero, and the sum of an event's vectors
    is normalised, which suits shops whose items are seldom seen. attributes: of items, that their vectors are made of
    beside one of their own; an item that nobody has seen is scored by them. by_kind: attention of gated has a bias for
    each pair of kinds of events. items: how the vectors of items are kept.
    """

    architecture: Architecture = "sasrec"
    dim: int = 64
    n_blocks: int = 1
    n_heads: int = 2
    dropout: float = 0.2
    attention_dropout: float = 0.2
    max_length: int = 50
    places: Places = "from_end"
    input: Input = "scaled"
    attributes: tuple[Attribute, ...] = ()
    by_kind: bool = False
    items: ItemsConf = field(default_factory=ItemsConf)

    def __post_init__(self) -> None:
        _at_least_one(self, "training.model", ("dim", "n_blocks", "n_heads", "max_length"))
        _shares(self, "training.model", ("dropout", "attention_dropout"))
        length = self.max_length
        require(length >= 2, "training.model.max_length", length, "2 or more, since one event has no next")
        divides = f"a divisor of dim, {self.dim}"
        require(self.dim % self.n_heads == 0, "training.model.n_heads", self.n_heads, divides)
        _named(self.attributes, get_args(Attribute), "training.model.attributes")
        is_gated = self.architecture == "gated" or not self.by_kind
        require(is_gated, "training.model.by_kind", self.by_kind, "false but with architecture gated")
        n_splits = self.items.n_splits
        fits = self.items.kind != "jpq" or self.dim % n_splits == 0
        require(fits, "training.model.items.n_splits", n_splits, divides)


@dataclass(frozen=True)
class TargetsConf:
    """Part ``training.targets``.

    n_events: the model learns to name the items of so many following events; 1 is the next item, more suits baskets,
    whose lines share an instant. n_positions: places of each sequence that an epoch learns from, drawn at random; 0
    takes all. exclude_seen: neither learn nor recommend items that the user bought before. exclude_repeats: the item
    at the place itself is no target. prefixes: each place is learned at the end of a row of its own, as when it is
    asked for a recommendation, so that a step holds places of many users and not many of few; of the next item, at
    all places. It takes some times as long, and is better where histories are short.
    """

    n_events: int = 5
    n_positions: int = 8
    exclude_seen: bool = True
    exclude_repeats: bool = True
    prefixes: bool = False

    def __post_init__(self) -> None:
        _at_least_one(self, "training.targets", ("n_events",))
        require(self.n_positions >= 0, "training.targets.n_positions", self.n_positions, "0 or more")
        is_whole = self.n_events == 1 and self.n_positions == 0
        expected = "false but for n_events 1 and n_positions 0"
        require(is_whole or not self.prefixes, "training.targets.prefixes", True, expected)


@dataclass(frozen=True)
class PriorConf:
    """Part ``training.prior``: the popularity that scores start from.

    is_used: without it scores start from zero. days: period after which it is renewed. half_life_days: age at which
    an event counts half in it, null for never. smoothing: events added to each item in it.
    """

    is_used: bool = True
    days: int = 7
    half_life_days: float | None = 14.0
    smoothing: float = 0.5

    def __post_init__(self) -> None:
        _at_least_one(self, "training.prior", ("days",))
        require(self.smoothing > 0, "training.prior.smoothing", self.smoothing, "a number above 0")
        is_age = self.half_life_days is None or self.half_life_days > 0
        require(is_age, "training.prior.half_life_days", self.half_life_days, "days above 0, or null")


@dataclass(frozen=True)
class LossConf:
    """Part ``training.loss``.

    kind: full, the cross-entropy among all items; sampled, that among the target and n_sampled items drawn for the
    step, corrected for how often they are drawn; gbce, the generalised binary one over as many; auto, full up to
    full_softmax_items items and sampled above. calibration: of gbce, t of its paper, 0 for plain binary cross-entropy
    to 1 for full calibration. smoothing: share of a target's weight that all items share, with full.
    """

    kind: LossKind = "auto"
    full_softmax_items: int = 20_000
    n_sampled: int = 1024
    calibration: float = 0.75
    smoothing: float = 0.0

    def __post_init__(self) -> None:
        _at_least_one(self, "training.loss", ("n_sampled",))
        most = self.full_softmax_items
        require(most >= 0, "training.loss.full_softmax_items", most, "0 or more")
        is_share = 0 <= self.calibration <= 1
        require(is_share, "training.loss.calibration", self.calibration, "0 to 1")
        _shares(self, "training.loss", ("smoothing",))

    def kind_for(self, n_items: int) -> LossKind:
        """What auto means for a vocabulary of this size."""
        if self.kind != "auto":
            return self.kind
        return "full" if n_items <= self.full_softmax_items else "sampled"


@dataclass(frozen=True)
class OptimiserConf:
    """Part ``training.optimiser``: Adam.

    learning_rate: after the warm-up, of which warmup_steps is the length, rising evenly from nothing. decay: the rate
    after the last of max_epochs over that after the warm-up, along a half cosine; 1 keeps it. weight_decay: share of
    each matrix taken off a step, times the rate (AdamW). clip_norm: greatest norm of a step's whole gradient, 0 for
    none. n_accumulated: batches that one step adds up. average: share of the running mean of weights that a step
    keeps, such as .999; the mean is what is validated and exported; 0 for none.

    rate_scaling: what learning_rate is of: with none of a step as configured; with linear or sqrt of a step of
    reference_batch sequences, from where it grows as the sequences of a step do, or as their root. batch_size is of all
    ranks together: ranks that come or go change no rate. With linear and large steps warm up for some epochs.
    """

    learning_rate: float = 4e-3
    warmup_steps: int = 0
    decay: float = 1.0
    weight_decay: float = 0.0
    clip_norm: float = 0.0
    n_accumulated: int = 1
    average: float = 0.0
    rate_scaling: RateScaling = "none"
    reference_batch: int = 64

    def __post_init__(self) -> None:
        where = "training.optimiser"
        require(self.learning_rate > 0, f"{where}.learning_rate", self.learning_rate, "a number above 0")
        for name in ("warmup_steps", "weight_decay", "clip_norm"):
            require(getattr(self, name) >= 0, f"{where}.{name}", getattr(self, name), "0 or more")
        require(0 <= self.decay <= 1, f"{where}.decay", self.decay, "0 to 1")
        _at_least_one(self, where, ("n_accumulated", "reference_batch"))
        _shares(self, where, ("average",))

    def rate_for(self, n_sequences: int) -> float:
        """The rate after the warm-up with so many sequences a step.

        Source: Goyal et al. (2017), Accurate, Large Minibatch SGD, section 2.1, for linear; Krizhevsky (2014), One
                weird trick for parallelizing convolutional neural networks, section 5, for sqrt.
        """
        power = {"none": 0.0, "linear": 1.0, "sqrt": 0.5}[self.rate_scaling]
        return float(self.learning_rate * (n_sequences / self.reference_batch) ** power)


@dataclass(frozen=True)
class HeadsConf:
    """Part ``training.heads``: what the trunk learns beside the next item.

    tasks: of action (kind of the next event), gap (time to it), churn (nothing bought within horizon_days), value
    (what is paid within them) and conversion (the open visit ends in a purchase). Sequences are read twice as long as
    the model's max_length, so that what comes after a full history is known: let them hold that many. n_queries:
    instants of each sequence that an epoch asks about, half of them those of events. visit_gap_s: silence that a visit
    survives. weight: of the mean loss of a task beside that of the next item, the same for each. into_trunk: share of
    the tasks' gradient that reaches the trunk, which otherwise learns by heart what became of whom. next_item: learn
    it too, or the tasks alone.
    """

    tasks: tuple[Task, ...] = ()
    horizon_days: int = 30
    n_queries: int = 4
    visit_gap_s: int = 1800
    weight: float = 0.2
    into_trunk: float = 0.1
    next_item: bool = True

    def __post_init__(self) -> None:
        where = "training.heads"
        _at_least_one(self, where, ("horizon_days", "n_queries", "visit_gap_s"))
        _named(self.tasks, get_args(Task), f"{where}.tasks")
        require(self.weight > 0, f"{where}.weight", self.weight, "a number above 0")
        require(0 <= self.into_trunk <= 1, f"{where}.into_trunk", self.into_trunk, "0 to 1")
        something = "true where tasks name none"
        require(self.next_item or bool(self.tasks), f"{where}.next_item", self.next_item, something)


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

    kind: petastorm, or arrow, which reads the same batches by pyarrow alone. workers: threads that read Parquet in
    each rank. shuffle_rows: rows of all ranks together that are shuffled at a time; a training that was ended goes on
    between two such pools. cache: folder on a rank's own disk that keeps row groups as they are fed, empty for none;
    cache_gb: its greatest size. by_length: batches hold sequences of like length, so that little is padding.
    n_ahead: batches that are made ready before they are asked for.
    """

    kind: FeedKind = "petastorm"
    workers: int = 1
    shuffle_rows: int = 100_000
    cache: str = ""
    cache_gb: float = 10.0
    by_length: bool = True
    n_ahead: int = 4

    def __post_init__(self) -> None:
        _at_least_one(self, "training.feed", ("workers", "shuffle_rows", "n_ahead"))
        require(self.cache_gb > 0, "training.feed.cache_gb", self.cache_gb, "a number above 0")


@dataclass(frozen=True)
class LaunchConf:
    """Part ``training.launch``.

    launcher: inline (one process), horovodrun, or spark (horovod.spark.run, one rank a task). n_ranks: processes that
    train; inline has 1 whatever is said here. hosts: for horovodrun, such as a:2,b:2; empty for this machine.
    threads_per_rank: threads of TensorFlow in each, 0 for its own choice.

    min_ranks: with horovodrun, training goes on while so many ranks are left, and takes in new ones up to max_ranks,
    0 for n_ranks; 0 ends it with the first rank that dies. discovery: a program that prints the hosts there are, one
    host:slots a line, asked again and again; empty for this machine.

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
        _at_least_one(self, where, ("n_ranks",))
        for name in ("fusion_mb", "cycle_ms", "threads_per_rank"):
            require(getattr(self, name) >= 0, f"{where}.{name}", getattr(self, name), "0 or more")
        is_own = not (self.fusion_mb or self.cycle_ms or self.autotune)
        require(is_own or not self.min_ranks, f"{where}.min_ranks", self.min_ranks, "0 where messages are tuned")
        least = self.min_ranks
        require(0 <= least <= self.n_ranks, "training.launch.min_ranks", least, f"0 to n_ranks, {self.n_ranks}")
        most = self.max_ranks
        is_most = most == 0 or most >= self.n_ranks
        require(is_most, "training.launch.max_ranks", most, f"0, or at least n_ranks, {self.n_ranks}")


@dataclass(frozen=True)
class TrainingConf:
    """Section ``training``.

    batch_size: sequences of a batch, over all ranks together, however many there are; with targets.prefixes as many
    prefixes as they have. precision: what the network computes in; weights, scores and losses are float32 always, and
    so is what is exported. Neither of the low ones gains anything on a CPU. max_epochs: at most. patience: epochs
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
    max_epochs: int = 10
    patience: int = 3
    seed: int = 20111209
    validation_share: float = 0.1
    max_validation_users: int = 5000
    continues: bool = False
    checkpoint_minutes: float = 10.0
    top_n: int = 20

    def __post_init__(self) -> None:
        _at_least_one(self, "training", ("batch_size", "max_epochs", "patience", "top_n"))
        share, most = self.validation_share, self.max_validation_users
        require(0 <= share <= 1, "training.validation_share", share, "0 to 1")
        require(most >= 0, "training.max_validation_users", most, "0 or more")
        minutes = self.checkpoint_minutes
        require(minutes >= 0, "training.checkpoint_minutes", minutes, "0 or more")
        at_least = f"at least the number of ranks, {self.ranks}"
        require(self.batch_size >= self.ranks, "training.batch_size", self.batch_size, at_least)
        is_alone = not (self.targets.prefixes and self.heads.tasks)
        require(is_alone, "training.targets.prefixes", True, "false where heads have tasks")

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
        """Events of a sequence that are read: those that the model sees, with tasks as many again."""
        return self.model.max_length * (2 if self.heads.tasks else 1)

    @property
    def is_elastic(self) -> bool:
        """True where ranks may come and go."""
        return self.launch.launcher == "horovodrun" and self.launch.min_ranks > 0


def _at_least_one(conf: object, where: str, names: tuple[str, ...]) -> None:
    for name in names:
        require(getattr(conf, name) >= 1, f"{where}.{name}", getattr(conf, name), "1 or more")


def _named(found: tuple[str, ...], among: tuple[str, ...], where: str) -> None:
    is_known = set(found) <= set(among) and len(set(found)) == len(found)
    require(is_known, where, ", ".join(found), f"distinct ones of {', '.join(among)}")


def _shares(conf: object, where: str, names: tuple[str, ...]) -> None:
    for name in names:
        require(0 <= getattr(conf, name) < 1, f"{where}.{name}", getattr(conf, name), "0 up to below 1")
