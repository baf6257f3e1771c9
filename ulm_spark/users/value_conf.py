"""Which behaviour weighs how much, over which days, and who is in which tier?"""

import math
from dataclasses import dataclass, field

from ulm_spark.config.clock import MOST_DAYS
from ulm_spark.config.require import require
from ulm_spark.contracts.user_days import USER_DAYS

BEHAVIOURS = {
    column.name.removeprefix("n_"): column.unit
    for column in USER_DAYS.columns
    if column.name.startswith("n_") and column.type in ("INT", "BIGINT")
}
"""What silver.user_days counts, with its unit."""


_MOST_WEIGHT = 1e6


def _example() -> dict[str, float]:
    return {"views": 0.3, "searches": 0.2, "purchases": 0.5}


@dataclass(frozen=True)
class ValueConf:
    """Section ``value``.

    weights: of one of each behaviour, by its name without n_ in silver.user_days. window_days: days whose behaviour
    counts, the last one as_of. tier_names, tier_shares: from the best users on, with their shares of all.
    period_days, series_periods: of the value series. horizon_days: days after a past day whose net revenue the
    learned weights explain. n_label_days: such days, one horizon apart. min_history_days: days of behaviour that
    such a day needs behind it. min_examples: users and such days below which nothing is learned.
    """

    weights: dict[str, float] = field(default_factory=_example)
    window_days: int = 90
    tier_names: tuple[str, ...] = ("platinum", "gold", "silver", "bronze")
    tier_shares: tuple[float, ...] = (0.05, 0.15, 0.30, 0.50)
    period_days: int = 7
    series_periods: int = 26
    horizon_days: int = 30
    n_label_days: int = 3
    min_history_days: int = 60
    min_examples: int = 100

    def __post_init__(self) -> None:
        unknown = ", ".join(sorted(set(self.weights) - set(BEHAVIOURS)))
        is_known = bool(self.weights) and not unknown
        require(is_known, "value.weights", unknown or "none", f"behaviours of {', '.join(BEHAVIOURS)}")
        are_finite = all(math.isfinite(weight) and abs(weight) <= _MOST_WEIGHT for weight in self.weights.values())
        require(are_finite, "value.weights", self.weights, f"numbers from -{_MOST_WEIGHT:.0f} to {_MOST_WEIGHT:.0f}")
        counts = (
            "window_days", "period_days", "series_periods", "horizon_days", "n_label_days", "min_history_days",
            "min_examples",
        )  # fmt: skip
        for name in counts:
            found_n = getattr(self, name)
            most = MOST_DAYS if name != "min_examples" else 2**31
            require(1 <= found_n <= most, f"value.{name}", found_n, f"1 to {most}")
        n_days = self.horizon_days * self.n_label_days
        require(n_days <= MOST_DAYS, "value.horizon_days, value.n_label_days", n_days, f"together {MOST_DAYS} at most")
        found = f"{len(self.tier_names)} names and shares {self.tier_shares}"
        is_whole = abs(sum(self.tier_shares) - 1) < 1e-9 and min(self.tier_shares, default=0) > 0
        is_fine = is_whole and len(set(self.tier_names)) == len(self.tier_shares) == len(self.tier_names)
        require(is_fine, "value.tier_names, value.tier_shares", found, "different names, shares above 0 that sum to 1")

    @property
    def behaviours(self) -> tuple[str, ...]:
        """The behaviours that are weighed, by name."""
        return tuple(sorted(self.weights))
