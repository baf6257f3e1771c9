"""Stages by rules: thresholds that differ for entering and leaving, and nothing that looks ahead."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ulm_spark.stats.stages import STAGE_LETTERS, StageRules, stages_by_rules

RULES = StageRules(usual_gap_days=14, gap_weight=2, late_enter=2, late_leave=1, lost_enter=4, won_back_days=14)


def told(days: str, rules: StageRules = RULES) -> str:
    """Stages of one user, a letter a week: B bought, L looked, . nothing, before the first letter that is none, -."""
    buys = np.asarray([[int(day == "B") for day in days]])
    looks = np.asarray([[int(day == "L") for day in days]])
    born = np.asarray([len(days) - len(days.lstrip("-"))])
    return "".join(STAGE_LETTERS[stage] for stage in stages_by_rules(buys, looks, born, rules, 7)[0])


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ("--LBLBB", "--AGGGM"),  # the third order makes mature
        ("L...", "AAAA"),  # a gap of two weeks is usual, so three weeks are 1.5 times it
        ("L........", "AAAADDDDC"),  # late from twice the usual gap on, lost from four times
        ("L.........L", "AAAADDDDCCA"),  # who never bought begins anew
        ("B........L.B...", "GGGGDDDDCCCWWGG"),  # a visit brings no buyer back, a purchase does, for two weeks
        ("B....L", "GGGGDG"),  # activity ends decline
        ("B........B........B", "GGGGDDDDCWWGGGGGGGM"),  # nine weeks are a usual gap by then
    ],
)
def test_lateness_by_the_users_own_gap_moves_through_the_stages(days: str, expected: str) -> None:
    assert told(days) == expected


def test_between_the_thresholds_a_user_stays_as_they_were() -> None:
    # With late_leave above the lateness that a purchase leaves behind, only a return ends decline.
    loose = StageRules(usual_gap_days=7, gap_weight=1, late_enter=3, late_leave=1, lost_enter=9)
    assert told("B..", loose) == "GGG"
    assert told("B...", loose)[-1] == "D"


def test_an_order_of_several_counts_each() -> None:
    buys = np.asarray([[2, 1]])
    stages = stages_by_rules(buys, np.zeros_like(buys), np.zeros(1, dtype=np.int64), RULES, 7)
    assert "".join(STAGE_LETTERS[stage] for stage in stages[0]) == "GM"


@given(st.text(alphabet="BL.", min_size=1, max_size=30), st.integers(1, 30))
def test_later_periods_change_no_earlier_stage(days: str, cut: int) -> None:
    assert told("L" + days)[: cut + 1] == told(("L" + days)[: cut + 1])


@given(st.text(alphabet="BL.", min_size=1, max_size=20), st.integers(0, 9))
def test_periods_before_the_first_change_nothing(days: str, n: int) -> None:
    assert told("-" * n + "L" + days)[n:] == told("L" + days)
