"""What network is trained?"""

from dataclasses import dataclass, field
from typing import Literal, get_args

from ulm_spark.config.require import require, require_counts, require_names, require_shares
from ulm_spark.sequence.items_conf import ItemsConf

Architecture = Literal["sasrec", "gated", "gru", "lstm"]
Attribute = Literal["category", "price_band"]
Places = Literal["none", "from_start", "from_end"]
Input = Literal["scaled", "normed"]


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
        require_counts(self, "training.model", ("dim", "n_blocks", "n_heads", "max_length"))
        require_shares(self, "training.model", ("dropout", "attention_dropout"))
        length = self.max_length
        require(length >= 2, "training.model.max_length", length, "2 or more, since one event has no next")
        divides = f"a divisor of dim, {self.dim}"
        require(self.dim % self.n_heads == 0, "training.model.n_heads", self.n_heads, divides)
        require_names(self.attributes, get_args(Attribute), "training.model.attributes")
        is_gated = self.architecture == "gated" or not self.by_kind
        require(is_gated, "training.model.by_kind", self.by_kind, "false but with architecture gated")
        n_splits = self.items.n_splits
        fits = self.items.kind != "jpq" or self.dim % n_splits == 0
        require(fits, "training.model.items.n_splits", n_splits, divides)
