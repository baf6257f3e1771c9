"""How are the vectors of items kept? Part ``training.model.items``."""

from dataclasses import dataclass, replace
from typing import Literal

from ulm_spark.config.require import require, require_counts

ItemsKind = Literal["own", "factorised", "hashed", "jpq"]
CodesKind = Literal["svd", "random", "learned"]
MOST_CENTROIDS = 256  # a code is a byte
_MOST_BITS = 8


@dataclass(frozen=True)
class ItemsConf:
    """Part ``training.model.items``.

    kind: own, a vector for each item; factorised, rank numbers for each, times a matrix that all share, each one of
    2 ** bits numbers where bits is not 0, and learned so; hashed, the
    sum of n_hashes of n_buckets vectors, each times a number of the item's own; jpq, joint product quantisation:
    n_splits codes of a byte for each, that name one of n_centroids vectors of dim / n_splits numbers, which are
    learned. codes: where those come from, fixed before training: svd, the items' likeness in the histories, or random;
    or learned with the rest, for which each item has a vector of its own as long as training lasts. A model that
    continues from one with a vector for each item begins with codes of those. An item so takes 4 * dim, 4 * rank
    or bits / 8 * rank, 8 * n_hashes or n_splits bytes.
    """

    kind: ItemsKind = "own"
    rank: int = 16
    bits: int = 0
    n_buckets: int = 65_536
    n_hashes: int = 2
    n_splits: int = 8
    n_centroids: int = 256
    codes: CodesKind = "svd"

    def __post_init__(self) -> None:
        where = "training.model.items"
        require_counts(self, where, ("rank", "n_buckets", "n_hashes", "n_splits"))
        is_rounded = self.bits == 0 or (self.kind == "factorised" and 0 < self.bits <= _MOST_BITS)
        require(is_rounded, f"{where}.bits", self.bits, f"0, or with kind factorised 1 to {_MOST_BITS}")
        fits = 2 <= self.n_centroids <= MOST_CENTROIDS
        require(fits, f"{where}.n_centroids", self.n_centroids, f"2 to {MOST_CENTROIDS}, since a code is a byte")

    @property
    def served(self) -> "ItemsConf":
        """Of the exported network: its codes and rounded factors are weights as they are, made by no rule."""
        return replace(self, codes="random", bits=0)
