"""The jobs that judge a day's input, through a real lake: incremental by day, and stopping where the config says so."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from pyspark.sql import SparkSession

from jobs import check_quality, flag_anomalies
from tests.frames import rows_of, utc
from ulm_spark.config.errors import ConfigError, DataQualityError
from ulm_spark.config.load import load
from ulm_spark.contracts.bronze import INGESTED_DAYS
from ulm_spark.contracts.ops import JUDGED_DAYS, QUALITY_CHECKS, RUNS
from ulm_spark.contracts.silver import EVENT_ANOMALIES, EVENTS, PRODUCTS
from ulm_spark.events.quality import QualityRules
from ulm_spark.lake.store import Lake, LakeConf

_FIRST, _AS_OF = date(2024, 5, 1), date(2024, 5, 15)


def _event(name: str, day: date, user: str | None, product: str, agent: str = "Mozilla/5.0") -> dict[str, object]:
    at = utc(f"{day}T12:00:00")
    values = {"event_id": name, "event_at": at, "event_on": day, "received_at": at, "user_id": user, "source": "s"}
    return {**values, "event_type": "view", "product_id": product, "user_agent": agent}


def _day(day: date, n_kept: int, fingerprint: str, n_quarantined: int = 0, n_duplicates: int = 0) -> dict[str, object]:
    counts = {"n_kept": n_kept, "n_quarantined": n_quarantined, "n_duplicates": n_duplicates}
    return {"source": "s", "day_on": day, "n_rows": n_kept + n_quarantined, "fingerprint": fingerprint, **counts}


@pytest.fixture
def lake(spark: SparkSession, lake_conf: LakeConf) -> Lake:
    """Four events of as_of where eight and sixteen are usual, one of them a bot's, and a day in the first week."""
    lake = Lake(spark, lake_conf)
    events = [
        _event("e1", _AS_OF, "u1", "known"),
        _event("e2", _AS_OF, "u2", "known"),
        _event("e3", _AS_OF, None, "new"),
        _event("e4", _AS_OF, "u4", "known", agent="SomeBot/1.0"),
        _event("e0", _FIRST, "u5", "known", agent="curl/8"),
    ]
    days = [
        _day(_FIRST, 8, "a"),
        _day(_AS_OF - timedelta(days=7), 16, "b"),
        _day(_AS_OF - timedelta(days=1), 99, "c"),
        _day(_AS_OF, 4, "d", 4, 1),
    ]
    products = [{"product_id": "known", "title": "A lamp"}, {"product_id": "new"}]
    for table, rows in ((EVENTS, events), (INGESTED_DAYS, days), (PRODUCTS, products)):
        lake.create(table)
        lake.append(rows_of(spark, table, rows).coalesce(1), table)
    return lake


@pytest.mark.flow
@pytest.mark.slow
def test_a_days_input_is_judged_once_and_its_checks_stop_the_job_where_asked(
    spark: SparkSession, lake: Lake, lake_conf: LakeConf
) -> None:
    conf = flag_anomalies.Conf(lake=lake_conf)
    flag_anomalies.run(spark, conf, _AS_OF)
    flagged = lake.read(EVENT_ANOMALIES).select("event_id", "rule").orderBy("event_id")
    assert [tuple(row) for row in flagged.collect()] == [("e0", "bot_agent"), ("e4", "bot_agent")]
    versions = [lake.version(table) for table in (EVENT_ANOMALIES, JUDGED_DAYS)]
    flag_anomalies.run(spark, conf, _AS_OF)
    assert [lake.version(table) for table in (EVENT_ANOMALIES, JUDGED_DAYS)] == versions

    # One day changed, another is gone; what no fingerprint tells of is not looked at.
    lake.delete(EVENTS, "event_id = 'e4'")
    lake.delete(INGESTED_DAYS, f"day_on IN (DATE'{_AS_OF}', DATE'{_AS_OF - timedelta(days=1)}')")
    lake.append(rows_of(spark, INGESTED_DAYS, [_day(_AS_OF, 3, "e", 4, 1)]), INGESTED_DAYS)
    flag_anomalies.run(spark, conf, _AS_OF)
    assert [row["event_id"] for row in lake.read(EVENT_ANOMALIES).collect()] == ["e0"]
    assert sorted(row["day_on"].day for row in lake.read(JUDGED_DAYS).collect()) == [1, 8, 15]

    # The usual volume is the mean of the two Wednesdays before: 12.
    strict = QualityRules(
        max_null_share={"user_id": 0.3}, max_duplicate_share=0.1, min_volume_ratio=0.5, stop=("min_volume_ratio",)
    )
    with pytest.raises(
        DataQualityError, match=r"found s duplicate_share 0.1429 \(0.1\); s min_volume_ratio 0.25 .*exp"
    ):
        check_quality.run(spark, check_quality.Conf(lake=lake_conf, quality=strict), _AS_OF)
    names = ("check_name", "value", "has_passed", "severity", "n_rows")
    found = {row[0]: tuple(row[1:]) for row in lake.read(QUALITY_CHECKS).select(*names).collect()}
    assert {name: (round(row[0], 3), *row[1:]) for name, row in found.items()} == {
        "null_share.user_id": (0.333, False, "warn", 7),
        "quarantined_share": (0.571, True, "warn", 7),
        "duplicate_share": (0.143, False, "warn", 7),
        "unknown_product_share": (0.333, True, "warn", 7),
        "min_volume_ratio": (0.25, False, "stop", 7),
        "max_volume_ratio": (0.25, True, "warn", 7),
    }

    warned = check_quality.Conf(lake=lake_conf, quality=replace(strict, stop=()))
    check_quality.run(spark, warned, _AS_OF)
    told = lake.read(RUNS).where("job = 'check_quality'").orderBy("started_at").collect()
    assert [row["status"] for row in told] == ["failed", "done"]
    assert told[1]["message"].startswith(
        "checks that failed, with their thresholds: s duplicate_share 0.1429 (0.1); s "
    )


def test_rules_of_quality_are_checked_by_name_and_read_from_a_config() -> None:
    with pytest.raises(ConfigError, match=r"quality\.stop: found volume; expected names among null_share\.user_id"):
        QualityRules(stop=("volume",))
    with pytest.raises(ConfigError, match=r"quality\.max_null_share: found colour; expected columns among user_id"):
        QualityRules(max_null_share={"colour": 0.1})
    read = load(None, check_quality.Conf, ["quality.max_null_share.device=0", "quality.stop=[null_share.device]"])
    assert read.quality.max_null_share == {"device": 0.0}
    assert read.quality.stop == ("null_share.device",)
