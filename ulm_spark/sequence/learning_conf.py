"""What is learned from a sequence, and how?"""

from dataclasses import dataclass
from typing import Literal, get_args

from ulm_spark.config.require import require, require_counts, require_names, require_shares

LossKind = Literal["auto", "full", "sampled", "gbce"]
Task = Literal["action", "gap", "churn", "value", "conversion"]
_MOST_DAYS = 36_500
RateScaling = Literal["none", "linear", "sqrt"]


@dataclass(frozen=True)
class TargetsConf:
    """Part ``training.targets``.

    n_events: the model learns to name the items of so many following events; 1 is the next item, more suits baskets,
    whose lines share an instant. n_positions: places of each sequence that an epoch learns from, drawn at random; 0
    takes all. exclude_seen: neither learn nor recommend items that the user bought before. exclude_repeats: the item
    at the place itself is no target. prefixes: each place is learned at the end of a row of its own, as when it is
    asked for a recommendation, so that a step holds places of many users and not many of few; of the next item, at
    all places. It takes some times as long, and is better where histories are short. n_windows: sequences are read so
    many times as long as the model's max_length, and longer ones are learned from in windows of it, not by their last
    events alone.
    """

    n_events: int = 5
    n_positions: int = 8
    exclude_seen: bool = True
    exclude_repeats: bool = True
    prefixes: bool = False
    n_windows: int = 1

    def __post_init__(self) -> None:
        require_counts(self, "training.targets", ("n_events", "n_windows"))
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
        require_counts(self, "training.prior", ("days",))
        require(self.smoothing > 0, "training.prior.smoothing", self.smoothing, "a number above 0")
        is_age = self.half_life_days is None or self.half_life_days > 0
        require(is_age, "training.prior.half_life_days", self.half_life_days, "days above 0, or null")


@dataclass(frozen=True)
class LossConf:
    """Part ``training.loss``.

    kind: full, the cross-entropy among all items; sampled, that among the target and n_sampled items drawn for the
    step, corrected for how often they are drawn; gbce, the generalised binary one over as many; auto, full up to
    full_softmax_items items and sampled above. calibration: of gbce, t of its paper, 0 for plain binary cross-entropy
    to 1 for full calibration. smoothing: share of a target's weight that all items share, with full. spares_history:
    a target is not told apart from other items of its sequence, before or after; those before are often left out of
    recommendations, those after are right as well, only later (Klenitskiy & Vasilev, 2023, RecSys, 1120-1125).
    """

    kind: LossKind = "auto"
    full_softmax_items: int = 20_000
    n_sampled: int = 1024
    calibration: float = 0.75
    smoothing: float = 0.0
    spares_history: bool = False

    def __post_init__(self) -> None:
        require_counts(self, "training.loss", ("n_sampled",))
        most = self.full_softmax_items
        require(most >= 0, "training.loss.full_softmax_items", most, "0 or more")
        is_share = 0 <= self.calibration <= 1
        require(is_share, "training.loss.calibration", self.calibration, "0 to 1")
        require_shares(self, "training.loss", ("smoothing",))

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
    each matrix taken off a step, times the rate (AdamW); tables of items have none with a loss that draws negatives.
    clip_norm: greatest norm of a step's whole gradient, 0 for none. n_accumulated: batches that one step adds up.
    average: share of the running mean of weights that a step keeps, such as .999; the mean is what is validated and
    exported; 0 for none.

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
        require_counts(self, where, ("n_accumulated", "reference_batch"))
        require_shares(self, where, ("average",))

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

    tasks: of action (kind of the next event), gap (time to it), churn (nothing bought within horizon_days), value (what
    is paid within them) and conversion (the open visit ends in a purchase). fact_events: events before an instant that
    are counted in the plain facts which every task is told. Sequences are read twice as long as the longer of this and
    the model's max_length, so that what comes after a full history is known: let them hold that many. n_queries:
    instants of each sequence that an epoch asks about, half of them those of events, of which neither churn nor value
    is asked, for both are asked of a day that ends. asked_days: of how many days these are, the last ones; what the
    shop was before is not what it will be. visit_gap_s: silence that a visit survives. weight: of the mean loss of a
    task beside that of the next item, the same for each. into_trunk: share of the gradient of gap, churn and value that
    reaches the trunk, which otherwise learns by heart what became of whom. next_item: learn it too, or the tasks alone.
    """

    tasks: tuple[Task, ...] = ()
    horizon_days: int = 30
    fact_events: int = 100
    n_queries: int = 16
    asked_days: int = 180
    visit_gap_s: int = 1800
    weight: float = 0.2
    into_trunk: float = 0.1
    next_item: bool = True

    def __post_init__(self) -> None:
        where = "training.heads"
        require_counts(self, where, ("horizon_days", "fact_events", "n_queries", "asked_days", "visit_gap_s"))
        require(self.asked_days <= _MOST_DAYS, f"{where}.asked_days", self.asked_days, f"at most {_MOST_DAYS:,}")
        require_names(self.tasks, get_args(Task), f"{where}.tasks")
        require(self.weight > 0, f"{where}.weight", self.weight, "a number above 0")
        require(0 <= self.into_trunk <= 1, f"{where}.into_trunk", self.into_trunk, "0 to 1")
        something = "true where tasks name none"
        require(self.next_item or bool(self.tasks), f"{where}.next_item", self.next_item, something)
