"""In which stage of life is a shopper, by rules on lateness that differ for entering and for leaving a stage?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ACQUISITION, GROWTH, MATURITY, DECLINE, CHURNED, WON_BACK = range(6)
UNKNOWN = -1
_PRESENT, _LATE, _LOST = range(3)


@dataclass(frozen=True)
class StageRules:
    """Section ``stages.rules``. Lateness is the time since the last activity over the user's own usual gap.

    usual_gap_days: gap between periods with activity that is taken as usual for a user of whom nothing is known.
    gap_weight: how many gaps of the user's own weigh as much as that. late_enter: lateness from which on the user is
    in decline, which ends with a purchase, or where activity is no more than late_leave usual gaps behind the activity
    before it. lost_enter: from which on the user is churned, which ends with a purchase, for one who never bought with
    a visit. mature_purchases: orders from which on the user is
    mature, also for the hidden Markov model. won_back_days: how long a user who came back counts as won back, for
    the model the mean of it.
    """

    usual_gap_days: float = 21.0
    gap_weight: float = 4.0
    late_enter: float = 1.5
    late_leave: float = 1.0
    lost_enter: float = 2.5
    mature_purchases: int = 3
    won_back_days: int = 56


def stages_by_rules(buys: Ints, looks: Ints, born: Ints, rules: StageRules, period_days: int) -> Ints:
    """[users, periods]: the stage at each period's end, UNKNOWN before the user's first.

    In:     buys, looks: [users, periods], purchases and visits without one, the newest period last; born: [users].
    Rule:   a user's gap is (gap_weight * usual + own gaps' sum) / (gap_weight + their number); gaps are counted in
            periods, one of them at least. Orders: none is acquisition, below mature_purchases growth, else maturity;
            lateness turns them into decline and churned, a purchase when churned into won back.
            A visit after a long silence ends no decline by itself: the next one, soon after it, does.
    Edge:   a user who bought nothing and is lost is churned; the next visit makes an acquisition of them again.
    """
    n_users, n_periods = buys.shape
    usual = max(rules.usual_gap_days / period_days, 1.0)
    won_back = max(round(rules.won_back_days / period_days), 1)
    stages = np.full((n_users, n_periods), UNKNOWN, dtype=np.int64)
    acts = _Rhythm.new(n_users)
    n_bought, level = np.zeros(n_users, dtype=np.int64), np.full(n_users, _PRESENT)
    back_until = np.full(n_users, -1)
    for t in range(n_periods):
        has_bought, has_acted = buys[:, t] > 0, (buys[:, t] + looks[:, t]) > 0
        gap, before, acts = acts.gap(usual, rules.gap_weight), acts.silence(t), acts.told(has_acted, t)
        late = acts.silence(t) / gap
        is_regular = has_acted & (before <= rules.late_leave * gap)
        is_back = (level == _LOST) & has_bought & (n_bought > 0)
        back_until = np.where(is_back, t + won_back, back_until)
        n_bought = n_bought + buys[:, t]
        returns = np.where(level == _LATE, has_bought | is_regular, np.where(n_bought > 0, has_bought, has_acted))
        level = _next_level(level, late, returns, rules)
        alive = np.where(n_bought >= rules.mature_purchases, MATURITY, np.where(n_bought > 0, GROWTH, ACQUISITION))
        alive = np.where(t < back_until, WON_BACK, alive)
        stages[:, t] = np.where(level == _PRESENT, alive, np.where(level == _LATE, DECLINE, CHURNED))
    stages[np.arange(n_periods)[None, :] < born[:, None]] = UNKNOWN
    return stages


def _next_level(level: Ints, late: Floats, returns: NDArray[np.bool_], rules: StageRules) -> Ints:
    """Who is late or lost stays so until they return, and who is late gets lost."""
    sunk = np.where(late >= rules.lost_enter, _LOST, np.where(late >= rules.late_enter, _LATE, _PRESENT))
    return np.where((level != _PRESENT) & returns, _PRESENT, np.maximum(level, sunk))


@dataclass(frozen=True)
class _Rhythm:
    """Of each user, the first and the last period with activity, and how many had some; -1 before the first."""

    first: Ints
    last: Ints
    n: Ints

    @classmethod
    def new(cls, n_users: int) -> "_Rhythm":
        never = np.full(n_users, -1, dtype=np.int64)
        return cls(never, never, np.zeros(n_users, dtype=np.int64))

    def told(self, has: NDArray[np.bool_], t: int) -> "_Rhythm":
        return _Rhythm(np.where(has & (self.first < 0), t, self.first), np.where(has, t, self.last), self.n + has)

    def silence(self, t: int) -> Ints:
        """Periods since the last activity, 0 before the first."""
        return np.where(self.last >= 0, t - self.last, 0)

    def gap(self, usual: float, weight: float) -> Floats:
        """The user's usual gap in periods."""
        n_gaps = np.maximum(self.n - 1, 0)
        return np.asarray(np.maximum((weight * usual + (self.last - self.first)) / (weight + n_gaps), 1.0))
