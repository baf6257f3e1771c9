"""The identity job over real Delta tables."""

from datetime import date

import pytest
from pyspark.sql import SparkSession

from jobs import resolve_identities
from tests.events.identifiers import events_of, persons
from ulm_spark.contracts.identity import IDENTITIES, IDENTITY_CHANGES, IDENTITY_LINKS
from ulm_spark.contracts.ops import RUNS
from ulm_spark.contracts.silver import EVENTS
from ulm_spark.events.identity_history import identities_as_of
from ulm_spark.lake.store import Lake, LakeConf

D1, D2 = date(2024, 5, 1), date(2024, 5, 2)
TABLES = (IDENTITY_LINKS, IDENTITIES, IDENTITY_CHANGES)


def test_where_no_event_names_a_cookie_or_a_device_nothing_is_known(spark: SparkSession, lake_conf: LakeConf) -> None:
    lake = Lake(spark, lake_conf)
    lake.create(EVENTS)
    lake.append(events_of(spark, "u1", ""), EVENTS)
    resolve_identities.run(spark, resolve_identities.Conf(lake=lake_conf), D2)
    assert [lake.is_empty(table) for table in TABLES] == [True] * 3
    assert lake.read(RUNS).select("status", "message").collect() == [("done", None)]


@pytest.mark.flow
@pytest.mark.slow
def test_a_visitor_who_logs_in_becomes_the_log_in_from_that_day_on(spark: SparkSession, lake_conf: LakeConf) -> None:
    lake, conf = Lake(spark, lake_conf), resolve_identities.Conf(lake=lake_conf)
    lake.create(EVENTS)
    for day, named in ((D1, ("c1 d1", "u2 c2")), (D2, ("u1 c1",))):
        lake.append(events_of(spark, *named, on=str(day)), EVENTS)
        resolve_identities.run(spark, conf, day)
    versions = [lake.version(table) for table in TABLES[:2]]
    resolve_identities.run(spark, conf, D2)
    resolve_identities.run(spark, conf, D1)
    assert [lake.version(table) for table in TABLES[:2]] == versions
    known = [persons(identities_as_of(lake.read(IDENTITIES), day)) for day in (D1, D2)]
    assert known[0] == {"user:u2": "u2", "cookie:c2": "u2", "cookie:c1": "cookie:c1", "device:d1": "cookie:c1"}
    assert known[1] == {**known[0], **dict.fromkeys(("user:u1", "cookie:c1", "device:d1"), "u1")}
    changes = lake.read(IDENTITY_CHANGES).drop("as_of").collect()
    assert [tuple(row) for row in changes] == [("cookie:c1", "u1", 0, 1, 1, "link")]
    assert lake.read(RUNS).orderBy("started_at").collect()[-1]["message"].startswith("found identities known as of")
