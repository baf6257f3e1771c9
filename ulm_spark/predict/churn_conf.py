"""What may be set about churn?"""

from dataclasses import dataclass

from ulm_spark.config.require import require


@dataclass(frozen=True)
class ChurnConf:
    """Section ``churn``.

    active_days: a user is asked about who bought in so many days up to the day. horizon_days: a
    user has churned who buys nothing in so many days after it. n_label_days: days in the past to
    learn from, one horizon apart. min_history_days: days of purchases that a label day needs
    behind it. min_class_rows: examples of each outcome below which nothing is learned. max_rows:
    examples to learn from; above it, users are sampled by the hash of their id. max_iter,
    max_depth, step_size: of the boosted trees. min_leaf_rows: examples in a leaf at least. seed:
    of the trees.
    """

    active_days: int = 90
    horizon_days: int = 30
    n_label_days: int = 4
    min_history_days: int = 60
    min_class_rows: int = 20
    max_rows: int = 100_000
    max_iter: int = 20
    max_depth: int = 4
    step_size: float = 0.1
    min_leaf_rows: int = 10
    seed: int = 7

    def __post_init__(self) -> None:
        counts = (
            "active_days", "horizon_days", "n_label_days", "min_history_days", "min_class_rows", "max_rows", "max_iter",
            "max_depth", "min_leaf_rows",
        )  # fmt: skip
        for name in counts:
            require(getattr(self, name) >= 1, f"churn.{name}", getattr(self, name), "at least 1")
        require(self.max_depth <= 12, "churn.max_depth", self.max_depth, "12 at most")
        require(0 < self.step_size <= 1, "churn.step_size", self.step_size, "above 0, at most 1")
