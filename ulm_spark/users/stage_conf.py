"""By which rules and with which model are stages of life told?"""

from dataclasses import dataclass, field

from ulm_spark.config.require import require
from ulm_spark.stats.hidden_stages import Cuts
from ulm_spark.stats.stages import StageRules


@dataclass(frozen=True)
class HiddenStageConf:
    """Section ``stages.model``: the hidden Markov model.

    n_classes: kinds of users by their rates. max_users: users it is fitted on, sampled by the hash of their id; all
    users are told their stage. max_rounds: of the fit. tolerance: gain in log likelihood a user and period below
    which the fit ends. active_least: probability of being active from which on a user counts as active.
    churned_least: share of being away in being lost from which on a lost user counts as churned, not in decline.
    back_least: share of being back in being active from which on an active buyer counts as won back.
    """

    n_classes: int = 6
    max_users: int = 2_000
    max_rounds: int = 25
    tolerance: float = 1e-4
    active_least: float = 0.5
    churned_least: float = 0.7
    back_least: float = 0.15

    def __post_init__(self) -> None:
        for name in ("n_classes", "max_users", "max_rounds"):
            require(getattr(self, name) >= 1, f"stages.model.{name}", getattr(self, name), "at least 1")
        require(self.tolerance >= 0, "stages.model.tolerance", self.tolerance, "0 or more")
        for name in ("active_least", "churned_least", "back_least"):
            require(0 < getattr(self, name) < 1, f"stages.model.{name}", getattr(self, name), "between 0 and 1")

    @property
    def cuts(self) -> Cuts:
        """From which probability on a stage is told."""
        return Cuts(self.active_least, self.churned_least, self.back_least)


@dataclass(frozen=True)
class StageConf:
    """Section ``stages``.

    period_days: length of a period; the latest ends with as_of. history_periods: periods of gold.stage_history.
    memory_periods: periods that the rules and the model look back on; what lies before counts as done in the
    first of them.
    """

    period_days: int = 7
    history_periods: int = 12
    memory_periods: int = 104
    rules: StageRules = field(default_factory=StageRules)
    model: HiddenStageConf = field(default_factory=HiddenStageConf)

    def __post_init__(self) -> None:
        for name in ("period_days", "history_periods"):
            require(getattr(self, name) >= 1, f"stages.{name}", getattr(self, name), "at least 1")
        found = f"{self.memory_periods} for {self.history_periods} periods of history"
        require(self.memory_periods > self.history_periods, "stages.memory_periods", found, "more than history_periods")
        rules = self.rules
        found = f"late_leave {rules.late_leave}, late_enter {rules.late_enter}, lost_enter {rules.lost_enter}"
        is_ordered = 0 < rules.late_leave <= rules.late_enter < rules.lost_enter
        require(is_ordered, "stages.rules", found, "0 < late_leave <= late_enter < lost_enter")
        least = min(rules.usual_gap_days, rules.gap_weight, rules.mature_purchases, rules.won_back_days)
        expected = "usual_gap_days, gap_weight, mature_purchases and won_back_days above 0"
        require(least > 0, "stages.rules", least, expected)
