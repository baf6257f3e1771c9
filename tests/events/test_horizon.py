"""How far back a duplicate is looked for."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from tests.events.ingesting import MemoryLedger, ingest
from ulm_spark.config.errors import ConfigError
from ulm_spark.contracts.silver import EVENTS
from ulm_spark.events.batch import SourceConf
from ulm_spark.events.horizon import near_days

_DAYS = st.lists(st.dates(date(2024, 1, 1), date(2024, 6, 1)), max_size=12)


@given(_DAYS, st.integers(0, 20), st.integers(1, 4))
def test_every_day_within_the_horizon_is_in_one_range(days: list[date], horizon_days: int, most: int) -> None:
    near = {day + timedelta(days=shift) for day in days for shift in range(-horizon_days, horizon_days + 1)}
    ranges = near_days(days, horizon_days, most)
    covered = [start + timedelta(days=n) for start, end in ranges for n in range((end - start).days + 1)]
    assert len(ranges) <= most
    assert len(set(covered)) == len(covered)
    assert set(covered) >= near
    assert set(covered) == near or len(ranges) == most


def test_a_horizon_finds_copies_and_ids_that_come_again_within_it(spark: SparkSession, tmp_path: Path) -> None:
    row = '{"event_id":"%s","event_at":"%s","event_type":"search","received_at":"2024-07-02"}\n'
    said = [("copied", "2024-06-20"), ("beyond", "2024-05-01"), ("within", "2024-05-02")]
    (tmp_path / "a.json").write_text("".join(row % pair for pair in said))
    ledger = ingest(MemoryLedger(spark), tmp_path, "native_json", horizon_days=7)
    said_again = [said[0], ("beyond", "2024-05-09"), ("within", "2024-05-09")]
    (tmp_path / "b.json").write_text("".join(row % pair for pair in said_again))
    ingest(ledger, tmp_path, "native_json", horizon_days=7)
    assert ledger.reasons() == ["duplicate"] * 2
    assert ledger.column(EVENTS, "event_id") == ["copied", "beyond", "within", "beyond"]
    (tmp_path / "c.json").write_text(row % ("beyond", "2024-05-03"))  # near both events of that id
    ingest(ledger, tmp_path, "native_json", horizon_days=7)
    assert ledger.reasons() == ["duplicate"] * 3
    (tmp_path / "d.json").write_text(row % ("beyond", "2024-07-01"))  # the lake has that id twice by now
    ingest(ledger, tmp_path, "native_json")
    assert ledger.reasons() == ["duplicate"] * 4


@pytest.mark.parametrize("days", [-1, 36_501])
def test_a_horizon_that_is_no_number_of_days_is_refused(days: int) -> None:
    with pytest.raises(ConfigError, match=rf"source\.duplicate_horizon_days: found {days}; expected 0 to 36,500 days"):
        SourceConf(duplicate_horizon_days=days)
