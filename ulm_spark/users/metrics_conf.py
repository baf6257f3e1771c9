"""Over which windows, and on which days after the first, are the shop's metrics taken?"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ulm_spark.config.clock import MOST_DAYS
from ulm_spark.config.require import require


@dataclass(frozen=True)
class MetricsConf:
    """Section ``metrics``.

    window_days: lengths of the windows of gold.shop_metrics and gold.channel_acquisition. retention_days: the
    days n of classic and rolling retention. bracket_ends: last days of the brackets: the first bracket begins
    with day 1, each other one with the day after the end before it, so that 7, 14, 30 are days 1-7, 8-14, 15-30.
    """

    window_days: tuple[int, ...] = (30, 90)
    retention_days: tuple[int, ...] = (1, 3, 7, 14, 30, 60, 90)
    bracket_ends: tuple[int, ...] = (7, 14, 30, 60, 90)

    def __post_init__(self) -> None:
        for name in ("window_days", "retention_days", "bracket_ends"):
            days: Sequence[int] = getattr(self, name)
            rises = all(before < after for before, after in pairwise(days))
            is_fine = bool(days) and rises and days[0] >= 1 and days[-1] <= MOST_DAYS
            found = ", ".join(map(str, days)) or "none"
            require(is_fine, f"metrics.{name}", found, f"rising numbers of days from 1 to {MOST_DAYS}")

    @property
    def brackets(self) -> tuple[tuple[int, int], ...]:
        """First and last day of each bracket."""
        return tuple((before + 1, end) for before, end in pairwise((0, *self.bracket_ends)))
