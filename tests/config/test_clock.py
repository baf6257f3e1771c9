"""Where a day ends."""

from datetime import UTC, date, datetime

import pytest

from ulm_spark.config.clock import end_of, start_of
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
