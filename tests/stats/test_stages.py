"""Stages by rules: thresholds that differ for entering and leaving, and nothing that looks ahead."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stats.planted_stages import letters
from ulm_spark.stats.stages import StageRules, stages_by_rules

RULES = StageRules(usual_gap_days=14, gap_weight=2, late_enter=2, late_leave=1, lost_enter=4, won_back_days=14)


def told(days: str, rules: StageRules = RULES) -> str:
    """Stages of one user, a letter a week: B bought, L looked, . nothing, before the first letter that is none, -."""
    buys = np.asarray([[int(day == "B") for day in days]])
    looks = np.asarray([[int(day == "L") for day in days]])
    born = np.asarray([len(days) - len(days.lstrip("-"))])
    return letters(stages_by_rules(buys, looks, born, rules, 7)[0])


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ("--LBLBB", "--AGGGM"),  # the third order makes mature
        ("L...", "AAAA"),  # a gap of two weeks is usual, so three weeks are 1.5 times it
        ("L........", "AAAADDDDC"),  # late from twice the usual gap on, lost from four times
        ("L.........L", "AAAADDDDCCA"),  # who never bought begins anew
        ("B........L.B...", "GGGGDDDDCCCWWGG"),  # a visit brings no buyer back, a purchase does, for two weeks
        ("B....B", "GGGGDG"),  # a purchase ends decline
        ("B....L", "GGGGDD"),  # a visit does not
        ("B....LL", "GGGGDDG"),  # activity at the usual gap does
        ("B........B........B", "GGGGDDDDCWWGGGGGGGM"),  # nine weeks are a usual gap by then
    ],
)
def test_lateness_by_the_users_own_gap_moves_through_the_stages(days: str, expected: str) -> None:
    assert told(days) == expected


@pytest.mark.parametrize(
    ("days", "late_leave", "expected"),
    [
        ("B....L.L", 1.0, "GGGGDDDG"),  # three weeks are the usual gap by then, and two lie between the visits
        ("B....L.L", 0.5, "GGGGDDDD"),
        ("B....LL", 0.5, "GGGGDDG"),
        ("B....LLL", 0.1, "GGGGDDDD"),
    ],
)
def test_decline_ends_where_visits_are_near_again(days: str, late_leave: float, expected: str) -> None:
    assert told(days, replace(RULES, late_leave=late_leave)) == expected


def test_an_order_of_several_counts_each() -> None:
    buys = np.asarray([[2, 1]])
    stages = stages_by_rules(buys, np.zeros_like(buys), np.zeros(1, dtype=np.int64), RULES, 7)
    assert letters(stages[0]) == "GM"


@given(st.text(alphabet="BL.", min_size=1, max_size=30), st.integers(1, 30))
def test_later_periods_change_no_earlier_stage(days: str, cut: int) -> None:
    assert told("L" + days)[: cut + 1] == told(("L" + days)[: cut + 1])


@given(st.text(alphabet="BL.", min_size=1, max_size=20), st.integers(0, 9))
def test_periods_before_the_first_change_nothing(days: str, n: int) -> None:
    assert told("-" * n + "L" + days)[n:] == told("L" + days)
