"""What is strange of an event or its user, and who is left out for it."""

from datetime import date, timedelta
from itertools import accumulate
from random import Random

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.testing import assertDataFrameEqual

from tests.frames import rows_of, utc
from ulm_spark.config.errors import ConfigError
from ulm_spark.contracts.bronze import INGESTED_DAYS
from ulm_spark.contracts.ops import JUDGED_DAYS
from ulm_spark.contracts.silver import EVENT_ANOMALIES, EVENTS
from ulm_spark.events.anomalies import AnomalyRules, flag_anomalies, without_anomalies
from ulm_spark.events.judged import changed_days

_DAY = date(2024, 5, 1)
_START = utc("2024-05-01T10:00:00")
_SECONDS = {
    "human": list(accumulate(Random(7).choices([3.0, 8.0, 20.0, 45.0, 2000.0], k=40))),
    "crawler": [2.0 * n for n in range(21)],  # 20 gaps of one length
    "crawler_of_20": [2.0 * n for n in range(20)],
    "fast": [n * n / 20 for n in range(27)],  # ever slower: 27 looks in 34 seconds
    "coarse": [0.0] * 60,  # times to the day: one instant
    "bot": [5.0],
    "late": [100.0],
    "ahead": [101.0],
}
_DELAYS = {"late": 90.0, "ahead": -70.0}


@pytest.fixture(scope="module")
def events(spark: SparkSession) -> DataFrame:
    rows = [
        {
            "event_id": f"{user} {place:02}",
            "event_at": _START + timedelta(seconds=seconds),
            "event_on": _DAY,
            "received_at": _START + timedelta(seconds=seconds + _DELAYS.get(user, place % 3)),
            "event_type": "view",
            "user_id": user,
            "user_agent": "ExampleBot/2.1 (+http://bot.example.com)" if user == "bot" else "Mozilla/5.0",
            "source": "s",
        }
        for user, times in _SECONDS.items()
        for place, seconds in enumerate(times)
    ]
    rows.append(rows[-3] | {"event_id": "guest", "user_id": None})
    rows.append(
        rows[0]
        | {"event_id": "listing", "event_type": "listing", "user_id": None, "received_at": _START.replace(year=2025)}
    )
    return rows_of(spark, EVENTS, rows).coalesce(1)


def test_each_rule_flags_what_it_says_and_nothing_else(events: DataFrame) -> None:
    flagged = flag_anomalies(events, AnomalyRules()).select("rule", "event_id", "score", "threshold").collect()
    crawled = {("regular_gaps", f"crawler {n:02}", 0.0, 0.1) for n in range(21)}
    fast = {("impossible_rate", f"fast {n}", n + 1.0, 25.0) for n in (25, 26)}
    agents = {("bot_agent", name, None, None) for name in ("bot 00", "guest")}
    clocks = {("arrived_late", "late 00", 89.0, 60.0), ("clock_ahead", "ahead 00", 71.0, 60.0)}
    assert {tuple(row) for row in flagged} == crawled | fast | agents | clocks
    assert len(flagged) == len(crawled | fast | agents | clocks)


def test_users_who_are_none_and_impossible_times_are_left_out_and_late_events_stay(
    spark: SparkSession, events: DataFrame
) -> None:
    names = ("event_id", "event_on", "user_id", "rule")
    found = [
        ("crawler 03", _DAY, "crawler", "regular_gaps"),
        ("guest", _DAY, None, "bot_agent"),
        ("late 00", _DAY, "late", "arrived_late"),
        ("ahead 00", _DAY, "ahead", "clock_ahead"),
        ("human 00", _DAY + timedelta(days=1), "human", "regular_gaps"),  # not known yet
    ]
    anomalies = rows_of(spark, EVENT_ANOMALIES, [dict(zip(names, row, strict=True)) for row in found])
    kept = without_anomalies(events, anomalies, _DAY)
    is_left_out = "user_id IN ('crawler', 'ahead') OR event_id = 'guest'"
    assertDataFrameEqual(
        kept.select("event_id"), events.where(f"NOT coalesce({is_left_out}, false)").select("event_id")
    )
    assert kept.columns == events.columns


def test_a_day_is_judged_again_where_its_events_or_the_settings_changed(spark: SparkSession) -> None:
    def days(*fingerprints: str | None) -> DataFrame:
        rows = [
            {"source": "s", "day_on": _DAY + timedelta(days=n), "fingerprint": text}
            for n, text in enumerate(fingerprints)
        ]
        return rows_of(spark, INGESTED_DAYS, rows)

    def changed(ingested: DataFrame, judged: DataFrame, settings: str) -> list[int]:
        found = changed_days(ingested, judged, settings, _DAY + timedelta(days=3)).collect()
        return sorted((row["day_on"] - _DAY).days for row in found)

    nothing = rows_of(spark, JUDGED_DAYS, [])
    judged = changed_days(days("a", None, "b", "c", "d"), nothing, "x", _DAY + timedelta(days=3))
    judged = rows_of(spark, JUDGED_DAYS, [row.asDict() for row in judged.collect()])
    assert changed(days("a", None, "b", "c", "e"), judged, "x") == []  # the day after as_of waits
    assert changed(days("a", "n", "B", None, "d"), judged, "x") == [1, 2, 3]
    assert changed(days("a", None, "b", "c", "d"), judged, "y") == [0, 2, 3]


def test_a_limit_below_its_least_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"anomalies\.min_gaps: found 0; expected 1 or more"):
        AnomalyRules(min_gaps=0)
