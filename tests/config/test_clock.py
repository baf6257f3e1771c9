"""Where a day ends."""

from datetime import UTC, date, datetime

import pytest

from ulm_spark.config.clock import end_of, past_days, start_of
from ulm_spark.config.errors import ConfigError


def test_a_day_ends_at_the_next_local_midnight() -> None:
    assert end_of(date(2011, 12, 1), "Europe/London") == datetime(2011, 12, 2, tzinfo=UTC)
    assert end_of(date(2011, 12, 1), "Asia/Shanghai") == datetime(2011, 12, 1, 16, tzinfo=UTC)


def test_the_day_of_a_clock_change_is_longer_or_shorter() -> None:
    autumn, spring = date(2011, 10, 30), date(2011, 3, 27)
    length_h = [
        (end_of(d, "Europe/London") - start_of(d, "Europe/London")).total_seconds() / 3600 for d in (autumn, spring)
    ]
    assert length_h == [25, 23]


def test_a_zone_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"shop\.zone"):
        end_of(date(2011, 12, 1), "Nowhere")


def test_past_days_lie_whole_horizons_before_the_day() -> None:
    days = past_days(date(2023, 1, 1), date(2024, 3, 31), horizon_days=30, n_days=3, min_history_days=20)
    assert days == (date(2024, 1, 1), date(2024, 1, 31), date(2024, 3, 1))


@pytest.mark.parametrize(
    ("first_on", "expected"), [(date(2024, 2, 11), (date(2024, 3, 1),)), (date(2024, 2, 12), ()), (None, ())]
)
def test_a_past_day_needs_its_history_to_the_day(first_on: date | None, expected: tuple[date, ...]) -> None:
    assert past_days(first_on, date(2024, 3, 31), horizon_days=30, n_days=3, min_history_days=20) == expected
